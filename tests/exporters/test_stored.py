"""What was stored since a time, in every store."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from flask_tracking import Filter, Record, Store
from flask_tracking.exporters.mongo.query import to_tail_query
from flask_tracking.exporters.mongo.tail import LATEST_FIRST

from ..captures import make_record
from .conftest import Make, MakeStore

ALL = Filter()
Document = dict[str, Any]


def make_at(path: str, **parts: Any) -> Record:
    """Return a record of a path."""
    return dataclasses.replace(make_record(), path=path, **parts)


def paths(store: Store, since: datetime, wanted: str = "", limit: int = 10) -> list[str | None]:
    """Return the paths of what was stored since a time."""
    return [one.path for one in store.find_stored(Filter.parse(wanted), since, limit=limit)]


def now() -> datetime:
    """Return the time, in whole milliseconds as MongoDB has it."""
    exact = datetime.now(timezone.utc)
    return exact.replace(microsecond=exact.microsecond // 1000 * 1000)


def tick() -> None:
    """Wait for the next millisecond: what is stored then has a later time."""
    began = now()
    while now() == began:
        pass


def test_stored_since(make_store: MakeStore) -> None:
    """The last comes first, whenever the requests arrived; what was stored before is not there."""
    store, began = make_store(), now()
    hour_ago = began - timedelta(hours=1)
    store.export([make_at("/a")])
    tick()
    middle = now()
    store.export([make_at("/b", date_created=hour_ago)])
    tick()
    store.export([make_at("/c")])
    assert paths(store, began - timedelta(seconds=1)) == ["/c", "/b", "/a"]
    assert paths(store, middle) == ["/c", "/b"]
    assert paths(store, began + timedelta(hours=1)) == []


def test_filter_and_limit(make_store: MakeStore) -> None:
    """Only what a filter selects, also by body; not more than is asked for."""
    store, began = make_store(), now() - timedelta(seconds=1)
    for path, body in (("/a", b"needle"), ("/b", b"hay"), ("/c", b"needle")):
        store.export([make_at(path, response_body=body)])
        tick()
    assert paths(store, began, "path:/b") == ["/b"]
    assert paths(store, began, "body:needle") == ["/c", "/a"]
    assert paths(store, began, "body:needle", limit=1) == ["/c"]
    assert paths(store, began, limit=2) == ["/c", "/b"]
    assert paths(store, began, limit=0) == []
    assert paths(store, began, "is:kept not is:kept") == []


def test_store_that_does_not_know_when(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes by the time of arrival, and looks back a little further."""
    store = make_store()
    monkeypatch.setattr(type(store), "_find_stored", Store._find_stored)
    began = now()
    late = began - timedelta(seconds=30)
    store.export(
        [make_at("/late", date_created=late), make_at("/old", date_created=began - timedelta(days=1))]
    )
    assert paths(store, began) == ["/late"]


@pytest.mark.integration
def test_index_is_used(make: Make, database: Database[Document]) -> None:
    """It is a range of the index of ``date_stored``, read backwards."""
    make().export([dataclasses.replace(make_record(), id=ObjectId()) for _ in range(20)])
    query = to_tail_query(ALL, datetime.now(timezone.utc), has_kept=True)
    command = {"find": "tracking", "filter": query, "sort": dict(LATEST_FIRST), "limit": 5}
    explained = database.command("explain", command, verbosity="queryPlanner")
    assert "IXSCAN" in str(explained) and "COLLSCAN" not in str(explained)
