"""Records in the spool, and the names of its files."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from typing import Any

import bson
import pytest
from bson import ObjectId

from flask_tracking import Record
from flask_tracking.record import ChildTiming, ExceptionInfo, Remark, UserRef
from flask_tracking.record_fields import FIELDS
from flask_tracking.spool import decode_record, encode_record, split_by_kind
from flask_tracking.spool.naming import VERSION, Kind, make_name, parse_name

from ..captures import make_record

FULL = dataclasses.replace(
    make_record(),
    user=UserRef("User", "user", ObjectId()),
    exception=ExceptionInfo("ValueError", "wrong", "Traceback"),
    children=(ChildTiming("charge", 1.0, None, "Timeout"), ChildTiming("tell", 2.0, 3.5, None)),
    redacted=(Remark("request_body", "name", 3, 4, 3, 10),),
    notes=("a note",),
    request_body=b"\xff\x00body",
    custom_data={"at": datetime(2026, 11, 29, tzinfo=timezone.utc), "list": [1, None, {"a": 2.5}]},
    kept=True,
    kept_reason="error",
    dropped_before=3,
    name="a task",
    query_params="",
    version="2026.11",
)

FIELDS_OF_VERSIONS = {
    1: "id kind name date_created method scheme host path query_params target http_version ip user "
    "user_id user_repr user_agent request_headers request_body request_body_size request_body_note "
    "status_code response_headers response_body response_body_size response_body_note "
    "execution_time time_to_first_byte outcome endpoint url_rule blueprint view_args exception "
    "trace_id span_id parent_span_id request_id replay_of hostname process app version custom_data "
    "children kept kept_reason dropped_before notes redacted redaction_version"
}
"""By the version of the files what a record has. A published version does not change any more: who adds
a field raises `VERSION`, so that an older package leaves alone what it would store without it."""


@pytest.mark.parametrize("record", [make_record(), FULL], ids=["ordinary", "full"])
def test_round_trip(record: Record) -> None:
    """A record comes back as it was."""
    entry = encode_record(record)
    assert entry is not None
    assert decode_record(entry) == record


@pytest.mark.parametrize("value", ["\ud800", {"a": 2**70}, object()])
def test_what_bson_cannot_hold(value: Any) -> None:
    """A value that cannot be encoded costs itself and not the record."""
    record = dataclasses.replace(make_record(), custom_data=value)
    entry = encode_record(record)
    assert entry is not None
    read = decode_record(entry)
    assert read is not None and (read.id, read.path) == (record.id, record.path)
    assert read.notes == ("values that BSON cannot hold were escaped",)


@pytest.mark.parametrize("entry", [b"", b"\x05\0\0\0\0", bson.encode({"id": 7}), b"no BSON"])
def test_what_is_no_record(entry: bytes) -> None:
    """An entry that is no record is none."""
    assert decode_record(entry) is None


def test_kept_ones_have_files_of_their_own() -> None:
    """Files are evicted as a whole, so each has records of one kind."""
    kept, routine = dataclasses.replace(make_record(), kept=True), make_record()
    assert list(split_by_kind([routine, kept])) == [(Kind.KEPT, [kept]), (Kind.ROUTINE, [routine])]
    assert list(split_by_kind([routine])) == [(Kind.ROUTINE, [routine])]


def test_version_is_that_of_the_fields() -> None:
    """An older package does not send a record of which it would lose a field."""
    assert FIELDS_OF_VERSIONS[VERSION].split() == list(FIELDS)


def test_name_is_the_state() -> None:
    """What a name is made of is read from it again."""
    file = parse_name(make_name(Kind.KEPT, 100, 3))
    assert file is not None
    assert (file.kind, file.entry_count, file.gap, file.is_partial) == (Kind.KEPT, 100, 3, False)
    partial = parse_name(file.name + ".tmp")
    assert partial is not None and partial.is_partial


def test_names_of_a_millisecond_are_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that a process writes faster than the clock counts are sent, and evicted, as they came."""
    monkeypatch.setattr("flask_tracking.spool.naming.time.time", lambda: 1795996148.987)
    names = [make_name(Kind.ROUTINE, 1, 0) for _ in range(20)]
    assert names == sorted(names)


@pytest.mark.parametrize(
    "name",
    [
        "README",
        "1795995334293-d6c467057a48.kept.2+0.v99",
        "1795995334293-d6c467057a48.kept.2+0.v0",
        "1795995334293-d6c467057a48.rollup.2+0.v1",
        "1795995334293-d6c467057a48.kept.2.v1",
        "x1795995334293-d6c467057a48.kept.2+0.v1",
        "1795995334293-d6c467057a48.kept.2+0.v1~",
    ],
)
def test_other_names(name: str) -> None:
    """Foreign files and those of other versions are none of ours."""
    assert parse_name(name) is None
