"""`Record`: what it holds, what it starts with, and that it gives nothing away."""

from __future__ import annotations

import dataclasses
import pickle
import re
from datetime import datetime, timezone
from typing import Any

import pytest
from bson import ObjectId

from flask_tracking.record import ChildTiming, ExceptionInfo, Record, UserAgent, UserRef

from .captures import make_capture

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
SECRET = "hunter2"


def make_record(**changes: Any) -> Record:
    """Make a record of which only `changes` are not the default."""
    return Record(**{"id": ObjectId("0123456789abcdef01234567"), "date_created": NOON, **changes})


def full_record() -> Record:
    """Make a record that holds the secret in every place where a stranger's text may be."""
    pair = ((SECRET, SECRET),)
    texts = {
        field.name: SECRET
        for field in dataclasses.fields(Record)
        if field.type in ("str", "str | None") and field.name != "kind"
    }
    return make_record(
        **texts,
        request_headers=pair,
        response_headers=pair,
        request_body=SECRET.encode(),
        response_body=SECRET.encode(),
        view_args={SECRET: SECRET},
        custom_data={SECRET: [SECRET]},
        user=UserRef(SECRET, SECRET, SECRET),
        user_agent=UserAgent(*[SECRET] * 7),
        exception=ExceptionInfo(SECRET, SECRET, SECRET),
        children=(ChildTiming(SECRET, 0.0, 1.0, SECRET),),
        notes=(SECRET,),
        status_code=200,
    )


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format])
def test_repr_quotes_nothing(show: Any) -> None:
    """A record in a log line or an assertion names itself and quotes nothing of the request."""
    record = full_record()

    assert SECRET in str(dataclasses.astuple(record))
    assert show(record) == "<Record 0123456789abcdef01234567 request 200>"


@pytest.mark.parametrize("show", [repr, str])
def test_repr_of_a_capture_quotes_nothing(show: Any) -> None:
    """So does a capture."""
    capture = make_capture(path=f"/{SECRET}")
    assert re.fullmatch("<Capture [0-9a-f]{24} request>", show(capture))


def test_record_is_frozen() -> None:
    """No field of a record can be changed or taken away, and none can be added."""
    record = make_record()

    for field in dataclasses.fields(Record):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, field.name, None)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(record, field.name)
    with pytest.raises((AttributeError, TypeError)):
        record.colour = "red"  # type: ignore[attr-defined]


def test_record_can_be_made_anew() -> None:
    """A changed copy leaves the record it was made of as it was."""
    record = make_record(path="/a")

    changed = dataclasses.replace(record, path="/b")

    assert (record.path, changed.path) == ("/a", "/b")
    assert changed.id == record.id
    assert changed != record
    assert dataclasses.replace(changed, path="/a") == record


@pytest.mark.parametrize("missing", ["id", "date_created"])
def test_id_and_arrival_are_demanded(missing: str) -> None:
    """A record without an id or a time of arrival cannot be made."""
    parts: dict[str, Any] = {"id": ObjectId(), "date_created": NOON}
    del parts[missing]

    with pytest.raises(TypeError, match=missing):
        Record(**parts)


def test_fields_are_named() -> None:
    """Fields are given by name only: nobody has to count them."""
    with pytest.raises(TypeError):
        Record(ObjectId(), NOON)  # type: ignore[call-arg, arg-type]


def test_defaults() -> None:
    """What is not given is None, but for sizes, bodies, lists and the words for an ordinary request."""
    record = make_record()

    defaults = {
        name: value
        for name in Record.__dataclass_fields__
        if (value := getattr(record, name)) is not None
    }
    assert defaults == {
        "id": record.id,
        "kind": "request",
        "date_created": NOON,
        "request_headers": (),
        "request_body": b"",
        "request_body_size": 0,
        "response_headers": (),
        "response_body": b"",
        "response_body_size": 0,
        "outcome": "ok",
        "children": (),
        "kept": False,
        "dropped_before": 0,
        "notes": (),
        "redacted": (),
    }


def test_records_cross_processes() -> None:
    """A record survives pickling whole, as everything in it is plain."""
    record = full_record()

    assert pickle.loads(pickle.dumps(record)) == record
