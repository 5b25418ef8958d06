{{/* Of the pods and of the Job: `(dict "root" $ "component" .Values.gateway)`. A name may come twice, helm says nothing. */}}
{{- define "environment.common" -}}
{{- with .component.logLevel }}
- name: LITELLM_LOG
  value: {{ . | quote }}
{{- end }}
{{- include "environment.writer" .root.Values.database.writer }}
{{- include "environment.reader" .root.Values.database }}
- name: DISABLE_SCHEMA_UPDATE
  value: "true"
{{- include "environment.redis" .root.Values.redis }}
{{- with .component.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The parts of a connection. The proxy makes the URL, and encodes what needs it. */}}
{{- define "environment.writer" }}
{{- $secret := required "database.writer.passwordSecret.name is required" .passwordSecret.name }}
- name: DATABASE_HOST
  value: {{ required "database.writer.host is required" .host | quote }}
- name: DATABASE_PORT
  value: {{ .port | default 5432 | quote }}
{{- range list "DATABASE_USER" "DATABASE_USERNAME" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ $.passwordSecret.usernameKey | default "username" }}}
{{- end }}
- name: DATABASE_NAME
  value: {{ required "database.writer.dbname is required" .dbname | quote }}
{{- range $name, $value := dict "SCHEMA" .schema "SSLMODE" .sslMode "SSLROOTCERT" .sslRootCert }}
{{- with $value }}
- name: DATABASE_{{ $name }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if and .useIAMAuth .useAzureEntraAuth }}
{{- fail "database.writer.useIAMAuth and database.writer.useAzureEntraAuth exclude each other" }}
{{- else if .useIAMAuth }}
- name: IAM_TOKEN_DB_AUTH
  value: "true"
{{- else if .useAzureEntraAuth }}
- name: AZURE_POSTGRESQL_AUTH
  value: "true"
{{- else }}
- name: DATABASE_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ .passwordSecret.passwordKey | default "password" }}}
{{- end }}
{{- end }}

{{- define "environment.reader" }}
{{- $writer := .writer }}
{{- with .reader }}
{{- if .host }}
{{- range $token := list "useIAMAuth" "useAzureEntraAuth" }}
{{- if and (index $.reader $token) (not (index $writer $token)) }}
{{- fail (printf "database.reader.%s requires database.writer.%s" $token $token) }}
{{- end }}
{{- end }}
- name: DATABASE_HOST_READ_REPLICA
  value: {{ .host | quote }}
- name: DATABASE_PORT_READ_REPLICA
  value: {{ .port | default 5432 | quote }}
- name: DATABASE_NAME_READ_REPLICA
  value: {{ required "database.reader.dbname is required" .dbname | quote }}
{{- with .schema }}
- name: DATABASE_SCHEMA_READ_REPLICA
  value: {{ . | quote }}
{{- end }}
{{- if .passwordSecret.name }}
- name: DATABASE_USER_READ_REPLICA
  valueFrom:
    secretKeyRef: {name: {{ .passwordSecret.name }}, key: {{ .passwordSecret.usernameKey | default "username" }}}
{{- end }}
{{- if not (or .useIAMAuth .useAzureEntraAuth) }}
- name: DATABASE_PASSWORD_READ_REPLICA
  valueFrom:
    secretKeyRef:
      name: {{ required "database.reader.passwordSecret.name is required" .passwordSecret.name }}
      key: {{ .passwordSecret.passwordKey | default "password" }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "environment.redis" }}
{{- if .host }}
- name: REDIS_HOST
  value: {{ .host | quote }}
- name: REDIS_PORT
  value: {{ .port | quote }}
{{- if .passwordSecret.name }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ .passwordSecret.name }}, key: {{ .passwordSecret.passwordKey | default "password" }}}
{{- end }}
{{- if .cluster }}
- name: REDIS_CLUSTER_NODES
  value: {{ list (dict "host" .host "port" (int .port)) | toJson | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Of the proxy alone. */}}
{{- define "environment.proxy" -}}
{{- range list "LITELLM_MASTER_KEY" "PROXY_MASTER_KEY" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef: {{- include "masterkey.secret" $ | nindent 6 }}
{{- end }}
- name: LENS_WORKER_IMAGE
  value: {{ include "lens.image" (dict "Values" .Values.lensWorker "Chart" .Subcharts.lens.Chart) | quote }}
{{- include "environment.common" (dict "root" $ "component" .Values.gateway) | nindent 0 }}
{{- if .Values.gateway.config.create }}
- name: CONFIG_FILE_PATH
  value: /app/config/config.yaml
{{- end }}
{{- with .Values.gateway.numWorkers }}
- name: NUM_WORKERS
  value: {{ . | quote }}
{{- end }}
{{- with .Values.database.connectionPool }}
{{- if .enabled }}
- name: LITELLM_PGBOUNCER_ENABLED
  value: "true"
- name: LITELLM_PGBOUNCER_MAX_DB_CONNECTIONS
  value: {{ required "database.connectionPool.maxDbConnections is required" .maxDbConnections | quote }}
- name: LITELLM_PGBOUNCER_MAX_CLIENT_CONN
  value: {{ required "database.connectionPool.maxClientConn is required" .maxClientConn | quote }}
{{- end }}
{{- end }}
{{- if .Values.gateway.metricsServer.enabled }}
- name: PROMETHEUS_MULTIPROC_DIR
  value: {{ include "metrics.folder" . }}
{{- end }}
{{- end }}
