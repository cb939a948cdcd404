"""A name is forbidden after records with it were stored: they are scrubbed, and then no more."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from flask import Flask
from pymongo.database import Database

from flask_tracking import Record, Settings, Tracking
from flask_tracking.exporters.mongo.codec import to_document, utc_now
from flask_tracking.redaction.redactor import Redactor

from ..captures import make_record

Document = dict[str, Any]

RECORDS = int(os.environ.get("TRACKING_TEST_SCRUB_RECORDS", "5000"))
"""How many are scrubbed. 100,000 take SecantusDB some ten minutes."""
SECRET_EACH = 3
"""So many records have one with the name among them."""
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
BATCH = 5000


@pytest.fixture
def app(database_uri: str) -> Iterator[Flask]:
    """An app whose settings forbid a name; what is stored does not know it yet."""
    app = Flask("shop")
    app.config.update(
        TRACKING_MONGODB_URI=database_uri,
        TRACKING_TABLE_SIZE=1024**3,
        TRACKING_EXPORT_TIMEOUT_S=60,  # a busy server may answer the driver's checks late
        TRACKING_REDACT_NAMES=["tax id"],
    )
    tracking = Tracking(app)
    yield app
    tracking.close(20)


def make_old(number: int) -> Record:
    """Make a record of an order every 20 ms; some have the name in body, query or custom data."""
    tax_id = f'"tax_id": "DE{number:09}", ' if number % SECRET_EACH == 0 else ""
    body = f'{{{tax_id}"order": {number}, "items": [{", ".join(["7"] * 60)}]}}'
    return make_record(
        environ={"CONTENT_TYPE": "application/json", "QUERY_STRING": f"page={number % 9}"},
        arrived_at=NOON.timestamp() + 0.02 * number,
        request_chunks=(body.encode(),),
        request_size=len(body),
        custom_data={"customer": number % 7, "ratio": number / 7},
    )


def fill(database: Database[Document]) -> None:
    """Store records that went through rules without the name."""
    redactor = Redactor(Settings())
    for start in range(0, RECORDS, BATCH):
        records = redactor.redact([make_old(n) for n in range(start, min(start + BATCH, RECORDS))])
        database["tracking"].insert_many([to_document(record, utc_now()) for record in records])


def digest(database: Database[Document]) -> str:
    """Return a hash of the bytes of all documents."""
    options: Any = bson.DEFAULT_CODEC_OPTIONS.with_options(document_class=RawBSONDocument)
    documents = database["tracking"].with_options(options).find()
    hashes = sorted(hashlib.sha256(document.raw).digest() for document in documents)
    assert len(hashes) == RECORDS
    return hashlib.sha256(b"".join(hashes)).hexdigest()


def scrub(app: Flask, *options: str) -> list[int]:
    """Run the command; return what it looked at, changed, and found to be current."""
    began = time.perf_counter()
    result = app.test_cli_runner().invoke(args=["tracking", "scrub", *options])
    assert result.exit_code == 0, result.output
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("tracking  ")]
    print(f"scrub {' '.join(options)}: {time.perf_counter() - began:.1f} s\n{result.stdout}")
    return [int(cell.replace(",", "")) for cell in row.split()[1:]]


def test_scrub_of_many_records(app: Flask, database: Database[Document]) -> None:
    """The dry run's counts come true, and after that nothing is found and nothing is touched."""
    assert app.test_cli_runner().invoke(args=["tracking", "init"]).exit_code == 0
    fill(database)
    secrets = -(-RECORDS // SECRET_EACH)
    before = digest(database)

    assert scrub(app, "--dry-run") == [RECORDS, secrets, 0]
    assert digest(database) == before
    assert scrub(app) == [RECORDS, secrets, 0]

    after = digest(database)
    assert after != before
    for document in database["tracking"].find({"date_created": {"$lt": NOON + timedelta(seconds=4)}}):
        assert b"DE0" not in document["request_body"]
        assert b'"order": ' in document["request_body"]
    assert scrub(app) == [0, 0, RECORDS]
    assert digest(database) == after
