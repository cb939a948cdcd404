"""An app that says when things happen in it, to whoever listens at ``TEST_REPORTS``.

`time.perf_counter_ns` is one clock for all processes of a machine, so that what is said here can be
compared with what the client saw. Run this file to have Werkzeug's server, with the port as argument;
for gunicorn it is both the app and the configuration.
"""

from __future__ import annotations

import atexit
import functools
import io
import os
import pickle
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request, send_file
from werkzeug.serving import WSGIRequestHandler, run_simple

from flask_tracking import Exporter, Record, Tracking

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PAUSE_S = 0.15
CHUNK = b"a chunk of a stream\n"
TICK_S = 0.01
"""The pause between two chunks of the stream that never ends."""
FILE_BYTES = 8 * 1024 * 1024
PAGE = b"0123456789" * 20


@functools.cache
def _socket() -> tuple[socket.socket, tuple[str, int]]:
    sender = socket.socket(type=socket.SOCK_DGRAM)
    atexit.register(sender.close)
    return sender, ("127.0.0.1", int(os.environ["TEST_REPORTS"]))


def report(what: str, value: object) -> None:
    """Send a message to the test."""
    sender, address = _socket()
    sender.sendto(pickle.dumps((what, value)), address)


def mark(what: str) -> None:
    """Tell the test that something happens now."""
    report(what, time.perf_counter_ns())


class Reporter(Exporter):
    """Sends records to the test."""

    def _store(self, records: Sequence[Record]) -> int:
        for record in records:
            report("record", record)
        return 0


def make_app(*, propagates: bool) -> Flask:
    """Make an app with a view of each kind."""
    app = Flask("timing")
    app.config.update(
        TRACKING_WORKER="sync", TRACKING_MAX_BODY_LENGTH=1000, PROPAGATE_EXCEPTIONS=propagates
    )
    app.logger.disabled = True
    Tracking(app, exporter=Reporter())

    @app.before_request
    def begin() -> None:
        mark("view")

    @app.route("/plain", methods=["GET", "POST"])
    def plain() -> bytes:
        body = request.get_data()
        mark("first")
        mark("last")
        return body or b"plain"

    @app.get("/slow")
    def slow() -> Response:
        time.sleep(PAUSE_S)
        response = Response("slow")
        response.set_etag("v1")
        response.make_conditional(request)
        mark("first")
        mark("last")
        return response

    @app.get("/stream")
    def stream() -> Response:
        return Response(three_chunks(fails_at=None), mimetype="text/plain")

    @app.get("/failing-stream/<int:fails_at>")
    def failing_stream(fails_at: int) -> Response:
        return Response(three_chunks(fails_at), mimetype="text/plain")

    @app.get("/endless")
    def endless() -> Response:
        return Response(endless_chunks(), mimetype="text/plain")

    @app.get("/failing")
    def failing() -> str:
        time.sleep(PAUSE_S)
        mark("first")
        mark("last")
        raise ValueError

    @app.get("/file")
    def file() -> Response:
        mark("first")
        return send_file(os.environ["TEST_FILE"], mimetype="application/octet-stream")

    @app.get("/file-in-memory")
    def file_in_memory() -> Response:
        data = Path(os.environ["TEST_FILE"]).read_bytes()
        mark("first")
        return send_file(io.BytesIO(data), mimetype="application/octet-stream")

    @app.get("/small-file")
    def small_file() -> Response:
        mark("first")
        mark("last")
        return send_file(io.BytesIO(PAGE), mimetype="text/plain")

    return app


def three_chunks(fails_at: int | None) -> Iterator[bytes]:
    """Yield with a pause before each chunk but the first."""
    for number in range(3):
        if number:
            time.sleep(PAUSE_S)
        if number == fails_at:
            mark("last")
            raise ValueError(number)
        if number == 0:
            mark("first")
        yield CHUNK
    mark("last")


def endless_chunks() -> Iterator[bytes]:
    """Yield until the server closes it."""
    count = 0
    mark("first")
    try:
        while True:
            count += 1
            yield CHUNK
            time.sleep(TICK_S)
    finally:
        report("chunks", count)
        mark("last")


def make_application() -> WSGIApplication:
    """Make the application that the servers run."""
    app, propagating = make_app(propagates=False), make_app(propagates=True)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Outside of all that is tracked.
        mark("arrived")
        is_escaping = environ["QUERY_STRING"] == "escapes"
        return (propagating if is_escaping else app)(environ, start_response)

    return application


def post_request(worker: object, req: object, environ: object, resp: object) -> None:
    """Tell when gunicorn is done with a request."""
    mark("left")


class Handler(WSGIRequestHandler):
    """Tells when Werkzeug's server is done with a request."""

    def run_wsgi(self) -> None:
        """Serve one request."""
        try:
            super().run_wsgi()
        finally:
            mark("left")

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    port, application = int(sys.argv[1]), make_application()
    run_simple("127.0.0.1", port, application, threaded=True, request_handler=Handler)
