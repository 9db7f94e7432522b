"""HTTP by requests: one request out, one response in, every wait bounded.

May import the ground (``buntime._http``, ``buntime._support``, ``buntime.errors``), requests and urllib3.
"""

from buntime.transport.http.transport import HTTPTransport

__all__ = ["HTTPTransport"]
