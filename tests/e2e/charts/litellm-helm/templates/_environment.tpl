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

{{/* Of the proxy alone: the Job writes, and to the database itself. */}}
{{- define "database.proxy" -}}
{{- with .Values.db }}
{{- if and .useExisting .secret.readReplicaUrlKey }}
- name: DATABASE_URL_READ_REPLICA
  valueFrom:
    secretKeyRef: {name: {{ .secret.name }}, key: {{ .secret.readReplicaUrlKey }}}
{{- else if .readReplicaUrl }}
{{- if and .useExisting .secret.readReplicaEndpointKey }}
- name: DATABASE_READER_HOST
  valueFrom:
    secretKeyRef: {name: {{ .secret.name }}, key: {{ .secret.readReplicaEndpointKey }}}
{{- end }}
- name: DATABASE_URL_READ_REPLICA
  value: {{ .readReplicaUrl | quote }}
{{- end }}
{{- if .connectionPool.enabled }}
- name: LITELLM_PGBOUNCER_ENABLED
  value: "true"
- name: LITELLM_PGBOUNCER_MAX_DB_CONNECTIONS
  value: {{ .connectionPool.maxDbConnections | quote }}
- name: LITELLM_PGBOUNCER_MAX_CLIENT_CONN
  value: {{ .connectionPool.maxClientConn | quote }}
{{- end }}
{{- end }}
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

{{- define "environment.metrics" -}}
{{- if .Values.metricsServer.enabled }}
{{- if eq (int .Values.metricsServer.port) (int .Values.service.port) }}
{{- fail "metricsServer.port must differ from service.port" }}
{{- end }}
- name: PROMETHEUS_METRICS_PORT
  value: {{ .Values.metricsServer.port | quote }}
{{- end }}
{{- end }}

{{/* With the Redis of the chart, the proxies find each other through it. */}}
{{- define "proxy.config" -}}
{{- $config := deepCopy .Values.proxy_config }}
{{- $wanted := and .Values.redis.enabled (dig "coordination" "enabled" true .Values.redis) }}
{{- if and $wanted (not (hasKey ($config.general_settings | default dict) "coordination_redis")) }}
{{- $redis := dict "host" "os.environ/REDIS_HOST" "port" "os.environ/REDIS_PORT" "password" "os.environ/REDIS_PASSWORD" }}
{{- $_ := set $config "general_settings" (merge (dict "coordination_redis" $redis) ($config.general_settings | default dict)) }}
{{- end }}
{{- toYaml $config }}
{{- end }}
