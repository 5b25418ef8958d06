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

{{/* A Helm hook runs before the chart's ServiceAccount is there. */}}
{{- define "migrations.serviceAccount" -}}
{{- if and .Values.migrationJob.hooks.helm.enabled .Values.serviceAccount.create -}}
{{ .Values.migrationJob.serviceAccountName | default "default" }}
{{- else -}}
{{ include "proxy.serviceAccount" . }}
{{- end -}}
{{- end }}

{{- define "database.existing" -}}
{{- with .Values.db }}
{{- $secret := .secret.name }}
- name: DATABASE_USERNAME
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ .secret.usernameKey }}}
- name: DATABASE_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ .secret.passwordKey }}}
- name: DATABASE_HOST
{{- if .secret.endpointKey }}
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ .secret.endpointKey }}}
{{- else }}
  value: {{ .endpoint | quote }}
{{- end }}
- name: DATABASE_NAME
  value: {{ .database | quote }}
- name: DATABASE_URL
  value: {{ .url | quote }}
{{- end }}
{{- end }}

{{- define "database.standalone" -}}
- name: DATABASE_URL
  value: postgresql://litellm:litellm@{{ .Release.Name }}-postgresql/litellm
{{- end }}

{{- define "environment.plain" -}}
{{- range $name, $value := .Values.envVars }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with .Values.extraEnvVars }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* With the Redis of the chart, the proxies find each other through it. */}}
{{- define "proxy.config" -}}
{{- $config := deepCopy .Values.proxy_config }}
{{- if and .Values.redis.enabled (not (hasKey ($config.general_settings | default dict) "coordination_redis")) }}
{{- $redis := dict "host" "os.environ/REDIS_HOST" "port" "os.environ/REDIS_PORT" "password" "os.environ/REDIS_PASSWORD" }}
{{- $_ := set $config "general_settings" (merge (dict "coordination_redis" $redis) ($config.general_settings | default dict)) }}
{{- end }}
{{- toYaml $config }}
{{- end }}
