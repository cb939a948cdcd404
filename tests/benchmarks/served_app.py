"""The app that `served` puts under gunicorn; environment variables say how it is tracked."""

from __future__ import annotations

import os
import time
from typing import Any

from flask import Flask, Response

from flask_tracking import Tracking

CHUNKS = 10_000


def make_app() -> Flask:
    """Make the app, tracked where ``BENCH_MONGODB_URI`` is set, with pages by ``BENCH_DASHBOARD``."""
    app = Flask("served")

    @app.get("/")
    def work() -> dict[str, Any]:
        """Compute for 1 ms."""
        until_ns = time.thread_time_ns() + 1_000_000
        while time.thread_time_ns() < until_ns:
            pass
        return {"done": True}

    @app.get("/stream")
    def stream() -> Response:
        chunk = b"x" * 1000
        return Response((chunk for _ in range(CHUNKS)), mimetype="text/plain")

    uri = os.environ.get("BENCH_MONGODB_URI")
    if uri:
        app.config |= {"TRACKING_MONGODB_URI": uri, "TRACKING_EXPORT_TIMEOUT_S": 2.0}
        app.config["TRACKING_DASHBOARD"] = "BENCH_DASHBOARD" in os.environ
        Tracking(app, dashboard_access=lambda: True)
    return app


app = make_app()
