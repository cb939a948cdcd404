"""Exporters that somebody else wrote badly: what they cost, and what the log says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from flask import Flask

from flask_tracking import Exporter, Record, Tracking

from ..captures import make_record

TIMEOUT_S = 20.0


class Bad(Exporter):
    """Does in each method what it is told to, and counts what it has stored."""

    def __init__(self, **actions: Callable[[], Any]) -> None:
        self.actions = actions
        self.stored = 0

    def open(self) -> None:
        self._act("open")

    def _store(self, records: Sequence[Record]) -> int:
        self.stored += len(records)
        return self._act("store")  # type: ignore[no-any-return]

    def close(self, timeout_s: float = 2.0) -> None:
        self._act("close")

    def abandon(self) -> None:
        self._act("abandon")

    def _act(self, name: str) -> Any:
        return self.actions.get(name, lambda: 0)()


def fail() -> None:
    """Raise what no exporter should, with a value in it that no log may quote."""
    raise ValueError(f"hunter{2}")


@pytest.fixture(params=["batch", "sync"])
def tracked(request: pytest.FixtureRequest, app: Flask) -> Iterator[Callable[[Exporter], Tracking]]:
    """Track the app into an exporter, with each worker."""
    made: list[Tracking] = []
    app.config["TRACKING_WORKER"] = request.param

    def track(exporter: Exporter) -> Tracking:
        made.append(Tracking(app, exporter=exporter))
        return made[-1]

    yield track
    for tracking in made:
        tracking.close(TIMEOUT_S)


@pytest.mark.parametrize("method", ["open", "close", "abandon"])
def test_methods_that_raise(
    app: Flask, tracked: Any, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    """An exporter that cannot be opened or closed stores all the same, and the request is answered."""
    exporter = Bad(**{method: fail})
    tracking = tracked(exporter)
    assert app.test_client().get("/missing").status_code == 404
    assert tracking.flush(TIMEOUT_S)
    assert (exporter.stored, tracking.stats.exported, tracking.stats.dropped) == (1, 1, {})
    assert tracking.close(TIMEOUT_S)
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("all", "str"),
        (-1, "int"),
        (2, "int"),
        (True, "bool"),
        ([], "list"),
        (0.5, "float"),
    ],
)
def test_nonsense_is_taken_for_zero(
    app: Flask, tracked: Any, caplog: pytest.LogCaptureFixture, answer: Any, shown: str
) -> None:
    """What is no number of records is said once, with what is meant, and nothing is stored twice."""
    exporter = Bad(store=lambda: answer)
    tracking = tracked(exporter)
    for _ in range(3):
        assert app.test_client().get("/missing").status_code == 404
        assert tracking.flush(TIMEOUT_S)
    assert (exporter.stored, tracking.stats.exported, tracking.stats.dropped) == (3, 3, {})
    # The app of another test may be collected meanwhile, which closes its exporter.
    said = [text for record in caplog.records if "closing" not in (text := record.getMessage())]
    assert said == [
        f"The exporter returned an invalid {shown}; expected the number of rejected records or None."
    ]


@pytest.mark.parametrize(("answer", "count"), [(0, 0), (1, 1)])
def test_numbers_are_taken_as_they_are(answer: int, count: int) -> None:
    """A number from none to all of the batch is what the exporter says."""
    assert Bad(store=lambda: answer).export([make_record()]) == count


def test_exporter_that_hangs(app: Flask) -> None:
    """Requests are answered while an exporter hangs for ever, and closing gives up in time."""
    release = threading.Event()
    app.config["TRACKING_WORKER"] = "batch"
    exporter = Bad(store=lambda: release.wait(TIMEOUT_S) and 0)
    tracking = Tracking(app, exporter=exporter)
    for _ in range(3):
        assert app.test_client().get("/missing").status_code == 404
    assert not tracking.flush(0.01)
    assert not tracking.close(0.01)
    assert tracking.stats.dropped == {"shutdown": 3}
    release.set()
    assert tracking.close(TIMEOUT_S)


def test_two_apps_of_which_one_store_fails() -> None:
    """The records of one app are stored, whatever the other app's store does."""
    good, bad = Bad(), Bad(store=fail)
    apps = [Flask("good"), Flask("bad")]
    trackings = []
    for app, exporter in zip(apps, (good, bad), strict=True):
        app.config["TRACKING_WORKER"] = "sync"
        trackings.append(Tracking(app, exporter=exporter))
    for app in apps * 2:
        assert app.test_client().get("/missing").status_code == 404
    assert trackings[0].stats.exported == 2 and trackings[0].stats.dropped == {}
    assert trackings[1].stats.exported == 0 and trackings[1].stats.dropped == {"export_failed": 2}
