"""The calls of buntime.sh, typed, a method each.

Imports `engine/`, `wire/`, errors and models. `helpers/` and `client/` are built on it.
"""
