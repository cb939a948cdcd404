"""What one run of a suite came to, and what is wrong with two runs of it side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .flask_plugin import MODES, UNDER_TEST

KNOWN_DIFFERENCES = {
    "tests/test_basic.py::test_app_freed_on_zero_refcount": (
        "Replacing app.wsgi_app makes a reference cycle through the app, as any WSGI middleware does: "
        "the garbage collector frees the app, and not already the end of its last reference."
    ),
}
"""The tests that pass off and fail on, and why that cannot be helped. Nothing else may differ."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Tests of one project, and how they are run."""

    name: str
    project: str
    """The distribution whose code they test, and whose sdist they come in."""
    version: str
    """The version that the tests belong to."""
    least: int
    """Fewer tests than this, collected or passed, are a suite that was skipped."""
    sha256: str = ""
    """Of the sdist; empty where the version varies."""
    below: str = "."
    """Where in the sdist its tests are run."""
    tests: tuple[str, ...] = ("tests",)
    """The files and folders that pytest is given."""
    options: tuple[str, ...] = ()
    """Options of pytest, beyond what the suite configures."""
    modes: tuple[str, ...] = MODES
    """How it is run; the first is ``off``."""
    least_python: tuple[int, int] = (3, 10)
    """The least Python that the project takes."""

    @property
    def requirement(self) -> str:
        """What installs the project in this version."""
        return f"{self.project}=={self.version}"


@dataclass(frozen=True)
class Run:
    """One run of a suite."""

    outcomes: Mapping[str, str]
    """``passed``, ``failed``, ``error`` and so on, by the id of the test."""
    reasons: Mapping[str, str]
    """Why a test failed or was skipped, by its id."""
    versions: Mapping[str, str]
    """Of the packages that took part."""
    tracking: Mapping[str, Any] | None
    """The number of ``apps`` tracked, of their ``requests`` and of ``records``, and the ``troubles`` by
    kind; None where nothing was tracked."""

    @classmethod
    def from_report(cls, path: Path) -> Run:
        """Read what the plugin wrote."""
        return cls(**json.loads(path.read_text()))

    def list_tests(self, *outcomes: str) -> list[str]:
        """List the tests with one of these outcomes, each with the first line of its reason."""
        listed = []
        for test, outcome in self.outcomes.items():
            if outcome in outcomes:
                reason = self.reasons.get(test, "").partition("\n")[0]
                listed.append(f"{test}: {reason}" if reason else test)
        return listed

    def count(self, *outcomes: str) -> int:
        """Count the tests with one of these outcomes."""
        return sum(outcome in outcomes for outcome in self.outcomes.values())


def find_problems(suite: Suite, runs: Mapping[str, Run]) -> list[str]:
    """Say all that is wrong with the runs of a suite.

    Args:
        suite: whose runs they are.
        runs: by mode; one of them is ``off``.

    Returns:
        One text for each problem, with what is needed to look into it.
    """
    problems: list[str] = []
    for mode, run in runs.items():
        found = [*find_shortfalls(suite, run), *find_tracking_problems(mode, run)]
        if mode != "off":
            found += find_differences(runs["off"], run)
        problems += [f"{suite.name}, {mode}: {problem}" for problem in found]
    return problems


def find_shortfalls(suite: Suite, run: Run) -> Iterator[str]:
    """Find out whether these are the right tests, and enough of them."""
    if run.versions[suite.project] != suite.version:
        yield f"the tests are those of {suite.version}, what they test is {run.versions[suite.project]}"
    for name in UNDER_TEST:
        if run.versions[name] != version(name):
            yield f"it ran with {name} {run.versions[name]}, installed here is {version(name)}"
    if len(run.outcomes) < suite.least:
        yield f"{len(run.outcomes)} tests collected, fewer than {suite.least}"
    if run.count("passed") < suite.least:
        yield f"{run.count('passed')} tests passed, fewer than {suite.least}"


def find_tracking_problems(mode: str, run: Run) -> Iterator[str]:
    """Find out whether a run that should be tracked was, without trouble, and no other."""
    tracking = run.tracking
    if (tracking is None) != (mode == "off"):
        yield "was tracked" if tracking else "was not tracked"
    if tracking is None:
        return
    if not tracking["apps"] or not tracking["records"]:
        yield f"{tracking['apps']} apps were tracked and {tracking['records']} records made"
    if tracking["records"] != tracking["requests"]:
        yield f"{tracking['requests']} requests left {tracking['records']} records"
    for kind, times in tracking["troubles"].items():
        yield f"trouble in tracking, {times} times: {kind}"


def find_differences(off: Run, on: Run) -> Iterator[str]:
    """Find the tests whose outcome depends on tracking, and the known ones that no longer do."""
    for test in sorted(off.outcomes.keys() | on.outcomes.keys()):
        before = off.outcomes.get(test, "missing")
        after = on.outcomes.get(test, "missing")
        is_known = test in KNOWN_DIFFERENCES and before == "passed"
        if is_known and after == "passed":
            yield f"{test} passes off and on: take it out of the known differences"
        elif before != after and not (is_known and after == "failed"):
            reason = on.reasons.get(test) or off.reasons.get(test) or "no reason was given"
            yield f"{test} {before} off, {after} on:\n{_indent(reason)}"


def _indent(text: str, most_lines: int = 12) -> str:
    lines = text.strip().splitlines()
    if len(lines) > most_lines:
        lines[most_lines:] = ["..."]
    return "\n".join("    " + line for line in lines)


COLUMNS = (
    "suite",
    "tracking",
    "collected",
    "passed",
    "failed",
    "skipped",
    "apps",
    "requests",
    "records",
)


def make_table(results: Mapping[Suite, Mapping[str, Run]]) -> str:
    """Lay out the counts of all runs."""
    rows: list[tuple[object, ...]] = [COLUMNS]
    for suite, runs in results.items():
        for mode, run in runs.items():
            tracking = run.tracking or {}
            rows.append(
                (
                    suite.name if mode == "off" else "",
                    mode,
                    len(run.outcomes),
                    run.count("passed"),
                    run.count("failed", "error", "not run"),
                    run.count("skipped"),
                    *(tracking.get(column, "") for column in ("apps", "requests", "records")),
                )
            )
    lines = (
        f"{row[0]!s:<30}{row[1]!s:<10}" + "".join(f"{cell!s:>10}" for cell in row[2:]) for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
