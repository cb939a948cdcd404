"""The pytest plugin: fixtures that see every request of a test.

It imports neither Flask nor anything else of this package before a test asks for it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .record import Record
    from .testing.recorded import RecordedRequests, RecordedSpan
    from .testing.recorder import Recorder

MARKER = "tracking"
SECTION = "Recorded requests"
"""The title of the requests of a failed test."""
RECORDS, PASSIVE = "tracking_records", "_tracking_passively"
"""The fixtures that record: for the test, and for the report alone."""
ASKING = frozenset({RECORDS, "tracking_span"})
"""Fixtures for which a test is recorded."""
LATE = (
    "tracking_records was asked for when the test had begun, and would lack its first requests. Make "
    "it an argument of the test or of its fixture, or mark the test with @pytest.mark.tracking."
)
"""The failure of a test that loads the fixture by ``request.getfixturevalue``, unannounced."""
RECORDER: pytest.StashKey[Recorder] = pytest.StashKey()
REPORT: pytest.StashKey[_Report] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options."""
    _import_as_usual(pluginmanager)
    parser.getgroup("flask-tracking").addoption(
        "--tracking-report",
        action="store_true",
        help="record all tests that use the fixture app; show the slowest routes, and the requests of "
        "failed tests",
    )


def _import_as_usual(pluginmanager: pytest.PytestPluginManager) -> None:
    """Spare this package the rewriting of its asserts.

    pytest rewrites every package that has a plugin: a run that imports a tracked app would import this
    one a third more slowly, also if it uses no fixture. A pytest without this set does so.
    """
    marked = getattr(pluginmanager.rewrite_hook, "_must_rewrite", None)
    if isinstance(marked, set):
        marked.discard(__package__)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and what reports where that is asked for."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**settings): record the test with these settings of flask-tracking, like "
        "sample_rate=0.5 for TRACKING_SAMPLE_RATE",
    )
    if config.getoption("tracking_report"):
        config.stash[REPORT] = _Report(config)
        config.pluginmanager.register(config.stash[REPORT])


@pytest.hookimpl(trylast=True)  # a conftest may mark tests here, too
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Record from the first fixture on, but load nothing where no test is to be recorded."""
    recorded = [item for item in items if _is_asked_for(item) or _is_reported(item)]
    for item in recorded:
        first = RECORDS if _is_asked_for(item) else PASSIVE
        names: list[str] = item.fixturenames  # type: ignore[attr-defined]
        if first in names:
            names.remove(first)
        names.insert(0, first)
    if recorded:
        from .testing.recorder import Recorder

        config.stash[RECORDER] = Recorder()
        config.pluginmanager.register(_FixtureWatch(config.stash[RECORDER]))


def _is_asked_for(item: pytest.Item) -> bool:
    if not ASKING.isdisjoint(getattr(item, "fixturenames", ())):
        return True
    # Most tests have no such keyword, and that is known sooner. A module of this name is one, too.
    return MARKER in item.keywords and item.get_closest_marker(MARKER) is not None


def _is_reported(item: pytest.Item) -> bool:
    return REPORT in item.config.stash and "app" in getattr(item, "fixturenames", ())


class _FixtureWatch:
    """Lets fixtures that outlive the test set up their apps as these say."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    # No new-style wrapper: that would be a frame in the traceback of each fixture that fails.
    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Iterator[None]:
        """Set up a fixture."""
        # Others have a fixture of this name, too.
        is_server = fixturedef.argname == "live_server" and "app" in fixturedef.argnames
        if fixturedef.scope == "function" and not is_server:
            yield  # most fixtures
            return
        with contextlib.ExitStack() as stack:
            if fixturedef.scope != "function":
                stack.enter_context(self._recorder.suspended())
            if is_server:
                stack.enter_context(self._recorder.recording_forks(request.getfixturevalue("app")))
            yield

    def pytest_unconfigure(self) -> None:
        """Remove what servers have left."""
        self._recorder.collector.remove_file()


class _Report:
    """Collects what ``--tracking-report`` shows; under pytest-xdist, of all processes."""

    def __init__(self, config: pytest.Config) -> None:
        from .testing.report import RunReport

        self._config = config
        self._run = RunReport()

    def add(self, records: Sequence[Record]) -> None:
        """Take the records of a test that has ended."""
        self._run.add(records)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        """Show the requests of a failed test below its traceback."""
        made: Any = yield
        report: pytest.TestReport = made.get_result()
        recorder = item.config.stash.get(RECORDER, None)
        if report.failed and recorder is not None and recorder.collector.is_listening:
            from .testing.report import describe_requests

            report.sections.append((SECTION, describe_requests(recorder.read())))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Escape what the terminal cannot show; pytest would escape the ends of lines, too."""
        encoding = getattr(sys.__stdout__, "encoding", None) or "ascii"
        report.sections = [
            (title, _escape_unknown(text, encoding) if title == SECTION else text)
            for title, text in report.sections
        ]

    def pytest_sessionfinish(self) -> None:
        """Hand the times to the process that prints them."""
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[MARKER] = self._run.as_plain()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the times of a process; one that crashed has none."""
        self._run.merge(getattr(node, "workeroutput", {}).get(MARKER, {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the slowest routes."""
        terminalreporter.section("slowest routes")
        width = self._config.get_terminal_writer().fullwidth if sys.stdout.isatty() else None
        for line in self._run.render(width):
            terminalreporter.line(line)


def _escape_unknown(text: str, encoding: str) -> str:
    return text.encode(encoding, "backslashreplace").decode(encoding)


@pytest.fixture
def tracking_records(request: pytest.FixtureRequest) -> Iterator[RecordedRequests]:
    """The requests that were recorded in this test: a sequence with assertions."""
    __tracebackhide__ = True
    if not _is_asked_for(request.node):
        pytest.fail(LATE, pytrace=False)
    from .testing.recorded import RecordedRequests

    recorder = request.config.stash[RECORDER]
    with recorder.recording(_read_settings(request.node)):
        if "app" in request.fixturenames:
            recorder.track(request.getfixturevalue("app"))
        yield RecordedRequests(recorder.read)
        _report(request, recorder)


@pytest.fixture
def _tracking_passively(request: pytest.FixtureRequest) -> Iterator[None]:
    """Record a test that does not ask for it, for the report."""
    __tracebackhide__ = True
    recorder, app = request.config.stash[RECORDER], request.getfixturevalue("app")
    with recorder.recording({}, passive=True):
        recorder.track(app)
        yield
        _report(request, recorder)


def _report(request: pytest.FixtureRequest, recorder: Recorder) -> None:
    if REPORT in request.config.stash:
        request.config.stash[REPORT].add(recorder.read())


def _read_settings(item: pytest.Item) -> dict[str, Any]:
    from .errors import ConfigError
    from .testing.marker import read_settings

    try:
        return read_settings(item.iter_markers(MARKER))
    except ConfigError as error:
        problem = str(error)
    pytest.fail(problem, pytrace=False)  # out here, or the message would be shown twice


@pytest.fixture
def tracking_span(tracking_records: RecordedRequests) -> RecordedSpan:
    """Data that the view of the last request added to its span."""
    from .testing.recorded import RecordedSpan

    return RecordedSpan(tracking_records)


@pytest.fixture
def assert_harmless() -> Callable[..., None]:
    """`flask_tracking.testing.assert_harmless`: a check that tracking changes nothing in an app."""
    from .testing import assert_harmless

    return assert_harmless
