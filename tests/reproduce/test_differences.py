"""What two responses differ in."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_tracking import Record
from flask_tracking.reproduce.differences import VOLATILE_HEADERS, compare_json, compare_responses

from ..captures import make_record

JSON = (("Content-Type", "application/json"),)
DEEP = b"[" * 900 + b"%b" + b"]" * 900


@pytest.mark.parametrize(
    ("recorded", "replayed", "lines"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": 2}, ["$.a has another value: 1 → 2"]),
        ({"a": 1}, {"a": "1"}, ['$.a has another type: 1 → "1"']),
        ({"a": 1}, {"a": True}, ["$.a has another type: 1 → true"]),
        ({"a": None}, {}, ["$.a is missing: null"]),
        ({}, {"a b": [1]}, ['$["a b"] is extra: [1]']),
        ([1, 2, 3], [3, 1, 2], ["$ has another order"]),
        ([1, 2, 3], [1, 3], ["$[1] is missing: 2"]),
        ([1, 3], [1, 2, 3], ["$[1] is extra: 2"]),
        ([True, 2], [1, 2], ["$[0] has another type: true → 1"]),
        ([[{"a": [0]}], 2], [[{"a": [False]}], 2.0], ["$[0][0].a[0] has another type: 0 → false"]),
        ([{"id": 1}, {"id": 2}], [{"id": 1}, {"id": 3}], ["$[1].id has another value: 2 → 3"]),
        ({"a": {"b": [[]]}}, {"a": {"b": [{}]}}, ["$.a.b[0] has another type: [] → {}"]),
        ("é", "e", ['$ has another value: "é" → "e"']),
        ("x" * 300, "", [f'$ has another value: "{"x" * 199}… → ""']),
        ("\ud800", "", [r'$ has another value: "\ud800" → ""']),
        ({"a": 1, "b": 2}, {"b": 3, "a": 1}, ["$.b has another value: 2 → 3"]),
    ],
)
def test_json(recorded: Any, replayed: Any, lines: list[str]) -> None:
    """Values are compared by their path, and each difference has a kind."""
    assert list(map(str, compare_json(recorded, replayed))) == lines


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=10,
)


@given(VALUES, VALUES)
def test_differences_of_any_json(one: Any, other: Any) -> None:
    """There are differences where the two are not the same, and only there."""
    assert list(compare_json(one, one)) == []
    is_same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (not list(compare_json(one, other))) is is_same


def make_response(body: bytes = b"hello", **parts: Any) -> Record:
    """Make a record with a response."""
    return dataclasses.replace(make_record(), response_body=body, **parts)


def lines(recorded: Record, replayed: Record) -> list[str]:
    """Return the differences of two records, a line each."""
    return [line for one in compare_responses(recorded, replayed) for line in str(one).splitlines()]


def test_same() -> None:
    """A response does not differ from itself."""
    assert lines(make_response(), make_response()) == []


def test_status_and_headers() -> None:
    """The status and headers are compared, but not those that follow from the time or the server."""
    volatile = tuple((name.title(), "1") for name in sorted(VOLATILE_HEADERS))
    recorded = make_response(response_headers=(*volatile, ("X-A", "1"), ("x-b", "1"), ("X-B", "2")))
    replayed = make_response(response_headers=(("X-B", "1, 3"), ("X-C", "é")), status_code=500)
    assert lines(recorded, replayed) == [
        "status has another value: 200 → 500",
        'headers.X-A is missing: "1"',
        'headers.X-B has another value: "1, 2" → "1, 3"',
        'headers.X-C is extra: "é"',
    ]


def test_text() -> None:
    """Text is compared line by line, as a unified diff."""
    assert lines(make_response(b"a\nb\nc\n"), make_response(b"a\nB\nc\n")) == [
        "body:",
        "--- recorded",
        "+++ replayed",
        "@@ -1,3 +1,3 @@",
        " a",
        "-b",
        "+B",
        " c",
    ]


def test_bytes() -> None:
    """Of what is no text only the sizes are said."""
    assert lines(make_response(b"\xff"), make_response(b"\xfe\x00")) == [
        "body has another value: 1 bytes → 2 bytes"
    ]


@pytest.mark.parametrize(
    ("recorded", "replayed", "expected"),
    [
        (b'{"a": 1}', b'{"a": 2}', ["$.a has another value: 1 → 2"]),
        (b'{"a": 1}', b'{ "a": 1 }', []),
        (b'{"t": "[redacted]"}', b'{"t": "[redacted #1f3a90c2]"}', []),
        (b'{"a": 1}', b"oops", ["body:", "--- recorded", "+++ replayed"]),
        (DEEP % b"1", DEEP % b"2", ["body:", "--- recorded", "+++ replayed"]),
    ],
)
def test_json_bodies(recorded: bytes, replayed: bytes, expected: list[str]) -> None:
    """Bodies of JSON are compared by path, redacted values are equal, and broken JSON is text."""
    found = lines(
        make_response(recorded, response_headers=JSON), make_response(replayed, response_headers=JSON)
    )
    assert found[:3] == expected


def test_cut_body() -> None:
    """What is not whole is not compared."""
    assert lines(make_response(b"he", response_body_note="truncated"), make_response(b"hello")) == []


@pytest.mark.parametrize("outcome", ["disconnected", "stream_error", "unread"])
def test_body_that_was_not_sent_whole(outcome: str) -> None:
    """A body whose client left, or that broke off, is not compared with a whole one."""
    assert lines(make_response(b"he", outcome=outcome), make_response(b"hello")) == []
