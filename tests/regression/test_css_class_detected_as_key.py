"""CSS class names and certificates were detected as API keys, and the fixtures had no way to allow them."""

from __future__ import annotations

from pathlib import Path

import pytest

from buntime import Buntime, CassetteError
from buntime.testing import modes
from tests.support.cassettes import fake, record, replay
from tests.unit.pytest_plugin.conftest import run_tests

pytest_plugins = ["pytester"]

HARMLESS = [
    '<div class="sk-fading-circle-wrapper"></div>',
    '<div class="sk-circle12 sk-folding-cube-2-of-16-children-in-a-row"></div>',
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "-----BEGIN RSA PUBLIC KEY-----",
    "pypi-publish-this-package-to-the-index-of-tests",
    "hf_hub_download_of_all_the_files_in_a_repository",
    "glpat-is-how-a-token-of-gitlab-begins",
    "xoxb-is-how-a-token-begins",
]
KEYS = [
    "sk-" + "proj-" + "aB3-dE5_" * 8 + "T3BlbkFJ" + "q9Z" * 10,
    "sk-" + "ant-api03-" + "Ab1Cd2Ef3Gh4" * 7 + "-AA",
    "sk-" + "svcacct-" + "Ab1Cd2Ef3Gh4" * 4,
    "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
    "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----",
    "pypi-" + "AgEIcHlwaS5vcmc" + "CJDE" * 10,
    "glpat-" + "a1B2c3D4e5" * 2,
    "xoxb-" + "123456789012-123456789012-abcdefABCDEF",
]


def _program(client: Buntime) -> str:
    return client.sessions.create().execute("1").stdout


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_is_recorded(text: str, tmp_path: Path) -> None:
    """Text that begins like a key but is not one is recorded."""
    record(tmp_path / "x.json", _program, fake(stdout=text))
    assert text == replay(tmp_path / "x.json", _program)


@pytest.mark.parametrize("key", KEYS)
def test_key_is_blocked(key: str, tmp_path: Path) -> None:
    """Keys in the formats that services issue today are blocked."""
    with pytest.raises(CassetteError, match="blocked: interaction 2, POST /execute '1', holds"):
        record(tmp_path / "x.json", _program, fake(stdout=f"key={key}\n"))


SOURCE = """
import pytest

KEY = "sk-" + "a1" * 12

{mark}
def test_hello(buntime_session):
    assert f"{{KEY}}\\n" == buntime_session.execute(f"console.log({{KEY!r}})").stdout
"""
BY_MARKER = "@pytest.mark.buntime(allow={!r})"
BEGINNING = "sk-" + "a1a1"


@pytest.mark.parametrize(
    ("mark", "option"),
    [
        (BY_MARKER.format([BEGINNING]), ()),
        (BY_MARKER.format(BEGINNING), ()),
        ("", ("-o", f"buntime_allow={BEGINNING}")),
    ],
    ids=["list", "text", "configuration"],
)
def test_false_alarm_can_be_allowed(
    mark: str, option: tuple[str, ...], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The marker and the configuration file both accept ``allow``."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(modes, "make_transport", lambda *_: fake(stdout=f"sk-{'a1' * 12}\n"))
    pytester.makepyfile(SOURCE.format(mark=mark))
    run_tests(pytester, "--buntime-mode=record", *option).assert_outcomes(passed=1)
    run_tests(pytester, *option).assert_outcomes(passed=1)


def test_hint_names_the_marker_argument(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``allow``, the test's error explains how to use it."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(modes, "make_transport", lambda *_: fake(stdout=f"sk-{'a1' * 12}\n"))
    pytester.makepyfile(SOURCE.format(mark=""))
    result = run_tests(pytester, "--buntime-mode=record")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*an OpenAI or Anthropic key*allow=*"])
