"""Make a `Record` of a `Capture`: decode, parse and name what the request thread only copied."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any, NamedTuple

from bson import ObjectId
from werkzeug.exceptions import SecurityError
from werkzeug.sansio.utils import get_host

from ..config import Settings
from ..record import Capture, Headers, Record, Summary
from ..runtime.cache import BoundedCache, make_pick
from ..runtime.ids import new_trace
from ..runtime.text import read_number
from .decoding import decode_body
from .summary import summarise
from .user_agents import parse_user_agent

ABSENT_IF_EMPTY = frozenset({"Content-Type", "Content-Length"})
"""PEP 3333 allows these two to be empty strings if the client did not send them."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+/=@-]{0,127}")


class Assembler:
    """Makes records of captures. Use a new instance after a fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hostname = socket.gethostname()
        self.process = f"{self._hostname}:{os.getpid()}:{os.urandom(8).hex()}"
        """This process, as ``host:pid:random``."""

    def assemble(
        self,
        capture: Capture,
        summary: Summary | None = None,
        kept_reason: str | None = None,
        dropped_before: int = 0,
    ) -> Record:
        """Make the record of `capture`.

        Args:
            capture: the capture.
            summary: its summary, if one was made before.
            kept_reason: why the record is kept; None for a routine record.
            dropped_before: the number of records lost before this one.
        """
        summary = summary or summarise(capture)
        plan = _plans[capture.environ_keys]
        environ = Environ._make(plan.pick((*capture.environ_values, None)))
        request_headers = _request_headers(plan, capture.environ_values)
        response_headers = tuple(capture.response_headers)
        limit = self._settings.copied_body_bytes
        request_body, request_note = decode_body(
            capture.request_chunks, environ.content_encoding or "", limit
        )
        response_body, response_note = decode_body(
            capture.response_chunks, _find_header(response_headers, "content-encoding"), limit
        )
        agent, agent_note = parse_user_agent(environ.user_agent, environ.accept_language)
        first_byte_ns = capture.first_byte_ns
        record_id = capture.id
        trace = summary.trace or new_trace(summary.drawn_trace)
        values: dict[str, Any] = {
            "id": record_id,
            "kind": capture.kind,
            "name": None,
            "date_created": _from_timestamp(capture.arrived_at),
            "method": summary.method,
            "scheme": environ.scheme,
            "host": _host_of(environ),
            "path": "/" + _as_utf8(environ.path or "").lstrip("/"),
            "query_params": _as_utf8(environ.query or ""),
            "target": environ.raw_uri or environ.request_uri,
            "http_version": environ.protocol,
            "ip": environ.ip,
            "user": capture.user,
            "user_id": capture.user_id,
            "user_repr": capture.user_repr,
            "user_agent": agent,
            "request_headers": request_headers,
            "request_body": request_body,
            "request_body_size": capture.request_size,
            "request_body_note": _body_note(
                capture.request_note, request_note, capture.request_chunks, capture.request_size
            ),
            "status_code": summary.status_code,
            "response_headers": response_headers,
            "response_body": response_body,
            "response_body_size": capture.response_size,
            "response_body_note": _body_note(
                capture.response_note, response_note, capture.response_chunks, capture.response_size
            ),
            "execution_time": summary.duration_ms,
            "time_to_first_byte": None if first_byte_ns is None else first_byte_ns / 1e6,
            "outcome": capture.outcome,
            "endpoint": capture.endpoint,
            "url_rule": capture.url_rule,
            "blueprint": capture.blueprint,
            "view_args": capture.view_args,
            "exception": capture.exception,
            "trace_id": trace.trace_id,
            "span_id": trace.span_id,
            "parent_span_id": trace.parent_span_id,
            "request_id": _request_id(environ.request_id, record_id),
            "replay_of": _read_id(environ.replay_of),
            "hostname": self._hostname,
            "process": self.process,
            "app": capture.app,
            "version": self._settings.app_version,
            "custom_data": capture.custom_data,
            "children": capture.children,
            "kept": kept_reason is not None,
            "kept_reason": kept_reason,
            "dropped_before": dropped_before,
            "notes": (*capture.notes, agent_note) if agent_note else capture.notes,
            "redacted": (),
            "redaction_version": None,
        }
        return Record.from_values(values)


def _request_headers(plan: Plan, environ_values: tuple[str, ...]) -> Headers:
    headers = zip(plan.names, plan.pick_headers(environ_values), strict=True)
    if plan.may_be_absent:
        return tuple([one for one in headers if one[1] or one[0] not in ABSENT_IF_EMPTY])
    return tuple(headers)


def _from_timestamp(seconds: float) -> datetime:
    # Whole milliseconds, rounded down as in MongoDB, so that every store returns the same time.
    return datetime.fromtimestamp(int(seconds * 1000) / 1000, timezone.utc)


class Environ(NamedTuple):
    """The values of an environ that become fields of the record; None if absent."""

    scheme: str | None
    path: str | None
    query: str | None
    raw_uri: str | None
    request_uri: str | None
    protocol: str | None
    ip: str | None
    server_name: str | None
    server_port: str | None
    host: str | None
    user_agent: str | None
    accept_language: str | None
    content_encoding: str | None
    request_id: str | None
    replay_of: str | None


_ENVIRON_KEYS = (
    "wsgi.url_scheme",
    "PATH_INFO",
    "QUERY_STRING",
    "RAW_URI",
    "REQUEST_URI",
    "SERVER_PROTOCOL",
    "REMOTE_ADDR",
    "SERVER_NAME",
    "SERVER_PORT",
    "HTTP_HOST",
    "HTTP_USER_AGENT",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_CONTENT_ENCODING",
    "HTTP_X_REQUEST_ID",
    "HTTP_X_TRACKING_REPLAY_OF",
)


class Plan(NamedTuple):
    """The positions of values in an environ, shared by all environs with the same keys."""

    pick: Callable[[tuple[str | None, ...]], tuple[str | None, ...]]
    """Returns the fields of `Environ` from the environ's values followed by None."""
    names: tuple[str, ...]
    """The names of the headers."""
    pick_headers: Callable[[tuple[str, ...]], tuple[str, ...]]
    """Returns the values of the headers from the environ's values."""
    may_be_absent: bool
    """Whether the names include one of `ABSENT_IF_EMPTY`."""


def _make_plan(keys: tuple[str, ...]) -> Plan:
    header_places = {
        at: key.removeprefix("HTTP_").replace("_", "-").title()
        for at, key in enumerate(keys)
        if key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    names = tuple(header_places.values())
    return Plan(
        make_pick(tuple(keys.index(key) if key in keys else -1 for key in _ENVIRON_KEYS)),
        names,
        make_pick(tuple(header_places)),
        not ABSENT_IF_EMPTY.isdisjoint(names),
    )


_plans = BoundedCache(_make_plan)


def _find_header(headers: Headers, wanted: str) -> str:
    for name, value in headers:
        if len(name) == len(wanted) and name.lower() == wanted:
            return value
    return ""


def _as_utf8(text: str) -> str:
    # WSGI passes bytes as Latin-1 text (PEP 3333).
    return text if text.isascii() else text.encode("latin-1", "replace").decode("utf-8", "replace")


def _host_of(environ: Environ) -> str:
    server = environ.scheme or "http", environ.server_name or "", environ.server_port or ""
    return _hosts[server if environ.host is None else (*server, environ.host)]


def _find_host(parts: tuple[str, ...]) -> str:
    scheme, name, port, *header = parts
    server = name, read_number(port)
    try:
        return get_host(scheme, header[0] if header else None, server)
    except SecurityError:  # some versions of Werkzeug raise, others return an empty string
        return ""


_hosts = BoundedCache(_find_host)


def _read_id(header: str | None) -> ObjectId | None:
    return ObjectId(header) if header and ObjectId.is_valid(header) else None


def _request_id(header: str | None, record_id: ObjectId) -> str:
    return header if header and _REQUEST_ID.fullmatch(header) else str(record_id)


def _body_note(
    captured: str | None, decoded: str | None, chunks: Iterable[bytes], size: int
) -> str | None:
    """Return the first reason why a body is incomplete, or None."""
    if captured is not None:
        return captured
    if decoded is not None:
        return decoded
    return "truncated" if size and sum(map(len, chunks)) < size else None
