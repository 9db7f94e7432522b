"""Operations that the API does not have, each a Bun program sent as an execution.

Imports `calls/`, `engine/`, `wire/`, errors and models. The programs are in `programs/`.
"""
