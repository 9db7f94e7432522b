"""Every assumption about the API of Runloop: routes, fields, views, errors, stream events.

Imports `_http`, errors, and the general readers of `buntime.wire`.
"""
