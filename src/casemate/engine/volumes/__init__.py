"""Volumes of Pods: made before the sandbox starts, bound into containers, and taken away without a trace."""
