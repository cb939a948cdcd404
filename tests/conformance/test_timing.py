"""Times of records beside what was measured from outside, on real servers.

A time that is recorded lies between two that are known: the moments just outside of the tracker and
those just inside of it, in the app and in the client. An interval wider than `TOLERANCE_MS` proves
nothing, the machine was busy: then the same exchange is made again.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flask_tracking import Record

from ..servers import free_port, gunicorn, wait_until_listening
from . import timing_app
from .timing_app import CHUNK, FILE_BYTES, PAGE, PAUSE_S

pytestmark = [pytest.mark.integration, pytest.mark.repeats]

TOLERANCE_MS = 50.0
ATTEMPTS = 10
LAST_BYTES = 5 * 1024 * 1024
"""More than all buffers between the server and a client that does not read."""
TIMEOUT_S = 30.0
PAUSE_MS = PAUSE_S * 1000
MODULE = timing_app.__name__


@dataclass
class Exchange:
    """What the client and the app have seen of one request."""

    head: bytes = b""
    body_size: int = 0
    """As it came, framing included."""
    sent_ns: int = 0
    paused_until_ns: int = 0
    """When the client went on, or went away."""
    first_byte_ns: int | None = None
    end_ns: int | None = None
    """None when the client went away."""
    marks: dict[str, int] = field(default_factory=dict)
    record: Record | None = None

    @property
    def status(self) -> int:
        """The status that the client was told."""
        return int(self.head.split(b" ", 2)[1])


@dataclass
class Server:
    """A running server, and where its app reports to."""

    port: int
    reports: socket.socket

    def exchange(self, client: Callable[[socket.socket, Exchange], None]) -> Exchange:
        """Let `client` talk to the server, and wait until both sides are through."""
        seen = Exchange()
        with socket.socket() as connection:
            connection.settimeout(TIMEOUT_S)
            # What the client does not read stays with the server.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            connection.connect(("127.0.0.1", self.port))
            seen.sent_ns = time.perf_counter_ns()
            client(connection, seen)
        while "left" not in seen.marks:
            what, value = pickle.loads(self.reports.recv(65536))
            if what == "record":
                assert seen.record is None
                seen.record = value
            else:
                seen.marks[what] = value
        assert seen.record is not None
        return seen


@contextlib.contextmanager
def werkzeug_server(env: dict[str, str]) -> Iterator[str]:
    """Run the app under Werkzeug's server; yields its URL."""
    port = free_port()
    command = [sys.executable, "-W", "error", "-m", MODULE, str(port)]
    root = Path(__file__).parent.parent.parent
    environ = {**os.environ, **env, "PYTHONPATH": str(root)}
    with subprocess.Popen(command, cwd=root, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until_listening(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture(scope="module", params=["gunicorn sync", "gunicorn gthread", "werkzeug"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Each server that is measured."""
    file = tmp_path_factory.mktemp("timing") / "file"
    with file.open("wb") as writer:
        writer.truncate(FILE_BYTES)
    with socket.socket(type=socket.SOCK_DGRAM) as reports:
        reports.bind(("127.0.0.1", 0))
        reports.settimeout(TIMEOUT_S)
        env = {"TEST_REPORTS": str(reports.getsockname()[1]), "TEST_FILE": str(file)}
        kind, _, workers = request.param.partition(" ")
        options = ("-c", f"python:{MODULE}", "-k", workers, "--log-level", "critical")
        running = (
            gunicorn(f"{MODULE}:make_application()", *options, env=env, python=("-W", "error"))
            if kind == "gunicorn"
            else werkzeug_server(env)
        )
        with running as url:
            yield Server(int(url.rpartition(":")[2]), reports)


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    """Return a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def read_head(connection: socket.socket, seen: Exchange) -> None:
    """Read until a byte of the body is there, or the end."""
    while True:
        data = connection.recv(65536)
        now_ns = time.perf_counter_ns()
        if not data:
            seen.end_ns = now_ns
            return
        seen.head += data
        head, separator, body = seen.head.partition(b"\r\n\r\n")
        if separator and body:
            seen.head, seen.body_size, seen.first_byte_ns = head, len(body), now_ns
            return


def read_rest(connection: socket.socket, seen: Exchange) -> None:
    """Read until the server closes the connection."""
    while seen.end_ns is None:
        try:
            data = connection.recv(1 << 20)
        except ConnectionResetError:  # an answer that broke off
            data = b""
        seen.body_size += len(data)
        if not data:
            seen.end_ns = time.perf_counter_ns()


def pause(seen: Exchange) -> None:
    """Do nothing for a while, as a slow client does."""
    time.sleep(PAUSE_S)
    seen.paused_until_ns = time.perf_counter_ns()


def reset(connection: socket.socket, seen: Exchange) -> None:
    """Go away as a client does that is killed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    seen.paused_until_ns = time.perf_counter_ns()
    connection.close()


def plainly(request: bytes) -> Callable[[socket.socket, Exchange], None]:
    """Send a request and read the answer as fast as it comes."""

    def client(connection: socket.socket, seen: Exchange) -> None:
        connection.sendall(request)
        read_head(connection, seen)
        read_rest(connection, seen)

    return client


def slowly(request: bytes) -> Callable[[socket.socket, Exchange], None]:
    """Read until so much is left that the server cannot be through yet, and the rest after a while."""

    def client(connection: socket.socket, seen: Exchange) -> None:
        connection.sendall(request)
        read_head(connection, seen)
        while seen.body_size < FILE_BYTES - LAST_BYTES:
            seen.body_size += len(connection.recv(65536))
        pause(seen)
        read_rest(connection, seen)

    return client


def leaving(request: bytes) -> Callable[[socket.socket, Exchange], None]:
    """Read the first bytes, and go away after a while."""

    def client(connection: socket.socket, seen: Exchange) -> None:
        connection.sendall(request)
        read_head(connection, seen)
        pause(seen)
        reset(connection, seen)

    return client


def measure(
    server: Server,
    client: Callable[[socket.socket, Exchange], None],
    check: Callable[[Exchange, Record], None],
) -> None:
    """Make an exchange, and compare its record with what was seen from outside."""
    widths = []
    for _ in range(ATTEMPTS):
        seen = server.exchange(client)
        assert seen.record is not None
        first, total = first_byte_interval(seen), total_interval(seen)
        check(seen, seen.record)
        assert (seen.record.time_to_first_byte is None) == (first is None)
        if seen.record.time_to_first_byte is not None and first is not None:
            assert first[0] <= seen.record.time_to_first_byte <= first[1]
        assert seen.record.execution_time is not None
        assert total[0] <= seen.record.execution_time <= total[1]
        width_ms = max(high - low for low, high in (total, first or total))
        if width_ms <= TOLERANCE_MS:
            return
        widths.append(round(width_ms))
    pytest.fail(f"this machine is too busy to measure: {widths} ms")


def first_byte_interval(seen: Exchange) -> tuple[float, float] | None:
    """Return between which two times, in ms, the first byte must have been recorded."""
    if seen.first_byte_ns is None or seen.record is None or not seen.record.response_body_size:
        return None
    marks = seen.marks
    return (
        (marks["first"] - marks["view"]) / 1e6,
        (seen.first_byte_ns - marks["arrived"]) / 1e6,
    )


def total_interval(seen: Exchange) -> tuple[float, float]:
    """Return between which two times, in ms, the end must have been recorded."""
    marks = seen.marks
    # Without a mark in the app the client held it up.
    last_ns = marks.get("last", seen.paused_until_ns)
    end_ns = marks["left"] if seen.end_ns is None else min(seen.end_ns, marks["left"])
    assert seen.sent_ns <= marks["arrived"] <= marks["view"] <= last_ns <= end_ns
    return (last_ns - marks["view"]) / 1e6, (end_ns - marks["arrived"]) / 1e6


def expect(
    status: int, outcome: str, size: int, *, total_ms: float = 0, first_ms: float | None = None
) -> Callable[[Exchange, Record], None]:
    """Return a check of what does not depend on the clock, and of the pauses, which are known.

    Args:
        status: what the client and the record say.
        outcome: the record's.
        size: the body's.
        total_ms: the least execution time.
        first_ms: by how much at least the first byte was earlier than the end.
    """

    def check(seen: Exchange, record: Record) -> None:
        assert seen.status == status
        assert (record.status_code, record.outcome) == (status, outcome)
        assert record.response_body_size == size
        assert record.execution_time is not None and record.execution_time >= total_ms
        if first_ms is not None:
            assert record.time_to_first_byte is not None
            assert record.execution_time - record.time_to_first_byte >= first_ms

    return check


CASES: dict[str, tuple[Any, Any]] = {
    "plain": (plainly(get("/plain")), expect(200, "ok", 5)),
    "slow view": (plainly(get("/slow")), expect(200, "ok", 4, total_ms=PAUSE_MS)),
    "stream": (
        plainly(get("/stream")),
        expect(200, "ok", 3 * len(CHUNK), total_ms=2 * PAUSE_MS, first_ms=2 * PAUSE_MS),
    ),
    "small file": (plainly(get("/small-file")), expect(200, "ok", len(PAGE))),
    "part of a file": (
        plainly(get("/small-file", "Range: bytes=10-29")),
        expect(206, "ok", 20),
    ),
    "file, slow client": (
        slowly(get("/file")),
        expect(200, "ok", FILE_BYTES, total_ms=PAUSE_MS, first_ms=PAUSE_MS / 2),
    ),
    "file in memory, slow client": (
        slowly(get("/file-in-memory")),
        expect(200, "ok", FILE_BYTES, total_ms=PAUSE_MS, first_ms=PAUSE_MS / 2),
    ),
    "failure that Flask answers": (plainly(get("/failing")), expect(500, "ok", 265, total_ms=PAUSE_MS)),
    "failure that escapes": (
        plainly(get("/failing?escapes")),
        expect(500, "error", 0, total_ms=PAUSE_MS),
    ),
    "failure in mid-stream": (
        plainly(get("/failing-stream/1")),
        expect(200, "stream_error", len(CHUNK), total_ms=PAUSE_MS, first_ms=PAUSE_MS),
    ),
    "failure before the stream": (plainly(get("/failing-stream/0")), expect(500, "error", 0)),
    "HEAD": (plainly(get("/slow", method="HEAD")), expect(200, "ok", 0, total_ms=PAUSE_MS)),
    "304": (
        plainly(get("/slow", 'If-None-Match: "v1"')),
        expect(304, "ok", 0, total_ms=PAUSE_MS),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_times(server: Server, case: str) -> None:
    """Times, size and outcome are those that were measured from outside."""
    measure(server, *CASES[case])


def test_upload_in_chunks(server: Server) -> None:
    """Waiting for the rest of an upload is part of the time."""

    def client(connection: socket.socket, seen: Exchange) -> None:
        connection.sendall(get("/plain", "Transfer-Encoding: chunked", method="POST"))
        connection.sendall(b"4\r\nabcd\r\n")
        pause(seen)
        connection.sendall(b"4\r\nefgh\r\n0\r\n\r\n")
        read_head(connection, seen)
        read_rest(connection, seen)

    def check(seen: Exchange, record: Record) -> None:
        expect(200, "ok", 8)(seen, record)
        assert (record.request_body_size, record.request_body_note) == (8, None)
        assert record.time_to_first_byte is not None
        # The client held it up at least from the arrival to the end of its pause.
        assert record.time_to_first_byte >= (seen.paused_until_ns - seen.marks["view"]) / 1e6

    measure(server, client, check)


def test_client_that_leaves_a_stream(server: Server) -> None:
    """The end is when the server noticed; every chunk that was produced counts."""

    def check(seen: Exchange, record: Record) -> None:
        size = seen.marks["chunks"] * len(CHUNK)
        expect(200, "disconnected", size, first_ms=PAUSE_MS)(seen, record)
        assert seen.marks["last"] >= seen.paused_until_ns

    measure(server, leaving(get("/endless")), check)


@pytest.mark.parametrize("path", ["/file", "/file-in-memory"])
def test_client_that_leaves_a_file(server: Server, path: str) -> None:
    """A file that was left half is not whole, whoever reads it: the server or the app."""

    def check(seen: Exchange, record: Record) -> None:
        assert (seen.status, record.status_code, record.outcome) == (200, 200, "disconnected")
        assert 0 < record.response_body_size < FILE_BYTES
        assert record.response_body_size >= seen.body_size

    measure(server, leaving(get(path)), check)
