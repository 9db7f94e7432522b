"""Serves a service model over HTTP: a WSGI application, the server behind it, and who may call it.

Imports the rest of `service/`; only the command line and tests import it.
"""
