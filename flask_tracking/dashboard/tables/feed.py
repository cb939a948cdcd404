"""The feed of a live list: what one process has seen of it, numbered, for all of its viewers.

Each viewer has its own position in the feed, so that each row is read and rendered once, and sent once
to each viewer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple

from ...filters import Filter
from ...record_summary import RecordSummary
from ..page import Page

MAX_NEW = 200
"""If more are stored between two reads, the feed begins anew, and viewers get only the latest."""
MAX_ROWS = 400
"""How many rows are held for viewers that ask late."""
IDLE = timedelta(seconds=30)
"""After this time without a viewer a feed begins anew."""
CLOCK_STEP = timedelta(seconds=1)
"""The clock of a machine may be corrected so far back: requests are stored in order all the same."""
BUDGET_S, BUDGET_OF_ROW_S = 0.02, 0.002
"""What a read may take, and how much more for each new row. Slower reads are repeated less often: a
store that is far away is asked less, but many rows would only be more later."""
MAX_SLOWDOWN = 8.0
MAX_POSITIONS_LENGTH = 1_000

Render = Callable[[Sequence[RecordSummary]], list[str]]
"""Return a text for each request."""


class FeedRow(NamedTuple):
    """A row, rendered for all viewers."""

    date_created: datetime
    summary_id: str
    text: str


class Feed(NamedTuple):
    """The rows that were stored since it began."""

    name: str
    """Differs in each process, and each time the feed begins."""
    tail: Any
    """Where the store goes on, for `Store.tail`."""
    rows: tuple[FeedRow, ...]
    """The last ones, in the order of storing."""
    number: int
    """The number of the last row."""
    read_at: datetime
    ended_at: float
    """When the last read ended, by the monotonic clock."""
    excesses: tuple[float, float]
    """How many times the budget the last two reads took."""

    @property
    def position(self) -> str:
        """The position after the last row, for a viewer that has them all."""
        return f"{self.name}.{self.number}"

    @property
    def slowdown(self) -> float:
        """How much less often to read it: 1 within the budget. A single slow read does not count."""
        return max(1.0, min(*self.excesses, MAX_SLOWDOWN))

    def rows_after(self, positions: str) -> list[str] | None:
        """Return the rows after a viewer's position, those that arrived last first.

        Args:
            positions: those of the viewer in the feeds of all processes, separated by commas.

        Returns:
            None if the viewer has no position in this feed, or one that is too long ago.
        """
        last = self._find(positions)
        if last is None:
            return None
        new = self.rows[len(self.rows) - (self.number - last) :]
        return [one.text for one in sorted(new, reverse=True)]

    def _find(self, positions: str) -> int | None:
        for one in positions[:MAX_POSITIONS_LENGTH].split(","):
            name, _, number = one.partition(".")
            if name == self.name and number.isascii() and number.isdigit() and len(number) < 16:
                return int(number) if self._holds_after(int(number)) else None
        return None

    def _holds_after(self, number: int) -> bool:
        return self.number - len(self.rows) <= number <= self.number


def begin_feed(page: Page) -> Feed:
    """Begin after all that is stored now."""
    began = monotonic()
    tail = page.store.tail(Filter.all).position
    ended = monotonic()
    return Feed(secrets.token_hex(4), tail, (), 0, page.now, ended, (0.0, (ended - began) / BUDGET_S))


def renew_feed(page: Page, feed: Feed, render: Render) -> Feed:
    """Return the feed with what was stored since; a new one where it cannot go on.

    While the filter of the page is wrong, the list is empty.
    """
    if page.filter_error or not -CLOCK_STEP <= page.now - feed.read_at <= IDLE:
        return begin_feed(page)
    began = monotonic()
    found, tail = page.store.tail(page.wanted, feed.tail, limit=MAX_NEW)
    if len(found) == MAX_NEW:
        return begin_feed(page)
    new = tuple(
        FeedRow(one.date_created, str(one.id), text)
        for one, text in zip(found, render(found), strict=True)
    )
    ended = monotonic()
    return Feed(
        feed.name,
        tail,
        (feed.rows + new)[-MAX_ROWS:],
        feed.number + len(new),
        max(feed.read_at, page.now),
        ended,
        (feed.excesses[1], (ended - began) / (BUDGET_S + len(new) * BUDGET_OF_ROW_S)),
    )
