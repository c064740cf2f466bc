"""Kubernetes objects, v1.36, as immutable structs."""
