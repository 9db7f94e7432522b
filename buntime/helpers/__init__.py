"""Operations that the API does not have, each a Bun program sent as an execution.

Imports `calls/`, `wire/`, errors and models. The programs are in `programs/`.
"""
