"""Tools that know nothing of sandboxes: ownership after a fork, ends of blocks, signals, logging, pickling.

Imports the standard library alone.
"""
