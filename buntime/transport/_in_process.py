"""The responses of a service in this process, with the errors of a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable, TypeVar

from buntime._http import Request, Response
from buntime.errors import APIConnectionError, APITimeoutError
from buntime.service.presigned import IN_PROCESS

T = TypeVar("T")


def send_in_process(
    handle: Callable[[Request], Response], request: Request, check: Callable[[], object] = lambda: None
) -> Response:
    """Return the response of a service, whose ``TimeoutError`` becomes an :class:`~buntime.APITimeoutError`.

    ``check`` is called before each part of the body. A request to another origin than this service's is an
    :class:`~buntime.APIConnectionError`.
    """
    if request.origin not in {None, IN_PROCESS}:
        raise APIConnectionError(f"this transport does not reach {request.origin}", phase="connect")

    def step(run: Callable[[], T]) -> T:
        try:
            return run()
        except TimeoutError as error:
            raise APITimeoutError(
                f"the service did not respond within {request.read_timeout:.1f} s", phase="read"
            ) from error

    response = step(lambda: handle(request))
    chunks = response.chunks

    def bounded() -> Iterator[bytes]:
        while True:
            check()
            chunk = step(lambda: next(chunks, None))
            if chunk is None:
                return
            yield chunk

    return Response(response.status, response.headers, bounded(), on_close=response.close)
