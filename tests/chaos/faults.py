"""What fails: the database, the workers and the disk. Each fault is over when its function returns."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pymongo import MongoClient

from ..servers import FULL_BYTES, MongoServer, limit_files

Document = dict[str, Any]
OUT_OF_DISK_SPACE = 14031
DATABASE_FULL = "disk of the database full"
"""The event of a database that can write no files any more."""
WRITES = ("insert", "update", "delete", "create", "createIndexes", "findAndModify")


class Event(NamedTuple):
    """Something that happened to a worker, or to all of them."""

    at: float
    """In monotonic time."""
    what: str
    process: int | None = None


class Site:
    """What there is to break."""

    def __init__(self, server: MongoServer | None, master: int, seed: int) -> None:
        """Take what runs.

        Args:
            server: the database; None where nothing is tracked, and only workers fail.
            master: the process of gunicorn.
            seed: of what is random.
        """
        self.server = server
        self.master = master
        self.random = random.Random(seed)
        self.events: list[Event] = []

    def draw_pause(self, least: float, most: float) -> float:
        """Return how long something lasts, in seconds."""
        return self.random.uniform(least, most)

    def note(self, what: str, process: int | None = None) -> None:
        """Note that something happens now."""
        self.events.append(Event(time.monotonic(), what, process))

    def workers(self) -> list[int]:
        """Return the processes of the workers, once there are any."""
        while True:
            children = Path(f"/proc/{self.master}/task/{self.master}/children").read_text()
            if children:
                return [int(child) for child in children.split()]
            time.sleep(0.05)

    def draw_worker(self) -> int:
        """Return a worker that runs."""
        return self.random.choice(self.workers())


Fault = Callable[[Site], None]


def kill_database(site: Site) -> None:
    """End the database as a power cut would, and start it again on its data."""
    pause_s = site.draw_pause(1, 5)
    if site.server is not None:
        site.server.kill()
    time.sleep(pause_s)
    if site.server is not None:
        site.server.start()


def hang_database(site: Site) -> None:
    """Stop the database for a while; it keeps its connections."""
    with _hanging(site):
        time.sleep(site.draw_pause(3, 8))


@contextlib.contextmanager
def _hanging(site: Site) -> Iterator[None]:
    process = site.server.process if site.server is not None else None
    if process is not None:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        if process is not None:
            process.send_signal(signal.SIGCONT)


def refuse_writes(site: Site) -> None:
    """Let the database close the connection at every insert."""
    with _refusing(site, {"closeConnection": True}):
        time.sleep(site.draw_pause(1, 5))


def answer_errors(site: Site) -> None:
    """Let the database answer every insert with an error."""
    with _refusing(site, {"errorCode": site.random.choice([11600, 13])}):
        time.sleep(site.draw_pause(1, 5))


def end_worker_while_errors_are_answered(site: Site) -> None:
    """Let a worker end that cannot store what it has."""
    with _refusing(site, {"errorCode": 11600}):
        time.sleep(site.draw_pause(1, 3))
        end_worker(site)
        time.sleep(2)


def leave_the_database_no_space(site: Site) -> None:
    """Let the database answer every write as MongoDB does whose disk is nearly full."""
    with _refusing(site, {"errorCode": OUT_OF_DISK_SPACE}, WRITES):
        time.sleep(site.draw_pause(1, 5))


def fill_the_disk_of_the_database(site: Site) -> None:
    """Let the database write no files; it panics, and is started again when there is room."""
    pause_s = site.draw_pause(1, 4)
    if site.server is not None:
        site.note(DATABASE_FULL)
        site.server.fill_disk()
    time.sleep(pause_s)
    if site.server is not None:
        site.server.free_disk()
    kill_database(site)


@contextlib.contextmanager
def _refusing(site: Site, how: Document, commands: Sequence[str] = ("insert",)) -> Iterator[None]:
    if site.server is None:
        yield
        return
    with MongoClient[Document](site.server.uri) as client:
        data: Document = {"failCommands": [*commands], **how}
        client.admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data})
        yield
        client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


def end_worker(site: Site) -> None:
    """Let one worker end in order."""
    process = site.draw_worker()
    site.note("ended", process)
    os.kill(process, signal.SIGTERM)
    time.sleep(site.draw_pause(0.5, 2))


def kill_worker(site: Site) -> None:
    """Kill one worker."""
    process = site.draw_worker()
    site.note("killed", process)
    os.kill(process, signal.SIGKILL)
    time.sleep(site.draw_pause(0.5, 2))


def reload_all(site: Site) -> None:
    """Replace all workers, as after a deployment."""
    site.note("reloaded")
    os.kill(site.master, signal.SIGHUP)
    time.sleep(site.draw_pause(2, 4))


def end_worker_while_the_database_hangs(site: Site) -> None:
    """Let a worker end that waits for an answer of the database."""
    with _hanging(site):
        time.sleep(1.5)
        end_worker(site)
        time.sleep(2)


def fill_the_disk(site: Site) -> None:
    """Let no process write files for a while."""
    with _full_disk(site):
        time.sleep(site.draw_pause(1, 4))


def fill_the_disk_without_a_database(site: Site) -> None:
    """The same while the database is away: records wait in memory."""
    with _full_disk(site):
        kill_database(site)


@contextlib.contextmanager
def _full_disk(site: Site) -> Iterator[None]:
    site.note("disk full")
    _limit_files(site, FULL_BYTES)
    try:
        yield
    finally:
        _limit_files(site, None)
        site.note("disk free")


def _limit_files(site: Site, size: int | None) -> None:
    limit_files(site.master, size)  # new workers have the same
    for process in site.workers():
        with contextlib.suppress(ProcessLookupError):
            limit_files(process, size)


EXACT_FAULTS: tuple[Fault, ...] = (
    answer_errors,
    leave_the_database_no_space,
    end_worker,
    end_worker_while_errors_are_answered,
    reload_all,
)
"""After which what is lost is known exactly: nobody is killed, and every insert has an answer."""
FAULTS: tuple[Fault, ...] = (
    *EXACT_FAULTS,
    kill_database,
    hang_database,
    refuse_writes,
    kill_worker,
    end_worker_while_the_database_hangs,
    fill_the_disk,
    fill_the_disk_without_a_database,
    fill_the_disk_of_the_database,
)
