{{/* The name of the objects: that of the release, and keyfold where it does not say so itself. */}}
{{- define "keyfold.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "keyfold.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "keyfold.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "keyfold.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The metadata that all objects have in common, with further annotations: (list $ "name" annotations). */}}
{{- define "keyfold.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "keyfold.labels" $root | nindent 2 }}
{{- with merge (dict) (index . 2) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "keyfold.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "keyfold.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "keyfold.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{- define "keyfold.job" -}}
{{ .Values.monitoring.job | default (include "keyfold.fullname" .) }}
{{- end -}}

{{/* keyfold.toml and the files beside it. */}}
{{- define "keyfold.files" -}}
keyfold.toml: |
  {{- .Values.config | nindent 2 }}
{{- range $name, $content := .Values.files }}
{{ $name }}: |
  {{- $content | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The settings that every container of keyfold gets: the configuration and the secrets. */}}
{{- define "keyfold.environment" -}}
- name: KEYFOLD_CONFIG
  value: /etc/keyfold/keyfold.toml
{{- range $variable, $secret := .Values.secrets.environment }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret.name }}
      key: {{ $secret.key }}
{{- end }}
{{- range $variable, $secret := .Values.secrets.files }}
- name: {{ $variable }}__FILE
  value: /run/secrets/keyfold/{{ $variable }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "keyfold.mounts" -}}
- name: config
  mountPath: /etc/keyfold
  readOnly: true
{{- if .Values.secrets.files }}
- name: secrets
  mountPath: /run/secrets/keyfold
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The volumes of `keyfold.mounts`: (list $ "name of the ConfigMap"). */}}
{{- define "keyfold.volumes" -}}
{{- $root := index . 0 -}}
- name: config
  configMap:
    name: {{ index . 1 }}
{{- with $root.Values.secrets.files }}
- name: secrets
  projected:
    # the group of fsGroup may read them, and nobody else
    defaultMode: 0440
    sources:
      {{- range $variable, $secret := . }}
      - secret:
          name: {{ $secret.name }}
          items:
            - key: {{ $secret.key }}
              path: {{ $variable }}
      {{- end }}
{{- end }}
{{- with $root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where and as whom pods run. */}}
{{- define "keyfold.scheduling" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- end -}}
