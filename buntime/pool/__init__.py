"""Session pools: many items over a few sessions. Imports `client/`, `engine/` and below; no face."""

from buntime.pool.pool import Outcome, SessionPool

__all__ = ["Outcome", "SessionPool"]
