"""A flood of routine requests, and the failures that came before it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from pymongo.database import Database
from werkzeug.test import create_environ, run_wsgi_app

from flask_tracking import Tracking

from ..servers import ROOT

Document = dict[str, Any]
TIMEOUT_S = 60.0
TABLE_SIZE = 2 * 1024 * 1024
FLOOD = 50_000
BETWEEN_FLUSHES = 5_000
"""Half of what may wait in memory: nothing is dropped from the queue."""
BATCH = 2_000
"""SecantusDB reads a whole capped collection for each insert into it."""


@pytest.fixture
def tracking(database_uri: str) -> Iterator[tuple[Flask, Tracking]]:
    """An app that stores into a small collection, with a view that fails."""
    app = Flask("shop")
    app.config.update(
        TRACKING_MONGODB_URI=database_uri,
        TRACKING_TABLE_SIZE=TABLE_SIZE,
        TRACKING_BATCH_RECORDS=BATCH,
        TRACKING_SLOW_MS=TIMEOUT_S * 1000,  # one that waits for a busy machine is routine
    )
    app.add_url_rule("/orders/<int:number>", "order", lambda number: {"number": number})
    app.add_url_rule("/pay/<int:number>", "pay", lambda number: [1 // 0])
    tracking = Tracking(app)
    yield app, tracking
    assert tracking.close(TIMEOUT_S)


def run_command(uri: str, *arguments: str) -> list[str]:
    """Run ``flask tracking`` with another app on the same database; return its lines."""
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FLASK_TRACKING_MONGODB_URI": uri,
        "FLASK_TRACKING_TABLE_SIZE": str(TABLE_SIZE),
    }
    command = [sys.executable, "-W", "error", "-m", "flask", "--app", "tests.e2e.app", "tracking"]
    done = subprocess.run([*command, *arguments], cwd=ROOT, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_failures_before_a_flood(
    tracking: tuple[Flask, Tracking], database: Database[Document], database_uri: str
) -> None:
    """Five failures, then 50,000 routine requests into 2 MiB: ``list --status 5xx`` finds the five."""
    app, extension = tracking
    environ = create_environ("/")

    def get(path: str) -> str:
        asked = environ | {"PATH_INFO": path, "RAW_URI": path}
        _, status, _ = run_wsgi_app(app.wsgi_app, asked, buffered=True)
        return status[:3]

    assert [get(f"/pay/{number}") for number in range(5)] == ["500"] * 5
    for number in range(FLOOD):
        assert get(f"/orders/{number}") == "200"
        if number % BETWEEN_FLUSHES == 0:
            assert extension.flush(TIMEOUT_S)
    assert extension.flush(TIMEOUT_S)

    # Every request is stored and counted once, and the flood has pushed the failures out.
    stats = extension.stats
    assert (stats.exported, stats.dropped) == (FLOOD + 5, {})
    assert database["tracking"].options()["size"] == TABLE_SIZE
    assert 0 < database["tracking"].count_documents({}) < FLOOD / 10
    assert database["tracking"].count_documents({"status_code": 500}) == 0

    titles, *lines = run_command(database_uri, "list", "--status", "5xx")
    assert titles.split()[1:] == ["METHOD", "PATH", "STATUS", "MS", "ERROR", "KEPT", "ID"]
    assert [line.split()[1:4] for line in lines] == [
        ["GET", f"/pay/{number}", "500"] for number in reversed(range(5))
    ]
    assert all(line.split()[5:7] == ["ZeroDivisionError", "error"] for line in lines)
    shown = run_command(database_uri, "show", lines[-1].split()[-1])
    assert shown[0] == "GET /pay/0 HTTP/1.1"
    assert "  ZeroDivisionError: integer division or modulo by zero" in shown

    # One that is kept by hand, and one that is forgotten.
    routine = run_command(database_uri, "list", "--limit", "1")[1].split()[-1]
    run_command(database_uri, "keep", routine, "--reason", "last")
    run_command(database_uri, "unkeep", lines[0].split()[-1])
    kept = run_command(database_uri, "list", "--kept")[1:]
    assert [line.split()[-1] for line in kept] == [routine, *(line.split()[-1] for line in lines[1:])]
