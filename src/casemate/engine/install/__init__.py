"""What the engine needs on this machine: what is there, what is missing, where it comes from, and bringing it in."""
