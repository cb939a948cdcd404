"""`Filter`: one grammar for which records are meant."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from bson import ObjectId

from flask_tracking import Filter, FilterError, Record
from flask_tracking.filters import parse_duration, parse_status, parse_time

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
KEYS = "since, until, status, method, path, slower-than, user, kept"


def make_record(**changes: Any) -> Record:
    """Make a record of an ordinary request, but for `changes`."""
    parts: dict[str, Any] = {
        "id": ObjectId(),
        "date_created": NOON,
        "method": "POST",
        "path": "/orders/17",
        "status_code": 503,
        "execution_time": 200.0,
        "user_id": "42",
        "user_repr": "Ada <ada@example.com>",
    }
    return Record(**parts | changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Filter()),
        ("  \n ", Filter()),
        ("status=404", Filter(status=(404, 404))),
        ("status=5xx", Filter(status=(500, 599))),
        ("method=post", Filter(method="POST")),
        ("path=/orders/*", Filter(path="/orders/*")),
        ("path=*", Filter(path="*")),
        ("slower-than=200ms", Filter(slower_than_ms=200.0)),
        ("user=42", Filter(user="42")),
        ("since=2026-11-24T12:00", Filter(since=NOON)),
        ("until=2026-11-24T12:00", Filter(until=NOON)),
        ('path="/a b" user="Ada <ada@example.com>"', Filter(path="/a b", user="Ada <ada@example.com>")),
        ("path='/a b'", Filter(path="/a b")),
        ("user=a=b", Filter(user="a=b")),
        ("path=/search?q=1", Filter(path="/search?q=1")),
        (
            "status=5xx method=POST path=/orders/* slower-than=1.5s user=42 "
            "since=2026-11-24T12:00Z until=2026-11-24T13:00+01:00",
            Filter(
                status=(500, 599),
                method="POST",
                path="/orders/*",
                slower_than_ms=1500.0,
                user="42",
                since=NOON,
                until=NOON,
            ),
        ),
    ],
)
def test_parse(text: str, expected: Filter) -> None:
    """A filter's text becomes the filter it stands for."""
    assert Filter.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("status", f"'status' is no term of a filter. Write key=value with one of: {KEYS}."),
        ("=5xx", f"'=5xx' is no term of a filter. Write key=value with one of: {KEYS}."),
        ("Status=404", f"'Status=404' is no term of a filter. Write key=value with one of: {KEYS}."),
        ("status = 404", f"'status' is no term of a filter. Write key=value with one of: {KEYS}."),
        (
            "slower_than_ms=1",
            f"'slower_than_ms=1' is no term of a filter. Write key=value with one of: {KEYS}.",
        ),
        ("status=404 status=500", "'status' is given twice. Every key may stand once."),
        ("user= user=1", "'user' is given twice. Every key may stand once."),
        ('path="/a', "'path=\"/a' cannot be read: No closing quotation."),
        ("path=/a\\", "'path=/a\\\\' cannot be read: No escaped character."),
        ("status=600", "'600' is no status. Write one like 404 or a class like 5xx."),
        ("method=G3T", "'G3T' is no HTTP method. Write one like POST."),
        ("method=", "'' is no HTTP method. Write one like POST."),
        ("path=orders", "'orders' is no path. Write one like /orders/17 or /orders/*."),
        ("path=", "'' is no path. Write one like /orders/17 or /orders/*."),
        ("slower-than=fast", "'fast' is no duration. Write 200ms or 1.5s."),
        ("kept=no", "'no' is not yes. Write kept=yes, or nothing for kept ones and others."),
        ("user=", "A user is empty. Write the id or the name that the records show."),
        (
            "since=yesterday",
            "'yesterday' is no time. Write 2026-11-24T12:00 (UTC) or an age like 90s, 15m, 2h, 7d.",
        ),
        (
            "until=",
            "'' is no time. Write 2026-11-24T12:00 (UTC) or an age like 90s, 15m, 2h, 7d.",
        ),
    ],
)
def test_wrong_term(text: str, message: str) -> None:
    """A text that cannot be read is an error that names the term and what it wants."""
    with pytest.raises(FilterError) as caught:
        Filter.parse(text)

    assert str(caught.value) == message


def test_options_are_the_same_grammar() -> None:
    """Options by key make the same filter as the text; those that are None are not given."""
    options = {"status": "5xx", "slower-than": "1.5s", "path": "/a b", "user": None, "since": None}

    made = Filter.from_options(options)

    assert made == Filter.parse('status=5xx slower-than=1.5s path="/a b"')
    assert Filter.from_options({}) == Filter()
    assert Filter.from_options(dict.fromkeys(options)) == Filter()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"status": "ok"}, "'ok' is no status. Write one like 404 or a class like 5xx."),
        ({"user": ""}, "A user is empty. Write the id or the name that the records show."),
        ({"method": "GET /"}, "'GET /' is no HTTP method. Write one like POST."),
    ],
)
def test_wrong_option(options: dict[str, str | None], message: str) -> None:
    """A wrong option is the error that the same term would be."""
    with pytest.raises(FilterError) as caught:
        Filter.from_options(options)

    assert str(caught.value) == message


@pytest.mark.parametrize("method", ["M-SEARCH", "VERSION-CONTROL"])
def test_method_may_have_a_hyphen(method: str) -> None:
    """Registered methods with a hyphen in them can be asked for."""
    assert Filter.parse(f"method={method}").method == method


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", NOON - timedelta(seconds=90)),
        ("15m", NOON - timedelta(minutes=15)),
        ("2h", NOON - timedelta(hours=2)),
        ("7d", NOON - timedelta(days=7)),
        ("2w", NOON - timedelta(weeks=2)),
        ("0s", NOON),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=timezone.utc)),
        ("2026-11-24T12:00", NOON),
        ("2026-11-24 12:00:00", NOON),
        ("2026-11-24T12:00:00.250", NOON + timedelta(milliseconds=250)),
        ("2026-11-24T12:00:00Z", NOON),
        ("2026-11-24T14:00+02:00", NOON),
    ],
)
def test_time(text: str, expected: datetime) -> None:
    """A time is ISO 8601, UTC unless it says otherwise, or an age before now."""
    time = parse_time(text, now=NOON)

    assert time == expected
    assert time.tzinfo is not None


def test_age_counts_back_from_the_present() -> None:
    """An age without a "now" counts from the clock."""
    before = datetime.now(timezone.utc)
    time = parse_time("2h")
    after = datetime.now(timezone.utc)

    assert before <= time + timedelta(hours=2) <= after


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2", "h", "-2h", "2 h", "2H", "1.5h", "2y", "1234567s", "2h\n", "٢h",
        "2026-13-01", "2026-11-24T25:00", "24.11.2026", "12:00",
    ],
)  # fmt: skip
def test_no_time(text: str) -> None:
    """What is neither a time nor an age is an error that shows one of each."""
    with pytest.raises(FilterError) as caught:
        parse_time(text, now=NOON)

    assert str(caught.value) == (
        f"{text!r} is no time. Write 2026-11-24T12:00 (UTC) or an age like 90s, 15m, 2h, 7d."
    )


@pytest.mark.parametrize("text", ["999999d", "999999w"])
def test_age_before_all_time(text: str) -> None:
    """An age that goes back past the first year is an error like any other, not an overflow."""
    with pytest.raises(FilterError, match=f"^'{text}' is no time"):
        parse_time(text, now=NOON)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100", (100, 100)),
        ("404", (404, 404)),
        ("599", (599, 599)),
        ("1xx", (100, 199)),
        ("2XX", (200, 299)),
        ("5xX", (500, 599)),
    ],
)
def test_status(text: str, expected: tuple[int, int]) -> None:
    """A status is a code, or a class of a hundred codes."""
    assert parse_status(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", False), ("method=GET", False), ("status=499", False), ("status=4xx", False),
     ("status=500", True), ("status=5xx", True), ("status=599 path=/a", True)],
)  # fmt: skip
def test_wants_failures(text: str, expected: bool) -> None:
    """Failures alone are meant by a status from 500 on."""
    assert Filter.parse(text).wants_failures is expected


@pytest.mark.parametrize(
    "text", ["", "0", "99", "600", "6xx", "0xx", "xxx", "40x", "4040", "5xx\n", "٤٠٤"]
)
def test_no_status(text: str) -> None:
    """What is neither a code nor a class is an error that shows one of each."""
    with pytest.raises(FilterError) as caught:
        parse_status(text)

    assert str(caught.value) == f"{text!r} is no status. Write one like 404 or a class like 5xx."


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [("200", 200.0), ("200ms", 200.0), ("1s", 1000.0), ("1.5s", 1500.0), ("0.25ms", 0.25), ("0", 0.0)],
)
def test_duration(text: str, expected_ms: float) -> None:
    """A duration is a number of milliseconds, or of seconds where it says so."""
    assert parse_duration(text) == expected_ms


@pytest.mark.parametrize(
    "text", ["", "ms", "-1", "1.s", ".5s", "1,5s", "1 s", "1m", "1e3", "inf", "1s\n"]
)
def test_no_duration(text: str) -> None:
    """What is no duration is an error that shows one."""
    with pytest.raises(FilterError) as caught:
        parse_duration(text)

    assert str(caught.value) == f"{text!r} is no duration. Write 200ms or 1.5s."


@pytest.mark.parametrize(
    ("wanted", "is_meant"),
    [
        (Filter(), True),
        (Filter(since=NOON), True),
        (Filter(since=NOON + timedelta(milliseconds=1)), False),
        (Filter(until=NOON), False),
        (Filter(until=NOON + timedelta(milliseconds=1)), True),
        (Filter(since=NOON.astimezone(timezone(timedelta(hours=9)))), True),
        (Filter(status=(503, 503)), True),
        (Filter(status=(500, 599)), True),
        (Filter(status=(504, 599)), False),
        (Filter(status=(400, 502)), False),
        (Filter(method="POST"), True),
        (Filter(method="GET"), False),
        (Filter(path="/orders/17"), True),
        (Filter(path="/orders/*"), True),
        (Filter(path="/orders/1"), False),
        (Filter(slower_than_ms=200.0), True),
        (Filter(slower_than_ms=200.1), False),
        (Filter(user="42"), True),
        (Filter(user="Ada <ada@example.com>"), True),
        (Filter(user="Ada"), False),
        (Filter(status=(500, 599), method="POST", path="*", slower_than_ms=1.0, user="42"), True),
        (Filter(status=(500, 599), method="GET", path="*", slower_than_ms=1.0, user="42"), False),
    ],
)
def test_matches(wanted: Filter, is_meant: bool) -> None:
    """A record is meant when every part that is given holds."""
    assert wanted.matches(make_record()) is is_meant


@pytest.mark.parametrize(
    ("missing", "wanted"),
    [
        ("status_code", Filter(status=(100, 599))),
        ("method", Filter(method="POST")),
        ("path", Filter(path="*")),
        ("execution_time", Filter(slower_than_ms=0.0)),
    ],
)
def test_record_without_a_value_is_not_meant(missing: str, wanted: Filter) -> None:
    """A part of a filter holds for no record that has nothing to compare."""
    assert wanted.matches(make_record())
    assert not wanted.matches(make_record(**{missing: None}))


def test_record_without_a_user_is_not_meant() -> None:
    """A filter for a user passes no record that has none."""
    assert not Filter(user="42").matches(make_record(user_id=None, user_repr=None))
    assert Filter(user="42").matches(make_record(user_repr=None))


PATHS = [
    ("/orders/17", "/orders/17", True),
    ("/orders/17", "/orders/170", False),
    ("/orders/17", "/v1/orders/17", False),
    ("/orders/17", "/ORDERS/17", False),
    ("/orders/*", "/orders/", True),
    ("/orders/*", "/orders/17/items", True),
    ("/orders/*", "/orders", False),
    ("*", "/", True),
    ("*/items", "/orders/17/items", True),
    ("*/items", "/orders/17/items/1", False),
    ("/o*/i*s", "/orders/17/items", True),
    ("/*/*", "/a", False),
    ("/**", "/a", True),
    ("/a.b", "/a.b", True),
    ("/a.b", "/aXb", False),
    ("/(a|b)+[c]$^", "/(a|b)+[c]$^", True),
    ("/a?", "/a?", True),
    ("/a?", "/", False),
    ("/a b", "/a b", True),
    ("/ü/*", "/ü/1", True),
    ("/a*", "/a\nb", True),
    ("/a\n", "/a\n", True),
]


@pytest.mark.parametrize(
    ("pattern", "path", "is_meant"), [*PATHS, ("/a", "/a\n", False), ("*/b", "/a/b\n", False)]
)
def test_path(pattern: str, path: str, is_meant: bool) -> None:
    """A path is meant as a whole, character by character, but for ``*``."""
    assert Filter(path=pattern).matches(make_record(path=path)) is is_meant


@pytest.mark.parametrize(("pattern", "path", "is_meant"), PATHS)
def test_path_regex_means_the_same(pattern: str, path: str, is_meant: bool) -> None:
    """The regular expression that stores are given means what the filter means."""
    regex = Filter(path=pattern).path_regex()

    assert regex is not None
    assert bool(re.search(regex, path, re.DOTALL)) is is_meant


TARGETS = [
    ("/api/users?page=1", "/api/users", "page=1", True),
    ("/api/users?page=1", "/api/users", "page=12", False),
    ("/api/users?page=1", "/api/users", "", False),
    ("/api/users?page=1", "/api/users/1", "page=1", False),
    ("/api/users?page=1", "/api/users?page=1", "", True),
    ("/api/users?page=*", "/api/users", "page=12&a=1", True),
    ("/api/*?page=1", "/api/users", "page=1", True),
    ("*?page=1", "/api/users", "page=1", True),
    ("/api/users?*", "/api/users", "page=1", True),
    ("/api/users?*", "/api/users", "", False),
    ("/api/users?*", "/api/users", None, False),
    ("/api/users?", "/api/users", "", True),
    ("/api/users?", "/api/users", None, True),
    ("/api/users?", "/api/users", "page=1", False),
    ("/api/users", "/api/users", "page=1", True),
    ("/api/users*", "/api/users", "page=1", True),
    ("/api/us…", "/api/users", "page=1", True),
    ("/api/users?pa…", "/api/users", "page=1", True),
    ("/a?b?c", "/a", "b?c", True),
    ("/a?b?c", "/a?b", "c", False),
    ("/a?(b|c)", "/a", "(b|c)", True),
    ("/a?(b|c)", "/a", "b", False),
]
"""What is asked for, the path and the query of a record, and whether it is meant."""
USERS = [
    ("7", "7", "<User ada>", True),
    ("<User ada>", "7", "<User ada>", True),
    ("ada", "7", "<User ada>", True),
    ("ada", "7", "<User: ada>", True),
    ("ada", "7", "<User 'ada'>", True),
    ("ada", "7", "<shop.models.User ada>", True),
    ("Ada Lovelace", "7", "<User Ada Lovelace>", True),
    ("ada", "7", "<User adam>", False),
    ("ada", "7", "<User lada>", False),
    ("Ada", "7", "<User ada>", False),
    ("Ada", "7", "Ada Lovelace", False),
    ("Ada*", "7", "Ada Lovelace", True),
    ("*ada*", "7", "<User ada>", True),
    ("*ada*", "canada", None, True),
    ("*ADA*", "7", "<User ada>", False),
    ("ada*", "7", "<User ada>", False),
    ("<User a…", "7", "<User ada>", True),
    ("*", "7", None, True),
    ("*", None, None, False),
    ("ada", None, None, False),
    (".*", "7", "<User ada>", False),
    ("a.a", "7", "<User ada>", False),
    ("$ne", "7", "<User ada>", False),
    ("a|d", "7", "<User ada>", False),
    ("ü(", "7", "<User ü(>", True),
]
"""What is asked for, the id and the text of a record's user, and whether it is meant."""


@pytest.mark.parametrize(("asked", "path", "query", "is_meant"), TARGETS)
def test_path_with_a_query(asked: str, path: str, query: str | None, is_meant: bool) -> None:
    """A path with a ``?`` is meant with its query, as ``list`` shows both."""
    record = make_record(path=path, query_params=query)
    assert Filter(path=asked).matches(record) is is_meant


@pytest.mark.parametrize(("asked", "user_id", "text", "is_meant"), USERS)
def test_user(asked: str, user_id: str | None, text: str | None, is_meant: bool) -> None:
    """A user is meant by id, by text, by what an object's text names, or by a pattern of these."""
    record = make_record(user_id=user_id, user_repr=text)
    assert Filter(user=asked).matches(record) is is_meant


@pytest.mark.parametrize("text", ["path=/\udcff*", "user=\udcff", "user='*\udcff*'"])
def test_what_no_record_can_hold(text: str) -> None:
    """What came in no known encoding is asked for as a text that a store can be asked for."""
    wanted = Filter.parse(text)
    assert not wanted.matches(make_record())
    (wanted.path or wanted.user or "").encode()


def test_many_stars_do_not_hang() -> None:
    """A text that a client chose is looked through a few times at most, whatever the pattern."""
    wanted = Filter(path="/" + "*a" * 30 + "*b", user="*a" * 30 + "*b")
    hostile = "/" + "a" * 4000
    assert not wanted.matches(make_record(path=hostile, user_repr=hostile))
    assert wanted.matches(make_record(path=f"{hostile}b", user_repr=f"{hostile}b"))


def test_path_regex_is_anchored() -> None:
    """The regular expression begins at the path's start, so that an index can serve it."""
    regex = Filter(path="/orders/*.json").path_regex()

    assert regex is not None
    assert regex.startswith("^/orders/.*\\.json")


def test_filter_without_a_path_has_no_regex() -> None:
    """Without a path there is no regular expression."""
    assert Filter(user="42").path_regex() is None


def test_filter_is_a_plain_value() -> None:
    """A filter cannot be changed, can be made anew, and equals another of the same parts."""
    wanted = Filter(status=(500, 599))

    with pytest.raises(dataclasses.FrozenInstanceError):
        wanted.user = "42"  # type: ignore[misc]
    assert dataclasses.replace(wanted, user="42") == Filter.parse("status=5xx user=42")
    assert len({wanted, Filter(status=(500, 599))}) == 1


@pytest.mark.parametrize(
    ("bounds", "further", "expected"),
    [
        ((None, None), (None, None), (None, None)),
        ((1, 5), (None, None), (1, 5)),
        ((None, None), (1, 5), (1, 5)),
        ((1, 5), (2, 6), (2, 5)),
        ((2, 6), (1, 5), (2, 5)),
    ],
)
def test_narrowed(bounds: Any, further: Any, expected: Any) -> None:
    """Of two bounds the narrower one holds, and all else of a filter stays."""

    def times(days: Any) -> list[datetime | None]:
        return [day and datetime(2026, 11, day, tzinfo=timezone.utc) for day in days]

    since, until = times(bounds)
    wanted = Filter(since=since, until=until, method="GET").narrowed(*times(further))
    assert [wanted.since, wanted.until] == times(expected)
    assert wanted.method == "GET"
