"""The executor of the fake: scripted results, functions and processes, and the client's helpers in memory.

Imports `service/workspace/` and the modules directly in `service/`.
"""
