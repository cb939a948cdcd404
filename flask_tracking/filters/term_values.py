"""From the value of a term to its condition."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone

from ..errors import FilterError
from ..runtime.durations import parse_duration
from ..runtime.text import suggest
from .conditions import (
    All,
    AnyOf,
    Compares,
    Condition,
    Exists,
    HasHeader,
    HasItem,
    InBody,
    IsKept,
    IsOneOf,
    Matches,
    NamesObject,
    Negation,
)
from .wildcards import Parts, collapse, contains, fold_case

FIRST_FAILURE = 500
"""The lowest status code of a failure. A store may index failures separately, because they are few."""
FAILURES = ("error", "stream_error")
_OUTCOMES = ("ok", *FAILURES, "disconnected", "unread")

Make = Callable[[str, Parts], Condition]
"""Returns the condition of a term.

Args: the name behind the dot of the key, empty for a key without one; the parts of the value.

Raises: FilterError.
"""


def parse_time(text: str) -> datetime | timedelta:
    """Parse a time: ISO 8601, UTC without an offset, or an age like ``90s`` or ``2h``.

    A date alone is its beginning.

    Raises:
        FilterError: `text` is neither.
    """
    age_ms = parse_duration(text)
    with contextlib.suppress(OverflowError, ValueError):
        if age_ms is not None:
            return _check_age(timedelta(milliseconds=age_ms))
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
        if time.tzinfo is None:
            return time.replace(tzinfo=timezone.utc)
        return time.astimezone(timezone.utc)  # as in stores: an offset may lead out of all years
    raise FilterError(
        f"Invalid time {text!r}: expected one like 2026-11-24T12:00, or a date like 2026-11-24, "
        "in UTC, or an age like 90s, 15m, 2h, 7d."
    )


def _check_age(age: timedelta) -> timedelta:
    datetime.now(timezone.utc) - age  # overflows before the first year
    return age


def parse_status(text: str) -> tuple[int, int]:
    """Parse a status code or a class of them: ``404`` is (404, 404), ``5xx`` is (500, 599).

    Raises:
        FilterError: `text` is neither.
    """
    if re.fullmatch(r"[1-5][0-9]{2}", text):
        return int(text), int(text)
    if re.fullmatch(r"[1-5][xX]{2}", text):
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    raise FilterError(f"Invalid status {text!r}: expected a code like 404 or a class like 5xx.")


def _join(parts: Parts) -> str:
    """Return the text of a value in which ``*`` is an ordinary character."""
    return "*".join(parts)


def _require(parts: Parts) -> Parts:
    if parts == ("",):
        raise FilterError('A value is empty: expected one like 42, "two words" or *.')
    return parts


def make_status(_: str, parts: Parts) -> Condition:
    first, last = parse_status(_join(parts))
    return All((Compares("status_code", ">=", first), Compares("status_code", "<=", last)))


def make_method(_: str, parts: Parts) -> Condition:
    text = _join(parts)
    if not re.fullmatch(r"[A-Z][A-Z_-]*", text):
        raise FilterError(f"Invalid HTTP method {text!r}: expected one like POST.")
    return Matches("method", parts)


def make_path(_: str, parts: Parts) -> Condition:
    if len(parts) == 1 and not parts[0].startswith("/"):
        raise FilterError(
            f"Invalid path {parts[0]!r}: expected a whole path like /orders/17, "
            "or a part like */items*."
        )
    whole = Matches("path", parts)
    at = next((at for at, part in enumerate(parts) if "?" in part), None)
    if at is None:
        return whole
    before, _, after = parts[at].partition("?")
    path, query = collapse(*parts[:at], before), collapse(after, *parts[at + 1 :])
    # A line of `list` has a "?" only where there is a query. One in the path itself is possible, too.
    without = IsOneOf("query_params", ("", None))
    asked = without if query == ("",) else All((Negation(without), Matches("query_params", query)))
    return AnyOf((whole, All((Matches("path", path), asked))))


def make_duration(_: str, parts: Parts) -> Condition:
    text = _join(parts)
    match = re.fullmatch(r"([<>]=?)?(.*)", text, re.DOTALL)
    duration_ms = parse_duration(match[2]) if match else None
    if match is None or duration_ms is None:
        raise FilterError(f"Invalid duration {text!r}: expected one like >500ms, <2.9s or >=1m.")
    return Compares("execution_time", match[1] or ">=", duration_ms)  # type: ignore[arg-type]


def make_user(_: str, parts: Parts) -> Condition:
    _require(parts)
    choices: list[Condition] = [Matches("user_id", parts), Matches("user_repr", parts)]
    if len(parts) == 1:
        choices.append(NamesObject("user_repr", parts[0]))
    return AnyOf(tuple(choices))


def make_error(_: str, parts: Parts) -> Condition:
    first, *others = _require(parts)
    last_part = ("", f".{first}", *others)
    return AnyOf(
        (
            Matches("exception.type", parts, folds_case=True),
            Matches("exception.type", last_part, folds_case=True),
        )
    )


def make_time(operator: str) -> Make:
    def make(_: str, parts: Parts) -> Condition:
        return Compares("date_created", operator, parse_time(_join(parts)))  # type: ignore[arg-type]

    return make


def make_header(field: str) -> Make:
    return lambda name, parts: HasHeader(field, fold_case(name), _require(parts))


def check_path(name: str) -> None:
    path = name.split(".")
    if not all(path) or any(key.startswith("$") or "\0" in key for key in path):
        # A server takes a key with a "$" for an operator.
        raise FilterError(f"Invalid key {name!r}: expected one like order_id or order.items.")


def make_custom(name: str, parts: Parts) -> Condition:
    return HasItem(tuple(name.split(".")), _require(parts))


def make_body(_: str, parts: Parts) -> Condition:
    _require(parts)
    return InBody(_join(parts))


def make_match(field: str, *, folds_case: bool = False) -> Make:
    return lambda _, parts: Matches(field, _require(parts), folds_case)


def make_choice(conditions: Mapping[str, Condition]) -> Make:
    def make(_: str, parts: Parts) -> Condition:
        word = _join(parts)
        if word not in conditions:
            hint = suggest(word, list(conditions))
            raise FilterError(f"Invalid value {word!r}: expected one of {', '.join(conditions)}.{hint}")
        return conditions[word]

    return make


def make_word(_: str, parts: Parts) -> Condition:
    fields = ("path", "url_rule", "exception.type", "exception.message")
    part = contains(_require(parts))
    return AnyOf(tuple(Matches(field, part, folds_case=True) for field in fields))


_ANY: Parts = ("", "")
STATES: dict[str, Condition] = {
    "error": AnyOf((Compares("status_code", ">=", FIRST_FAILURE), IsOneOf("outcome", FAILURES))),
    "kept": IsKept(),
    "streamed": All(
        (
            Negation(HasHeader("response_headers", "content-length", _ANY)),
            Compares("response_body_size", ">", 0),
        )
    ),
    "redacted": Exists("redacted"),
    "replay": Exists("replay_of"),
}
PARTS: dict[str, Condition] = {
    "exception": Exists("exception"),
    "user": AnyOf((Exists("user_id"), Exists("user_repr"))),
    "query": Negation(IsOneOf("query_params", ("", None))),
    "body": Compares("request_body_size", ">", 0),
    "custom": Exists("custom_data"),
    "children": Exists("children"),
}
OUTCOMES: dict[str, Condition] = {outcome: IsOneOf("outcome", (outcome,)) for outcome in _OUTCOMES}
