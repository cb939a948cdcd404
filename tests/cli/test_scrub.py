"""``scrub``, against a store in memory and a real one."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from flask import Flask
from pymongo.database import Database

from flask_tracking import MemoryExporter, Record, Tracking
from flask_tracking.cli import scrub as scrub_module
from flask_tracking.cli.common import MORE
from flask_tracking.exporters.store import Rewritten

from ..captures import make_record
from ..servers import free_port

Document = dict[str, Any]
DRY = "Dry run: nothing was changed."


def make_stored(body: bytes, version: str | None = None, **parts: Any) -> Record:
    """Make a record as an older version left it."""
    return dataclasses.replace(make_record(), request_body=body, redaction_version=version, **parts)


def scrub(app: Flask, *options: str) -> list[str]:
    """Run the command, and return its lines."""
    result = app.test_cli_runner().invoke(args=["tracking", "scrub", *options])
    assert result.exit_code == 0, result.output
    return [line for line in result.output.splitlines() if line]


def counts(lines: list[str]) -> dict[str, list[int]]:
    """Return the numbers of the table, of the collections in which there is something."""
    title = next(number for number, line in enumerate(lines) if "LOOKED AT" in line)
    rows = [line.split() for line in lines[title + 1 :] if line != DRY]
    numbers = {name: [int(cell.replace(",", "")) for cell in cells] for name, *cells in rows}
    return {name: counts for name, counts in numbers.items() if any(counts)}


@pytest.mark.parametrize(("left", "status"), [(0, 0), (2, 1)])
def test_status(
    app: Flask, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch, left: int, status: int
) -> None:
    """The command fails where records are left as they were, so that no script relies on them."""
    Tracking(app, exporter=memory)
    done = Rewritten("memory", 2, looked_at=2, left=left)
    monkeypatch.setattr(memory, "rewrite", lambda *_, **__: iter([done]))
    result = app.test_cli_runner().invoke(args=["tracking", "scrub"])
    assert result.exit_code == status, result.output
    assert ("secrets may be left there" in result.output) is (left > 0)


def test_scrub(app: Flask, memory: MemoryExporter) -> None:
    """Today's rules are applied to what is stored; a dry run prints the same and changes nothing."""
    app.config["TRACKING_REDACT_NAMES"] = ["tax id"]
    app.secret_key = "Zq8wLr3nVt5yXc7kQp"
    Tracking(app, exporter=memory)
    records = [
        make_stored(b"tax_id=4711", "1"),
        make_stored(b"a=1", "1"),
        make_stored(b"key is Zq8wLr3nVt5yXc7kQp", "1"),
        make_stored(b"password=hunter2"),
    ]
    memory.export(records)

    dry = scrub(app, "--dry-run")
    assert (counts(dry), dry[-1]) == ({"memory": [4, 3, 0]}, DRY)
    assert memory.records == records
    assert counts(scrub(app)) == counts(dry)

    assert [record.request_body for record in memory.records] == [
        b"tax_id=[redacted]",
        b"a=1",
        b"key is [redacted]",
        b"password=[redacted]",
    ]
    assert counts(scrub(app)) == {"memory": [0, 0, 4]}


def test_credentials_of_the_first_flask_tracking(app: Flask, memory: MemoryExporter) -> None:
    """Cookies and credentials that an old version stored as they came are hidden, with a remark."""
    Tracking(app, exporter=memory)
    headers = (("Cookie", "a=hunter2"), ("Authorization", "Bearer hunter2hunter2"), ("Host", "a"))
    stored = dataclasses.replace(make_record(), request_headers=headers, redacted=())
    memory.export([stored])
    scrub(app)
    (record,) = memory.records
    assert record.request_headers == (
        ("Cookie", "a=[redacted]"),
        ("Authorization", "Bearer [redacted]"),
        ("Host", "a"),
    )
    assert [(one.path, one.rule) for one in record.redacted] == [
        ("request_headers.Cookie", "header"),
        ("request_headers.Authorization", "header"),
    ]


def test_scrub_of_both_collections(app: Flask, database_uri: str, database: Database[Document]) -> None:
    """The kept collection is scrubbed as well, and both are counted."""
    app.config["TRACKING_MONGODB_URI"] = database_uri
    tracking = Tracking(app)
    exporter = app.extensions["tracking"].exporter
    exporter.export([make_stored(b"password=hunter2"), make_stored(b"a=1")])
    database["tracking_kept"].drop()
    database["tracking_kept"].insert_many(list(database["tracking"].find()))
    assert counts(scrub(app)) == {"tracking": [2, 1, 0], "tracking_kept": [2, 1, 0]}
    bodies = sorted(document["request_body"] for document in database["tracking_kept"].find())
    assert bodies == [b"a=1", b"password=[redacted]"]
    tracking.close(5)


def test_scrub_of_nothing(app: Flask, database_uri: str) -> None:
    """Where nothing was ever stored that is said."""
    app.config["TRACKING_MONGODB_URI"] = database_uri
    tracking = Tracking(app)
    assert scrub(app) == ["Nothing is stored."]
    tracking.close(5)


@pytest.mark.integration
def test_scrub_without_a_server(app: Flask) -> None:
    """Where the server does not answer nothing else is said than that, with what to check."""
    uri = f"mongodb://127.0.0.1:{free_port()}"
    app.config.update(TRACKING_MONGODB_URI=uri, TRACKING_EXPORT_TIMEOUT_S=0.2)
    Tracking(app)
    result = app.test_cli_runner().invoke(args=["tracking", "scrub"])
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert "does not answer within 0.2 s" in line
    assert line.endswith(MORE)


def test_scrub_without_rules(app: Flask, memory: MemoryExporter) -> None:
    """With redaction off there is nothing to apply, and that is an error."""
    app.config["TRACKING_REDACT"] = False
    Tracking(app, exporter=memory)
    result = app.test_cli_runner().invoke(args=["tracking", "scrub"])
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: TRACKING_REDACT is False, so there are no rules to apply. Set it to True.\n"
    )


def test_interrupted_scrub(app: Flask, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends it with what was done so far; the next run goes on from there."""
    monkeypatch.setattr("flask_tracking.exporters.memory.REWRITE_BATCH", 2)
    Tracking(app, exporter=memory)
    memory.export([make_stored(b"password=hunter2") for _ in range(5)])
    rewrite = memory.rewrite

    def rewrite_and_interrupt(*args: Any, **options: Any) -> Any:
        for number, step in enumerate(rewrite(*args, **options)):
            yield step
            if number == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(memory, "rewrite", rewrite_and_interrupt)
    result = app.test_cli_runner().invoke(args=["tracking", "scrub"])
    assert result.exit_code == 130
    assert "Interrupted. Run the command again to continue." in result.stderr
    assert counts(result.stdout.splitlines()) == {"memory": [4, 4, 0]}
    monkeypatch.undo()
    assert counts(scrub(app)) == {"memory": [1, 1, 4]}


def test_what_was_left_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Records that could not be written are counted in a line of their own."""
    scrub_module._report([Rewritten("tracking", 9, looked_at=1200, left=1000)], is_dry_run=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["tracking", "1,200", "0", "0"]
    assert lines[2].startswith("1,000 records could not be read or written")


def test_scrub_cuts_nothing(app: Flask, memory: MemoryExporter) -> None:
    """What was stored with a longer limit stays as long as it is."""
    app.config["TRACKING_MAX_BODY_LENGTH"] = 10
    Tracking(app, exporter=memory)
    memory.export([make_stored(b"password=hunter2&a=" + b"x" * 100)])
    scrub(app)
    assert [record.request_body for record in memory.records] == [
        b"password=[redacted]&a=" + b"x" * 100
    ]


def test_scrub_does_as_the_app_says(app: Flask, memory: MemoryExporter) -> None:
    """Actions and the app's own callback hold for what is stored, kept ones included."""
    app.config["TRACKING_REDACT_ACTIONS"] = {"name": "tail"}
    Tracking(
        app, exporter=memory, redact=lambda path, value, rule: value if value == "let it be" else None
    )
    body = b'{"password": "hunter2-hunter2", "token": "let it be"}'
    memory.export([make_stored(body, kept=True, kept_reason="error")])
    assert counts(scrub(app)) == {"memory": [1, 1, 0], "memory_kept": [1, 1, 0]}
    stored = b'{"password": "[redacted ...ter2]", "token": "let it be"}'
    assert [record.request_body for record in memory.records] == [stored]
