"""``--json`` of the commands that read records."""

from __future__ import annotations

import dataclasses
import json

from bson import ObjectId

from flask_tracking import MemoryExporter, Tracking

from ..captures import make_record
from .conftest import Invoke


def test_list(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """A line for each record, the newest first, with the columns of a list."""
    assert invoke("list", "--json").stdout == ""
    records = [make_record(path=f"/é{number}") for number in range(3)]
    memory.export(records)
    lines = invoke("list", "--json", "--limit", "2").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["id"] for row in rows] == [str(record.id) for record in reversed(records)][:2]
    assert rows[0]["date_created"] == f"{records[2].date_created:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    assert "request_headers" not in rows[0]
    assert all(line.isascii() for line in lines)


def test_show(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """All fields, with bodies as text, or as base64 where they are none."""
    record = dataclasses.replace(
        make_record(),
        request_body=b"\xff",
        response_body="é".encode(),
        custom_data={"id": ObjectId("0123456789abcdef01234567")},
    )
    memory.export([record])
    result = invoke("show", "--json", "-1")
    values = json.loads(result.stdout)
    assert values["id"] == str(record.id)
    assert values["request_body"] == {"base64": "/w=="}
    assert values["response_body"] == "é"
    assert values["request_headers"] == [["Host", "example.org"], ["User-Agent", "curl/8.5.0"]]
    assert values["custom_data"] == {"id": "0123456789abcdef01234567"}
    assert "exception" not in values
