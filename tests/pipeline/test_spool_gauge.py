"""How much waits in the spool: looked up now and then, for alerts."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from flask_tracking import MemoryExporter, Settings
from flask_tracking.pipeline import spool_gauge
from flask_tracking.pipeline.spool_gauge import Backlog, SpoolGauge
from flask_tracking.pipeline.worker import SyncWorker
from flask_tracking.spool import Kind, Spool

from ..spool.faulty import FaultySystem


class Clock:
    """The time, by which tests go; each look at a directory takes some."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.look_s = 0.0

    def monotonic(self) -> float:
        """Return the time, and let some pass."""
        self.now += self.look_s
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stop the time."""
    clock = Clock()
    monkeypatch.setattr(spool_gauge, "monotonic", clock.monotonic)
    return clock


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    return Spool(str(tmp_path / "spool"), 10**6, FaultySystem())


def test_records_of_all_kinds(clock: Clock, spool: Spool) -> None:
    """What waits is counted by the names of the files, and its size on the disk."""
    gauge = SpoolGauge(spool)
    assert gauge.read() == Backlog(0, 0)
    spool.write(Kind.ROUTINE, [b"a", b"b"])
    spool.write(Kind.KEPT, [b"a"])
    assert gauge.read() == Backlog(0, 0)
    clock.now += 5.0
    assert gauge.read() == Backlog(3, 8192)


def test_slow_disk(clock: Clock, spool: Spool) -> None:
    """A directory that takes long to list is listed so much more rarely."""
    gauge = SpoolGauge(spool)
    clock.look_s = 2.0
    gauge.read()
    clock.look_s = 0.0
    spool.write(Kind.ROUTINE, [b"a"])
    clock.now += 190.0
    assert gauge.read() == Backlog(0, 0)
    clock.now += 10.0
    assert gauge.read() == Backlog(1, 4096)


def test_unreadable_directory(spool: Spool) -> None:
    """Nobody knows what waits in it."""
    assert isinstance(spool.system, FaultySystem)
    spool.system.errors["scan"] = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    stats = SyncWorker(Settings(), MemoryExporter(), spool=spool).stats
    assert (stats.spool_records, stats.spool_bytes) == (None, None)


def test_no_spool() -> None:
    """Nothing waits where there is none."""
    stats = SyncWorker(Settings(), MemoryExporter()).stats
    assert (stats.spool_records, stats.spool_bytes) == (0, 0)
