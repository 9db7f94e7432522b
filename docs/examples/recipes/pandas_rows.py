"""A JavaScript function for each row of a data frame, with an error for each."""

from __future__ import annotations

import pandas as pd

from buntime import Buntime, SessionPool

SCORE = """row => {
    if (row.visits < 0) throw new RangeError("visits")
    return row.visits * row.rate
}"""


def add_scores(client: Buntime, frame: pd.DataFrame, size: int = 4) -> pd.DataFrame:
    """Return the frame with the columns ``score`` and ``error``."""
    rows = frame.to_dict("records")
    with SessionPool(client, size=size) as pool:
        outcomes = list(pool.map(lambda session, row: session.call(SCORE, row), rows))
    errors = [None if outcome.ok else str(outcome.error) for outcome in outcomes]
    return frame.assign(
        score=[outcome.value if outcome.ok else None for outcome in outcomes],
        error=pd.Series(errors, index=frame.index, dtype=object),
    )
