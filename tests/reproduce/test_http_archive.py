"""Archives are HAR 1.2, and have all that was recorded."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_tracking import MemoryExporter, Record, TrackingError
from flask_tracking.record import Remark
from flask_tracking.reproduce import har
from flask_tracking.testing import overridden

from ..captures import make_record
from .har_schema import find_faults
from .hostile import requests
from .shop import load_shop


def make_entry(record: Record) -> dict[str, Any]:
    """Return the only entry of an archive that has passed through JSON."""
    archive = json.loads(json.dumps(har(record), allow_nan=False))
    assert find_faults(archive) == []
    (entry,) = archive["log"]["entries"]
    return dict(entry)


def test_the_check_finds_faults() -> None:
    """What HAR does not allow is found."""
    archive = har(make_record())
    (entry,) = archive["log"]["entries"]
    del entry["cache"]
    entry["time"] = -1
    entry["extra"] = entry["_extra"] = 1
    entry["request"]["headers"] = {}
    assert find_faults(archive) == [
        "$.log.entries[0].cache is missing",
        "$.log.entries[0].time is -1",
        "$.log.entries[0].request.headers is no list",
        "$.log.entries[0].extra is unknown",
    ]


@settings(deadline=None)
@given(st.data())
def test_any_request_is_valid(data: st.DataObject) -> None:
    """Whatever clients send, the archive is valid and has the bytes of the body and of the target."""
    record = data.draw(requests("example.org"))
    request = make_entry(record)["request"]
    post = request.get("postData", {"text": ""})
    body = post["text"].encode() if "_encoding" not in post else base64.b64decode(post["text"])
    assert body == record.request_body
    target = request.get("_target", request["url"].removeprefix("http://example.org"))
    if record.target:
        assert target == record.target


def test_response() -> None:
    """Status, cookies, redirect, sizes and timings are there."""
    response_headers = (
        ("Location", "/login"),
        ("Set-Cookie", "session=[redacted]; Path=/; HttpOnly; SameSite=Lax"),
        ("Content-Encoding", "gzip"),
        ("Content-Type", "text/html; charset=utf-8"),
    )
    record = dataclasses.replace(
        make_record(),
        status_code=303,
        response_headers=response_headers,
        response_body="né".encode(),
        response_body_size=23,
        execution_time=12.5,
        time_to_first_byte=10.0,
    )
    entry = make_entry(record)
    response = entry["response"]
    assert (response["status"], response["statusText"]) == (303, "See Other")
    assert response["redirectURL"] == "/login"
    assert response["cookies"] == [
        {"name": "session", "value": "[redacted]", "path": "/", "httpOnly": True}
    ]
    assert response["content"] == {
        "size": 3,
        "mimeType": "text/html; charset=utf-8",
        "compression": -20,
        "text": "né",
    }
    assert response["bodySize"] == 23
    assert entry["time"] == 12.5
    assert entry["timings"] == {"send": 0, "wait": 10.0, "receive": 2.5}


def test_request() -> None:
    """Cookies and the query are taken apart; what was redacted is listed, and stands there."""
    record = dataclasses.replace(
        make_record(environ={"HTTP_COOKIE": "a=[redacted]; b=[redacted]"}),
        query_params="a=1&a=&b=x+y",
        target=None,
        redacted=(Remark("request_headers.Cookie", "header", 2, 5, 2, 10),),
    )
    entry = make_entry(record)
    request = entry["request"]
    assert request["url"] == "http://example.org/orders/7?a=1&a=&b=x+y"
    assert [tuple(pair.values()) for pair in request["queryString"]] == [
        ("a", "1"),
        ("a", ""),
        ("b", "x y"),
    ]
    assert [cookie["name"] for cookie in request["cookies"]] == ["a", "b"]
    assert entry["_redacted"] == [{"path": "request_headers.Cookie", "rule": "header"}]


def test_target_that_is_no_url() -> None:
    """What a URL cannot hold is kept beside it, as it was sent."""
    record = dataclasses.replace(make_record(), target="/a#b", query_params="")
    assert make_entry(record)["request"]["_target"] == "/a#b"


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ({"status_code": None, "execution_time": None, "time_to_first_byte": None}, 0),
        ({"status_code": 299}, 299),
        ({"response_body_note": "truncated", "response_body_size": 70_000}, 200),
        ({"response_body": b"\xff\x00"}, 200),
        ({"execution_time": float("nan"), "time_to_first_byte": float("inf")}, 200),
        ({"execution_time": -1.0, "time_to_first_byte": 1e308}, 200),
    ],
)
def test_odd_responses(parts: dict[str, Any], status: int) -> None:
    """None, an unknown status, a cut and a binary body are valid, too."""
    response = make_entry(dataclasses.replace(make_record(), **parts))["response"]
    assert response["status"] == status
    if "response_body_note" in parts:
        assert response["content"]["comment"] == "The stored body is not whole: truncated."
    if "response_body" in parts:
        assert base64.b64decode(response["content"]["text"]) == b"\xff\x00"


@pytest.mark.parametrize("size", [-1, 2**60])
def test_sizes_that_no_body_has(size: int) -> None:
    """A size that cannot be is not known."""
    record = make_record(request_chunks=(b"x",), request_size=1)
    entry = make_entry(dataclasses.replace(record, request_body_size=size, response_body_size=size))
    assert entry["request"]["bodySize"] == entry["response"]["bodySize"] == -1
    assert entry["response"]["content"] == {"size": 5, "mimeType": "text/plain", "text": "hello"}


def test_several() -> None:
    """Each record is an entry, in the given order; none is an archive, too."""
    records = [make_record(), make_record(path="/other")]
    entries = har(*records)["log"]["entries"]
    assert [entry["_record_id"] for entry in entries] == [str(record.id) for record in records]
    assert find_faults(har()) == []


def test_no_request() -> None:
    """What has no request is no entry."""
    with pytest.raises(TrackingError, match="has no request that could be sent"):
        har(dataclasses.replace(make_record(), method=None))


def test_archive_of_the_demo() -> None:
    """What the shop answers is a valid archive: pages, JSON, redirects, files, a stream."""
    memory = MemoryExporter()
    with overridden(exporter=memory, worker="sync"):
        client = load_shop().app.test_client()
    client.post("/login", data={"name": "ada", "password": "darjeeling"})
    client.post("/api/orders", json={"tea": "sencha", "quantity": 2, "pay_by": "invoice"})
    for path in ("/", "/api/products?name=grey", "/offers", "/brewing-guide.txt", "/nothing", "/login"):
        client.get(path, buffered=True)
    archive = json.loads(json.dumps(har(*memory.records)))
    assert find_faults(archive) == []
    statuses = [entry["response"]["status"] for entry in archive["log"]["entries"]]
    assert statuses == [303, 503, 200, 200, 200, 200, 404, 200]
