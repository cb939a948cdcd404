"""A model of the spool: random sequences of what may happen to it, and what must hold afterwards.

python -m tests.spool.model [--sequences 10000] [--seed N]
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import errno
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from unittest import mock

from bson import ObjectId

from flask_tracking import Exporter, ExportError, Record
from flask_tracking.pipeline.counters import Counters
from flask_tracking.pipeline.delivery import Delivery
from flask_tracking.pipeline.drain import Drain
from flask_tracking.pipeline.rollup_spool import RollupSpool, decode_rollup
from flask_tracking.pipeline.spooling import SpoolWriter
from flask_tracking.rollups.rollup import Rollup
from flask_tracking.spool import Kind, Spool, SpoolError, decode_record, open_rollup_spool
from flask_tracking.spool import directory as directory_module
from flask_tracking.spool import naming as naming_module
from flask_tracking.spool.frames import split_frames
from flask_tracking.spool.naming import parse_name

from ..captures import make_record
from .faulty import Disk, FaultySystem, Killed, list_contents

MAX_BYTES = 64 * 1024
STEPS = 24
PROCESSES = 2
FOREIGN = b"not ours"
FOREIGN_NAMES = ("README", "core", "1795995334293-d6c467057a48.kept.2+0.v99", ".nfs0001")
TEMPLATE = make_record()
NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)


class ModelError(AssertionError):
    """The spool does not do what it promises."""


class Store(Exporter):
    """What has arrived, by its ids; away when it is told."""

    def __init__(self) -> None:
        self.records: dict[ObjectId, Record] = {}
        self.rollups: dict[str, Rollup] = {}
        self.is_away = True

    def _store(self, records: Sequence[Record]) -> int:
        if self.is_away:
            raise ExportError("the store is away")
        for record in records:
            if self.records.setdefault(record.id, record) != record:
                raise ModelError(f"{record.id} has come with another content")
        return 0

    def store_rollups(self, rollups: Sequence[Rollup]) -> None:
        """Take rollups; the same may come again."""
        if self.is_away:
            raise ExportError("the store is away")
        for rollup in rollups:
            if self.rollups.setdefault(rollup.id, rollup) != rollup:
                raise ModelError(f"{rollup.id} has come with another content")


class Process:
    """One process of the app, which uses the directory until it is killed."""

    def __init__(self, path: str, disk: Disk, store: Store) -> None:
        self.system = FaultySystem(disk)
        self.spool = Spool(path, MAX_BYTES, self.system)
        self.counters = Counters()
        self.writer = SpoolWriter(self.spool, self.counters)
        self.delivery = Delivery(store, self.counters, lambda: None, self.writer)
        self.drain = Drain(self.spool, self.writer, self.delivery)
        self.rollups = RollupSpool(self.spool)
        self.store = store
        self.taken: set[str] = set()
        """The rollups that the store took from it: later they may be merged, and would count twice."""

    def lost(self) -> int:
        """Return how many of the spooled records it has counted as lost."""
        return self.counters.spool_dropped.total()

    def send_rollups(self) -> None:
        """Send all files of rollups, as far as the store takes them."""
        with contextlib.suppress(ExportError):
            self.rollups.send(self._store_rollups)

    def _store_rollups(self, rollups: Sequence[Rollup]) -> None:
        self.store.store_rollups(rollups)
        ids = {rollup.id for rollup in rollups}
        if ids & self.taken:
            raise ModelError(f"{ids & self.taken} were sent twice by one process")
        self.taken |= ids


class Run:
    """One random sequence."""

    def __init__(self, seed: int, path: Path) -> None:
        self.random = random.Random(seed)
        self.path = path
        self.disk = Disk()
        self.store = Store()
        self.promised: dict[ObjectId, Record] = {}
        """What was written, as the spool said."""
        self.unsure: dict[ObjectId, Record] = {}
        """What was being written when the process was killed."""
        self.counted = 0
        """Lost by the counts of the processes."""
        self.uncounted = 0
        """At most so many went when a process was killed before it could count them."""
        self.stored_before = 0
        """Stored from files that could not be removed: at most so many may be counted, by others."""
        self.rollups: dict[str, Rollup] = {}
        """All that were written, or were being written when the process was killed."""
        self.promised_rollups: set[str] = set()
        self.damaged_rollups: set[str] = set()
        """Those in files that were damaged."""
        self.seen: dict[str, int] = {}
        """What has waited at some time during a step."""
        self.processes = [self._start() for _ in range(PROCESSES)]
        self.names = 0
        self.began_ms = int(time.time() * 1000)
        self.foreign: set[Path] = set()
        self.log: list[str] = []

    def _start(self) -> Process:
        return Process(str(self.path / "spool"), self.disk, self.store)

    def run(self) -> None:
        """Do the steps, then let all be well, and look."""
        steps: list[Callable[[Process], object]] = [
            *[self.write] * 6,
            *[self.send] * 4,
            *[self.write_rollups] * 3,
            *[self.send_rollups] * 3,
            self.flip_a_bit,
            self.truncate,
            self.keep_or_let_remove,
            self.fill_the_disk,
            self.free_the_disk,
            self.turn_the_store,
            self.run_older_version,
            self.put_something_foreign,
        ]
        for _ in range(STEPS):
            step = self.random.choice(steps)
            at = self.random.randrange(PROCESSES)
            self.log.append(step.__name__)
            self._do(step, at)
        self._end()

    def _do(self, step: Callable[[Process], object], at: int) -> None:
        process = self.processes[at]
        if self.random.random() < 0.3:
            process.system.calls_left = self.random.randrange(14)
        if self.random.random() < 0.3:
            other = self.processes[1 - at]
            process.system.meanwhile = self.random.randrange(14), lambda: self._act_meanwhile(other)
        self.seen = self._waiting()
        try:
            step(process)
        except Killed:
            self.log.append("killed")
            waiting = self._waiting()
            self.uncounted += sum(self.seen[name] for name in self.seen.keys() - waiting.keys())
            self.stored_before += sum(map(self._count_stored, waiting))
            self.counted += process.lost()
            self.processes[at] = self._start()
        else:
            process.system.calls_left = process.system.meanwhile = None
        self._note_unremoved()

    def _note_unremoved(self) -> None:
        """Note what is stored of files that stay: other processes cannot know that they are sent."""
        if any("remove" in one.system.errors for one in self.processes):
            self.stored_before += sum(map(self._count_stored, self._waiting()))

    def _act_meanwhile(self, other: Process) -> None:
        self.random.choice([self.send, self.write])(other)
        self.seen |= self._waiting()

    def _waiting(self) -> dict[str, int]:
        """Return how many entries each file promises."""
        folder = self.path / "spool"
        names = [path.name for path in folder.iterdir()] if folder.exists() else []
        files = [file for name in names if (file := parse_name(name)) is not None]
        return {file.name: file.entry_count for file in files}

    def make_name(self, kind: Kind, count: int, gap: int) -> str:
        """Return a name that is the same in each run of a seed."""
        self.names += 1
        unique = f"{self.random.randrange(16**12):012x}"
        return f"{self.began_ms + self.names // 3}-{unique}.{kind.value}.{count}+{gap}.v1"

    # The steps

    def write(self, process: Process) -> None:
        """Write a batch of both kinds."""
        body = self.random.randbytes(self.random.choice([0, 10, 3000]))
        records = {
            one.id: one
            for one in (
                dataclasses.replace(
                    TEMPLATE, id=ObjectId(), kept=self.random.random() < 0.2, request_body=body
                )
                for _ in range(self.random.randint(1, 5))
            )
        }
        before = process.counters.dropped.total()
        try:
            left = process.writer.write(list(records.values()))
        except Killed:
            self.unsure |= records
            raise
        refused = process.counters.dropped.total() - before
        for record in left:
            del records[record.id]
            if process.system.errors:  # what was written until it failed may have stayed
                self.unsure[record.id] = record
        if refused:  # by their kind, and counted as those of the process itself
            self.unsure |= records
        else:
            self.promised |= records

    def send(self, process: Process) -> None:
        """Send one file, or more."""
        for _ in range(self.random.randint(1, 4)):
            process.delivery.next_try = 0.0
            process.drain.take_step()

    def write_rollups(self, process: Process) -> None:
        """Write the minutes of a process."""
        rollups = {
            one.id: one
            for one in (
                Rollup(width_s=60, start=NOON, source=f"web:1:{self._draw_number()}", stored=number)
                for number in range(self.random.randint(1, 3))
            )
        }
        self.rollups |= rollups
        if process.rollups.write(list(rollups.values())):
            self.promised_rollups |= rollups.keys()

    def _draw_number(self) -> str:
        return f"{self.random.randrange(16**12):012x}"

    def send_rollups(self, process: Process) -> None:
        """Send the minutes of all."""
        process.send_rollups()

    def keep_or_let_remove(self, process: Process) -> None:
        """Let no file be removed by a process, as on a disk that has become read-only, or let it."""
        errors = process.system.errors
        if errors.pop("remove", None) is None:
            errors["remove"] = OSError(errno.EROFS, os.strerror(errno.EROFS))

    def flip_a_bit(self, _: Process) -> None:
        """Change one bit of a file."""
        path = self._draw_file()
        if path is not None and (data := bytearray(path.read_bytes())):
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
            path.write_bytes(data)

    def truncate(self, _: Process) -> None:
        """Cut a file."""
        path = self._draw_file()
        if path is not None:
            data = path.read_bytes()
            path.write_bytes(data[: self.random.randrange(len(data) + 1)])

    def _draw_file(self) -> Path | None:
        rollups = sorted((self.path / "spool" / "rollups").glob("*.v1*"))
        if rollups and self.random.random() < 0.4:
            path = self.random.choice(rollups)
            decoded = map(decode_rollup, split_frames(path.read_bytes()).entries)
            self.damaged_rollups |= {one.id for one in decoded if one is not None}
            return path
        names = sorted(self._waiting())
        if not names:
            return None
        name = self.random.choice(names)
        self.stored_before += self._count_stored(name)
        return self.path / "spool" / name

    def _count_stored(self, name: str) -> int:
        """Return how many records of a file are stored already."""
        data = (self.path / "spool" / name).read_bytes()
        records = map(decode_record, split_frames(data).entries)
        return sum(one is not None and one.id in self.store.records for one in records)

    def fill_the_disk(self, _: Process) -> None:
        """Leave little room."""
        self.disk.free_bytes = self.random.randrange(8000)

    def free_the_disk(self, _: Process) -> None:
        """Leave all the room that there is."""
        self.disk.free_bytes = None

    def turn_the_store(self, _: Process) -> None:
        """Let the store come, or go."""
        self.store.is_away = not self.store.is_away

    def run_older_version(self, _: Process) -> None:
        """Start an older package: it leaves the directory byte for byte."""
        older = self._start()
        before = list_contents(self.path)
        with mock.patch.object(naming_module, "VERSION", 0):
            older.drain.take_step()
            older.send_rollups()
        if list_contents(self.path) != before:
            raise ModelError("an older version has changed the directory")

    def put_something_foreign(self, _: Process) -> None:
        """Put a file there that is not the spool's."""
        folder = self.path / "spool"
        folder.mkdir(exist_ok=True)
        path = folder / self.random.choice(FOREIGN_NAMES)
        path.write_bytes(FOREIGN)
        self.foreign.add(path)

    # What must hold

    def _end(self) -> None:
        self.disk.free_bytes = None
        self.store.is_away = False
        last = self._start()
        self.processes.append(last)
        last.delivery.is_proven = True
        while last.spool.waiting():
            last.delivery.next_try = 0.0
            if not last.drain.take_step():
                raise ModelError(f"these stay: {last.spool.waiting()}")
        last.rollups.is_proven = True
        last.send_rollups()
        if left := open_rollup_spool(last.spool).waiting():
            raise ModelError(f"these stay: {left}")
        self._check()
        self._check_rollups()

    def _check(self) -> None:
        stored = self.store.records
        known = self.promised | self.unsure
        for record_id, record in stored.items():
            if known.get(record_id) != record:
                raise ModelError(f"{record_id} was not written like that")
        missing = len(self.promised.keys() - stored.keys())
        unsure = len(self.unsure.keys() - stored.keys())
        counted = self.counted + sum(process.lost() for process in self.processes)
        if missing > counted + self.uncounted:
            raise ModelError(f"{missing} are missing, {counted} counted, {self.uncounted} could not be")
        # What a killed process was writing is missing as well, and may be counted.
        if counted > missing + unsure + self.stored_before:
            raise ModelError(f"{counted} are counted, but {missing} missing and {unsure} unsure")
        for path in self.foreign:
            if path.read_bytes() != FOREIGN:
                raise ModelError(f"the foreign file {path.name} has changed")

    def _check_rollups(self) -> None:
        stored = self.store.rollups
        for rollup_id, rollup in stored.items():
            if self.rollups[rollup_id] != rollup:
                raise ModelError(f"{rollup_id} was not written like that")
        missing = self.promised_rollups - stored.keys() - self.damaged_rollups
        if missing:
            raise ModelError(f"the rollups {missing} are missing")


def run_sequence(seed: int) -> None:
    """Run the sequence of this seed; raises with what led there."""
    with tempfile.TemporaryDirectory(prefix="flask-tracking-", dir=_memory()) as folder:
        sequence = Run(seed, Path(folder))
        try:
            with mock.patch.object(directory_module, "make_name", sequence.make_name):
                sequence.run()
        except (ModelError, SpoolError, OSError) as error:
            raise ModelError(f"seed {seed}: {error}\n{', '.join(sequence.log)}") from error


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - faster than a disk


def main() -> int:
    """Run as many as are wanted, and say how many there were."""
    parser = argparse.ArgumentParser(description="Compare the spool with its model.")
    parser.add_argument("--sequences", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    options = parser.parse_args()
    logging.disable()
    print(f"{options.sequences} sequences from the seed {options.seed} ...", flush=True)
    began = time.monotonic()
    for number in range(options.sequences):
        run_sequence(options.seed + number)
    print(f"All as the model says, after {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
