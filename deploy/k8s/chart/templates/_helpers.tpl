{{/* Names, labels and what all pods have in common. */}}

{{- define "stream-lstm.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "stream-lstm.labels" -}}
app.kubernetes.io/name: stream-lstm
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "stream-lstm.selector" -}}
app.kubernetes.io/name: stream-lstm
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "stream-lstm.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "stream-lstm.name" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "stream-lstm.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{- define "stream-lstm.storeUrl" -}}
{{- default "file:///var/lib/stream-lstm" .Values.store.url -}}
{{- end }}

{{/* A setting's variable: training.expiry is STREAM_LSTM_TRAINING__EXPIRY. */}}
{{- define "stream-lstm.settings" -}}
{{- range $name, $value := .Values.settings }}
- name: STREAM_LSTM_{{ $name | replace "." "__" | upper }}
  value: {{ if kindIs "string" $value }}{{ $value | quote }}{{ else }}{{ $value | toJson | quote }}{{ end }}
{{- end }}
{{- end }}

{{/* Secrets as files: where they are seen, and where they come from. The pods' group may read them. */}}
{{- define "stream-lstm.secretMounts" -}}
{{- range $index, $secret := .Values.secretFiles }}
- { name: secret-{{ $index }}, mountPath: /run/secrets/{{ $secret.name }}, readOnly: true }
{{- end }}
{{- end }}

{{- define "stream-lstm.secretVolumes" -}}
{{- range $index, $secret := .Values.secretFiles }}
- name: secret-{{ $index }}
  secret:
    secretName: {{ $secret.name }}
    defaultMode: 288 # 0440, which YAML of 1.2 would read as 440
    {{- with $secret.items }}
    items:
      {{- range . }}
      - { key: {{ . | quote }}, path: {{ . | quote }} }
      {{- end }}
    {{- end }}
{{- end }}
{{- end }}

{{- define "stream-lstm.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "stream-lstm.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}
