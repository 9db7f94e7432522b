"""The model of buntime.sh: sessions, plans, limits, rates, idempotency.

Imports `_http`, `_support` and the rest of `service/` except `machine/` and `server/`. It shares no code with
the client, so that two readings of the contract check each other.
"""
