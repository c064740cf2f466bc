"""The admission webhook: policies applied where Kubernetes accepts objects, and the audit of those that exist."""
