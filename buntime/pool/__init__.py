"""Session pools: many items over a few sessions.

Imports `client/`, `engine/` and what is below them. Public names are those of `buntime`.
"""

from buntime.pool.outcome import Outcome
from buntime.pool.pool import SessionPool

__all__ = ["Outcome", "SessionPool"]
