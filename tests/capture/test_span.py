"""The span as user code sees it."""

from __future__ import annotations

import contextvars
import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId
from flask import Flask, copy_current_request_context, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from flask_tracking import MemoryExporter, Record, Span, Tracking, current_span
from flask_tracking.capture import span as span_module
from flask_tracking.capture.span import MAX_CHILDREN, MAX_KEYS

Only = Callable[[], Record]


def test_outside_a_request_it_does_nothing() -> None:
    """Every method of the no-op span can be called, keeps nothing and never raises."""
    span = current_span()
    span.set("a", 1)
    span.update({"b": 2})
    span.set_user("ada")
    span.record_exception(ValueError())
    span.keep("why")
    span.discard()
    with span.child("part"):
        pass
    assert isinstance(span, Span)
    assert span.is_recording is False
    assert (span.id, span.trace_id, span.span_id) == (ObjectId("0" * 24), "0" * 32, "0" * 16)
    assert current_span() is span
    assert (span.user_id, span.keep_reason, span.exception) == (None, None, None)
    assert span.is_discarded is False


def request_with(app: Flask, act: Callable[[], Any]) -> None:
    """Call `act` in a view."""

    @app.get("/")
    def view() -> str:
        act()
        return "ok"

    assert app.test_client().get("/").text == "ok"


def test_custom_data(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """set and update store values under their keys; the later value of a key holds."""

    def act() -> None:
        tracking.span.set("order_id", 16)
        tracking.span.set("order_id", 17)
        tracking.span.update({"items": ["a", "b"], "total": 9.5})

    request_with(app, act)
    assert only_record().custom_data == {"order_id": 17, "items": ["a", "b"], "total": 9.5}


def test_values_are_copied_when_they_are_set(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A value that changes later is stored as it was."""

    def act() -> None:
        basket = {"items": ["a"]}
        tracking.span.set("basket", basket)
        basket["items"].append("b")

    request_with(app, act)
    assert only_record().custom_data == {"basket": {"items": ["a"]}}


@pytest.mark.parametrize(
    ("set_values", "data", "stored"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"b": 2}, {"a": 1, "b": 1}, {"a": 1, "b": 2}),
        ({}, [1, 2], [1, 2]),
        ({}, "text", "text"),
        ({"b": 2}, [1, 2], {"b": 2, "_tracking_data": [1, 2]}),
        ({"b": 2}, None, {"b": 2}),
        ({}, None, None),
    ],
)
def test_tracking_data_is_merged(
    app: Flask, tracking: Tracking, only_record: Only, set_values: Any, data: Any, stored: Any
) -> None:
    """request._tracking_data is merged with what was set; what is no dict is kept as it is."""

    def act() -> None:
        tracking.span.update(set_values)
        request._tracking_data = data  # type: ignore[attr-defined]

    request_with(app, act)
    assert only_record().custom_data == stored


def test_tracking_data_set_after_the_view(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """What after_request or a stream changes is stored; an object's repr is asked for once."""
    reprs = []

    class Thing:
        def __repr__(self) -> str:
            reprs.append(1)
            return f"Thing {len(reprs)}"

    @app.get("/<kind>")
    def view(kind: str) -> Any:
        data: dict[str, Any] = {"view": True} if kind == "plain" else {"thing": Thing()}
        request._tracking_data = data  # type: ignore[attr-defined]

        def stream() -> Any:
            data["stream"] = True
            yield b"x"

        return stream()

    client = app.test_client()
    assert client.get("/plain").data == b"x"
    assert only_record().custom_data == {"view": True, "stream": True}
    assert client.get("/object").data == b"x"
    assert len(reprs) == 1


def test_budget_of_custom_data(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """Past 64 KiB for all keys, or 1,000 keys, values are cut and a note says so."""

    def act() -> None:
        for name in "ab":
            tracking.span.set(name, name * 40_000)
        for number in range(MAX_KEYS):
            tracking.span.set(f"key {number}", number)

    request_with(app, act)
    record = only_record()
    assert record.custom_data["a"] == "a" * 40_000
    assert record.custom_data["b"] == "<cut>"
    assert len(record.custom_data) == MAX_KEYS
    assert set(record.notes) == {
        "custom data is too large: a value was cut",
        "custom data has too many keys: the rest was cut",
    }


def test_keys_that_mongodb_cannot_hold(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A NUL or a lone surrogate in a key is escaped, a number becomes text."""

    def act() -> None:
        tracking.span.set("a\0b", 1)
        tracking.span.set("\ud800", 2)
        tracking.span.set(7, 3)  # type: ignore[arg-type]

    request_with(app, act)
    assert only_record().custom_data == {"a\\x00b": 1, "\\ud800": 2, "7": 3}


def test_child_spans(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """Children have name, start, duration, and the class of the exception that left them."""

    def act() -> None:
        with tracking.span.child("charge card"), tracking.span.child("inner"):
            pass
        with pytest.raises(ValueError), tracking.span.child("fails"):
            raise ValueError

    request_with(app, act)
    outer, inner, fails = only_record().children
    assert (outer.name, inner.name, fails.name) == ("charge card", "inner", "fails")
    assert (outer.error, fails.error) == (None, "ValueError")
    assert outer.duration_ms is not None and inner.duration_ms is not None
    assert 0 <= outer.start_ms <= inner.start_ms <= fails.start_ms
    assert inner.duration_ms <= outer.duration_ms


def test_exception_that_allows_no_assignment(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """An exception that is a frozen dataclass passes through a child span as it is."""

    @dataclasses.dataclass(frozen=True)
    class Refused(Exception):
        amount: int

    def act() -> None:
        error = Refused(7)
        with pytest.raises(Refused) as caught, tracking.span.child("charge card"):
            raise error
        assert caught.value is error

    request_with(app, act)
    assert [child.error for child in only_record().children] == ["Refused"]


def test_child_timing_as_decorator(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A child timing decorates a function, which may call itself: each call is timed."""

    def act() -> None:
        @tracking.span.child("count")  # type: ignore[operator] # as with contextlib.contextmanager
        def count(number: int) -> int:
            return number and 1 + count(number - 1)

        assert count(2) == 2

    request_with(app, act)
    children = only_record().children
    assert [child.name for child in children] == ["count"] * 3
    assert all(child.duration_ms is not None for child in children)


def test_child_that_outlives_the_request(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A child that has not ended when the request has no duration."""
    children = []

    def act() -> None:
        child = tracking.span.child("endless")
        child.__enter__()
        children.append(child)

    request_with(app, act)
    assert only_record().children[0].duration_ms is None
    children[0].__exit__(None, None, None)


def test_too_many_children(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """The number of children is bounded, and a note says so."""

    def act() -> None:
        for _ in range(MAX_CHILDREN + 1):
            with tracking.span.child("again"):
                pass

    request_with(app, act)
    assert len(only_record().children) == MAX_CHILDREN
    assert only_record().notes == ("too many child spans: the rest was cut",)


def test_recorded_exception(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """An exception that the app handles by itself can be recorded."""

    def act() -> None:
        try:
            raise TimeoutError("payment")
        except TimeoutError as error:
            tracking.span.record_exception(error)

    request_with(app, act)
    record = only_record()
    assert record.exception is not None
    assert (record.status_code, record.exception.type) == (200, "TimeoutError")


def test_keep_wins_over_the_rules(app: Flask, memory: MemoryExporter) -> None:
    """What code keeps is kept whatever the settings exclude, and what it discards is not."""
    app.config["TRACKING_EXCLUDE_METHODS"] = ["GET"]
    tracking = Tracking(app, exporter=memory)
    acts: dict[str, list[Callable[[], None]]] = {
        "nothing": [],
        "keep": [lambda: tracking.span.keep("vip")],
        "discard": [lambda: tracking.span.discard()],
        "keep last": [lambda: tracking.span.discard(), lambda: tracking.span.keep()],
        "discard last": [lambda: tracking.span.keep(), lambda: tracking.span.discard()],
    }

    @app.route("/<act>", methods=["GET", "POST"])
    def view(act: str) -> str:
        for one in acts[act]:
            one()
        return "ok"

    for act in acts:
        app.test_client().get(f"/{act}")
        app.test_client().post(f"/{act}")
    assert [(record.method, record.path) for record in memory.records] == [
        ("POST", "/nothing"),
        ("GET", "/keep"),
        ("POST", "/keep"),
        ("GET", "/keep last"),
        ("POST", "/keep last"),
    ]


def test_span_after_its_end_takes_nothing(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A span that is held on to after the request is harmless and inert."""
    spans: list[Span] = []
    request_with(app, lambda: spans.append(tracking.span))
    (span,) = spans
    span.set("late", 1)
    span.set_user("late")
    span.keep("late")
    span.discard()
    span.record_exception(ValueError())
    with span.child("late"):
        pass
    assert span.is_recording is False
    assert only_record().id == span.id
    assert (span.custom, span.user_id, span.keep_reason, span.children) == ({}, None, None, [])


def test_ids_are_those_of_the_record(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """The span's ids are the record's, and the repr names it."""
    seen: list[Any] = []

    def act() -> None:
        span = tracking.span
        seen.extend([span.id, span.trace_id, span.span_id, repr(span)])

    request_with(app, act)
    record = only_record()
    assert seen == [record.id, record.trace_id, record.span_id, f"<Span {record.id}>"]
    assert record.parent_span_id is None


def test_traceparent_is_continued(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A valid traceparent gives trace and parent; the span has an id of its own."""
    trace_id, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    app.test_client().get("/", headers={"traceparent": f"00-{trace_id}-{parent}-01"})
    record = only_record()
    assert (record.trace_id, record.parent_span_id) == (trace_id, parent)
    assert record.span_id not in (None, parent)


def test_traceparent_that_is_wrong_begins_a_trace(
    app: Flask, tracking: Tracking, only_record: Only
) -> None:
    """A traceparent that is not valid is ignored."""
    app.test_client().get("/", headers={"traceparent": "00-zero-one-01"})
    record = only_record()
    assert record.trace_id is not None and len(record.trace_id) == 32
    assert record.parent_span_id is None


def test_current_span_in_threads(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """Threads with a copied context find the span; a bare thread finds none."""
    found: dict[str, object] = {}

    def look(name: str) -> None:
        found[name] = current_span().id
        current_span().set(name, True)

    def act() -> None:
        copied = copy_current_request_context(look)
        context = contextvars.copy_context()
        threads = [
            threading.Thread(target=copied, args=["flask"]),
            threading.Thread(target=context.run, args=[look, "context"]),
            threading.Thread(target=look, args=["bare"]),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    request_with(app, act)
    record = only_record()
    assert found == {"flask": record.id, "context": record.id, "bare": ObjectId("0" * 24)}
    assert record.custom_data == {"flask": True, "context": True}


def make_app(name: str, memory: MemoryExporter, **config: Any) -> Flask:
    """Make a tracked app whose view notes which span it sees."""
    app = Flask(name)
    app.config["TRACKING_WORKER"] = "sync"
    app.config.update(config)
    tracking = Tracking(app, exporter=memory)

    @app.get("/")
    def index() -> str:
        tracking.span.set("seen by", name)
        return name

    return app


def test_nested_apps(memory: MemoryExporter) -> None:
    """An app inside an app has a record of its own, whose parent is the outer one's span."""
    outer, inner = make_app("outer", memory), make_app("inner", memory)
    outer.wsgi_app.wsgi_app = DispatcherMiddleware(  # type: ignore[attr-defined]
        outer.wsgi_app.wsgi_app,  # type: ignore[attr-defined]
        {"/inner": inner},
    )
    assert outer.test_client().get("/inner/").text == "inner"
    assert outer.test_client().get("/").text == "outer"

    of_inner, of_outer, alone = memory.records
    assert [record.app for record in memory.records] == ["inner", "outer", "outer"]
    assert (of_inner.trace_id, of_inner.parent_span_id) == (of_outer.trace_id, of_outer.span_id)
    assert of_inner.custom_data == {"seen by": "inner"}
    assert (of_outer.custom_data, of_outer.endpoint) == (None, None)
    assert (of_inner.endpoint, of_inner.path) == ("index", "/")
    assert alone.custom_data == {"seen by": "outer"}


def test_excluded_app_inside_an_app(memory: MemoryExporter) -> None:
    """An excluded request of an inner app does not annotate the outer span."""
    outer, inner = make_app("outer", memory), make_app("inner", memory, TRACKING_EXCLUDE=[""])
    outer.wsgi_app.wsgi_app = DispatcherMiddleware(  # type: ignore[attr-defined]
        outer.wsgi_app.wsgi_app,  # type: ignore[attr-defined]
        {"/inner": inner},
    )
    assert outer.test_client().get("/inner/").text == "inner"
    assert [record.app for record in memory.records] == ["outer"]
    assert memory.records[0].endpoint is None


def test_test_client_inside_a_view(app: Flask, tracking: Tracking, memory: MemoryExporter) -> None:
    """Two requests that interleave in one thread keep their own spans."""

    @app.get("/inner")
    def inner() -> str:
        tracking.span.set("inner", True)
        return "inner"

    @app.get("/outer")
    def outer() -> str:
        text = app.test_client().get("/inner").text
        tracking.span.set("outer", True)
        return f"outer with {text}"

    assert app.test_client().get("/outer").text == "outer with inner"
    of_inner, of_outer = memory.records
    assert (of_inner.custom_data, of_outer.custom_data) == ({"inner": True}, {"outer": True})
    assert of_inner.parent_span_id == of_outer.span_id


def test_requests_without_the_middleware_annotate_nothing(
    app: Flask, tracking: Tracking, memory: MemoryExporter
) -> None:
    """test_request_context goes past WSGI: there is no span and no record."""
    with app.test_request_context("/"):
        app.preprocess_request()
        tracking.span.set("a", 1)
        assert tracking.span.is_recording is False
    assert memory.records == []


def test_garbage_that_changes_the_context_meanwhile(
    app: Flask, tracking: Tracking, only_record: Only, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reset that CPython breaks off, because a collection ran within it, reaches nobody."""

    class Disturbed:
        """The variable; what is collected within each reset has left the context as it was."""

        get = span_module.running.get
        set = span_module.running.set

        def reset(self, token: contextvars.Token[Any]) -> None:
            raise LookupError(token)

    app.add_url_rule("/", "index", lambda: "hello")
    monkeypatch.setattr(span_module, "running", Disturbed())
    assert app.test_client().get("/").text == "hello"
    assert only_record().outcome == "ok"
    assert current_span() is span_module.NOOP_SPAN
