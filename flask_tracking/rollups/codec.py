"""Convert a `Rollup` to a plain dict and back, for stores and files.

Lists are packed as BSON inside the document, because some servers parse each field, which takes
milliseconds for hundreds of them. Reading checks each value: whatever other programs write, only what
can be summed, stored and shown comes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeVar

import bson
from bson import Int64, ObjectId
from bson.errors import BSONError

from .counts import Counts
from .histogram import pack
from .rollup import Example, FailureKey, Failures, Rollup, RouteKey

__all__ = ["Start", "is_foreign", "rollup_from_dict", "rollup_to_dict", "start_from_dict"]

Document = dict[str, Any]
Start = tuple[datetime, str | None]
"""When a rollup begins, and its version."""

T = TypeVar("T")

_SUMS = ("failed", "duration_us", "max_us", "request_bytes", "response_bytes")
"""The numbers of `Counts`."""
MAX_NUMBER = 2**63 - 1
"""The largest number in BSON. Larger sums are stored as this."""
MAX_OCTAVE = 64
"""No half octave of a duration is farther from that of a second."""
_read_failure_key = itemgetter(*FailureKey._fields)
_NUMBERS = frozenset({int, Int64})
_UNREADABLE = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
    BSONError,
)
FORMAT = 1
"""Raised when documents change in a way that older versions would read wrongly."""


def rollup_to_dict(rollup: Rollup) -> Document:
    """Return `rollup` as a document of BSON types."""
    return {
        "_id": rollup.id,
        "format": FORMAT,
        "width_s": rollup.width_s,
        "start": rollup.start,
        "source": rollup.source,
        "version": rollup.version,
        "etag": rollup.etag,
        "is_merged": rollup.is_merged,
        "is_final": rollup.is_final,
        "revision": rollup.revision,
        "is_open": rollup.is_open,
        "stored": _fit(rollup.stored),
        "not_stored": _fit(rollup.not_stored),
        "dropped": {reason: _fit(count) for reason, count in rollup.dropped.items()},
        "waiting": _fit(rollup.waiting),
        "lag_ms": _fit(rollup.lag_ms),
        "all": {
            **_counts_to_dict(rollup.total),
            "examples": _pack_list(
                [octave, *example] for octave, example in sorted(rollup.examples.items())
            ),
        },
        "failures": _pack_list(map(_failure_to_dict, rollup.failures.items())),
        "other_failures": _fit(rollup.other_failures),
        "routes": _pack_list(
            {"url_rule": key.url_rule, "method": key.method, **_counts_to_dict(counts)}
            for key, counts in rollup.routes.items()
        ),
    }


def _pack_list(values: Iterable[Any]) -> bytes:
    return bson.encode({"list": list(values)})


def _unpack_list(packed: Any) -> list[Any]:
    return [] if packed is None else _of_type(bson.decode(_of_type(packed, bytes))["list"], list)


def _counts_to_dict(counts: Counts) -> Document:
    return {
        # A list, because the keys of a document must be text.
        "statuses": [_fit(number) for pair in sorted(counts.statuses.items()) for number in pair],
        **{name: _fit(getattr(counts, name)) for name in _SUMS},
        "durations": pack(counts.buckets),
    }


def _fit(number: int) -> int:
    return min(number, MAX_NUMBER)


def _failure_to_dict(failure: tuple[FailureKey, Failures]) -> Document:
    key, group = failure
    example = None if group.example is None else [*group.example]
    return {**key._asdict(), "count": _fit(group.count), "example": example}


def rollup_from_dict(document: Mapping[str, Any], route: RouteKey | None = None) -> Rollup | None:
    """Return the rollup in `document`, which may have been read without some of its parts.

    Args:
        document: the result of `rollup_to_dict`, or that without its routes, failures or examples.
        route: the only route to read, with the failures of its rule; None for all.

    Returns:
        The rollup; None if the document is not a rollup or has a later format, because other versions
        and programs may write to the collection.
    """
    try:
        return _read(document, route) if document["format"] == FORMAT else None
    except _UNREADABLE:
        return None


def start_from_dict(document: Mapping[str, Any]) -> Start | None:
    """Return when the rollup in `document` begins, which needs no more; None if it is not a rollup."""
    try:
        if document["format"] == FORMAT:
            return _read_time(document["start"]), _read_text_or_none(document["version"])
    except _UNREADABLE:
        pass
    return None


def is_foreign(document: Mapping[str, Any]) -> bool:
    """Return True if a document that is not a rollup does not have a later format either."""
    number: Any = document.get("format")
    return type(number) not in _NUMBERS or number <= FORMAT


def _read(document: Mapping[str, Any], route: RouteKey | None) -> Rollup:
    overall, routes = document["all"], document.get("routes")
    rollup = Rollup(
        width_s=_read_number(document["width_s"]),
        start=_read_time(document["start"]),
        source=_read_text(document["source"]),
        version=_read_text_or_none(document["version"]),
        etag=None if document["etag"] is None else _read_object_id(document["etag"]),
        is_merged=_read_bool(document["is_merged"]),
        is_final=_read_bool(document["is_final"]),
        stored=_read_number(document["stored"]),
        not_stored=_read_number(document["not_stored"]),
        dropped=Counter(dict(_read_reasons(document["dropped"]))),
        revision=_read_number(document.get("revision", 0)),  # earlier versions wrote none of these
        is_open=_read_bool(document.get("is_open", False)),
        waiting=_read_number(document.get("waiting", 0)),
        lag_ms=_read_number(document.get("lag_ms", 0)),
        overall=_read_counts(overall) if routes is None else None,
        examples={} if route is not None else dict(_read_examples(overall.get("examples"))),
        failures=dict(_read_failures(document.get("failures"), route)),
        other_failures=_read_number(document["other_failures"]),
        routes=dict(_read_routes(routes, route)),
    )
    # Of a copy with another id a process could not change anything. `end` may be beyond all times.
    if document["_id"] != rollup.id or rollup.end <= rollup.start:
        raise ValueError("a rollup has the id of its span and source")
    return rollup


def _read_reasons(dropped: Any) -> Iterator[tuple[str, int]]:
    for reason, count in dropped.items():
        yield _read_text(reason), _read_number(count)


def _read_routes(packed: Any, wanted: RouteKey | None) -> Iterator[tuple[RouteKey, Counts]]:
    for one in _unpack_list(packed):
        key = RouteKey(_read_text_or_none(one["url_rule"]), _read_text(one["method"]))
        if wanted is None or key == wanted:
            yield key, _read_counts(one)


def _read_examples(packed: Any) -> Iterator[tuple[int, Example]]:
    for octave, *example in _unpack_list(packed):
        if type(octave) not in _NUMBERS or abs(octave) > MAX_OCTAVE:
            raise ValueError("a half octave is a small number")
        yield octave, _read_example(example)


def _read_example(example: Any) -> Example:
    kept, record_id = example
    return Example(_read_bool(kept), _read_object_id(record_id))


def _read_failures(packed: Any, wanted: RouteKey | None) -> Iterator[tuple[FailureKey, Failures]]:
    for one in _unpack_list(packed):
        key = FailureKey._make(_read_failure_key(one))
        if wanted is None or key.url_rule == wanted.url_rule:
            _check_failure_key(key)
            example = None if one["example"] is None else _read_example(one["example"])
            yield key, Failures(_read_number(one["count"]), example)


def _check_failure_key(key: FailureKey) -> None:
    *texts, url_rule = key
    if {*map(type, texts)} != {str}:
        raise TypeError("a failure is named by texts")
    _read_text_or_none(url_rule)


def _read_counts(document: Mapping[str, Any]) -> Counts:
    counts = Counts()
    statuses = _of_type(document["statuses"], list)
    if not {*map(type, statuses)} <= _NUMBERS or min(statuses, default=0) < 0:
        raise TypeError("statuses and their counts are numbers")
    counts.statuses = dict(zip(statuses[::2], statuses[1::2], strict=True))
    for name in _SUMS:
        setattr(counts, name, _read_number(document[name]))
    counts.add_packed_durations(_of_type(document["durations"], bytes))
    return counts


def _read_number(value: Any) -> int:
    if type(value) not in _NUMBERS or value < 0:
        raise TypeError("a whole number is expected")
    number: int = value
    return number


def _of_type(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"a {kind.__name__} is expected, and not a {type(value).__name__}")
    return value


def _read_time(value: Any) -> datetime:
    return _of_type(value, datetime)


def _read_text(value: Any) -> str:
    return _of_type(value, str)


def _read_text_or_none(value: Any) -> str | None:
    return None if value is None else _of_type(value, str)


def _read_bool(value: Any) -> bool:
    return _of_type(value, bool)


def _read_object_id(value: Any) -> ObjectId:
    return _of_type(value, ObjectId)
