"""Merges rollups over and over, to be killed at it: ``python -m tests.exporters.merging URI``."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta, timezone

from flask_tracking import Settings
from flask_tracking.exporters.mongo import MongoExporter

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)


def main(uri: str) -> None:
    """Merge as it would go on during two days, at once, and say when that begins and ends."""
    table = MongoExporter(Settings(mongodb_uri=uri)).rollups
    assert table is not None
    print("begun", flush=True)
    for minutes in range(5, 2 * 24 * 60, 45):
        table.merge(str(os.getpid()), NOON + timedelta(minutes=minutes))
    print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
