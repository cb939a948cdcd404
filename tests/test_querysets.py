"""Querysets: keywords that name a field mean the field, whatever operators MongoEngine has."""

from __future__ import annotations

import dataclasses
import keyword
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import mongoengine
import pytest
from flask import Flask
from mongoengine.queryset.transform import MATCH_OPERATORS
from mongoengine.queryset.visitor import Q
from pymongo.database import Database

from flask_tracking import MemoryExporter, Tracking
from flask_tracking.documents import Tracking as TrackingDocument
from flask_tracking.exporters.mongo.codec import to_document, utc_now
from flask_tracking.querysets import TrackingQuerySet, get_clashes, get_paths
from flask_tracking.record import ExceptionInfo

from .captures import make_record

Document = dict[str, Any]
NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
TYPES = ("shop.models.OutOfStock", "ValueError", "shop.InStock", "OutOfStock", "shop.OutXStock", None)
"""What the records of these tests failed with, one record each."""


@pytest.fixture
def failures(app: Flask, database_uri: str, database: Database[Document]) -> Iterator[None]:
    """Records of every type of `TYPES` in both collections, and the context to ask for them."""
    app.config["TRACKING_MONGODB_URI"] = database_uri
    tracking = Tracking(app)
    for number, name in enumerate(TYPES):
        record = dataclasses.replace(
            make_record(path=f"/{number}"),
            date_created=NOW - timedelta(seconds=number),
            exception=ExceptionInfo(name, f"message {number}", "Traceback") if name else None,
        )
        for collection in ("tracking", "tracking_kept"):
            database[collection].insert_one(to_document(record, utc_now()))
    with app.app_context():
        yield
    tracking.close(5)


FOUND = [
    ({"exception__type": "shop.models.OutOfStock"}, "0"),
    ({"exception__type": "OutOfStock"}, "03"),
    ({"exception__type": "ValueError"}, "1"),
    ({"exception__type": "out"}, ""),
    ({"exception__type": "Out.Stock"}, ""),
    ({"exception__type": ".*"}, ""),
    ({"exception__type": re.compile("Stock$")}, "0234"),
    ({"exception__type__": "OutOfStock"}, "03"),
    ({"exception__type__in": ["OutOfStock", "ValueError"]}, "013"),
    ({"exception__type__in": ["shop.InStock"]}, "2"),
    ({"exception__type__nin": ["OutOfStock", "shop.InStock"]}, "145"),
    ({"exception__type__ne": "OutOfStock"}, "1245"),
    ({"exception__type__ne": "shop.models.OutOfStock"}, "12345"),
    ({"exception__type__not": re.compile("Stock")}, "15"),
    ({"exception__type__exact": "OutOfStock"}, "03"),
    ({"exception__type__iexact": "outofstock"}, "03"),
    ({"exception__type__icontains": "SHOP"}, "024"),
    ({"exception__type__startswith": "shop."}, "024"),
    ({"exception__type__exists": False}, "5"),
    ({"exception__type": None}, "5"),
    ({"exception__type": "OutOfStock", "path": "/3"}, "3"),
]


@pytest.mark.parametrize(("query", "numbers"), FOUND, ids=lambda value: str(value))
def test_exception_type(failures: None, query: dict[str, Any], numbers: str) -> None:
    """The type of an exception is found by its qualified name, by its short one, by any operator."""
    for found in (
        TrackingDocument.objects.filter(**query),
        TrackingDocument.objects(**query),
        TrackingDocument.objects(Q(**query)),
        TrackingDocument.objects.filter(path__exists=True).filter(Q(**query)),
        TrackingDocument.objects.filter(**query).no_cache().filter(**query),
        TrackingDocument.kept_objects.filter(**query),
        TrackingDocument.kept_objects(**query).no_cache().cache().filter(**query),
    ):
        assert "".join(document.path[1:] for document in found) == numbers


def test_combined_queries(failures: None) -> None:
    """Combined by ``&`` and ``|`` as well, and a combination may be used more than once."""
    out, value, first = Q(exception__type="OutOfStock"), Q(exception__type="ValueError"), Q(path="/0")
    for _ in range(2):
        assert [one.path for one in TrackingDocument.objects(out | value)] == ["/0", "/1", "/3"]
        assert [one.path for one in TrackingDocument.objects((out & first) | value)] == ["/0", "/1"]
        assert [one.path for one in TrackingDocument.objects.filter(out & first)] == ["/0"]
        assert TrackingDocument.kept_objects.filter(out & value).count() == 0


def test_everything_else_of_a_queryset(failures: None) -> None:
    """What follows the filter works as it always does."""
    found = TrackingDocument.objects.filter(exception__type="OutOfStock")
    assert isinstance(found, TrackingQuerySet)
    assert (found.count(), len(found), bool(found)) == (2, 2, True)
    assert found.first().path == "/0"
    assert found.order_by("+exception__type").first().path == "/3"
    without = TrackingDocument.objects.filter(exception__type="OutOfStock").exclude("exception__type")
    assert [one.exception.type for one in without] == [None, None]
    assert found.only("exception__type").first().exception.type == "shop.models.OutOfStock"
    assert found.get(path="/3").exception.message == "message 3"
    assert sorted(found.distinct("exception.type")) == ["OutOfStock", "shop.models.OutOfStock"]
    assert list(found.scalar("exception__type")) == ["shop.models.OutOfStock", "OutOfStock"]


@pytest.mark.parametrize("name", ["exception__type", "set__exception__type", "set__exception__type__"])
def test_updates(failures: None, name: str) -> None:
    """A field that is named like an operator is set by its name as well."""
    found = TrackingDocument.objects.filter(exception__type="ValueError")
    assert found.update(**{name: "shop.Changed"}) == 1
    changed = TrackingDocument.objects.filter(exception__type="Changed")
    assert changed.modify(**{name: "shop.Again", "new": True}).exception.type == "shop.Again"


def test_every_field_can_be_asked_for_by_its_name() -> None:
    """Of all fields, those of embedded documents included, none is taken for an operator.

    A new field that is named like one is escaped by itself.
    """
    assert get_clashes(TrackingDocument) == {"exception__type"}
    for name, field in get_paths(TrackingDocument).items():
        path = [one.db_field for one in TrackingDocument._lookup_field(name.split("__"))]
        for query in ({name: None}, {f"{name}__": None}):
            (asked,) = compile_query(TrackingDocument, query)
            assert asked == ".".join(path), f"{name} of {field!r}"


class Inner(mongoengine.EmbeddedDocument):
    """Has a field for every operator of MongoEngine."""


class Outer(mongoengine.Document):
    """Has documents with such fields, alone and in a list."""

    one = mongoengine.EmbeddedDocumentField(Inner)
    many = mongoengine.EmbeddedDocumentListField(Inner)
    meta = {"queryset_class": TrackingQuerySet}


# No field can be called `in` or `not`: they are words of Python.
@pytest.mark.parametrize("operator", sorted({*MATCH_OPERATORS} - {*keyword.kwlist}))
def test_any_operator_may_name_a_field(operator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever operator a field is named like, its keyword means the field."""
    field = mongoengine.StringField(db_field=operator)
    field.name = operator
    monkeypatch.setitem(Inner._fields, operator, field)
    get_paths.cache_clear()
    get_clashes.cache_clear()
    assert compile_query(Outer, {f"one__{operator}": "x"}) == {f"one.{operator}": "x"}
    assert compile_query(Outer, {f"many__0__{operator}": "x"}) == {f"many.0.{operator}": "x"}
    assert compile_query(Outer, {f"one__{operator}__in": ["x"]}) == {f"one.{operator}": {"$in": ["x"]}}
    get_paths.cache_clear()
    get_clashes.cache_clear()


def compile_query(document: Any, query: dict[str, Any]) -> dict[str, Any]:
    """Return what MongoDB would be asked."""
    found = TrackingQuerySet(document, None).filter(**query)
    return dict(found._query)


def test_what_custom_data_calls_its_keys(failures: None, database: Database[Document]) -> None:
    """Custom data has keys of any name: there an operator is one, unless underscores follow."""
    database["tracking"].insert_one(
        to_document(make_record(custom_data={"size": 3, "tags": ["a", "b"]}), utc_now())
    )
    assert TrackingDocument.objects.filter(custom_data__size__=3).count() == 1
    assert TrackingDocument.objects.filter(custom_data__tags__size=2).count() == 1


def test_memory_has_no_querysets(app: Flask, memory: MemoryExporter) -> None:
    """Where records go elsewhere a queryset says so, as before."""
    Tracking(app, exporter=memory)
    with app.app_context(), pytest.raises(Exception, match="its exporter is MemoryExporter"):
        TrackingDocument.objects.filter(exception__type="X").count()
