"""The objects that users of buntime.sh hold: client, sessions, files, processes, functions.

Imports `helpers/`, `calls/`, `engine/`, `wire/`; only `settings.py` imports transports. The public names are
those of `buntime`.
"""
