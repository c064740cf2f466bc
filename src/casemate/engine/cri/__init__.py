"""The Container Runtime Interface (CRI v1): our subset of its messages, and a client."""
