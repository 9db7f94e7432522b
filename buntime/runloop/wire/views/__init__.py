"""The values that the service returns, by resource."""

from buntime.runloop.wire.views import devboxes, scoring
from buntime.runloop.wire.views.base import KINDS, View

__all__ = ["KINDS", "View", "devboxes", "scoring"]
