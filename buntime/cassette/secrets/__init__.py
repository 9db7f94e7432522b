"""Finds and redacts the secrets in what a cassette stores, and audits a cassette for those that remain.

Imports `_http`, `_support` and the rest of `cassette/`.
"""
