"""Filters in memory."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from flask_tracking import Filter, Record
from flask_tracking.filters.wildcards import collapse, make_matcher, make_regex, read_parts

from .cases import CASES, NOON, PATHS, TARGETS, USERS, make_records


def make_record(**parts: Any) -> Record:
    """Make a record of these parts."""
    return Record(**{"id": ObjectId(), "date_created": NOON, **parts})


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_matches(text: str, expected: str) -> None:
    """A filter selects the records that its text describes."""
    wanted = Filter.parse(text)
    found = [name for name, record in make_records().items() if wanted.matches(record)]
    assert found == expected.split()


@pytest.mark.parametrize(
    ("pattern", "path", "is_meant"), [*PATHS, ("/a", "/a\n", False), ("*/b", "/a/b\n", False)]
)
def test_path(pattern: str, path: str, is_meant: bool) -> None:
    """A path is meant as a whole, character by character, but for ``*``."""
    assert Filter.term("path", pattern).matches(make_record(path=path)) is is_meant


@pytest.mark.parametrize(("pattern", "path", "is_meant"), PATHS)
def test_regex_means_the_same(pattern: str, path: str, is_meant: bool) -> None:
    """The regular expression that stores are given means what the filter means."""
    regex = make_regex(read_parts(pattern))
    assert bool(re.search(regex, path, re.DOTALL)) is is_meant
    assert regex.startswith("^") and not re.search(regex, f"{path}\n") or pattern.endswith("*")
    folded = make_regex(read_parts(pattern), folds_case=True)
    assert bool(re.search(folded, path.swapcase(), re.DOTALL)) or not is_meant or not path.isascii()


@pytest.mark.parametrize("pattern", ["*a*a*a*a*b", "a*A*a*a*b", "*a*a*a*a*", "*/*/*/*b", "/*/*/*/b"])
@pytest.mark.parametrize("text", ["a" * 5000, "/" * 5000, "ab" * 2500])
def test_regex_does_not_hold_up_a_server(pattern: str, text: str) -> None:
    """Many wildcards, and a text that a client chose for them, take no minutes."""
    parts = read_parts(pattern)
    for folds_case in (False, True):
        began = time.process_time()
        found = re.search(make_regex(parts, folds_case=folds_case), text, re.DOTALL)
        assert time.process_time() - began < 1
        assert bool(found) is make_matcher(parts, folds_case=folds_case)(text)


@given(st.lists(st.text("aA./\n*", max_size=2), min_size=1, max_size=5), st.text("aA./*", max_size=9))
def test_regex_of_any_pattern_means_the_same(texts: list[str], text: str) -> None:
    """However many parts there are, a store and the memory find the same."""
    parts = collapse(*texts)
    for folds_case in (False, True):
        found = re.search(make_regex(parts, folds_case=folds_case), text, re.DOTALL)
        assert bool(found) is make_matcher(parts, folds_case=folds_case)(text)


@pytest.mark.parametrize(("asked", "path", "query", "is_meant"), TARGETS)
def test_path_with_a_query(asked: str, path: str, query: str | None, is_meant: bool) -> None:
    """A path with a ``?`` is meant with its query, as ``list`` shows both."""
    record = make_record(path=path, query_params=query)
    assert Filter.term("path", asked).matches(record) is is_meant


@pytest.mark.parametrize(("asked", "user_id", "text", "is_meant"), USERS)
def test_user(asked: str, user_id: str | None, text: str | None, is_meant: bool) -> None:
    """A user is meant by id, by text, by what an object's text names, or by a pattern of these."""
    record = make_record(user_id=user_id, user_repr=text)
    assert Filter.term("user", asked).matches(record) is is_meant


@pytest.mark.parametrize("key", ["00", "\u0660", "-1", "9" * 5000])
def test_keys_that_are_no_indexes(key: str) -> None:
    """Only what MongoDB reads as an index is one."""
    assert not Filter.parse(f"custom.list.{key}:1").matches(make_record(custom_data={"list": [1]}))


@pytest.mark.parametrize("text", ["path:/\udcff*", "user:\udcff", "user:*\udcff*", "\udcff"])
def test_what_no_record_can_hold(text: str) -> None:
    """What came in no known encoding is asked for as a text that a store can be asked for."""
    wanted = Filter.parse(text)
    assert not wanted.matches(make_record(path="/"))
    str(wanted).encode()


@pytest.mark.hostile
def test_many_stars_do_not_hang() -> None:
    """A text that a client chose is looked through a few times at most, whatever the pattern."""
    hostile = "/" + "a" * 4000
    for key in ("path", "user", "route", "header.x", "custom.x", ""):
        stars = "/" + "*a" * 30 + "*b"
        wanted = Filter.term(key, stars) if key else Filter.parse(stars)
        parts: dict[str, Any] = {
            "path": hostile,
            "user_repr": hostile,
            "url_rule": hostile,
            "request_headers": (("X", hostile),),
            "custom_data": {"x": hostile},
        }
        began = time.process_time()
        assert not wanted.matches(make_record(**parts))
        assert time.process_time() - began < 1


def test_age_counts_back_from_each_search() -> None:
    """An age is counted from the moment of the search, not from that of the parser."""
    now = datetime.now(timezone.utc)
    record = make_record(date_created=now - timedelta(minutes=59))
    wanted = Filter.parse("since:1h")
    assert wanted.matches(record)
    assert wanted.arrival(now + timedelta(hours=1)).low == now
    assert not Filter.parse("since:58m").matches(record)


def test_combinations() -> None:
    """Combined filters select as their parts do."""
    post, api = Filter.parse("method:post"), Filter.parse("path:/api/*")
    for record in make_records().values():
        is_post, is_api = post.matches(record), api.matches(record)
        assert (post & api).matches(record) is (is_post and is_api)
        assert (post | api).matches(record) is (is_post or is_api)
        assert (~post).matches(record) is not is_post
        assert Filter.all.matches(record)
        assert not (~Filter.all).matches(record)
