"""Tools that know nothing of sandboxes: ownership after a fork, signals, logging, pickling, archives, forms.

Imports the standard library alone.
"""
