"""The suites that `flask_suites` runs, and how their tests and what they need are fetched."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from .flask_outcomes import Suite
from .flask_plugin import UNDER_TEST

ROOT = Path(__file__).parents[2]
FLASK_LOGIN = Suite(
    name="Flask-Login 0.6.3",
    project="flask-login",
    version="0.6.3",
    sha256="5e23d14a607ef12806c699590b89d0f0e0d67baeec599d75947bf9c147330333",
    least=110,
    # Flask-Login calls it, and Python 3.12 and newer warn: 14 of its tests would fail.
    options=("-W", "ignore:datetime.datetime.utcnow:DeprecationWarning"),
)
FLASK_SECURITY = Suite(
    name="Flask-Security 5.9.2",
    project="flask-security",
    version="5.9.2",
    sha256="215b1f978c203c646cfa87667e4a193b63aaf51a18403c49eccc9ff1b1bfad8f",
    least=950,
    # Two and a half minutes for each run: too long for a third one.
    modes=("off", "batch"),
    least_python=(3, 11),
)
FLASK_SECURITY_BASICS = replace(
    FLASK_SECURITY,
    name="its test_basic.py",
    tests=("tests/test_basic.py",),  # which counts the statements of a request
    least=120,
    modes=("off", "sync"),
)
HTTPBIN = Suite(
    name="httpbin 0.10.4",
    project="httpbin",
    version="0.10.4",
    sha256="6023a5a2e8fb8e91abdd6d34d1f1f455092f97d567c25600e1b48ee1178aa738",
    least=70,
)
OVERRIDES = "greenlet>=3.0\n"
"""httpbin wants an older one, for a server that its tests do not start; Flask's tests want this."""


class ConformanceError(Exception):
    """The suites cannot be run."""


def list_suites() -> list[Suite]:
    """List all suites, those of Flask in the version that is installed here, the longest first."""
    # The hash of Flask's sdist is compared by pip with what the index says, as its version varies.
    flask = version("flask")
    return [
        FLASK_SECURITY,
        FLASK_SECURITY_BASICS,
        Suite(name=f"Flask {flask}", project="flask", version=flask, least=480),
        HTTPBIN,
        FLASK_LOGIN,
        Suite(
            name="Flask's tutorial app",
            project="flask",
            version=flask,
            below="examples/tutorial",
            least=24,
        ),
    ]


def fetch_suites(suites: Iterable[Suite], folder: Path) -> dict[Suite, Path]:
    """Download the sdists and unpack them in `folder`.

    Returns:
        Where the tests of each suite are run.

    Raises:
        ConformanceError: an sdist cannot be had, or is not what it should be.
    """
    unpacked: dict[str, Path] = {}
    for suite in suites:
        if suite.project not in unpacked:
            unpacked[suite.project] = fetch_sdist(suite, folder)
    return {suite: unpacked[suite.project] / suite.below for suite in suites}


def fetch_sdist(suite: Suite, folder: Path) -> Path:
    """Download one sdist, which pip compares with the hash that the index gives, and unpack it."""
    target = folder / suite.project
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
    pip += ["--no-deps", "--no-binary", suite.project, "--dest", str(target)]
    run_tool([*pip, suite.requirement])
    (archive,) = target.iterdir()
    if suite.sha256 and hashlib.sha256(archive.read_bytes()).hexdigest() != suite.sha256:
        raise ConformanceError(f"{archive.name} is not the file whose hash is known.")
    return unpack(archive, suite.version)


def unpack(archive: Path, wanted: str) -> Path:
    """Unpack an sdist beside itself, and make sure that it is of the `wanted` version."""
    with tarfile.open(archive) as sdist:
        sdist.extractall(archive.parent, filter="data")  # noqa: S202 - the filter keeps it inside
    (folder,) = (path for path in archive.parent.iterdir() if path.is_dir())
    if f"Version: {wanted}" not in (folder / "PKG-INFO").read_text().splitlines():
        raise ConformanceError(f"{archive.name} is not of version {wanted}.")
    return folder


def make_environment(suites: Iterable[Suite], folder: Path) -> str:
    """Make an environment with what the suites want, and with the versions that are installed here.

    It is one of its own because the suites want an older pytest.

    Returns:
        The path of its interpreter.
    """
    uv = [sys.executable, "-m", "uv", "--quiet", "--no-python-downloads"]
    python = str(folder / "bin" / "python")
    run_tool([*uv, "venv", "--python", sys.executable, str(folder)])
    constraints, overrides = folder / "constraints.txt", folder / "overrides.txt"
    constraints.write_text("".join(f"{name}=={version(name)}\n" for name in UNDER_TEST))
    overrides.write_text(OVERRIDES)
    wanted = ["-r", "pyproject.toml", "--extra", "conformance-flask"]
    wanted += ["--constraint", str(constraints), "--override", str(overrides)]
    projects = sorted({suite.requirement for suite in suites})
    run_tool([*uv, "pip", "install", "--python", python, *wanted, *projects])
    return python


def run_tool(command: list[str]) -> None:
    """Run `command` in the root of this repository.

    Raises:
        ConformanceError: it failed; says with which output.
    """
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConformanceError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
