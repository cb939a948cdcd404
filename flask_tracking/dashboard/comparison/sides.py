"""The two sides of a comparison, parsed from the URL."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from bson import ObjectId

from ...errors import FilterError
from ...filters import Filter
from ...filters.term_values import parse_time
from ..page import VERSION, Page
from ..text.numbers import moment

EXPECTED = (
    "expected version:NAME, the id of a request, or two times like 2026-11-24T12:00/2026-11-24T13:00"
)


class ComparisonSide(NamedTuple):
    """One side: the requests of a version or of a period, or a single request."""

    text: str
    """As in the URL."""
    title: str
    wanted: Filter
    since: datetime
    until: datetime
    version: str | None = None
    record_id: ObjectId | None = None

    @property
    def kind(self) -> str:
        """``request``, ``version`` or ``period``. Both sides must be of the same kind."""
        if self.record_id is not None:
            return "request"
        return "version" if self.version is not None else "period"


def read_sides(page: Page) -> tuple[ComparisonSide, ComparisonSide]:
    """Return the sides given by the parameters ``a`` and ``b``, or by two parameters ``mark``.

    Raises:
        FilterError: one is missing, invalid, or of another kind than the other.
    """
    args = page.request.args
    marked = args.getlist("mark")
    texts = [args.get("a", "").strip(), args.get("b", "").strip()]
    if not any(texts):
        if len(marked) != 2:
            raise FilterError(f"Requests marked: {len(marked)}; mark two to compare them.")
        texts = marked
    one, other = (_read_side(page, text) for text in texts)
    if one.kind != other.kind:
        raise FilterError(f"A {one.kind} cannot be compared with a {other.kind}: {EXPECTED}, for both.")
    return one, other


def _read_side(page: Page, text: str) -> ComparisonSide:
    since, until = page.bounds
    if ObjectId.is_valid(text):
        return ComparisonSide(text, text, Filter(), since, until, record_id=ObjectId(text))
    name = text.removeprefix(VERSION)
    if name not in ("", text):
        wanted = Filter.term("version", name, is_literal=True)
        # A version may have ended where the range begins.
        return ComparisonSide(text, name, wanted, since - (until - since), until, version=name)
    first, slash, last = text.partition("/")
    if not slash:
        raise FilterError(f"Invalid side {text!r}: {EXPECTED}.")
    start, end = (_read_time(page, one) for one in (first, last))
    if start >= end:
        raise FilterError(f"Invalid side {text!r}: it ends before it begins.")
    return ComparisonSide(text, f"{moment(start)} to {moment(end)}", Filter(), start, end)


def _read_time(page: Page, text: str) -> datetime:
    time = parse_time(text)
    return page.confine(page.now - time if isinstance(time, timedelta) else time)
