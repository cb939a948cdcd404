"""Rollups as documents: whatever a field holds, what is read can be summed, stored and shown."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Any

import bson
import pytest
from bson import Decimal128, Int64, MaxKey, ObjectId, Regex
from bson.datetime_ms import DatetimeMS
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_tracking import MemoryExporter, Tracking
from flask_tracking.doctor import Subject
from flask_tracking.doctor.delivery import check_drops, check_lag
from flask_tracking.queries import measure
from flask_tracking.registry import find_tracked
from flask_tracking.rollups.codec import (
    is_foreign,
    rollup_from_dict,
    rollup_to_dict,
    start_from_dict,
)
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Rollup, RouteKey, merge
from flask_tracking.storable import CODEC

from .shapes import NOON, rollups

WRONG_TYPES = (
    Decimal128("NaN"),
    Regex("("),
    MaxKey(),
    ObjectId(),
    DatetimeMS(2**60),
    math.inf,
    math.nan,
)
NUMBERS = st.integers(-(2**63), 2**63 - 1).map(Int64)
scalars = (
    st.none()
    | st.booleans()
    | NUMBERS
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9)
    | st.sampled_from(WRONG_TYPES)
    | st.datetimes(timezones=st.just(timezone.utc))
)
names = st.sampled_from(["a", "type", "5"])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "type", "5"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def find_places(document: Any, *way: Any) -> list[tuple[Any, ...]]:
    """Return the ways to all values in a document."""
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    found = []
    for name, value in pairs:
        found.append((*way, name))
        if isinstance(value, (dict, list)):
            found += find_places(value, *way, name)
    return found


def unpack(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document whose packed lists are lists, so that what is in them can be changed, too."""
    overall = {**document["all"], "examples": bson.decode(document["all"]["examples"])["list"]}
    lists = {name: bson.decode(document[name])["list"] for name in ("routes", "failures")}
    return {**document, **lists, "all": overall}


def pack(document: dict[str, Any]) -> dict[str, Any]:
    """Undo `unpack`, as far as there are still lists."""

    def pack_list(value: Any) -> Any:
        return bson.encode({"list": value}) if isinstance(value, list) else value

    lists = {name: pack_list(document[name]) for name in ("routes", "failures")}
    overall = document["all"]
    if isinstance(overall, dict) and "examples" in overall:  # another dict may stand there
        overall = {**overall, "examples": pack_list(overall["examples"])}
    return {**document, **lists, "all": overall}


@st.composite
def odd_documents(draw: st.DrawFn) -> dict[str, Any]:
    """Make the document of a rollup with any value in one place."""
    document = unpack(rollup_to_dict(draw(rollups())))
    *way, last = draw(st.sampled_from(find_places(document)))
    place: Any = document
    for name in way:
        place = place[name]
    place[last] = draw(values)
    return pack(document)


@pytest.fixture(scope="module")
def app() -> Flask:
    """An app whose store is in memory."""
    app = Flask(__name__)
    Tracking(app, exporter=MemoryExporter())
    return app


@settings(deadline=None, max_examples=60)
@given(odd_documents())
def test_any_value_in_any_field(app: Flask, document: dict[str, Any]) -> None:
    """Statistics, merging and the doctor take what is read of it; the rest is foreign."""
    start_from_dict(document)
    rollup = rollup_from_dict(document)
    if rollup is None:
        is_foreign(document)
        return
    many = merge([rollup] * 3, width_s=300, start=NOON, source="merged/", version=rollup.version)
    assert rollup_from_dict(
        bson.decode(bson.encode(rollup_to_dict(many)), bson.CodecOptions(tz_aware=True))
    )
    store = MemoryExporter()
    store.rollups.store([rollup])
    now = datetime.now(timezone.utc)
    for hours in (1, 4, 30):
        for by in ("route", "status", "version", None):
            found = measure(store, by=by, since=now - timedelta(days=399))
            assert found.total.requests == 0 or (found.total.percentile_ms(0.95) or 0.0) >= 0
        store.rollups.merge("me", NOON + timedelta(hours=hours))
    with app.app_context():
        tracked = find_tracked()
    assert tracked is not None
    subject = Subject(app, tracked, store)
    assert list(check_drops(subject)) is not None
    assert list(check_lag(subject)) is not None


@given(rollups())
def test_come_back(rollup: Any) -> None:
    """A rollup comes back as it was."""
    document: Any = bson.decode(bson.encode(rollup_to_dict(rollup)), CODEC)
    assert rollup_from_dict(document) == rollup
    assert start_from_dict(document) == (rollup.start, rollup.version)


@pytest.mark.parametrize(
    ("number", "wanted"), [(None, True), (0, True), (1, True), (2, False), ("2", True)]
)
def test_later_format(number: Any, wanted: bool) -> None:
    """Documents of a later version are not foreign."""
    assert is_foreign({"format": number}) is wanted


def make_document() -> dict[str, Any]:
    """Return the document of a rollup of one request."""
    counts = Counts()
    counts.add_request(200, False, 20.0, 0, 0)
    route = RouteKey("/", "GET")
    return rollup_to_dict(Rollup(width_s=60, start=NOON, source="p.1", routes={route: counts}))


def test_when_it_begins() -> None:
    """The beginning of a rollup is read alone; what has none, or is none, has no beginning."""
    document = make_document()
    assert start_from_dict(document) == (NOON, None)
    assert start_from_dict({**document, "start": "noon"}) is None
    assert start_from_dict({**document, "format": 9}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"_id": "another"},
        {"stored": -1},
        {"all": {**make_document()["all"], "statuses": [200, -1]}},
        {"all": {**make_document()["all"], "statuses": [200, "1"]}},
    ],
    ids=str,
)
def test_wrong_values(change: dict[str, Any]) -> None:
    """A document with another id, or with numbers that count nothing, is no rollup."""
    document = make_document()
    del document["routes"]  # else the sums are of the routes
    assert rollup_from_dict(document) is not None
    assert rollup_from_dict(document | change) is None
