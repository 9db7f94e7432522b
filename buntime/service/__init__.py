"""A model of buntime.sh as documented: sessions, workspaces, executions, files.

Nothing here imports the client: the two are independent readings of the API and meet only at
:class:`~buntime.transport.Request` and :class:`~buntime.transport.Response`.
"""
