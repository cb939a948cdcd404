"""The page about the recorder itself."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock

import pytest

from flask_tracking import ExportError, MemoryExporter
from flask_tracking.dashboard.pages import health
from flask_tracking.dashboard.tables.storage_rows import make_storage_rows
from flask_tracking.exporters.retention import Usage
from flask_tracking.exporters.rollup_table import align
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Rollup, RouteKey

from .conftest import Make
from .test_pages import check

PAGE = "/_tracking/health"


def test_health(make: Make) -> None:
    """It shows each check but the slow ones, and what this process did."""
    client = make().test_client()
    client.get("/tea/green")
    page = check(client.get(PAGE).text)
    for name in ("store", "settings", "capture", "records", "speed"):
        assert f'<th scope="row">{name}</th>' in page
    assert '<th scope="row">secrets</th>' not in page
    assert "<dt>Requests received</dt><dd>1</dd>" in page


def test_checks_run_once_a_minute(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many look, the store is asked once in a while."""
    client = make().test_client()
    calls: list[float] = []
    now = [1000.0]
    monkeypatch.setattr(health, "monotonic", lambda: now[0])

    def examine(*_: object) -> list[object]:
        calls.append(now[0])
        return []

    monkeypatch.setattr(health, "examine", examine)
    for now[0] in (1000.0, 1030.0, 1059.0, 1061.0):
        assert client.get(PAGE).status_code == 200
    assert calls == [1000.0, 1061.0]


def test_store_that_is_away(make: Make, memory: MemoryExporter) -> None:
    """A store that does not answer is a finding, and the page is there."""
    client = make().test_client()
    error = ExportError("MongoDB at db.example cannot be reached")
    with (
        mock.patch.object(memory, "_find", side_effect=error),
        mock.patch.object(memory, "_check", side_effect=error),
    ):
        response = client.get(PAGE)
    assert response.status_code == 200
    assert "MongoDB at db.example cannot be reached" in check(response.text)


def test_without_recording(make: Make) -> None:
    """An app that does not record says so."""
    page = check(make(TRACKING_ENABLED=False).test_client().get(PAGE).text)
    assert "off: TRACKING_ENABLED is False" in page


def make_minutes(process: str, lost: int = 0) -> Rollup:
    """Make the last minute of a process."""
    counts = Counts()
    for _ in range(7):
        counts.add_request(200, False, 20.0, 0, 0)
    return Rollup(
        width_s=60,
        start=align(datetime.now(timezone.utc) - timedelta(minutes=5), 60),
        source=f"{process}.1",
        version="2.4.1",
        routes={RouteKey("/", "GET"): counts},
        dropped=Counter({"queue_full": lost} if lost else {}),
        lag_ms=1_234,
        waiting=56,
    )


def test_processes(make: Make, memory: MemoryExporter) -> None:
    """Each process has a row: what it counted, how late it stored records, and what it lost."""
    memory.rollups.store([make_minutes("web-1:7:ab", lost=3), make_minutes("web-2:7:cd")])
    page = check(make().test_client().get(PAGE).text)
    rows = page.partition("Table of processes")[2].partition("</table>")[0].split("<tr")[2:]
    assert "web-1:7:ab" in rows[0] and ' class="hot"' in rows[0] and "3 queue_full" in rows[0]
    assert "web-2:7:cd" in rows[1] and 'data-label="lost">nothing<' in rows[1]
    for words in ("2.4.1", 'requests">7<', 'lag">1.23\u00a0s<', 'waiting">56<'):
        assert words in rows[0] and words in rows[1]


@pytest.mark.parametrize(
    ("parts", "row"),
    [
        ({}, ("", "", ())),
        ({"max_records": 1000}, ("at most 1,000 records", "about 2 days", ())),
        ({"stored_bytes": 50_000, "ttl_s": 604_800}, ("50.0\u00a0kB", "7 days", ())),
        (
            {"stored_bytes": 50_000, "max_bytes": 200_000},
            (
                "50.0\u00a0kB of 200.0\u00a0kB",
                "about 4 days",
                (("400.0\u00a0kB", "about 8 days"), ("1.0\u00a0MB", "about 20 days")),
            ),
        ),
    ],
)
def test_storage(parts: dict[str, Any], row: tuple[object, ...]) -> None:
    """It says for how long records stay, here and in larger sizes, as far as that is known."""
    now = datetime.now(timezone.utc)
    usage = Usage(name="tracking", records=500, oldest=now - timedelta(days=1), **parts)
    (made,) = make_storage_rows([usage], now)
    assert (made.bound, made.holds, made.larger) == row


def test_storage_of_a_store(make: Make, memory: MemoryExporter) -> None:
    """Each place of the store has its lines."""
    client = make().test_client()
    client.get("/tea/green")
    page = check(client.get(PAGE).text)
    assert "How long records stay" in page and "<dt>Oldest</dt>" in page
    for name in ("memory", "kept"):
        assert f'<dt class="mono">{name}</dt>' in page
