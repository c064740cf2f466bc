"""The truth about every field of a Pod's specification: what this engine does with it, and under which runtime."""
