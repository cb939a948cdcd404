"""Checks of the store against the settings, and of the spool."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from ..config import Settings
from ..exporters.store import Problem, Store
from ..runtime.text import count_of
from ..spool import Spool, SpoolError, SpoolFile, open_rollup_spool, open_spool
from .subject import Findings, Subject, describe_age

LATE_S = 60.0
"""Running processes send what waits within this time, if the store answers."""
NAMES, NAME_LENGTH = 3, 80
"""How many documents are named, and with how many characters."""
FULL = 0.8
"""From this share on the spool is nearly full."""


def check_store(subject: Subject) -> Findings:
    """The connection, rights and clocks; kinds, sizes and indexes of the collections."""
    if subject.store is None:
        name = type(subject.tracked.exporter).__name__
        yield f"{name} is not a store: the records that it takes cannot be examined"
        return
    yield from subject.store.describe()
    yield from subject.store.check()
    yield from _check_rollups(subject.store)


def _check_rollups(store: Store) -> Findings:
    foreign = [] if store.rollups is None else store.rollups.find_foreign()
    if foreign:
        more = ["…"] if len(foreign) > NAMES else []
        named = ", ".join([*(one[:NAME_LENGTH] for one in foreign[:NAMES]), *more])
        yield Problem(
            "warning",
            f"Documents in the collection of rollups that are not rollups, by their _id: {named}",
            "They are left out of all statistics. Another program wrote them: delete them",
        )


def check_spool(subject: Subject) -> Findings:
    """Records that wait on disk, and files that are not sent."""
    spool = open_spool(subject.settings, subject.tracked.name)
    if spool is None:
        yield "TRACKING_SPOOL_DIR is not set"
        return
    try:
        yield from _check_files(spool, subject.settings)
    except SpoolError as error:
        yield Problem("error", str(error), error.fix)


def _check_files(spool: Spool, settings: Settings) -> Findings:
    rollups = open_rollup_spool(spool)
    yield from _check_waiting("record", spool.waiting())
    if settings.rollup_days:
        yield from _check_waiting("rollup", rollups.waiting())
    elif left := _count_entries(rollups.waiting()):
        yield f"{count_of(left, 'rollup')} left there, while TRACKING_ROLLUP_DAYS is 0"
    yield from _check_access(spool)
    yield from _check_room(spool, settings.spool_bytes)
    yield from _check_unsent(spool, rollups)


def _check_waiting(noun: str, waiting: Sequence[SpoolFile]) -> Findings:
    entries = _count_entries(waiting)
    if entries or noun == "record":
        yield f"{count_of(entries, noun)} waiting"
    if not waiting:
        return
    age_s = datetime.now(timezone.utc).timestamp() - waiting[0].written_ms / 1000
    if age_s > LATE_S:
        yield Problem(
            "warning",
            f"The oldest {noun} has waited in the spool for {describe_age(age_s)}",
            "Running processes send them when the store answers. To send them now",
            "flask tracking spool retry",
        )


def _count_entries(files: Sequence[SpoolFile]) -> int:
    return sum(file.entry_count for file in files)


def _check_access(spool: Spool) -> Findings:
    obstacle = spool.find_obstacle()
    if obstacle is not None:
        yield Problem(
            "warning",
            f"This user cannot write to the spool: {obstacle}",
            "Mount its disk, or give the directory to the user of the app, and run this as that user",
        )


def _check_room(spool: Spool, max_bytes: int) -> Findings:
    share = spool.size() / max_bytes
    if share >= FULL:
        yield Problem(
            "warning",
            f"The spool is {share:.0%} full: soon its oldest routine records are dropped",
            "Raise TRACKING_SPOOL_BYTES, and see why the records are not sent",
        )


def _check_unsent(*spools: Spool) -> Findings:
    aside = sum(len(spool.set_aside()) for spool in spools)
    foreign = sum(len(spool.foreign()) for spool in spools)
    if aside:
        yield Problem(
            "warning",
            f"The spool has {count_of(aside, 'file')} set aside: damaged, or the exporter failed "
            "with it",
            "What is intact in damaged files is stored already. `flask tracking spool verify` names "
            "them, `spool retry` sends those that are whole. To delete the damaged ones",
            "flask tracking spool discard",
        )
    if foreign:
        yield Problem(
            "warning",
            f"The spool has {count_of(foreign, 'file')} of another program or version, left alone",
            "To see which",
            "flask tracking spool list",
        )
