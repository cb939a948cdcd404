"""An app with the dashboard, of which a page was opened while it was imported, so before any fork."""

from __future__ import annotations

import os

if "TEST_PATCH" in os.environ:  # gunicorn patches in the worker, which is too late for a client of now
    from gevent import monkey

    monkey.patch_all()

from flask import Flask

from flask_tracking import Tracking

app = Flask(__name__)
app.config.from_prefixed_env()
app.config.update(TRACKING_DASHBOARD=True, TRACKING_FLUSH_INTERVAL_S=0.1)
Tracking(app, dashboard_access=lambda: True)


@app.get("/echo/<int:number>")
def echo(number: int) -> str:
    """Answer with the number."""
    return str(number)


app.test_client().get("/_tracking/requests")
