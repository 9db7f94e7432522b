"""Errors and values pass through real process pools."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys

import pytest

from tests.docs.markdown import ROOT
from tests.support.picklable_samples import VALUES, all_errors

_PROGRAM = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from tests.support.picklable_samples import VALUES, all_errors, fail, error_state, same, value_state

def raised(number):
    try:
        return pool.submit(fail, number).result(60)
    except Exception as error:
        return error

arrived = 0
with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(sys.argv[1])) as pool:
    for number, error in enumerate(all_errors()):
        received = raised(number)
        if error_state(error) != error_state(received):
            print(repr(error), "became", repr(received))
        if "a connection broke" not in str(received.__cause__):
            print(repr(error), "lost its cause:", received.__cause__)
        # If an error breaks the pool, the next task fails.
        arrived += pool.submit(same, 1).result(60)
    for value in VALUES:
        back = pool.submit(same, value).result(60)
        if value_state(value) != value_state(back):
            print(repr(value), "became", repr(back))
        arrived += 1
print(arrived, "arrived")
"""


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_everything_arrives_unchanged(method: str) -> None:
    """An error keeps its cause, its notes and its class, and the pool continues with the next task."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, method],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (f"{len(all_errors()) + len(VALUES)} arrived\n", 0) == (done.stdout, done.returncode), done.stderr
