"""Overrides in a real MongoDB: what is stored, what is asked, and what else may be there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from pymongo.database import Database

from flask_tracking import ExportError, NoDatabaseError, Settings
from flask_tracking.config.overrides import NAMES, parse_overrides
from flask_tracking.exporters.mongo import MongoExporter

from ..servers import free_port

Document = dict[str, Any]


@pytest.fixture
def exporter(database_uri: str) -> Iterator[MongoExporter]:
    """An exporter into `database`."""
    exporter = MongoExporter(Settings(mongodb_uri=database_uri, collection="requests"))
    yield exporter
    exporter.close()


def test_rules_stand_beside_the_records(exporter: MongoExporter, database: Database[Document]) -> None:
    """A rule is a document that people can read, under its name, and MongoDB removes it in the end."""
    (rule,) = parse_overrides(["exclude_status_codes=304,404"], "10m")
    exporter.store_overrides([rule])
    exporter.store_overrides([rule])
    assert list(database["requests_overrides"].find()) == [
        {
            "_id": "exclude_status_codes",
            "value": [304, 404],
            "set_at": rule.set_at,
            "expires_at": rule.expires_at,
        }
    ]
    indexes = database["requests_overrides"].index_information()
    assert indexes["expires_at_1"]["expireAfterSeconds"] == 0


def test_nothing_is_created_by_asking(exporter: MongoExporter, database: Database[Document]) -> None:
    """Where no rule was ever set, there is no collection for them."""
    assert exporter.load_overrides() == []
    exporter.clear_overrides(sorted(NAMES))
    assert database.list_collection_names() == []


def test_asking_scans_nothing(exporter: MongoExporter, database: Database[Document]) -> None:
    """Rules are found by their ids."""
    exporter.store_overrides(parse_overrides(["slow_ms=200"], "10m"))
    plan = database["requests_overrides"].find({"_id": {"$in": sorted(NAMES)}}).explain()
    assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])


def test_strange_documents_are_left_out(exporter: MongoExporter, database: Database[Document]) -> None:
    """What is no rule does not keep the others from being found."""
    (rule,) = parse_overrides(["slow_ms=200"], "10m")
    now = datetime.now(timezone.utc)
    database["requests_overrides"].insert_many(
        [
            {"_id": "sample_rate"},
            {"_id": "min_execution_time", "value": 1, "set_at": "today", "expires_at": "tomorrow"},
            {"_id": "unknown", "value": 1, "set_at": now, "expires_at": now},
            {"value": 1},
        ]
    )
    exporter.store_overrides([rule])
    assert exporter.load_overrides() == [rule]


@pytest.mark.integration
def test_database_that_is_away() -> None:
    """Without a server, or without a database at all, each call says so."""
    uri = f"mongodb://127.0.0.1:{free_port()}/shop"
    exporter = MongoExporter(Settings(mongodb_uri=uri, export_timeout_s=0.05))
    rules = parse_overrides(["slow_ms=200"], "10m")
    for call in (
        exporter.load_overrides,
        lambda: exporter.store_overrides(rules),
        lambda: exporter.clear_overrides(["slow_ms"]),
    ):
        with pytest.raises(ExportError, match="does not answer within 0.05 s"):
            call()
    exporter.close()
    with pytest.raises(NoDatabaseError):
        MongoExporter(Settings(db_alias="nowhere")).load_overrides()
