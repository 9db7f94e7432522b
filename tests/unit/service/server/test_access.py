"""The requests that a server accepts."""

from __future__ import annotations

import pytest

from buntime._http import Secret
from buntime.service.errors import ServiceError
from buntime.service.requests import MAX_BODY
from buntime.service.server.access import AccessControl, is_loopback
from tests.support.cases import in_one_test


def _error(access: AccessControl, method: str = "POST", **headers: str) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        access.check(method, headers)
    return caught.value


def test_without_a_key_any_authorization_is_accepted() -> None:
    """Clients require a key, but not a valid one."""
    AccessControl(loopback_only=True).check("POST", {"AUTHORIZATION": "Bearer anything"})


@pytest.mark.parametrize("header", ["Bearer right", "bearer right", "Bearer  right "])
def test_the_right_key_is_accepted(header: str) -> None:
    """The scheme in any case."""
    AccessControl(Secret("right")).check("POST", {"AUTHORIZATION": header})


@in_one_test("header", [None, "", "Bearer", "Bearer wrong", "Basic right", "right", "Bearer ö\ud800"])
def test_a_missing_or_wrong_key_is_rejected(header: str | None) -> None:
    """The response is a 401 with the scheme; the key appears nowhere."""
    access = AccessControl(Secret("right"))
    error = _error(access, **({} if header is None else {"AUTHORIZATION": header}))
    assert (401, "unauthorized") == (error.status, error.code)
    assert (("WWW-Authenticate", "Bearer"),) == error.headers
    assert "right" not in error.message
    assert "right" not in repr(access)


def test_the_size_of_a_body_is_checked_by_its_header() -> None:
    """No byte of it is read; a wrong key is reported first."""
    headers = {"CONTENT_LENGTH": str(MAX_BODY + 1)}
    assert "request_too_large" == _error(AccessControl(), **headers).code
    assert "unauthorized" == _error(AccessControl(Secret("right")), **headers).code
    AccessControl().check("POST", {"CONTENT_LENGTH": str(MAX_BODY)})


@in_one_test(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.0.2.1", False),
        ("localhost.example.invalid", False),
    ],
)
def test_loopback_addresses(host: str, expected: bool) -> None:
    """Only addresses that no other machine can reach."""
    assert expected == is_loopback(host)
