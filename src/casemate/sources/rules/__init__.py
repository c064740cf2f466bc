"""What makes an object valid: the checks of a Kubernetes API server, v1.36 (pkg/apis/*/validation)."""
