"""One run of one suite, in a process and with temporary files of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from .flask_outcomes import Run, Suite
from .flask_sources import ROOT, ConformanceError

TIMEOUT_S = 900
"""For one run of one suite; the longest takes two and a half minutes where nothing else runs."""
FOREIGN_SETTINGS = ("COVERAGE", "FLASK", "PYTEST", "PYTHON", "TRACKING", "WERKZEUG")
"""Environment variables that begin so are ours or the user's, and unknown to the suites."""
PACKAGES = {"flask_tracking": ROOT / "flask_tracking", "conformance": Path(__file__).parent}
"""All that a suite can import of this repository: it may have a package ``tests`` of its own."""


def run_suite(python: str, suite: Suite, folder: Path, mode: str, harm: str | None = None) -> Run:
    """Run the tests of `suite` as they are configured there.

    Args:
        python: the interpreter.
        suite: the tests.
        folder: where its sdist was unpacked.
        mode: one of `flask_plugin.MODES`.
        harm: which one to plant where tracking is on.

    Raises:
        ConformanceError: the run was not finished; says with which output.
    """
    with tempfile.TemporaryDirectory(prefix="flask-suites-run-") as temporary:
        report = Path(temporary) / "report.json"
        command = [python, "-m", "pytest", *suite.tests, "--continue-on-collection-errors"]
        # A suite may ask for pytest's cache; runs side by side must not share it.
        command += ["-o", f"cache_dir={temporary}/cache", "-p", "conformance.flask_plugin"]
        command += [*suite.options, f"--report={report}", f"--tracking={mode}"]
        if harm and mode != "off":
            command.append(f"--harm={harm}")
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=make_environ(Path(temporary)),
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


def make_environ(temporary: Path) -> dict[str, str]:
    """Make the environment variables of a run: ours stay out, its temporary files go to `temporary`."""
    modules = temporary / "modules"
    modules.mkdir()
    for name, path in PACKAGES.items():
        (modules / name).symlink_to(path)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN_SETTINGS)}
    # A plugin that happens to be installed would change what the tests see, as pytest-flask does.
    plugins = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return kept | plugins | {"PYTHONPATH": str(modules), "TMPDIR": str(temporary)}
