"""``doctor``, as it is printed and as it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from pymongo.database import Database

from flask_tracking import Exporter, MemoryExporter, Tracking
from flask_tracking.exporters.store import Problem

from ..servers import free_port

Document = dict[str, Any]
Invoke = Callable[..., Result]


def test_app_in_order(invoke: Invoke, tracking: Tracking) -> None:
    """Without problems it ends with status 0, a line for each check."""
    result = invoke("doctor")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "ok       store     the memory of this process"
    assert lines[1] == "ok       spool     TRACKING_SPOOL_DIR is not set"
    assert lines[2] == "ok       settings  as they were when the app was tracked"
    assert lines[-1] == "No problems found."


def test_problems(invoke: Invoke, tracking: Tracking, memory: MemoryExporter) -> None:
    """Each problem is printed with its fix; nothing of it is obeyed; an error is status 1."""
    found = [Problem("error", "no \x1b[2J room", "Make some", "df"), Problem("warning", "late")]
    memory.check = lambda: found  # type: ignore[method-assign]
    result = invoke("doctor")
    assert result.exit_code == 1
    assert result.output.splitlines()[:4] == [
        "error    store     the memory of this process",
        "                   no \\x1b[2J room.",
        "                   Make some: df",
        "                   late.",
    ]
    assert result.output.splitlines()[-1] == "1 error, 1 warning."


@pytest.mark.parametrize(("level", "status"), [("error", 0), ("warning", 1)])
def test_warnings(
    invoke: Invoke, tracking: Tracking, memory: MemoryExporter, level: str, status: int
) -> None:
    """Warnings fail the command where that is asked for."""
    memory.check = lambda: [Problem("warning", "late")] * 2  # type: ignore[method-assign]
    result = invoke("doctor", "--fail-level", level)
    assert result.exit_code == status
    assert result.output.endswith("0 errors, 2 warnings.\n")


def test_exporter_that_is_no_store(app: Flask, invoke: Invoke) -> None:
    """What needs no store is checked all the same."""

    class Other(Exporter):
        def _store(self, records: object) -> int:
            return 0

    Tracking(app, exporter=Other())
    result = invoke("doctor")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == (
        "ok       store     Other is not a store: the records that it takes cannot be examined"
    )
    assert lines[1] == "ok       spool     TRACKING_SPOOL_DIR is not set"
    assert "skipped  records   there is no store" in lines
    found = json.loads(invoke("doctor", "--json").output)
    assert found["level"] == "ok"
    assert {one["name"] for one in found["checks"] if one["level"] == "skipped"} == {
        "threads", "records", "drops", "lag", "proxy", "secrets"
    }  # fmt: skip


def test_json(invoke: Invoke, tracking: Tracking, memory: MemoryExporter) -> None:
    """For programs it is one object."""
    memory.check = lambda: [Problem("warning", "late", "Hurry")]  # type: ignore[method-assign]
    result = invoke("doctor", "--json")
    answer = json.loads(result.output)
    assert answer["level"] == "warning"
    assert answer["checks"][0] == {
        "name": "store",
        "level": "warning",
        "problems": [{"level": "warning", "what": "late", "fix": "Hurry", "command": ""}],
        "facts": ["the memory of this process"],
    }


@pytest.mark.integration
def test_database_is_away(app: Flask, invoke: Invoke) -> None:
    """A database that is away is one error; what needs it is skipped."""
    app.config.update(
        TRACKING_MONGODB_URI=f"mongodb://127.0.0.1:{free_port()}/x", TRACKING_EXPORT_TIMEOUT_S=0.2
    )
    Tracking(app)
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "does not answer within 0.2 s" in result.output.splitlines()[0]
    assert "Check that the server runs" in result.output.splitlines()[1]
    assert "skipped  secrets   the store does not answer" in result.output.splitlines()


@pytest.mark.integration
def test_host_is_unknown(app: Flask, invoke: Invoke) -> None:
    """A name that cannot be looked up is said to be unknown: by the doctor and by other commands."""
    app.config.update(TRACKING_MONGODB_URI="mongodb://shop.invalid/x", TRACKING_EXPORT_TIMEOUT_S=1.0)
    Tracking(app)
    checked = json.loads(invoke("doctor", "--json").output)["checks"]
    (problem,) = next(one["problems"] for one in checked if one["name"] == "store")
    assert problem["what"].startswith(
        "MongoDB at shop.invalid:27017 cannot be reached: the name of its host is unknown"
    )
    assert problem["fix"].startswith("Check the host in TRACKING_MONGODB_URI")
    error = invoke("list").stderr
    assert f"{problem['fix']}. See the page Messages of the docs." in error


def test_real_database(
    app: Flask, invoke: Invoke, database_uri: str, database: Database[Document]
) -> None:
    """It names the server, and what of the collections differs from the settings."""
    app.config["TRACKING_MONGODB_URI"] = database_uri
    tracking = Tracking(app)
    database.create_collection("tracking", capped=True, size=8192)
    result = invoke("doctor")
    lines = result.output.splitlines()
    assert lines[0].startswith("warning  store     MongoDB at 127.0.0.1:")
    said = [line.strip() for line in lines]
    at = said.index(
        "tracking is capped at 8.19 kB (8,192 bytes), "
        "TRACKING_TABLE_SIZE is 105 MB (104,857,600 bytes)."
    )
    assert (
        said[at + 1]
        == "To resize it, by a copy where the server cannot: flask tracking resize --rebuild"
    )
    assert result.exit_code == 0
    tracking.close(5)
