"""Captures and records made by hand."""

from __future__ import annotations

import time
from typing import Any

from flask_tracking import Record, Settings
from flask_tracking.pipeline.assemble import Assembler
from flask_tracking.record import Capture
from flask_tracking.runtime.ids import TraceContext, next_number


def make_capture(
    *, method: str = "GET", path: str = "/orders/7", environ: dict[str, str] | None = None, **parts: Any
) -> Capture:
    """Make the capture of a small, good request; `parts` replace its fields.

    Args:
        method: the request's method.
        path: its path.
        environ: more environ keys.
        **parts: fields of `Capture`.
    """
    keys = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "a=1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "5000",
        "REMOTE_ADDR": "127.0.0.1",
        "RAW_URI": f"{path}?a=1",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "example.org",
        "HTTP_USER_AGENT": "curl/8.5.0",
        **(environ or {}),
    }
    fields: dict[str, Any] = {
        "number": next_number(),
        "arrived_at": time.time(),
        "size": 3000,
        "app": "shop",
        "duration_ns": 2_500_000,
        "first_byte_ns": 2_000_000,
        "environ_keys": tuple(keys),
        "environ_values": tuple(keys.values()),
        "request_chunks": (),
        "request_size": 0,
        "request_note": None,
        "status": "200 OK",
        "response_headers": (("Content-Type", "text/plain"), ("Content-Length", "5")),
        "response_chunks": (b"hello",),
        "response_size": 5,
        "response_note": None,
        "outcome": "ok",
        "trace": TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", None),
        "endpoint": "order",
        "url_rule": "/orders/<int:number>",
        "blueprint": None,
        "view_args": {"number": "7"},
        "user_id": None,
        "user_repr": None,
        "user": None,
        "exception": None,
        "custom_data": None,
        "children": (),
        "keep_reason": None,
        "discarded": False,
        "notes": (),
    }
    return Capture(**{**fields, **parts})


def make_record(settings: Settings | None = None, **parts: Any) -> Record:
    """Make the record of such a capture."""
    return Assembler(settings or Settings()).assemble(make_capture(**parts))
