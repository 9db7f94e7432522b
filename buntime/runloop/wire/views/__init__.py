"""The values that the service returns, by resource."""

from buntime._support.export import export
from buntime.runloop.wire.views import devboxes, scoring
from buntime.runloop.wire.views.base import KINDS, View

__all__ = ["KINDS", "View", "devboxes", "scoring"]

export("buntime.runloop", *KINDS.values())
