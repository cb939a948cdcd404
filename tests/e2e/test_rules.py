"""A rule that is set while gunicorn runs reaches each of its workers, and expires."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database

from flask_tracking.config.overrides import utc_now

from ..servers import ROOT, gunicorn
from .clients import Load, send_echoes, wait_for

Document = dict[str, Any]

WORKERS = 4
FLUSH_INTERVAL_S = 0.5
LIFETIME_S = 6


def set_rule(environ: dict[str, str]) -> tuple[str, datetime]:
    """Run the command; return what it prints, and when it had ended."""
    command = [sys.executable, "-m", "flask", "--app", "tests.e2e.app", "tracking", "overrides", "set"]
    command += ["slow_ms=0.001", "--for", f"{LIFETIME_S}s"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    return done.stdout, utc_now()


def test_rule_reaches_every_worker_and_expires(database: Database[Document], mongodb: str) -> None:
    """From a flush interval after the command to the rule's end every request is slow, then none."""
    records = database["tracking"]
    environ = {
        "FLASK_TRACKING_MONGODB_URI": f"{mongodb}{database.name}",
        "FLASK_TRACKING_FLUSH_INTERVAL_S": str(FLUSH_INTERVAL_S),
    }
    over, loads = threading.Event(), list[Load]()

    def send() -> None:
        loads.append(send_echoes(url, clients=8, until=over, pause_s=0.1))

    def processes(**wanted: Any) -> int:
        return len(records.distinct("process", wanted))

    with gunicorn("tests.e2e.app:app", "--workers", str(WORKERS), env=environ) as url:
        clients = threading.Thread(target=send)
        clients.start()
        try:
            wait_for(lambda: processes(kept=None) == WORKERS)
            printed, set_at = set_rule(environ)
            (rule,) = database["tracking_overrides"].find()
            expires_at = rule["expires_at"]
            wait_for(lambda: processes(kept_reason="slow") == WORKERS)
            wait_for(lambda: processes(date_created={"$gte": expires_at}) == WORKERS)
        finally:
            over.set()
            clients.join()
    assert printed.startswith(f"Set for {LIFETIME_S}s: slow_ms. Every process follows within 0.5 s.\n")
    assert loads[0].wrong == []

    before = {"date_stored": {"$lt": rule["set_at"]}}
    under = {
        "date_created": {"$gte": set_at + timedelta(seconds=FLUSH_INTERVAL_S)},
        "date_stored": {"$lt": expires_at},
    }
    after = {"date_created": {"$gte": expires_at}}
    for period, expected in ((before, None), (under, "slow"), (after, None)):
        found = list(records.find(period, {"kept_reason": True, "process": True}))
        assert len({record["process"] for record in found}) == WORKERS
        assert {record.get("kept_reason") for record in found} == {expected}
