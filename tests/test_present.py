"""A record as sections: plain text, nothing escaped, and no empty parts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from bson import ObjectId

from flask_tracking.present import Section, present
from flask_tracking.record import ChildTiming, ExceptionInfo, Record, Remark

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


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("application/x-www-form-urlencoded", b"a=1&b=x+y%0A%C3%A9&c=", "a = 1\nb = x y\\né\nc = "),
        ("application/x-www-form-urlencoded", b"no form", "no form = "),
        ("application/x-www-form-urlencoded", b"", ""),
        ("image/png; x=y", b"\x89PNG", "(image/png, 4 bytes)"),
        ("image/svg+xml", b"<svg/>", "<svg/>"),
        ("application/pdf", b"%PDF", "(application/pdf, 4 bytes)"),
        ("image/png", b"", ""),
        ("text/plain", b"a=1&b=2", "a=1&b=2"),
    ],
)
def test_bodies_by_type(kind: str, body: bytes, text: str) -> None:
    """A form is decoded, and what is no text is named."""
    _, request = present(make_record(request_headers=(("Content-Type", kind),), request_body=body))
    assert request.text == text


def test_redactions_are_explained() -> None:
    """Each place that lost something says why."""
    remarks = [
        Remark("request_headers.Cookie", "header", 2, 5),
        Remark("request_headers.Cookie", "header", 9, 5),
        Remark("request_body", "name", 0, 3),
        Remark("custom_data", "github", 0, 3),
    ]
    *_, section = present(make_record(redacted=tuple(remarks)))
    assert section == Section(
        "Redacted",
        pairs=(
            ("request_headers.Cookie", "credentials in this header are never stored (2 values)"),
            ("request_body", "its name says that it is a secret"),
            ("custom_data", "it has the format github"),
        ),
    )


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (timezone.utc, "2026-11-24 12:00:00.000 UTC"),
        (timezone(timedelta(hours=1)), "2026-11-24 13:00:00.000 +01:00"),
        (timezone(-timedelta(hours=3, minutes=30)), "2026-11-24 08:30:00.000 -03:30"),
        (None, "2026-11-24 12:00:00.000 UTC"),
    ],
)
def test_zones(zone: tzinfo | None, shown: str) -> None:
    """Times are shown in the wanted zone, which is named."""
    assert ("arrived", shown) in present(make_record(), zone)[0].pairs


def test_nothing_is_escaped() -> None:
    """What strangers wrote is given as it came: a page escapes otherwise than a terminal."""
    record = make_record(path="/<b>\x1b[2J", request_body=b"<i>\x1b")
    overview, request = present(record)
    assert (overview.title, request.text) == ("/<b>\x1b[2J", "<i>\x1b")
