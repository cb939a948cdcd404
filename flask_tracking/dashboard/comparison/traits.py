"""The compared properties of records: fields with values, and numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import FilterError
from ...filters import Filter
from ...queries.statistics import name_route
from ...record import Record, find_header
from ..text.filter_text import term
from ..text.numbers import size
from .shared_values import Item, Traits

CUSTOM = "custom."
MAX_CUSTOM = 40
MAX_DEPTH = 4
MAX_CHILDREN = 40
MAX_LENGTH = 200
"""Longer values are free text and not compared."""
ORDER = (
    "route",
    "method",
    "view",
    "version",
    "outcome",
    "status",
    "exception",
    "kept because",
    "user",
    "ip",
    "host",
    "hostname",
    "process",
    "browser",
    "platform",
    "request type",
    "response type",
    "child",
    "request size",
    "response size",
)
"""The fields, the more general ones first; custom data comes after them."""
KEYS = {
    "method": "method",
    "view": "endpoint",
    "version": "version",
    "outcome": "outcome",
    "status": "status",
    "exception": "error",
    "user": "user",
    "ip": "ip",
    "host": "host",
    "hostname": "hostname",
    "process": "process",
    "request type": "header.content-type",
    "response type": "response_header.content-type",
}
"""The filter key of each field that has one."""
FIELDS_BY_KEY = {
    **{key: {field} for field, key in KEYS.items()},
    "route": {"route", "view"},
    "error": {"exception", "status", "outcome", "kept because"},
    "status": {"exception", "status", "outcome", "kept because"},
    "slow": {"kept because"},
    "is": {"exception", "status", "outcome", "kept because"},
}
"""The fields that a term of a filter defines."""


def read_traits(*sides: Sequence[Record]) -> list[list[Traits]]:
    """Return the traits of each record, by side.

    Custom data is compared by the 40 paths that most records have, child spans by the 40 most common
    names.
    """
    customs = [[dict(_flatten(record.custom_data)) for record in side] for side in sides]
    paths = _most_common((path for side in customs for one in side for path in one), MAX_CUSTOM)
    names = (child.name for side in sides for record in side for child in record.children)
    children = _most_common(names, MAX_CHILDREN)
    return [
        [_read(record, custom, paths, children) for record, custom in zip(side, of_side, strict=True)]
        for side, of_side in zip(sides, customs, strict=True)
    ]


def leave_out(traits: Sequence[Traits], fields: frozenset[str]) -> list[Traits]:
    """Remove the fields by which records were selected."""
    return [
        one._replace(items=frozenset(item for item in one.items if item.field not in fields))
        for one in traits
    ]


def find_defining(wanted: Filter) -> frozenset[str]:
    """Return the fields that a filter determines, which would be trivial findings."""
    fields: set[str] = set()
    for one in wanted.terms():
        fields |= {one.key} if one.key.startswith(CUSTOM) else FIELDS_BY_KEY.get(one.key, set())
    return frozenset(fields)


def make_terms(item: Item) -> tuple[str, str]:
    """Return the terms for records with a value and for those without; empty if no filter can."""
    try:
        return _make_terms(item)
    except FilterError:
        return "", ""


def _make_terms(item: Item) -> tuple[str, str]:
    field, value = item
    if field == "route":
        method, _, rule = (value or "").partition(" ")
        if not rule.startswith("/"):
            return "", ""
        both = f"{term('method', method)} {term('route', rule)}"
        return both, f"not ({both})"
    key = field if field.startswith(CUSTOM) else KEYS.get(field)
    if key is None:
        return "", ""
    if value is None:
        anything = str(Filter.term(key, "*"))
        return f"not {anything}", anything
    if "content-type" in key:
        literal = value.replace("\\", "\\\\").replace("*", "\\*")
        wanted = str(Filter.term(key, literal + "*"))
    else:
        wanted = term(key, value)
    return wanted, f"not {wanted}"


def _read(
    record: Record, custom: Mapping[str, str], paths: Sequence[str], children: Sequence[str]
) -> Traits:
    route = name_route(record.method, record.url_rule)
    items = [Item(field, value) for field, value in _read_fields(record, route)]
    items += [Item(CUSTOM + path, custom.get(path)) for path in paths]
    times: Counter[str] = Counter()
    for child in record.children:
        if child.name in children:
            items.append(Item("child", child.name))
            times[child.name] += child.duration_ms or 0.0  # type: ignore[assignment]
    numbers = {
        "request size": float(record.request_body_size),
        "response size": float(record.response_body_size),
        **{f"time in {name}": took for name, took in times.items()},
    }
    return Traits(route, frozenset(items), numbers)


def _read_fields(record: Record, route: str) -> Iterator[tuple[str, str | None]]:
    yield "route", route
    yield "method", record.method
    yield "view", record.endpoint
    yield "version", record.version
    yield "outcome", record.outcome
    yield "status", None if record.status_code is None else str(record.status_code)
    yield "exception", record.exception and record.exception.type
    yield "kept because", record.kept_reason if record.kept else None
    yield "user", record.user_id or record.user_repr
    yield "ip", record.ip
    yield "host", record.host
    yield "hostname", record.hostname
    yield "process", record.process
    agent = record.user_agent
    yield "browser", agent and (agent.browser_name or agent.browser)
    yield "platform", agent and (agent.platform_name or agent.platform)
    yield "request type", _read_type(find_header(record.request_headers, "content-type"))
    yield "response type", _read_type(find_header(record.response_headers, "content-type"))
    yield "request size", _describe_size(record.request_body_size)
    yield "response size", _describe_size(record.response_body_size)


def _read_type(header: str | None) -> str | None:
    """Return the media type without parameters, which may differ in each request."""
    return header and header.partition(";")[0].strip()[:MAX_LENGTH]


def _describe_size(count: int) -> str:
    """Return the range between powers of two that contains a size."""
    if count <= 0:
        return "empty"
    power = count.bit_length() - 1
    return f"{size(2**power)} to {size(2 ** (power + 1) - 1)}"


def _flatten(data: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the paths and scalar values of custom data, both as filters write them."""
    if isinstance(data, Mapping):
        if depth < MAX_DEPTH:
            for key, value in data.items():
                yield from _flatten(value, f"{path}.{key}" if path else str(key), depth + 1)
    elif path and isinstance(data, (str, int, float, bool)):
        text = str(data).lower() if isinstance(data, bool) else str(data)
        if len(text) <= MAX_LENGTH:
            yield path, text


def _most_common(names: Iterator[str], most: int) -> list[str]:
    return [name for name, _ in Counter(names).most_common(most)]
