"""The comparing and counting of `make conformance-flask`, and that it notices harm."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from . import flask_suites
from .flask_harms import HARMS
from .flask_outcomes import KNOWN_DIFFERENCES, Run, Suite, find_problems, make_table
from .flask_plugin import MODES
from .flask_suites import ConformanceError, make_environ, run_suite, show, unpack

KNOWN = next(iter(KNOWN_DIFFERENCES))
TESTS = """
import flask
import pytest

class Shop(flask.Flask):
    def __init__(self):
        super().__init__("shop", static_folder=None)
        self.config["TESTING"] = True

app = Shop()

@app.post("/echo")
def echo():
    return flask.request.get_data()

@app.get("/broken")
def broken():
    return 1 / 0

def test_echo():
    response = app.test_client().post("/echo", data=b"tea")
    assert response.data == b"tea"

def test_headers():
    assert "Vary" not in app.test_client().get("/nothing").headers

def test_exception():
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/broken")

@pytest.mark.parametrize("number", [1, 2])
def test_numbers(number):
    assert number == 1

@pytest.fixture
def broken_fixture():
    yield
    raise OSError("the fixture broke")

def test_teardown(broken_fixture):
    pass

@pytest.mark.skip
def test_skipped():
    pass

@pytest.mark.xfail
def test_expected():
    assert False
"""
CRASH = """
import os

def test_crash():
    os._exit(3)
"""
HANG = """
import threading

def test_hang():
    threading.Event().wait()
"""


def make_run(*passed: str, **changes: Any) -> Run:
    """Make an untracked run in which the tests of these names passed."""
    values: dict[str, Any] = {
        "outcomes": dict.fromkeys(passed, "passed"),
        "reasons": {},
        "versions": {"flask": "3.1.3"},
        "tracking": None,
    }
    return Run(**values | changes)


def make_tracked_run(*passed: str, tracking: dict[str, Any] | None = None, **changes: Any) -> Run:
    """Make a tracked run in which the tests of these names passed."""
    counts = {"apps": 1, "requests": 2, "records": 2, "troubles": {}}
    return make_run(*passed, tracking=counts | (tracking or {}), **changes)


def make_suite(folder: Path, least: int = 1) -> Suite:
    """Make the description of a suite."""
    return Suite("shop", folder, "flask", "3.1.3", least)


@pytest.fixture
def find(tmp_path: Path) -> Callable[..., list[str]]:
    """Find what is wrong with a run off and a run on."""

    def find(off: Run, on: Run, least: int = 1) -> list[str]:
        return find_problems(make_suite(tmp_path, least), {"off": off, "sync": on})

    return find


@pytest.fixture
def shop(tmp_path: Path) -> Suite:
    """A suite of seven tests, one of which fails and one of which has a failing fixture."""
    return write_suite(tmp_path, TESTS)


def write_suite(folder: Path, tests: str) -> Suite:
    """Write a suite that can be run."""
    (folder / "tests").mkdir()
    (folder / "tests" / "test_shop.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return Suite("shop", folder, "flask", version("flask"), 3)


# Comparing


def test_alike(find: Callable[..., list[str]]) -> None:
    """Runs in which the same tests pass, fail and are skipped are alike."""
    outcomes = {"a": "passed", "b": "failed", "c": "skipped"}
    assert find(make_run(outcomes=outcomes), make_tracked_run(outcomes=outcomes)) == []


@pytest.mark.parametrize(
    ("off", "on"),
    [
        ("passed", "failed"),
        ("failed", "passed"),
        ("passed", "error"),
        ("passed", "skipped"),
        ("passed", "not run"),
        ("failed", "error"),
    ],
)
def test_difference(find: Callable[..., list[str]], off: str, on: str) -> None:
    """A test whose outcome is another one is named, with its reason."""
    before = make_run(outcomes={"a": "passed", "b": off}, reasons={"b": "tea is cold"})
    after = make_tracked_run(outcomes={"a": "passed", "b": on}, reasons={"b": "tea is cold"})
    assert find(before, after) == [f"shop, sync: b {off} off, {on} on:\n    tea is cold"]


def test_missing(find: Callable[..., list[str]]) -> None:
    """A test that is there in one of the runs only is named."""
    assert find(make_run("a", "b"), make_tracked_run("a", "c")) == [
        "shop, sync: b passed off, missing on:\n    no reason was given",
        "shop, sync: c missing off, passed on:\n    no reason was given",
    ]


def test_long_reason(find: Callable[..., list[str]]) -> None:
    """A reason of many lines is cut."""
    on = make_tracked_run(outcomes={"a": "passed", "b": "failed"}, reasons={"b": "line\n" * 100})
    (problem,) = find(make_run("a", "b"), on)
    assert problem.splitlines()[1:] == ["    line"] * 12 + ["    ..."]


def test_known_difference(find: Callable[..., list[str]]) -> None:
    """The known test may fail where tracking is on."""
    on = make_tracked_run(outcomes={"a": "passed", KNOWN: "failed"})
    assert find(make_run("a", KNOWN), on) == []


@pytest.mark.parametrize("outcome", ["error", "skipped", "not run"])
def test_known_difference_is_a_failure(find: Callable[..., list[str]], outcome: str) -> None:
    """What else may become of the known test is a difference like any other."""
    on = make_tracked_run(outcomes={"a": "passed", KNOWN: outcome})
    (problem,) = find(make_run("a", KNOWN), on)
    assert f"{KNOWN} passed off, {outcome} on" in problem


def test_known_difference_is_gone(find: Callable[..., list[str]]) -> None:
    """A known difference that is none any more has to be taken out."""
    (problem,) = find(make_run("a", KNOWN), make_tracked_run("a", KNOWN))
    assert problem.endswith("passes off and on: take it out of the known differences")


def test_known_difference_fails_anyway(find: Callable[..., list[str]]) -> None:
    """The known test may fail where it fails without tracking, too."""
    outcomes = {"a": "passed", KNOWN: "failed"}
    assert find(make_run(outcomes=outcomes), make_tracked_run(outcomes=outcomes)) == []


# Counting


def test_too_few_collected(find: Callable[..., list[str]]) -> None:
    """A suite with fewer tests than it must have has a problem in both runs."""
    assert find(make_run("a"), make_tracked_run("a"), least=2) == [
        "shop, off: 1 tests collected, fewer than 2",
        "shop, off: 1 tests passed, fewer than 2",
        "shop, sync: 1 tests collected, fewer than 2",
        "shop, sync: 1 tests passed, fewer than 2",
    ]


def test_too_few_passed(find: Callable[..., list[str]]) -> None:
    """A suite that is skipped has a problem, though both runs are alike."""
    outcomes = {"a": "passed", "b": "skipped"}
    assert find(make_run(outcomes=outcomes), make_tracked_run(outcomes=outcomes), least=2) == [
        "shop, off: 1 tests passed, fewer than 2",
        "shop, sync: 1 tests passed, fewer than 2",
    ]


def test_other_version(find: Callable[..., list[str]]) -> None:
    """Tests of another version than the code they ran with are a problem."""
    off = make_run("a", versions={"flask": "3.1.2"})
    assert find(off, make_tracked_run("a")) == [
        "shop, off: the tests are those of 3.1.3, what they test is 3.1.2"
    ]


@pytest.mark.parametrize(
    ("tracking", "problem"),
    [
        ({"apps": 0, "requests": 0, "records": 0}, "0 apps were tracked and 0 records made"),
        ({"requests": 0, "records": 0}, "1 apps were tracked and 0 records made"),
        ({"records": 1}, "2 requests left 1 records"),
        ({"troubles": {"opening a span": 3}}, "trouble in tracking, 3 times: opening a span"),
    ],
)
def test_tracking_problem(
    find: Callable[..., list[str]], tracking: dict[str, Any], problem: str
) -> None:
    """A run that made no records, or lost some, or had failures of ours, has a problem."""
    on = make_tracked_run("a", tracking=tracking)
    assert find(make_run("a"), on) == [f"shop, sync: {problem}"]


def test_not_tracked(find: Callable[..., list[str]]) -> None:
    """A run on that was off has a problem, and one off that was on."""
    assert find(make_run("a"), make_run("a")) == ["shop, sync: was not tracked"]
    assert find(make_tracked_run("a"), make_tracked_run("a")) == ["shop, off: was tracked"]


# Showing


def test_table(tmp_path: Path) -> None:
    """The table has a row for each run, and what failed or could not run counts as failed."""
    off = make_run(outcomes={"a": "passed", "b": "error", "c": "skipped", "d": "not run"})
    runs = {"off": off, "sync": make_tracked_run("a", "b")}
    _, first, second = make_table({make_suite(tmp_path): runs}).splitlines()
    assert first.split() == ["shop", "off", "4", "1", "2", "1"]
    assert second.split() == ["sync", "2", "2", "0", "0", "1", "2", "2"]


def test_show_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A difference is printed, and the status says that something is wrong."""
    runs = {"off": make_run("a", "b"), "sync": make_tracked_run("a")}
    assert show({make_suite(tmp_path): runs}) == 1
    printed = capsys.readouterr().out
    assert "b passed off, missing on" in printed
    assert "1 problems." in printed


def test_show_no_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where all is well the known differences are named, and what fails without tracking."""
    outcomes = {"a": "passed", "b": "failed"}
    off = make_run(outcomes=outcomes, reasons={"b": "tea is cold"})
    on = make_tracked_run(outcomes=outcomes, reasons={"b": "tea is cold"})
    assert show({make_suite(tmp_path): {"off": off, "sync": on}}) == 0
    printed = capsys.readouterr().out
    assert KNOWN in printed
    assert printed.endswith("These fail off as well as on:\n  b\n")


# Running


def test_run(shop: Suite) -> None:
    """The same happens in every mode, each test is reported, and each request recorded."""
    runs = {mode: run_suite(sys.executable, shop, mode) for mode in MODES}
    assert find_problems(shop, runs) == []
    assert runs["off"].tracking is None
    for mode in ("sync", "batch"):
        assert runs[mode].tracking == {"apps": 1, "requests": 3, "records": 3, "troubles": {}}
    prefix = "tests/test_shop.py::test_"
    assert runs["off"].outcomes == {
        f"{prefix}echo": "passed",
        f"{prefix}headers": "passed",
        f"{prefix}exception": "passed",
        f"{prefix}numbers[1]": "passed",
        f"{prefix}numbers[2]": "failed",
        f"{prefix}teardown": "error",
        f"{prefix}skipped": "skipped",
        f"{prefix}expected": "xfailed",
    }
    assert runs["off"].reasons[f"{prefix}numbers[2]"] == "assert 2 == 1"
    assert runs["off"].reasons[f"{prefix}teardown"] == "OSError: the fixture broke"


@pytest.mark.parametrize(
    ("harm", "test"),
    [("header", "headers"), ("body", "echo"), ("input", "echo"), ("exception", "exception")],
)
def test_harm(shop: Suite, harm: str, test: str) -> None:
    """A harm that is planted in every app is noticed, and the test that notices it is named."""
    runs = {mode: run_suite(sys.executable, shop, mode, harm) for mode in ("off", "sync")}
    named = [problem for problem in find_problems(shop, runs) if "fewer than" not in problem]
    assert len(named) == 1
    assert named[0].startswith(f"shop, sync: tests/test_shop.py::test_{test} passed off, failed on:")


def test_every_harm_is_tested() -> None:
    """The tests above plant all the harms that can be planted."""
    (mark,) = test_harm.pytestmark  # type: ignore[attr-defined]
    assert {harm for harm, _ in mark.args[1]} == set(HARMS)


def test_module_that_cannot_be_imported(shop: Suite) -> None:
    """A module that cannot be imported is reported as an error, and the others are run."""
    (shop.folder / "tests" / "test_other.py").write_text("import tea_that_nobody_knows")
    run = run_suite(sys.executable, shop, "off")
    assert run.outcomes["tests/test_other.py"] == "error"
    assert "tea_that_nobody_knows" in run.reasons["tests/test_other.py"]
    assert run.count("passed") == 4


def test_crash(tmp_path: Path) -> None:
    """A run that ends before it has reported is an error."""
    with pytest.raises(ConformanceError, match="shop, off: no report"):
        run_suite(sys.executable, write_suite(tmp_path, CRASH), "off")


def test_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that does not end is ended."""
    monkeypatch.setattr(flask_suites, "TIMEOUT_S", 2)
    with pytest.raises(ConformanceError, match="shop, off: not done after 2 s"):
        run_suite(sys.executable, write_suite(tmp_path, HANG), "off")


def test_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of ours and of the user do not reach the suites, everything else does."""
    for name in ("PYTHONDEVMODE", "PYTEST_ADDOPTS", "FLASK_DEBUG", "TRACKING_ENABLED", "TEA"):
        monkeypatch.setenv(name, "1")
    environ = make_environ("/tmp/tea")
    assert environ["TEA"] == "1"
    assert environ["TMPDIR"] == "/tmp/tea"
    assert environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] == "1"
    assert not {"PYTHONDEVMODE", "PYTEST_ADDOPTS", "FLASK_DEBUG", "TRACKING_ENABLED"} & set(environ)


def test_from_report(tmp_path: Path) -> None:
    """A report is read as it was written."""
    report = tmp_path / "report.json"
    run = make_tracked_run("a")
    report.write_text(json.dumps({name: getattr(run, name) for name in Run.__match_args__}))
    assert Run.from_report(report) == run


# Fetching


def write_sdist(folder: Path, of_version: str) -> Path:
    """Write an sdist with nothing in it but what says its version."""
    folder.mkdir(parents=True)
    path = folder / "shop-1.0.tar.gz"
    text = f"Metadata-Version: 2.4\nName: shop\nVersion: {of_version}\n".encode()
    with tarfile.open(path, "w:gz") as sdist:
        member = tarfile.TarInfo("shop-1.0/PKG-INFO")
        member.size = len(text)
        sdist.addfile(member, io.BytesIO(text))
    return path


def test_unpack(tmp_path: Path) -> None:
    """An sdist of the wanted version is unpacked beside itself."""
    archive = write_sdist(tmp_path / "shop", "1.0")
    assert unpack(archive, "1.0") == tmp_path / "shop" / "shop-1.0"


def test_unpack_other_version(tmp_path: Path) -> None:
    """An sdist of another version is refused."""
    archive = write_sdist(tmp_path / "shop", "1.0.1")
    with pytest.raises(ConformanceError, match="is not of version 1.0"):
        unpack(archive, "1.0")


def test_other_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An sdist with another hash than the known one is refused, before it is unpacked."""
    monkeypatch.setattr(flask_suites, "run_tool", lambda _: write_sdist(tmp_path / "shop", "1.0"))
    with pytest.raises(ConformanceError, match="is not the file whose hash is known"):
        flask_suites.fetch_sdist("shop", "1.0", tmp_path, "0" * 64)
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["shop-1.0.tar.gz"]


def test_index_out_of_reach(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the sdists cannot be had the status says that something is wrong, and the output what."""

    def fail(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "no such host")

    monkeypatch.setattr(subprocess, "run", fail)
    assert flask_suites.main([]) == 1
    assert "no such host" in capsys.readouterr().out
