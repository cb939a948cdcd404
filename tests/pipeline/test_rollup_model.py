"""Processes with wrong clocks, pauses, unanswered writes and kills: all widths count the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from flask_tracking import ExportError, MemoryExporter, Settings
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.exporters.rollup_table import RollupQuery, RollupTable
from flask_tracking.pipeline import rollup_delivery
from flask_tracking.pipeline.counters import Counters
from flask_tracking.pipeline.judged import Judged
from flask_tracking.pipeline.minute_rollups import MinuteRollups
from flask_tracking.pipeline.rollup_delivery import RollupDelivery
from flask_tracking.pipeline.rollup_spool import RollupSpool
from flask_tracking.pipeline.summary import summarise
from flask_tracking.rollups.widths import WIDTHS_S
from flask_tracking.spool import Spool

from ..captures import make_capture

MIDNIGHT_TIME = datetime(2026, 11, 24, tzinfo=timezone.utc)
MIDNIGHT = MIDNIGHT_TIME.timestamp()
HOUR = 3600.0
STEPS = ("_store", "_settle", "_find", "_replace", "_mark_merged", "_delete", "_take_lease")
SKEWS_S = (0.0, 0.0, -0.3 * HOUR, 4 * HOUR, 6 * HOUR)
"""By how much the clock of a process is ahead."""
PAUSES_S = (5.0, 12.0, 12.0, 30.0, 70.0, 70.0, 400.0, 3.5 * HOUR)
HISTORY_S = 9 * HOUR


class Process:
    """What one process counts, by a clock that may be wrong."""

    def __init__(self, world: World, skew_s: float) -> None:
        self.skew_s = skew_s
        counted = MinuteRollups(None)
        self.counters = Counters(rollups=counted)
        world.running = self
        spool = RollupSpool(Spool(world.spool, 10**8))
        self.delivery = RollupDelivery(world.table, self.counters, counted, spool)


class World:
    """Some processes, one store and one spool, in simulated time."""

    def __init__(self, table: RollupTable, spool: str, seed: int) -> None:
        self.table = table
        self.spool = spool
        self.chance = random.Random(seed)
        self.now_s = 0.0
        self.fault_rate = 0.0
        self.served = 0
        self.running: Process | None = None
        """Whose clock is asked."""
        self.processes = [self.start() for _ in range(3)]

    def start(self) -> Process:
        """Start a process."""
        return Process(self, self.chance.choice(SKEWS_S))

    def wall(self) -> float:
        """Return the Unix time by the clock of the running process."""
        assert self.running is not None
        return MIDNIGHT + self.now_s + self.running.skew_s

    def monotonic(self) -> float:
        """Return the seconds since the beginning, which go on while a process stands still."""
        return self.now_s

    def break_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let any call to the store fail at times: before it does anything, or unanswered."""
        for name in STEPS:
            monkeypatch.setattr(self.table, name, self._break(getattr(self.table, name)))

    def _break(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def broken(*args: Any, **kwargs: Any) -> Any:
            fails = self.chance.random() < self.fault_rate
            if fails and self.chance.random() < 0.4:
                raise ExportError("away")
            result = step(*args, **kwargs)
            if fails:
                raise ExportError("no answer")
            return result

        return broken

    def serve(self, process: Process) -> None:
        """Count some requests that end now."""
        capture = make_capture(arrived_at=self.wall(), duration_ns=0)
        number = self.chance.randrange(1, 4)
        process.counters.add_to_rollups([Judged(capture, summarise(capture), True, None)] * number)
        self.served += number

    def act(self) -> None:
        """Let time pass, and let a process do something."""
        self.now_s += self.chance.choice(PAUSES_S) * self.chance.random()
        self.fault_rate = self.chance.choice((0.0, 0.0, 0.05, 0.5, 1.0))
        at = self.chance.randrange(len(self.processes))
        process = self.running = self.processes[at]
        self.serve(process)
        act = self.chance.random()
        if act < 0.8:
            process.delivery.tend(is_away=self.chance.random() < 0.1)
        elif act < 0.9:  # it ends; what is left is spooled first
            process.delivery.finish()
            self.processes[at] = self.start()
        else:  # killed right after a write, so that it is known what is lost: nothing
            self.fault_rate = 0.0
            process.delivery.tend(is_forced=True)
            self.processes[at] = self.start()

    def end(self) -> None:
        """Let all processes end, and merge until all is merged."""
        self.fault_rate = 0.0
        for process in self.processes:
            self.running = process
            process.delivery.finish()
        self.running = self.start()
        self.running.skew_s = 0.0
        self.running.delivery.tend(is_forced=True)
        for hours in (25, 31, 31.5):  # the day is over, and no five minutes have expired
            self.table.merge("last", MIDNIGHT_TIME + timedelta(hours=hours))

    def count(self) -> list[int]:
        """Return how many requests the rollups of each width count, but for the minutes."""
        return [
            sum(one.total.requests for one in self.table.find(RollupQuery(width)))
            for width in WIDTHS_S[1:]
        ]


@pytest.fixture
def make_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[RollupTable, int], World]:
    """Make a world, by whose clocks rollups are delivered."""

    def make(table: RollupTable, seed: int) -> World:
        worlds: list[World] = []
        monkeypatch.setattr(rollup_delivery, "monotonic", lambda: worlds[0].now_s if worlds else 0.0)
        monkeypatch.setattr(rollup_delivery, "wall_time", lambda: worlds[0].wall())
        worlds.append(World(table, str(tmp_path / "spool"), seed))
        worlds[0].break_steps(monkeypatch)
        return worlds[0]

    return make


@pytest.mark.repeats
@pytest.mark.parametrize("seed", range(20))
def test_all_widths_count_the_same(make_world: Callable[[RollupTable, int], World], seed: int) -> None:
    """Whatever happens on the way, each request counts once in each width."""
    world = make_world(MemoryExporter().rollups, seed)
    while world.now_s < HISTORY_S:
        world.act()
    world.end()
    assert world.count() == [world.served] * 3


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(100, 102))
def test_all_widths_count_the_same_in_a_database(
    make_world: Callable[[RollupTable, int], World], database_uri: str, seed: int
) -> None:
    """A database replaces, settles and merges like the memory of a process."""
    exporter = MongoExporter(Settings(mongodb_uri=database_uri))
    try:
        assert exporter.rollups is not None
        world = make_world(exporter.rollups, seed)
        while world.now_s < HISTORY_S:
            world.act()
        world.end()
        assert world.count() == [world.served] * 3
    finally:
        exporter.close()
