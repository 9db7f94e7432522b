"""A page that shows a cassette in a browser. Imports the cassette, and nothing of the client."""

from buntime.cassette_view.page import render_page

__all__ = ["render_page"]
