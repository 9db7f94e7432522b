"""The scores, by a Python function in memory in place of the JavaScript one."""

from __future__ import annotations

import pandas as pd

from buntime import Buntime
from buntime.transport import FakeTransport
from pandas_rows import add_scores


def test_a_failed_row_keeps_its_error() -> None:
    """The others have a score."""

    def score(row: dict[str, float]) -> float:
        if row["visits"] < 0:
            raise ValueError("visits")
        return row["visits"] * row["rate"]

    fake = FakeTransport()
    fake.on_call(lambda _: True, handler=score)
    frame = pd.DataFrame({"visits": [10, -1, 4], "rate": [0.5, 1.0, 0.25]})
    with Buntime(transport=fake) as client:
        scored = add_scores(client, frame, size=2)
    assert scored["score"].dropna().tolist() == [5.0, 1.0]
    assert [error is None for error in scored["error"]] == [True, False, True]


def test_a_file_of_a_session_is_read_by_its_url() -> None:
    """With the extra ``fsspec``; the client is an option of the file system."""
    with Buntime(transport=FakeTransport()) as client:
        session = client.sessions.create()
        url = f"buntime://{session.id}/data.csv"
        session.files.write("data.csv", "visits,rate\n10,0.5\n")
        frame = pd.read_csv(url, storage_options={"client": client})
        frame.to_csv(url, index=False, storage_options={"client": client})
        assert session.files.read("data.csv") == "visits,rate\n10,0.5\n"
