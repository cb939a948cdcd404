"""What a record has of its request, and what is missing there."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from bson import ObjectId
from flask import Flask

from flask_tracking import MemoryExporter, Record, Tracking, TrackingError
from flask_tracking.codec import from_dict
from flask_tracking.record import Remark
from flask_tracking.reproduce.request import Gap, read_request

from ..captures import make_record


def make_request(**parts: Any) -> Record:
    """Make a record with some other fields."""
    fields: dict[str, Any] = {"request_headers": (), "query_params": "", "target": None}
    return dataclasses.replace(make_record(), **(fields | parts))


def names(record: Record) -> list[str]:
    """Return the variables that have to be set."""
    return [gap.variable for gap in read_request(record).gaps]


FORM = ("Content-Type", "application/x-www-form-urlencoded")
UPLOAD = (
    b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n'
    b"Content-Type: image/png\r\n\r\n[file, 3 bytes]\r\n--x--\r\n"
)
JSON = ("Content-Type", "application/json")


@pytest.mark.parametrize(
    ("parts", "variables"),
    [
        ({}, []),
        ({"target": "/x?token=[redacted]&t=[redacted]"}, ["REDACTED_TOKEN", "REDACTED_T"]),
        ({"query_params": "PATH=[redacted]"}, ["REDACTED_PATH"]),
        ({"path": "/u/[redacted]"}, ["REDACTED_PATH"]),
        ({"request_headers": (("X-Api-Key", "[redacted]"),)}, ["REDACTED_X_API_KEY"]),
        (
            {"request_headers": (("Cookie", "a=[redacted #1f3a90c2]; b=[redacted ...1111]"),)},
            ["REDACTED_COOKIE_A", "REDACTED_COOKIE_B"],
        ),
        ({"request_headers": (FORM,), "request_body": b"password=[redacted]"}, ["REDACTED_PASSWORD"]),
        (
            {
                "request_headers": (JSON,),
                "request_body": b'{"pins": ["[redacted]", "[redacted]"], "pin": "[redacted]"}',
            },
            ["REDACTED_PINS", "REDACTED_PINS_2", "REDACTED_PIN"],
        ),
        ({"request_body": b"[redacted]"}, ["REDACTED_BODY"]),
        (
            {"request_body": b"cut", "request_body_size": 9, "request_body_note": "truncated"},
            ["FILE_BODY"],
        ),
        ({"request_body": b"", "request_body_note": "not read"}, ["FILE_BODY"]),
        ({"request_body": b"", "request_body_note": "excluded"}, []),
        (
            {
                "request_body": UPLOAD,
                "redacted": (Remark("request_body", "file", 97, 3, UPLOAD.index(b"[file"), 15),),
            },
            ["FILE_PHOTO"],
        ),
        (
            # A callback may have said what stands there.
            {"request_body": b"a=1&n=somebody", "redacted": (Remark("request_body", "x", 6, 3, 6, 8),)},
            ["REDACTED_N"],
        ),
    ],
)
def test_gaps(parts: dict[str, Any], variables: list[str]) -> None:
    """What was removed is named by what stands before it, and never like a variable of the shell."""
    assert names(make_request(**parts)) == variables


def test_places_of_remarks() -> None:
    """A remark counts bytes of UTF-8, whatever text stands before it."""
    record = make_request(
        request_headers=(("X-A", "né [redacted]!"),),
        redacted=(
            Remark("request_headers.X-A", "name", 4, 3, 4, 10),
            Remark("request_headers.X-A", "name", 400, 3, 400, 10),
            Remark("request_headers.X-A", "name", 4, 3, None, None),
        ),
    )
    ((_, value),) = read_request(record).headers
    assert value == (b"n\xe9 ", Gap("x_a", "header", "plain"), b"!")


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b'{"a": "[redacted]"}', "json text"),
        (b'{"a": [redacted]}', "json text"),
    ],
)
def test_encoding_in_json(body: bytes, encoding: str) -> None:
    """A value in JSON is written as JSON."""
    (gap,) = read_request(make_request(request_headers=(JSON,), request_body=body)).gaps
    assert gap.encoding == encoding


def test_value_in_json() -> None:
    """A number that was removed is a whole value of JSON."""
    record = make_request(
        request_headers=(JSON,),
        request_body=b'{"pin": "[redacted]"}',
        redacted=(Remark("request_body", "name", 8, 4, 8, 12),),
    )
    request = read_request(record)
    assert request.body == (b'{"pin": ', Gap("pin", "body", "json value"), b"}")


@pytest.mark.parametrize(
    ("parts", "host"),
    [
        ({"request_headers": (("Host", "shop.example:8080"),)}, "shop.example:8080"),
        ({"request_headers": (("Host", "[::1]:80"),)}, "[::1]:80"),
        ({"host": "shop.example"}, "shop.example"),
        ({"host": "user@evil/x"}, "localhost"),
        ({"host": "localhost:99999"}, "localhost"),
        ({"host": "shop.example:0"}, "localhost"),
        ({"host": "[::1]:99999"}, "localhost"),
        ({"host": "[:::::]"}, "localhost"),
        ({"host": None}, "localhost"),
    ],
)
def test_host(parts: dict[str, Any], host: str) -> None:
    """The host of the URL is a host; what was sent instead is a header."""
    assert read_request(make_request(**parts)).host == host


def test_wrong_host_is_a_header() -> None:
    """A `Host` that is no host is sent as it was, to this machine."""
    request = read_request(make_request(request_headers=(("Host", "a b"),), host=""))
    assert (request.host, request.headers) == ("localhost", (("Host", (b"a b",)),))


@pytest.mark.parametrize("method", [None, "", "GET x\r\nX: y"])
def test_no_request(method: str | None) -> None:
    """A record without a method, as of a task, has no request."""
    with pytest.raises(TrackingError, match="has no request that could be sent: it has no method"):
        read_request(make_request(method=method))


def test_classic_record() -> None:
    """A record of the first flask-tracking has what it needs."""
    record = from_dict(
        {
            "id": ObjectId(),
            "date_created": make_record().date_created,
            "method": "POST",
            "host": "shop.example",
            "path": "/a b",
            "query_params": "x=1",
            "request_headers": [["Content-Type", "text/plain"]],
            "request_body": b"hi",
            "execution_time": 3,
        }
    )
    request = read_request(record)
    assert (request.scheme, request.host, request.target) == ("http", "shop.example", (b"/a%20b?x=1",))
    assert (request.body, request.gaps) == ((b"hi",), ())


def test_query_that_the_target_lacks(memory: MemoryExporter, tracking: Tracking, app: Flask) -> None:
    """The query is sent, too, where the test client was given it as an argument."""
    app.test_client().get("/a b", query_string={"q": "é"})
    assert memory.records[0].target == "/a b"
    assert read_request(memory.records[0]).target == (b"/a%20b?q=%C3%A9",)


def test_controls_in_a_target() -> None:
    """No target begins another line."""
    request = read_request(make_request(target="/x\r\nHost: evil\x00\x7f\xe9"))
    assert request.target == (b"/x%0D%0AHost:%20evil%00%7F\xe9",)


def test_reads_what_a_store_returns(memory: MemoryExporter) -> None:
    """What is stored and read again is the same request."""
    record = make_record()
    memory.export([record])
    assert read_request(memory.records[0]) == read_request(record)
