"""How much isolation a workload needs, what it has, what closes the gap, and what would break.

Pure: opens no file and no socket.
"""
