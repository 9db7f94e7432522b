"""The calls of buntime.sh, typed, a method each. They send values that were checked before.

Imports `engine/`, `wire/`, errors and models. `helpers/` and `client/` are built on it.
"""
