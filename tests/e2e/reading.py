"""An app that reads Flask's stream in several ways, and tells what was recorded of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, request

from flask_tracking import MemoryExporter, Tracking

READERS: dict[str, Callable[[Any], list[bytes]]] = {
    "readline": lambda stream: [stream.readline()],
    "some of readline": lambda stream: [stream.readline(8)],
    "all of readline": lambda stream: [*iter(stream.readline, b"")],
    "readlines": lambda stream: [*stream.readlines()],
    "lines": lambda stream: [*stream],
    "read": lambda stream: [stream.read()],
    "read in parts": lambda stream: [*iter(lambda: stream.read(7), b"")],
}


def make_app() -> Flask:
    """Make the app anew: one that a module keeps would be tracked beside those of other tests."""
    app = Flask(__name__)
    app.config.update(TRACKING_WORKER="sync", TRACKING_EXCLUDE=["^/recorded$"])
    exporter = MemoryExporter()
    Tracking(app, exporter=exporter)

    @app.post("/stream/<name>")
    def read_stream(name: str) -> list[str]:
        return [line.decode() for line in READERS[name](request.stream)]

    @app.get("/recorded")
    def recorded() -> list[Any]:
        found = [
            [record.request_body.decode(), record.request_body_size, record.request_body_note]
            for record in exporter.records
        ]
        exporter.clear()
        return found

    return app
