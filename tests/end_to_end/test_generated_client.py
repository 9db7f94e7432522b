"""A client that a public generator makes from docs/openapi.json uses ``buntime serve``."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.openapi import PATH
from tests.support.serving import buntime_serve

pytestmark = [
    pytest.mark.one_python,
    pytest.mark.skipif(sys.version_info < (3, 11), reason="openapi-python-client needs Python 3.11"),
]

_PACKAGE = "generated_from_openapi"
_KEY = "btk_of_the_generated_client"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Generate the package and return a function that imports one of its modules."""
    folder = tmp_path_factory.mktemp("generated")
    configuration = folder / "configuration.json"
    configuration.write_text(json.dumps({"post_hooks": []}))
    subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "openapi_python_client",
                "generate",
                "--fail-on-warning",
                "--meta",
                "none",
            ),
            *("--path", PATH, "--output-path", folder / _PACKAGE, "--config", configuration),
        ],
        check=True,
        timeout=120,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield lambda name: importlib.import_module(f"{_PACKAGE}.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]:
        del sys.modules[name]


def test_a_generated_client(generated: Any) -> None:
    """Its sessions, executions and files arrive as objects with the fields of the description."""
    models = generated("models")

    def call(operation: str, *arguments: Any, **options: Any) -> Any:
        return generated(f"api.{operation}").sync(*arguments, client=client, **options)

    with (
        buntime_serve("--fake", "tests.support.served_fakes:sums", "--api-key", _KEY) as server,
        generated("client").AuthenticatedClient(base_url=server.url, token=_KEY) as client,
    ):
        metadata = models.CreateSessionMetadataType0.from_dict({"name": "é"})
        session = call("sessions.create_session", body=models.CreateSession(ttl=600, metadata=metadata))
        name = {"session_id": session.session_id}
        written = call("files.write_file", body=models.WriteFile(**name, path="a b/é.txt", content="é"))
        assert ("a b/é.txt", 2) == (written.path, written.size)
        listed = call("files.list_files", **name, path="a b")
        assert [("a b/é.txt", models.FileInfoType.FILE)] == [(file.path, file.type_) for file in listed.files]
        assert "é" == call("files.read_file", **name, path="a b/é.txt").content
        result = call("executions.execute", body=models.Execute(**name, code="console.log(1 + 1)"))
        assert ("2\n", "é\n", 0) == (result.stdout, result.stderr, result.exit_code)
        assert 0 == call("executions.kill", body=models.Kill(**name)).killed
        info = call("sessions.get_session", session.session_id)
        assert (1, {"name": "é"}) == (info.files_count, info.metadata.to_dict())
        assert call("sessions.delete_session", session.session_id).deleted
        error = call("sessions.get_session", session.session_id)
        assert (models.Error, "session_not_found") == (type(error), error.error.code)
