"""Differences of two responses: the status, headers, JSON by path, text line by line."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from ..record import Record
from ..redaction.markers import MARKER
from ..runtime.text import clean_text
from .request import MARKER as ANY_MARKER
from .stable import find_cut, get_content_type

__all__ = ["VOLATILE_HEADERS", "Difference", "compare_json", "compare_responses"]

VOLATILE_HEADERS = frozenset(
    """
    age alt-svc connection content-encoding content-length date etag expires keep-alive last-modified
    server server-timing set-cookie traceparent tracestate transfer-encoding via x-request-id x-runtime
    """.split()
)
"""Headers of a response that are not compared: they follow from the time, the server or the body."""
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LONGEST_SHOWN = 200
"""Characters of a value in a line."""


class Difference(NamedTuple):
    """Something that is not the same in a second response.

    .. versionadded:: 2.0
    """

    kind: Literal["missing", "extra", "type", "order", "value"]
    """``missing`` where only the recorded response has it, ``extra`` where only the new one has it;
    ``order`` of the same items of a list."""
    path: str
    """``status``, ``body``, a header like ``headers.Location``, or a JSON path like ``$.tags[0]``."""
    recorded: Any = None
    replayed: Any = None

    def __str__(self) -> str:
        """Return it in one line, or for a text as a unified diff."""
        if self.path == "body" and isinstance(self.recorded, str):
            return "\n".join(["body:", *_diff(self.recorded, self.replayed)])
        if self.kind == "missing":
            return f"{self.path} is missing: {_show(self.recorded)}"
        if self.kind == "extra":
            return f"{self.path} is extra: {_show(self.replayed)}"
        if self.kind == "order":
            return f"{self.path} has another order"
        return f"{self.path} has another {self.kind}: {_show(self.recorded)} → {_show(self.replayed)}"


def _show(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    text = clean_text(json.dumps(value, ensure_ascii=False))  # an escape of JSON, too
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _diff(recorded: str, replayed: str) -> Iterator[str]:
    lines = recorded.splitlines(), replayed.splitlines()
    return difflib.unified_diff(*lines, "recorded", "replayed", lineterm="", n=2)


def compare_responses(recorded: Record, replayed: Record) -> list[Difference]:
    """Return the differences of two responses. Redacted values are equal to each other.

    Args:
        recorded: the record.
        replayed: the same with another response; redacted as the first one was.
    """
    found: list[Difference] = []
    if recorded.status_code != replayed.status_code:
        found.append(Difference("value", "status", recorded.status_code, replayed.status_code))
    found += _compare_headers(recorded, replayed)
    if find_cut(recorded) is None:
        found += _compare_bodies(recorded, replayed)
    return found


def _compare_headers(recorded: Record, replayed: Record) -> Iterator[Difference]:
    before, after = _collect_headers(recorded), _collect_headers(replayed)
    for name in sorted(before.keys() | after.keys()):
        path = f"headers.{name}"
        if name not in after:
            yield Difference("missing", path, before[name])
        elif name not in before:
            yield Difference("extra", path, None, after[name])
        elif before[name] != after[name]:
            yield Difference("value", path, before[name], after[name])


def _collect_headers(record: Record) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for name, value in record.response_headers:
        if name.lower() not in VOLATILE_HEADERS:
            values.setdefault(name.title(), []).append(_unify(value.encode()).decode())
    return {name: ", ".join(several) for name, several in values.items()}


def _compare_bodies(recorded: Record, replayed: Record) -> Sequence[Difference]:
    before, after = _unify(recorded.response_body), _unify(replayed.response_body)
    if before == after:
        return ()
    try:
        if "json" in get_content_type(recorded):
            return list(compare_json(json.loads(before), json.loads(after)))
    except (ValueError, RecursionError):
        pass  # no JSON after all, or nested too deeply: compared as text
    return [Difference("value", "body", *_decode(before, after))]


def _decode(before: bytes, after: bytes) -> tuple[str, str] | tuple[bytes, bytes]:
    try:
        return before.decode(), after.decode()
    except UnicodeDecodeError:
        return before, after


def _unify(data: bytes) -> bytes:
    """Return a value in which all our markers are the same."""
    return ANY_MARKER.sub(MARKER.encode(), data)


def compare_json(recorded: Any, replayed: Any, path: str = "$") -> Iterator[Difference]:
    """Yield the differences of two values of JSON, each with its JSON path.

    Args:
        recorded: the first value.
        replayed: the second.
        path: where both are.
    """
    if isinstance(recorded, dict) and isinstance(replayed, dict):
        yield from _compare_objects(recorded, replayed, path)
    elif isinstance(recorded, list) and isinstance(replayed, list):
        yield from _compare_lists(recorded, replayed, path)
    elif _type_of(recorded) != _type_of(replayed):
        yield Difference("type", path, recorded, replayed)
    elif recorded != replayed:
        yield Difference("value", path, recorded, replayed)


def _type_of(value: Any) -> type:
    # 1 and 1.0 are one number in JSON; True is none.
    return float if type(value) is int else type(value)


def _compare_objects(
    recorded: dict[str, Any], replayed: dict[str, Any], path: str
) -> Iterator[Difference]:
    for key in {**recorded, **replayed}:
        inner = f"{path}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{path}[{json.dumps(key)}]"
        if key not in replayed:
            yield Difference("missing", inner, recorded[key])
        elif key not in recorded:
            yield Difference("extra", inner, None, replayed[key])
        else:
            yield from compare_json(recorded[key], replayed[key], inner)


def _compare_lists(recorded: list[Any], replayed: list[Any], path: str) -> Iterator[Difference]:
    if recorded != replayed and _count(recorded) == _count(replayed):
        yield Difference("order", path, recorded, replayed)
        return
    start = _common_length(recorded, replayed)
    end = _common_length(recorded[start:][::-1], replayed[start:][::-1])
    before, after = recorded[start : len(recorded) - end], replayed[start : len(replayed) - end]
    shared = min(len(before), len(after))
    for at in range(shared):
        yield from compare_json(before[at], after[at], f"{path}[{start + at}]")
    for at in range(shared, len(before)):
        yield Difference("missing", f"{path}[{start + at}]", before[at])
    for at in range(shared, len(after)):
        yield Difference("extra", f"{path}[{start + at}]", None, after[at])


def _count(values: list[Any]) -> Counter[str]:
    return Counter(json.dumps(value, sort_keys=True) for value in values)


def _common_length(one: Sequence[Any], other: Sequence[Any]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if not _is_same(a, b)), min(len(one), len(other)))


def _is_same(one: Any, other: Any) -> bool:
    return bool(one == other) and _has_same_types(one, other)


def _has_same_types(one: Any, other: Any) -> bool:
    # Of equal values: Python takes True for 1, also within lists and objects.
    if isinstance(one, dict):
        return all(_has_same_types(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return all(map(_has_same_types, one, other))
    return _type_of(one) == _type_of(other)
