"""Every assumption about the API of buntime.sh: paths, field names, codes, bounds, stream events.

Imports `_http`, `_support`, `_validate`, errors and models. Nothing here sends a request.
"""
