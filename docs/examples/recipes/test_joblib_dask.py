"""The scores, by a Python function in memory in place of the JavaScript one."""

from __future__ import annotations

import pytest
from tqdm import tqdm

from buntime import Buntime, JavaScriptError, SessionPool
from buntime.transport import FakeTransport
from joblib_dask import SCORE, score, scores_with_joblib, total_with_dask

TEXTS = [" a b ", "c", "", "d e f"] * 5


@pytest.fixture
def fake() -> FakeTransport:
    """Return a fake that counts words."""
    fake = FakeTransport()
    fake.on_call(SCORE, handler=lambda text: len(text.split()))
    return fake


def test_joblib_keeps_the_order(fake: FakeTransport) -> None:
    """Over two sessions."""
    with Buntime(transport=fake) as client:
        assert scores_with_joblib(client, TEXTS, size=2) == [2, 1, 0, 3] * 5
    created = [call for call in fake.calls if call.path == "/sessions/create"]
    assert 1 <= len(created) <= 2


def test_dask_computes_a_graph(fake: FakeTransport) -> None:
    """An error of a task is raised, and the sessions are deleted all the same."""
    with Buntime(transport=fake) as client:
        assert total_with_dask(client, TEXTS, size=2) == 30
        fake = FakeTransport()
        fake.on_call(SCORE, raises=JavaScriptError("no words"))
        with Buntime(transport=fake) as failing, pytest.raises(JavaScriptError):
            total_with_dask(failing, TEXTS, size=2)
    deleted = [call for call in fake.calls if call.method == "DELETE"]
    assert 1 <= len(deleted) <= 2


def test_a_bar_of_tqdm(fake: FakeTransport, capsys: pytest.CaptureFixture[str]) -> None:
    """The progress of a run of the pool."""
    with Buntime(transport=fake) as client, SessionPool(client, size=2) as pool:
        run = pool.map(score, TEXTS, progress=tqdm)
        assert sum(outcome.result() for outcome in run) == 30
    assert "20/20" in capsys.readouterr().err
