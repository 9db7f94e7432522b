"""A FastAPI application: plain functions run in its threads, and share one client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from buntime import Buntime


class Program(BaseModel):
    """What a user sends."""

    code: str


def create_app(client: Buntime | None = None) -> FastAPI:
    """Return the application, which closes the client at its end."""
    client = client or Buntime()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.client = client
        yield
        client.close()

    app = FastAPI(lifespan=lifespan)

    @app.post("/run")
    def run(program: Program, request: Request) -> StreamingResponse:
        return StreamingResponse(
            output(request.app.state.client, program.code), media_type="text/plain"
        )

    return app


def output(client: Buntime, code: str) -> Iterator[str]:
    """Yield the output as it arrives; FastAPI iterates over it in a thread."""
    with (
        client.sessions.create(ttl=300) as session,
        session.stream(code, timeout=10) as stream,
    ):
        for event in stream:
            yield event.text
