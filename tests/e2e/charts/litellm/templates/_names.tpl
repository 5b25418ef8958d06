{{- define "monolith.name" -}}
{{ .Values.nameOverride | default .Chart.Name }}
{{- end }}

{{/* Always both: a release named litellm makes litellm-litellm. */}}
{{- define "monolith.fullname" -}}
{{ .Values.fullnameOverride | default (printf "%s-%s" .Release.Name (include "monolith.name" .)) }}
{{- end }}

{{/* The component is in every selector, and none of it can be changed in a Deployment. */}}
{{- define "monolith.selector" -}}
app.kubernetes.io/name: {{ include "monolith.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: proxy
{{- end }}

{{- define "monolith.labels" -}}
app.kubernetes.io/name: {{ include "monolith.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "monolith.image" -}}
{{- with .Values.image -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end }}

{{- define "monolith.account" -}}
{{- with .Values.serviceAccounts.gateway -}}
{{ .name | default (ternary (printf "%s-gateway" (include "monolith.fullname" $)) "default" .create) }}
{{- end -}}
{{- end }}

{{/* The account of the proxy plays no part: that of the backend does, which this layout never renders. */}}
{{- define "migrations.account" -}}
{{- $backend := .Values.serviceAccounts.backend -}}
{{ .Values.migrationJob.serviceAccountName | default (ternary "" $backend.name $backend.create) | default "default" }}
{{- end }}

{{- define "masterkey.secret" -}}
{{- with .Values.masterKey -}}
{{- if not (or .secretName .generate) }}
{{- fail "masterKey.secretName is required, or masterKey.generate" }}
{{- end -}}
name: {{ .secretName | default (printf "%s-masterkey" (include "monolith.fullname" $)) }}
key: {{ .secretKey | default "master-key" }}
{{- end -}}
{{- end }}

{{/* Empty is not set, 0 is. */}}
{{- define "is.set" -}}
{{- if not (or (kindIs "invalid" .) (eq (toString .) "")) -}}yes{{- end -}}
{{- end }}

{{- define "metrics.folder" -}}/tmp/litellm_prometheus_multiproc{{- end }}
