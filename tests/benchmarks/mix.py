"""Records of the demo's mix: those of the tea shop's requests, as often as they are wanted."""

from __future__ import annotations

import dataclasses
import statistics
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import bson
from bson import ObjectId

from flask_tracking import MemoryExporter, Record
from flask_tracking.exporters.mongo.codec import to_document, utc_now
from flask_tracking.storable import CODEC
from flask_tracking.testing import overridden
from tests.servers import ROOT

EXAMPLES = ROOT / "docs" / "examples"
BROWSER = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
    "Referer": "https://shop.example.org/products?page=3",
    "Origin": "https://shop.example.org",
    "Cookie": "theme=dark; consent=necessary",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
}
"""What browsers and proxies send beside what the demo's clients do."""


def make_mix() -> list[Record]:
    """Return the records of the demo's requests, in a process of our own and without a database."""
    if str(EXAMPLES) not in sys.path:
        sys.path.insert(0, str(EXAMPLES))
    memory = MemoryExporter()
    with overridden(exporter=memory, worker="sync"):
        from shop.app import app
        from shop.traffic import plan_visits
    app.logger.disabled = True  # some of the demo's requests fail
    for visit in plan_visits():
        client = app.test_client()
        for request in visit.requests:
            headers = {**BROWSER, **visit.headers, **request.headers}
            body: dict[str, Any] = dict(request.body)
            client.open(request.target, method=request.method, headers=headers, **body).close()
    return memory.records


def multiply(
    mix: Sequence[Record], count: int, since: datetime, step: timedelta, batch: int
) -> Iterator[list[Record]]:
    """Yield batches of `count` records in all, new ones each `step` after the one before.

    Args:
        mix: what they are like, in turns.
        count: how many.
        since: when the first one arrived.
        step: between two arrivals.
        batch: how many at once.
    """
    for start in range(0, count, batch):
        yield [
            dataclasses.replace(mix[at % len(mix)], id=ObjectId(), date_created=since + at * step)
            for at in range(start, min(start + batch, count))
        ]


def describe(mix: Sequence[Record]) -> str:
    """Say how many records there are, how large, and how many of them are kept."""
    sizes = [len(bson.encode(to_document(one, utc_now()), codec_options=CODEC)) for one in mix]
    kept = sum(one.kept for one in mix) / len(mix)
    median, largest = statistics.median(sizes), max(sizes)
    return (
        f"{len(mix)} kinds of records, median {median:,.0f} bytes, at most {largest:,}; {kept:.0%} kept"
    )
