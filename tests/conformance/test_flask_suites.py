"""The comparing and counting of `make conformance-flask`, and that it notices harm."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from . import flask_runs, flask_sources, flask_suites
from .flask_harms import HARMS
from .flask_outcomes import KNOWN_DIFFERENCES, Run, Suite, find_problems, make_table
from .flask_plugin import MODES, find_versions
from .flask_runs import make_environ, run_suite
from .flask_sources import ConformanceError, fetch_suites, list_suites, unpack
from .flask_suites import leave_out, show

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

class User:
    asked = 0

    @property
    def email(self):
        User.asked += 1

@app.get("/user")
def show_user():
    flask.g._login_user = User()
    return "Ada"

def test_user():
    assert app.test_client().get("/user").status_code == 200
    assert User.asked == 0

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
PACKAGE = """
import sys

def test_package():
    from tests.tea import TEA
    assert TEA == "green"
    assert "tests.conformance" not in sys.modules
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
        "versions": find_versions(),
        "tracking": None,
    }
    return Run(**values | changes)


def make_tracked_run(*passed: str, tracking: dict[str, Any] | None = None, **changes: Any) -> Run:
    """Make a tracked run in which the tests of these names passed."""
    counts = {"apps": 1, "requests": 2, "records": 2, "troubles": {}}
    return make_run(*passed, tracking=counts | (tracking or {}), **changes)


def make_suite(**changes: Any) -> Suite:
    """Make the description of a suite."""
    values: dict[str, Any] = {"project": "flask", "version": version("flask"), "least": 1}
    return Suite(name="shop", **values | changes)


def find(off: Run, on: Run, least: int = 1) -> list[str]:
    """Find what is wrong with a run off and a run on."""
    return find_problems(make_suite(least=least), {"off": off, "sync": on})


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A suite of nine tests, one of which fails and one of which has a failing fixture."""
    return write_suite(tmp_path, TESTS)


def write_suite(folder: Path, tests: str) -> Path:
    """Write a suite that can be run."""
    (folder / "tests").mkdir()
    (folder / "tests" / "test_shop.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return folder


def run_shop(folder: Path, mode: str, harm: str | None = None, **changes: Any) -> Run:
    """Run a suite that was written."""
    return run_suite(sys.executable, make_suite(**changes), folder, mode, harm)


# Comparing


def test_alike() -> None:
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
def test_difference(off: str, on: str) -> None:
    """A test whose outcome is another one is named, with its reason."""
    before = make_run(outcomes={"a": "passed", "b": off}, reasons={"b": "tea is cold"})
    after = make_tracked_run(outcomes={"a": "passed", "b": on}, reasons={"b": "tea is cold"})
    assert find(before, after) == [f"shop, sync: b {off} off, {on} on:\n    tea is cold"]


def test_missing() -> None:
    """A test that is there in one of the runs only is named."""
    assert find(make_run("a", "b"), make_tracked_run("a", "c")) == [
        "shop, sync: b passed off, missing on:\n    no reason was given",
        "shop, sync: c missing off, passed on:\n    no reason was given",
    ]


def test_long_reason() -> None:
    """A reason of many lines is cut."""
    on = make_tracked_run(outcomes={"a": "passed", "b": "failed"}, reasons={"b": "line\n" * 100})
    (problem,) = find(make_run("a", "b"), on)
    assert problem.splitlines()[1:] == ["    line"] * 12 + ["    ..."]


def test_known_difference() -> None:
    """The known test may fail where tracking is on."""
    on = make_tracked_run(outcomes={"a": "passed", KNOWN: "failed"})
    assert find(make_run("a", KNOWN), on) == []


@pytest.mark.parametrize("outcome", ["error", "skipped", "not run"])
def test_known_difference_is_a_failure(outcome: str) -> None:
    """What else may become of the known test is a difference like any other."""
    on = make_tracked_run(outcomes={"a": "passed", KNOWN: outcome})
    (problem,) = find(make_run("a", KNOWN), on)
    assert f"{KNOWN} passed off, {outcome} on" in problem


def test_known_difference_is_gone() -> None:
    """A known difference that is none any more has to be taken out."""
    (problem,) = find(make_run("a", KNOWN), make_tracked_run("a", KNOWN))
    assert problem.endswith("passes off and on: take it out of the known differences")


def test_known_difference_fails_anyway() -> None:
    """The known test may fail where it fails without tracking, too."""
    outcomes = {"a": "passed", KNOWN: "failed"}
    assert find(make_run(outcomes=outcomes), make_tracked_run(outcomes=outcomes)) == []


# Counting


def test_too_few_collected() -> None:
    """A suite with fewer tests than it must have has a problem in both runs."""
    assert find(make_run("a"), make_tracked_run("a"), least=2) == [
        "shop, off: 1 tests collected, fewer than 2",
        "shop, off: 1 tests passed, fewer than 2",
        "shop, sync: 1 tests collected, fewer than 2",
        "shop, sync: 1 tests passed, fewer than 2",
    ]


def test_too_few_passed() -> None:
    """A suite that is skipped has a problem, though both runs are alike."""
    outcomes = {"a": "passed", "b": "skipped"}
    assert find(make_run(outcomes=outcomes), make_tracked_run(outcomes=outcomes), least=2) == [
        "shop, off: 1 tests passed, fewer than 2",
        "shop, sync: 1 tests passed, fewer than 2",
    ]


def test_other_version() -> None:
    """Tests of another version than the code they ran with are a problem."""
    assert find_problems(make_suite(version="3.0.9"), {"off": make_run("a")}) == [
        f"shop, off: the tests are those of 3.0.9, what they test is {version('flask')}"
    ]


def test_other_stack() -> None:
    """A run with another version of what Flask stands on than is installed here is a problem."""
    versions = find_versions() | {"werkzeug": "3.0.1"}
    assert find(make_run("a", versions=versions), make_tracked_run("a")) == [
        f"shop, off: it ran with werkzeug 3.0.1, installed here is {version('werkzeug')}"
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
def test_tracking_problem(tracking: dict[str, Any], problem: str) -> None:
    """A run that made no records, or lost some, or had failures of ours, has a problem."""
    on = make_tracked_run("a", tracking=tracking)
    assert find(make_run("a"), on) == [f"shop, sync: {problem}"]


def test_not_tracked() -> None:
    """A run on that was off has a problem, and one off that was on."""
    assert find(make_run("a"), make_run("a")) == ["shop, sync: was not tracked"]
    assert find(make_tracked_run("a"), make_tracked_run("a")) == ["shop, off: was tracked"]


# Showing


def test_table() -> None:
    """The table has a row for each run, and what failed or could not run counts as failed."""
    off = make_run(outcomes={"a": "passed", "b": "error", "c": "skipped", "d": "not run"})
    runs = {"off": off, "sync": make_tracked_run("a", "b")}
    _, first, second = make_table({make_suite(): runs}).splitlines()
    assert first.split() == ["shop", "off", "4", "1", "2", "1"]
    assert second.split() == ["sync", "2", "2", "0", "0", "1", "2", "2"]


def test_show_difference(capsys: pytest.CaptureFixture[str]) -> None:
    """A difference is printed, and the status says that something is wrong."""
    runs = {"off": make_run("a", "b"), "sync": make_tracked_run("a")}
    assert show({make_suite(): runs}) == 1
    printed = capsys.readouterr().out
    assert "b passed off, missing on" in printed
    assert "1 problems." in printed


def test_show_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    """Where all is well the known differences are named, and what fails or is skipped anyway."""
    outcomes = {"a": "passed", "b": "failed", "c": "skipped"}
    reasons = {"b": "tea is cold\nassert 2 == 1", "c": "no milk"}
    off = make_run(outcomes=outcomes, reasons=reasons)
    on = make_tracked_run(outcomes=outcomes, reasons=reasons)
    assert show({make_suite(): {"off": off, "sync": on}}) == 0
    printed = capsys.readouterr().out
    assert KNOWN in printed
    assert printed.endswith(
        "These fail off as well as on:\n  b: tea is cold\n"
        "These are skipped off as well as on:\n  c: no milk\n"
    )


# Running


@pytest.mark.integration
def test_run(shop: Path) -> None:
    """The same happens in every mode, each test is reported, and each request recorded."""
    runs = {mode: run_shop(shop, mode) for mode in MODES}
    assert find_problems(make_suite(least=3), runs) == []
    assert runs["off"].tracking is None
    for mode in ("sync", "batch"):
        assert runs[mode].tracking == {"apps": 1, "requests": 4, "records": 4, "troubles": {}}
    prefix = "tests/test_shop.py::test_"
    assert runs["off"].outcomes == {
        f"{prefix}user": "passed",
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
    assert runs["off"].reasons[f"{prefix}skipped"] == "Skipped: unconditional skip"
    assert runs["off"].reasons[f"{prefix}teardown"] == "OSError: the fixture broke"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("harm", "test"),
    [
        ("header", "headers"),
        ("body", "echo"),
        ("input", "echo"),
        ("exception", "exception"),
        ("user", "user"),
    ],
)
def test_harm(shop: Path, harm: str, test: str) -> None:
    """A harm that is planted in every app is noticed, and the test that notices it is named."""
    runs = {mode: run_shop(shop, mode, harm) for mode in ("off", "sync")}
    named = find_problems(make_suite(), runs)
    assert len(named) == 1
    assert named[0].startswith(f"shop, sync: tests/test_shop.py::test_{test} passed off, failed on:")


def test_every_harm_is_tested() -> None:
    """The tests above plant all the harms that can be planted."""
    marks = {mark.name: mark for mark in test_harm.pytestmark}  # type: ignore[attr-defined]
    assert {harm for harm, _ in marks["parametrize"].args[1]} == set(HARMS)


@pytest.mark.integration
def test_module_that_cannot_be_imported(shop: Path) -> None:
    """A module that cannot be imported is reported as an error, and the others are run."""
    (shop / "tests" / "test_other.py").write_text("import tea_that_nobody_knows")
    run = run_shop(shop, "off")
    assert run.outcomes["tests/test_other.py"] == "error"
    assert "tea_that_nobody_knows" in run.reasons["tests/test_other.py"]
    assert run.count("passed") == 5


@pytest.mark.integration
def test_crash(tmp_path: Path) -> None:
    """A run that ends before it has reported is an error."""
    with pytest.raises(ConformanceError, match="shop, off: no report"):
        run_shop(write_suite(tmp_path, CRASH), "off")


@pytest.mark.integration
def test_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that does not end is ended."""
    monkeypatch.setattr(flask_runs, "TIMEOUT_S", 2)
    with pytest.raises(ConformanceError, match="shop, off: not done after 2 s"):
        run_shop(write_suite(tmp_path, HANG), "off")


@pytest.mark.integration
def test_package_tests(shop: Path) -> None:
    """A suite whose tests are a package finds its own, and nothing of this repository's tests."""
    (shop / "tests" / "__init__.py").touch()
    (shop / "tests" / "tea.py").write_text("TEA = 'green'")
    (shop / "tests" / "test_package.py").write_text(PACKAGE)
    for mode in ("off", "batch"):
        assert run_shop(shop, mode).outcomes["tests/test_package.py::test_package"] == "passed"


@pytest.mark.integration
def test_chosen_tests(shop: Path) -> None:
    """Of a suite that names files only these are run."""
    (shop / "tests" / "test_other.py").write_text("def test_other():\n    pass\n")
    run = run_shop(shop, "off", tests=("tests/test_other.py",))
    assert run.outcomes == {"tests/test_other.py::test_other": "passed"}


@pytest.mark.integration
def test_options(shop: Path) -> None:
    """The options of a suite, its own and ours, reach pytest."""
    (shop / "pytest.ini").write_text("[pytest]\naddopts = --cache-clear\n")
    run = run_shop(shop, "off", options=("-k", "test_echo"))
    assert run.count("passed") == len(run.outcomes) == 1
    assert not (shop / ".pytest_cache").exists()


def test_environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings of ours and of the user do not reach the suites, everything else does."""
    for name in ("PYTHONDEVMODE", "PYTEST_ADDOPTS", "FLASK_DEBUG", "TRACKING_ENABLED", "TEA"):
        monkeypatch.setenv(name, "1")
    environ = make_environ(tmp_path)
    assert environ["TEA"] == "1"
    assert environ["TMPDIR"] == str(tmp_path)
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
    monkeypatch.setattr(flask_sources, "run_tool", lambda _: write_sdist(tmp_path / "shop", "1.0"))
    suite = make_suite(project="shop", version="1.0", sha256="0" * 64)
    with pytest.raises(ConformanceError, match="is not the file whose hash is known"):
        flask_sources.fetch_sdist(suite, tmp_path)
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["shop-1.0.tar.gz"]


def test_two_suites_of_one_sdist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An sdist that holds two suites is fetched once, and each is run where it says."""
    monkeypatch.setattr(flask_sources, "run_tool", lambda _: write_sdist(tmp_path / "shop", "1.0"))
    all_tests = make_suite(project="shop", version="1.0")
    example = make_suite(project="shop", version="1.0", below="examples/tea")
    folder = tmp_path / "shop" / "shop-1.0"
    assert fetch_suites([all_tests, example], tmp_path) == {
        all_tests: folder,
        example: folder / "examples" / "tea",
    }


def test_list() -> None:
    """Each suite begins off and has tests to run on, and those of a fixed version a hash."""
    for suite in list_suites():
        assert suite.modes[0] == "off"
        assert set(suite.modes[1:]) & {"sync", "batch"}
        assert suite.project == "flask" or len(suite.sha256) == 64


def test_too_old_python(capsys: pytest.CaptureFixture[str]) -> None:
    """A suite that wants a newer Python is left out, and named."""
    here, newer = make_suite(), make_suite(least_python=(3, 99))
    assert leave_out([here, newer]) == [here]
    assert capsys.readouterr().out == "shop is left out: it needs Python 3.99.\n"


def test_index_out_of_reach(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the sdists cannot be had the status says that something is wrong, and the output what."""

    def fail(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "no such host")

    monkeypatch.setattr(subprocess, "run", fail)
    assert flask_suites.main([]) == 1
    assert "no such host" in capsys.readouterr().out
