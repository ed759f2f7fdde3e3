{{- define "kaos.clusterwide" -}}
{{ .Release.Namespace }}-operator
{{- end }}

{{- define "kaos.selector" -}}
app.kubernetes.io/name: kaos-operator
app.kubernetes.io/instance: {{ .Release.Namespace }}
{{- end }}

{{- define "kaos.podLabels" -}}
{{ include "kaos.selector" . }}
app.kubernetes.io/part-of: kaos
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "kaos.labels" -}}
{{ include "kaos.podLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
kaos.tools/system: {{ .Release.Namespace }}
{{- end }}

{{- define "kaos.lease" -}}
kaos-operator{{ with .Values.watchNamespaces }}-{{ sortAlpha . | join "," | sha256sum | trunc 8 }}{{ end }}
{{- end }}
