"""The endpoints of buntime.sh, one file for each resource: functions from a request to a response.

Imports the state in `service/sessions/`, `service/workspace/` and the modules directly in `service/`.
"""
