"""Several programs at a time, and one that is cancelled."""

from __future__ import annotations

import asyncio
import time

import pytest

from asyncio_run import run
from buntime import Buntime
from buntime.transport import FakeTransport, LocalTransport


def test_several_at_a_time() -> None:
    """Each has its own session."""
    fake = FakeTransport()
    fake.on_execute(lambda _: True, handler=lambda execution: execution.code or "")

    async def main() -> list[str]:
        with Buntime(transport=fake) as client:
            results = await asyncio.gather(
                *(run(client, code) for code in ("a", "b", "c"))
            )
        return [result.stdout for result in results]

    assert asyncio.run(main()) == ["a", "b", "c"]
    assert fake.sessions == {}


def test_cancelling_ends_the_program() -> None:
    """An endless program does not go on after the time limit of asyncio."""

    async def main() -> None:
        with Buntime(transport=LocalTransport()) as client:
            await asyncio.wait_for(
                run(client, "for (;;) await Bun.sleep(10)"), timeout=1
            )

    started = time.monotonic()
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(main())
    assert time.monotonic() - started < 25
