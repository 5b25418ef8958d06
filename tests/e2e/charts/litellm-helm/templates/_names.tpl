{{/* The release's name where it says "litellm" already, else both. */}}
{{- define "proxy.name" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains .Values.nameOverride .Release.Name -}}
{{ .Release.Name }}
{{- else -}}
{{ .Release.Name }}-{{ .Values.nameOverride }}
{{- end -}}
{{- end }}

{{- define "proxy.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "proxy.labels" -}}
{{ include "proxy.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "proxy.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "proxy.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary (include "proxy.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "masterkey.secret" -}}
name: {{ .Values.masterkeySecretName | default (printf "%s-masterkey" (include "proxy.name" .)) }}
key: {{ .Values.masterkeySecretKey | default "masterkey" }}
{{- end }}

{{/* A Helm hook runs before the chart's ServiceAccount is there. */}}
{{- define "migrations.serviceAccount" -}}
{{- if and .Values.migrationJob.hooks.helm.enabled .Values.serviceAccount.create -}}
{{ .Values.migrationJob.serviceAccountName | default "default" }}
{{- else -}}
{{ include "proxy.serviceAccount" . }}
{{- end -}}
{{- end }}
