"""Sessions for asyncio: a thread for each call, and cancelling ends the program."""

from __future__ import annotations

import asyncio
import contextlib

from buntime import Buntime, ExecuteResult, SessionNotFoundError


async def run(client: Buntime, code: str) -> ExecuteResult:
    """Run code in a session of its own.

    A thread cannot be cancelled. Deleting the session ends the program in it, and
    with it the thread's call.
    """
    session = await asyncio.to_thread(client.sessions.create, ttl=300)
    call = asyncio.ensure_future(asyncio.to_thread(session.execute, code))
    try:
        return await asyncio.shield(call)
    finally:
        await asyncio.to_thread(session.delete)
        with contextlib.suppress(SessionNotFoundError):
            await call
