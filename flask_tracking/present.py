"""A record as titled sections of plain text, for whatever shows one at length.

Nothing is escaped here: whoever prints a section does that for a terminal or a page.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from .record import ChildTiming, Headers, Record, UserAgent, find_header
from .record_summary import summarize

__all__ = ["Section", "describe_client", "describe_zone", "move_to_zone", "present"]

_RULES = {
    "name": "its name says that it is a secret",
    "header": "credentials in this header are never stored",
    "literal": "a known secret of the app",
    "file": "the content of an uploaded file",
    "base64": "encoded text with a secret in it",
    "unreadable": "it could not be read",
}
"""Why a value was removed, by the rule of its remark; another rule is the id of a format."""
_NO_TEXT = re.compile(r"(?:audio|font|image|video)/(?!svg)|application/(?:octet-stream|pdf|zip)")
"""Media types of bodies that are named, and not shown."""


class Section(NamedTuple):
    """A part of a record that is shown together."""

    title: str
    about: str = ""
    """Text beside the title; empty for none."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Names with their values."""
    text: str = ""
    """Lines below the pairs: a body, a traceback."""


def present(record: Record, zone: tzinfo | None = timezone.utc) -> list[Section]:
    """Return all that there is to show of `record`: the first section is what it is about.

    Args:
        record: the record.
        zone: of the times; None is that of this machine.
    """
    sections = [_present_overview(record, zone), _present_request(record)]
    if record.status_code is not None or record.response_body_size:
        sections.append(_present_response(record))
    if record.children:
        pairs = tuple((child.name, _child(child)) for child in record.children)
        sections.append(Section("Child spans", pairs=pairs))
    if record.custom_data is not None:
        sections.append(Section("Custom data", text=_as_json(record.custom_data)))
    if record.redacted:
        sections.append(_present_redactions(record))
    if record.exception is not None:
        sections.append(Section("Exception", text=record.exception.traceback))
    return sections


def _present_redactions(record: Record) -> Section:
    counts = Counter((remark.path, remark.rule) for remark in record.redacted)
    pairs = tuple(
        (
            path,
            _RULES.get(rule, f"it has the format {rule}") + (f" ({count} values)" if count > 1 else ""),
        )
        for (path, rule), count in counts.items()
    )
    return Section("Redacted", pairs=pairs)


def describe_zone(time: datetime) -> str:
    """Return the offset of an aware time from UTC, like ``+01:00``, or ``UTC``."""
    return "UTC" if time.utcoffset() == timedelta() else time.isoformat()[-6:]


def move_to_zone(time: datetime, zone: tzinfo | None) -> datetime:
    """Return an aware time in a zone, or in UTC where the zone has no such time.

    Args:
        time: of a record, which a wrong clock or an import may have set to any year.
        zone: the zone; None for that of this machine.
    """
    try:
        return time.astimezone(zone)
    except (OverflowError, OSError, ValueError):  # the error depends on the system
        return time.astimezone(timezone.utc)


def _show_time(time: datetime, zone: tzinfo | None) -> str:
    there = move_to_zone(time, zone)
    return f"{there:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f" {describe_zone(there)}"


def _present_overview(record: Record, zone: tzinfo | None) -> Section:
    summary = summarize(record)
    line = (record.method, summary.path_and_query or "-", record.http_version)
    pairs: list[tuple[str, Any]] = [
        ("id", record.id),
        ("arrived", _show_time(record.date_created, zone)),
        ("status", _status(record)),
        ("took", _took(record)),
        ("route", record.url_rule and f"{record.url_rule} ({record.endpoint})"),
        ("user", _user(record)),
        ("from", record.ip),
        ("client", describe_client(record.user_agent)),
        ("host", record.host and f"{record.scheme or 'http'}://{record.host}"),
        ("trace", record.trace_id),
        ("parent span", record.parent_span_id),
        ("request id", record.request_id),
        ("replay of", record.replay_of),
        ("process", record.process),
        ("version", record.version),
        ("kept", (record.kept_reason or "yes") if record.kept else None),
        ("dropped before", record.dropped_before or None),
        ("notes", "; ".join(record.notes) or None),
    ]
    return Section(" ".join(filter(None, line)), pairs=_known(pairs))


def _known(pairs: Iterable[tuple[str, Any]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in pairs if value is not None)


def _present_request(record: Record) -> Section:
    return _present_message(
        "Request",
        record.request_headers,
        record.request_body,
        record.request_body_size,
        record.request_body_note,
    )


def _present_response(record: Record) -> Section:
    return _present_message(
        "Response",
        record.response_headers,
        record.response_body,
        record.response_body_size,
        record.response_body_note,
    )


def _present_message(title: str, headers: Headers, body: bytes, size: int, note: str | None) -> Section:
    about = f"{size:,} bytes on the wire" + (f", stored: {len(body):,}, {note}" if note else "")
    kind = (find_header(headers, "content-type") or "").lower()
    return Section(title, about, headers, _readable(body, kind))


def _status(record: Record) -> str | None:
    if record.outcome == "ok":
        return str(record.status_code) if record.status_code else None
    return f"{record.status_code or '-'} ({record.outcome})"


def _took(record: Record) -> str | None:
    if record.execution_time is None:
        return None
    took, first = f"{record.execution_time:,.1f} ms", record.time_to_first_byte
    return took if first is None else f"{took}, first byte after {first:,.1f} ms"


def _user(record: Record) -> str | None:
    if record.user_repr and record.user_id and record.user_repr != record.user_id:
        return f"{record.user_repr} ({record.user_id})"
    return record.user_repr or record.user_id


def describe_client(agent: UserAgent | None) -> str | None:
    """Return the browser with its version, and the system; None where neither is known."""
    if agent is None:
        return None
    # The names say more than the words, which are all that records of old have.
    browser, system = agent.browser_name or agent.browser, agent.platform_name or agent.platform
    named = " ".join(filter(None, (browser, browser and agent.version)))
    return ", ".join(filter(None, (named, system))) or None


def _child(child: ChildTiming) -> str:
    took = "had not ended" if child.duration_ms is None else f"{child.duration_ms:,.1f} ms"
    text = f"{took}, from {child.start_ms:,.1f} ms on"
    return f"{text}, left by {child.error}" if child.error else text


def _readable(body: bytes, content_type: str) -> str:
    if body and _NO_TEXT.match(content_type):
        return f"({content_type.partition(';')[0].strip()}, {len(body):,} bytes)"
    if content_type.startswith("application/x-www-form-urlencoded"):
        return _read_form(body)
    text = body.decode("utf-8", "replace")
    if text.lstrip().startswith(("{", "[")):
        try:
            return _as_json(json.loads(text))
        except (ValueError, RecursionError):
            return text  # cut, or not JSON after all
    return text


def _read_form(body: bytes) -> str:
    """Return the fields of a form, a line each."""
    text = body.decode("utf-8", "replace")
    pairs = parse_qsl(text, keep_blank_values=True)
    return "\n".join(f"{name} = {value}".replace("\n", "\\n") for name, value in pairs) or text


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
