"""With a locale other than UTF-8, programs in the session saw another file name, or no file."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

NAMES = """
import sys
from buntime import Buntime, SessionFileNotFoundError
from buntime.transport import LocalTransport
assert sys.getfilesystemencoding() != "utf-8"
client = Buntime(transport=LocalTransport(isolation="none"), max_retries=0)
with client, client.sessions.create() as session:
    for name in ("\\u00fc.txt", "\\u65e5/\\u672c.txt", "plain.txt"):
        session.files.write(name, name)
        assert session.files.read(name) == name
        folder = name.rpartition("/")[0]
        assert name in [entry.path for entry in session.files.list(folder)], ascii(session.files.list(folder))
        code = "console.log(await Bun.file(process.env.NAME).text() === process.env.NAME)"
        assert session.execute(code, env={"NAME": name}).stdout == "true\\n"
        code = "await Bun.write(process.env.NAME, 'x')"
        assert session.execute(code, env={"NAME": name}).files_written == (name,)
    session.execute(command="ln -s \\u00fc.txt link")
    assert [entry.path for entry in session.files.list()] == ["link", "plain.txt", "\\u00fc.txt", "\\u65e5"]
    try:
        session.files.read("\\u00e4.txt")
    except SessionFileNotFoundError as error:
        assert "\\u00e4.txt" in str(error), ascii(str(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the encoding of names is the locale's on Linux")
def test_file_names_match_those_in_the_session() -> None:
    """File names are UTF-8, whatever the locale."""
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True, check=False, env=env)

    assert "" == done.stderr
