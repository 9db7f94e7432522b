"""The checks of a change: ``nox`` runs the quick ones, ``.ci/run`` all but the audit and the benchmarks."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|venv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "quick"]

# The packages of the recipes are in the environment of their session, which also runs the notebook.
EXAMPLES = [
    *(str(path) for path in Path("docs/examples").glob("*.py")),
    "docs/examples/tested_project",
]
CODE = ("benchmarks", "buntime", *EXAMPLES, "noxfile.py", "tests")
# These tests use everything that the wheel could lack: modules, programs in JavaScript, commands.
PACKAGE_TESTS = (
    *(f"tests/unit/{name}" for name in ("cli", "client", "helpers", "service", "transport")),
    *("tests/unit/test_public_names.py", "tests/contract/test_files.py", "tests/contract/test_functions.py"),
)
PYTEST = ("python", "-m", "pytest", "-q", "-n", "3", "--dist", "loadfile")

FULL = {"HYPOTHESIS_PROFILE": "full"}
SAMPLED = ("tests/contract", "tests/faults", "tests/end_to_end/test_schemathesis.py")

OFFICIAL_PYTHON = ("1.5.1", "1.32.0", "3.0.0")
OFFICIAL_NODE = ("1.8.0", "1.32.0")


def group(name: str) -> list[str]:
    """Return the packages of a dependency group."""
    return [*nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), name)]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and the layers of imports."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy and pyright."""
    session.install("-e", ".[dev]", *group("types"))
    session.run("mypy", "--strict")
    session.run("pyright", *CODE)
    # An editable installation has no folder with this name.
    env = {"PYTHONPATH": str(Path.cwd())}
    session.run("pyright", "--verifytypes", "buntime", "--ignoreexternal", env=env)
    session.run("python", "-m", "pytest", "-q", "tests/typing")


@nox.session
def quick(session: nox.Session) -> None:
    """Run the unit and regression tests."""
    session.install("-e", ".[dev]")
    session.run(*PYTEST, *(session.posargs or ("tests/unit", "tests/regression")))


@nox.session(python="3.13")
def tests(session: nox.Session) -> None:
    """Run the tests on the newest Python, without those that one Python is enough for."""
    session.install("-e", ".[dev]")
    session.run(*PYTEST, "-m", "not one_python", *session.posargs)


@nox.session(python="3.9")
def oldest(session: nox.Session) -> None:
    """Run the same tests on the oldest Python with the oldest dependencies, and with more examples."""
    session.install("-c", ".ci/oldest.txt", "-e", ".[dev]")
    session.run(*PYTEST, "-m", "not one_python", *session.posargs, env=FULL)


@nox.session
def sampled(session: nox.Session) -> None:
    """Run the tests in full that try a sample by default and that one Python is enough for."""
    session.install("-e", ".[dev]")
    session.run(*PYTEST, "-m", "one_python", *SAMPLED, env=FULL)


@nox.session
def official(session: nox.Session) -> None:
    """Compare the official clients of Runloop with ours; ``-- quick`` installs one of each language."""
    session.install("-e", ".[local,serve]", "hypothesis", "pytest")
    quick = session.posargs == ["quick"]
    folder = Path(session.create_tmp()).resolve() / "clients"
    shutil.rmtree(folder, ignore_errors=True)
    for version in ("1.32.0",) if quick else OFFICIAL_PYTHON:
        target = str(folder / f"python-{version}")
        session.install("-q", "--target", target, f"runloop-api-client=={version}")
    install = (
        ("npm", "install", "--silent", "--no-audit", "--no-fund") if shutil.which("npm") else ("bun", "add")
    )
    for version in ("1.8.0",) if quick else OFFICIAL_NODE:
        target_folder = folder / f"node-{version}"
        target_folder.mkdir(parents=True)
        (target_folder / "package.json").write_text("{}")
        with session.chdir(target_folder):
            session.run(*install, f"@runloop/api-client@{version}", external=install[0] == "npm")
    session.run(
        "python", "-m", "pytest", "-q", "tests/runloop/official", env={"OFFICIAL_CLIENTS": str(folder)}
    )


@nox.session
def mcp(session: nox.Session) -> None:
    """Run the tests of the MCP server, with coverage: they need many packages that no other test needs."""
    session.install("-e", ".[local,mcp]", "coverage[toml]", "hypothesis", "pytest")
    top = Path.cwd()
    env = {"COVERAGE_PROCESS_START": str(top / "pyproject.toml"), "COVERAGE_FILE": str(top / ".coverage")}
    session.run("python", "-m", "pytest", "-q", *(session.posargs or ("tests/mcp",)), env=env)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests with branch coverage, which must reach the bound in ``pyproject.toml``."""
    session.install("-e", ".[dev]")
    session.run(*PYTEST, env={"COVERAGE_PROCESS_START": str(Path("pyproject.toml").absolute())})
    session.run("coverage", "combine", "-q")
    session.run("coverage", "report")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    session.install("-e", ".", *group("docs"))
    session.run("sphinx-build", "-E", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build/html")


@nox.session
def package(session: nox.Session) -> None:
    """Build the distributions, check their files, and run tests of the source distribution with the wheel."""
    session.install("build")
    folder = Path(session.create_tmp())
    shutil.rmtree(folder, ignore_errors=True)
    output = session.run("python", "-m", "build", "--outdir", str(folder), ".", silent=True)
    if "deprecat" in str(output).lower():
        session.error(f"the build uses something deprecated:\n{output}")
    (wheel,) = folder.glob("*.whl")
    check_files(session, set(zipfile.ZipFile(wheel).namelist()))
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        tree = folder / archive.getnames()[0]
        archive.extractall(folder)  # noqa: S202 - it was built above
    # Without the package beside them, the tests import the installed one.
    shutil.rmtree(tree / "buntime")
    session.install(f"{wheel}[dev]")
    session.install("--force-reinstall", "--no-deps", str(wheel))  # its version may be installed already
    session.chdir(tree)
    # The paths of sockets must be short, unlike that of the session's folder.
    session.run(*PYTEST, *(session.posargs or PACKAGE_TESTS), env={"TMPDIR": tempfile.gettempdir()})


def check_files(session: nox.Session, wheel: set[str]) -> None:
    """Check that a wheel has every file of the package, a description, and nothing else."""
    suffixes = {".css", ".js", ".json", ".py", ".typed"}
    package = {path.as_posix() for path in Path("buntime").rglob("*") if path.suffix in suffixes}
    names = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt")
    (description,) = {name.partition("/")[0] for name in wheel if ".dist-info/" in name}
    expected = package | {f"{description}/{name}" for name in names}
    if wheel != expected:
        session.error(f"missing: {sorted(expected - wheel)}; not of the package: {sorted(wheel - expected)}")


@nox.session
def audit(session: nox.Session) -> None:
    """Look up known vulnerabilities of what users install; needs the network."""
    session.install("-e", ".[local,serve]", "pip-audit")
    session.run("pip-audit", "--local", "--skip-editable", *session.posargs)


@nox.session
def recipes(session: nox.Session) -> None:
    """Test the recipes of the documentation with the packages that they are about."""
    session.install("-e", ".[local,serve]", *group("recipes"))
    session.run(*PYTEST[:4], "docs/examples/recipes")


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks: ``nox -s bench -- calls --quick``."""
    session.install("-e", ".[local,serve]", *group("bench"))
    session.run("python", "-m", "benchmarks", *session.posargs)
