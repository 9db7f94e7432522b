"""Helpers that know nothing of sandboxes: forks, signals, logging, ownership.

Imports the standard library alone.
"""
