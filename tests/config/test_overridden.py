"""What holds for apps that are set up in a block, whatever they say themselves."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import Any

import pytest
from flask import Flask

from flask_tracking import ConfigError, MemoryExporter, Settings, Tracking
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.registry import TrackedApp
from flask_tracking.testing import overridden


def track(exporter: MemoryExporter | None = None, **config: Any) -> TrackedApp:
    """Track a new app, and return what belongs to it."""
    app = Flask("shop")
    app.config.update(config)
    Tracking(app, exporter=exporter)
    tracked: TrackedApp = app.extensions["tracking"]
    return tracked


def test_app_is_overridden() -> None:
    """The exporter and the settings of the block win over the app's own; the rest stays."""
    memory = MemoryExporter()
    with overridden(exporter=memory, worker="sync", sample_rate=0.5, exclude=["/static/"]):
        tracked = track(MemoryExporter(), TRACKING_SAMPLE_RATE=0.1, TRACKING_SLOW_MS=7)
    assert tracked.exporter is memory
    settings = tracked.settings
    assert (settings.worker, settings.sample_rate, settings.slow_ms) == ("sync", 0.5, 7)
    assert [pattern.pattern for pattern in settings.exclude] == ["/static/"]


def test_nothing_is_left_behind() -> None:
    """Behind the block apps are as they say, and the one that was set up in it stays as it is."""
    with overridden(exporter=MemoryExporter(), enabled=False):
        inside = track()
    outside = track(TRACKING_WORKER="sync")
    assert (inside.settings.enabled, outside.settings.enabled) == (False, True)
    assert isinstance(outside.exporter, MongoExporter)


def test_nested() -> None:
    """The inner block wins, and leaves what it does not name to the outer one."""
    outer, inner = MemoryExporter(), MemoryExporter()
    with overridden(exporter=outer, worker="sync", slow_ms=7):
        with overridden(exporter=inner, slow_ms=8):
            first = track()
        with overridden(sample_rate=0.5):
            second = track()
        third = track()
    found = [
        (one.exporter, one.settings.worker, one.settings.slow_ms, one.settings.sample_rate)
        for one in (first, second, third)
    ]
    assert found == [(inner, "sync", 8, 1.0), (outer, "sync", 7, 0.5), (outer, "sync", 7, 1.0)]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_left_by_an_exception(error: type[BaseException]) -> None:
    """Whatever leaves a block passes, and ends its reign and no other's."""
    memory = MemoryExporter()
    with overridden(exporter=memory, worker="sync"):
        with pytest.raises(error):
            with overridden(worker="batch", enabled=False):
                raise error
        tracked = track()
    assert (tracked.exporter, tracked.settings.worker, tracked.settings.enabled) == (
        memory,
        "sync",
        True,
    )
    assert track(MemoryExporter(), TRACKING_ENABLED=False).settings.worker == "batch"


def test_other_threads_are_not_affected() -> None:
    """Two threads may each have a block of their own."""
    found: list[str] = []
    with overridden(worker="sync"):
        other = threading.Thread(target=lambda: found.append(track(MemoryExporter()).settings.worker))
        other.start()
        other.join()
    assert found == ["batch"]


def test_left_in_another_context() -> None:
    """A fixture may be set up in one task and torn down in another: the block ends all the same."""
    block = overridden(worker="sync")
    copy_context().run(block.__enter__)
    copy_context().run(block.__exit__, None, None, None)
    block = overridden(worker="sync")
    block.__enter__()
    copy_context().run(block.__exit__, None, None, None)
    assert track(MemoryExporter()).settings.worker == "batch"


def test_context_that_outlives_its_block() -> None:
    """What was begun in a block, like a task, is not overridden once the block is left."""
    with overridden(slow_ms=7):
        with overridden(worker="sync"):
            inside = copy_context()
        first = inside.run(track, MemoryExporter()).settings
    second = inside.run(track, MemoryExporter()).settings
    assert [(one.worker, one.slow_ms) for one in (first, second)] == [
        ("batch", 7),
        ("batch", Settings().slow_ms),
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"wroker": "sync"}, "Settings has no 'wroker'. There are: enabled, "),
        ({"worker": "threads"}, "worker is 'threads', but it wants"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], said: str) -> None:
    """A name or a value that is wrong is refused where it stands, and nothing is overridden."""
    with pytest.raises(ConfigError, match=said):
        with overridden(**settings):
            pass
    assert track(MemoryExporter()).settings == Settings()


def test_exporter_of_another_kind() -> None:
    """What is no exporter is refused as the argument of Tracking would be."""
    with overridden(exporter="memory"):
        with pytest.raises(ConfigError, match=r"^Invalid Tracking\(exporter=...\): got str"):
            track()
