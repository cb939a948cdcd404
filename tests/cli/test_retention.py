"""``capacity``, ``resize`` and ``migrate``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest.mock import Mock

import pytest
from click.testing import Result
from flask import Flask
from pymongo.database import Database

from flask_tracking import MemoryExporter, Tracking, TrackingError
from flask_tracking.cli import retention
from flask_tracking.cli.sizes import parse_size
from flask_tracking.exporters.retention import Rebuilt, Resized, Usage
from flask_tracking.runtime.sizes import format_bound, format_size

from ..captures import make_record

Document = dict[str, Any]
Invoke = Callable[..., Result]

NOW = datetime.now(timezone.utc)
FULL = Usage(
    name="tracking",
    records=46_000,
    stored_bytes=104_857_600,
    index_bytes=2_500_000,
    max_bytes=104_857_600,
    max_records=1_000_000,
    oldest=NOW - timedelta(days=10),
)


@pytest.fixture
def stored(app: Flask, database_uri: str) -> Iterator[Flask]:
    """An app that stores into a real database."""
    app.config.update(TRACKING_MONGODB_URI=database_uri, TRACKING_TABLE_SIZE=1_048_576)
    tracking = Tracking(app)
    yield app
    tracking.close(5)


# Sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("104857600", 104_857_600),
        ("500MB", 500_000_000),
        ("500 mb", 500_000_000),
        ("512MiB", 512 * 2**20),
        ("1.5GiB", 1_610_612_736),
        ("2GB", 2_000_000_000),
        ("1tb", 10**12),
        ("4096B", 4096),
    ],
)
def test_sizes(text: str, size: int) -> None:
    """A size is written with the units of ten or of two, or as bytes."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "5XB", "1e9", "1.5.5GB", "0x10", "1M", "9" * 30])
def test_wrong_sizes(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(TrackingError, match="expected bytes, or one like 500MB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (104_857_600, "105 MB"), (1.5e9, "1.5 GB"),
     (999_900_000, "1 GB"), (3e12, "3 TB"), (5e15, "5,000 TB")],
)  # fmt: skip
def test_format_size(size: float, text: str) -> None:
    """A size is shown with three digits."""
    assert format_size(size) == text


def test_format_bound() -> None:
    """A bound is shown with its bytes: two that differ by little look alike without."""
    assert format_bound(50_000_128) == "50 MB (50,000,128 bytes)"
    assert format_bound(256) == "256 bytes"


# Capacity


def test_capacity(
    app: Flask, invoke: Invoke, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how long records last now, and with other sizes."""
    monkeypatch.setattr(memory, "measure", lambda: [FULL])
    Tracking(app, exporter=memory)
    lines = invoke("capacity").output.splitlines()
    assert lines[:2] == [
        "tracking",
        "  46,000 records, 105 MB: 2,280 bytes per record, 2.5 MB of indexes",
    ]
    assert lines[2].startswith("  4,600 records per day, since ")
    assert lines[3:] == [
        "  Holds about 10 days at this rate.",
        "     SIZE  RECORDS     HOLDS",
        "  52.4 MB   23,000    5 days",
        "   105 MB   46,000   10 days",
        "   210 MB   92,000   20 days",
        "   524 MB  230,000   50 days",
        "  1.05 GB  460,000  100 days",
    ]


def test_capacity_with_a_bound_of_records(
    app: Flask, invoke: Invoke, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes at which the bound of records is reached first are marked, and it is named."""
    usage = dataclasses.replace(FULL, max_records=100_000, max_records_key="TRACKING_MAX_DOCUMENTS")
    monkeypatch.setattr(memory, "measure", lambda: [usage])
    Tracking(app, exporter=memory)
    lines = invoke("capacity").output.splitlines()
    assert (
        lines[-4:]
        == [
            "   105 MB   46,000  10 days",
            "   210 MB   92,000  20 days",
            "   524 MB  100,000  22 days  *",
            "  1.05 GB  100,000  22 days  *",
            "  * TRACKING_MAX_DOCUMENTS, 100,000, is reached first. To store more raise it, too.",
        ][-4:]
    )
    (shown,) = json.loads(invoke("capacity", "--json").output)
    limits = [one["is_limited_by_records"] for one in shown["sizes"]]
    assert limits == [False, False, False, True, True]


def test_capacity_as_json(
    app: Flask, invoke: Invoke, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same as numbers."""
    monkeypatch.setattr(memory, "measure", lambda: [FULL])
    Tracking(app, exporter=memory)
    (usage,) = json.loads(invoke("capacity", "--json").output)
    assert usage["records_per_day"] == pytest.approx(4600, rel=0.01)
    assert usage["days"] == pytest.approx(10, rel=0.01)
    assert [one["bytes"] for one in usage["sizes"]][1] == FULL.max_bytes
    assert {type(one["records"]) for one in usage["sizes"]} == {int}


def test_capacity_of_records_that_expire(
    app: Flask, invoke: Invoke, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ttl it says what the records will take."""
    monkeypatch.setattr(retention, "datetime", Mock(now=lambda zone: NOW))  # minutes may have passed
    usage = Usage(
        name="tracking", records=1000, stored_bytes=2_000_000, ttl_s=604_800,
        oldest=NOW - timedelta(days=1),
    )  # fmt: skip
    monkeypatch.setattr(memory, "measure", lambda: [usage])
    Tracking(app, exporter=memory)
    output = invoke("capacity").output
    assert "Records expire after 7 days, which takes about 14 MB at this rate." in output


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        (Usage(name="a", records=0, max_bytes=4096), "a\n  0 records\n"),
        (Usage(name="a", records=1, oldest=NOW), "The records span less than ten minutes"),
        (Usage(name="a", records=5, oldest=NOW - timedelta(days=1)), "It has no limit."),
        (
            Usage(name="a", records=24, max_records=48, oldest=NOW - timedelta(days=1)),
            "Holds about 2 days at this rate.",
        ),
        (
            Usage(name="a", records=24, max_records=24, oldest=NOW - timedelta(hours=12)),
            "Holds about 12 hours at this rate.",
        ),
        (
            Usage(name="a", records=8_640_000, max_records=40_000, oldest=NOW - timedelta(days=1)),
            "Holds about 6.7 minutes at this rate.",
        ),
        (
            Usage(name="a", records=86_400_000, max_records=4_000, oldest=NOW - timedelta(days=1)),
            "Holds about 4 seconds at this rate.",
        ),
        (Usage(name="a", records=1, ttl_s=100, oldest=NOW), "Records expire after 100 seconds."),
        (
            Usage(name="a", records=24, stored_bytes=24_000, oldest=NOW - timedelta(days=1)),
            "1 GB   1,000,000   41,700 days",
        ),
    ],
)
def test_capacity_of_little(
    app: Flask,
    invoke: Invoke,
    memory: MemoryExporter,
    monkeypatch: pytest.MonkeyPatch,
    usage: Usage,
    said: str,
) -> None:
    """What is not known is not made up."""
    monkeypatch.setattr(retention, "datetime", Mock(now=lambda zone: NOW))  # minutes may have passed
    monkeypatch.setattr(memory, "measure", lambda: [usage])
    Tracking(app, exporter=memory)
    assert said in invoke("capacity").output


def test_capacity_of_nothing(app: Flask, invoke: Invoke, database_uri: str) -> None:
    """Before anything is stored there is nothing to measure."""
    app.config["TRACKING_MONGODB_URI"] = database_uri
    Tracking(app)
    assert invoke("capacity").output == "Nothing is stored.\n"


# Resize


@pytest.mark.parametrize("options", [[], ["50MB"], ["--kept"]])
def test_resize_of_nothing(
    app: Flask, invoke: Invoke, database_uri: str, database: Database[Document], options: list[str]
) -> None:
    """A collection that is not there yet is not one that the server does not resize."""
    app.config["TRACKING_MONGODB_URI"] = database_uri
    Tracking(app)
    result = invoke("resize", *options)
    name, key = ("tracking_kept", "KEPT") if "--kept" in options else ("tracking", "TABLE")
    assert (result.exit_code, result.output) == (
        1,
        f"Error: {name} does not exist yet. Set TRACKING_{key}_SIZE, and run `flask tracking init`. "
        "If a rebuild was interrupted, add --rebuild.\n",
    )
    assert database.list_collection_names() == []


def test_resize(stored: Flask, invoke: Invoke, database: Database[Document]) -> None:
    """Where the server does not resize in place it says so, and --rebuild does it."""
    tracked = stored.extensions["tracking"]
    tracked.exporter.export([make_record() for _ in range(10)])
    first = invoke("resize", "2MiB")
    if database["tracking"].options()["size"] != 2_097_152:
        assert first.exit_code == 1
        assert "The server does not resize tracking in place." in first.stderr
        assert "add --rebuild" in first.stderr
        first = invoke("resize", "2MiB", "--rebuild")
        assert "Copied: 10 records." in first.output
    assert first.exit_code == 0
    assert first.output.splitlines()[-2:] == [
        "tracking is capped at 2.1 MB (2,097,152 bytes) and 1,000,000 documents now, "
        "it was 1.05 MB (1,048,576 bytes) and 1,000,000 documents.",
        "Set TRACKING_TABLE_SIZE = 2097152 as well, or each start logs the difference.",
    ]
    assert database["tracking"].options()["size"] == 2_097_152
    assert database["tracking"].count_documents({}) == 10
    again = invoke("resize", "2MiB").output.splitlines()
    assert again[0] == "tracking is capped at 2.1 MB (2,097,152 bytes) and 1,000,000 documents."


def test_resize_to_the_settings(stored: Flask, invoke: Invoke, database: Database[Document]) -> None:
    """Without a size it is that of the settings, and there is nothing to set then."""
    database.create_collection("tracking_kept", capped=True, size=8192)
    output = invoke("resize", "--kept", "--rebuild").output
    assert output.splitlines()[-1] == (
        "tracking_kept is capped at 21 MB (20,971,520 bytes) now, it was 8.19 kB (8,192 bytes)."
    )
    assert database["tracking_kept"].options()["size"] == 20_971_520


def test_resize_asks_before_records_are_dropped(
    app: Flask, invoke: Invoke, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A smaller size than what is stored is asked about, unless that is answered by --yes."""
    sizes: list[int] = []

    def resize(max_bytes: int, *, is_kept: bool) -> Resized:
        sizes.append(max_bytes)
        return Resized("tracking", 104_857_600, max_bytes, True)

    monkeypatch.setattr(memory, "measure", lambda: [FULL])
    monkeypatch.setattr(memory, "resize", resize)
    Tracking(app, exporter=memory)
    result = invoke("resize", "52428800")
    assert (result.exit_code, sizes) == (1, [])
    assert (
        "tracking holds 105 MB, and its new size is 52.4 MB. "
        "The oldest 50% of its records will be dropped. Go on?" in result.output
    )
    assert invoke("resize", "52428800", "--yes").exit_code == 0
    assert sizes == [52_428_800]


@pytest.mark.parametrize("options", [[], ["--kept"]])
def test_interrupted_resize_goes_on(
    stored: Flask, invoke: Invoke, database: Database[Document], options: list[str]
) -> None:
    """Run again, it copies the rest, although the new collection has its size already."""
    name = "tracking_kept" if options else "tracking"
    exporter = stored.extensions["tracking"].exporter
    exporter.export([dataclasses.replace(make_record(), kept=True) for _ in range(3)])
    database.create_collection(f"{name}_rebuild_1")
    database[f"{name}_rebuild_1"].insert_many([{"_id": number} for number in range(5)])
    result = invoke("resize", *options, "--rebuild")
    assert "Copied: 5 records." in result.output
    assert database[name].count_documents({}) == 8
    assert f"{name}_rebuild_1" not in database.list_collection_names()


def test_question_is_about_the_collection_that_changes(
    stored: Flask, invoke: Invoke, database: Database[Document]
) -> None:
    """Where one collection is missing the question is not about the other."""
    database.create_collection("tracking_kept", capped=True, size=65_536)
    database["tracking_kept"].insert_many([{"_id": at, "text": "x" * 1000} for at in range(20)])
    result = invoke("resize", "8192", "--rebuild")
    assert "Go on?" not in result.output
    result = invoke("resize", "8192", "--kept", "--rebuild")
    assert "tracking_kept holds 20.5 kB" in result.output and "Go on?" in result.output


def test_migration_that_shortens_a_lifetime_asks(
    app: Flask, invoke: Invoke, database_uri: str, database: Database[Document]
) -> None:
    """A migration also applies the lifetime, where there is nothing to copy."""
    app.config.update(TRACKING_MONGODB_URI=database_uri, TRACKING_RETENTION="ttl", TRACKING_TTL_S=60)
    records = database["tracking"]
    records.create_index("date_created", expireAfterSeconds=604_800)
    records.insert_one({"date_created": datetime.now(timezone.utc) - timedelta(hours=3)})
    tracking = Tracking(app)
    result = invoke("migrate", "--to", "ttl")
    assert (result.exit_code, "3 hours old" in result.output) == (1, True)
    assert records.index_information()["date_created_1"]["expireAfterSeconds"] == 604_800
    tracking.close(5)


@pytest.mark.parametrize("answer", ["", "n\n"])
def test_question_without_a_terminal(
    app: Flask, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """A script that does not answer is told the option that does."""
    monkeypatch.setattr(memory, "measure", lambda: [FULL])
    Tracking(app, exporter=memory)
    result = app.test_cli_runner().invoke(args=["tracking", "resize", "50MB"], input=answer)
    assert result.exit_code == 1
    assert "Nothing was changed" in result.stderr and "add --yes" in result.stderr


def test_resize_that_needs_a_copy_asks_nothing_before(
    app: Flask, invoke: Invoke, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the server cannot do is said first; the question of a copy is about what a copy drops."""
    monkeypatch.setattr(memory, "measure", lambda: [FULL])
    monkeypatch.setattr(memory, "resizes_in_place", lambda: False)
    Tracking(app, exporter=memory)
    result = invoke("resize", "52428800")
    assert result.exit_code == 1
    assert "Go on?" not in result.output and "add --rebuild" in result.stderr
    assert "52.4 MB, of which a copy fills 95%." in invoke("resize", "52428800", "--rebuild").output


@pytest.mark.parametrize("command", ["resize", "migrate"])
def test_bound_of_documents_asks_before_records_are_dropped(
    stored: Flask, invoke: Invoke, database: Database[Document], command: str
) -> None:
    """A bound of documents is asked about like a size: also the share that a copy leaves free."""
    stored.extensions["tracking"].exporter.export([make_record() for _ in range(40)])
    other = Flask("other")
    other.config.update(stored.config, TRACKING_MAX_DOCUMENTS=20, TRACKING_RETENTION="capped")
    Tracking(other)
    arguments = ["resize", "--rebuild"] if command == "resize" else ["migrate", "--to", "capped"]
    result = other.test_cli_runner().invoke(args=["tracking", *arguments])
    assert result.exit_code == 1
    assert "tracking holds 40 records, and TRACKING_MAX_DOCUMENTS is 20" in result.output
    assert database["tracking"].count_documents({}) == 40
    done = other.test_cli_runner().invoke(args=["tracking", *arguments, "--yes"])
    assert done.exit_code == 0
    assert database["tracking"].options()["max"] == 20
    assert database["tracking"].count_documents({}) >= 19
    if command == "resize":
        assert "1.05 MB (1,048,576 bytes) and 20 documents now" in done.output


def test_copy_that_drops_some_asks(stored: Flask, invoke: Invoke, database: Database[Document]) -> None:
    """Records that would fit, but not into the share that a copy fills, are asked about as well."""
    stored.extensions["tracking"].exporter.export([make_record() for _ in range(20)])
    other = Flask("other")
    other.config.update(stored.config, TRACKING_MAX_DOCUMENTS=20)
    Tracking(other)
    result = other.test_cli_runner().invoke(args=["tracking", "migrate", "--to", "capped"])
    assert result.exit_code == 1
    assert "TRACKING_MAX_DOCUMENTS is 20, of which a copy fills 95%. The oldest 5% of" in result.output
    result = other.test_cli_runner().invoke(args=["tracking", "resize", "--rebuild"])
    if database["tracking"].options()["max"] != 20:
        assert "The oldest 5% of its records will be dropped. Go on?" in result.output
    assert database["tracking"].count_documents({}) == 20


def test_resize_beyond_the_bound_of_records(
    app: Flask, invoke: Invoke, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size that the bound of records makes useless is said to be."""
    usage = dataclasses.replace(FULL, max_bytes=20 * 10**9, max_records_key="TRACKING_MAX_DOCUMENTS")
    monkeypatch.setattr(memory, "measure", lambda: [usage])
    monkeypatch.setattr(memory, "resize", lambda *_, **__: Resized("tracking", 1, 20 * 10**9, True))
    Tracking(app, exporter=memory)
    assert invoke("resize", "20GB").output.splitlines()[-1] == (
        "TRACKING_MAX_DOCUMENTS, 1,000,000, is reached at about 2.28 GB. To use the whole size raise "
        "it, restart the app, and run this again."
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["12"], "SIZE is 12, but it wants a whole number of 4096 or more."),
        (["0", "--kept"], "SIZE is 0. To keep no records longer than others"),
        (["lots"], "Invalid size 'lots'"),
        (["5MB"], "MemoryExporter has no size in bytes."),
    ],
)
def test_resize_that_cannot_be(
    app: Flask, invoke: Invoke, tracking: Tracking, arguments: list[str], said: str
) -> None:
    """A size that cannot be is refused in one line, and so is a store without one."""
    result = invoke("resize", *arguments)
    assert result.exit_code == (1 if "MemoryExporter" in said else 2)
    assert said in result.stderr


def test_resize_with_the_reason_of_a_refusal(
    app: Flask, invoke: Invoke, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's words are shown, and nothing of them is obeyed."""
    resized = Resized("tracking", 8192, 8192, False, "no \x1b[2J")
    monkeypatch.setattr(memory, "resize", lambda *_, **__: resized)
    Tracking(app, exporter=memory)
    assert "It says: no \\x1b[2J." in invoke("resize", "5MB").stderr


# Migrate


def test_migrate(app: Flask, invoke: Invoke, database_uri: str, database: Database[Document]) -> None:
    """A capped collection becomes one whose records expire; the second time there is nothing to do."""
    app.config.update(TRACKING_MONGODB_URI=database_uri, TRACKING_TTL_S=3600)
    tracking = Tracking(app)
    app.extensions["tracking"].exporter.export([make_record() for _ in range(10)])
    result = invoke("migrate", "--to", "ttl")
    assert result.output.splitlines()[-2:] == [
        "Copied: 10 records.",
        "Set TRACKING_RETENTION = 'ttl', if it is not set.",
    ]
    assert database["tracking"].options() == {}
    assert invoke("migrate", "--to", "ttl").output.startswith("Nothing to do")
    tracking.close(5)


def make_steps(*steps: Rebuilt | BaseException) -> Callable[..., Iterator[Rebuilt]]:
    """Return what stands for `Store.rebuild`."""

    def rebuild(*_: Any, **__: Any) -> Iterator[Rebuilt]:
        for step in steps:
            if isinstance(step, BaseException):
                raise step
            yield step

    return rebuild


def test_migrate_that_is_interrupted(
    app: Flask, invoke: Invoke, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends it with the code of an interruption, and it says how to go on."""
    monkeypatch.setattr(memory, "rebuild", make_steps(Rebuilt("tracking", 9), KeyboardInterrupt()))
    Tracking(app, exporter=memory)
    result = invoke("migrate", "--to", "ttl")
    assert result.exit_code == 130
    assert "Interrupted. Run it again to copy the rest." in result.stderr


def test_migrate_that_leaves_records(
    app: Flask, invoke: Invoke, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that had no room are counted; records that were refused are an error."""
    last = Rebuilt("tracking", 9, looked_at=9, copied=6, left=1, skipped=2)
    monkeypatch.setattr(memory, "rebuild", make_steps(Rebuilt("tracking", 9), last))
    Tracking(app, exporter=memory)
    result = invoke("migrate", "--to", "capped")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-2:] == [
        "Copied: 6 records.",
        "2 of the oldest had no room. A copy fills 95% of the collection: the rest is for records that "
        "are written meanwhile.",
    ]
    assert "Refused, and still in tracking_rebuild_…: 1 record." in result.stderr


@pytest.mark.parametrize(
    ("retention", "usage", "question"),
    [
        ("ttl", FULL, "The oldest record of tracking is 10 days old."),
        (
            "capped",
            Usage(name="tracking", records=9, stored_bytes=209_715_200, ttl_s=60, oldest=NOW),
            "tracking holds 210 MB, and its new size is 105 MB, of which a copy fills 95%. "
            "The oldest 52% of its records will be dropped. Go on?",
        ),
    ],
)
def test_migrate_asks_before_records_are_dropped(
    app: Flask,
    invoke: Invoke,
    memory: MemoryExporter,
    monkeypatch: pytest.MonkeyPatch,
    retention: str,
    usage: Usage,
    question: str,
) -> None:
    """Records that are too old, or have no room, are asked about, unless that is answered by --yes."""
    rebuilt: list[str] = []

    def rebuild(retention: str) -> Iterator[Rebuilt]:
        rebuilt.append(retention)
        return iter(())

    monkeypatch.setattr(memory, "measure", lambda: [usage])
    monkeypatch.setattr(memory, "rebuild", rebuild)
    Tracking(app, exporter=memory)
    result = invoke("migrate", "--to", retention)
    assert (result.exit_code, rebuilt) == (1, [])
    assert question in result.output
    assert invoke("migrate", "--to", retention, "--yes").exit_code == 0
    assert rebuilt == [retention]


@pytest.mark.parametrize("retention", ["ttl", "capped"])
def test_migrate_does_not_ask_in_vain(
    app: Flask,
    invoke: Invoke,
    memory: MemoryExporter,
    monkeypatch: pytest.MonkeyPatch,
    retention: str,
) -> None:
    """Nothing is asked where nothing would be dropped."""
    young = Usage(name="tracking", records=9, stored_bytes=900, oldest=NOW)
    monkeypatch.setattr(memory, "measure", lambda: [young])
    Tracking(app, exporter=memory)
    assert invoke("migrate", "--to", retention).output.startswith("Nothing to do")
