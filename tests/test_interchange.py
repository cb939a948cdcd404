"""Records in files: what is written is read back."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import bson
import pytest
from bson import DBRef, Decimal128, ObjectId

from flask_tracking import Record, TrackingError
from flask_tracking.interchange import FORMATS, READ_AHEAD, READABLE, read_records, write_records
from flask_tracking.record_summary import COLUMNS

from .captures import make_record
from .exporters.test_contract import FULL
from .filters.cases import make_records

ODD = [
    dataclasses.replace(make_record(), path="/\x00\x1b\u2028ü😀", query_params="a=\r\n&b='\""),
    dataclasses.replace(make_record(), custom_data=[2**40, 1.5, 1.0, True, None, Decimal128("9.90")]),
    dataclasses.replace(make_record(), request_body=bytes(range(256)), response_body=b""),
    dataclasses.replace(make_record(), date_created=datetime(1970, 1, 1, tzinfo=timezone.utc)),
    Record(id=ObjectId(), date_created=datetime(2026, 11, 24, tzinfo=timezone.utc)),
]
RECORDS = [FULL, *ODD, *make_records().values()]


def write(records: list[Record], name: str) -> bytes:
    """Return a file of these records, all of which can be written."""
    file = io.BytesIO()
    assert write_records(records, file, name) == (len(records), 0)
    return file.getvalue()


@pytest.mark.parametrize("count", [0, 1, len(RECORDS)])
@pytest.mark.parametrize("name", READABLE)
def test_round_trip(name: str, count: int) -> None:
    """Every field comes back as it was, types and order included."""
    records = RECORDS[:count]
    assert list(read_records(io.BytesIO(write(records, name)), name)) == records


def test_json_is_one_value() -> None:
    """A file of JSON is one list, and lines of JSON are a value each; both are ASCII."""
    text = write(RECORDS, "json").decode("ascii")
    lines = write(RECORDS, "ndjson").decode("ascii").splitlines()
    assert json.loads(text) == [json.loads(line) for line in lines]
    assert json.loads(text)[0]["_id"] == {"$oid": str(FULL.id)}
    assert json.loads(write([], "json")) == []


def test_bson_is_a_dump() -> None:
    """A file of BSON is a sequence of documents, as mongodump writes it."""
    documents = bson.decode_all(write(RECORDS, "bson"))
    assert [one["_id"] for one in documents] == [record.id for record in RECORDS]


def test_csv() -> None:
    """A spreadsheet gets the columns of a list and then custom data, a line for each record."""
    rows = list(csv.DictReader(io.StringIO(write(RECORDS, "csv").decode(), newline="")))
    assert len(rows) == len(RECORDS)
    names, count = list(rows[0]), len(COLUMNS)
    assert names[:count] == list(COLUMNS)
    assert all(name.startswith("custom_data.") for name in names[count:])
    assert rows[0]["date_created"] == "2026-11-24T12:00:00.000Z"
    assert (rows[0]["id"], rows[0]["exception.type"]) == (str(FULL.id), "ValueError")
    assert rows[1]["path"] == "/\\x00\x1b\u2028ü😀"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_has_no_formulas(text: str) -> None:
    """What a client wrote is text to a spreadsheet; negative numbers stay numbers."""
    record = dataclasses.replace(make_record(), method=text, user_repr=text, execution_time=-1.0)
    (row,) = csv.DictReader(io.StringIO(write([record], "csv").decode(), newline=""))
    assert row["method"] == row["user_repr"] == f"'{text}"
    assert row["execution_time"] == "-1.0"


def test_csv_is_not_read() -> None:
    """A spreadsheet has not all of a record, so it is not read back."""
    with pytest.raises(TrackingError, match="cannot be read. Possible: ndjson, json, bson."):
        read_records(io.BytesIO(b""), "csv")


@pytest.mark.parametrize("name", FORMATS)
def test_what_no_file_can_hold(name: str) -> None:
    """Values that no database holds are escaped, as the store would do."""
    record = dataclasses.replace(make_record(), custom_data={"a": object(), "b": 2**80, "c": "\ud800"})
    content = write([record], name)
    if name in READABLE:
        (read,) = read_records(io.BytesIO(content), name)
        assert read is not None
        assert read.custom_data["c"] == "\\ud800"
        assert read.notes == ("values that BSON cannot hold were escaped",)


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.parametrize(
    "data",
    [
        {"$date": "x"},
        {"$oid": "x"},
        {"$numberLong": "17"},
        {"$undefined": True},
        {"$ref": "c", "$id": 1},
        {"$ref": "c", "$id": 1, "$db": "d", "a": {"\uff04$ref": 2}},
        {"\uff04$ref": "c", "$id": 1},
        {"a$ref": "c", "\uff04ref": 1, "$ref": "#/definitions/tea"},
        [{"a": [{"$uuid": "0" * 32}]}],
        {"\uff04$date": 1, "\uff04\uff04$date": 2, "\uff04": 3, "$": 4, "\uff04date": 5},
        {"a": DBRef("c", 1)},
    ],
)
def test_keys_like_types_of_extended_json(name: str, data: Any) -> None:
    """Custom data comes back as it was where its keys look like the types of Extended JSON, or BSON."""
    record = dataclasses.replace(make_record(), custom_data=data)
    assert list(read_records(io.BytesIO(write([record], name)), name)) == [record]


@pytest.mark.parametrize("name", ["json", "ndjson"])
def test_byte_order_mark(name: str) -> None:
    """A mark that an editor has put before the first record hides none."""
    content = b"\xef\xbb\xbf" + write([FULL, ODD[0]], name)
    assert list(read_records(io.BytesIO(content), name)) == [FULL, ODD[0]]


@pytest.mark.parametrize("depth", [900, 5_000])
@pytest.mark.parametrize("name", ["json", "ndjson"])
def test_data_too_deep_for_json(name: str, depth: int) -> None:
    """It is written, left out and counted, or noted, as this Python can: the others are written."""
    data: Any = 1
    for _ in range(depth):
        data = {"a": data}
    file = io.BytesIO()
    deep = dataclasses.replace(make_record(), custom_data=data)
    written, left_out = write_records([deep, FULL], file, name)
    assert written + left_out == 2
    file.seek(0)
    *_, last = read_records(file, name)
    assert last == FULL


HOSTILE: list[Any] = [
    b"nonsense", b"{}", b"[]", b"7", b"null", b'"a"', b"\xff\xfe", b"{" * 100_000,
    b'{"_id": {"$oid": "bad"}}', b'{"_id": {"$oid": 7}, "date_created": {"$date": "never"}}',
    b'{"_id": 1, "date_created": 2}', b'{"a": {"$binary": {}}}',
    b'{"a": {"$binary": {"base64": "!", "subType": "zz"}}}', b'{"$code": 1}',
    b'{"a": {"$numberLong": "x"}}', b'{"a": {"$regularExpression": 1}}', b'{"a": {"$timestamp": {}}}',
    b'{"a": {"$date": {"$numberLong": "99999999999999999999"}}}', b'{"a": {"$numberDecimal": "x"}}',
    b'{"a": {"$uuid": "x"}}', b'{"a": {"$dbPointer": {"$ref": 1, "$id": 2}}}',
    b'{"a": {"$undefined": false}}',
]  # fmt: skip


@pytest.mark.parametrize("line", HOSTILE)
def test_hostile_lines(line: bytes) -> None:
    """What is no record is None, and those around it are read."""
    good = write([FULL], "ndjson")
    assert list(read_records(io.BytesIO(good + line + b"\n" + good), "ndjson")) == [FULL, None, FULL]


@pytest.mark.parametrize(
    "tail",
    [
        b"\x00",
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff\x7f",
        b"\xff\xff\xff\xff",
        b"\x40\x00\x00\x00abc",
        b"PK\x03\x04",
    ],
)
def test_damaged_bson(tail: bytes) -> None:
    """A damaged file is read up to the damage, and nothing of an absurd size is asked for."""
    found = []
    with pytest.raises(TrackingError, match="damaged after its first 2 records"):
        for record in read_records(io.BytesIO(write([FULL, ODD[0]], "bson") + tail), "bson"):
            found.append(record)
    assert found == [FULL, ODD[0]]


def test_foreign_bson() -> None:
    """A document of others is None."""
    content = bson.encode({"a": 1}) + write([FULL], "bson") + b"\x06\x00\x00\x00\xff\x00"
    places: list[str] = []
    assert list(read_records(io.BytesIO(content), "bson", places.append)) == [None, FULL, None]
    assert places == ["document 1", "document 3"]


def test_places_of_faults_in_lines() -> None:
    """Lines are counted as editors count them, empty ones and brackets too."""
    places: list[str] = []
    content = b"[\n\n" + write([FULL], "ndjson") + b"{},\n]\n"
    assert list(read_records(io.BytesIO(content), "json", places.append)) == [FULL, None]
    assert places == ["line 4"]


@pytest.mark.repeats
@pytest.mark.parametrize("name", FORMATS)
def test_memory_is_constant(name: str) -> None:
    """However many records are written and read, only a few are in memory."""
    big = dataclasses.replace(make_record(), response_body=b"x" * 50_000)

    def records(count: int) -> Iterator[Record]:
        return (big for _ in range(count))

    class Counting(io.RawIOBase):
        size = 0

        def write(self, data: Any) -> int:
            self.size += len(data)
            return len(data)

    peaks = []
    for count in (20, 400):
        tracemalloc.start()
        write_records(records(count), Counting(), name)  # type: ignore[arg-type]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + 100_000


def read_table(*custom: Any) -> list[dict[str, str]]:
    """Return the rows of a table of records with custom data."""
    file = io.BytesIO()
    write_records([dataclasses.replace(make_record(), custom_data=one) for one in custom], file, "csv")
    return list(csv.DictReader(io.StringIO(file.getvalue().decode(), newline="")))


def test_custom_data_in_a_table() -> None:
    """Plain values have columns of their own; what a client wrote is no formula there, too."""
    first, second, third = read_table(
        {"tenant": "acme", "cents": 7, "is_new": True, "list": [1], "cart": {"items": 2}},
        {"tenant": "=1+1", "rate": 0.5, "note": "é" * 2_000},
        "a text",
    )
    assert [name for name in first if name.startswith("custom_data.")] == [
        f"custom_data.{name}" for name in ("cart.items", "cents", "is_new", "note", "rate", "tenant")
    ]
    assert (first["custom_data.tenant"], first["custom_data.cents"], first["custom_data.is_new"]) == (
        "acme",
        "7",
        "true",
    )
    assert (first["custom_data.cart.items"], first["custom_data.rate"]) == ("2", "")
    assert (second["custom_data.tenant"], len(second["custom_data.note"])) == ("'=1+1", 1_001)
    assert third["custom_data.tenant"] == "" and third["version"] == first["version"]


def test_many_names_of_custom_data() -> None:
    """A table has at most 40 columns of them: those that most records have."""
    rows = read_table({"all": 1, **{f"a{number}": 1 for number in range(60)}}, {"all": 2})
    names = [name for name in rows[0] if name.startswith("custom_data.")]
    assert len(names) == 40 and "custom_data.all" in names
    assert [row["custom_data.all"] for row in rows] == ["1", "2"]


def test_custom_data_that_comes_late() -> None:
    """The first records tell the columns, so that any number of them takes the same memory."""
    rows = read_table(*[{"a": 1}] * READ_AHEAD, {"b": 2})
    assert "custom_data.b" not in rows[0] and len(rows) == READ_AHEAD + 1
