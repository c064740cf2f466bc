"""A node's container runtime: read it, check it, plan a change, apply it, take it back."""
