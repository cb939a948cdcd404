"""A mark on what a view hides is named in the log, and nothing else is."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView
from werkzeug.local import LocalProxy

from flask_tracking import MemoryExporter, Tracking

Said = Callable[[], list[str]]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """Return what was said in the log."""
    caplog.set_level(logging.INFO, "flask_tracking")
    return lambda: [record.getMessage() for record in caplog.records]


class Report:
    """Calls itself a view, and is none."""

    def show(self) -> str:
        return "ok"


def hide(view: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a view as careless decorators do."""

    def hidden() -> Any:
        return view()

    return hidden


def show() -> str:
    """Answer, as a view of its own."""
    return "ok"


def own_show() -> Callable[..., Any]:
    """Return a view that no other test has marked."""

    def shown() -> str:
        return "ok"

    return shown


class Calling:
    """A view that is an object, and says not what it calls."""

    def __init__(self, view: Callable[..., Any]) -> None:
        self.view = view

    def __call__(self) -> Any:
        return self.view()


HIDING: dict[str, Callable[[Any], Any]] = {
    "closure": hide,
    "closure in a closure": lambda view: hide(hide(view)),
    "closure of a partial": lambda view: hide(functools.partial(view)),
    "argument of a partial": lambda view: functools.partial(lambda hidden: hidden(), view),
    "attribute of an object": Calling,
    "wrapped closure": lambda view: functools.wraps(show)(hide(view)),
}


@pytest.mark.parametrize("hiding", HIDING.values(), ids=HIDING)
@pytest.mark.parametrize("of_class", [False, True])
def test_hidden_mark(
    app: Flask, memory: MemoryExporter, tracking: Tracking, said: Said, hiding: Any, of_class: bool
) -> None:
    """What is marked and only held by a wrapper is answered, recorded, and named once."""

    @tracking.exclude
    class Own(Report):
        pass

    target = own_show()
    if of_class:
        target = Own().show
    else:
        tracking.exclude(target)
    app.add_url_rule("/", "index", hiding(target))
    for _ in range(2):
        assert app.test_client().get("/").text == "ok"
    assert len(memory.records) == 2
    (line,) = said()
    name = f"{__name__}.{Own.__qualname__ if of_class else target.__qualname__}"
    assert line == (
        f"The mark on {name} has no effect: the view of the endpoint 'index' holds it in a wrapper "
        "that hides it. Use functools.wraps there, or mark the view."
    )


def test_hidden_instance(app: Flask, tracking: Tracking, said: Said) -> None:
    """A view that calls a method of an object in its closure hides the mark of its class."""

    @tracking.exclude_body
    class Own(Report):
        pass

    own = Own()
    app.add_url_rule("/", "index", lambda: own.show())
    assert app.test_client().get("/").text == "ok"
    assert len(said()) == 1


def test_no_false_alarm(app: Flask, tracking: Tracking, said: Said) -> None:
    """Marks that are found, that are for another app, or for no view of this one, are left alone."""

    @tracking.exclude_body
    class Unused(Report):
        pass

    @tracking.keep
    class Page(MethodView):
        @tracking.exclude_body
        def get(self) -> str:
            return "ok"

    both = tracking.keep(own_show())
    tracking.exclude_body(Blueprint("unused", __name__))
    tracking.keep(own_show())
    app.add_url_rule("/", "index", hide(both))
    app.add_url_rule("/both", "both", both)
    app.add_url_rule("/page", view_func=hide_nothing(Page.as_view("page")))
    assert app.test_client().get("/").text == "ok"
    assert Unused().show() == "ok"
    assert said() == []


def hide_nothing(view: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a view as careful decorators do."""

    @functools.wraps(view)
    def shown(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return shown


def test_nothing_foreign_is_touched(app: Flask, tracking: Tracking, said: Said) -> None:
    """Of what else a view holds no attribute is read: it may ask a database, or not be there."""
    read = []

    class Lazy:
        def __getattr__(self, name: str) -> Any:
            read.append(name)
            raise RuntimeError

    def fail() -> Any:
        raise RuntimeError("not connected")

    tracking.keep(own_show())
    lazy, proxy = Lazy(), LocalProxy(fail)

    def view() -> str:
        return "ok" if type(lazy) is Lazy and type(proxy) is LocalProxy else "no"

    app.add_url_rule("/", "index", view)
    app.add_url_rule("/empty", "empty", make_empty())
    assert app.test_client().get("/").text == "ok"
    assert (read, said()) == ([], [])


def make_empty() -> Callable[[], str]:
    """Return a view with an empty cell in its closure."""
    word = "never"

    def view() -> str:
        return word  # noqa: F821 - gone on purpose

    del word
    return view
