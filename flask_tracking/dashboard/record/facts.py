"""The facts of a request, each with a filter term that finds similar requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...errors import FilterError
from ...filters import Filter
from ...present import describe_client
from ...record import Record, find_header
from ..text.filter_text import find_term, term
from ..text.numbers import size

MAX_CUSTOM = 40


class Fact(NamedTuple):
    """A named fact, with the term that selects records with the same value."""

    name: str
    text: str
    term: str = ""
    """Empty if no term selects this record."""
    is_mono: bool = False


def read_facts(record: Record) -> list[Fact]:
    """Return the known facts of a record, the most useful first."""
    facts = (read(record) for read in _FACTS)
    return [_link(fact, record) for fact in facts if fact is not None]


def _link(fact: Fact, record: Record) -> Fact:
    """Remove the term if it does not match the record: redaction may have changed the value."""
    return fact if fact.term and _finds(fact.term, record) else fact._replace(term="")


def _finds(text: str, record: Record) -> bool:
    try:
        return Filter.parse(text).matches(record)
    except FilterError:  # a key of custom data may hold a colon
        return False


Reader = Callable[[Record], Fact | None]
"""Reads a fact; None where the record has none."""


def _of_field(name: str, field: str, key: str) -> Reader:
    """Return what reads a field of text, which the key of a filter asks for."""

    def read(record: Record) -> Fact | None:
        text = getattr(record, field)
        return Fact(name, text, find_term(key, text), True) if text else None

    return read


def _read_user(record: Record) -> Fact | None:
    name = record.user_id or record.user_repr
    if not name:
        return None
    both = record.user_repr and record.user_repr != name
    return Fact("User", f"{name} {record.user_repr}" if both else name, term("user", name))


def _read_user_agent(record: Record) -> Fact | None:
    agent = record.user_agent
    text = agent and (describe_client(agent) or agent.string)
    if agent is None or not text:
        return None
    header = find_header(record.request_headers, "user-agent") or agent.string
    return Fact("Browser", text, find_term("header.user-agent", header))


def _read_request_id(record: Record) -> Fact | None:
    return Fact("Request id", record.request_id, is_mono=True) if record.request_id else None


def _read_sizes(record: Record) -> Fact:
    sizes = f"{size(record.request_body_size)} in, {size(record.response_body_size)} out"
    return Fact("Sizes", sizes)


def _read_kept(record: Record) -> Fact | None:
    return Fact("Kept", record.kept_reason or "yes") if record.kept else None


def _read_dropped(record: Record) -> Fact | None:
    lost = record.dropped_before
    return Fact("Dropped before", f"{lost:,} records of this process") if lost else None


_FACTS: tuple[Reader, ...] = (
    _read_user,
    _of_field("Route", "url_rule", "route"),
    _of_field("Method", "method", "method"),
    _of_field("View", "endpoint", "endpoint"),
    _of_field("Version", "version", "version"),
    _of_field("Client", "ip", "ip"),
    _of_field("Host", "host", "host"),
    _read_user_agent,
    _of_field("Machine", "hostname", "hostname"),
    _of_field("Process", "process", "process"),
    _of_field("Trace", "trace_id", "trace"),
    _read_request_id,
    _read_sizes,
    _read_kept,
    _read_dropped,
)


def read_custom(record: Record) -> list[Fact]:
    """Return the scalar values of custom data that a filter can select."""
    return [_link(fact, record) for fact in _read_items(record.custom_data)]


def _read_items(data: Any) -> list[Fact]:
    if not isinstance(data, dict):
        return []
    facts = []
    for key, value in data.items():
        if isinstance(value, (str, int, float, bool)) and key and len(str(value)) <= 200:
            facts.append(_read_item(str(key), value))
    return [fact for fact in facts if fact is not None][:MAX_CUSTOM]


def _read_item(key: str, value: str | float) -> Fact | None:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    found = find_term(f"custom.{key}", text)
    return Fact(key, text, found, True) if found else None
