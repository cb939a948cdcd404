"""Traffic that is known: the records and rollups that the site shows."""

from __future__ import annotations

import dataclasses
import json
import random
from datetime import datetime, timedelta, timezone
from typing import Any

from bson import ObjectId

from flask_tracking import MemoryExporter, Record
from flask_tracking.record import ChildTiming, ExceptionInfo, Remark

from ..captures import make_record
from ..dashboard.hostile import PAYLOADS, fill
from ..dashboard.test_overview import make_rollups

FAILED = ObjectId("6b0b2833420c3ba6703982a1")
"""A request with an exception, child spans, a nested body, and values that were removed."""
STREAM = ObjectId("6b0b2833420c3ba6703982a2")
"""A stream that its client left."""
BARE = ObjectId("6b0b2833420c3ba6703982a3")
"""A request of which nothing but the least is known."""
BINARY = ObjectId("6b0b2833420c3ba6703982a4")
"""An upload, and a body of bytes."""
LARGE = ObjectId("6b0b2833420c3ba6703982a5")
"""A request and a response of as many bytes as are stored."""
GONE = ObjectId("6b0b2833420c3ba6703982ff")
"""No record."""
ROUTINE = 60
HOSTILE_METHOD = ObjectId("6b0b2833420c3ba6703982fe")
"""As the first of those below, and with a method that makes it impossible to send again."""
HOSTILE = {name: ObjectId(f"6b0b2833420c3ba6703983{at:02x}") for at, name in enumerate(PAYLOADS)}

TRACEBACK = """Traceback (most recent call last):
  File "/venv/lib/python3.12/site-packages/flask/app.py", line 917, in full_dispatch_request
    rv = self.dispatch_request()
         ^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/views.py", line 31, in check_out
    charge(order)
  File "/srv/shop/pay.py", line 88, in charge
    raise CardDeclined(f"the issuer of the card that ends in {digits} refused to pay for this order")
shop.pay.CardDeclined: the issuer of the card that ends in 4242 refused to pay for this order
"""
ORDER = {
    "order": {
        "id": 17,
        "lines": [{"tea": "oolong", "grams": 250, "tags": ["loose", "spring", None]} for _ in range(3)],
        "card": "[redacted]",
        "note": "Leave it with the neighbour, please: " + "a-name-without-any-place-to-break" * 3,
    },
    "is_gift": True,
}


def make_records() -> list[Record]:
    """Return the requests of the last hour: a few of interest, and many that are not."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    return [*_make_routine(now), *_make_special(now)]


def _make_routine(now: datetime) -> list[Record]:
    return [
        dataclasses.replace(
            make_record(),
            path=f"/items/{at}",
            query_params="",
            target=f"/items/{at}",
            url_rule="/items/<int:id>",
            date_created=now - timedelta(seconds=40 * at + 60),
            execution_time=12.0 + at % 7,
            status_code=(200, 200, 200, 304, 404)[at % 5],
            user_id=f"acme:{at % 4}",
            version="2.4.1",
        )
        for at in range(ROUTINE)
    ]


def _make_special(now: datetime) -> list[Record]:
    record = dataclasses.replace(make_record(), user_id="acme:42", version="2.4.1", method="POST")
    body = json.dumps(ORDER).encode()
    at = body.index(b"[redacted]")
    failed = dataclasses.replace(
        record,
        id=FAILED,
        date_created=now - timedelta(seconds=50),
        path="/checkout",
        url_rule="/checkout",
        query_params="step=pay&token=[redacted]",
        target="/checkout?step=pay&token=[redacted]",
        status_code=500,
        outcome="error",
        execution_time=1240.0,
        time_to_first_byte=1230.0,
        request_headers=(
            ("Host", "shop.example"),
            ("Content-Type", "application/json"),
            ("Authorization", "Bearer [redacted]"),
            ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ),
        request_body=body,
        request_body_size=len(body),
        response_headers=(("Content-Type", "application/json"), ("X-Request-Id", "a" * 90)),
        response_body=b'{"problem": "the card was declined"}',
        response_body_size=36,
        exception=ExceptionInfo(
            "shop.pay.CardDeclined", TRACEBACK.splitlines()[-1].partition(": ")[2], TRACEBACK
        ),
        children=tuple(
            ChildTiming(name, start, took, error)
            for name, start, took, error in (
                ("load the session", 2.0, 8.0, None),
                ("db query", 14.0, 31.0, None),
                ("db query", 48.0, 6.0, None),
                ("charge card", 60.0, 1130.0, "CardDeclined"),
                ("send the mail that nobody has ever waited for", 1195.0, None, None),
            )
        ),
        custom_data={"order_id": 17, "cents": 4470, "basket": {"lines": [1, 2, 3]}},
        redacted=(
            Remark("request_body.order.card", "card", at, 16, at, 10),
            Remark("request_headers.Authorization", "header", 7, 24, 7, 10),
            Remark("query_params.token", "name", 15, 20, 15, 10),
        ),
        notes=("custom_data was cut",),
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    )
    stream = dataclasses.replace(
        record,
        id=STREAM,
        date_created=now - timedelta(seconds=49),
        method="GET",
        path="/offers",
        target="/offers?a=1",
        url_rule="/offers",
        outcome="disconnected",
        execution_time=61_000.0,
        time_to_first_byte=3.0,
        response_headers=(("Content-Type", "text/event-stream"),),
        response_body=b"".join(b'data: {"tea": "oolong", "cents": %d}\n\n' % n for n in range(90)),
        response_body_size=90_000,
        response_body_note="truncated",
    )
    bare = Record(id=BARE, date_created=now - timedelta(seconds=48))
    binary = dataclasses.replace(
        record,
        id=BINARY,
        date_created=now - timedelta(seconds=47),
        path="/photos",
        target="/photos?a=1",
        request_headers=(("Content-Type", "image/png"),),
        request_body=bytes(range(256)),
        request_body_size=256,
        response_headers=(("Content-Type", "application/x-www-form-urlencoded"),),
        response_body=b"name=%C3%A9clair&size=12&empty=",
        response_body_size=31,
    )
    return [failed, stream, bare, binary, _make_large(record, now)]


def _make_large(record: Record, now: datetime) -> Record:
    dice = random.Random(7)
    teas = [{"tea": dice.randbytes(9).hex(), "cents": dice.randrange(9_999)} for _ in range(1_400)]
    body = json.dumps(teas).encode()
    return dataclasses.replace(
        record,
        id=LARGE,
        date_created=now - timedelta(seconds=46),
        path="/import",
        target="/import",
        request_headers=(("Content-Type", "application/json"),),
        request_body=body,
        request_body_size=len(body),
        response_headers=(("Content-Type", "application/json"),),
        response_body=body,
        response_body_size=len(body),
    )


def make_hostile() -> list[Record]:
    """Return a record for each hostile text, with the text in every field."""
    now = datetime.now(timezone.utc)
    failed = dataclasses.replace(make_record(), status_code=500, execution_time=700.0)
    made = [fill(dataclasses.replace(failed, id=HOSTILE_METHOD), PAYLOADS["script"])]
    for name, record_id in HOSTILE.items():
        record = dataclasses.replace(failed, id=record_id, target=None)
        made.append(fill(record, PAYLOADS[name], leave={"method"}))
    return [
        dataclasses.replace(record, date_created=now - timedelta(seconds=at + 1))
        for at, record in enumerate(made)
    ]


def make_store(records: list[Record], **happened: Any) -> MemoryExporter:
    """Return a store of records, and of two hours of rollups in which something happened."""
    store = MemoryExporter()
    store.export(records)
    if happened and store.rollups is not None:
        store.rollups.store(make_rollups(**happened))
    return store
