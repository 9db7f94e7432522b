"""The files of one session, in memory or on disk, resolved so that no symlink leads outside.

Imports only `_support` and the modules directly in `service/`.
"""
