"""`Filter`, a value that selects records, and its text grammar.

A filter's text is a list of ``key=value`` terms, all of which must match::

    status=5xx method=POST path=/orders/* slower-than=200ms user=42 since=2h until=2026-11-24T12:00
    kept=yes

The commands offer the same keys as options, ``--status 5xx``. Values with blanks are quoted as in a
shell: ``path="/a b"``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shlex
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from .errors import FilterError
from .runtime.text import clean_text

if TYPE_CHECKING:
    from .record import Record

__all__ = ["Filter"]

FIRST = datetime(1970, 1, 1, tzinfo=timezone.utc)
"""No record is older."""
FIRST_FAILURE = 500
"""The lowest status code of a failure. A store may index failures separately, because they are few."""
_WILD = re.compile("[*…]")
"""Wildcards for any run of characters: `list` shows the second in shortened values."""
_OBJECT = r"^<[A-Za-z_][0-9A-Za-z_.]*:? ['\"]?"
"""The beginning of an object's text: ``<User ada>``, ``<User: ada>``, ``<User 'ada'>``."""
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_time(text: str, *, now: datetime | None = None) -> datetime:
    """Parse a time: ISO 8601, UTC without an offset, or an age like ``90s`` or ``2h``.

    Raises:
        FilterError: `text` is neither.
    """
    age = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if age:
        now = now or datetime.now(timezone.utc)
        with contextlib.suppress(OverflowError):
            return now - timedelta(seconds=int(age[1]) * _UNITS_S[age[2]])
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise FilterError(
            f"{text!r} is no time. Write 2026-11-24T12:00 (UTC) or an age like 90s, 15m, 2h, 7d."
        ) from None
    return time.replace(tzinfo=timezone.utc) if time.tzinfo is None else time


def parse_status(text: str) -> tuple[int, int]:
    """Parse a status code or a class of them: ``404`` is (404, 404), ``5xx`` is (500, 599).

    Raises:
        FilterError: `text` is neither.
    """
    if re.fullmatch(r"[1-5][0-9]{2}", text):
        return int(text), int(text)
    if re.fullmatch(r"[1-5][xX]{2}", text):
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    raise FilterError(f"{text!r} is no status. Write one like 404 or a class like 5xx.")


def parse_duration(text: str) -> float:
    """Parse a duration into milliseconds: ``200``, ``200ms`` or ``1.5s``.

    Raises:
        FilterError: `text` is none of these.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s)?", text)
    if not match:
        raise FilterError(f"{text!r} is no duration. Write 200ms or 1.5s.")
    return float(match[1]) * (1000 if match[2] == "s" else 1)


def _parse_method(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z_-]*", text):
        raise FilterError(f"{text!r} is no HTTP method. Write one like POST.")
    return text.upper()


def _parse_path(text: str) -> str:
    if not text.startswith(("/", "*")):
        raise FilterError(f"{text!r} is no path. Write one like /orders/17 or /orders/*.")
    return clean_text(text)  # stores take no lone surrogates


def _parse_user(text: str) -> str:
    if not text:
        raise FilterError("A user is empty. Write the id or the name that the records show.")
    return clean_text(text)  # stores take no lone surrogates


def _parse_yes(text: str) -> bool:
    if text != "yes":
        raise FilterError(f"{text!r} is not yes. Write kept=yes, or nothing for kept ones and others.")
    return True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Selects records. Every part that is set must match.

    .. versionadded:: 2.0
    """

    since: datetime | None = None
    """Arrived at this time or later; aware."""
    until: datetime | None = None
    """Arrived before this time; aware."""
    status: tuple[int, int] | None = None
    """The lowest and the highest status code, both included."""
    method: str | None = None
    path: str | None = None
    """The whole path, or path and query if it contains ``?``; ``*`` matches any run of characters."""
    slower_than_ms: float | None = None
    """The minimum ``execution_time``, in milliseconds."""
    user: str | None = None
    """The ``user_id`` or the ``user_repr``; ``ada`` also matches ``<User ada>``. ``*`` matches any run
    of characters."""
    kept: bool = False
    """True selects kept records only; False selects all."""

    @classmethod
    def parse(cls, text: str) -> Filter:
        """Parse a filter's text.

        Args:
            text: ``key=value`` terms separated by blanks; the module lists the keys.

        Raises:
            FilterError: a term is wrong; the message names it and the expected value.
        """
        try:
            terms = shlex.split(text)
        except ValueError as error:
            raise FilterError(f"{text!r} cannot be read: {error}.") from None
        options = {}
        for term in terms:
            key, equals, value = term.partition("=")
            if not equals or key not in _KEYS:
                raise FilterError(
                    f"{term!r} is no term of a filter. Write key=value with one of: {', '.join(_KEYS)}."
                )
            if key in options:
                raise FilterError(f"{key!r} is given twice. Every key may stand once.")
            options[key] = value
        return cls.from_options(options)

    @classmethod
    def from_options(cls, options: Mapping[str, str | None]) -> Filter:
        """Make a filter from texts by key; None means that the key is not given.

        Raises:
            FilterError: a value is wrong.
        """
        parts: dict[str, Any] = {}
        for key, value in options.items():
            if value is not None:
                field, parse = _KEYS[key]
                parts[field] = parse(value)
        return cls(**parts)

    def matches(self, record: Record) -> bool:
        """Tell whether the filter selects `record`."""
        return (
            (self.since is None or record.date_created >= self.since)
            and (self.until is None or record.date_created < self.until)
            and (
                self.status is None
                or (
                    record.status_code is not None
                    and self.status[0] <= record.status_code <= self.status[1]
                )
            )
            and (self.method is None or record.method == self.method)
            and (self.path is None or self._matches_path(record))
            and (
                self.slower_than_ms is None
                or (record.execution_time is not None and record.execution_time >= self.slower_than_ms)
            )
            and (self.user is None or self._matches_user(record))
            and (not self.kept or record.kept)
        )

    def narrowed(self, since: datetime | None, until: datetime | None) -> Filter:
        """Return this filter with further bounds of the arrival; None for no bound."""
        since = max(filter(None, (self.since, since)), default=None)
        until = min(filter(None, (self.until, until)), default=None)
        return dataclasses.replace(self, since=since, until=until)

    @property
    def wants_failures(self) -> bool:
        """True if the status code selects only failures."""
        return self.status is not None and self.status[0] >= FIRST_FAILURE

    @property
    def target(self) -> tuple[str, str] | None:
        """The path and the query in `path`; None if it contains no ``?``."""
        path, mark, query = (self.path or "").partition("?")
        return (path, query) if mark else None

    def path_regex(self) -> str | None:
        """Return `path` as an anchored regular expression, in the subset that every store supports."""
        return None if self.path is None else make_regex(self.path)

    def _matches_path(self, record: Record) -> bool:
        if _matches(self.path, record.path):  # an escaped "?" may be part of the path itself
            return True
        if self.target is None:
            return False
        path, query = self.target
        # The line of a record shows a "?" only if there is a query.
        if bool(query) is not bool(record.query_params):
            return False
        return _matches(path, record.path) and _matches(query, record.query_params or "")

    def _matches_user(self, record: Record) -> bool:
        if _matches(self.user, record.user_id) or _matches(self.user, record.user_repr):
            return True
        regex = object_regex(self.user or "")
        return regex is not None and re.search(regex, record.user_repr or "") is not None


def is_pattern(text: str) -> bool:
    """Tell whether `text` contains a wildcard."""
    return _WILD.search(text) is not None


def make_regex(pattern: str) -> str:
    """Return an anchored regular expression, in the subset that every store supports."""
    return f"^{_make_core(pattern)}$"


def object_regex(user: str) -> str | None:
    """Return a regex for object texts that name `user`, like ``<User ada>``; None for a pattern."""
    return None if is_pattern(user) else f"{_OBJECT}{_escape(user)}['\"]?>$"


def _make_core(pattern: str) -> str:
    return ".*".join(map(_escape, _WILD.split(pattern)))


def _escape(text: str) -> str:
    return re.escape(text).replace("\0", r"\x00")  # stores take no NUL in an expression


def _matches(pattern: str | None, text: str | None) -> bool:
    if pattern is None or text is None:
        return False
    first, *others = _WILD.split(pattern)
    if not others:
        return text == first
    # Not a regex: one with many "*" could take hours on paths that clients choose.
    *between, last = others
    start, end = len(first), len(text) - len(last)
    if start > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in between:
        found = text.find(part, start, end)
        if found < 0:
            return False
        start = found + len(part)
    return True


_KEYS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "since": ("since", parse_time),
    "until": ("until", parse_time),
    "status": ("status", parse_status),
    "method": ("method", _parse_method),
    "path": ("path", _parse_path),
    "slower-than": ("slower_than_ms", parse_duration),
    "user": ("user", _parse_user),
    "kept": ("kept", _parse_yes),
}
