"""The state shared by all pages: the filter and range of the URL, and links that preserve them."""

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
from .text.numbers import iso, moment

Result = TypeVar("Result")

KEPT = ("q", "from", "to", "vs")
"""The parameters that stay when the page changes."""
NOT_OURS = frozenset({"endpoint", "_anchor", "_external", "_method", "_scheme"})
"""Keyword arguments that ``url_for`` interprets, and does not add to the query string."""
DEFAULT_RANGE = "1h"
SHARED_S = 2.0
"""How long concurrent views share the result of an expensive query."""
LONGEST = timedelta(days=30)
"""The range of "All there is" on pages that show statistics."""
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
"""The query parameters that identify the subject of a page, by page."""
TAB_OF = {
    "request": "requests",
    "related": "requests",
    "newer": "requests",
    "older": "requests",
    "reproduce": "requests",
    "route": "routes",
    "error": "errors",
    "shared": "overview",
    "compare": "",
}
KEYS = {"overview": "o", "requests": "r", "routes": "t", "errors": "e", "health": "h"}


class Page:
    """The context of a request to the dashboard: URL parameters, store, and links to other pages."""

    ranges = RANGES
    against = AGAINST
    tabs = TABS
    keys = KEYS

    def __init__(self, request: Request, tracked: TrackedApp, store: Store, *, nonce: str = "") -> None:
        """Read the URL. The page shows each invalid parameter beside its field.

        Args:
            request: the request.
            tracked: the app that is looked at.
            store: the store of the app, for changes; reads use a client of their own.
            nonce: of the app's own policy.
        """
        self.request = request
        self.tracked = tracked
        self.writer = store
        self.now = datetime.now(timezone.utc)
        self.name = (request.endpoint or "").rpartition(".")[2]
        self.problems: list[str] = []
        self.missing: list[str] = []
        """The parts that could not be read within the time limit of the page."""
        self.q = request.args.get("q", "").strip()
        self.from_text = request.args.get("from", "").strip() or DEFAULT_RANGE
        self.to_text = request.args.get("to", "").strip()
        self.vs = self._read_vs(request.args.get("vs", "").strip() or DEFAULT_VS)
        self._nonce = nonce
        self._results: dict[Hashable, tuple[Any, list[str]]] = {}
        """What `share` has returned: parts of one page ask the same, also where that is quick."""
        self.since = self._read_time(self.from_text)
        self.until = self._read_time(self.to_text)
        if self.since and self.since > (self.until or self.now):
            self.problems.append("The range ends before it begins.")
        self.new_cookie: str | None = None
        self.new_errors: int | None = None
        """The number of new groups of errors in this range; None if the page does not know."""

    # What it shows

    @property
    def app_name(self) -> str:
        return self.tracked.name

    @property
    def app_version(self) -> str | None:
        return self.tracked.settings.app_version

    @property
    def tab(self) -> str:
        """The tab of the navigation to highlight; empty for none."""
        return TAB_OF.get(self.name, self.name)

    @property
    def form_action(self) -> str:
        """The target of the filter form: this page, or the list if this page shows a single request."""
        if self.name in KEYS or self.name in OWN_PARAMETERS:
            return url_for(f"{BLUEPRINT}.{self.name}", **(self.request.view_args or {}))
        return url_for(f"{BLUEPRINT}.requests")

    @property
    def form_fields(self) -> list[tuple[str, str]]:
        """The hidden fields of the filter form, which identify the subject of this page."""
        args = self.request.args
        return [(name, args[name]) for name in OWN_PARAMETERS.get(self.name, ()) if name in args]

    @property
    def nonce_attribute(self) -> Markup:
        return Markup(' nonce="{}"').format(self._nonce) if self._nonce else Markup("")

    @property
    def has_own_range(self) -> bool:
        """Whether the range is a custom one, not in the menu."""
        return self.from_text not in {age for age, _ in RANGES} or bool(self.to_text)

    @property
    def is_live(self) -> bool:
        """Whether the list shows new requests as they are stored. A range with an end is never live."""
        arguments = self.request.args
        return arguments.get("live") == "1" and not self.to_text and not arguments.get("after")

    @property
    def range_title(self) -> str:
        if not self.has_own_range:
            return dict(RANGES)[self.from_text]
        since = _name_time(self.from_text, self.since)
        until = _name_time(self.to_text, self.until)
        if not self.to_text:
            return f"Since {since}"
        return f"Until {until}" if self.from_text == "all" else f"{since} to {until}"

    @property
    def slow_title(self) -> str:
        """The threshold of slow requests in words, from ``TRACKING_SLOW_MS``."""
        slow_ms = self.tracked.settings.slow_ms
        return f"slower than {slow_ms / 1000:g} s" if slow_ms >= 1000 else f"slower than {slow_ms:g} ms"

    @property
    def vs_version(self) -> str:
        """The version to compare with; empty if the comparison is with another time."""
        return self.vs.removeprefix(VERSION) if self.vs.startswith(VERSION) else ""

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """The range for statistics, which always has a beginning and an end."""
        until = self.confine(self.until or self.now)
        return self.confine(self.since or until - LONGEST), until

    def confine(self, time: datetime) -> datetime:
        """Clamp a time to those at which records can exist, so that date arithmetic cannot overflow."""
        return max(FIRST, min(time, self.now))

    @property
    def shorter_range(self) -> tuple[str, str] | None:
        """The next shorter range of the menu, as title and age; None if there is none."""
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
        """The CSRF token for the forms of this page. Sets its cookie if the browser has none."""
        cookie = csrf.read_cookie(self.request)
        if cookie is None:
            cookie = self.new_cookie = csrf.make_cookie()
        return csrf.make_token(cookie)

    # Reading

    @cached_property
    def store(self) -> Store:
        """The store for reads, with its own client."""
        return self.writer.reader()

    def attempt(
        self, what: str, read: Callable[[], Result], otherwise: Result, within_s: float = math.inf
    ) -> Result:
        """Return the result of `read`; if it times out, note what is missing and return `otherwise`.

        Args:
            what: the name of the missing part, shown on the page.
            read: asks the store.
            otherwise: the result after a timeout.
            within_s: the time limit; the time that the page has left if that is less.
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
        is_usable: Callable[[Result], bool] | None = None,
        renew: Callable[[Result], Result] | None = None,
    ) -> Result:
        """Return the result of `read`, shared by this page and concurrent views of the same parameters.

        Args:
            name: identifies the query; results are shared between equal names and URL parameters.
            read: queries the store. Its result outlives the request, and must not reference this page.
            for_s: how long a result is reused.
            heavy_s: see `sharing.share`.
            is_usable: whether a cached result will do for this page; by default each does.
            renew: makes the next result from a cached one, in place of `read`.
        """
        key = (name, self.q, self.from_text, self.to_text, self.vs)
        if key not in self._results:
            self._results[key] = share(
                self.tracked,
                key,
                lambda: self._read_noting(read),
                for_s=for_s,
                heavy_s=heavy_s,
                is_usable=is_usable and (lambda cached: is_usable(cached[0])),
                renew=renew and (lambda cached: self._read_noting(lambda: renew(cached[0]))),
            )
        result, missing = self._results[key]
        self.missing += [what for what in missing if what not in self.missing]
        return result  # type: ignore[no-any-return]

    def _read_noting(self, read: Callable[[], Result]) -> tuple[Result, list[str]]:
        known = len(self.missing)
        return read(), self.missing[known:]

    def get_record(self, text: str) -> Record | None:
        """Return the record with this id, as the URL has it; None if it is invalid or not stored."""
        return self.store.get(ObjectId(text)) if ObjectId.is_valid(text) else None

    # Links

    def link_to(self, name: str, /, *, keep: Iterable[str] = KEPT, **values: Any) -> str:
        """Return the URL of a page, with the parameters of this page that are in `keep`."""
        kept = {key: text for key in keep if (text := self._parameter(key))}
        return _make_address(name, {**kept, **values})

    def with_(self, **values: str | None) -> str:
        """Return the URL of this page with some parameters replaced; None removes one."""
        given = [key for key in self.request.args if key not in NOT_OURS]
        parameters: dict[str, Any] = {key: self._parameter(key) for key in given}
        parameters.update(self.request.view_args or {})
        parameters.update(values)
        return _make_address(self.name, parameters)

    @property
    def lasting_address(self) -> str:
        """The URL of this page with absolute times, so that it shows the same tomorrow."""
        since = None if self.since is None else iso(self.since)
        times = {"from": since or self.from_text, "to": iso(self.until or self.now)}
        return self.with_(q=filter_text.freeze(self.q, self.now), live=None, **times)

    def narrow_to(self, term: str) -> str:
        """Return the URL of the list of the requests in this range that match `term` alone."""
        return self.link_to("requests", q=term)

    def add(self, term: str) -> str:
        """Return the URL of the list with `term` added to the filter."""
        return self.link_to("requests", q=filter_text.join(self.q, term))

    def exclude(self, term: str) -> str:
        """Return the URL of the list with ``not`` `term` added to the filter."""
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


def _name_time(text: str, time: datetime | None) -> str:
    """Return an end of a range for its menu: an age as it was written, any other time in full."""
    if time is None:
        return text
    return f"{text} ago" if isinstance(parse_time(text), timedelta) else moment(time)


def _make_address(name: str, values: dict[str, Any]) -> str:
    """Return the address of a page; a lone surrogate, which no URL can hold, becomes ``?``."""
    wanted: dict[str, Any] = {
        key: str(value).encode("utf-8", "replace").decode()
        for key, value in values.items()
        if value not in (None, "")
    }
    return url_for(f"{BLUEPRINT}.{name}", **wanted)
