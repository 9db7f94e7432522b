"""The endpoints of buntime.sh, one file for each resource.

Imports the state in `service/sessions/` and `service/workspace/`. Each route turns a request into a response.
"""
