"""Groups of failures, with their counts, versions, users, and when they were first and last seen."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ...exporters.rollup_table import RollupQuery, RollupTable
from ...filters import Filter
from ...queries import find_newest
from ...queries.spans import choose_spans
from ...record import Record
from ...record_summary import RecordSummary, summarize
from ...rollups.counts import FAILED, is_failure
from ...rollups.rollup import Example, FailureKey, Failures, Rollup
from ..page import Page
from ..record.tracebacks import list_frames
from ..text import filter_text
from .periods import Columns, Periods, shift

LOOKBACK = timedelta(days=30)
"""A group that was not seen for this long is new."""
BACK_AFTER = timedelta(days=3)
"""A group that returns after this time is marked as back."""
AFTER = timedelta(minutes=1)
"""A request is counted in the minute of its end, and written with the next ones."""
MAX_SUMMARIES = 1_000
HISTORY, HISTORY_S = "how often it happened", 60.0
"""The name of the read of all groups of the last 30 days, and how long requests share its result."""
PAST = "which errors are new"
"""The name of the read of what happened before the range."""
NEWEST = "the newest failures"
"""The name of the read for users, and for groups under a filter that rollups cannot apply."""
STATUS = "status "
FAILURES, KEPT = Filter.parse("is:error"), Filter.parse("is:kept")
_VARIABLE = re.compile(
    r"0x[0-9a-fA-F]{1,64}|\b[0-9a-fA-F-]{36}\b|\b[0-9a-fA-F]{8,64}\b|\d{1,40}(?:\.\d{1,40})?"
)
"""Variable parts of messages: ``0x7f3a``, an ObjectId, ``42``. A near miss is ``cafe``."""
_QUOTED = re.compile(r"'[^']{0,200}'|\"[^\"]{0,200}\"")
"""An example is ``'vat_id'``; a near miss is the apostrophe of ``can't``, which has no other."""


Interval = tuple[datetime, datetime]


class Occurrences(NamedTuple):
    """The occurrences of a group, with the time resolution of the rollups."""

    first: Interval
    """The span of the first rollup that counts some."""
    first_times: int
    """The number of those in that span."""
    last: Interval
    times: int
    versions: tuple[str, ...] = ()
    """Ordered by when they were first seen."""
    example: Example | None = None


class Moments(NamedTuple):
    """When a group was seen first and last, by the records; None where these do not know."""

    first: datetime | None
    last: datetime | None


class Group(NamedTuple):
    """A group of failures in the range of a page."""

    id: str
    key: FailureKey
    failures: Failures
    is_new: bool
    is_back: bool
    versions: tuple[str, ...]
    trend: tuple[int, ...]
    """The failures of each column of the range; empty without rollups."""
    users: int | None
    """The number of users among the newest 1,000 failures; None if not counted."""
    first: Interval | None = None
    """When it was first seen, within the 30 days before the range; None if unknown."""
    last: Interval | None = None
    """When it was last seen in the range; None without rollups."""

    @property
    def tag(self) -> str:
        """The label beside it: ``new in 2.4.1``, ``new``, ``back`` or nothing."""
        if self.is_new:
            return f"new in {self.versions[0]}" if self.versions else "new"
        return "back" if self.is_back else ""


def make_id(key: FailureKey) -> str:
    """Return the id of a group, for URLs."""
    text = "\0".join("" if part is None else part for part in key)
    return hashlib.blake2s(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def make_terms(key: FailureKey) -> str:
    """Return the filter that selects the records of a group, as closely as a filter can."""
    return " ".join(filter(None, (make_error_term(key), make_route_term(key))))


def make_error_term(key: FailureKey) -> str:
    """Return the term that selects the exception, status or outcome."""
    if key.error.startswith(STATUS):
        # Apps may send invalid status codes.
        code = filter_text.find_term("status", key.error.removeprefix(STATUS))
        return f"{code} not has:exception".lstrip()
    if key.error in FAILED:
        return filter_text.term("outcome", key.error)
    return filter_text.find_term("error", key.error)


def make_route_term(key: FailureKey) -> str:
    """Return the term that selects the route; empty for none."""
    is_route = key.url_rule is not None and key.url_rule.startswith("/")
    return filter_text.term("route", key.url_rule or "") if is_route else ""


def read_occurrences(
    table: RollupTable, since: datetime, until: datetime, now: datetime
) -> dict[FailureKey, Occurrences]:
    """Return the occurrences of each group within a range."""
    return _count_occurrences(_find_rollups(table, since, until, now))


def _find_rollups(table: RollupTable, since: datetime, until: datetime, now: datetime) -> list[Rollup]:
    return [
        rollup
        for span in choose_spans(table, since, until, now)
        for rollup in table.find(RollupQuery(*span, with_routes=False, with_examples=False))
    ]


def _count_occurrences(rollups: Iterable[Rollup]) -> dict[FailureKey, Occurrences]:
    found: dict[FailureKey, Occurrences] = {}
    for rollup in sorted(rollups, key=lambda one: one.start):
        span = rollup.start, rollup.end
        for key, group in rollup.failures.items():
            before = found.get(key) or Occurrences(span, 0, span, 0)
            versions = dict.fromkeys([*before.versions, *filter(None, [rollup.version])])
            examples = filter(None, (before.example, group.example))
            found[key] = Occurrences(
                before.first,
                before.first_times + (group.count if span == before.first else 0),
                span,
                before.times + group.count,
                tuple(versions),
                max(examples, default=None),
            )
    return found


def read_moments(page: Page, key: FailureKey, seen: Occurrences) -> Moments:
    """Return when a group was seen first and last, as exactly as records can tell.

    The first is known while all records of the first span are stored. Records do not know the function
    of their exception, so the caller asks where the group is the only one of its exception and route.
    """
    wanted = Filter.parse(make_terms(key)) & stored_failures(page)

    def find(span: Interval, limit: int) -> list[RecordSummary]:
        # A request is counted in the minute of its end.
        between = page.confine(span[0]) - AFTER, span[1]
        return page.store.find(wanted, limit=limit, between=between, fields="summary")

    first: list[RecordSummary] = []
    if seen.first_times <= MAX_SUMMARIES:
        first = find(seen.first, MAX_SUMMARIES)
    last = find(seen.last, 1)
    return Moments(
        first[-1].date_created if seen.first_times <= len(first) < MAX_SUMMARIES else None,
        last[0].date_created if last else None,
    )


def read_groups(page: Page, periods: Periods, columns: Columns) -> list[Group]:
    """Return the groups of the range, the most frequent first."""
    past = _read_past(page, periods)
    groups = [
        _make_group(key, failures, periods, columns, past)
        for key, failures in read_failures(page, periods, columns)
    ]
    if any(any(one.trend) for one in groups) or not (groups and columns.now):
        return groups
    return _add_trends(groups, columns, read_summaries(page, columns) or ())


def _add_trends(
    groups: Sequence[Group], columns: Columns, summaries: Sequence[RecordSummary]
) -> list[Group]:
    """Add the trends of groups of records, which are not in the columns, if all of these were read."""
    if len(summaries) >= MAX_SUMMARIES:
        return list(groups)
    starts = [column.start for column in columns.now]
    counts: dict[tuple[str, str | None], list[int]] = {}
    for one in summaries:
        trend = counts.setdefault((*_name(one), one.url_rule), [0] * len(starts))
        trend[max(0, bisect_right(starts, one.date_created) - 1)] += 1
    return [
        one._replace(trend=tuple(counts.get((one.key.error, one.key.url_rule), ()))) for one in groups
    ]


def group_route(page: Page, periods: Periods, columns: Columns, rule: str) -> list[Group]:
    """Return the groups of one route, for all methods: groups do not store the method."""
    if periods.now.source == "records":
        return read_groups(page, periods, columns)
    counts: Counter[FailureKey] = Counter()
    for column in columns.now:
        for key, by_version in column.failures.items():
            counts[key] += by_version.total() if key.url_rule == rule else 0
    past = _read_past(page, periods)
    return [
        _make_group(key, Failures(number), periods, columns, past)
        for key, number in counts.most_common()
        if number
    ]


def count_new(groups: Iterable[Group]) -> int:
    """Return the number of groups that were not seen before the range."""
    return sum(one.is_new for one in groups)


def read_failures(
    page: Page, periods: Periods, columns: Columns
) -> Sequence[tuple[FailureKey, Failures]]:
    """Return the failures by group; of a filter by routes those of the newest records."""
    now = periods.now
    if now.failures or not now.total.failed:
        return now.failures
    found: dict[FailureKey, Failures] = {}
    for one in read_summaries(page, columns) or ():
        key = FailureKey(*_name(one), "", "", one.url_rule)
        found.setdefault(key, Failures()).add(1, Example(one.kept, one.id))
    return sorted(found.items(), key=lambda pair: (-pair[1].count, repr(pair[0])))


def find_group(page: Page, record: Record) -> str:
    """Return the id of the group that a failed request belongs to; empty if nobody knows.

    Rollups of that time know which groups there were. A record has its traceback, though with the
    paths of the machine where it was raised: of several groups that is meant in whose function it ends.
    """
    if not is_failure(record.status_code, record.outcome):
        return ""
    error, *_ = _name(summarize(record))
    table = page.store.rollups
    if table is None:
        return make_id(FailureKey(error, "", "", record.url_rule))
    arrived = page.confine(record.date_created)
    ended = arrived + timedelta(milliseconds=record.execution_time or 0.0)
    seen = read_occurrences(table, arrived, ended + AFTER, page.now)
    alike = [key for key in seen if (key.error, key.url_rule) == (error, record.url_rule)]
    if len(alike) > 1:
        traceback = record.exception.traceback if record.exception is not None else ""
        places = [(frame.file, frame.function) for frame in list_frames(traceback)]
        alike = [key for key in alike if any(_is_in(key, *place) for place in places)]
        alike.sort(key=lambda key: max(at for at, one in enumerate(places) if _is_in(key, *one)))
    return make_id(alike[-1]) if alike else ""


def read_history(page: Page, group: str) -> Occurrences | None:
    """Return how often a group happened in the last 30 days, and when; None if nobody knows."""
    table = page.store.rollups
    if table is None or not group:
        return None
    history = page.share(
        HISTORY,
        lambda: {
            make_id(key): seen
            for key, seen in read_occurrences(table, page.now - LOOKBACK, page.now, page.now).items()
        },
        HISTORY_S,
        heavy_s=0.0,
    )
    return history.get(group)


def _is_in(key: FailureKey, file: str, function: str) -> bool:
    return file.endswith(key.file) and function == key.function


def _name(one: RecordSummary) -> tuple[str]:
    return (one.exception_type or (f"{STATUS}{one.status_code}" if one.status_code else one.outcome),)


def stored_failures(page: Page) -> Filter:
    """Return the filter for stored failures. All are kept, and of the kept ones few have to be read."""
    return FAILURES & KEPT if page.tracked.settings.kept_size_bytes else FAILURES


def read_summaries(page: Page, columns: Columns) -> list[RecordSummary] | None:
    """Return the newest failures of the range and the filter; None after a timeout.

    Rollups tell about when so many began, so that one read finds them, and little else; what that read
    does not find is searched further back.
    """
    wanted = page.wanted & stored_failures(page)

    def read() -> list[RecordSummary] | None:
        found: list[RecordSummary] = []
        since = _find_reach(columns)
        if since is not None:
            between = (since, None)
            found = page.store.find(wanted, limit=MAX_SUMMARIES, between=between, fields="summary")
        rest = wanted.narrowed(None, since)
        return found + find_newest(page.store, rest, MAX_SUMMARIES - len(found), fields="summary")

    return page.share(NEWEST, lambda: page.attempt(NEWEST, read, None))


def _find_reach(columns: Columns) -> datetime | None:
    """Return a time since which there were `MAX_SUMMARIES` failures, or all; None if nobody knows.

    A request is counted when it ends: of a column some arrived in the one before.
    """
    if columns.source != "rollups":
        return None
    since, is_enough, failed = None, False, 0
    for column in reversed(columns.now):
        since = column.start
        if is_enough:
            break
        failed += column.counts.failed
        is_enough = failed >= MAX_SUMMARIES
    return since


def count_users(groups: Iterable[Group], summaries: Iterable[RecordSummary]) -> list[Group]:
    """Add the number of users, counted by exception and route, to each group."""
    users: dict[tuple[str, str | None], set[str]] = {}
    for one in summaries:
        if one.user:
            users.setdefault((*_name(one), one.url_rule), set()).add(one.user)
    return [one._replace(users=len(users.get((one.key.error, one.key.url_rule), ()))) for one in groups]


def _read_past(page: Page, periods: Periods) -> Mapping[FailureKey, Occurrences] | None:
    """Return the occurrences before the range; None where nothing was counted in the time before it."""
    table = page.store.rollups
    if table is None or page.vs == "none":
        return None

    def read() -> Mapping[FailureKey, Occurrences] | None:
        rollups = _find_rollups(table, periods.since - LOOKBACK, periods.since, page.now)
        earlier, later = shift(page, periods.since, periods.until)
        before = (one for one in rollups if one.end > earlier and one.start < later)
        return _count_occurrences(rollups) if any(one.total.requests for one in before) else None

    return page.share(PAST, lambda: page.attempt(PAST, read, None))


def _make_group(
    key: FailureKey,
    failures: Failures,
    periods: Periods,
    columns: Columns,
    past: Mapping[FailureKey, Occurrences] | None,
) -> Group:
    seen = None if past is None else past.get(key)
    by_column = [column.failures.get(key, Counter[str | None]()) for column in columns.now]
    versions = dict.fromkeys(version for one in by_column for version in one if version)
    length = timedelta(seconds=columns.seconds)
    spans = [
        (column.start, column.start + length)
        for column, one in zip(columns.now, by_column, strict=True)
        if one
    ]
    first = None if past is None else seen.first if seen else next(iter(spans), None)
    # Summaries of records lack file and function, so their groups match no group of rollups.
    is_known = past is not None and bool(by_column and any(by_column))
    return Group(
        make_id(key),
        key,
        failures,
        is_known and seen is None,
        seen is not None and seen.last[1] < periods.since - BACK_AFTER,
        tuple(versions),
        tuple(one.total() for one in by_column),
        None,
        first,
        spans[-1] if spans else None,
    )


def generalise(message: str) -> str:
    """Replace the variable parts of a message: numbers, ids and quoted text."""
    return _VARIABLE.sub("…", _QUOTED.sub("'…'", message[:500]))
