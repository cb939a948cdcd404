"""``spool``: list, verify and send the records that wait on disk, and ``scrub`` over them."""

from __future__ import annotations

import dataclasses
import errno
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import NoReturn
from unittest import mock

import pytest
from flask import Flask

from flask_tracking import ExportError, MemoryExporter, Record, Tracking
from flask_tracking.exporters.rollup_table import RollupQuery
from flask_tracking.pipeline.counters import Counters
from flask_tracking.pipeline.rollup_spool import RollupSpool
from flask_tracking.pipeline.spooling import SpoolWriter
from flask_tracking.queries import measure
from flask_tracking.rollups.rollup import Rollup
from flask_tracking.spool import SET_ASIDE, Spool, decode_record, open_rollup_spool, open_spool
from flask_tracking.spool.system import System

from ..captures import make_record
from ..spool.faulty import list_contents
from .conftest import Invoke


class Store(MemoryExporter):
    """A store that is away, or breaks, when it is told."""

    outlives_process = True
    error: Exception | None = None

    def open(self) -> None:
        if isinstance(self.error, ExportError):
            self._fail(self.error)

    def _store(self, records: Sequence[Record]) -> int:
        if self.error is not None:
            self._fail(self.error)
        return super()._store(records)

    @staticmethod
    def _fail(error: Exception) -> NoReturn:
        # Another one: the frames of its traceback hold the app, and the app is to end with its test.
        raise type(error)(*error.args)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def spool(app: Flask, store: Store, tmp_path: Path) -> Spool:
    """The spool of `app`, which is tracked."""
    app.config["TRACKING_SPOOL_DIR"] = tmp_path
    Tracking(app, exporter=store)
    spool = open_spool(app.extensions["tracking"].settings, app.name)
    assert spool is not None
    return spool


def spool_records(spool: Spool, *records: Record) -> list[Path]:
    """Write records to a file for each kind; return the paths."""
    before = {file.name for file in spool.waiting()}
    assert SpoolWriter(spool, Counters()).write(records) == []
    return [Path(spool.path) / one.name for one in spool.waiting() if one.name not in before]


def make_records(count: int, **parts: object) -> list[Record]:
    return [dataclasses.replace(make_record(), **parts) for _ in range(count)]  # type: ignore[arg-type]


def test_no_spool(app: Flask, memory: MemoryExporter, invoke: Invoke) -> None:
    """Without the setting there is nothing to list."""
    Tracking(app, exporter=memory)
    for command in ("list", "verify", "retry"):
        result = invoke("spool", command)
        assert result.exit_code == 1
        assert result.output == "Error: TRACKING_SPOOL_DIR is not set, so there is no spool.\n"


def test_empty_spool(spool: Spool, invoke: Invoke) -> None:
    """Before anything was spooled there is not even a directory."""
    assert invoke("spool", "list").output.startswith(
        "Waiting: 0 records in 0 files. 0 bytes of 268 MB are used in "
    )
    assert invoke("spool", "verify").output == "0 records are intact, 0 files are damaged.\n"
    assert "Sent: 0 records." in invoke("spool", "retry").output


def test_list(spool: Spool, invoke: Invoke) -> None:
    """Each file has a line; those that are not ours are named."""
    kept, routine = spool_records(spool, *make_records(1, kept=True), *make_records(1200))
    (damaged,) = spool_records(spool, *make_records(2))
    (file,) = [one for one in spool.waiting() if one.name == damaged.name]
    with spool.hold(file) as held:
        assert held is not None
        held.set_aside()
    (Path(spool.path) / "notes.txt").write_text("hello")
    lines = invoke("spool", "list").output.splitlines()
    assert lines[0].startswith("Waiting: 1,201 records in 2 files. ") and lines[0].endswith(spool.path)
    assert lines[1].split() == ["WRITTEN", "KIND", "RECORDS", "FILE", "STATE"]
    rows = {tuple(line.split()[2:5]) for line in lines[2:4]}
    assert rows == {("kept", "1", kept.name), ("routine", "1,200", routine.name)}
    assert damaged.name in lines[4] and lines[4].endswith("  set aside")
    assert lines[5] == "notes.txt: not of this version, left alone"
    rows_of_json = [json.loads(line) for line in invoke("spool", "list", "--json").output.splitlines()]
    assert {(row["name"], row["records"], row["state"]) for row in rows_of_json} == {
        (kept.name, 1, "waiting"),
        (routine.name, 1200, "waiting"),
        (damaged.name, 2, "set aside"),
    }


def test_verify(spool: Spool, invoke: Invoke, tmp_path: Path) -> None:
    """Damaged files are named, and nothing is changed."""
    (path,) = spool_records(spool, *make_records(3))
    assert invoke("spool", "verify").output == "3 records are intact, 0 files are damaged.\n"
    path.write_bytes(path.read_bytes()[:-1])
    before = list_contents(tmp_path)
    result = invoke("spool", "verify")
    assert result.exit_code == 1
    assert result.output == (
        f"{path.name}: 2 of 3 records intact\n2 records are intact, 1 file is damaged.\n"
    )
    assert list_contents(tmp_path) == before


@pytest.mark.parametrize("worker", ["batch", "sync"])
def test_reading_changes_nothing(
    app: Flask, store: Store, invoke: Invoke, tmp_path: Path, worker: str
) -> None:
    """Neither a command that reads nor a process without requests changes a byte, also at its end."""
    app.config.update(TRACKING_SPOOL_DIR=tmp_path, TRACKING_WORKER=worker)
    tracking = Tracking(app, exporter=store)
    spool = open_spool(app.extensions["tracking"].settings, app.name)
    assert spool is not None
    (torn,), (whole,) = spool_records(spool, *make_records(1)), spool_rollups(spool, 1)
    torn.write_bytes(torn.read_bytes()[:-1])
    damaged = [path for path in spool_rollups(spool, 2) if path != whole]
    damaged[0].write_bytes(damaged[0].read_bytes()[:-1])
    before = list_contents(tmp_path)
    for command in (["spool", "list"], ["spool", "verify"], ["doctor"]):
        invoke(*command)
    assert tracking.close(20)
    assert list_contents(tmp_path) == before
    assert store.rollups.find(RollupQuery(60)) == []


def test_verify_as_json(spool: Spool, invoke: Invoke) -> None:
    """An object for each file tells how much of it is intact."""
    (whole,) = spool_records(spool, *make_records(3))
    (torn,) = spool_records(spool, *make_records(2))
    torn.write_bytes(torn.read_bytes()[:-1])
    (rollups,) = spool_rollups(spool, 1)
    rollups.write_bytes(b"")
    result = invoke("spool", "verify", "--json")
    assert result.exit_code == 1
    rows = {row["name"]: row for row in map(json.loads, result.output.splitlines())}
    keys = ("kind", "records", "rollups", "place", "state", "intact", "error")
    assert {name: [row[key] for key in keys] for name, row in rows.items()} == {
        whole.name: ["routine", 3, 0, "waiting", "intact", 3, None],
        torn.name: ["routine", 2, 0, "waiting", "damaged", 1, None],
        rollups.name: ["rollups", 0, 1, "waiting", "damaged", 0, None],
    }
    whole_row = rows[whole.name]
    assert whole_row["written"].endswith("Z")


def spool_rollups(spool: Spool, *minutes: int) -> list[Path]:
    """Write a file of one rollup for each of these minutes; return the paths, the oldest first."""
    folder = open_rollup_spool(spool)
    for minute in minutes:
        start = datetime(2026, 11, 24, 12, minute, tzinfo=timezone.utc)
        RollupSpool(spool).write([Rollup(width_s=60, start=start, source="web:1:x.1", stored=1)])
    return [Path(folder.path) / file.name for file in folder.waiting()]


def test_rollups(spool: Spool, store: Store, invoke: Invoke) -> None:
    """Rollups wait beside the records: they are listed, verified and sent with them."""
    spool_records(spool, *make_records(2))
    whole, damaged = spool_rollups(spool, 1, 2)
    lines = invoke("spool", "list").output.splitlines()
    assert lines[0].startswith("Waiting: 2 records and 2 rollups in 3 files. ")
    assert [line.split()[2:] for line in lines[3:5]] == [
        ["rollups", whole.name],
        ["rollups", damaged.name],
    ]
    rows = [json.loads(line) for line in invoke("spool", "list", "--json").output.splitlines()]
    assert [(row["kind"], row["records"], row["rollups"]) for row in rows] == [
        ("routine", 2, 0), ("rollups", 0, 1), ("rollups", 0, 1)
    ]  # fmt: skip
    damaged.write_bytes(damaged.read_bytes()[:-1])
    result = invoke("spool", "verify")
    assert (result.exit_code, result.output) == (
        1,
        f"{damaged.name}: 0 of 1 rollup intact\n"
        "2 records and 1 rollup are intact, 1 file is damaged.\n",
    )
    result = invoke("spool", "retry")
    assert (result.exit_code, result.output.partition("\n")[2]) == (
        1,
        "Sent: 2 records and 1 rollup.\n"
        "Lost by damage: 0 records and 1 rollup. Damaged files are set aside.\n",
    )
    assert sorted(one.stored for one in store.rollups.find(RollupQuery(60))) == [1, 2]
    assert invoke("spool", "list").output.splitlines()[2].endswith("  set aside")


@pytest.mark.parametrize("command", ["verify", "retry"])
def test_unreadable_file(
    spool: Spool, store: Store, invoke: Invoke, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be read, like that of another user, is named, and the others are seen to."""
    first, second = spool_records(spool, *make_records(1, kept=True), *make_records(2))

    def open_(system: System, path: str) -> int:
        if path == str(first):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real_open(system, path)

    real_open = System.open
    monkeypatch.setattr(System, "open", open_)
    result = invoke("spool", command)
    output = result.output
    assert result.exit_code == 1
    assert "a file of the spool cannot be read (Permission denied)" in output
    done = "2 records are intact, 1 file is" if command == "verify" else "Sent: 2 records.\n1 file: unr"
    assert done in output


def test_verify_while_a_file_is_sent(spool: Spool, invoke: Invoke) -> None:
    """A file that somebody else has in hand is not called damaged; the sums say what was left out."""
    (path,) = spool_records(spool, *make_records(3))
    with spool.hold(spool.waiting()[0]):
        spool_records(spool, *make_records(1))
        (Path(spool.path) / "notes.txt").write_text("hello")
        result = invoke("spool", "verify")
    assert (result.exit_code, result.output.splitlines()) == (
        0,
        [
            f"{path.name}: in use, or gone",
            "1 record is intact, 0 files are damaged.",
            "Not checked, because in use or gone: 1 file with 3 records",
            "Not checked, because foreign or of another version: 1 file",
        ],
    )


def test_retry(spool: Spool, store: Store, invoke: Invoke) -> None:
    """All that waits is sent, also what was set aside because the exporter broke with it."""
    records = make_records(5)
    spool_records(spool, *records[:3])
    (file,) = spool.waiting()
    with spool.hold(file) as held:
        assert held is not None
        held.set_aside()
    spool_records(spool, *records[3:])
    assert "Sent: 5 records." in invoke("spool", "retry").output
    assert {record.id for record in store.records} == {record.id for record in records}
    assert (spool.waiting(), spool.set_aside()) == ([], [])


def test_rollups_that_stay(app: Flask, store: Store, invoke: Invoke, tmp_path: Path) -> None:
    """With TRACKING_ROLLUP_DAYS = 0 no command and no process sends or deletes spooled rollups."""
    app.config.update(TRACKING_SPOOL_DIR=tmp_path, TRACKING_ROLLUP_DAYS=0)
    tracking = Tracking(app, exporter=store)
    spool = open_spool(app.extensions["tracking"].settings, app.name)
    assert spool is not None
    spool_records(spool, *make_records(3))
    spool_rollups(spool, 1, 2)
    folder = Path(open_rollup_spool(spool).path)
    before = list_contents(folder)
    result = invoke("spool", "retry")
    assert result.output.endswith(
        "Sent: 3 records.\n2 files of rollups: left there while TRACKING_ROLLUP_DAYS is 0\n"
    )
    app.test_client().get("/")
    assert tracking.flush(20) and tracking.close(20)
    assert list_contents(folder) == before
    assert store.rollups.find(RollupQuery(60)) == []


def test_retry_into_memory(app: Flask, memory: MemoryExporter, invoke: Invoke, tmp_path: Path) -> None:
    """An exporter that forgets everything does not get what waits for a database."""
    app.config["TRACKING_SPOOL_DIR"] = tmp_path
    Tracking(app, exporter=memory)
    spool = open_spool(app.extensions["tracking"].settings, app.name)
    assert spool is not None
    spool_records(spool, *make_records(3))
    result = invoke("spool", "retry")
    assert result.output.startswith("Error: MemoryExporter loses its records with the process")
    assert len(spool.waiting()) == 1


def test_retry_of_damaged_files(spool: Spool, store: Store, invoke: Invoke) -> None:
    """What is intact in a damaged file is sent once; later the file is left as it is."""
    (path,) = spool_records(spool, *make_records(3))
    path.write_bytes(path.read_bytes()[:-1])
    result = invoke("spool", "retry")
    assert "Sent: 2 records.\nLost by damage: 1 record. Damaged files are set aside." in result.output
    assert (result.exit_code, len(store.records)) == (1, 2)
    found = measure(store)
    assert (found.stored, found.dropped) == (2, {"spool_damaged": 1})
    store.clear()
    result = invoke("spool", "retry")
    assert "\n1 file: set aside before, because of damage; what is intact in them is" in result.output
    assert (result.exit_code, len(store.records), len(spool.set_aside())) == (0, 0, 1)


def test_discard(spool: Spool, invoke: Invoke) -> None:
    """Damaged files that were set aside can be deleted; those that may still be sent stay."""
    (path,) = spool_records(spool, *make_records(3))
    path.write_bytes(path.read_bytes()[:-1])
    invoke("spool", "retry")
    spool_records(spool, *make_records(2))
    (file,) = spool.waiting()
    with spool.hold(file) as held:
        assert held is not None
        held.set_aside()
    (waiting,) = spool_records(spool, *make_records(1))
    waiting.write_bytes(b"")
    asked = invoke("spool", "discard", typed="n\n")
    assert (asked.exit_code, len(spool.set_aside())) == (1, 2)
    assert asked.output.startswith("Delete 1 damaged file? [y/N]")
    assert invoke("spool", "discard", "--yes").output == "Deleted: 1 file\n"
    assert spool.set_aside() == [file] and waiting.exists()
    assert invoke("spool", "discard").output == "Deleted: 0 files\n"


def test_retry_of_a_file_with_something_else(spool: Spool, store: Store, invoke: Invoke) -> None:
    """It is set aside when its records are stored, and they are not sent and counted again."""
    (path,) = spool_records(spool, *make_records(3))
    path.write_bytes(path.read_bytes() + b"foreign")
    assert invoke("spool", "retry").output.endswith("Sent: 3 records.\n")
    assert "Sent: 0 records.\n1 file: set aside before" in invoke("spool", "retry").output
    result = invoke("spool", "verify")
    assert result.exit_code == 1
    assert f"{path.name}: 3 of 3 records intact, beside something that is not ours" in result.output
    assert (measure(store).stored, len(spool.set_aside())) == (3, 1)


def test_retry_that_loses_the_store(spool: Spool, store: Store, invoke: Invoke) -> None:
    """What was sent and lost before is counted: if not in the store, then in the spool."""
    (path,) = spool_records(spool, *make_records(3))
    path.write_bytes(path.read_bytes()[:-1])
    spool_records(spool, *make_records(2))
    with mock.patch.object(store, "_store", side_effect=[1, ExportError("away")]):
        result = invoke("spool", "retry")
    assert result.exit_code == 1
    assert "Lost by damage: 1 record." in result.output
    assert "Rejected by the store: 1 record" in result.output
    assert "Error: Stopped after 1 record: away" in result.output
    assert measure(store).dropped == {}
    assert "Sent: 2 records and 1 rollup." in invoke("spool", "retry").output
    found = measure(store)
    assert (found.stored, found.dropped) == (3, {"spool_damaged": 1, "rejected": 1})


def test_retry_while_the_store_is_away(
    spool: Spool, store: Store, invoke: Invoke, tmp_path: Path
) -> None:
    """The reason is told, and the directory stays byte for byte as it is."""
    spool_records(spool, *make_records(3))
    before = list_contents(tmp_path)
    store.error = ExportError("MongoDB at 127.0.0.1:1 cannot be reached")
    result = invoke("spool", "retry")
    assert result.exit_code == 1
    assert result.output.startswith("Error: MongoDB at 127.0.0.1:1 cannot be reached. See the page")
    store.open = lambda: None  # type: ignore[method-assign]
    result = invoke("spool", "retry")
    assert "Error: Stopped after 0 records: MongoDB at 127.0.0.1:1 cannot be reached" in result.output
    assert list_contents(tmp_path) == before


def test_retry_with_an_exporter_that_breaks(spool: Spool, store: Store, invoke: Invoke) -> None:
    """Its files stay, and the others are tried."""
    spool_records(spool, *make_records(3))
    store.error = ValueError()
    result = invoke("spool", "retry")
    assert "1 file: refused by the exporter" in result.output
    assert (result.exit_code, len(spool.waiting())) == (1, 1)


def read_bodies(spool: Spool) -> list[bytes]:
    """Return the request bodies of all that is spooled, and of what was set aside."""
    bodies = []
    for folder, files in (("", spool.waiting()), (SET_ASIDE, spool.set_aside())):
        for file in files:
            with spool.hold(file, folder) as held:
                assert held is not None
                records = map(decode_record, held.read().entries)
                bodies += [record.request_body for record in records if record is not None]
    return sorted(bodies)


def test_scrub(app: Flask, spool: Spool, store: Store, invoke: Invoke) -> None:
    """Today's rules are applied to what is spooled, and to what was set aside."""
    old = [
        dataclasses.replace(make_record(), request_body=body, redaction_version="1")
        for body in (b"password=hunter2", b"a=1")
    ]
    spool_records(spool, *old)
    spool_records(spool, dataclasses.replace(old[0], kept=True))
    (file, _) = spool.waiting()
    with spool.hold(file) as held:
        assert held is not None
        held.set_aside()
    count = sum(one.entry_count for one in (*spool.waiting(), *spool.set_aside()))
    dry = invoke("scrub", "--dry-run")
    assert read_bodies(spool) == [b"a=1", b"password=hunter2", b"password=hunter2"]
    done = invoke("scrub")
    assert [line.split() for line in done.output.splitlines() if line.startswith("spool  ")] == [
        ["spool", str(count), "2", "0"]
    ]
    assert "spool" in dry.output
    assert read_bodies(spool) == [b"a=1", b"password=[redacted]", b"password=[redacted]"]
    again = invoke("scrub").output
    assert [line.split() for line in again.splitlines() if line.startswith("spool  ")] == [
        ["spool", "0", "0", str(count)]
    ]


@pytest.mark.parametrize("command", ["list", "verify", "discard"])
def test_spool_that_cannot_be_read(
    app: Flask, memory: MemoryExporter, invoke: Invoke, tmp_path: Path, command: str
) -> None:
    """A directory that cannot be read is an error, with what to do about it, as of the doctor."""
    (tmp_path / "file").touch()
    app.config["TRACKING_SPOOL_DIR"] = str(tmp_path / "file")
    Tracking(app, exporter=memory)
    result = invoke("spool", command)
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: The directory of the spool cannot be read (Not a directory)."
    )
    assert "Let TRACKING_SPOOL_DIR name a directory that the user" in result.stderr


def test_scrub_of_a_damaged_file(spool: Spool, invoke: Invoke) -> None:
    """What cannot be read cannot be redacted either, which is said."""
    (path,) = spool_records(spool, *make_records(3, redaction_version="1"))
    path.write_bytes(path.read_bytes()[:-1])
    before = path.read_bytes()
    assert "3 records could not be read or written" in invoke("scrub").output
    assert path.read_bytes() == before
