"""`explain_miss` names the part of a filter that excludes all records, and values that there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any
from unittest import mock

import pytest
from bson import ObjectId
from flask import Flask

from flask_tracking import Filter, MemoryExporter, Record, Tracking
from flask_tracking.errors import StoreTimeoutError
from flask_tracking.queries import misses
from flask_tracking.queries.misses import MAX_PARTS, MAX_TERMS, Miss, explain_miss
from flask_tracking.queries.values import find_record_values
from flask_tracking.record import ExceptionInfo
from flask_tracking.record_summary import RecordSummary, summarize

NOW = datetime.now(timezone.utc)


class SlowStore(MemoryExporter):
    """A store that notes the time that it has, and whose time is over before it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.limits: list[float] = []

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Note the limit."""
        self.limits.append(seconds)
        yield

    def _find(self, wanted: Filter, limit: int) -> list[Record]:
        raise StoreTimeoutError("The time is over")


def make_record(**parts: Any) -> Record:
    """Make a record of now."""
    return Record(**{"id": ObjectId(), "date_created": NOW, "kind": "request", **parts})


@pytest.fixture
def shop() -> Flask:
    """An app with a route."""
    app = Flask("shop")
    app.add_url_rule("/orders/<int:number>", "show_order", lambda number: str(number))
    app.add_url_rule("/about/team", "team", lambda: "")
    return app


@pytest.fixture
def store() -> MemoryExporter:
    """A store with two records."""
    memory = MemoryExporter()
    error = ExceptionInfo("shop.errors.OutOfStock", "none left", "")
    memory.export(
        [
            make_record(status_code=500, version="2.4", user_id="ada", exception=error),
            make_record(
                status_code=200,
                path="/products",
                custom_data={"tenant": ["acme", "globex"], "order": {"id": 17, "x": True}},
            ),
        ]
    )
    return memory


@pytest.mark.parametrize(
    ("text", "excluding", "similar", "known"),
    [
        ("custom.tenant:acne", "", "custom.tenant:acme", ""),
        ("custom.tenant:acne status:200", "custom.tenant:acne", "custom.tenant:acme", ""),
        ("custom.tenant:zz", "", "", "custom.tenant:acme custom.tenant:globex"),
        ("custom.tenat:acme", "", "custom.tenant:acme", ""),
        ("custom.zz:acme", "", "", "custom.order.id:* custom.order.x:* custom.tenant:*"),
        ("custom.order.id:18", "", "", "custom.order.id:17"),
        ("custom.order.x:tru", "", "custom.order.x:true", ""),
        ("custom.tenant:acne*", "", "", ""),
        ("path:/prodcts", "", "path:/products", ""),
        ("path:/about/teem", "", "path:/about/team", ""),
        ("path:/prodcts?page=2", "", "path:/products", ""),
        ("prodcts", "", "products", ""),
        ("status:500 prodcts", "prodcts", "products", ""),
        ("zz", "", "", ""),
        ("path:/static/tee", "", "", "path:/about/team path:/products"),
        ("route:/order/<int:number>", "", "route:/orders/<int:number>", ""),
        ("endpoint:show_orders", "", "endpoint:show_order", ""),
        ("user:Adda", "", "user:ada", ""),
        ("error:OutOfStok", "", "error:OutOfStock", ""),
        ("version:2.5", "", "version:2.4", ""),
        ("status:500 version:9", "version:9", "", "version:2.4"),
        ("status:500 status:200", "status:500|status:200", "", ""),
        ("status:404 method:PUT", "", "", ""),
        ("(status:404 or status:405) version:2.4", "(status:404 or status:405)", "", ""),
        ("not status:500 user:ada", "not status:500|user:ada", "", ""),
        (f"user:{'x' * 200}", "", "", "user:ada"),
    ],
)
def test_miss(
    store: MemoryExporter, shop: Flask, text: str, excluding: str, similar: str, known: str
) -> None:
    """Without the part that is named there are records, and values are those of app and records."""
    found = explain_miss(store, Filter.parse(text), shop)
    assert list(map(" ".join, found[1:])) == [similar, known]
    assert "|".join(found.excluding) == excluding


def test_miss_costs_little(shop: Flask) -> None:
    """There are few questions, each with its time, however long the filter is."""
    store = SlowStore()
    text = " ".join(f"custom.x:{number}" for number in range(90))
    assert explain_miss(store, Filter.parse(text), shop) == Miss()
    assert set(store.limits) == {misses.QUESTION_S}
    assert len(store.limits) <= MAX_PARTS + 2 * MAX_TERMS


def test_values_that_are_found_in_time(shop: Flask) -> None:
    """When the time is over, what was found before is proposed; a store that found nothing says so."""
    store = SlowStore()
    pages = iter([[make_record(version="2.4")]])

    def find(wanted: Filter, limit: int) -> list[RecordSummary]:
        for page in pages:
            return [summarize(one) for one in page]
        raise StoreTimeoutError("The time is over")

    with mock.patch.object(store, "_find_summaries", find):
        assert find_record_values(store, "version") == {"2.4"}
        with pytest.raises(StoreTimeoutError):
            find_record_values(store, "version")


def test_excluded_paths_are_not_proposed(store: MemoryExporter, shop: Flask) -> None:
    """No record has a path that is excluded."""
    shop.config["TRACKING_EXCLUDE"] = ["/about"]
    Tracking(shop, exporter=store)
    assert explain_miss(store, Filter.parse("path:/about/teem"), shop).similar == ()
