{{- /* The operator's rights in the namespaces that it looks after; explained in docs/operator/rights.md. */ -}}
{{- define "kaos.rules" -}}
- apiGroups: [kaos.tools]
  resources: [mcpservers, modelapis, agents]
  verbs: [list, watch]
- apiGroups: [kaos.tools]
  resources: [mcpservers/status, modelapis/status, agents/status]
  verbs: [patch]
- apiGroups: [kaos.tools]
  resources: [mcpservers/finalizers, modelapis/finalizers, agents/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps, persistentvolumeclaims]
  verbs: [list, watch, create, patch]
- apiGroups: [""]
  resources: [pods, serviceaccounts]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [get, create, patch]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  {{- if .Values.gatewayAPI.enabled }}
  verbs: [get, list, watch, create, patch, delete]
  {{- else }}
  verbs: [list, delete]
  {{- end }}
{{- if .Values.secrets.watch }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [list, watch]
{{- end }}
{{- end }}
