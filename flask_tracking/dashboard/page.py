"""What all pages share: filter and range from the URL, and links that keep them."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any, TypeVar

from bson import ObjectId
from flask import Request, url_for
from markupsafe import Markup

from ..errors import FilterError, StoreTimeoutError
from ..exporters.store import Store
from ..filters import FIRST, Filter
from ..filters.term_values import parse_time
from ..record import Record
from ..registry import TrackedApp
from .security import csrf
from .security.boundary import BLUEPRINT
from .sharing import share
from .text import filter_text
from .text.numbers import iso

Result = TypeVar("Result")

KEPT = ("q", "from", "to", "vs")
"""The parameters that stay when the page changes."""
NOT_OURS = frozenset({"endpoint", "_anchor", "_external", "_method", "_scheme"})
"""Parameters that ``url_for`` would not write into the address but obey."""
DEFAULT_RANGE = "1h"
SHARED_S = 2.0
"""How long views share the result of a heavy query."""
LONGEST = timedelta(days=30)
"""What "all there is" means on pages that count."""
RANGES = (
    ("15m", "Last 15 minutes"),
    ("1h", "Last hour"),
    ("6h", "Last 6 hours"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
    ("all", "All there is"),
)
DEFAULT_VS, VERSION = "before", "version:"
AGAINST = (
    ("before", "against the time before"),
    ("day", "against a day before"),
    ("week", "against a week before"),
    ("none", "without comparison"),
)
"""What the range is compared with; or ``version:`` and a version."""
TABS = (
    ("overview", "Overview"),
    ("requests", "Requests"),
    ("routes", "Routes"),
    ("errors", "Errors"),
    ("health", "Health"),
)
OWN_PARAMETERS = {
    "requests": ("mark",),
    "route": ("rule", "method"),
    "error": (),
    "shared": ("of", "within", "a", "b"),
    "compare": ("a", "b"),
}
"""Of the pages that show one of many."""
TAB_OF = {
    "request": "requests",
    "reproduce": "requests",
    "route": "routes",
    "error": "errors",
    "shared": "overview",
    "compare": "",
}
KEYS = {"overview": "o", "requests": "r", "routes": "t", "errors": "e", "health": "h"}


class Page:
    """A request to the dashboard."""

    ranges = RANGES
    against = AGAINST
    tabs = TABS
    keys = KEYS

    def __init__(self, request: Request, tracked: TrackedApp, store: Store, *, nonce: str = "") -> None:
        """Read the URL. The page shows each invalid parameter beside its field.

        Args:
            request: the request.
            tracked: the app that is looked at.
            store: where its records are; only what changes a record asks it directly.
            nonce: of the app's own policy.
        """
        self.request = request
        self.tracked = tracked
        self.writer = store
        self.now = datetime.now(timezone.utc)
        self.name = (request.endpoint or "").rpartition(".")[2]
        self.problems: list[str] = []
        self.missing: list[str] = []
        """What could not be read within the time of the page."""
        self.q = request.args.get("q", "").strip()
        self.from_text = request.args.get("from", "").strip() or DEFAULT_RANGE
        self.to_text = request.args.get("to", "").strip()
        self.vs = self._read_vs(request.args.get("vs", "").strip() or DEFAULT_VS)
        self._nonce = nonce
        self.since = self._read_time(self.from_text)
        self.until = self._read_time(self.to_text)
        if self.since and self.since > (self.until or self.now):
            self.problems.append("The range ends before it begins.")
        self.new_cookie: str | None = None

    # What it shows

    @property
    def app_name(self) -> str:
        return self.tracked.name

    @property
    def app_version(self) -> str | None:
        return self.tracked.settings.app_version

    @property
    def tab(self) -> str:
        """The page of the navigation that this one belongs to; empty for none."""
        return TAB_OF.get(self.name, self.name)

    @property
    def form_action(self) -> str:
        """The address that the filter box leads to: this page, unless it shows one request."""
        if self.name in KEYS or self.name in OWN_PARAMETERS:
            return url_for(f"{BLUEPRINT}.{self.name}", **(self.request.view_args or {}))
        return url_for(f"{BLUEPRINT}.requests")

    @property
    def form_fields(self) -> list[tuple[str, str]]:
        """What says which route or comparison this page shows."""
        args = self.request.args
        return [(name, args[name]) for name in OWN_PARAMETERS.get(self.name, ()) if name in args]

    @property
    def nonce_attribute(self) -> Markup:
        return Markup(' nonce="{}"').format(self._nonce) if self._nonce else Markup("")

    @property
    def has_own_range(self) -> bool:
        """True if the range is not one of the offered ones."""
        return self.from_text not in {age for age, _ in RANGES} or bool(self.to_text)

    @property
    def is_live(self) -> bool:
        """True if new requests are to be shown as they are stored: only where the range has no end."""
        arguments = self.request.args
        return arguments.get("live") == "1" and not self.to_text and not arguments.get("after")

    @property
    def range_title(self) -> str:
        if self.to_text:
            return f"{self.from_text} to {self.to_text}"
        if not self.has_own_range:
            return dict(RANGES)[self.from_text]
        return f"Since {self.from_text}"

    @property
    def slow_title(self) -> str:
        """What slow means, by the setting."""
        slow_ms = self.tracked.settings.slow_ms
        return f"slower than {slow_ms / 1000:g} s" if slow_ms >= 1000 else f"slower than {slow_ms:g} ms"

    @property
    def vs_version(self) -> str:
        """The version that the range is compared with; empty for a time."""
        return self.vs.removeprefix(VERSION) if self.vs.startswith(VERSION) else ""

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """The range of pages that count, which begins and ends."""
        until = self.confine(self.until or self.now)
        return self.confine(self.since or until - LONGEST), until

    def confine(self, time: datetime) -> datetime:
        """Return the nearest time at which there can be records: others are beyond any arithmetic."""
        return max(FIRST, min(time, self.now))

    @property
    def shorter_range(self) -> tuple[str, str] | None:
        """The next shorter one of the offered ranges, as title and age; None without one."""
        if self.name not in KEYS and self.name not in OWN_PARAMETERS:
            return None  # it shows one request
        since, until = self.bounds
        found = None
        for age, title in RANGES:
            length = parse_time(age) if age != "all" else LONGEST
            if isinstance(length, timedelta) and length < until - since:
                found = title, age
        return found

    @property
    def is_of_days(self) -> bool:
        """True if the range is longer than a day: its times need their dates."""
        since, until = self.bounds
        return until - since > timedelta(days=1)

    @cached_property
    def wanted(self) -> Filter:
        """The filter within the range; raises a `FilterError` as `wanted_at_any_time` does."""
        return self.wanted_at_any_time.narrowed(self.since, self.until)

    @cached_property
    def wanted_at_any_time(self) -> Filter:
        """The filter alone.

        A wrong one raises a `FilterError`: what is counted without it would be taken for its answer.
        A page that has something to show all the same looks at `filter_error` first.
        """
        return Filter.parse(self.q)

    @cached_property
    def filter_error(self) -> str:
        """What is wrong with the filter, with the spot; empty for nothing."""
        try:
            Filter.parse(self.q)
        except FilterError as error:
            return str(error)
        return ""

    @cached_property
    def token(self) -> str:
        """The field that a form has to carry; the cookie that it goes with is set if need be."""
        cookie = csrf.read_cookie(self.request)
        if cookie is None:
            cookie = self.new_cookie = csrf.make_cookie()
        return csrf.make_token(cookie)

    # Reading

    @cached_property
    def store(self) -> Store:
        """The store for reading, with connections of its own."""
        return self.writer.reader()

    def attempt(
        self, what: str, read: Callable[[], Result], otherwise: Result, within_s: float = math.inf
    ) -> Result:
        """Return what `read` returns; if the time is over meanwhile, note it and return `otherwise`.

        Args:
            what: names what is missing then, for the page to say it.
            read: asks the store.
            otherwise: what the page shows instead.
            within_s: the time for it; never more than the page has left.
        """
        try:
            with self.store.limited(within_s):
                return read()
        except StoreTimeoutError:
            self.missing += [what] if what not in self.missing else []
            return otherwise

    def share(
        self,
        name: Hashable,
        read: Callable[[], Result],
        for_s: float = SHARED_S,
        *,
        heavy_s: float | None = None,
    ) -> Result:
        """Return what `read` returns, shared with other views of the same filter and range.

        Args:
            name: of the question; equal ones are shared for equal parameters.
            read: asks the store; its result must not hold this page.
            for_s: how long a result is good for.
            heavy_s: see `sharing.share`.
        """
        key = (name, self.q, self.from_text, self.to_text, self.vs)
        result, missing = share(
            self.tracked, key, lambda: self._read_noting(read), for_s=for_s, heavy_s=heavy_s
        )
        self.missing += [what for what in missing if what not in self.missing]
        return result

    def _read_noting(self, read: Callable[[], Result]) -> tuple[Result, list[str]]:
        known = len(self.missing)
        return read(), self.missing[known:]

    def get_record(self, text: str) -> Record | None:
        """Return the record with the id that is written in an address; None without it."""
        return self.store.get(ObjectId(text)) if ObjectId.is_valid(text) else None

    # Links

    def link_to(self, name: str, /, *, keep: Iterable[str] = KEPT, **values: Any) -> str:
        """Return the address of a page, with the parameters of this one that are in `keep`."""
        kept = {key: text for key in keep if (text := self._parameter(key))}
        return _make_address(name, {**kept, **values})

    def with_(self, **values: str | None) -> str:
        """Return the address of this page with other parameters; None leaves one out."""
        given = [key for key in self.request.args if key not in NOT_OURS]
        parameters: dict[str, Any] = {key: self._parameter(key) for key in given}
        parameters.update(self.request.view_args or {})
        parameters.update(values)
        return _make_address(self.name, parameters)

    @property
    def lasting_address(self) -> str:
        """The address of this page, with times in place of ages: it shows the same tomorrow."""
        since = None if self.since is None else iso(self.since)
        times = {"from": since or self.from_text, "to": iso(self.until or self.now)}
        return self.with_(q=filter_text.freeze(self.q, self.now), live=None, **times)

    def narrow_to(self, term: str) -> str:
        """Return the address of the list of those requests in the range to which `term` applies."""
        return self.link_to("requests", q=term)

    def add(self, term: str) -> str:
        """Return the address of the list with `term` added to the filter."""
        return self.link_to("requests", q=filter_text.join(self.q, term))

    def exclude(self, term: str) -> str:
        """Return the address of the list with what `term` means left out."""
        return self.link_to("requests", q=filter_text.exclude(self.q, term))

    def _parameter(self, key: str) -> str:
        text = self.request.args.get(key, "").strip()
        return "" if (key, text) in (("from", DEFAULT_RANGE), ("vs", DEFAULT_VS)) else text

    def _read_vs(self, text: str) -> str:
        if text in dict(AGAINST) or text.removeprefix(VERSION) not in ("", text):
            return text
        known = ", ".join(name for name, _ in AGAINST)
        self.problems.append(f"Invalid comparison {text!r}: expected {known} or version:NAME.")
        return DEFAULT_VS

    def _read_time(self, text: str) -> datetime | None:
        if not text or text == "all":
            return None
        try:
            time = parse_time(text)
        except FilterError as error:
            self.problems.append(str(error))
            return None
        return self.now - time if isinstance(time, timedelta) else time


def _make_address(name: str, values: dict[str, Any]) -> str:
    """Return the address of a page; half a pair of surrogates, which no address can hold, is ``?``."""
    wanted: dict[str, Any] = {
        key: str(value).encode("utf-8", "replace").decode()
        for key, value in values.items()
        if value not in (None, "")
    }
    return url_for(f"{BLUEPRINT}.{name}", **wanted)
