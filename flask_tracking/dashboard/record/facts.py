"""The facts of a request, each with a filter term that finds similar requests."""

from __future__ import annotations

from collections.abc import Iterator
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
    return [_link(fact, record) for fact in _read(record)]


def _link(fact: Fact, record: Record) -> Fact:
    """Remove the term if it does not match the record: redaction may have changed the value."""
    return fact if fact.term and _finds(fact.term, record) else fact._replace(term="")


def _finds(text: str, record: Record) -> bool:
    try:
        return Filter.parse(text).matches(record)
    except FilterError:  # a key of custom data may hold a colon
        return False


def _read(record: Record) -> Iterator[Fact]:
    if record.user_id or record.user_repr:
        name = record.user_id or record.user_repr or ""
        both = record.user_repr and record.user_id and record.user_repr != record.user_id
        yield Fact("User", f"{name} {record.user_repr}" if both else name, term("user", name))
    if record.url_rule:
        yield Fact("Route", record.url_rule, term("route", record.url_rule), True)
    if record.method:
        yield Fact("Method", record.method, find_term("method", record.method), True)
    if record.endpoint:
        yield Fact("View", record.endpoint, term("endpoint", record.endpoint), True)
    if record.version:
        yield Fact("Version", record.version, term("version", record.version), True)
    if record.ip:
        yield Fact("Client", record.ip, term("ip", record.ip), True)
    if record.host:
        yield Fact("Host", record.host, term("host", record.host), True)
    yield from _read_user_agent(record)
    if record.hostname:
        yield Fact("Machine", record.hostname, term("hostname", record.hostname), True)
    if record.process:
        yield Fact("Process", record.process, term("process", record.process), True)
    if record.trace_id:
        yield Fact("Trace", record.trace_id, term("trace", record.trace_id), True)
    if record.request_id:
        yield Fact("Request id", record.request_id, is_mono=True)
    sizes = f"{size(record.request_body_size)} in, {size(record.response_body_size)} out"
    yield Fact("Sizes", sizes)
    if record.kept:
        yield Fact("Kept", record.kept_reason or "yes")
    if record.dropped_before:
        yield Fact("Dropped before", f"{record.dropped_before:,} records of this process")


def _read_user_agent(record: Record) -> Iterator[Fact]:
    agent = record.user_agent
    if agent is not None and (text := describe_client(agent) or agent.string):
        header = find_header(record.request_headers, "user-agent") or agent.string
        yield Fact("Browser", text, find_term("header.user-agent", header))


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
