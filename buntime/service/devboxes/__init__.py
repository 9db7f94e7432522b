"""A model of Runloop as documented: devboxes, executions, files, snapshots, blueprints.

Imports `machine/`, `scripted/`, `workspace/` and the modules beside this folder. Nothing of it is imported
before the first request to a path below ``/v1/``.
"""
