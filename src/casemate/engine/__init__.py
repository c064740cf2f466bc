"""The embedded engine: a private containerd, driven over CRI, that keeps Pods as a kubelet would."""
