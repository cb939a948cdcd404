"""``export`` and ``import``: records to a file, and from there to a store."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_tracking import ExportError, MemoryExporter, Record, Tracking
from flask_tracking.cli import transfer
from flask_tracking.interchange import FORMATS, READABLE

from ..captures import make_record
from .conftest import Invoke


@pytest.fixture
def records(memory: MemoryExporter, tracking: Tracking) -> list[Record]:
    """Records of the last hours, the newest first."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    made = [
        dataclasses.replace(
            make_record(path=f"/orders/{number}", response_chunks=(b"tea %d" % number,)),
            date_created=now - timedelta(hours=number),
            status_code=500 if number == 3 else 200,
            kept=number == 3,
            kept_reason="error" if number == 3 else None,
            redaction_version=None,
        )
        for number in range(10)
    ]
    memory.export(made)
    return made


def stored(memory: MemoryExporter) -> list[Record]:
    """Return what is stored, whatever redaction it went through."""
    records = [dataclasses.replace(one, redaction_version=None) for one in memory.records]
    return sorted(records, key=lambda one: one.date_created, reverse=True)


@pytest.mark.parametrize("name", READABLE)
def test_round_trip(
    invoke: Invoke, memory: MemoryExporter, records: list[Record], tmp_path: Path, name: str
) -> None:
    """What is exported from a store is imported into an empty one as it was, and again without harm."""
    path = tmp_path / f"records.{name}"
    result = invoke("export", "-o", str(path))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Exported 10 records.\n")
    assert path.stat().st_mode & 0o077 == 0
    memory.clear()
    for said in ("Imported 10 records.", "Imported 0 records; 10 were already stored."):
        result = invoke("import", str(path))
        assert (result.exit_code, result.stderr) == (0, f"{said}\n")
        assert stored(memory) == records


def test_filter(invoke: Invoke, records: list[Record]) -> None:
    """The filter selects what is exported, to standard output as lines of JSON, the newest first."""
    for words, numbers in (
        (["status:5xx or path:/orders/7"], [3, 7]),
        (["--path", "/orders/7"], [7]),
        (['body:"tea 4"'], [4]),
        (["not body:tea"], []),
    ):
        result = invoke("export", *words)
        paths = [json.loads(line)["path"] for line in result.stdout.splitlines()]
        assert paths == [f"/orders/{number}" for number in numbers], words


@pytest.mark.parametrize("name", FORMATS)
def test_format(invoke: Invoke, records: list[Record], tmp_path: Path, name: str) -> None:
    """The option and the suffix of the file mean the same."""
    path, other = tmp_path / f"a.{name.upper()}", tmp_path / "b"
    assert invoke("export", "-o", str(path)).exit_code == 0
    assert invoke("export", "-o", str(other), "--format", name).exit_code == 0
    assert path.read_bytes() == other.read_bytes() == invoke("export", "--format", name).stdout_bytes


def test_unknown_suffix(invoke: Invoke, records: list[Record], tmp_path: Path) -> None:
    """A suffix that promises another format needs ``--format``; a name without one does not."""
    path = tmp_path / "a.xlsx"
    result = invoke("export", "-o", str(path))
    known = ", ".join(f".{name}" for name in FORMATS)
    assert result.stderr == f"Error: Unknown suffix '.xlsx': expected one of {known}, or --format.\n"
    assert not path.exists()
    assert invoke("export", "-o", str(path), "--format", "csv").exit_code == 0
    assert invoke("export", "-o", str(tmp_path / "a")).exit_code == 0


def test_imported_records_are_redacted(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking, tmp_path: Path
) -> None:
    """A file of others may hold secrets: they are removed before they are stored."""
    record = dataclasses.replace(
        make_record(), request_body=b"password=hunter2hunter2", redaction_version=None
    )
    memory.export([record])
    invoke("export", "-o", str(tmp_path / "a.bson"))
    memory.clear()
    invoke("import", str(tmp_path / "a.bson"))
    (imported,) = memory.records
    assert b"hunter2" not in imported.request_body
    assert imported.redaction_version


def test_bad_file(
    invoke: Invoke, memory: MemoryExporter, records: list[Record], tmp_path: Path
) -> None:
    """What is no record is counted, and what can be read is stored."""
    path = tmp_path / "a.ndjson"
    good = invoke("export", "path:/orders/1").stdout
    path.write_text(f"nonsense\n{good}{{}}\n")
    memory.clear()
    result = invoke("import", str(path))
    assert result.stderr == (
        "Imported 1 record.\nCannot be read: 2 lines, the first is line 1. "
        "Expected records as ndjson; for another format use --format.\n"
    )
    assert result.exit_code == 1
    path.write_bytes(b"PK\x03\x04")
    result = invoke("import", str(path), "--format", "bson")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The file is damaged after its first 0 records")
    assert invoke("import", str(tmp_path / "none")).exit_code == 2


def test_file_that_is_cut(
    invoke: Invoke, memory: MemoryExporter, records: list[Record], tmp_path: Path
) -> None:
    """What stands in front of the damage is stored, and that is said."""
    path = tmp_path / "a.bson"
    path.write_bytes(invoke("export", "--format", "bson").stdout_bytes[:-5])
    memory.clear()
    result = invoke("import", str(path))
    assert result.stderr == (
        "Imported 9 records.\nError: The file is damaged after its first 9 records, or has another "
        "format: expected bson. What was read before is stored.\n"
    )
    assert result.exit_code == 1
    assert stored(memory) == records[:9]


def test_file_of_another_format(invoke: Invoke, records: list[Record], tmp_path: Path) -> None:
    """A format that cannot be read is a wrong argument; one under another name is explained."""
    path = tmp_path / "a.csv"
    invoke("export", "-o", str(path))
    result = invoke("import", str(path))
    known = ", ".join(READABLE)
    assert result.stderr == f"Error: Files of the format csv cannot be read. Possible: {known}.\n"
    assert result.exit_code == 2
    path = tmp_path / "a.ndjson"
    invoke("export", "-o", str(path), "--format", "bson")
    result = invoke("import", str(path))
    assert result.exit_code == 1
    assert ", the first is line 1. Expected records as ndjson; " in result.stderr


@pytest.mark.parametrize("name", READABLE)
def test_standard_input(
    invoke: Invoke, memory: MemoryExporter, app: Flask, records: list[Record], name: str
) -> None:
    """What `export` writes to standard output `import` reads from standard input."""
    content = invoke("export", "--format", name).stdout_bytes
    memory.clear()
    arguments = ["tracking", "import", "-", *(["--format", name] if name != "ndjson" else [])]
    result = app.test_cli_runner().invoke(args=arguments, input=content)
    assert (result.exit_code, result.stderr) == (0, "Imported 10 records.\n")
    assert stored(memory) == records


def test_existing_file(invoke: Invoke, records: list[Record], tmp_path: Path) -> None:
    """A file that exists is not overwritten, and one that cannot be created is said."""
    path = tmp_path / "a.json"
    path.write_text("mine")
    result = invoke("export", "-o", str(path))
    assert result.stderr == f"Error: {path} already exists. Choose another name, or remove it.\n"
    assert path.read_text() == "mine"
    result = invoke("export", "-o", str(tmp_path / "no" / "a.json"))
    assert "cannot be created: No such file or directory." in result.stderr


def test_interrupted_export_leaves_nothing(invoke: Invoke, app: Flask, tmp_path: Path) -> None:
    """A file of which only a part could be written is removed."""

    class Shaky(MemoryExporter):
        asked = 0

        def _find(self, *args: Any) -> list[Record]:
            self.asked += 1
            if self.asked > 2:
                raise ExportError("MongoDB at x cannot be reached")
            return super()._find(*args)

    memory = Shaky()
    Tracking(app, exporter=memory)
    memory.export([make_record() for _ in range(5)])
    result = invoke("export", "-o", str(tmp_path / "a.json"))
    assert result.exit_code == 1 and "cannot be reached" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_progress(
    invoke: Invoke, records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a terminal a bar shows how far it is, and nothing of it is in the output."""
    monkeypatch.setattr(transfer, "is_terminal", lambda: True)
    result = invoke("export", "path:/orders/1")
    assert "Exporting" in result.stderr and json.loads(result.stdout)["path"] == "/orders/1"
    path = tmp_path / "a.bson"
    assert invoke("export", "-o", str(path)).stderr.endswith("Exported 10 records.\n")
    assert "Importing" in invoke("import", str(path)).stderr
