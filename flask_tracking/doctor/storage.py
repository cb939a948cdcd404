"""Whether the store is as the settings say, and what waits for it on disk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from ..exporters.store import Problem
from ..spool import Spool, SpoolFile, open_spool
from .subject import Findings, Subject, describe_age

LATE_S = 60.0
"""Running processes send what waits within this time, if the store answers."""
FULL = 0.8
"""From this share on the spool is nearly full."""


def check_store(subject: Subject) -> Findings:
    """The connection, rights and clocks; kinds, sizes and indexes of the collections."""
    yield from subject.store.describe()
    yield from subject.store.check()


def check_spool(subject: Subject) -> Findings:
    """Records that wait on disk, and files that are not sent."""
    spool = open_spool(subject.settings, subject.tracked.name)
    if spool is None:
        yield "TRACKING_SPOOL_DIR is not set"
        return
    yield from _check_waiting(spool.waiting())
    yield from _check_room(spool, subject.settings.spool_bytes)
    yield from _check_unsent(spool)


def _check_waiting(waiting: Sequence[SpoolFile]) -> Findings:
    records = sum(file.entry_count for file in waiting)
    yield f"{records:,} records wait"
    if not waiting:
        return
    age_s = datetime.now(timezone.utc).timestamp() - waiting[0].written_ms / 1000
    if age_s > LATE_S:
        yield Problem(
            "warning",
            f"Records wait in the spool since {describe_age(age_s)}",
            "Running processes send them when the store answers. To send them now",
            "flask tracking spool retry",
        )


def _check_room(spool: Spool, max_bytes: int) -> Findings:
    share = spool.size() / max_bytes
    if share >= FULL:
        yield Problem(
            "warning",
            f"The spool is {share:.0%} full: soon its oldest routine records are dropped",
            "Raise TRACKING_SPOOL_BYTES, and see why the records are not sent",
        )


def _check_unsent(spool: Spool) -> Findings:
    aside, foreign = len(spool.set_aside()), len(spool.foreign())
    if aside:
        yield Problem(
            "warning",
            f"{aside:,} files of the spool were set aside: they are damaged, or broke the exporter",
            "To see which",
            "flask tracking spool verify",
        )
    if foreign:
        yield Problem(
            "warning",
            f"{foreign:,} files of the spool are foreign or of another version, and are left alone",
            "To see which",
            "flask tracking spool list",
        )
