"""Where an exception was raised: the innermost function of the app."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_tracking import MemoryExporter, Tracking
from flask_tracking.capture import frames
from flask_tracking.capture.frames import find_frame, is_app, shorten


def catch(function: Callable[[], Any]) -> BaseException:
    """Return what `function` raises."""
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError


def parse_nonsense() -> Any:
    """Raise within the standard library."""
    return json.loads("{tea")


def test_innermost_of_the_app() -> None:
    """What a library raises was called by the app's innermost function."""
    place = find_frame(catch(parse_nonsense))
    assert place is not None
    assert (os.path.basename(place[0]), place[1]) == ("test_frames.py", "parse_nonsense")


def test_library_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a frame of the app it is the innermost of all."""
    monkeypatch.setattr(frames, "is_app", lambda file: False)
    place = find_frame(catch(parse_nonsense))
    assert place is not None
    assert (os.path.basename(place[0]), place[1]) == ("decoder.py", "raw_decode")


def test_never_raised() -> None:
    """An exception without a traceback was raised nowhere."""
    assert find_frame(ValueError()) is None


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/srv/shop/app.py", True),
        ("/srv/venv/lib/python3.11/site-packages/flask/app.py", False),
        ("/usr/lib/python3/dist-packages/flask/app.py", False),
        (json.__file__, False),
        (frames.__file__, False),
        ("<frozen importlib._bootstrap>", False),
        ("<string>", True),
    ],
)
def test_app(file: str, expected: bool) -> None:
    """The app is what was not installed."""
    assert is_app(file) is expected


def test_short_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path begins at the folder that its module was imported from."""
    monkeypatch.setattr(sys, "path", ["/srv", "/srv/shop"])
    shorten.cache_clear()
    assert shorten("/srv/shop/views/cart.py") == os.path.join("views", "cart.py")
    assert shorten("/opt/cart.py") == "/opt/cart.py"
    shorten.cache_clear()


def test_failures_by_place(app: Flask, tracking: Tracking, memory: MemoryExporter) -> None:
    """An escaped exception and an answered one are grouped by the view that raised."""

    @app.get("/<int:number>")
    def order(number: int) -> Any:
        return parse_nonsense()

    @app.errorhandler(ValueError)
    def answer(error: ValueError) -> Any:
        return "sorry", 503

    client = app.test_client()
    for number in range(3):
        assert client.get(f"/{number}").status_code == 503
    assert tracking.flush(20)
    (minute,) = {one.start: one for one in memory.rollups._rollups.values()}.values()
    ((key, group),) = minute.failures.items()
    assert (key.error, key.function, key.url_rule) == (
        "json.decoder.JSONDecodeError",
        "parse_nonsense",
        "/<int:number>",
    )
    assert group.count == 3
    assert group.example is not None
    assert group.example.record_id == memory.records[-1].id
