{{- define "exporter.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "exporter.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "exporter.labels" -}}
{{ include "exporter.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "exporter.scheme" -}}
{{- if and .Values.webConfig.secret .Values.webConfig.tls -}} https {{- else -}} http {{- end -}}
{{- end -}}

{{- /* A probe: (list ROOT PATH). Kubernetes has neither a password nor a certificate. */ -}}
{{- define "exporter.probe" -}}
{{- $path := index . 1 -}}
{{- with index . 0 -}}
{{- if and .Values.webConfig.secret .Values.webConfig.onlyUsers -}}
tcpSocket:
  port: metrics
{{- else -}}
httpGet:
  path: {{ $path }}
  port: metrics
  scheme: {{ include "exporter.scheme" . | upper }}
{{- end -}}
{{- end -}}
{{- end -}}
