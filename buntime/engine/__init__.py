"""One call of any service: deadline, attempts, retries, redaction.

Imports `_http`, `_support` and errors. It knows no service: `ServiceAdapter` decodes the errors for it.
"""
