"""The cassette: its file, how requests are matched, what is redacted.

Imports `_http`, `_support`, errors and a service's `wire/` for its dialect. The transports that record and
replay are in `transport/`.
"""
