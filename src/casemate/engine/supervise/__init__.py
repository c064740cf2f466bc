"""The supervisor: keeps the Pods of all runs as their specifications say, as a kubelet does.

Level-triggered: what should be is read from disk, what is from CRI; the difference is what to do. So neither the
supervisor's death nor the engine's loses or doubles a container.
"""
