"""The sample project uses each fixture, and its failing test prints what the page shows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable

import pytest

from ..servers import ROOT
from ..test_docs import make_pattern
from .test_pytest_plugin import PATIENT, PLUGIN

SAMPLE = ROOT / "docs/examples/tested_shop"
Run = Callable[..., pytest.RunResult]


def copy_sample(pytester: pytest.Pytester) -> None:
    """Copy the sample project to where pytester runs."""
    for path in SAMPLE.iterdir():
        if path.is_file():
            shutil.copy(path, pytester.path)


@pytest.fixture
def run_sample(pytester: pytest.Pytester) -> Run:
    """Run files of a copy of the sample project."""
    copy_sample(pytester)
    return lambda *arguments: pytester.runpytest_inprocess(*PLUGIN, *arguments)


@pytest.mark.integration
def test_sample_passes(pytester: pytest.Pytester) -> None:
    """The tests of the sample project pass; one of them forks a server, away from our own threads."""
    copy_sample(pytester)
    pytester.runpytest_subprocess(*PLUGIN, PATIENT, "test_tea.py").assert_outcomes(passed=7)


def test_sample_uses_each_fixture(pytester: pytest.Pytester) -> None:
    """Every fixture and the marker of the plugin stand in the sample project."""
    listed = pytester.runpytest_inprocess(*PLUGIN, "--fixtures").stdout.str()
    fixtures = re.findall(r"^(\w+) -- .*flask_tracking/pytest_plugin\.py", listed, re.MULTILINE)
    tests = (SAMPLE / "test_tea.py").read_text()
    assert sorted(fixtures) == ["assert_harmless", "tracking_records", "tracking_span"]
    assert [name for name in [*fixtures, "pytest.mark.tracking("] if name not in tests] == []


def test_failure_prints_what_the_page_shows(run_sample: Run) -> None:
    """The output on the testing page is that of the failing test."""
    page = (ROOT / "docs/testing.md").read_text()
    (shown,) = re.findall(
        r"^With `--tracking-report` pytest prints:\n\n```text\n(.*?)^```$", page, re.M | re.S
    )
    printed = run_sample("test_bug.py", "--tracking-report").stdout.str()
    _, _, printed = printed.partition("= FAILURES =")
    _, _, printed = printed.partition("\n")
    assert re.fullmatch(make_pattern(shown) + "(?:.*\n?)*", printed), printed
