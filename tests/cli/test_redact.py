"""``redact formats`` and ``redact preview``: what would be stored, and what would not."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from flask_tracking import MemoryExporter, Tracking
from flask_tracking.cli import redact as redact_module
from flask_tracking.redaction.detection.formats import FORMATS, VERSION

from ..captures import make_record

Invoke = Callable[..., Result]
KEY = "Zq8wLr3nVt5yXc7kQp"
REQUEST = (
    b"POST /reset/abcdefgh12?a=1&api_key=QWERTZ HTTP/1.1\r\n"
    b"Host: shop.example.org\r\n"
    b"Authorization: Bearer abcdefghijk1234567\r\n"
    b"Cookie: session=abc\r\n"
    b"Cookie: theme=dark\r\n"
    b"Content-Type: application/json\r\n"
    b"\r\n"
    b'{"user": "ada", "password": "hunter2", "note": "' + KEY.encode() + b'"}'
)


@pytest.fixture
def invoke(app: Flask) -> Invoke:
    """Run ``flask tracking redact ...``."""
    runner = app.test_cli_runner()

    def run(*arguments: str, given: bytes | None = None) -> Result:
        return runner.invoke(args=["tracking", "redact", *arguments], input=given)

    return run


@pytest.fixture
def shop(app: Flask, memory: MemoryExporter) -> Flask:
    """A tracked app with a strong key and a secret in a path; no view of it may run here."""
    app.secret_key = KEY
    Tracking(app, exporter=memory)

    @app.post("/reset/<token>")
    def reset(token: str) -> str:
        pytest.fail("a view ran")

    return app


def test_every_format_is_listed(invoke: Invoke, tracking: Tracking) -> None:
    """Each format has a line with its id, what it finds, its version and its sources."""
    lines = invoke("formats").output.splitlines()
    assert lines[0].split() == ["ID", "FINDS", "VERSION", "SOURCES"]
    for one, line in zip(FORMATS, lines[1:], strict=False):
        assert line.split()[0] == one.id
        for part in (one.finds, f" {one.version} ", one.sources):
            assert part in line
    assert all(one.finds for one in FORMATS)
    assert f"{len(FORMATS)} formats, 0 of them off. The redaction version is {VERSION}." in lines


def test_formats_say_what_the_settings_do(app: Flask, memory: MemoryExporter, invoke: Invoke) -> None:
    """Rules that are off are marked, names that are added and freed are named."""
    app.config.update(
        TRACKING_REDACT_OFF=["card"],
        TRACKING_REDACT_NAMES=["tax id"],
        TRACKING_REDACT_ALLOW=["session_id"],
        TRACKING_REDACT_PATTERNS={"badge": "B-[0-9]{8}"},
    )
    Tracking(app, exporter=memory)
    output = invoke("formats").output
    (off,) = [line for line in output.splitlines() if "  off  " in line]
    assert off.startswith("card ")
    assert f"{len(FORMATS)} formats, 1 of them off. The redaction version is {VERSION}-" in output
    assert "Added by TRACKING_REDACT_NAMES: 1 (tax id)." in output
    assert "Removed by TRACKING_REDACT_ALLOW: 1 (session_id)." in output
    assert "Patterns of TRACKING_REDACT_PATTERNS: 1 (badge)." in output


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_formats_fit_the_terminal(
    invoke: Invoke, tracking: Tracking, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """On a terminal no line is longer than it is wide."""

    monkeypatch.setattr(redact_module, "terminal_width", lambda: shutil.get_terminal_size().columns)
    monkeypatch.setenv("COLUMNS", str(columns))
    output = invoke("formats").output
    assert max(map(len, output.splitlines())) <= columns
    assert "vercel" in output


def test_preview_of_a_file(shop: Flask, invoke: Invoke, tmp_path: Path, memory: MemoryExporter) -> None:
    """A request is shown as it would be stored, then what was removed; nothing is stored or run."""
    file = tmp_path / "request.http"
    file.write_bytes(REQUEST)
    result = invoke("preview", str(file))
    assert result.exit_code == 0, result.output
    shown = result.output
    assert shown.startswith("POST /reset/[redacted]?a=1&api_key=[redacted] HTTP/1.1\n")
    for secret in ("hunter2", "QWERTZ", "abcdefgh12", "abcdefghijk", KEY, "dark"):
        assert secret not in shown
    assert "Bearer [redacted]" in shown and "session=[redacted]; theme=[redacted]" in shown
    assert '"user": "ada"' in shown
    assert "10 values were removed" in shown
    rows = [line.split() for line in shown.partition("values were removed")[2].splitlines()[2:]]
    assert ["request_body", "name", "29", "7"] in rows
    assert ["request_body", "literal", "48", str(len(KEY))] in rows
    assert memory.records == []


def test_preview_equals_what_is_stored(app: Flask, memory: MemoryExporter, invoke: Invoke) -> None:
    """The same request, sent to the app, leaves a record with the same request and remarks in it."""
    app.secret_key = KEY
    Tracking(app, exporter=memory)
    app.add_url_rule("/reset/<token>", "reset", lambda token: "", methods=["POST"])
    shown = invoke("preview", "-", given=REQUEST).output
    headers = [("Authorization", "Bearer abcdefghijk1234567"), ("Cookie", "session=abc; theme=dark")]
    body = REQUEST.partition(b"\r\n\r\n")[2]
    client = app.test_client(use_cookies=False)
    client.post(
        "/reset/abcdefgh12?a=1&api_key=QWERTZ",
        data=body,
        headers=headers,
        content_type="application/json",
    )
    (record,) = memory.records
    stored = dict(record.request_headers)
    for field in (record.path, record.query_params, stored["Authorization"], stored["Cookie"]):
        assert str(field) in shown
    for remark in record.redacted:
        # Werkzeug's client names the target in another key than servers do.
        assert f"{remark.path} " in shown and f" {remark.offset:,} " in shown


def test_preview_prints_nothing_that_a_terminal_obeys(shop: Flask, invoke: Invoke) -> None:
    """Control characters of a request are shown and not sent."""
    given = b"GET /a?b=\x1b]0;x\x07 HTTP/1.1\nX-Odd: \x1b[31m\n\n\x1b[2J"
    output = invoke("preview", "-", given=given).output
    assert "\x1b" not in output
    assert "\\x1b[31m" in output and "\\x1b[2J" in output


def test_preview_of_a_record(shop: Flask, memory: MemoryExporter, invoke: Invoke) -> None:
    """A stored record is shown as a scrub would leave it, and stays as it is."""
    stored = dataclasses.replace(
        make_record(), request_body=b"password=hunter2", request_headers=(("Cookie", "a=hunter3"),)
    )
    memory.export([stored])
    for text in (str(stored.id), str(stored.id)[:12], "-1"):
        output = invoke("preview", text).output
        assert "hunter" not in output
        assert "2 values were removed" in output
    assert memory.records == [stored]


def test_preview_obeys_marks_and_methods(app: Flask, memory: MemoryExporter, invoke: Invoke) -> None:
    """What a mark or a method excludes is not shown as if it were stored, unless a mark keeps it."""
    app.config.update(TRACKING_EXCLUDE_METHODS=["PUT"], TRACKING_EXCLUDE_HEALTH_CHECKS=True)
    tracking = Tracking(app, exporter=memory)
    app.add_url_rule("/out", "out", tracking.exclude(lambda: "out"), methods=["POST"])
    app.add_url_rule("/in", "in", tracking.exclude_body(lambda: "in"), methods=["POST"])
    app.add_url_rule("/kept", "kept", tracking.keep(lambda: "kept"), methods=["PUT"])
    for line in ("POST /out", "PUT /in", "GET /healthz"):
        result = invoke("preview", "-", given=f"{line} HTTP/1.1\n\n".encode())
        assert result.stderr.startswith("Error: Nothing would be stored: "), line
    output = invoke("preview", "-", given=b"POST /in HTTP/1.1\n\nsome tea").output
    assert "excluded" in output and "some tea" not in output
    assert "some tea" in invoke("preview", "-", given=b"PUT /kept HTTP/1.1\n\nsome tea").output


def test_preview_of_what_is_harmless(shop: Flask, invoke: Invoke) -> None:
    """Where there is no secret that is said, and bare line ends do."""
    output = invoke("preview", "-", given=b"GET / HTTP/2\nHost: a\n").output
    assert output.startswith("GET / HTTP/2\n")
    assert "Response" not in output and "took" not in output
    assert output.endswith("\nNothing was removed.\n")


def test_preview_obeys_the_settings(app: Flask, memory: MemoryExporter, invoke: Invoke) -> None:
    """Excluded paths are not stored, excluded bodies not shown; without redaction that is said."""
    app.config.update(TRACKING_EXCLUDE=["^/out"], TRACKING_EXCLUDE_BODY=["^/in"], TRACKING_REDACT=False)
    Tracking(app, exporter=memory)
    result = invoke("preview", "-", given=b"GET /out HTTP/1.1\n\n")
    assert result.stderr.startswith("Error: Nothing would be stored: TRACKING_EXCLUDE, ")
    output = invoke("preview", "-", given=b"POST /in?password=x1 HTTP/1.1\n\nbody").output
    assert "excluded" in output and "password=x1" in output
    assert output.endswith("TRACKING_REDACT is False: only four headers are redacted.\n")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"", "Invalid line 1: expected a request line like 'POST /orders?a=1 HTTP/1.1'."),
        (b"GET / HTTP/1.1 hunter2\n\n", "Invalid line 1: expected a request line"),
        (b"GET hunter2 HTTP/1.1\n\n", "Invalid target in line 1: expected a path like"),
        (
            b"GET / HTTP/1.1\nHost: a\nX-Token hunter2\n\n",
            "Invalid line 3: expected a header 'Name: value'",
        ),
        (b"GET / HTTP/1.1\nA: b\n  hunter2\n\n", "Invalid line 3: expected a header"),
        (b'POST / HTTP/1.1\n{"password": "hunter2"}', "Invalid line 2: expected a header"),
        (b"GET / HTTP/1.1\n\x1b[31m\n\n", "Invalid line 2: expected a header"),
        (
            b"POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n1\r\na",
            "Line 2 is a Transfer-Encoding header.",
        ),
        (
            b"POST / HTTP/1.1\nA: b\nContent-Length: 9\n\nab",
            "Invalid Content-Length in line 3: the body has 2 bytes.",
        ),
    ],
)
def test_malformed_requests(shop: Flask, invoke: Invoke, given: bytes, message: str) -> None:
    """What is no request is one line of error: which line, what to write there, nothing quoted."""
    result = invoke("preview", "-", given=given)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {message}")
    assert result.stderr.count("\n") == 1
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    ("given", "body"),
    [
        (b"POST / HTTP/1.1\nContent-Length: 2\n\nab\n", "(2 bytes"),
        (b"POST / HTTP/1.1\nContent-Length: 2\n\nab\r\n", "(2 bytes"),
        (b"POST / HTTP/1.1\n\nab\n", "(3 bytes"),
    ],
)
def test_line_end_behind_the_body(shop: Flask, invoke: Invoke, given: bytes, body: str) -> None:
    """The line end that editors put behind a body is none of it where the length says so."""
    assert body in invoke("preview", "-", given=given).output


def test_whole_url_as_target(shop: Flask, invoke: Invoke) -> None:
    """A target may be a whole URL, as proxies get it."""
    output = invoke("preview", "-", given=b"GET https://shop.example.org/a?b=1 HTTP/1.1\n\n").output
    assert output.startswith("GET /a?b=1 HTTP/1.1\n")
    assert "https://shop.example.org" in output


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no/such/file", "Cannot read 'no/such/file' (No such file or directory). Expected a file"),
        ("6b0603d28cdad1b338a9a362", "Record 6b0603d28cdad1b338a9a362 not found."),
        ("/", "Cannot read '/' (Is a directory)."),
    ],
)
def test_preview_of_nothing(shop: Flask, invoke: Invoke, source: str, message: str) -> None:
    """What is neither a file nor a record is one line that says what may be named."""
    result = invoke("preview", source)
    assert result.exit_code == (2 if message.startswith("Cannot read") else 1)
    assert result.stderr.startswith(f"Error: {message}")


def test_endless_file(shop: Flask, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without end is refused before it fills the memory."""
    monkeypatch.setattr(redact_module, "MAX_BYTES", 10)
    given: Any = b"GET / HTTP/1.1\n\n"
    assert "is larger than 64 MiB" in invoke("preview", "-", given=given).stderr
