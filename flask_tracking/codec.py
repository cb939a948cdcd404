"""`Record` to a plain dict and back, for whatever stores or sends records.

How a field is read follows from its type, so a field that is added to `Record` is read as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from .record import ChildTiming, ExceptionInfo, Headers, Record, Remark, UserAgent, UserRef
from .record_summary import RECORD_FIELDS, RecordSummary

__all__ = ["from_dict", "summary_from_dict", "summary_to_dict", "to_dict"]

MAX_MS = 1e12
"""Thirty years."""

Plain = dict[str, Any]
Read = Callable[[Any], Any]
Part = UserRef | UserAgent | ExceptionInfo | ChildTiming | Remark


def to_dict(record: Record) -> Plain:
    """Return the fields of `record` by name, its parts as dicts, without None and empty values.

    Headers stay pairs. Ids, times, bytes and custom data stay what they are.
    """
    values = vars(record).copy()  # and not name by name, which takes twice as long
    for name in _OPTIONAL_FIELDS:
        if values[name] is None:
            del values[name]
    if record.user is not None:
        values["user"] = record.user._asdict()
    if record.user_agent is not None:
        values["user_agent"] = _without_none(record.user_agent)
    if record.exception is not None:
        values["exception"] = _without_none(record.exception)
    for name in ("children", "notes", "redacted", "kept"):
        if not values[name]:
            del values[name]
    if record.children:
        values["children"] = [_without_none(child) for child in record.children]
    if record.redacted:
        values["redacted"] = [_without_none(remark) for remark in record.redacted]
    return values


_OPTIONAL_FIELDS = tuple(field.name for field in dataclasses.fields(Record) if field.default is None)


def _without_none(part: Part) -> Plain:
    return {name: item for name, item in zip(part._fields, part, strict=True) if item is not None}


def from_dict(values: Mapping[str, Any]) -> Record:
    """Return the record of `values`; missing fields and None get their default.

    Unknown names are ignored. Whole numbers of milliseconds, bodies as text and headers as a
    mapping are read as well: the first flask-tracking, or an app's callback, may have left them.

    Raises:
        TypeError, ValueError, AttributeError: something has a type that no record has there, or the id
            or the time of arrival is missing.
    """
    return Record(
        **{name: read(values[name]) for name, read in _READERS.items() if values.get(name) is not None}
    )


def summary_from_dict(values: Mapping[str, Any]) -> RecordSummary:
    """Return the summary of what `from_dict` reads; no more is needed than what the summary shows.

    Raises:
        TypeError, ValueError, AttributeError: as `from_dict`.
    """
    known = {name: values[name] for name in RECORD_FIELDS if values.get(name) is not None}
    summary = {name: _READERS[name](value) for name, value in known.items()}
    exception = values.get("exception")
    if exception is not None and exception.get("type") is not None:
        summary["exception_type"] = _read_text(exception["type"])
    return RecordSummary(**summary)


def summary_to_dict(summary: RecordSummary) -> Plain:
    """Return the fields of `summary` by name, all of them, with its part of the exception as a dict."""
    values = summary._asdict()
    kind = values.pop("exception_type")
    return {**values, "exception": None if kind is None else {"type": kind}}


def _as_it_is(value: Any) -> Any:
    return value


def _of_type(kind: type) -> Read:
    def read(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError(f"a {kind.__name__} is expected, and not a {type(value).__name__}")
        return value

    return read


_read_text = _of_type(str)


def _read_exception(values: Any) -> ExceptionInfo:
    return ExceptionInfo(*(_read_text(values.get(name) or "") for name in ExceptionInfo._fields))


def _read_duration(value: Any) -> float | None:
    """Return milliseconds; None for what no request can take: no page and no sum could cope with it."""
    if not isinstance(value, (int, float)):
        raise TypeError(f"a number is expected, and not a {type(value).__name__}")
    return float(value) if 0 <= value <= MAX_MS else None


def _read_child(values: Any) -> ChildTiming:
    child: ChildTiming = _read_part(ChildTiming)(values)
    start_ms, duration_ms = (
        None if one is None else _read_duration(one) for one in (child.start_ms, child.duration_ms)
    )
    return child._replace(start_ms=start_ms or 0.0, duration_ms=duration_ms)


def _read_body(body: Any) -> bytes:
    return bytes(body) if isinstance(body, (bytes, bytearray)) else str(body).encode()


def _read_headers(headers: Any) -> Headers:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((str(name), str(value)) for name, value in pairs)


def _read_part(kind: Callable[..., Any]) -> Read:
    names: Sequence[str] = kind._fields  # type: ignore[attr-defined]

    def read(values: Any) -> Any:
        return kind(*(values.get(name) for name in names))

    return read


def _read_all(read: Read) -> Read:
    return lambda values: tuple(map(read, values))


_READ_BY_TYPE: dict[str, Read] = {
    "Any": _as_it_is,
    "ObjectId": _of_type(ObjectId),
    "ObjectId | None": _of_type(ObjectId),
    "bool": _as_it_is,
    "bytes": _read_body,
    "datetime": _of_type(datetime),
    "dict[str, str] | None": _of_type(Mapping),
    "float | None": _read_duration,
    "int": _of_type(int),
    "int | None": _of_type(int),
    "str": _of_type(str),
    "str | None": _of_type(str),
    "tuple[str, ...]": tuple,
    "tuple[tuple[str, str], ...]": _read_headers,
    "tuple[ChildTiming, ...]": _read_all(_read_child),
    "tuple[Remark, ...]": _read_all(_read_part(Remark)),
    "ExceptionInfo | None": _read_exception,
    "UserAgent | None": _read_part(UserAgent),
    "UserRef | None": _read_part(UserRef),
}
"""By the type of a field how its value is read."""

_READERS = {field.name: _READ_BY_TYPE[str(field.type)] for field in dataclasses.fields(Record)}
