"""Run the tests of Flask, of Flask-Login and of Flask's tutorial app with tracking off and on.

``python -m tests.conformance.flask_suites``, which is ``make conformance-flask``. The tests come in the
sdists of the package index: of the Flask that is installed here, and of the Flask-Login named below.
They run in an environment of their own, which has the same Flask and what it stands on, and which is
removed afterwards. The same tests must pass with tracking on as off.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import textwrap
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from .flask_harms import HARMS
from .flask_outcomes import KNOWN_DIFFERENCES, Run, Suite, find_problems, make_table
from .flask_plugin import MODES

ROOT = Path(__file__).parents[2]
FLASK_LOGIN = "0.6.3"
FLASK_LOGIN_SHA256 = "5e23d14a607ef12806c699590b89d0f0e0d67baeec599d75947bf9c147330333"
"""Of its sdist. That of Flask is compared by pip with what the index says, as its version varies."""
UNDER_TEST = (
    *("flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "click", "blinker"),
    *("mongoengine", "pymongo", "ua-parser"),
)
"""What is to have the same version in the environment of the tests as here."""
TIMEOUT_S = 300
"""For one run of one suite; they take about three seconds."""
AT_A_TIME = 2
"""How many runs are made side by side; each has a process and a temporary folder of its own."""
FOREIGN_SETTINGS = ("COVERAGE", "FLASK", "PYTEST", "PYTHON", "TRACKING", "WERKZEUG")
"""Environment variables that begin so are ours or the user's, and unknown to the suites."""


class ConformanceError(Exception):
    """The suites cannot be run."""


def main(arguments: list[str] | None = None) -> int:
    """Run all suites in all modes and print what they came to; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--harm", choices=sorted(HARMS), help="plant a harm where tracking is on: must fail"
    )
    harm: str | None = parser.parse_args(arguments).harm
    try:
        with tempfile.TemporaryDirectory(prefix="flask-suites-") as temporary:
            results = run_everything(Path(temporary), harm)
    except ConformanceError as error:
        print(error)
        return 1
    return show(results)


def run_everything(folder: Path, harm: str | None) -> dict[Suite, dict[str, Run]]:
    """Prepare in `folder`, and run each suite in each mode there."""
    print("Fetching the tests of Flask and Flask-Login, and what they want ...", flush=True)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        made = pool.submit(make_environment, folder / "venv")
        suites = fetch_suites(folder / "sdists")
        python = made.result()
        print(f"Running the tests of {', '.join(suite.name for suite in suites)} ...", flush=True)
        runs = {
            (suite, mode): pool.submit(run_suite, python, suite, mode, harm)
            for suite in suites
            for mode in MODES
        }
        return {suite: {mode: runs[suite, mode].result() for mode in MODES} for suite in suites}


def show(results: dict[Suite, dict[str, Run]]) -> int:
    """Print the counts and what is wrong; return the exit status."""
    print(f"\n{make_table(results)}\n")
    versions = {
        name: number for runs in results.values() for name, number in runs["off"].versions.items()
    }
    print("With " + ", ".join(f"{name} {number}" for name, number in versions.items()) + ".")
    problems = [problem for suite, runs in results.items() for problem in find_problems(suite, runs)]
    if problems:
        print("\n".join(problems), f"\n{len(problems)} problems.", sep="\n")
        return 1
    print("The same tests pass with tracking on as off, except these, which pass off:")
    for test, reason in KNOWN_DIFFERENCES.items():
        print(f"  {test}", textwrap.indent(textwrap.fill(reason, 100), "    "), sep="\n")
    failing = [test for runs in results.values() for test in runs["off"].reasons]
    if failing:
        print("These fail off as well as on:", *failing, sep="\n  ")
    return 0


def fetch_suites(folder: Path) -> list[Suite]:
    """Download the sdists and unpack them in `folder`.

    Raises:
        ConformanceError: one cannot be had, or is not what it should be.
    """
    flask = version("flask")
    flask_folder = fetch_sdist("flask", flask, folder)
    login_folder = fetch_sdist("flask-login", FLASK_LOGIN, folder, FLASK_LOGIN_SHA256)
    tutorial_folder = flask_folder / "examples" / "tutorial"
    return [
        Suite(f"Flask {flask}", flask_folder, "flask", flask, 480),
        Suite(f"Flask-Login {FLASK_LOGIN}", login_folder, "flask-login", FLASK_LOGIN, 110),
        Suite("Flask's tutorial app", tutorial_folder, "flask", flask, 24),
    ]


def fetch_sdist(project: str, wanted: str, folder: Path, sha256: str | None = None) -> Path:
    """Download one sdist, which pip compares with the hash that the index gives, and unpack it."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "download",
        "--no-deps",
    ]
    run_tool([*pip, "--no-binary", project, "--dest", str(folder / project), f"{project}=={wanted}"])
    (archive,) = (folder / project).iterdir()
    if sha256 and hashlib.sha256(archive.read_bytes()).hexdigest() != sha256:
        raise ConformanceError(f"{archive.name} is not the file whose hash is known.")
    return unpack(archive, wanted)


def unpack(archive: Path, wanted: str) -> Path:
    """Unpack an sdist beside itself, and make sure that it has tests and is of the `wanted` version."""
    with tarfile.open(archive) as sdist:
        sdist.extractall(archive.parent, filter="data")  # noqa: S202 - the filter keeps it inside
    (folder,) = (path for path in archive.parent.iterdir() if path.is_dir())
    if f"Version: {wanted}" not in (folder / "PKG-INFO").read_text().splitlines():
        raise ConformanceError(f"{archive.name} is not of version {wanted}.")
    return folder


def make_environment(folder: Path) -> str:
    """Make an environment with what the suites want, and with the versions that are installed here.

    It is one of its own because the suites want an older pytest.

    Returns:
        The path of its interpreter.
    """
    uv = [sys.executable, "-m", "uv", "--quiet", "--no-python-downloads"]
    python = str(folder / "bin" / "python")
    run_tool([*uv, "venv", "--python", sys.executable, str(folder)])
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version(name)}\n" for name in UNDER_TEST))
    wanted = ["-r", "pyproject.toml", "--extra", "conformance-flask", "--constraint", str(constraints)]
    run_tool([*uv, "pip", "install", "--python", python, *wanted, f"flask-login=={FLASK_LOGIN}"])
    return python


def run_tool(command: list[str]) -> None:
    """Run `command` in the root of this repository.

    Raises:
        ConformanceError: it failed; says with which output.
    """
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConformanceError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def run_suite(python: str, suite: Suite, mode: str, harm: str | None = None) -> Run:
    """Run the tests of `suite` as they are configured there.

    Args:
        python: the interpreter.
        suite: the tests.
        mode: one of `MODES`.
        harm: which one to plant where tracking is on.

    Raises:
        ConformanceError: the run was not finished; says with which output.
    """
    with tempfile.TemporaryDirectory(prefix="flask-suites-run-") as temporary:
        report = Path(temporary) / "report.json"
        command = [python, "-m", "pytest", "tests", "--continue-on-collection-errors"]
        command += ["-p", "no:cacheprovider", "-p", "tests.conformance.flask_plugin"]
        # Flask-Login 0.6.3 calls it, and Python 3.12 and newer warn: 14 of its tests would fail.
        command += ["-W", "ignore:datetime.datetime.utcnow:DeprecationWarning"]
        command += [f"--report={report}", f"--tracking={mode}"]
        if harm and mode != "off":
            command.append(f"--harm={harm}")
        try:
            done = subprocess.run(
                command,
                cwd=suite.folder,
                env=make_environ(temporary),
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ConformanceError(f"{suite.name}, {mode}: not done after {TIMEOUT_S} s.") from error
        if not report.exists():
            raise ConformanceError(f"{suite.name}, {mode}: no report.\n{done.stdout}{done.stderr}")
        return Run.from_report(report)


def make_environ(temporary: str) -> dict[str, str]:
    """Make the environment variables of a run: ours stay out, its temporary files go to `temporary`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN_SETTINGS)}
    # A plugin that happens to be installed would change what the tests see, as pytest-flask does.
    plugins = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return kept | plugins | {"PYTHONPATH": str(ROOT), "TMPDIR": temporary}


if __name__ == "__main__":
    sys.exit(main())
