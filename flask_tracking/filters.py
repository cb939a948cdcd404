"""`Filter`: a value that says which records are meant, with one text grammar.

A filter's text is a list of ``key=value`` terms, all of which must hold::

    status=5xx method=POST path=/orders/* slower-than=200ms user=42 since=2h until=2026-11-24T12:00
    kept=yes

The commands offer the same keys as options, ``--status 5xx``. Values with blanks are quoted as a
shell would: ``path="/a b"``.
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
"""Nothing is older."""
FIRST_FAILURE = 500
"""From this status code on a request has failed. A store may index those by themselves: few are."""
_WILD = re.compile("[*…]")
"""What stands for any run of characters: `list` shows the second where it cut something."""
_OBJECT = r"^<[A-Za-z_][0-9A-Za-z_.]*:? ['\"]?"
"""How the text of an object begins: ``<User ada>``, ``<User: ada>``, ``<User 'ada'>``."""
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_time(text: str, *, now: datetime | None = None) -> datetime:
    """Read a point in time: ISO 8601, UTC unless it says otherwise, or an age like ``90s`` or ``2h``.

    Raises:
        FilterError: it is neither.
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
    """Read a status code or a class of them: ``404`` is (404, 404), ``5xx`` is (500, 599).

    Raises:
        FilterError: it is neither.
    """
    if re.fullmatch(r"[1-5][0-9]{2}", text):
        return int(text), int(text)
    if re.fullmatch(r"[1-5][xX]{2}", text):
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    raise FilterError(f"{text!r} is no status. Write one like 404 or a class like 5xx.")


def parse_duration(text: str) -> float:
    """Read a duration and return milliseconds: ``200``, ``200ms`` or ``1.5s``.

    Raises:
        FilterError: it is none of these.
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
    return clean_text(text)  # no store can be asked for what is in no known encoding


def _parse_user(text: str) -> str:
    if not text:
        raise FilterError("A user is empty. Write the id or the name that the records show.")
    return clean_text(text)  # no store can be asked for what is in no known encoding


def _parse_yes(text: str) -> bool:
    if text != "yes":
        raise FilterError(f"{text!r} is not yes. Write kept=yes, or nothing for kept ones and others.")
    return True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which records are meant. Every part that is set must hold.

    .. versionadded:: 2.0
    """

    since: datetime | None = None
    """Arrived at this time or later; aware."""
    until: datetime | None = None
    """Arrived before this time; aware."""
    status: tuple[int, int] | None = None
    """The least and the largest status code, both included."""
    method: str | None = None
    path: str | None = None
    """The whole path, or with a ``?`` in it path and query; ``*`` stands for any run of characters."""
    slower_than_ms: float | None = None
    """An ``execution_time`` of at least so many milliseconds."""
    user: str | None = None
    """The ``user_id`` or the ``user_repr``: that of ``<User ada>`` is ``ada`` as well. ``*`` stands for
    any run of characters."""
    kept: bool = False
    """True for kept ones only; False for kept ones and others."""

    @classmethod
    def parse(cls, text: str) -> Filter:
        """Read a filter's text.

        Args:
            text: ``key=value`` terms with blanks between; the module says which keys there are.

        Raises:
            FilterError: a term is wrong; names it and what it wants.
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
        """Make a filter of texts by key; None means that the key is not given.

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
        """Tell whether `record` is meant."""
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

    @property
    def wants_failures(self) -> bool:
        """True when nothing but failures is meant, by their status code."""
        return self.status is not None and self.status[0] >= FIRST_FAILURE

    @property
    def target(self) -> tuple[str, str] | None:
        """What `path` means as a path and a query; None where no ``?`` is in it."""
        path, mark, query = (self.path or "").partition("?")
        return (path, query) if mark else None

    def path_regex(self) -> str | None:
        """Return `path` as an anchored regular expression, in the subset every store understands."""
        return None if self.path is None else make_regex(self.path)

    def _matches_path(self, record: Record) -> bool:
        if _matches(self.path, record.path):  # a "?" may be in the path itself, where it was escaped
            return True
        if self.target is None:
            return False
        path, query = self.target
        # What the record's line shows has a "?" only where there is a query.
        if bool(query) is not bool(record.query_params):
            return False
        return _matches(path, record.path) and _matches(query, record.query_params or "")

    def _matches_user(self, record: Record) -> bool:
        if _matches(self.user, record.user_id) or _matches(self.user, record.user_repr):
            return True
        regex = object_regex(self.user or "")
        return regex is not None and re.search(regex, record.user_repr or "") is not None


def is_pattern(text: str) -> bool:
    """Tell whether something in `text` stands for any run of characters."""
    return _WILD.search(text) is not None


def make_regex(pattern: str) -> str:
    """Return an anchored regular expression, in the subset every store understands."""
    return f"^{_make_core(pattern)}$"


def object_regex(user: str) -> str | None:
    """Return what finds texts of objects that name `user`, like ``<User ada>``; None for a pattern."""
    return None if is_pattern(user) else f"{_OBJECT}{_escape(user)}['\"]?>$"


def _make_core(pattern: str) -> str:
    return ".*".join(map(_escape, _WILD.split(pattern)))


def _escape(text: str) -> str:
    return re.escape(text).replace("\0", r"\x00")  # no store takes a NUL in an expression


def _matches(pattern: str | None, text: str | None) -> bool:
    if pattern is None or text is None:
        return False
    first, *others = _WILD.split(pattern)
    if not others:
        return text == first
    # By hand: of an expression with many "*" the paths that clients choose could take hours.
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
