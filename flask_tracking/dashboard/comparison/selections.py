"""The shared panel: samples slow, failed or filtered requests and others, and presents the findings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from ...errors import FilterError
from ...filters import Filter
from ...queries import (
    Density,
    Sample,
    SampleSide,
    find_reach,
    read_density,
    sample,
    sample_pair,
)
from ...queries.rollup_filter import find_unknown
from ...record import Record
from ...rollups.counts import Counts
from ...rollups.histogram import find_bucket
from ..page import Page
from ..text.numbers import count, duration, moment, share, size
from .shared_values import MIN_SELECTED, Findings, Item, Shared, Shift, find_shared
from .sides import ComparisonSide, read_sides
from .traits import ORDER, find_defining, leave_out, make_terms, read_traits

Count = Callable[[Counts], int]
BUDGET_S = 1.0
"""The time limit for both samples together; after it, incomplete samples are compared."""
MIN_WINDOWS = 8
"""Incomplete samples from fewer windows are not compared: they may cover a few moments only."""
FAILED = Filter.parse("is:error")
KEPT = Filter.parse("is:kept")
BY_HAND = frozenset({"status", "outcome", "exception", "kept because"})
"""Fields that restate that a request failed."""


class Side(NamedTuple):
    """One of the two sides of a comparison."""

    words: str
    """Like ``slow``; completes "98 % of …"."""
    wanted: Filter
    since: datetime
    until: datetime
    density: Density
    counting: Count | None
    """Counts the requests in rollups; None if rollups cannot."""


class Question(NamedTuple):
    """The two sides to compare."""

    title: str
    selected: Side
    others: Side
    left_out: frozenset[str]
    notes: tuple[str, ...] = ()
    """Remarks about the samples."""


class ProblemRequests(NamedTuple):
    """A class of problematic requests, all of which are kept."""

    words: str
    title: str
    wanted: Filter
    others: Filter
    counting: Count
    left_out: frozenset[str]


class SharedRow(NamedTuple):
    """A finding, prepared for display."""

    field: str
    value: str | None
    only: str
    """The URL of those requests; empty if no filter selects them."""
    add: str
    exclude: str
    selected: float
    others: float
    inside: str
    also: tuple[str, ...]


class ShiftRow(NamedTuple):
    """A shifted median, prepared for display."""

    name: str
    selected: str
    others: str


class Panel(NamedTuple):
    """The contents of the panel."""

    title: str
    selected_words: str
    others_words: str
    rows: tuple[SharedRow, ...]
    shifts: tuple[ShiftRow, ...]
    few: tuple[Record, ...]
    """The selected records if they are too few to compare."""
    nothing: str
    """The reason why there are no findings; empty if there are some."""
    about: str
    notes: tuple[str, ...]
    is_whole: bool
    """False if the time limit ended a sample."""


def ask(page: Page, of: str, within: str) -> Question:
    """Return the comparison that the URL parameters describe.

    Args:
        page: the page, with filter and range.
        of: ``slow``, ``failed`` or ``filter``; or ``compare`` for the sides ``a`` and ``b``.
        within: a filter for both sides, for example for a route.

    Raises:
        FilterError: `within` is invalid, or a side is missing or invalid.
    """
    among = Filter.parse(within)
    if of == "compare":
        return _ask_sides(page, *read_sides(page))
    if of == "filter":
        return _ask_filter(page, among)
    base = page.wanted_at_any_time & among
    return _ask_failed(page, base) if of == "failed" else _ask_slow(page, base)


def _ask_slow(page: Page, base: Filter) -> Question:
    slow_ms = page.tracked.settings.slow_ms
    slow, quick = (Filter.parse(f"slow:{sign}{slow_ms:g}ms") for sign in (">=", "<"))
    bucket = find_bucket(slow_ms / 1000)

    def count_slow(counts: Counts) -> int:
        return sum(number for at, number in counts.buckets.items() if at >= bucket)

    title, left_out = "What the slow ones share", frozenset({"kept because"})
    return _ask_kept(page, base, ProblemRequests("slow", title, slow, quick, count_slow, left_out))


def _ask_failed(page: Page, base: Filter) -> Question:
    title = "What the failed ones share"
    bad = ProblemRequests("failed", title, FAILED, ~FAILED, lambda counts: counts.failed, BY_HAND)
    return _ask_kept(page, base, bad)


def _ask_kept(page: Page, base: Filter, bad: ProblemRequests) -> Question:
    """Select failed or slow requests. They are kept, so the small kept collection is searched."""
    since, until = page.bounds
    notes = []
    has_kept = bool(page.tracked.settings.kept_size_bytes)
    reach = _find_reach(page, since, until, has_kept=has_kept)
    if reach > since:
        notes.append(f"Both sides begin at {moment(reach)}: older records are not stored.")
        since = reach
    rate = page.tracked.settings.sample_rate
    if rate < 1:
        notes.append(f"Of routine requests {share(rate)} are stored, evenly; the others are of these.")
    density = read_density(page.store, base, since, until, page.now)
    is_known = not find_unknown(base)
    mine: Count | None = bad.counting if is_known else None
    rest: Count | None = (lambda counts: counts.requests - bad.counting(counts)) if is_known else None
    selected = base & bad.wanted & KEPT if has_kept else base & bad.wanted
    return Question(
        bad.title,
        Side(bad.words, selected, since, until, density, mine),
        Side("others", base & bad.others, since, until, density, rest),
        bad.left_out,
        tuple(notes),
    )


def _find_reach(page: Page, since: datetime, until: datetime, *, has_kept: bool) -> datetime:
    """Return the time since which the records of both samples are stored."""
    wanted = (Filter(), KEPT) if has_kept else (Filter(),)
    found = [find_reach(page.store, one, since, until) for one in wanted]
    return max((one for one in found if one is not None), default=since)


def _ask_filter(page: Page, among: Filter) -> Question:
    since, until = page.bounds
    mine = page.wanted_at_any_time
    selected = _make_side(page, "these", among & mine, since, until)
    others = _make_side(page, "others", among & ~mine, since, until)
    return Question("What these requests share", selected, others, find_defining(mine))


def _ask_sides(page: Page, one: ComparisonSide, other: ComparisonSide) -> Question:
    """Compare the requests of the second side with those of the first."""
    if one.kind == "request":
        raise FilterError("Versions or times are expected here: two requests have a page of their own.")
    base = page.wanted_at_any_time
    before, now = (
        _make_side(page, name, base & side.wanted, side.since, side.until)
        for name, side in (("A", one), ("B", other))
    )
    # A process has one version, so its name adds nothing.
    left_out = frozenset({"version", "process"}) if one.version is not None else frozenset()
    return Question("More common in B", now, before, left_out)


def _make_side(page: Page, words: str, wanted: Filter, since: datetime, until: datetime) -> Side:
    """Return a side, whose requests are counted by rollups if these can apply its filter."""
    density = read_density(page.store, wanted, since, until, page.now)
    counting: Count | None = None if find_unknown(wanted) else lambda counts: counts.requests
    return Side(words, wanted, since, until, density, counting)


def answer(page: Page, question: Question) -> Panel:
    """Read both samples and return the panel.

    Raises:
        ExportError: the store is unreachable or refuses.
    """
    mine, others = _take(page, question)
    is_enough = all(one.is_whole or one.windows >= MIN_WINDOWS for one in (mine, others))
    found = _compare(question, mine, others) if is_enough else Findings((), (), 0)
    is_few = len(mine.records) < MIN_SELECTED
    return Panel(
        question.title,
        question.selected.words,
        question.others.words,
        tuple(_make_row(page, question, one) for one in found.shared),
        tuple(map(_make_shift, found.shifts)),
        tuple(reversed(mine.records)) if is_few else (),
        _explain_nothing(mine, others, found, is_enough=is_enough),
        _describe(question, mine, others, found),
        question.notes,
        mine.is_whole and others.is_whole,
    )


def _take(page: Page, question: Question) -> tuple[Sample, Sample]:
    """Return samples of both sides, from the same slices of time if both cover the same range."""
    mine, others = question.selected, question.others
    if (mine.since, mine.until) == (others.since, others.until):
        sides = [SampleSide(one.wanted, one.density, one.counting) for one in (mine, others)]
        return sample_pair(page.store, *sides, since=mine.since, until=mine.until, budget_s=BUDGET_S)
    ends_at = monotonic() + BUDGET_S
    first = _take_alone(page, mine, BUDGET_S / 2)
    return first, _take_alone(page, others, max(0.1, ends_at - monotonic()))


def _take_alone(page: Page, side: Side, budget_s: float) -> Sample:
    return sample(
        page.store,
        side.wanted,
        side.density,
        since=side.since,
        until=side.until,
        count=side.counting,
        budget_s=budget_s,
    )


def _compare(question: Question, mine: Sample, others: Sample) -> Findings:
    sides = [leave_out(one, question.left_out) for one in read_traits(mine.records, others.records)]
    return find_shared(*sides, order=ORDER)


def _explain_nothing(mine: Sample, others: Sample, found: Findings, *, is_enough: bool) -> str:
    """Return the reason why there are no findings; empty if there are some."""
    if len(mine.records) < MIN_SELECTED:
        return _explain_few(mine)
    if not is_enough:
        return "Too little was read in time to compare them."
    if not others.records:
        return "There are no others to compare them with."
    if not found.shared and not found.shifts:
        return "Nothing stands out: no value is more common among them beyond doubt."
    return ""


def _explain_few(mine: Sample) -> str:
    if not mine.is_whole:
        return f"Only {_count_of(mine)} could be read in time."
    if not mine.records:
        return "There are none." if not mine.requests else "None of them is stored."
    is_all = mine.requests is None or mine.requests <= len(mine.records)
    return f"Too few to compare: these are all {'of them' if is_all else 'that are stored'}."


def _make_row(page: Page, question: Question, one: Shared) -> SharedRow:
    only, rest = make_terms(one.item)
    inside = ""
    if one.inside is not None:
        route, here, there = one.inside
        words = question.selected.words, question.others.words
        inside = f"Within {route}: {share(here)} of {words[0]}, {share(there)} of {words[1]}."
    return SharedRow(
        one.item.field,
        one.item.value,
        page.narrow_to(only) if only else "",
        page.add(only) if only else "",
        page.add(rest) if rest else "",
        one.selected,
        one.others,
        inside,
        tuple(f"{item.field} {_name(item)}" for item in one.also),
    )


def _name(item: Item) -> str:
    return "is not known" if item.value is None else item.value


def _make_shift(one: Shift) -> ShiftRow:
    write = duration if one.name.startswith("time") else _write_size
    return ShiftRow(one.name, write(one.selected.middle), write(one.others.middle))


def _write_size(number: float) -> str:
    return size(round(number))


def _describe(question: Question, mine: Sample, others: Sample, found: Findings) -> str:
    """Describe the sizes of both samples."""
    words = question.selected.words
    sides = (
        f"{_count_of(mine)} {'requests' if words == 'these' else words}",
        f"{_count_of(others)} {question.others.words}, taken evenly from this range.",
    )
    if not found.fields:
        return " and ".join(sides)
    stand_out = len({one.item.field for one in found.shared})
    return f"{' compared with '.join(sides)} {stand_out} of {found.fields} fields stand out."


def _count_of(taken: Sample) -> str:
    number = len(taken.records)
    if taken.requests is None or taken.requests <= number:
        return f"{number:,}"
    return f"{number:,} of {count(taken.requests)}"
