"""The values that the service returns, by resource."""

from buntime._support.export import export
from buntime.runloop.wire.views import devboxes, images
from buntime.runloop.wire.views.base import KINDS, View

__all__ = ["KINDS", "View", "devboxes", "images"]

export("buntime.runloop", *KINDS.values())
