"""Shards and secondaries: what is asked of a cluster, and of whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from pymongo import ReadPreference
from pymongo.collection import Collection
from pymongo.database import Database

from flask_tracking import Filter, MemoryExporter, Settings, TrackingError
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.exporters.mongo import exporter as exporter_module
from flask_tracking.queries import find_newest

from ..captures import make_record

Document = dict[str, Any]
Make = Callable[..., MongoExporter]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Let the server be a sharded cluster; returns the commands that only a cluster knows."""
    asked: list[tuple[Any, ...]] = []
    command = Database.command

    def answer(self: Database[Document], name: Any, *rest: Any, **options: Any) -> Any:
        if name == "hello":
            return {"msg": "isdbgrid"}
        if name in ("enableSharding", "shardCollection"):
            asked.append((self.name, name, *rest, options))
            return {"ok": 1.0}
        if name == "collStats" and any(one[1] == "shardCollection" for one in asked):
            return {"sharded": True}
        return command(self, name, *rest, **options)

    def create_index(self: Collection[Document], keys: Any, **_: Any) -> str:
        asked.append((self.name, keys))
        return "_id_hashed"

    monkeypatch.setattr(Database, "command", answer)
    monkeypatch.setattr(Collection, "create_index", create_index)
    return asked


def test_cluster_is_told(make: Make, cluster: list[tuple[Any, ...]], database: Any) -> None:
    """A cluster is told to shard by the hashed id, once."""
    exporter = make(retention="ttl")
    exporter.prepare()
    for _ in range(2):
        sharded = exporter.shard()
        assert sharded is not None and sharded.is_done
    assert cluster == [
        ("admin", "enableSharding", database.name, {}),
        ("tracking", [("_id", "hashed")]),
        ("admin", "shardCollection", f"{database.name}.tracking", {"key": {"_id": "hashed"}}),
    ]


def test_commands_for_a_cluster(make: Make, database: Database[Document]) -> None:
    """A single server is told nothing; the commands for a cluster are returned."""
    exporter = make(retention="ttl")
    exporter.prepare()
    sharded = exporter.shard()
    assert sharded is not None
    assert sharded.is_done is False
    assert sharded.commands[-1] == f"sh.shardCollection('{database.name}.tracking', {{_id: 'hashed'}})"


def test_capped_collection_cannot_be_sharded(make: Make) -> None:
    """That needs ttl, and the command for it is named."""
    with pytest.raises(TrackingError, match="migrate --to ttl"):
        make().shard()


def test_store_without_shards(memory: MemoryExporter) -> None:
    """Memory knows no shards."""
    assert memory.shard() is None


def test_reading_from_secondaries(database_uri: str) -> None:
    """Queries go where the URI says; what is read to be written is read from the primary."""
    uri = f"{database_uri}?readPreference=secondaryPreferred"
    exporter = MongoExporter(Settings(mongodb_uri=uri, table_size_bytes=2**20))
    record = make_record()
    exporter.export([record])
    assert exporter.collection().read_preference == ReadPreference.SECONDARY_PREFERRED
    assert find_newest(exporter, Filter(), 5) == [record]
    with mock.patch.object(exporter_module, "copy_to_kept", return_value=True) as copy:
        assert exporter.keep(record.id, "why")
    read_from, written_to, *_ = copy.call_args.args
    assert read_from.read_preference == written_to.read_preference == ReadPreference.PRIMARY
    exporter.close()
