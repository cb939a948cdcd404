"""A record as sections: plain text, nothing escaped, and no empty parts."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from bson import ObjectId

from flask_tracking.present import Section, present
from flask_tracking.record import ChildTiming, ExceptionInfo, Record

AN_ID = ObjectId("0123456789abcdef01234567")
NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)


def make_record(**parts: Any) -> Record:
    """Make a record of which only `parts` are not the default."""
    return Record(id=AN_ID, date_created=NOON, **parts)


def test_record_that_says_little() -> None:
    """What a record does not have has no section and no pair."""
    assert present(make_record(method="GET", path="/")) == [
        Section(
            "GET /",
            pairs=(("id", str(AN_ID)), ("arrived", "2026-11-24 12:00:00.000 UTC")),
        ),
        Section("Request", "0 bytes on the wire"),
    ]


def test_every_part_has_a_section() -> None:
    """Each part stands under its title, in this order."""
    record = make_record(
        status_code=500,
        request_headers=(("Host", "example.org"), ("Accept", "*/*")),
        response_body=b'{"a":[1]}',
        response_body_size=9,
        response_body_note="truncated",
        children=(ChildTiming("charge", 1.0, None, "ValueError"),),
        custom_data={"order": 17},
        exception=ExceptionInfo("ValueError", "no", "Traceback\n  no\n"),
    )
    overview, request, response, children, data, exception = present(record)
    assert ("status", "500") in overview.pairs
    assert request == Section("Request", "0 bytes on the wire", record.request_headers)
    assert response == Section(
        "Response",
        "9 bytes on the wire, stored: 9, truncated",
        text='{\n  "a": [\n    1\n  ]\n}',
    )
    assert children.pairs == (("charge", "had not ended, from 1.0 ms on, left by ValueError"),)
    assert data == Section("Custom data", text='{\n  "order": 17\n}')
    assert exception == Section("Exception", text="Traceback\n  no\n")


def test_nothing_is_escaped() -> None:
    """What strangers wrote is given as it came: a page escapes otherwise than a terminal."""
    record = make_record(path="/<b>\x1b[2J", request_body=b"<i>\x1b")
    overview, request = present(record)
    assert (overview.title, request.text) == ("/<b>\x1b[2J", "<i>\x1b")
