"""Reading inside the app: with connections of its own, and within a time."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pymongo import MongoClient, ReadPreference

from flask_tracking import ExportError, Filter, MemoryExporter, Settings, StoreTimeoutError
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.exporters.mongo.read_client import POOL_SIZE, make_options

from ..captures import make_record
from .conftest import Make, MakeStore

Document = dict[str, Any]


def test_reader_of_a_store_without_connections() -> None:
    """Is the store itself, and no time limits it."""
    store = MemoryExporter()
    assert store.reader() is store
    with store.limited(0.0):
        assert store.find(Filter(), limit=1) == []


def test_reader_finds_the_same(make_store: MakeStore) -> None:
    """Each store has a reader, and reads within a time."""
    store, record = make_store(), make_record()
    store.export([record])
    with store.limited(10.0):
        (found,) = store.reader().find(Filter(), limit=2)
    assert found.id == record.id


@pytest.mark.integration
def test_reader_has_a_client_of_its_own(make: Make) -> None:
    """With a small pool; it is made when it is asked for, once, and finds the same."""
    exporter = make()
    record = make_record()
    exporter.export([record])
    reader = exporter.reader()
    assert isinstance(reader, MongoExporter) and exporter.reader() is reader
    assert reader.reader() is reader
    found = reader.get(record.id)
    assert found is not None and found.id == record.id
    theirs, ours = reader.collection().database.client, exporter.collection().database.client
    assert theirs is not ours
    assert theirs.options.pool_options.max_pool_size == POOL_SIZE
    assert theirs.read_preference == ReadPreference.SECONDARY_PREFERRED
    assert theirs.options.pool_options.appname == "flask-tracking reader"


@pytest.mark.integration
def test_reader_is_closed_with_the_store(make: Make) -> None:
    """Closing a store closes its reader, which opens again when it is used again."""
    exporter = make()
    reader = exporter.reader()
    assert isinstance(reader, MongoExporter)
    client: MongoClient[Document] = reader.collection().database.client
    exporter.close()
    assert client._closed
    assert reader.find(Filter(), limit=1) == []


def test_no_reader_without_a_question() -> None:
    """A store that nobody reads has no second client, also when it ends."""
    exporter = MongoExporter(Settings(mongodb_uri="mongodb://127.0.0.1:1/tracking"))
    exporter.abandon()
    exporter.close()
    assert "_reader" not in exporter.__dict__


@pytest.mark.parametrize(
    ("settings", "preference"),
    [
        ({"host": "mongodb://db.example/shop"}, "secondaryPreferred"),
        ({"host": "mongodb://db.example/shop?readPreference=nearest"}, None),
        ({"host": ["db.example"], "read_preference": ReadPreference.PRIMARY}, "secondaryPreferred"),
        ({"host": ["db.example"], "read_preference": ReadPreference.NEAREST}, None),
    ],
)
def test_read_preference(settings: Document, preference: str | None) -> None:
    """Secondaries are read, unless the app says itself who is to be read."""
    assert make_options(settings).get("readpreference") == preference


@pytest.mark.integration
def test_time_is_over(make: Make) -> None:
    """A read that has no time left ends with an error of its own; the store is as good as before."""
    exporter = make()
    exporter.export([make_record()])
    with exporter.limited(0.001):
        time.sleep(0.002)
        with pytest.raises(StoreTimeoutError, match=r"does not answer within 0.001 s"):
            exporter.find(Filter(), limit=1)
    assert len(exporter.find(Filter(), limit=1)) == 1


@pytest.mark.integration
def test_time_is_over_for_rollups(make: Make) -> None:
    """So do reads of rollups."""
    from flask_tracking.exporters.rollup_table import RollupQuery

    exporter = make()
    assert exporter.rollups is not None
    with exporter.limited(0.001):
        time.sleep(0.002)
        with pytest.raises(StoreTimeoutError):
            exporter.rollups.find(RollupQuery(60))


def test_timeout_is_an_export_error() -> None:
    """Who catches that the store is away catches this, too."""
    assert issubclass(StoreTimeoutError, ExportError)
