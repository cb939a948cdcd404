"""Records as plain dicts, and back: whatever stores them can rely on one way of reading."""

from __future__ import annotations

import dataclasses
import math
from datetime import datetime, timezone
from typing import Any

import pytest
from bson import ObjectId

from flask_tracking.codec import from_dict, summary_from_dict, to_dict
from flask_tracking.record import ChildTiming, ExceptionInfo, Record, Remark, UserAgent, UserRef
from flask_tracking.record_summary import summarize

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
SAMPLES: dict[str, Any] = {
    "Any": {"a": [1, b"2", NOON]},
    "ObjectId | None": ObjectId("6b0b2833420c3ba6703982ab"),
    "ObjectId": ObjectId(),
    "bool": True,
    "bytes": b"\x00\xff",
    "datetime": NOON,
    "dict[str, str] | None": {"id": "7"},
    "float | None": 1.5,
    "int": 7,
    "int | None": 7,
    "str": "text",
    "str | None": "text",
    "tuple[str, ...]": ("one", "two"),
    "tuple[tuple[str, str], ...]": (("Accept", "*/*"), ("Accept", "text/html")),
    "tuple[ChildTiming, ...]": (ChildTiming("a", 1.5, 2.5, None), ChildTiming("b", 3.0, None, "E")),
    "tuple[Remark, ...]": (Remark("path", "name", 3, 7), Remark("path", "name", 3, 7, 3, 10)),
    "ExceptionInfo | None": ExceptionInfo("ValueError", "no", "Traceback …"),
    "UserAgent | None": UserAgent("firefox", "120.0", None, None, "Mozilla/5.0", "Firefox", None),
    "UserRef | None": UserRef("User", "users", ObjectId()),
}
"""A value for each type that a field has."""
FULL = Record(**{field.name: SAMPLES[str(field.type)] for field in dataclasses.fields(Record)})
EMPTY = Record(id=ObjectId(), date_created=NOON)


@pytest.mark.parametrize("record", [FULL, EMPTY], ids=["full", "empty"])
def test_record_comes_back(record: Record) -> None:
    """Every field survives."""
    assert from_dict(to_dict(record)) == record


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -1.0, 1e300, 10**400])
def test_duration_that_none_can_be(wrong: float) -> None:
    """Another program may have stored it: it is not known, and the record is read all the same."""
    child = {"name": "a", "start_ms": wrong, "duration_ms": wrong}
    values = {**to_dict(FULL), "execution_time": wrong, "children": [child]}
    record = from_dict(values)
    assert (record.execution_time, record.time_to_first_byte) == (None, FULL.time_to_first_byte)
    assert record.children == (ChildTiming("a", 0.0, None, None),)
    assert summary_from_dict(values).execution_time is None


def test_dict_is_plain() -> None:
    """Parts are dicts without what is not known, and what says nothing is left out."""
    values = to_dict(FULL)
    assert values["children"] == [
        {"name": "a", "start_ms": 1.5, "duration_ms": 2.5},
        {"name": "b", "start_ms": 3.0, "error": "E"},
    ]
    assert values["user"] == {"class_name": "User", "collection": "users", "id": FULL.user.id}  # type: ignore[union-attr]
    assert "platform" not in values["user_agent"]
    assert to_dict(EMPTY).keys().isdisjoint({"children", "notes", "redacted", "kept", "user", "path"})


def test_what_is_no_field_is_left_out() -> None:
    """Names of another version, or of the store's own, are no hindrance."""
    assert from_dict({**to_dict(EMPTY), "date_stored": NOON, "colour": "red"}) == EMPTY


@pytest.mark.parametrize("missing", ["id", "date_created"])
def test_what_every_record_has(missing: str) -> None:
    """Without an id or a time of arrival it is no record."""
    with pytest.raises(TypeError, match=missing):
        from_dict({**to_dict(EMPTY), missing: None})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("path", 7),
        ("status_code", "500"),
        ("date_created", "2026-11-24"),
        ("execution_time", "slow"),
        ("view_args", ["id"]),
        ("user_agent", "curl"),
        ("user", "ada"),
        ("exception", ["ValueError"]),
        ("children", [7]),
        ("notes", 7),
        ("request_headers", 7),
        ("redacted", ["path"]),
    ],
)
def test_wrong_types(name: str, value: object) -> None:
    """A value of a type that no record has there is an error, and never a record."""
    with pytest.raises((TypeError, ValueError, AttributeError)):
        from_dict({**to_dict(EMPTY), name: value})


def test_what_others_have_written() -> None:
    """Times as whole numbers, bodies as text and headers as a mapping are read as what they mean."""
    values = {"execution_time": 12, "request_body": "a=1", "request_headers": {"A": 1}}
    record = from_dict({**to_dict(EMPTY), **values})
    assert (record.execution_time, type(record.execution_time)) == (12.0, float)
    assert (record.request_body, record.request_headers) == (b"a=1", (("A", "1"),))


@pytest.mark.parametrize("record", [FULL, EMPTY], ids=["full", "empty"])
def test_summary_of_a_dict(record: Record) -> None:
    """A summary is read of the same dicts, and wrong types are errors as well."""
    assert summary_from_dict(to_dict(record)) == summarize(record)
    for wrong in ({"path": 7}, {"status_code": "500"}, {"exception": "ValueError"}, {"id": None}):
        with pytest.raises((TypeError, AttributeError)):
            summary_from_dict({**to_dict(record), **wrong})
