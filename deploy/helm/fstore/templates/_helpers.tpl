{{- define "fstore.name" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end }}

{{- define "fstore.selector" -}}
app.kubernetes.io/name: fstore
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "fstore.labels" -}}
{{ include "fstore.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "fstore.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "fstore.pod" -}}
serviceAccountName: {{ include "fstore.name" . }}
automountServiceAccountToken: false
enableServiceLinks: false # their variables begin with FSTORE_ as settings do
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "fstore.env" -}}
- name: FSTORE_ONLINE
  valueFrom: {secretKeyRef: {name: {{ .Values.online.secret }}, key: {{ .Values.online.key }}}}
{{- range $name, $value := .Values.settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "fstore.registryClaim" -}}{{ .Values.registry.existingClaim | default (printf "%s-registry" (include "fstore.name" .)) }}{{- end }}
{{- define "fstore.stateClaim" -}}{{ .Values.materialize.state.existingClaim | default (printf "%s-state" (include "fstore.name" .)) }}{{- end }}
