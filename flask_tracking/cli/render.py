"""Records as text for a terminal, and nothing in it that it would obey."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ..record import Headers, Record
from ..record_summary import RecordSummary, summarize
from ..runtime.text import visible
from .table import PLAIN, Column, Style, cell_width, leave_out, pad, render_columns

LEAST_PATH = 15
"""With this a table fits 40 cells, beside a status and a short id."""
ID_HEAD, ID_TAIL = 8, 6
"""Hex digits that a short id has: those of the second, and of the number within its process."""


def render_table(records: Sequence[RecordSummary], width: int | None) -> str:
    """Return a table with a line for each record.

    Args:
        records: at least one.
        width: the terminal's, in cells; None cuts nothing and leaves nothing out.
    """
    took = [_milliseconds(record.execution_time) for record in records]
    ids = [str(record.id) for record in records]
    columns = [
        _time_column(records),
        Column("METHOD", [visible(record.method or "-") for record in records], least=6, rank=3),
        Column("PATH", [visible(_target(record)) for record in records], least=LEAST_PATH),
        Column("STATUS", [str(record.status_code or "-") for record in records]),
        Column("MS", took, is_number=True, rank=2),
        Column("USER", [_user(record) for record in records], least=6, rank=1),
        Column("ERROR", [_error(record) for record in records], least=8, rank=1),
        Column("KEPT", [_kept(record) for record in records], least=4, rank=1),
        Column("ID", ids, short=[shorten_id(one) for one in ids]),
    ]
    if width is not None:
        columns = leave_out([column for column in columns if any(column.cells)], width)
        columns = [
            _mark_kept(one, columns, records) if one.title == "STATUS" else one for one in columns
        ]
    return render_columns(columns, width, [_style(record) for record in records])


def _time_column(records: Sequence[RecordSummary]) -> Column:
    """Show the day once, where all records are of one."""
    days = {record.date_created.date() for record in records}
    if len(days) == 1:
        times = [f"{record.date_created:%H:%M:%SZ}" for record in records]
        return Column(f"{days.pop()}", times, rank=4)
    times = [f"{record.date_created:%Y-%m-%d %H:%M:%S}" for record in records]
    return Column("TIME (UTC)", times, short=[time[len("2026-") :] for time in times], rank=4)


def shorten_id(record_id: str) -> str:
    """Return the parts of an id that tell records apart, nearly always: its second and its number."""
    return f"{record_id[:ID_HEAD]}…{record_id[-ID_TAIL:]}"


def _target(record: RecordSummary) -> str:
    path = record.path or "-"
    return f"{path}?{record.query_params}" if record.query_params else path


def _kept(record: RecordSummary) -> str:
    return visible(record.kept_reason or "yes") if record.kept else ""


def _mark_kept(status: Column, columns: list[Column], records: Sequence[RecordSummary]) -> Column:
    """Mark kept records at their status where there is no room for the column that says why."""
    if any(column.title == "KEPT" for column in columns):
        return status
    marks = ["*" if record.kept else "" for record in records]
    return status._replace(
        cells=[f"{cell}{mark}" for cell, mark in zip(status.cells, marks, strict=True)]
    )


def _user(record: RecordSummary) -> str:
    return visible(record.user_repr or record.user_id or "")


def _error(record: RecordSummary) -> str:
    if record.exception_type is not None:
        return visible(record.exception_type.rpartition(".")[2])
    return "" if record.outcome == "ok" else visible(record.outcome)


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _style(record: RecordSummary) -> Style:
    status = record.status_code or 0
    if status >= 500 or record.outcome in ("error", "stream_error"):
        return {"fg": "red"}
    return {"fg": "yellow"} if status >= 400 else PLAIN


def render_line(record: Record) -> str:
    """Return what names a record beside its id."""
    summary = summarize(record)
    parts = [record.method, _target(summary), str(record.status_code or "-"), _error(summary)]
    return visible(" ".join(filter(None, parts)))


def render_record(record: Record) -> str:
    """Return a record at length."""
    summary = summarize(record)
    lines = [
        " ".join(filter(None, (record.method, _target(summary), record.http_version))),
        "",
        *_fields(
            [
                ("id", record.id),
                ("arrived", f"{record.date_created:%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"),
                ("status", _status(record)),
                ("took", _took(record)),
                ("route", _route(record)),
                ("user", _who(record)),
                ("from", record.ip),
                ("client", _client(record)),
                ("host", record.host and f"{record.scheme or 'http'}://{record.host}"),
                ("trace", record.trace_id),
                ("parent span", record.parent_span_id),
                ("request id", record.request_id),
                ("process", record.process),
                ("version", record.version),
                ("kept", _kept(summary) or None),
                ("dropped before", record.dropped_before or None),
                ("notes", "; ".join(record.notes) or None),
            ]
        ),
    ]
    lines += _message(
        "Request", record.request_headers, record.request_body, record.request_body_size,
        record.request_body_note,
    )  # fmt: skip
    if record.status_code is not None or record.response_body_size:
        lines += _message(
            "Response", record.response_headers, record.response_body, record.response_body_size,
            record.response_body_note,
        )  # fmt: skip
    if record.children:
        lines += [
            "",
            "Child spans",
            *_fields((child.name, _child(child)) for child in record.children),
        ]
    if record.custom_data is not None:
        lines += ["", "Custom data", *_indented(_as_json(record.custom_data))]
    if record.exception is not None:
        lines += ["", "Exception", *_indented(record.exception.traceback)]
    return "\n".join(map(visible, lines))


def _fields(pairs: Iterable[tuple[str, Any]]) -> list[str]:
    shown = [(name, str(value)) for name, value in pairs if value is not None]
    width = max((cell_width(name) for name, _ in shown), default=0)
    return [f"  {pad(name, width)}  {value}" for name, value in shown]


def _took(record: Record) -> str | None:
    if record.execution_time is None:
        return None
    first = record.time_to_first_byte
    took = f"{_milliseconds(record.execution_time)} ms"
    return took if first is None else f"{took}, first byte after {_milliseconds(first)} ms"


def _route(record: Record) -> str | None:
    return record.url_rule and f"{record.url_rule} ({record.endpoint})"


def _status(record: Record) -> str | None:
    if record.outcome == "ok":
        return str(record.status_code) if record.status_code else None
    return f"{record.status_code or '-'} ({record.outcome})"


def _who(record: Record) -> str | None:
    if record.user_repr and record.user_id and record.user_repr != record.user_id:
        return f"{record.user_repr} ({record.user_id})"
    return record.user_repr or record.user_id


def _client(record: Record) -> str | None:
    agent = record.user_agent
    if agent is None:
        return None
    # The names say more than the words, which are all that records of old have.
    browser, system = agent.browser_name or agent.browser, agent.platform_name or agent.platform
    named = " ".join(filter(None, (browser, browser and agent.version)))
    return ", ".join(filter(None, (named, system))) or None


def _child(child: Any) -> str:
    took = "had not ended" if child.duration_ms is None else f"{child.duration_ms:,.1f} ms"
    text = f"{took}, from {child.start_ms:,.1f} ms on"
    return f"{text}, left by {child.error}" if child.error else text


def _message(title: str, headers: Headers, body: bytes, size: int, note: str | None) -> list[str]:
    about = f"{size:,} bytes on the wire" + (f", stored: {len(body):,}, {note}" if note else "")
    lines = ["", f"{title} ({about})", *_fields(headers)]
    if body:
        lines += ["", *_indented(_readable(body))]
    return lines


def _readable(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    if text.lstrip().startswith(("{", "[")):
        try:
            return _as_json(json.loads(text))
        except (ValueError, RecursionError):
            return text  # cut, or not JSON after all
    return text


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.rstrip().split("\n")]
