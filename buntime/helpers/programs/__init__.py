"""The JavaScript of the helpers, which runs in a session: one file per operation.

`helpers/runner.py` reads the files and puts the shared ones before a program. Nothing is imported from here.
"""
