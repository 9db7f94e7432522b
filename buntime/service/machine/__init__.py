"""Executions on this machine: a sandbox and a supervisor for each session, and the pipes to talk to it.

Services use :mod:`executor`; :mod:`channel` is the conversation with ``supervisor/main.js``, which
:mod:`launch` starts in a :mod:`sandbox`, with the programs that :mod:`find` looks up. Imports only what an
executor is, and workspaces.
"""
