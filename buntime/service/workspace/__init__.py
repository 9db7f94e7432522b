"""The files of one session, in memory or on disk, resolved so that no symlink leads out.

Imports `_support` and `service/errors.py`.
"""
