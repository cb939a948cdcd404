"""The app: it answers with what it was sent, and says which process did."""

from __future__ import annotations

import atexit
import json
import os
from pathlib import Path

from flask import Flask, Response, request

from . import STATS, UNTRACKED


def leave_stats() -> None:
    """Write the numbers of this process: what was registered first is called last."""
    stats = tracking.stats
    numbers = {"received": stats.received, "dropped": stats.dropped, "spooled": stats.spooled}
    (Path(os.environ[STATS]) / f"{os.getpid()}.json").write_text(json.dumps(numbers))


if UNTRACKED not in os.environ:
    atexit.register(leave_stats)

from flask_tracking import Tracking  # noqa: E402 - behind what is to be called after it

app = Flask(__name__)
app.config.from_prefixed_env()
if UNTRACKED not in os.environ:
    tracking = Tracking(app)


@app.post("/echo/<int:number>")
def echo(number: int) -> Response:
    """Answer with what was sent."""
    return Response(request.get_data(), headers={"X-Process": str(os.getpid())})
