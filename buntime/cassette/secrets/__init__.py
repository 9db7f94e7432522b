"""Finds and redacts the secrets of a recording, and audits a cassette for those that remain.

Imports `_http`, `_support`, `wire/` and the rest of `cassette/`.
"""
