"""The executor of the fake: scripted results, functions and processes, and the file helpers in memory.

Imports `service/workspace/` and what is directly in `service/`.
"""
