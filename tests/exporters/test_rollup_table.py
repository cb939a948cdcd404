"""Rollups in every store: replaced whole, merged once, whatever is broken off, and never lost."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock

import pytest
from bson import Decimal128, ObjectId
from pymongo.database import Database

from flask_tracking import ExportError, MemoryExporter, Store
from flask_tracking.exporters.mongo.rollups import MongoRollupTable, to_query
from flask_tracking.exporters.rollup_table import RollupQuery, RollupTable
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Example, FailureKey, Failures, Rollup, RouteKey
from flask_tracking.rollups.widths import WIDTHS_S

from .conftest import Make
from .test_mongo import plan_stages

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
MINUTE, FIVE, HOUR, DAY = WIDTHS_S
LATER = timedelta(seconds=60)


@pytest.fixture
def table(store: Store) -> RollupTable:
    """The table of each store in turn, empty."""
    assert store.rollups is not None
    return store.rollups


def make_minute(minute: int, requests: int = 1, **parts: Any) -> Rollup:
    """Make a minute of a process, so many minutes after noon."""
    counts = Counts()
    for number in range(requests):
        counts.add_request(200 + number % 2 * 300, bool(number % 2), 5.0 + minute, 10, 100)
    values = {"source": "web:1", "routes": {RouteKey("/a", "GET"): counts}, "stored": requests}
    start = NOON + timedelta(minutes=minute)
    return Rollup(width_s=MINUTE, start=start, **{**values, **parts})


def count(table: RollupTable, width_s: int) -> int:
    """Return how many requests the rollups of one width count."""
    return sum(one.total.requests for one in table.find(RollupQuery(width_s)))


def test_come_back(table: RollupTable) -> None:
    """A rollup comes back as it was stored, and replaces the one that had its id."""
    table.store([make_minute(0, 1), make_minute(0, 2, source="web:2")])
    table.store([make_minute(0, 3)])
    table.store([])
    found = {one.source: one for one in table.find(RollupQuery(MINUTE))}
    wanted = dataclasses.replace(make_minute(0, 3), etag=found["web:1"].etag)
    assert found["web:1"] == wanted
    assert found["web:2"].total.requests == 2
    (bare,) = table.find(RollupQuery(MINUTE, id=wanted.id, with_routes=False))
    assert bare.total == wanted.total


def test_older_revision(table: RollupTable) -> None:
    """A write that arrives late replaces nothing newer."""
    newer = make_minute(0, 3, revision=2)
    table.store([newer])
    table.store([make_minute(0, 2, revision=1)])
    assert count(table, MINUTE) == 3
    table.store([newer])
    table.store([make_minute(0, 4, revision=3)])
    assert count(table, MINUTE) == 4


def test_settle(table: RollupTable) -> None:
    """What a process has settled is not open any more, unless it has been written since."""
    table.store([make_minute(0, is_open=True), make_minute(1, is_open=True, revision=1)])
    table.settle([make_minute(0), make_minute(1)])
    table.settle([])
    found = {one.start: one.is_open for one in table.find(RollupQuery(MINUTE))}
    assert found == {NOON: False, NOON + timedelta(minutes=1): True}


@pytest.mark.parametrize("hours", [4, 60, 40 * 24])
def test_open_minute_is_written_again(table: RollupTable, hours: int) -> None:
    """A minute that others merged while its process stood still is counted once, as it is at last."""
    table.store([make_minute(0, 1, is_open=True), make_minute(0, 1, source="web:2")])
    later = NOON + timedelta(hours=hours)
    table.merge("me", later)
    assert count(table, MINUTE) == 0
    last = make_minute(0, 3, is_open=True, revision=1)
    for _ in range(2):
        table.store([last])
        table.merge("me", later)
    table.settle([last])
    table.store([dataclasses.replace(last, is_open=False)])
    table.merge("me", later)
    found = [count(table, width) for width in WIDTHS_S]
    assert found[1:3] == [4 if hours < 48 else 0, 4 if hours < 35 * 24 else 0]
    table.merge("me", max(later, NOON + timedelta(hours=13)))
    assert count(table, DAY) == 4


def test_open_minute_that_merged_too_early(table: RollupTable) -> None:
    """A clock that is ahead merges what is not over: it counts once, also before it is final."""
    table.store([make_minute(0, 1, is_open=True)])
    table.merge("ahead", NOON + timedelta(hours=4))
    last = make_minute(0, 3, is_open=True, revision=1)
    table.store([last])
    table.settle([last])
    table.merge("right", NOON + timedelta(hours=4, minutes=2))
    assert [count(table, width) for width in (FIVE, HOUR)] == [3, 3]
    table.store([make_minute(1, 1)])
    for hours in (0, 1, 4, 13):
        table.merge("right", NOON + timedelta(hours=hours, minutes=6))
    assert [count(table, width) for width in (FIVE, HOUR, DAY)] == [4, 4, 4]


def test_queries(table: RollupTable) -> None:
    """A query means one width, and beginnings from the first time up to before the second."""
    failures = {FailureKey("E", "a.py", "f", rule): Failures(1) for rule in ("/a", "/b")}
    parts: dict[str, Any] = {"failures": failures, "examples": {1: Example(False, ObjectId())}}
    table.store([make_minute(minute, **parts) for minute in range(6)])
    minute = timedelta(minutes=1)
    found = table.find(RollupQuery(MINUTE, since=NOON + minute, until=NOON + 3 * minute))
    assert {one.start for one in found} == {NOON + minute, NOON + 2 * minute}
    assert table.find(RollupQuery(FIVE)) == []
    whole = found[0]
    for key in (*whole.routes, RouteKey("/nowhere", "GET")):
        alone = next(iter(table.find(RollupQuery(MINUTE, id=whole.id, route=key))))
        assert alone.routes == {one: counts for one, counts in whole.routes.items() if one == key}
        assert [one.url_rule for one in alone.failures] == [key.url_rule] * len(alone.routes)
        assert alone.examples == {}
    (bare,) = table.find(RollupQuery(MINUTE, id=whole.id, with_failures=False, with_examples=False))
    assert bare == dataclasses.replace(whole, failures={}, examples={})
    assert len(table.find(RollupQuery(MINUTE, is_merged=False))) == 6
    assert table.find(RollupQuery(MINUTE, is_merged=True)) == []


def test_starts(table: RollupTable) -> None:
    """What begins when, and with which version, is asked for without the rest."""
    table.store([make_minute(minute, source=name) for minute in range(3) for name in ("a", "b")])
    table.store([make_minute(3, version="2.0")])
    minutes = [NOON + timedelta(minutes=minute) for minute in range(4)]
    assert table.find_starts(RollupQuery(MINUTE, since=minutes[1])) == {
        (minutes[1], None),
        (minutes[2], None),
        (minutes[3], "2.0"),
    }
    assert table.find_starts(RollupQuery(FIVE)) == set()


def test_merge(table: RollupTable) -> None:
    """Five minutes, the hour and the day are made once each is over, apart by version."""
    minutes = [make_minute(minute, 2, source=name) for minute in range(65) for name in ("a", "b")]
    minutes.append(make_minute(3, 5, source="c", version="2.0"))
    table.store(minutes)
    assert table.merge("me", NOON + timedelta(minutes=5, seconds=29)) == 0
    assert table.merge("me", NOON + timedelta(minutes=5, seconds=30)) == 2
    assert {one.version: one.total.requests for one in table.find(RollupQuery(FIVE))} == {
        None: 20,
        "2.0": 5,
    }
    table.merge("me", NOON + timedelta(minutes=67))
    assert [count(table, width) for width in WIDTHS_S] == [265, 265, 245, 0]
    table.merge("me", NOON + timedelta(hours=12, minutes=5))
    assert [count(table, width) for width in WIDTHS_S] == [0, 265, 265, 265]
    assert table.merge("me", NOON + timedelta(hours=12, minutes=6)) == 0
    days = table.find(RollupQuery(DAY))
    assert {one.source for one in days} == {"merged/", "merged/2.0"}
    assert sum(one.stored for one in days) == 265


def test_last_request(table: RollupTable) -> None:
    """The newest rollup of any width tells about when the last request ended."""
    now = NOON + timedelta(minutes=30)
    assert table.find_last(now) is None
    table.store([make_minute(0), make_minute(7)])
    assert table.find_last(now) == NOON + timedelta(minutes=8)
    table.merge("me", now)
    assert table.find_last(now) == NOON + timedelta(minutes=10)
    for hours in (4, 12, 40):
        assert table.find_last(now + timedelta(hours=hours)) == NOON + timedelta(minutes=10)
    later = now + timedelta(days=3)
    table.merge("me", later)
    assert table.find_last(later) == NOON + timedelta(hours=1)


def test_expiry(table: RollupTable) -> None:
    """Each width lives as long as the table says; the coarsest as long as the setting."""
    table.store([make_minute(0)])
    ages = {
        timedelta(hours=2): [1, 1, 1, 0],
        timedelta(hours=4): [0, 1, 1, 0],
        timedelta(hours=40): [0, 1, 1, 1],
        timedelta(hours=50): [0, 0, 1, 1],
        timedelta(days=36): [0, 0, 0, 1],
        timedelta(days=400): [0, 0, 0, 1],
        timedelta(days=402): [0, 0, 0, 0],
    }
    for age, counts in ages.items():
        table.merge("me", NOON + age)
        assert [count(table, width) for width in WIDTHS_S] == counts, age


def test_minute_that_changes_later(table: RollupTable) -> None:
    """What is counted of a minute after it was merged comes into all that was made of it."""
    table.store([make_minute(0, 1), make_minute(1, 1)])
    table.merge("me", NOON + timedelta(days=1, hours=-14))
    now = NOON + timedelta(hours=13)
    table.store([make_minute(58, 1)])
    table.merge("me", now)
    assert [count(table, width) for width in (FIVE, HOUR, DAY)] == [3, 3, 3]


@pytest.mark.parametrize("age", [timedelta(hours=4), timedelta(hours=60), timedelta(days=40)])
def test_late_minute(table: RollupTable, age: timedelta) -> None:
    """A minute whose neighbours are gone is counted all the same, once."""
    table.store([make_minute(0, 1), make_minute(1, 1)])
    table.merge("me", NOON + timedelta(hours=13))
    table.merge("me", NOON + age)
    for _ in range(2):  # it may be sent twice
        table.store([make_minute(2, 5, source="spool")])
        for _ in range(2):
            table.merge("me", NOON + max(age, timedelta(hours=14)))
    found = [count(table, width) for width in WIDTHS_S]
    assert found == [0, 7 if age < timedelta(hours=48) else 0, 7 if age < timedelta(days=35) else 0, 7]


def test_lease(table: RollupTable) -> None:
    """While one process merges, no other does; when it is gone, another goes on."""
    table.store([make_minute(0)])
    now = NOON + timedelta(hours=1)
    assert table.merge("one", now) > 0
    table.store([make_minute(1)])
    assert table.merge("two", now + timedelta(seconds=30)) == 0
    assert table.merge("one", now + timedelta(seconds=30)) > 0
    table.store([make_minute(2)])
    assert table.merge("two", now + timedelta(seconds=91)) > 0
    assert count(table, FIVE) == 3


def test_lease_of_a_clock_that_is_ahead(table: RollupTable) -> None:
    """A lease that is longer than any blocks nobody."""
    table.store([make_minute(0)])
    now = NOON + timedelta(hours=1)
    table.merge("ahead", now + timedelta(days=365))
    table.store([make_minute(1, is_open=True)])
    assert table.merge("right", now) > 0
    assert table.merge("another", now + timedelta(seconds=30)) == 0


def test_foreign_lease(make: Make) -> None:
    """A lease that another program wrote blocks nobody."""
    exporter = make()
    assert exporter.rollups is not None
    exporter.rollups.store([make_minute(0)])
    exporter.rollup_collection().insert_one({"_id": "lease", "holder": 1, "until": "soon"})
    assert exporter.rollups.merge("me", NOON + timedelta(hours=1)) > 0


def test_clock(table: RollupTable) -> None:
    """The earlier of two clocks counts, that of the process or that of the store."""
    now = datetime.now(timezone.utc)
    assert table.read_clock(now - timedelta(days=1)) == now - timedelta(days=1)
    assert abs(table.read_clock(now) - now) < timedelta(minutes=1)


def test_server_clock(make: Make) -> None:
    """A process whose clock is ahead merges by the server's, and deletes no history."""
    table = make().rollups
    assert table is not None
    now = datetime.now(timezone.utc)
    clock = table.read_clock(now + timedelta(days=365))
    assert abs(clock - now) < timedelta(minutes=1)


def test_server_without_a_clock(make: Make) -> None:
    """Where the server does not tell its time, that of the process counts."""
    table = make().rollups
    assert table is not None
    with mock.patch.object(Database, "command", return_value={}):
        assert table.read_clock(NOON) == NOON


class _KilledError(Exception):
    """Stands for the end of a process."""


STEPS = ("_store", "_find", "_replace", "_mark_merged", "_settle", "_delete", "_take_lease")


def kill_after(monkeypatch: pytest.MonkeyPatch, table: RollupTable, steps: int) -> None:
    """Let the table fail after so many steps: before one of them, or when it is done."""
    left = steps

    def break_off(step: Callable[..., Any]) -> Callable[..., Any]:
        def broken(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 2
            if left == -2:
                raise _KilledError
            result = step(*args, **kwargs)
            if left == -1:
                raise _KilledError
            return result

        return broken

    for name in STEPS:
        monkeypatch.setattr(table, name, break_off(getattr(table, name)))


def make_history(chance: random.Random) -> list[Rollup]:
    """Make minutes of some processes and versions, to be stored over a day."""
    return [
        make_minute(
            chance.randrange(0, 90, 7),
            chance.randrange(1, 4),
            source=f"web:{number}",
            version=chance.choice([None, "2.0"]),
            dropped=Counter({"queue_full": 1}),
        )
        for number in range(14)
    ]


def run_history(table: RollupTable, history: list[Rollup], kill: Callable[[], None]) -> None:
    """Store and merge over two days, each act again until it is not killed."""
    now = NOON + timedelta(minutes=95)
    for at in range(0, len(history), 5):
        for act in (
            lambda at=at: table.store(history[at : at + 5]),
            *(lambda now=now + one: table.merge("me", now) for one in (LATER, timedelta(hours=2))),
        ):
            while True:
                try:
                    act()
                    break
                except _KilledError:
                    kill()
        now += timedelta(hours=5)
    table.merge("me", NOON + timedelta(hours=40))


@pytest.mark.parametrize("seed", range(4))
def test_kill_at_any_step(store: Store, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Killed ten times on its way and resumed: nothing is lost, and nothing counts twice."""
    table = store.rollups
    assert table is not None
    chance = random.Random(seed)
    history = make_history(chance)
    kills = 0

    def kill() -> None:
        nonlocal kills
        monkeypatch.undo()
        if kills < 10:
            kills += 1
            kill_after(monkeypatch, table, chance.randrange(0, 40))

    kill()
    run_history(table, history, kill)
    monkeypatch.undo()
    assert kills == 10
    wanted = sum(one.total.requests for one in history)
    assert [count(table, width) for width in (FIVE, HOUR, DAY)] == [wanted] * 3
    assert sum(one.dropped["queue_full"] for one in table.find(RollupQuery(DAY))) == len(history)


def test_two_at_once(table: RollupTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is overtaken while it merges changes nothing of what the other one made."""
    table.store([make_minute(0)])
    now = NOON + timedelta(minutes=6)
    find, is_first = table._find, [True]

    def overtaken(query: RollupQuery) -> list[Rollup]:
        found = list(find(query))
        if query.until == NOON + timedelta(minutes=5) and query.since and is_first.pop():
            is_first.append(False)
            table.store([make_minute(1)])
            assert table.merge("two", now + timedelta(seconds=61)) == 1
        elif not is_first:
            is_first.append(False)
        return found

    monkeypatch.setattr(table, "_find", overtaken)
    table.merge("one", now)
    monkeypatch.undo()
    assert count(table, FIVE) == 2


@pytest.mark.parametrize("store_settings", [{"rollup_days": 0}])
def test_no_rollups(make_store: Callable[[], Store], request: pytest.FixtureRequest) -> None:
    """TRACKING_ROLLUP_DAYS=0 leaves the collection alone."""
    if "memory" not in request.node.name:
        assert make_store().rollups is None


def test_foreign_documents(make: Make) -> None:
    """What others write into the collection is left out."""
    exporter = make()
    table = exporter.rollups
    assert table is not None
    table.store([make_minute(0)])
    exporter.rollup_collection().insert_one({"width_s": MINUTE, "start": NOON, "is_merged": False})
    assert count(table, MINUTE) == 1
    assert table.merge("me", NOON + timedelta(hours=1)) > 0


ODD: dict[str, Any] = {
    "dict": {"git": "abc"},
    "list": [1, {"b": 2}],
    "Decimal128": Decimal128("NaN"),
    "endless": math.inf,
    "bytes": b"\xff\x00",
    "text": "text",
    "negative": -5,
    "none": None,
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_rollups(make: Make, odd: str, caplog: pytest.LogCaptureFixture) -> None:
    """A foreign value in any field stops no merging and no reading: it is left out, and told."""
    exporter = make()
    table = exporter.rollups
    assert table is not None
    table.store([make_minute(0)])
    collection = exporter.rollup_collection()
    whole = collection.find_one({"width_s": MINUTE})
    assert whole is not None
    for name in whole.keys() - {"_id", "width_s"}:
        collection.insert_one({**whole, "_id": f"odd {name}", name: ODD[odd]})
    table.find(RollupQuery(MINUTE))
    for hours in (1, 4, 14, 60):
        table.merge("me", NOON + timedelta(hours=hours))
    assert [count(table, width) for width in WIDTHS_S] == [0, 0, 1, 1]
    left = collection.count_documents({"width_s": MINUTE})
    assert left >= len(whole) - 4, "none is deleted that is not marked as merged"
    told = [one for one in caplog.messages if "not rollups" in one]
    assert len(told) == 1
    assert len(table.find_foreign()) == left


@pytest.mark.parametrize(
    "query",
    [
        RollupQuery(MINUTE, NOON, NOON + LATER),
        RollupQuery(MINUTE, NOON, NOON + LATER, is_merged=False, with_routes=False),
        RollupQuery(MINUTE, until=NOON, is_merged=True),
        RollupQuery(DAY, until=NOON),
        RollupQuery(HOUR, id="3600/0/merged/"),
    ],
)
def test_queries_use_an_index(make: Make, query: RollupQuery) -> None:
    """Whatever is asked, no collection is scanned."""
    table = make().rollups
    assert isinstance(table, MongoRollupTable)
    table.store([make_minute(minute) for minute in range(3)])
    collection = table._get_collection()
    stages = plan_stages(collection.find(to_query(query)).explain()["queryPlanner"]["winningPlan"])
    assert "COLLSCAN" not in stages
    assert stages & {"IXSCAN", "IDHACK", "EXPRESS_IXSCAN"}


def test_indexes_that_are_refused(make: Make, fail_command: Callable[..., None]) -> None:
    """A login that may create no index stores rollups all the same."""
    table = make().rollups
    assert table is not None
    fail_command("createIndexes", errorCode=13)
    table.store([make_minute(0)])
    assert count(table, MINUTE) == 1


def test_server_that_fails(make: Make, fail_command: Callable[..., None]) -> None:
    """What the server says is an ExportError, and the same may be stored again."""
    table = make().rollups
    assert table is not None
    table.store([make_minute(0)])
    fail_command("update", errorCode=13)
    with pytest.raises(ExportError, match="refuses the login"):
        table.store([make_minute(0, 2)])
    table.store([make_minute(0, 2)])
    assert count(table, MINUTE) == 2


def test_pauses(table: RollupTable) -> None:
    """While rollups are merged others have their turn: twice for each that is read."""
    pauses = []
    table.store([make_minute(minute) for minute in range(5)])
    table.merge("me", NOON + timedelta(minutes=6), pause=lambda: pauses.append(1))
    assert len(pauses) == 10


def test_cleared_memory() -> None:
    """A cleared exporter has no rollups either."""
    exporter = MemoryExporter()
    exporter.rollups.store([make_minute(0)])
    exporter.clear()
    assert count(exporter.rollups, MINUTE) == 0


def test_killed_processes(make: Make, database_uri: str) -> None:
    """Ten processes are killed in the midst of merging: nothing is lost, and nothing is there twice."""
    chance = random.Random(7)
    table = make().rollups
    assert table is not None
    history = make_history(chance) + make_history(chance)
    table.store([dataclasses.replace(one, source=f"web:{at}") for at, one in enumerate(history)])
    command = [sys.executable, "-m", "tests.exporters.merging", database_uri]
    for _ in range(10):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0, 0.6))
            process.kill()
    subprocess.run(command, check=True, capture_output=True)
    wanted = sum(one.total.requests for one in history)
    assert [count(table, width) for width in WIDTHS_S] == [0, wanted, wanted, wanted]
