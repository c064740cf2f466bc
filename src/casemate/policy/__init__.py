"""Which boundary a workload may, must and by default does have: one evaluator, asked by every front end.

Pure: opens no file and no socket.
"""
