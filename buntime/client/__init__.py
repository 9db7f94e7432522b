"""The objects that users of buntime.sh hold: client, sessions, files, processes, functions.

Imports `helpers/`, `calls/`, `engine/`, `wire/`; `settings.py` alone makes transports. Public names are
those of `buntime`.
"""
