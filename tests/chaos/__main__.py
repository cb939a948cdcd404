"""Let everything fail while clients go on, then look for every request that was answered.

    python -m tests.chaos [--seconds 300] [--seed N] [--no-kills]

Three runs: without tracking, for comparison; with a spool, where nothing may be lost but what killed
workers had in hand; without one, where no more is missing than was counted. If no worker is killed, the
rollups must count every request.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import logging
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from flask_tracking import Settings, queries
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.pipeline.rollup_delivery import INTERVAL_S

from ..servers import MongoServer, gunicorn, mongo_server
from . import STATS, UNTRACKED
from .clients import Answer, Clients
from .faults import DATABASE_FULL, EXACT_FAULTS, FAULTS, Event, Fault, Site, kill_worker

Document = dict[str, Any]
WORKERS = 4
CLIENTS = 6
PAUSE_S = 0.02
FLUSH_INTERVAL_S = 1.0
EXPORT_TIMEOUT_S = 5.0
IN_HAND_S = FLUSH_INTERVAL_S + EXPORT_TIMEOUT_S
"""What a killed worker had taken in within this time may be lost."""
NEAR_S = 2.0
"""A client may see a broken connection so soon after a worker was killed."""
LATER = 10**7
"""The number of the first request that comes when all is well again."""
SMALL_QUEUE = 40
"""What waits in memory without a spool: an outage is to cost some of it."""
QUIET_S = INTERVAL_S + 2 * FLUSH_INTERVAL_S
"""So long after the last request nothing waits in memory, not even rollups: an end spools nothing."""
RESTARTS = 3
"""Even the last end may leave something on a busy machine, but less each time."""
FEW_ANSWERS = 60
PATIENCE_S = 60.0
"""How long to wait until all is stored."""


class Run(NamedTuple):
    """What came of one run."""

    answers: Sequence[Answer]
    errors: Sequence[tuple[float, str]]
    events: Sequence[Event]
    stored: collections.Counter[int]
    counted: collections.Counter[str]
    """Lost by the counts of the workers, by reason."""
    left: Sequence[str]
    """Files that are left in the spool."""
    requests: int
    """The number of requests by the rollups."""


def main() -> int:
    """Run, print what was found, and return the exit status."""
    parser = argparse.ArgumentParser(description="Let everything fail while clients go on.")
    parser.add_argument("--seconds", type=float, default=300.0, help="of the run with a spool")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--no-kills", action="store_true", help="end workers, but kill none")
    options = parser.parse_args()
    if MongoServer.kind() is None or not sys.platform.startswith("linux"):
        print("This needs a database server to kill, and Linux.")
        return 1
    logging.disable()
    print(f"The seed is {options.seed}.", flush=True)
    seconds, seed = options.seconds, options.seed
    faults = [fault for fault in FAULTS if not (options.no_kills and fault is kill_worker)]
    control = run("Without tracking", faults, seconds / 3, seed, is_tracked=False)
    spooled = run("With a spool", faults, seconds, seed, has_spool=True)
    bare = run("Without a spool", EXACT_FAULTS, seconds / 2, seed)
    problems = [
        *find_unexplained_errors(control, "without tracking"),
        *find_unexplained_errors(spooled, "with a spool"),
        *find_unexplained_errors(bare, "without a spool"),
        *find_delays(control, spooled),
        *find_losses(spooled),
        *compare_requests(spooled),
        *compare_counts(bare),
    ]
    for problem in problems:
        print(f"  {problem}")
    print("Something is wrong." if problems else "All that was promised is stored.")
    return 1 if problems else 0


def run(
    name: str,
    faults: Sequence[Fault],
    seconds: float,
    seed: int,
    *,
    has_spool: bool = False,
    is_tracked: bool = True,
) -> Run:
    """Run clients and faults for a while; return when all is stored and every process has ended."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flask-tracking-chaos-")))
        stats = folder / "stats"
        stats.mkdir()
        environ = {STATS: str(stats), "FLASK_TRACKING_FLUSH_INTERVAL_S": str(FLUSH_INTERVAL_S)}
        environ["FLASK_TRACKING_EXPORT_TIMEOUT_S"] = str(EXPORT_TIMEOUT_S)
        server = None
        if is_tracked:
            options = ("--enable-test-commands", "--sync-on-commit")
            server = stack.enter_context(mongo_server(*options, is_quiet=True))
            environ["FLASK_TRACKING_MONGODB_URI"] = f"{server.uri}shop"
        else:
            environ[UNTRACKED] = "yes"
        if has_spool:
            environ["FLASK_TRACKING_SPOOL_DIR"] = str(folder / "spool")
        else:
            environ["FLASK_TRACKING_QUEUE_RECORDS"] = str(SMALL_QUEUE)
        print(f"{name}, for {seconds:.0f} s:", end="", flush=True)
        clients, events = go_on(folder, environ, server, faults, seconds, seed)
        left = [str(path.relative_to(folder)) for path in find_files(folder / "spool")]
        result = Run(
            clients.answers,
            clients.errors,
            events,
            read_stored(server),
            read_counted(stats),
            left,
            read_requests(server),
        )
        print(f"\n  {describe(result)}", flush=True)
        return result


def go_on(
    folder: Path,
    environ: dict[str, str],
    server: MongoServer | None,
    faults: Sequence[Fault],
    seconds: float,
    seed: int,
) -> tuple[Clients, list[Event]]:
    """Let clients and faults go on; then wait until all is stored, or nothing more comes."""
    pid_file, spool = folder / "pid", folder / "spool"
    with serve(pid_file, environ) as url:
        site = Site(server, int(pid_file.read_text()), seed)
        with Clients(url, CLIENTS, PAUSE_S) as clients:
            break_things(site, faults, seconds, clients.answers)
        with Clients(url, 1, PAUSE_S, first=LATER):  # a worker begins with its first request
            wait_until_stored(site.server, clients.answers, spool)
    for number in range(RESTARTS):
        if find_files(spool):  # what a process could not store in time when it ended
            send_with_next_start(pid_file, environ, spool, first=(2 + number) * LATER)
    return clients, site.events


def send_with_next_start(pid_file: Path, environ: dict[str, str], spool: Path, first: int) -> None:
    """Start the app again, and return when it has sent the spool, or sends no more."""
    print(" start again,", end="", flush=True)
    with serve(pid_file, environ) as url:
        with Clients(url, 1, PAUSE_S, first=first):
            wait_until_sent(spool)
        time.sleep(QUIET_S)


def serve(pid_file: Path, environ: dict[str, str]) -> contextlib.AbstractContextManager[str]:
    """Serve the app; yields its URL."""
    options = ("--workers", str(WORKERS), "--pid", str(pid_file), "--log-level", "critical")
    return gunicorn("tests.chaos.app:app", *options, env=environ)


def break_things(
    site: Site, faults: Sequence[Fault], seconds: float, answers: Sequence[Answer]
) -> None:
    """Let all faults happen again and again, in random order, each when clients have got answers."""
    wait_for_answers(answers)
    ends_at = time.monotonic() + seconds
    waiting: list[Fault] = []
    while time.monotonic() < ends_at:
        if not waiting:
            waiting = site.random.sample(faults, len(faults))
        fault = waiting.pop()
        print(f" {fault.__name__.replace('_', ' ')},", end="", flush=True)
        fault(site)
        time.sleep(site.draw_pause(0.2, 1.5))
        wait_for_answers(answers)


def wait_for_answers(answers: Sequence[Answer]) -> None:
    """Return when a few more answers have come: new workers need a while on a busy machine."""
    wanted, ends_at = len(answers) + FEW_ANSWERS, time.monotonic() + PATIENCE_S
    while len(answers) < wanted and time.monotonic() < ends_at:
        time.sleep(0.05)


def wait_until_stored(server: MongoServer | None, answers: Sequence[Answer], spool: Path) -> None:
    """Return when all that was answered is stored, or nothing more comes."""
    if server is None:
        return
    wait_until_sent(spool)
    wanted = {answer.number for answer in answers}
    found, since = -1, time.monotonic()
    while time.monotonic() < since + 2 * IN_HAND_S:
        with contextlib.suppress(PyMongoError):
            stored = len(wanted & read_stored(server).keys())
            if stored == len(wanted):
                return
            if stored != found:
                found, since = stored, time.monotonic()
        time.sleep(FLUSH_INTERVAL_S)


def wait_until_sent(spool: Path) -> None:
    """Return when the spool is empty, or does not become emptier."""
    least, since = float("inf"), time.monotonic()
    while time.monotonic() < since + PATIENCE_S:
        count = len(find_files(spool))
        if not count:
            return
        if count < least:
            least, since = count, time.monotonic()
        time.sleep(0.2)


def find_files(spool: Path) -> list[Path]:
    """Return the files of the spool, those of rollups as well."""
    return [path for path in spool.rglob("*") if path.is_file()]


def read_stored(server: MongoServer | None) -> collections.Counter[int]:
    """Count how often each request is stored."""
    if server is None:
        return collections.Counter()
    with MongoClient[Document](server.uri) as client:
        paths = client["shop"]["tracking"].find({}, {"path": True})
        return collections.Counter(int(one["path"].removeprefix("/echo/")) for one in paths)


def read_requests(server: MongoServer | None) -> int:
    """Return how many requests the rollups count."""
    if server is None:
        return 0
    store = MongoExporter(Settings(mongodb_uri=f"{server.uri}shop", export_timeout_s=PATIENCE_S))
    try:
        return queries.measure(store, by=None, since="1d").total.requests
    finally:
        store.close()


def read_counted(stats: Path) -> collections.Counter[str]:
    """Add up what the workers that ended in order have counted as lost."""
    counted: collections.Counter[str] = collections.Counter()
    for path in stats.iterdir():
        counted.update(json.loads(path.read_text())["dropped"])
    return counted


def describe(run: Run) -> str:
    """Return the numbers of a run."""
    durations = sorted(answer.duration_s for answer in run.answers)
    missing = {answer.number for answer in run.answers} - run.stored.keys() if run.stored else ()
    return (
        f"{len(run.answers)} answers, {len(run.errors)} errors; half of the answers within "
        f"{1000 * durations[len(durations) // 2]:.0f} ms, 99 % within "
        f"{1000 * durations[-1 - len(durations) // 100]:.0f} ms, all within {durations[-1]:.2f} s; "
        f"{len(missing)} missing, counted as lost {dict(run.counted)}"
    )


# What must hold


def find_unexplained_errors(run: Run, name: str) -> Iterator[str]:
    """Name errors that no killed or replaced worker explains."""
    moments = [event.at for event in run.events]
    for at, error in run.errors:
        if not any(moment - 0.1 <= at <= moment + NEAR_S for moment in moments):
            yield f"{name} a client saw an error: {error}"


def find_delays(control: Run, run: Run) -> Iterator[str]:
    """Say so if clients had to wait as for a database, which each request would do in an outage."""
    usual = max(answer.duration_s for answer in control.answers)
    durations = sorted(answer.duration_s for answer in run.answers)
    slow = durations[-1 - len(durations) // 100]
    if slow > usual + EXPORT_TIMEOUT_S / 2:
        yield f"one in 100 clients waited for {slow:.2f} s; without tracking none waited {usual:.2f} s"


def find_losses(run: Run) -> Iterator[str]:
    """Name what is missing, stored twice or left, but what killed workers had in hand."""
    allowed = set().union(*(find_in_hand(event, run) for event in run.events if event.what == "killed"))
    missing = {answer.number for answer in run.answers} - run.stored.keys()
    print(f"  of {len(missing)} missing, workers that were killed had {len(missing & allowed)} in hand")
    lost = sorted(missing - allowed)
    forgotten = count_forgettable(run)
    if lost and forgotten:
        print(f"  SecantusDB has confirmed at most {forgotten} that it could not write to a full disk")
    if len(lost) > forgotten:
        yield f"missing with a spool: {lost[:20]} ({len(lost)} in all)"
    twice = [number for number, count in run.stored.items() if count > 1]
    if twice:
        yield f"stored more than once: {sorted(twice)[:20]}"
    if run.left:
        yield f"left in the spool: {run.left}"


def count_forgettable(run: Run) -> int:
    """Return how many records the database may have confirmed and lost; 0 for MongoDB.

    SecantusDB confirms the first insert that meets a full disk, also one that asks for the journal, and
    has lost it when it is started again. It refuses all later ones.
    """
    if MongoServer.kind() != "secantusd-py":
        return 0
    return sum(event.what == DATABASE_FULL for event in run.events) * Settings().batch_records


def compare_requests(run: Run) -> Iterator[str]:
    """Say so if the rollups do not count each request once; those of killed workers may be missing."""
    made = len({answer.number for answer in run.answers} | run.stored.keys())
    print(f"  of {made} requests the rollups count {run.requests}")
    has_killed = any(event.what == "killed" for event in run.events)
    if run.requests > made or (run.requests < made and not has_killed):
        yield f"the rollups count {run.requests} of {made} requests"


def find_in_hand(killed: Event, run: Run) -> set[int]:
    """Return what a worker had taken in shortly before it was killed."""
    since = killed.at - IN_HAND_S
    for event in run.events:
        # While the disk was full records waited in memory until the database came back.
        if event.what == "disk full" and killed.at - 15.0 < event.at < killed.at:
            since = min(since, event.at - IN_HAND_S)
    return {
        answer.number
        for answer in run.answers
        if answer.process == killed.process and answer.answered_at >= since
    }


def compare_counts(run: Run) -> Iterator[str]:
    """Say so if more is missing than was counted.

    Less may be: a call that was given up, and its records counted as lost, may have stored them.
    """
    missing = {answer.number for answer in run.answers} - run.stored.keys()
    counted = run.counted.total()
    if len(missing) > counted:
        yield f"without a spool {len(missing)} are missing, and {counted} counted"


if __name__ == "__main__":
    sys.exit(main())
