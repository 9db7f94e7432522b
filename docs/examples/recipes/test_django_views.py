"""The view, with a scripted function in memory."""

from __future__ import annotations

import django
import pytest
from django.conf import settings
from django.test import Client

from buntime import Buntime
from buntime.transport import FakeTransport

settings.configure(ROOT_URLCONF="django_views", ALLOWED_HOSTS=["*"])
django.setup()


def test_a_formula_has_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake runs a Python function in place of the JavaScript one."""
    import django_views

    fake = FakeTransport()
    fake.on_call(lambda _: True, handler=lambda _formula, row: row["a"] * 2)
    monkeypatch.setattr(django_views, "get_client", lambda: Buntime(transport=fake))
    body = {"formula": "row.a * 2", "row": {"a": 21}}
    response = Client().post("/evaluate", body, content_type="application/json")
    assert response.json() == {"value": 42}
