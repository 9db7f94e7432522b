"""The configuration of Sphinx."""

from __future__ import annotations

from sphinx.application import Sphinx

from buntime import __version__

project = "buntime"
author = "The buntime authors"
copyright = author  # noqa: A001 - the name is Sphinx's
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "examples"]

autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"buntime {release}"

nitpicky = True
# What is not ours is documented elsewhere, and a build reads nothing from the network.
nitpick_ignore_regex = [
    ("py:.*", r"(collections|datetime|os|pathlib|re|requests|types|typing)\..*"),
    # Unions of plain types, which the text beside them spells out, and what only our own code constructs.
    ("py:class", r"Chunk|Code|Content|FilesArgument|Handler|OnText|PathArgument|Progress"),
    ("py:class", r"buntime\.(helpers|service)\..*"),
    # Type variables.
    ("py:class", r"buntime\.pool\.pool\.(Item|Value)"),
]

_MADE_BY_THE_CLIENT = {
    "buntime.ExecuteStream",
    "buntime.Process",
    "buntime.Session",
    "buntime.Files",
    "buntime.SessionFiles",
    "buntime.Sessions",
}


def setup(app: Sphinx) -> None:
    """Show no constructor of what nobody constructs."""
    app.connect("autodoc-process-signature", _without_constructor)


def _without_constructor(_app: Sphinx, _what: str, name: str, *_: object) -> tuple[str, str] | None:
    return ("", "") if name in _MADE_BY_THE_CLIENT else None
