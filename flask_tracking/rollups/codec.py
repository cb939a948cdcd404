"""Convert a `Rollup` to a plain dict and back, for stores and files.

Lists are packed as BSON inside the document, because some servers parse each field, which takes
milliseconds for hundreds of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

import bson
from bson.errors import BSONError

from .counts import Counts
from .histogram import pack
from .rollup import Example, FailureKey, Failures, Rollup, RouteKey

__all__ = ["rollup_from_dict", "rollup_to_dict"]

Document = dict[str, Any]

_read_failure_key = itemgetter(*FailureKey._fields)
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
        "stored": rollup.stored,
        "not_stored": rollup.not_stored,
        "dropped": dict(rollup.dropped),
        "waiting": rollup.waiting,
        "lag_ms": rollup.lag_ms,
        "all": {
            **_counts_to_dict(rollup.total),
            "examples": _pack_list(
                [octave, *example] for octave, example in sorted(rollup.examples.items())
            ),
        },
        "failures": _pack_list(map(_failure_to_dict, rollup.failures.items())),
        "other_failures": rollup.other_failures,
        "routes": _pack_list(
            {"url_rule": key.url_rule, "method": key.method, **_counts_to_dict(counts)}
            for key, counts in rollup.routes.items()
        ),
    }


def _pack_list(values: Iterable[Any]) -> bytes:
    return bson.encode({"list": list(values)})


def _unpack_list(packed: bytes | None) -> Any:
    return [] if packed is None else bson.decode(packed)["list"]


def _counts_to_dict(counts: Counts) -> Document:
    return {
        # A list, because the keys of a document must be text.
        "statuses": [number for pair in sorted(counts.statuses.items()) for number in pair],
        "failed": counts.failed,
        "duration_us": counts.duration_us,
        "max_us": counts.max_us,
        "request_bytes": counts.request_bytes,
        "response_bytes": counts.response_bytes,
        "durations": pack(counts.buckets),
    }


def _failure_to_dict(failure: tuple[FailureKey, Failures]) -> Document:
    key, group = failure
    example = group.example
    return {**key._asdict(), "count": group.count, "example": None if example is None else [*example]}


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
    except (KeyError, TypeError, ValueError, AttributeError, BSONError):
        return None


def _read(document: Mapping[str, Any], route: RouteKey | None) -> Rollup:
    start, overall, routes = document["start"], document["all"], document.get("routes")
    if not isinstance(start, datetime):
        raise TypeError("a rollup begins at a time")
    return Rollup(
        width_s=int(document["width_s"]),
        start=start,
        source=str(document["source"]),
        version=document["version"],
        etag=document["etag"],
        is_merged=bool(document["is_merged"]),
        is_final=bool(document["is_final"]),
        stored=int(document["stored"]),
        not_stored=int(document["not_stored"]),
        dropped=Counter(document["dropped"]),
        revision=int(document.get("revision", 0)),  # rollups of earlier versions have none of these
        is_open=bool(document.get("is_open", False)),
        waiting=int(document.get("waiting", 0)),
        lag_ms=int(document.get("lag_ms", 0)),
        overall=_read_counts(overall) if routes is None else None,
        examples={} if route is not None else dict(_read_examples(overall.get("examples"))),
        failures=dict(_read_failures(document.get("failures"), route)),
        other_failures=int(document["other_failures"]),
        routes=dict(_read_routes(routes, route)),
    )


def _read_routes(packed: Any, wanted: RouteKey | None) -> Iterator[tuple[RouteKey, Counts]]:
    for one in _unpack_list(packed):
        key = RouteKey(one["url_rule"], one["method"])
        if wanted is None or key == wanted:
            yield key, _read_counts(one)


def _read_examples(packed: Any) -> Iterator[tuple[int, Example]]:
    for octave, kept, record_id in _unpack_list(packed):
        yield octave, Example(bool(kept), record_id)


def _read_failures(packed: Any, wanted: RouteKey | None) -> Iterator[tuple[FailureKey, Failures]]:
    for one in _unpack_list(packed):
        if wanted is None or one["url_rule"] == wanted.url_rule:
            key = FailureKey._make(_read_failure_key(one))
            example = one["example"]
            yield key, Failures(int(one["count"]), example and Example(bool(example[0]), example[1]))


def _read_counts(document: Mapping[str, Any]) -> Counts:
    counts = Counts()
    statuses = document["statuses"]
    counts.statuses = dict(zip(statuses[::2], statuses[1::2], strict=True))
    counts.failed = document["failed"]
    counts.duration_us = document["duration_us"]
    counts.max_us = document["max_us"]
    counts.request_bytes = document["request_bytes"]
    counts.response_bytes = document["response_bytes"]
    counts.add_packed_durations(document["durations"])
    return counts
