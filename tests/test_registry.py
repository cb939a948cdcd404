"""Which apps are tracked, and which one is meant."""

from __future__ import annotations

import weakref
from contextlib import AbstractContextManager, nullcontext

import pytest
from flask import Flask

from flask_tracking import ConfigError, MemoryExporter, Settings, TrackingError, registry
from flask_tracking.registry import TrackedApp, find_tracked, register
from flask_tracking.runtime.weak_registry import WeakRegistry


@pytest.fixture(autouse=True)
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test begin in a process that tracks no app."""
    monkeypatch.setattr(registry, "_tracked", WeakRegistry())


def track(name: str) -> tuple[Flask, TrackedApp]:
    """Make an app and register what tracks it."""
    app = Flask(name)
    tracked = TrackedApp(name, Settings(), {}, MemoryExporter())
    register(app, tracked)
    return app, tracked


def test_register_attaches_to_the_app() -> None:
    """What tracks an app is kept in its extensions, under one key."""
    app, tracked = track("shop")

    assert app.extensions["tracking"] is tracked


def test_new_tracked_app_has_no_worker_and_checked_nothing() -> None:
    """What belongs to a tracked app starts without a worker, callbacks and a compared config."""
    tracked = TrackedApp("shop", Settings(), {}, MemoryExporter())

    assert (tracked.worker, tracked.user_repr, tracked.user_loader) == (None, None, None)
    assert tracked.is_config_checked is False


def test_second_registration_is_refused() -> None:
    """An app that is tracked already cannot be tracked twice, and what tracked it first stays."""
    app, tracked = track("shop")

    with pytest.raises(ConfigError) as caught:
        register(app, TrackedApp("shop", Settings(), {}, MemoryExporter()))

    assert str(caught.value) == (
        "The app 'shop' is tracked already. Call Tracking(app) or init_app(app) once for each app."
    )
    assert app.extensions["tracking"] is tracked
    assert find_tracked() is tracked


def test_none_is_found_where_none_is_tracked() -> None:
    """A process that tracks no app has none to find, inside a context or out of it."""
    assert find_tracked() is None
    with Flask("shop").app_context():
        assert find_tracked() is None


def test_only_tracked_app_is_found_without_a_context() -> None:
    """Outside of any context the only tracked app is meant."""
    _app, tracked = track("shop")

    assert find_tracked() is tracked


def test_current_app_is_found() -> None:
    """Of two tracked apps the current one is meant."""
    shop, tracked_shop = track("shop")
    blog, tracked_blog = track("blog")

    with shop.app_context():
        assert find_tracked() is tracked_shop
        with blog.app_context():
            assert find_tracked() is tracked_blog
        assert find_tracked() is tracked_shop


def test_only_tracked_app_is_found_inside_another_app() -> None:
    """Where the current app is not tracked, the only tracked app is meant."""
    _app, tracked = track("shop")

    with Flask("untracked").app_context():
        assert find_tracked() is tracked


@pytest.mark.parametrize("context", [nullcontext(), Flask("untracked").app_context()])
def test_two_tracked_apps_and_no_context_is_an_error(context: AbstractContextManager[object]) -> None:
    """With two tracked apps, none of them current, the error names both and says what to do."""
    kept = [track("shop"), track("blog")]

    with context, pytest.raises(TrackingError) as caught:
        find_tracked()

    assert len(kept) == 2
    assert str(caught.value) == (
        "2 apps are tracked in this process (blog, shop), so it is not clear whose records are meant. "
        "Ask inside `with app.app_context():`."
    )


def test_apps_of_one_name_stay_apart() -> None:
    """Two apps of one name are two apps."""
    one, tracked_one = track("shop")
    two, tracked_two = track("shop")

    for app, tracked in ((one, tracked_one), (two, tracked_two)):
        with app.app_context():
            assert find_tracked() is tracked
    with pytest.raises(TrackingError, match=r"\(shop, shop\)"):
        find_tracked()


def test_app_that_is_gone_is_not_tracked() -> None:
    """The registry keeps no app alive: one that nobody holds any more is not meant."""
    kept, tracked_kept = track("kept")
    gone, tracked_gone = track("gone")
    watched = weakref.ref(gone), weakref.ref(tracked_gone)

    del gone, tracked_gone

    assert find_tracked() is tracked_kept
    assert [reference() for reference in watched] == [None, None]
    assert kept.extensions["tracking"] is tracked_kept
