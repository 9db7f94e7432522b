"""The configuration of Sphinx."""

from __future__ import annotations

from sphinx.application import Sphinx

from buntime import __version__, errors, runloop, testing, transport

project = "buntime"
author = "The buntime authors"
copyright = author  # noqa: A001 - the name is Sphinx's
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
myst_heading_anchors = 3
exclude_patterns = ["_build", "examples"]

autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

html_extra_path = ["llms.txt"]
html_theme = "furo"
html_title = f"buntime {release}"

nitpicky = True
# What is not ours is documented elsewhere, and a build reads nothing from the network.
nitpick_ignore_regex = [
    ("py:.*", r"(collections|concurrent|datetime|os|pathlib|re|requests|tarfile|types|typing)\..*"),
    # Unions of plain types, which the text beside them explains, and arguments that only our own code passes.
    ("py:class", r"(buntime\.models\.)?(CallbackOptions|WatchOptions)"),
    ("py:class", r"AnyPath|Chunk|Code|Content|FilesArgument|Handler|OnText|PathArgument|Progress"),
    ("py:class", r"buntime\.(client|helpers|service)\..*"),
    # Type variables, and the class of an executor, whose methods are those of ``concurrent.futures``.
    ("py:class", r"buntime\.(pool\.\w+\.(Item|Value|SessionExecutor)|runloop\.\w+\.([A-Z]|Self|Resource))"),
]

# The public names of classes are set when they are imported from their package.
for _package in (testing, transport):
    for _name in _package.__all__:
        getattr(_package, _name)

# autodoc reads the descriptions of attributes in the source of a class's module.
for _value in vars(errors).values():
    if isinstance(_value, type) and issubclass(_value, errors.BuntimeError):
        _value.__module__ = errors.__name__
errors.BuntimeError.__module__ = "buntime._error"
runloop.RunloopSDK.__module__ = "buntime.runloop.sdk"

_MADE_BY_THE_CLIENT = {
    "buntime.ExecuteStream",
    "buntime.Process",
    "buntime.Session",
    "buntime.Files",
    "buntime.SessionFiles",
    "buntime.Sessions",
    *(
        f"buntime.runloop.{name}"
        for name in runloop.__all__
        if name not in {"Runloop", "RunloopSDK", "NamedFile", "to_file"}
        and not name.endswith(("Options", "View"))
    ),
}


def setup(app: Sphinx) -> None:
    """Show no constructor of the classes that only a client creates."""
    app.connect("autodoc-process-signature", _without_constructor)


def _without_constructor(_app: Sphinx, _what: str, name: str, *_: object) -> tuple[str, str] | None:
    return ("", "") if name in _MADE_BY_THE_CLIENT else None
