"""The values that the service returns, by resource."""

from buntime._support.export import export
from buntime.runloop.wire.views import devboxes, images, scoring, storage
from buntime.runloop.wire.views.base import KINDS, View

__all__ = ["KINDS", "View", "devboxes", "images", "scoring", "storage"]

export("buntime.runloop", *KINDS.values())
