"""Whether every process stores what it records, and in time: by what each counts of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from ..exporters.store import Problem
from ..record import Record
from ..rollups.rollup import Rollup
from ..runtime.text import count_of
from .subject import Findings, Subject, Unknown, describe_age

WHY_DROPPED = "Its log says why; the page Operations says what to do about each reason"
NO_ROLLUPS = "there are no rollups, which would tell"
WHY_LATE = "The store was away or slow, or the process has too little CPU: see its log"
STORE_LESS = "TRACKING_SAMPLE_RATE makes records fewer"
SPOOL_IT = f"TRACKING_SPOOL_DIR lets records wait on disk, {STORE_LESS}"
RECENT = timedelta(minutes=15)
"""Who lagged before then has caught up."""
LATE_S = 10.0
"""A record that waits for so much longer than the flush interval is late."""


def check_drops(subject: Subject) -> Findings:
    """Records that processes lost, by the rollups of each; without these by the gaps in the sample."""
    minutes = subject.minutes
    if minutes is None or not minutes.rollups:
        yield from _check_gaps(subject.sample)
        yield Unknown(NO_ROLLUPS if minutes is None else _name_silence(minutes.lifetime))
        return
    dropped: dict[str, Counter[str]] = {}
    for rollup in minutes.rollups:
        dropped.setdefault(rollup.process or "unknown", Counter()).update(rollup.dropped)
    for process, reasons in sorted(dropped.items()):
        if reasons.total():
            listed = ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common())
            yield Problem(
                "warning",
                f"The process {process} lost {count_of(reasons.total(), 'record')} in the last "
                f"{describe_age(minutes.lifetime.total_seconds())}: {listed}",
                WHY_DROPPED,
            )


def _name_silence(time: timedelta) -> str:
    age = describe_age(time.total_seconds())
    return f"no counts of the last {age} are stored: each process stores its own once a minute"


def _check_gaps(sample: Sequence[Record]) -> Findings:
    dropped: Counter[str] = Counter()
    for record in sample:
        dropped[record.process or "unknown"] += record.dropped_before
    for process, number in sorted((+dropped).items()):
        yield Problem(
            "warning",
            f"The process {process} dropped {count_of(number, 'record')} before some of the last "
            f"{len(sample)}",
            WHY_DROPPED,
        )


def check_lag(subject: Subject) -> Findings:
    """Processes whose records wait in memory for long, because the store or they are too slow."""
    if subject.minutes is None:
        yield Unknown(NO_ROLLUPS)
        return
    waits = _find_waits(subject.minutes.rollups)
    if not waits:
        yield Unknown(_name_silence(RECENT))
        return
    late_s = subject.settings.flush_interval_s + LATE_S
    advice = SPOOL_IT if subject.settings.spool_dir is None else STORE_LESS
    for process, (lag_s, waiting) in sorted(waits.items()):
        if lag_s > late_s:
            yield Problem(
                "warning",
                f"The process {process} lags: in the last {describe_age(RECENT.total_seconds())} "
                f"a record waited {describe_age(lag_s)} in its memory, and up to {waiting:,} at once",
                f"{WHY_LATE}. {advice}",
            )
    longest_s = max(wait.lag_s for wait in waits.values())
    yield f"no record waited longer than {longest_s:.1f} s; processes: {len(waits):,}"


class Wait(NamedTuple):
    """What waited in the memory of a process, at most."""

    lag_s: float = 0.0
    records: int = 0


def _find_waits(minutes: Sequence[Rollup]) -> dict[str, Wait]:
    since = datetime.now(timezone.utc) - RECENT
    waits: dict[str, Wait] = {}
    for one in minutes:
        if one.end > since:
            process = one.process or "unknown"
            before = waits.get(process, Wait())
            lag_s, records = one.lag_ms / 1000, one.waiting
            waits[process] = Wait(max(before.lag_s, lag_s), max(before.records, records))
    return waits
