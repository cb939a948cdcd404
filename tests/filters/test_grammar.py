"""The text of a filter: what it means, what is printed again, and what an error says."""

from __future__ import annotations

import pickle
import random
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_tracking import Filter, FilterError, Record
from flask_tracking.filters.conditions import All, AnyOf, Condition, Negation, all_of, any_of
from flask_tracking.filters.grammar import (
    KEYS,
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_TERMS,
    format_condition,
    parse_condition,
)
from flask_tracking.filters.terms import TERMS

from .cases import CASES, NOON

A, B, C = (Filter.parse(word) for word in "abc")
KEYS_TEXT = ", ".join(KEYS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Filter.all),
        (" \n\t", Filter.all),
        ("()", Filter.all),
        ("a b", A & B),
        ("a and b", A & B),
        ("a AND b", A & B),
        ("a\u00a0b", A & B),
        ("a or b", A | B),
        ("a b or c", (A & B) | C),
        ("a or b c", A | (B & C)),
        ("a (b or c)", A & (B | C)),
        ("(a)(b)", A & B),
        ("((a))b", A & B),
        ("not a b", ~A & B),
        ("not (a b)", ~(A & B)),
        ("not not a", ~~A),
        ("not a or b", ~A | B),
        ("a and not b", A & ~B),
        ("a (b c)", A & B & C),
        ("a or (b or c)", A | B | C),
        ("'a' \"b\"", A & B),
        ("custom.\udcff:x header.\udcff:x", Filter.parse("custom.\\udcff:x header.\\udcff:x")),
        ("Status:5XX", Filter.term("status", "5xx")),
        ("method:post", Filter.term("method", "POST")),
        ("user:acme:42", Filter.term("user", "acme:42")),
        ("user:a=b", Filter.term("user", "a=b")),
        ("user:O'Brien", Filter.term("user", "O'Brien")),
        ("user:'O\"Brien'", Filter.term("user", 'O"Brien')),
        (r"user:a\ b", Filter.term("user", "a b")),
        (r"user:\(a\)", Filter.term("user", "(a)")),
        (r"user:C:\temp", Filter.term("user", "C:\\temp", is_literal=True)),
        (r"user:a\*b", Filter.term("user", "a*b", is_literal=True)),
        ("user:a\\", Filter.term("user", "a\\", is_literal=True)),
        ("user:a**b", Filter.term("user", "a*b")),
        ("user:ad…", Filter.term("user", "ad*")),
        ('custom."order_id":x', Filter.term("custom.order_id", "x")),
        ('Header."X-A":x', Filter.term("header.X-A", "x")),
        ("header.Accept:x", Filter.term("header.Accept", "x")),
        ('"status:5xx"', Filter.parse("status\\:5xx")),
        ("(user:x)", Filter.term("user", "x")),
    ],
)
def test_meaning(text: str, expected: Filter) -> None:
    """A text means a filter, and what is printed of it means the same."""
    assert Filter.parse(text) == expected
    assert Filter.parse(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("()", ""),
        ("not ()", "not ()"),
        ("() or a", "() or a"),
        ("a   and (b)", "a b"),
        ("a and (b or c)", "a (b or c)"),
        ("'not'", '"not"'),
        ("'a:b'", '"a:b"'),
        ("'/a:b'", "/a:b"),
        ("'two words'", '"two words"'),
        ("user:'a\"b c'", 'user:"a\\"b c"'),
        ("user:…", "user:*"),
        ("since:15m", "since:15m"),
    ],
)
def test_printed(text: str, printed: str) -> None:
    """A filter is printed in its shortest usual form."""
    assert str(Filter.parse(text)) == printed
    assert Filter.parse(printed) == Filter.parse(text)


@pytest.mark.parametrize(
    ("text", "message", "spot"),
    [
        ("status:", "Invalid status '': expected a code like 404 or a class like 5xx.", (7, 8)),
        ("status:600", "Invalid status '600': expected a code like 404 or a class like 5xx.", (7, 10)),
        (
            "a status:40x",
            "Invalid status '40x': expected a code like 404 or a class like 5xx.",
            (9, 12),
        ),
        ("status:٤٠٤", "Invalid status '٤٠٤': expected a code like 404 or a class like 5xx.", (7, 10)),
        ("method:G3T", "Invalid HTTP method 'G3T': expected one like POST.", (7, 10)),
        (
            "path:orders",
            "Invalid path 'orders': expected a whole path like /orders/17, or a part like */items*.",
            (5, 11),
        ),
        ("slow:1", "Invalid duration '1': expected one like >500ms, <2.9s or >=1m.", (5, 6)),
        ("slow:=1s", "Invalid duration '=1s': expected one like >500ms, <2.9s or >=1m.", (5, 8)),
        (
            "since:yesterday",
            "Invalid time 'yesterday': expected one like 2026-11-24T12:00, or a date like 2026-11-24, "
            "in UTC, or an age like 90s, 15m, 2h, 7d.",
            (6, 15),
        ),
        ("user:", 'A value is empty: expected one like 42, "two words" or *.', (5, 6)),
        ("''", 'A value is empty: expected one like 42, "two words" or *.', (0, 2)),
        (
            "is:bad",
            "Invalid value 'bad': expected one of error, kept, streamed, redacted, replay.",
            (3, 6),
        ),
        (
            "custom.$where:1",
            "Invalid key '$where': expected one like order_id or order.items.",
            (0, 13),
        ),
        ("custom.a..b:1", "Invalid key 'a..b': expected one like order_id or order.items.", (0, 11)),
        (
            'b custom."a b.$gt":"x y"',
            "Invalid key 'a b.$gt': expected one like order_id or order.items.",
            (2, 18),
        ),
        ("a )", "Unexpected ')': no '(' is open. Quote a value with parentheses.", (2, 3)),
        ("a (b", "A '(' is not closed: expected ')'.", (2, 3)),
        ("a or", "Expected a term like status:5xx, a word, 'not' or '('.", (4, 5)),
        ("or a", "Expected a term like status:5xx, a word, 'not' or '('.", (0, 2)),
        ("a and or b", "Expected a term like status:5xx, a word, 'not' or '('.", (6, 8)),
        ("not", "Expected a term like status:5xx, a word, 'not' or '('.", (3, 4)),
        ('user:"a b', "A quote is not closed.", (5, 9)),
        ("a 'b", "A quote is not closed.", (2, 4)),
        ('"a"b', "Expected a blank after a closing quote.", (3, 4)),
        (
            "stat:5xx",
            f"Unknown key 'stat'. Did you mean status? Possible keys: {KEYS_TEXT}. "
            "Put a word with a colon in quotes.",
            (0, 4),
        ),
        (
            "header:json",
            f"Unknown key 'header'. Did you mean header.NAME? Possible keys: {KEYS_TEXT}. "
            "Put a word with a colon in quotes.",
            (0, 6),
        ),
        (
            "http://x",
            f"Unknown key 'http'. For custom data write custom.http. Possible keys: {KEYS_TEXT}. "
            "Put a word with a colon in quotes.",
            (0, 4),
        ),
        (
            "status:5xx tenant:acme",
            f"Unknown key 'tenant'. For custom data write custom.tenant. Possible keys: {KEYS_TEXT}. "
            "Put a word with a colon in quotes.",
            (11, 17),
        ),
        (
            "data.tenant:acme",
            f"Unknown key 'data.tenant'. Possible keys: {KEYS_TEXT}. "
            "Put a word with a colon in quotes.",
            (0, 11),
        ),
    ],
)
def test_wrong_text(text: str, message: str, spot: tuple[int, int]) -> None:
    """An error says what is expected, and where."""
    with pytest.raises(FilterError) as caught:
        Filter.parse(text)
    error = caught.value
    assert error.message == message
    assert (error.start, error.end) == spot
    shown, mark = error.excerpt.split("\n")
    assert shown == f"  {text}"
    assert mark == "  " + " " * spot[0] + "^" * max(1, len(text[spot[0] : spot[1]]))
    assert str(error) == f"{message}\n{error.excerpt}"


def test_date_alone() -> None:
    """A date is its midnight in UTC: two of them bound a day."""
    bounds = Filter.parse("since:2026-11-23 until:2026-11-24").arrival()
    midnight = datetime(2026, 11, 23, tzinfo=timezone.utc)
    assert (bounds.low, bounds.high) == (midnight, midnight + timedelta(days=1))


@pytest.mark.parametrize("time", ["0001-01-01T00:00+23:59", "9999-12-31T23:59-23:59"])
def test_offset_before_or_after_all_time(time: str) -> None:
    """A time that has no year in UTC is an error like any other, not one of a store."""
    with pytest.raises(FilterError, match="Invalid time"):
        Filter.parse(f"until:{time}")


@pytest.mark.parametrize("age", ["9999w", "999999999999w", "1000000d"])
def test_age_before_all_time(age: str) -> None:
    """An age that goes back past the first year is an error like any other, not an overflow."""
    if age == "9999w":  # 192 years: far, and possible
        assert Filter.parse(f"since:{age}").arrival().low is not None
        return
    with pytest.raises(FilterError, match="Invalid time"):
        Filter.parse(f"since:{age}")


@pytest.mark.parametrize(
    "text",
    [
        "a " * 10_000,
        "(" * 10_000,
        ")" * 10_000,
        "not " * 2_000,
        "(a or " * 1_000,
        '"' * 9_999,
        "a" * (MAX_LENGTH + 1),
        "status:5xx or " * 10_000,
        "a " * (MAX_TERMS + 1),
        "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1),
        "not " * (MAX_DEPTH + 1) + "a",
    ],
)
def test_filter_without_end(text: str) -> None:
    """A filter that is too long, too deep or unbalanced is an error of a few lines."""
    with pytest.raises(FilterError) as caught:
        Filter.parse(text)
    assert len(str(caught.value)) < 500


def test_largest_filters() -> None:
    """What is within the bounds is parsed and printed again."""
    for text in (
        "a " * MAX_TERMS,
        "(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH,
        "not " * MAX_DEPTH + "a",
        '"' + "a" * (MAX_LENGTH - 2) + '"',
    ):
        assert Filter.parse(str(Filter.parse(text))) == Filter.parse(text)


def test_combination_past_the_bounds() -> None:
    """Filters that are combined past the bounds are an error, too."""
    long = Filter.parse("a " * MAX_TERMS)
    with pytest.raises(FilterError, match="too many terms"):
        long.__and__(long)
    deep = Filter.parse("not " * MAX_DEPTH + "a")
    with pytest.raises(FilterError, match="too deep"):
        deep.__invert__()


@settings(max_examples=1000, deadline=None)
@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is a filter that is printed and parsed again, or an error that shows a spot in it."""
    try:
        wanted = Filter.parse(text)
    except FilterError as error:
        assert 0 <= error.start <= len(text)
        assert error.excerpt.isprintable() or "\n" in error.excerpt
        return
    assert Filter.parse(str(wanted)) == wanted


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(["custom.", "header.", "response_header."]), st.text(min_size=1), st.text())
def test_any_name(key: str, name: str, value: str) -> None:
    """Any name of a header or of custom data is printed and parsed again, or is an error at once."""
    try:
        wanted = Filter.term(key + name, value, is_literal=True)
    except FilterError:
        return
    assert Filter.parse(str(wanted)) == wanted


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("a b", 'custom."a b":1'),
        ("a:1 or custom.b", 'custom."a:1 or custom.b":1'),
        ('a"\\', 'custom."a\\"\\\\":1'),
        ("a\\", "custom.a\\:1"),
        ("(a)'", 'custom."(a)\'":1'),
    ],
)
def test_quoted_name(name: str, printed: str) -> None:
    """A name with blanks, quotes, colons or parentheses is quoted, so that nothing of it is a term."""
    wanted = Filter.term(f"custom.{name}", "1")
    assert str(wanted) == printed
    assert Filter.parse(printed) == wanted
    assert wanted.matches(Record(id=ObjectId(), date_created=NOON, custom_data=_nest(name)))


def _nest(name: str) -> Any:
    first, *others = name.split(".", 1)
    return {first: _nest(others[0])} if others else {first: 1}


VALUES = {
    "since": ["15m", "2026-11-24", "2026-11-24T12:00", "2026-11-24T12:00:00.250+02:00"],
    "until": ["0s", "2026-11-24"],
    "status": ["404", "5xx", "1XX"],
    "method": ["post", "M-SEARCH"],
    "path": ["/", "*", "/a b?c=d", "/(a)*", "/'", '/"', "/\\", "/\\*"],
    "slow": [">500ms", "<2.9s", ">=1m", "<=0.25ms", "3w"],
    "is": ["error", "KEPT", "streamed"],
    "has": ["user", "exception"],
    "outcome": ["ok", "unread"],
}
"""Values of keys that do not take any."""
CHARACTERS = "aZ0 *…\\\"'():.$\n\u00a0ü\udcff\0/-orandnt"


def make_condition(chance: random.Random, depth: int) -> Condition:
    """Make any condition that has a text."""
    kind = chance.choice(["term"] * 3 + ["not", "all", "any", "none"][: 4 * bool(depth)])
    if kind == "not":
        return Negation(make_condition(chance, depth - 1))
    if kind == "none":
        return All(())
    if kind in ("all", "any"):
        parts = [make_condition(chance, depth - 1) for _ in range(chance.randint(2, 4))]
        return all_of(parts) if kind == "all" else any_of(parts)
    key = chance.choice([*TERMS, ""])
    any_text = "".join(chance.choices(CHARACTERS, k=chance.randint(1, 8)))
    value = chance.choice(VALUES.get(key, [any_text]))
    if not key:
        return parse_condition('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"')
    names = ["a", "X-Real_Ip", "a.b.0", "ü", "a b", ":\"\\'("] if key.endswith(".") else [""]
    name = chance.choice(names)
    is_literal = key not in VALUES and bool(chance.getrandbits(1))
    return Filter.term(key + name, value, is_literal=is_literal).condition


def test_any_filter() -> None:
    """A thousand random filters are printed and parsed again, and stay what they are."""
    chance = random.Random(16)
    kinds = set()
    for _ in range(1000):
        wanted = make_condition(chance, chance.randint(0, 4))
        kinds.add(type(wanted))
        text = format_condition(wanted)
        assert parse_condition(text) == wanted, text
        assert format_condition(parse_condition(text)) == text
    assert {All, AnyOf, Negation} < kinds


@pytest.mark.repeats
@pytest.mark.parametrize("text", [text for text, _ in CASES])
def test_cases_are_printed_again(text: str) -> None:
    """Every expression whose meaning is tested is printed and parsed again."""
    wanted = Filter.parse(text)
    assert Filter.parse(str(wanted)) == wanted


def test_filter_is_a_plain_value() -> None:
    """A filter cannot be changed, is hashable, and can be pickled."""
    wanted = Filter.parse("status:5xx or user:42")
    with pytest.raises(AttributeError):
        wanted.condition = Filter.all.condition  # type: ignore[misc]
    assert len({wanted, Filter.parse("STATUS:5xx or user:42"), Filter.all, Filter()}) == 2
    assert pickle.loads(pickle.dumps(wanted)) == wanted


def test_arrival() -> None:
    """The bounds of the arrival hold for all selected records; ages count back from now."""
    now = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
    hour = timedelta(hours=1)
    for text, low, high in (
        ("", None, None),
        ("since:1h", now - hour, None),
        ("since:2h since:1h until:2026-11-24T11:30", now - hour, now - hour / 2),
        ("since:2h or since:1h", now - 2 * hour, None),
        ("since:2h or status:404", None, None),
        ("(since:2h status:404) or (since:1h until:0s)", now - 2 * hour, None),
        ("not since:2h", None, None),
    ):
        assert Filter.parse(text).arrival(now) == (low, high), text
    narrowed = Filter.parse("since:1h status:404").narrowed(now - 3 * hour, now)
    assert narrowed.arrival(now) == (now - hour, now)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", False), ("method:GET", False), ("status:499", False), ("status:4xx", False),
     ("status:500", True), ("status:5xx", True), ("status:599 path:/a", True), ("is:error", False),
     ("status:500 or status:503", True), ("status:500 or path:/a", False), ("not status:5xx", False)],
)  # fmt: skip
def test_wants_failures(text: str, expected: bool) -> None:
    """Failures alone are selected by a status of 500 or more."""
    assert Filter.parse(text).wants_failures is expected
