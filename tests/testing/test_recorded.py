"""Assertions about recorded requests hold, or say in one readable text what was recorded instead."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

import pytest
from bson import ObjectId

from flask_tracking import Record
from flask_tracking.record import ChildTiming, ExceptionInfo
from flask_tracking.testing.recorded import RecordedRequest, RecordedRequests, RecordedSpan

ID = "6b0b2833420c3ba6703982aa"
SECRET = "hunter2 & co"


def make_request(**fields: Any) -> Record:
    """Make a record of a short request."""
    values: dict[str, Any] = {
        "method": "GET",
        "path": "/orders",
        "status_code": 200,
        "execution_time": 1.25,
        **fields,
    }
    now = datetime(2026, 11, 29, tzinfo=timezone.utc)
    return Record(id=ObjectId(ID), date_created=now, **values)


FAILED = make_request(
    method="POST",
    path="/pay",
    query_params="a=1",
    status_code=500,
    execution_time=1234.5,
    exception=ExceptionInfo("ZeroDivisionError", "division\nby zero", "Traceback"),
)
CHILDREN = make_request(
    children=tuple(ChildTiming(name, 0.0, 1.0, None) for name in ("db query", "db query", "charge"))
)


def make_requests(*records: Record) -> RecordedRequests:
    """Return what the fixture would."""
    return RecordedRequests(lambda: records)


HOLD: list[Callable[[], object]] = [
    lambda: (
        make_requests(make_request()).assert_status(200).assert_faster_than(2).assert_no_secret("x")
    ),
    lambda: make_requests(make_request(), FAILED).assert_status(200, 500),
    lambda: make_requests(FAILED).one(path="/pay", method="POST").assert_status(500),
    lambda: make_requests(CHILDREN).assert_children("db query"),
    lambda: make_requests(CHILDREN).assert_children("db query", at_least=2, at_most=2),
    lambda: make_requests(CHILDREN).assert_children("mail", at_most=1),
    lambda: make_requests(CHILDREN).one().assert_children("charge", at_most=3).assert_status(200),
    lambda: make_requests(FAILED).assert_none(path="/orders"),
    lambda: make_requests(make_request(), FAILED).one("status:5xx slow:>1s", method="POST"),
    lambda: make_requests(make_request(), FAILED).where("not path:/pay").assert_status(200),
    lambda: make_requests().assert_none(),
]


@pytest.mark.parametrize("check", HOLD)
def test_assertions_hold(check: Callable[[], object]) -> None:
    """What was recorded as expected passes, also in a chain."""
    check()


NOTHING = (
    "No request was recorded in this test. Settings like TRACKING_EXCLUDE and calls like "
    "span.discard() leave requests out."
)
TABLE = f"Recorded:\n  method  path     status    took  id\n  GET     /orders  200     1.2 ms  {ID}"
FAIL: list[tuple[Callable[[], object], str]] = [
    (
        lambda: make_requests(make_request(), FAILED).assert_status(200, 201),
        "POST /pay?a=1 was answered 500 (ZeroDivisionError: division\\nby zero), expected 200 or 201",
    ),
    (
        lambda: make_requests(make_request(), FAILED).assert_faster_than(2),
        "POST /pay?a=1 took 1,234.5 ms, expected less than 2 ms",
    ),
    (
        lambda: make_requests(CHILDREN).assert_children("db query", at_most=1),
        "GET /orders: expected at most 1 child span 'db query'; recorded: 2 × 'db query', 1 × 'charge'",
    ),
    (
        lambda: make_requests(make_request()).one().assert_children("mail"),
        "GET /orders: expected at least 1 child span 'mail'; recorded: none",
    ),
    (
        lambda: make_requests(make_request()).assert_children("mail", at_least=1, at_most=2),
        "GET /orders: expected at least 1 and at most 2 child spans 'mail'; recorded: none",
    ),
    (
        lambda: make_requests(make_request()).assert_none(),
        f"Expected no request, but 1 was recorded.\n{TABLE}",
    ),
    (
        lambda: make_requests(make_request(request_body=b"a hunter2 b")).assert_no_secret("hunter2"),
        "The secret of GET /orders is stored in request_body\n"
        "Add its name to TRACKING_REDACT_NAMES, or its format to TRACKING_REDACT_PATTERNS.",
    ),
    (lambda: make_requests().assert_status(200), NOTHING),
    (lambda: make_requests().assert_no_secret("hunter2"), NOTHING),
    (lambda: make_requests().where("status:5xx").assert_status(500), NOTHING),
    (
        lambda: make_requests(make_request()).where("status:5xx").assert_status(500),
        f"None of the 1 recorded request matches status:5xx.\n{TABLE}",
    ),
    (
        lambda: RecordedSpan(make_requests(make_request()).where(method="PUT")).data,
        f"None of the 1 recorded request matches method='PUT'.\n{TABLE}",
    ),
    (lambda: make_requests().one(), f"Expected one request, but none were recorded. {NOTHING}"),
    (lambda: RecordedSpan(make_requests()).data, NOTHING),
    (
        lambda: make_requests(make_request(), FAILED).one(path="/x", method="GET"),
        "Expected one request with path='/x', method='GET', but none were recorded.\n"
        "Recorded:\n  method  path      status        took  id\n"
        f"  GET     /orders   200         1.2 ms  {ID}\n"
        f"  POST    /pay?a=1  500     1,234.5 ms  {ID}",
    ),
    (
        lambda: make_requests(make_request()).where("status:4xx").one("path:/a", user_id="ada"),
        "Expected one request with status:4xx, path:/a, user_id='ada', but none were recorded.\n"
        f"{TABLE}",
    ),
    (
        lambda: make_requests(make_request(), FAILED).one(),
        "Expected one request, but 2 were recorded.",
    ),
    (
        lambda: make_requests(make_request(outcome="unread")).assert_none(path="/orders"),
        "Expected no request with path='/orders', but 1 was recorded.\n"
        "Recorded:\n  method  path     status    took  outcome  id\n"
        f"  GET     /orders  200     1.2 ms  unread   {ID}",
    ),
    (
        lambda: RecordedSpan(make_requests(make_request(custom_data={"a": 1})))["b"],
        "GET /orders did not set 'b'. It set: {'a': 1}",
    ),
]


@pytest.mark.parametrize(("check", "message"), FAIL)
def test_failures_are_readable(check: Callable[[], object], message: str) -> None:
    """A failure says which request, what was seen, and what was expected."""
    with pytest.raises(AssertionError) as caught:
        check()
    assert str(caught.value).startswith(message)


PLACES: list[tuple[str, dict[str, Any]]] = [
    ("path", {"path": f"/{SECRET}"}),
    ("query_params", {"query_params": f"a={quote(SECRET)}"}),
    ("query_params", {"query_params": f"a={SECRET.replace(' ', '+').replace('&', '%26')}"}),
    ("request_headers.X-Api-Key", {"request_headers": (("X-Api-Key", SECRET),)}),
    ("response_headers.Location", {"response_headers": (("Vary", "*"), ("Location", f"/{SECRET}"))}),
    ("request_body", {"request_body": b"\xff" + SECRET.encode()}),
    ("response_body", {"response_body": json.dumps({"a": f'"{SECRET}"'}).encode()}),
    *(
        ("user_id", {"user_id": base64.b64encode(b"-" * n + SECRET.encode()).decode()})
        for n in range(4)
    ),
    ("custom_data.deep.0.note", {"custom_data": {"deep": [{"note": SECRET}]}}),
    ("custom_data", {"custom_data": {SECRET: 1}}),
    ("children.0.name", {"children": (ChildTiming(SECRET, 0.0, 1.0, None),)}),
    ("exception.message", {"exception": ExceptionInfo("E", SECRET, "")}),
    ("view_args.name", {"view_args": {"name": SECRET}}),
]


@pytest.mark.parametrize(("place", "fields"), PLACES)
def test_secrets_are_found_everywhere(place: str, fields: dict[str, Any]) -> None:
    """A secret is found in each field, also encoded, and the message names the place, not the value."""
    requests = make_requests(make_request(**fields))
    requests.assert_no_secret("hunter3 & co")
    with pytest.raises(AssertionError) as caught:
        requests.assert_no_secret(SECRET)
    assert f"is stored in {place}\n" in str(caught.value)


def test_wrong_calls_say_what_is_right() -> None:
    """A field that no record has, or an empty secret, is an error of the test."""
    with pytest.raises(
        TypeError, match="A record has no field 'stauts_code'. Did you mean 'status_code'?"
    ):
        make_requests().where(stauts_code=1)
    with pytest.raises(TypeError, match="A record has no field 'x'. There are: id, kind,"):
        make_requests().one(x=1)
    with pytest.raises(ValueError, match="empty text"):
        make_requests(make_request()).assert_no_secret("")


def test_index_out_of_range_says_what_was_recorded() -> None:
    """An index without a request is an IndexError, as of any sequence, that says what there is."""
    with pytest.raises(IndexError) as caught:
        make_requests()[0]
    assert str(caught.value) == f"No request has the index 0: none were recorded. {NOTHING}"
    with pytest.raises(IndexError) as caught:
        make_requests(make_request())[-2]
    assert str(caught.value) == f"No request has the index -2: 1 was recorded.\n{TABLE}"


def test_requests_are_records() -> None:
    """A request has all fields of its record, and a sequence of them is read anew at each use."""
    records = [make_request()]
    requests = RecordedRequests(lambda: records)
    first = requests[0]
    assert isinstance(first, RecordedRequest)
    assert vars(first) == vars(records[0])
    assert repr(first) == f"<RecordedRequest GET /orders 200 {ID}>"
    records.append(dataclasses.replace(FAILED, path="/" + "x" * 9))
    assert [one.path for one in requests.where(status_code=500).where(method="POST")] == ["/xxxxxxxxx"]
    assert [one.path for one in requests[1:]] == ["/xxxxxxxxx"]
    assert repr(requests) == "<RecordedRequests: GET /orders 200, POST /xxxxxxxxx?a=1 500>"
    assert repr(RecordedRequests(list)) == "<RecordedRequests: none>"


def test_long_lists_are_cut() -> None:
    """A message lists the newest requests, and says how many came before."""
    with pytest.raises(AssertionError) as caught:
        make_requests(*[make_request()] * 1000).one()
    lines = str(caught.value).splitlines()
    assert lines[1:3] == ["Recorded:", "  (980 earlier requests)"]
    assert len(lines) == 24


@pytest.mark.parametrize("criteria", [("path:/order/3",), {"path": "/order/3"}])
def test_most_similar_path_comes_first(criteria: Any) -> None:
    """Where a long list hides the request that was meant, a message shows it in front."""
    records = [make_request(path="/orders/3"), *[make_request(path="/health")] * 20]
    text, fields = (criteria, {}) if isinstance(criteria, tuple) else ((), criteria)
    with pytest.raises(AssertionError) as caught:
        make_requests(*records).one(*text, **fields)
    _, heading, _, row, *rest = str(caught.value).splitlines()
    assert heading == "The most similar path:"
    assert "/orders/3" in row
    assert rest[:2] == ["Recorded:", "  (1 earlier request)"]
    assert "/orders/3" not in "\n".join(rest)
    with pytest.raises(AssertionError) as caught:
        make_requests(*records[:20]).where(*text, **fields).assert_status(200)
    assert "similar" not in str(caught.value)


def test_span() -> None:
    """The span shows what the last view set."""
    request = make_request(
        custom_data={"order_id": 17}, user_id="acme:42", kept_reason="vip", children=CHILDREN.children
    )
    span = RecordedSpan(make_requests(FAILED, request))
    assert (span["order_id"], span.data) == (17, {"order_id": 17})
    assert (span.user_id, span.kept_reason, span.exception) == ("acme:42", "vip", None)
    assert [child.name for child in span.children] == ["db query", "db query", "charge"]
    assert span.request.path == "/orders"
    assert repr(span) == "<RecordedSpan: GET /orders {'order_id': 17}>"
    assert repr(RecordedSpan(make_requests())) == "<RecordedSpan: none>"
