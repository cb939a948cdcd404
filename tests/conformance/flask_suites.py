"""Run the tests of Flask, and of apps and extensions made with it, with tracking off and on.

``python -m tests.conformance.flask_suites``, which is ``make conformance-flask``. The tests come in the
sdists of the package index: of the Flask that is installed here, and of the projects that
`flask_sources` names. They run in an environment of their own, which has the same Flask and what it
stands on, and which is removed afterwards. The same tests must pass with tracking on as off.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .flask_harms import HARMS
from .flask_outcomes import KNOWN_DIFFERENCES, Run, Suite, find_problems, make_table
from .flask_runs import run_suite
from .flask_sources import ConformanceError, fetch_suites, list_suites, make_environment

AT_A_TIME = max(2, os.cpu_count() or 2)
"""How many runs are made side by side; each has a process and a temporary folder of its own."""


def main(arguments: list[str] | None = None) -> int:
    """Run suites in their modes and print what they came to; return the exit status."""
    suites = list_suites()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--harm", choices=sorted(HARMS), help="plant a harm where tracking is on: must fail"
    )
    parser.add_argument(
        "--suite",
        action="append",
        choices=sorted({suite.project for suite in suites}),
        help="run this project's tests only; may be given again",
    )
    options = parser.parse_args(arguments)
    chosen = [suite for suite in suites if suite.project in (options.suite or [suite.project])]
    try:
        with tempfile.TemporaryDirectory(prefix="flask-suites-") as temporary:
            results = run_everything(leave_out(chosen), Path(temporary), options.harm)
    except ConformanceError as error:
        print(error)
        return 1
    return show(results)


def leave_out(suites: list[Suite]) -> list[Suite]:
    """Leave out, and name, the suites that this Python is too old for."""
    for suite in suites:
        if sys.version_info < suite.least_python:
            print(
                f"{suite.name} is left out: it needs Python {'.'.join(map(str, suite.least_python))}."
            )
    return [suite for suite in suites if sys.version_info >= suite.least_python]


def run_everything(
    suites: list[Suite], folder: Path, harm: str | None = None
) -> dict[Suite, dict[str, Run]]:
    """Prepare in `folder`, and run each suite in each of its modes there."""
    names = ", ".join(suite.name for suite in suites)
    print(f"Fetching the tests of {names}, and what they want ...", flush=True)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        made = pool.submit(make_environment, suites, folder / "venv")
        folders = fetch_suites(suites, folder / "sdists")
        python = made.result()
        print("Running them, for about four minutes on two cores if all ...", flush=True)
        runs = {
            suite: {
                mode: pool.submit(run_suite, python, suite, folders[suite], mode, harm)
                for mode in suite.modes
            }
            for suite in suites
        }
        return {
            suite: {mode: run.result() for mode, run in by_mode.items()}
            for suite, by_mode in runs.items()
        }


def show(results: dict[Suite, dict[str, Run]]) -> int:
    """Print the counts and what is wrong; return the exit status."""
    print(f"\n{make_table(results)}\n")
    versions = {
        name: number for runs in results.values() for name, number in runs["off"].versions.items()
    }
    with_these = ", ".join(f"{name} {number}" for name, number in versions.items())
    print(textwrap.fill(f"With {with_these}.", 100))
    problems = [problem for suite, runs in results.items() for problem in find_problems(suite, runs)]
    if problems:
        print("\n".join(problems), f"\n{len(problems)} problems.", sep="\n")
        return 1
    print("The same tests pass with tracking on as off, except these, which pass off:")
    for test, reason in KNOWN_DIFFERENCES.items():
        print(f"  {test}", textwrap.indent(textwrap.fill(reason, 100), "    "), sep="\n")
    show_tests("These fail off as well as on:", results, "failed", "error")
    show_tests("These are skipped off as well as on:", results, "skipped")
    return 0


def show_tests(title: str, results: dict[Suite, dict[str, Run]], *outcomes: str) -> None:
    """Print the tests that came to one of these outcomes without tracking, each once."""
    tests = {test: None for runs in results.values() for test in runs["off"].list_tests(*outcomes)}
    if tests:
        print(title, *tests, sep="\n  ")


if __name__ == "__main__":
    sys.exit(main())
