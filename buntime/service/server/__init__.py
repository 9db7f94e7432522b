"""Serves a transport over HTTP: a WSGI application, the server around it, and its access control.

Imports the modules directly in `service/`, `_http` and `_support`; only the command line and tests import it.
"""
