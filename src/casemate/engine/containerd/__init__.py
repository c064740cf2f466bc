"""The engine's private containerd: its configuration, its mount namespace and its process."""
