"""A Ctrl-C while the first preview's modules were imported left the processes of its session running."""

from __future__ import annotations

from pathlib import Path

import pytest

from buntime.service.executors import Limits
from buntime.service.machine.executor import BunRuntime
from buntime.service.machine.launch import Unprotected
from buntime.service.machine.previews import Previews


def _interrupted() -> Previews:
    raise KeyboardInterrupt


def test_a_session_ends_after_an_interrupted_start_of_its_preview(tmp_path: Path) -> None:
    """Closing it needs nothing that the Ctrl-C prevented: a second import of asyncio would fail."""
    runtime = BunRuntime(Unprotected("bun"), tmp_path, Limits(), 60.0, _interrupted)
    with pytest.raises(KeyboardInterrupt):
        runtime.serve()
    runtime.close()
    assert -1 == runtime._preview.fileno()
