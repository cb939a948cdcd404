"""``flask tracking stats``: tables for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from datetime import datetime, timedelta, timezone

import click
import pytest
from bson import ObjectId

from flask_tracking import Filter, MemoryExporter, Tracking
from flask_tracking.cli import stats as module
from flask_tracking.cli import terminal
from flask_tracking.cli.stats import render_stats
from flask_tracking.errors import ExportError
from flask_tracking.exporters.rollup_table import align
from flask_tracking.queries import measure
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Example, FailureKey, Failures, Rollup, RouteKey

from ..captures import make_record
from .conftest import Invoke

EXAMPLE = ObjectId()


def store_minute(memory: MemoryExporter) -> None:
    """Store a minute of now: 99 good requests to one route, 20 to another, of which one failed."""
    quick, slow = Counts(), Counts()
    for number in range(99):
        quick.add_request(200, False, 1.0 + number / 100, 10, 100)
    for number in range(20):
        slow.add_request(500 if number == 0 else 200, number == 0, 1234.5, 0, 0)
    memory.rollups.store(
        [
            Rollup(
                width_s=60,
                start=align(datetime.now(timezone.utc), 60),
                source="web",
                version="1.0",
                routes={RouteKey("/quick", "GET"): quick, RouteKey("/slow\x1b", "POST"): slow},
                failures={
                    FailureKey("LookupError", "shop/app.py", "order", "/slow"): Failures(
                        1, Example(True, EXAMPLE)
                    )
                },
                not_stored=7,
            )
        ]
    )


def test_table(invoke: Invoke, tracking: Tracking, memory: MemoryExporter) -> None:
    """Rates, percentiles and failures by route, those with the most requests first."""
    store_minute(memory)
    memory.rollups.store([])
    lines = invoke("stats").output.splitlines()
    assert re.fullmatch(r"20.*Z to 20.*Z, from rollups", lines[0])
    table = [re.split(r"  +", line.strip()) for line in lines[2:6]]
    assert [row[:2] for row in table] == [
        ["ROUTE", "REQUESTS"],
        ["GET /quick", "99"],
        ["POST /slow\\x1b", "20"],
        ["all", "119"],
    ]
    assert table[0][2:] == ["PER S", "FAILED", "%", "P50 MS", "P95 MS", "P99 MS", "MAX MS"]
    assert table[2][3:] == ["1", "5.0%", "1,228.5", "1,228.5", "1,228.5", "1,234.5"]
    assert re.split(r"  +", lines[8].strip()) == [
        "1",
        "LookupError",
        "/slow",
        "order in shop/app.py",
        str(EXAMPLE),
    ]
    assert lines[-1] == "Not stored by the rules: 7 of these requests."


def test_table_in_a_narrow_terminal(tracking: Tracking, memory: MemoryExporter) -> None:
    """In 40 cells every table has its counts and its failures; durations come back with more room."""
    store_minute(memory)
    shown = render_stats(measure(memory, Filter()), "route", 20, 40).splitlines()
    assert max(map(len, map(click.unstyle, shown))) <= 40
    titles = next(line for line in shown if line.startswith("ROUTE"))
    assert titles.split() == ["ROUTE", "REQUESTS", "FAILED", "%"]
    wider = render_stats(measure(memory, Filter()), "route", 20, 50).splitlines()
    titles = next(line for line in wider if line.startswith("ROUTE"))
    assert titles.split() == ["ROUTE", "REQUESTS", "FAILED", "%", "P95", "MS"]


def test_limit(invoke: Invoke, tracking: Tracking, memory: MemoryExporter) -> None:
    """Only so many groups are shown, and it says how many more there are."""
    store_minute(memory)
    output = invoke("stats", "--limit", "1").output
    assert "GET /quick" in output and "POST /slow" not in output
    assert "and 1 more route; --limit shows all" in output


@pytest.mark.parametrize(
    ("by", "title"),
    [("user", "USER"), ("host", "HOST"), ("url_rule", "URL RULE"), ("status", "STATUS")],
)
def test_groups_are_named(
    invoke: Invoke, tracking: Tracking, memory: MemoryExporter, by: str, title: str
) -> None:
    """The first column says what the rows are, and the line below what the others are."""
    arrived = datetime.now(timezone.utc) - timedelta(
        seconds=1
    )  # not in the millisecond of the question
    for number in range(3):
        record = dataclasses.replace(make_record(), url_rule=f"/{number}", host=f"h{number}")
        record = dataclasses.replace(record, user_id=f"u{number}", status_code=200 + number)
        memory.export([dataclasses.replace(record, date_created=arrived)])
    lines = invoke("stats", "slow:>=0ms", "--by", by, "--limit", "1").output.splitlines()
    assert lines[2].startswith(f"{title}  ")
    assert f"and 2 more {module.NOUNS[by]}; --limit shows all" in lines


def test_json(invoke: Invoke, tracking: Tracking, memory: MemoryExporter) -> None:
    """The same as one line of JSON."""
    store_minute(memory)
    output = invoke("stats", "--json", "--by", "version", "--since", "1h").output
    assert output.count("\n") == 1
    found = json.loads(output)
    assert (found["source"], found["by"], found["total"]["requests"]) == ("rollups", "version", 119)
    (group,) = found["groups"]
    assert (group["key"], group["statuses"]) == ("1.0", {"200": 118, "500": 1})
    assert group["p95_ms"] == pytest.approx(1234.5, rel=0.011)
    assert found["failures"][0]["example"] == str(EXAMPLE)


def test_filter(invoke: Invoke, tracking: Tracking, memory: MemoryExporter) -> None:
    """The terms of a filter are asked of the records, and the output says so."""
    memory.export([make_record(), make_record(path="/other")])
    output = invoke("stats", "path:/orders/*", "--by", "host").output
    assert "from records, because rollups do not know the host" in output
    assert re.search(r"^example.org +1 ", output, re.MULTILINE)
    assert "Only stored records are counted" in output


def test_status_has_no_durations(invoke: Invoke, tracking: Tracking, memory: MemoryExporter) -> None:
    """By status there are counts, and a sentence says why there are no durations."""
    store_minute(memory)
    output = invoke("stats", "--by", "status").output
    assert re.search(r"^200 +118 .* 0 +0.0%$", output, re.MULTILINE)
    assert f"\n\n{module.UNKNOWN_BY_STATUS}\n" in output
    assert module.UNKNOWN_BY_STATUS not in invoke("stats").output
    found = json.loads(invoke("stats", "--by", "status", "--json").output)
    unknown = ("p95_ms", "max_ms", "request_bytes", "response_bytes")
    assert [found["groups"][0][name] for name in unknown] == [None] * 4
    assert found["total"]["response_bytes"] == 9900


def test_records_without_durations(invoke: Invoke, tracking: Tracking, memory: MemoryExporter) -> None:
    """Records that another program wrote may have none: that is said, and not taken for 0."""
    records = [make_record() for _ in range(3)]
    memory.export([dataclasses.replace(one, execution_time=None) for one in records[:2]] + records[2:])
    output = invoke("stats", "path:*", "--by", "status").output
    assert "\n2 records have no duration.\n" in output
    assert "no duration" not in invoke("stats", "path:*", "slow:>=0ms").output


@pytest.mark.parametrize(("by", "name"), [("route", "GET (no route)"), ("url_rule", "(no route)")])
def test_no_route(
    invoke: Invoke, tracking: Tracking, memory: MemoryExporter, by: str, name: str
) -> None:
    """Requests without a route have the same name by either group, and among the failures."""
    memory.export([dataclasses.replace(make_record(), url_rule=None, status_code=500)])
    lines = invoke("stats", "slow:>=0ms", "--by", by).output.splitlines()
    assert lines[3].startswith(f"{name}  ")
    assert "  (no route)  " in lines[7]


def test_nothing(invoke: Invoke, tracking: Tracking) -> None:
    """Without requests there is no table."""
    assert invoke("stats").output.endswith("\nNo requests.\n")


def test_wrong_values(invoke: Invoke, tracking: Tracking) -> None:
    """What is wrong is named."""
    assert "'soon'" in invoke("stats", "--since", "soon").stderr
    assert "'x'" in invoke("stats", "x:1").stderr
    assert invoke("stats", "--by", "colour").exit_code == 2
    misspelt = invoke("stats", "--by", "rout")
    assert (misspelt.exit_code, misspelt.stderr.split("'. ")[-1]) == (2, "Did you mean route?\n")
    assert "Did you mean error?" in invoke("stats", "is:eror").stderr


def test_reversed_range(invoke: Invoke, tracking: Tracking) -> None:
    """A range that ends before it begins is said to, in one line."""
    result = invoke("stats", "--since", "1h", "--until", "2h")
    assert result.exit_code == 2
    assert "Invalid range: it begins at " in result.output


def test_watch(
    invoke: Invoke, tracking: Tracking, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is shown again and again, until Ctrl-C."""
    pauses = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        store_minute(memory)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "sleep", pause)
    clock = iter((0.0, 0.5, 2.0, 4.5, 4.0, 4.0))
    monkeypatch.setattr(module, "monotonic", lambda: next(clock))
    result = invoke("stats", "--watch")
    assert result.output.count("No requests.") == 1
    assert result.output.count("GET /quick") == 2
    assert pauses == [1.5, 0.0, 2.0]  # counting takes a part of the two seconds, or all
    assert (result.exit_code, result.stderr) == (0, "")


def test_watch_while_the_store_is_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last numbers stay while the store does not answer, and that is said once."""
    texts = ["one", None, None, "two", None]

    def make_text() -> str:
        text = texts.pop(0)
        if text is None:
            raise ExportError("MongoDB at x cannot be reached")
        return text

    def pause(_: float) -> None:
        if not texts:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "sleep", pause)
    module.watch(make_text, is_cleared=False)
    shown, errors = capsys.readouterr()
    assert shown == "one\ntwo\n"
    assert errors == "MongoDB at x cannot be reached. Trying again every 2 seconds.\n" * 2
    texts.append(None)
    with pytest.raises(ExportError):
        module.watch(make_text, is_cleared=False)


def test_watch_in_a_low_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The beginning stays on the screen, and the last line says how much does not."""
    size = os.terminal_size((80, 6))
    monkeypatch.setattr("shutil.get_terminal_size", lambda: size)
    assert terminal.cut_to_height("a\n" * 9) == "a\n" * 9  # into a file all of it goes
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert terminal.cut_to_height("\n".join("abcde")) == "\n".join("abcde")
    assert terminal.cut_to_height("\n".join("abcdef")) == "\n".join([*"abcd", "… 2 more lines"])
