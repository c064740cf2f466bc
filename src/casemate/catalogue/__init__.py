"""Facts as data: runtimes and what they give. YAML rows, read by a typed loader."""
