"""Run JavaScript and TypeScript in isolated Bun sessions, from blocking Python code."""

from buntime._version import __version__

__all__ = ["__version__"]
