"""The pytest plugin: fixtures that see every request of a test.

It imports neither Flask nor anything else of this package before a test asks for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .testing.recorded import RecordedRequests, RecordedSpan
    from .testing.recorder import Recorder

MARKER = "tracking"
OWN_FIXTURE = "_tracking_recorder"
ASKING = frozenset({"tracking_records", "tracking_span"})
"""Fixtures for which a test is recorded."""
RECORDER: pytest.StashKey[Recorder] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.getgroup("flask-tracking").addoption(
        "--tracking-report",
        action="store_true",
        help="record all tests that use the fixture app; show the slowest routes, and the requests of "
        "failed tests",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**settings): record the test with these settings of flask-tracking, like "
        "sample_rate=0.5 for TRACKING_SAMPLE_RATE",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Record from the first fixture on, but load nothing where no test is to be recorded."""
    recorded = [item for item in items if _is_recorded(item)]
    for item in recorded:
        names: list[str] = item.fixturenames  # type: ignore[attr-defined]
        if OWN_FIXTURE in names:
            names.remove(OWN_FIXTURE)
        names.insert(0, OWN_FIXTURE)
    if recorded:
        from .testing.recorder import Recorder

        config.stash[RECORDER] = Recorder()
        config.pluginmanager.register(_FixtureWatch(config.stash[RECORDER]))


def _is_recorded(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    return not ASKING.isdisjoint(names) or item.get_closest_marker(MARKER) is not None


class _FixtureWatch:
    """Lets fixtures that outlive the test set up their apps as these say."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    # No new-style wrapper: that would be a frame in the traceback of each fixture that fails.
    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        """Set up a fixture."""
        with contextlib.ExitStack() as stack:
            if fixturedef.scope != "function":
                stack.enter_context(self._recorder.outside())
            if fixturedef.argname == "live_server":
                stack.enter_context(self._recorder.sharing())
            yield

    def pytest_unconfigure(self) -> None:
        """Remove what servers have left."""
        self._recorder.collector.remove_file()


@pytest.fixture
def _tracking_recorder(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    """Record the requests of the test."""
    recorder = request.config.stash[RECORDER]
    if not _is_recorded(request.node):
        yield recorder
        return
    with recorder.recording(_read_settings(request.node)):
        if "app" in request.fixturenames:
            recorder.track(request.getfixturevalue("app"))
        yield recorder


def _read_settings(item: pytest.Item) -> dict[str, Any]:
    from .errors import ConfigError
    from .testing.marker import read_settings

    try:
        return read_settings(item.iter_markers(MARKER))
    except ConfigError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def tracking_records(_tracking_recorder: Recorder) -> RecordedRequests:
    """The requests that were recorded in this test: a sequence with assertions."""
    from .testing.recorded import RecordedRequests

    return RecordedRequests(_tracking_recorder.read)


@pytest.fixture
def tracking_span(tracking_records: RecordedRequests) -> RecordedSpan:
    """What the view of the last request added to its span."""
    from .testing.recorded import RecordedSpan

    return RecordedSpan(tracking_records)


@pytest.fixture
def assert_harmless() -> Callable[..., None]:
    """`flask_tracking.testing.assert_harmless`: a check that tracking changes nothing in an app."""
    from .testing import assert_harmless

    return assert_harmless
