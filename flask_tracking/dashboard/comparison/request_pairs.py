"""The comparison of two requests: facts, headers, and JSON bodies by path."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ...record import Headers, Record, find_header
from ...reproduce.differences import VOLATILE_HEADERS, compare_json
from ...reproduce.stable import is_volatile_text
from ..record.facts import read_custom, read_facts
from ..text.numbers import duration

MAX_BODY_BYTES = 200_000
"""Longer JSON bodies are only compared for equality."""
MAX_DIFFERENCES = 200
MAX_SHOWN = 1_000
ALWAYS_DIFFERENT = frozenset({"Trace", "Request id"})
"""Facts that differ in all requests."""


class PairRow(NamedTuple):
    """A value in both requests."""

    name: str
    one: str
    other: str
    is_same: bool
    is_volatile: bool = False
    """True for ids, times and tokens, which differ in all requests."""


class PairPart(NamedTuple):
    """A section of rows."""

    title: str
    rows: tuple[PairRow, ...]
    left_out: int = 0
    """The number of rows that are not shown."""


def compare_requests(one: Record, other: Record, *, only_differences: bool) -> list[PairPart]:
    """Return the contents of two requests side by side.

    Args:
        one: the first.
        other: the second.
        only_differences: omit equal values.
    """
    parts = [
        ("Facts", list(_compare_facts(one, other))),
        ("Custom data", list(_compare_custom(one, other))),
        ("Request headers", list(_compare_headers(one.request_headers, other.request_headers))),
        ("Request body", list(_compare_bodies(one, other, "request"))),
        ("Response headers", list(_compare_headers(one.response_headers, other.response_headers))),
        ("Response body", list(_compare_bodies(one, other, "response"))),
    ]
    return [_make_part(title, rows, only_differences=only_differences) for title, rows in parts]


def _make_part(title: str, rows: Sequence[PairRow], *, only_differences: bool) -> PairPart:
    shown = tuple(row for row in rows if not (only_differences and row.is_same))
    return PairPart(title, shown[:MAX_DIFFERENCES], len(rows) - len(shown))


def _pair(name: str, one: str | None, other: str | None, *, is_volatile: bool = False) -> PairRow:
    return PairRow(name, _show(one), _show(other), one == other, is_volatile)


def _show(text: str | None) -> str:
    return "–" if text is None else text


def _compare_facts(one: Record, other: Record) -> Iterator[PairRow]:
    yield _pair("Status", _write_status(one), _write_status(other))
    yield _pair("Took", duration(one.execution_time), duration(other.execution_time))
    yield _pair("Path", one.path, other.path)
    yield _pair("Query", one.query_params or None, other.query_params or None)
    if one.exception or other.exception:
        yield _pair("Exception", _write_exception(one), _write_exception(other))
    facts, others = ({fact.name: fact.text for fact in read_facts(side)} for side in (one, other))
    for name in {**facts, **others}:
        yield _pair(name, facts.get(name), others.get(name), is_volatile=name in ALWAYS_DIFFERENT)


def _write_status(record: Record) -> str:
    status = "none" if record.status_code is None else str(record.status_code)
    return status if record.outcome == "ok" else f"{status}, {record.outcome}"


def _write_exception(record: Record) -> str | None:
    return record.exception and f"{record.exception.type}: {record.exception.message}"


def _compare_custom(one: Record, other: Record) -> Iterator[PairRow]:
    facts, others = ({fact.name: fact.text for fact in read_custom(side)} for side in (one, other))
    for name in {**facts, **others}:
        texts = facts.get(name), others.get(name)
        yield _pair(name, *texts, is_volatile=_is_volatile(*texts))


def _is_volatile(*texts: str | None) -> bool:
    return any(text is not None and is_volatile_text(text) for text in texts)


def _compare_headers(one: Headers, other: Headers) -> Iterator[PairRow]:
    for name in dict.fromkeys(header.title() for header, _ in (*one, *other)):
        texts = _join_header(one, name), _join_header(other, name)
        is_volatile = name.lower() in VOLATILE_HEADERS or _is_volatile(*texts)
        yield _pair(name, *texts, is_volatile=is_volatile)


def _join_header(headers: Headers, name: str) -> str | None:
    return ", ".join(value for header, value in headers if header.title() == name) or None


def _compare_bodies(one: Record, other: Record, side: str) -> Iterator[PairRow]:
    bodies = [getattr(record, f"{side}_body") for record in (one, other)]
    if not any(bodies):
        return
    values = [_read_json(record, side) for record in (one, other)]
    if bodies[0] == bodies[1] or None in values:
        yield _pair("the whole", *(_show_bytes(body) for body in bodies))
        return
    for difference in compare_json(values[0][0], values[1][0]):  # type: ignore[index]
        texts = (
            None if difference.kind == "extra" else _write(difference.recorded),
            None if difference.kind == "missing" else _write(difference.replayed),
        )
        yield PairRow(difference.path, texts[0] or "–", texts[1] or "–", False, _is_volatile(*texts))


def _read_json(record: Record, side: str) -> tuple[Any] | None:
    """Return the parsed body in a tuple; None if it is not JSON, or too long."""
    body: bytes = getattr(record, f"{side}_body")
    headers = record.request_headers if side == "request" else record.response_headers
    if len(body) > MAX_BODY_BYTES or "json" not in (find_header(headers, "content-type") or ""):
        return None
    try:
        return (json.loads(body),)
    except (ValueError, RecursionError):
        return None


def _write(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:MAX_SHOWN]


def _show_bytes(body: bytes) -> str:
    text = body[:MAX_SHOWN].decode("utf-8", "backslashreplace")
    return f"{text} … {len(body):,} bytes" if len(body) > MAX_SHOWN else text
