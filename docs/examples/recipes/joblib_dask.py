"""Tasks of joblib and of Dask that call JavaScript in the sessions of a pool."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dask
from joblib import Parallel, delayed

from buntime import Buntime, Session, SessionPool

SCORE = "(text) => text.split(/\\s+/).filter(Boolean).length"


def score(session: Session, text: str) -> int:
    """Return the number of words."""
    return session.call(SCORE, text, idempotent=True)


def scores_with_joblib(
    client: Buntime, texts: Iterable[str], size: int = 4
) -> list[int]:
    """Return the scores, by threads of joblib."""
    with SessionPool(client, size=size) as pool, pool.executor() as executor:

        def task(text: str) -> int:
            return executor.submit(score, text.strip()).result()

        return Parallel(n_jobs=2 * size, prefer="threads")(
            delayed(task)(text) for text in texts
        )


def total_with_dask(client: Buntime, texts: Iterable[str], size: int = 4) -> Any:
    """Return the sum of the scores, as a graph of Dask."""
    with SessionPool(client, size=size) as pool, pool.executor() as executor:

        @dask.delayed
        def task(text: str) -> int:
            return executor.submit(score, text).result()

        total = dask.delayed(sum)([task(text) for text in texts])
        return total.compute(scheduler="threads", num_workers=2 * size)
