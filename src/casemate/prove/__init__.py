"""Proving boundaries: what a sandbox is, as the node and a prober inside see it. The rules are in `rules`."""
