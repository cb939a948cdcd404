"""What others write into the collections costs no record, and no command."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import bson
import pytest
from bson.datetime_ms import DatetimeMS
from pymongo.database import Database

from flask_tracking import Filter, TrackingError
from flask_tracking.exporters.mongo.codec import (
    for_reading,
    read_document,
    read_summary,
    to_document,
    utc_now,
)
from flask_tracking.storable import CODEC

from ..captures import make_record
from .conftest import Make

Document = dict[str, Any]
ALL = Filter()
NOW = datetime.now(timezone.utc)

IDS: list[Any] = [{"a": 1}, "x", None, 5, b"x"]
PARTS: list[Document] = [
    {"date_stored": [NOW]},
    {"date_stored": [NOW, "x"]},
    {"date_created": "x"},
    {"date_created": [NOW]},
    {"path": ["x"]},
    {"status_code": [500]},
    {"execution_time": "x"},
    {"exception": ["x"]},
    {"exception": [{"type": "x"}]},
    {"exception": {"type": {"a": 1}}},
    {"exception": {"type": ["x"]}},
    {"children": [5]},
    {"custom_data": bson.Regex("(")},
]


def name_odd(odd: Document) -> str:
    """Return a name for a case that is the same in every process."""
    return repr(odd).replace(repr(NOW), "NOW")


@pytest.mark.parametrize("odd", [*({"_id": one} for one in IDS), *PARTS], ids=name_odd)
@pytest.mark.parametrize("name", ["tracking", "tracking_kept"])
def test_odd_document(make: Make, database: Database[Document], name: str, odd: Document) -> None:
    """It is found as far as it is a record, and the others all the same; followers go on, too."""
    exporter = make()
    exporter.open()
    _, position = exporter.tail(ALL)
    first, second = make_record(), make_record()
    exporter.export([first])
    document = {**to_document(make_record(), utc_now()), **odd}
    database[name].insert_one(document)
    found = [one.id for one in exporter.find(ALL, limit=9)]
    assert first.id in found
    assert set(found) <= {one.id for one in exporter.find(ALL, limit=9, fields="summary")}
    assert exporter.tail(ALL).records == []
    tailed = []
    for _ in range(3):
        records, position = exporter.tail(ALL, position, limit=1)
        tailed += [one.id for one in records]
    exporter.export([second])
    records, position = exporter.tail(ALL, position)
    tailed += [one.id for one in records]
    expected = [first.id, second.id]
    assert [one for one in tailed if one in expected] == expected
    assert len(tailed) == len(set(tailed))
    try:
        exporter.get(document["_id"])
    except TrackingError as error:
        assert "is not a record" in str(error)


@pytest.mark.parametrize("odd_id", IDS, ids=repr)
def test_what_has_another_id_is_no_record(
    make: Make, database: Database[Document], odd_id: object
) -> None:
    """A record has an ObjectId, and commands rely on it."""
    document = {**to_document(make_record(), utc_now()), "_id": odd_id}
    database["tracking"].insert_one(document)
    exporter = make()
    assert exporter.find(ALL, limit=9) == exporter.find(ALL, limit=9, fields="summary") == []


@pytest.mark.parametrize("year_ms", [2**62, -(2**62)])
def test_year_that_python_does_not_know(database: Database[Document], year_ms: int) -> None:
    """It is read, in custom data as it is; as the time of arrival it is none."""
    options = for_reading(database["tracking"]).codec_options
    time = DatetimeMS(year_ms)
    document = {**to_document(make_record(), utc_now()), "custom_data": {"at": time}}
    read = bson.decode(bson.encode(document, codec_options=CODEC), codec_options=options)
    record = read_document(read)
    assert record is not None and record.custom_data == {"at": time}
    read["date_created"] = time
    assert read_document(read) is read_summary(read) is None
