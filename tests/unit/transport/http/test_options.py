"""Options, closing and copying of HTTPTransport, and the errors for invalid options."""

from __future__ import annotations

import pickle
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from buntime.errors import ConfigurationError
from buntime.transport import HTTPTransport, Request, Transport
from tests.support.cases import in_one_test

URL = "https://api.buntime.sh"


def test_is_a_transport() -> None:
    """It satisfies the interface, by default for the live service."""
    with closing(HTTPTransport()) as transport:
        assert isinstance(transport, Transport)
        assert repr(transport) == "HTTPTransport('https://api.buntime.sh')"


def test_requests_is_imported_on_use() -> None:
    """Importing buntime and its transports does not import requests."""
    code = "import sys, buntime, buntime.transport; sys.exit('requests' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@in_one_test(
    ("base_url", "reason"),
    [
        ("", "does not start with http"),
        ("api.buntime.sh", "does not start with http"),
        ("ftp://api.buntime.sh", "does not start with http"),
        ("https://", "names no host"),
        ("https:///path", "names no host"),
        ("https://api.buntime.sh?a=1", "a query or a fragment"),
        ("https://api.buntime.sh/#top", "a query or a fragment"),
        ("https://api.buntime.sh:port", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("https://api.buntime.sh/a b", "white space"),
        ("https://api.buntime.sh\n", "white space"),
        ("https://*.buntime.sh", "is not a URL"),
    ],
)
def test_invalid_base_url(base_url: str, reason: str) -> None:
    """The error names an invalid base URL and the reason when the transport is created."""
    with pytest.raises(ConfigurationError) as caught:
        HTTPTransport(base_url)

    assert repr(base_url) in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "base_url", ["https://me:hunter2@api.buntime.sh", "https://me:hun@ter2@api.buntime.sh", "me:hunter2@host"]
)
def test_base_url_with_password(base_url: str) -> None:
    """A password in the base URL is rejected and not shown."""
    with pytest.raises(ConfigurationError) as caught:
        HTTPTransport(base_url)

    assert "ter2" not in str(caught.value)


@in_one_test(
    ("options", "error"),
    [
        ({"base_url": b"https://api.buntime.sh"}, TypeError),
        ({"session": "a session"}, TypeError),
        ({"pool_maxsize": 0}, ValueError),
        ({"verify": "/no/such/bundle.pem"}, ConfigurationError),
        ({"cert": ("/no/such.pem", "/no/such.key")}, ConfigurationError),
        ({"proxies": {"https": "http://me:hunter2@:port"}}, ConfigurationError),
    ],
)
def test_invalid_options(options: dict[str, Any], error: type[Exception]) -> None:
    """An option that cannot work is rejected when the transport is created, and no password is shown."""
    with pytest.raises(error) as caught:
        HTTPTransport(**options)

    assert "hunter2" not in str(caught.value)


def test_missing_bundle_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing CA bundle from the environment is reported immediately."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")

    with pytest.raises(ConfigurationError, match=r"no CA bundle at '/no/such/bundle.pem'"):
        HTTPTransport()


def test_session_that_retries_is_rejected() -> None:
    """Retries below the retry table could run an execution twice."""
    with requests.Session() as session:
        session.mount("https://", HTTPAdapter(max_retries=3))

        with pytest.raises(ConfigurationError, match=r"session\.mount\('https://api\.buntime\.sh', HTTPA"):
            HTTPTransport(URL, session=session)

        session.mount(URL, HTTPAdapter())
        HTTPTransport(URL, session=session).close()


class _Closing(requests.Session):
    closed = False

    def close(self) -> None:
        self.closed = True
        super().close()


def test_close() -> None:
    """A closed transport sends nothing; closing twice has no further effect; your session stays open."""
    session = _Closing()
    transport = HTTPTransport(URL, session=session)

    transport.close()
    transport.close()

    with pytest.raises(RuntimeError, match="the transport is closed"):
        transport.send(Request("GET", "/"))
    assert not session.closed
    session.close()


def test_pickles(tmp_path: Path) -> None:
    """A transport created from options is restored from them."""
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    original = HTTPTransport(f"{URL}/v1", proxies={}, verify=str(bundle), pool_maxsize=2)

    with closing(original), closing(pickle.loads(pickle.dumps(original))) as copy:
        assert repr(original) == repr(copy)
        assert vars(original)["_arguments"] == vars(copy)["_arguments"]


def test_does_not_pickle_with_a_session() -> None:
    """Your session belongs to this process, and the error explains it."""
    session = requests.Session()

    with closing(session), pytest.raises(TypeError, match="made with session= does not pickle"):
        pickle.dumps(HTTPTransport(URL, session=session))
