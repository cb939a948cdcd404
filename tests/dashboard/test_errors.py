"""The groups of errors, and the page of one."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock

import pytest
from bson import ObjectId
from flask.testing import FlaskClient

from flask_tracking import ExportError, Filter, MemoryExporter, Record, StoreTimeoutError
from flask_tracking.dashboard import page as page_module
from flask_tracking.dashboard.pages import errors
from flask_tracking.dashboard.statistics import failures
from flask_tracking.dashboard.statistics.failures import generalise, make_id, make_terms
from flask_tracking.dashboard.text.numbers import iso
from flask_tracking.exporters.rollup_table import RollupQuery, align
from flask_tracking.queries import find_newest
from flask_tracking.record import ExceptionInfo
from flask_tracking.record_summary import RecordSummary
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Example, FailureKey, Failures, Rollup, RouteKey

from ..captures import make_record
from .conftest import Make
from .hostile import HOSTILE
from .test_pages import check

ERRORS = "/_tracking/errors"
DECLINED = FailureKey("shop.pay.CardDeclined", "/srv/shop/pay.py", "charge", "/checkout")
STEADY = FailureKey("KeyError", "/srv/shop/invoice.py", "render", "/invoice")
REFUSED = FailureKey("status 503", "", "", "/api/orders")
TRACEBACK = """Traceback (most recent call last):
  File "/x/site-packages/flask/app.py", line 1511, in wsgi_app
    response = self.full_dispatch_request()
  File "/srv/shop/pay.py", line 88, in charge
    raise CardDeclined(code)
"""


def make_failure(key: FailureKey, number: int, ago: timedelta, version: str) -> Record:
    """Make a record of a group."""
    exception = None
    if not key.error.startswith("status"):
        exception = ExceptionInfo(
            key.error, f"provider said 'no {number}' after {number} tries", TRACEBACK
        )
    return dataclasses.replace(
        make_record(),
        id=ObjectId(),
        date_created=datetime.now(timezone.utc) - ago,
        url_rule=key.url_rule,
        status_code=503 if exception is None else 500,
        outcome="ok" if exception is None else "error",
        exception=exception,
        user_id=f"user{number % (9 if key == DECLINED else 3)}",
        version=version,
        kept=True,
        kept_reason="error",
    )


def add(
    memory: MemoryExporter, key: FailureKey, ago: timedelta, *, count: int = 12, version: str = "2.4.1"
) -> list[Record]:
    """Store failures of a group, with the rollup that counts them among many requests."""
    records = [make_failure(key, number, ago, version) for number in range(count)]
    memory.export(records)
    counts = Counts()
    for number in range(200):
        counts.add_request(500 if number < count else 200, number < count, 20.0, 0, 0)
    width_s = 60 if ago < timedelta(hours=3) else 3_600
    start = align(records[0].date_created, width_s)
    rollup = Rollup(width_s=width_s, start=start, source=f"{key.function}{ago}", version=version)
    rollup.routes = {RouteKey(key.url_rule, "POST"): counts}
    rollup.failures = {key: Failures(count, Example(True, records[-1].id))}
    memory.rollups.store([rollup])
    memory.rollups.merge("test")
    return records


@pytest.fixture
def client(make: Make, memory: MemoryExporter) -> FlaskClient:
    """A client of an app with a new group, a steady one, and one that was silent for ten days."""
    client = make().test_client()
    minutes = timedelta(minutes=1)
    add(memory, DECLINED, 10 * minutes)
    for ago in (100, 80, 20):
        add(memory, STEADY, ago * minutes, count=5, version="2.4.0")
    add(memory, REFUSED, timedelta(days=10), version="2.3")
    add(memory, REFUSED, 30 * minutes, count=9)
    return client


def read_row(page: str, name: str) -> str:
    """Return the row of a group."""
    return next(row for row in page.split("<tr>") if f"<b>{name}</b>" in row)


def test_tags(client: FlaskClient) -> None:
    """A group is new, with its version, or back after three days; a steady one is neither."""
    page = check(client.get(ERRORS).text)
    assert '<span class="tag new">new in 2.4.1</span>' in read_row(page, "CardDeclined")
    assert '<span class="tag new">back</span>' in read_row(page, "status 503")
    assert "tag new" not in read_row(page, "KeyError")
    assert "<rect" in read_row(page, "KeyError")


@pytest.mark.parametrize(
    ("sort", "first"), [("times", "CardDeclined"), ("new", "CardDeclined"), ("users", "CardDeclined")]
)
def test_sort(client: FlaskClient, memory: MemoryExporter, sort: str, first: str) -> None:
    """The list is sorted by a column, which says so."""
    add(memory, STEADY, timedelta(minutes=5), count=90, version="2.4.0")
    page = check(client.get(ERRORS, query_string={"sort": sort}).text)
    names = re.findall(r"<b>([^<]+)</b></a>", page)
    assert names[0] == ("KeyError" if sort == "times" else first)
    assert page.count("aria-sort") == 1


def test_no_known_users(make: Make, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no user is known, no number claims that there is none."""
    monkeypatch.setattr(RecordSummary, "user", "")
    client = make().test_client()
    add(memory, STEADY, timedelta(minutes=5))
    page = check(client.get(f"{ERRORS}?sort=users").text)
    assert 'data-label="users">–</td>' in read_row(page, "KeyError")
    assert set(client.get("/_tracking/data/users").get_json().values()) == {"–"}


def test_users(client: FlaskClient, memory: MemoryExporter) -> None:
    """Each group says how many users met it: after the page, but where they decide the order."""
    with mock.patch.object(memory, "_find_summaries", side_effect=ExportError("away")):
        page = check(client.get(f"{ERRORS}?from=6h").text)  # reads no record
    row = read_row(page, "CardDeclined")
    assert 'data-users-address="/_tracking/data/users?from=6h"' in page
    group = re.search('data-label="users" data-users="([0-9a-f]+)">…</td>', row)
    assert group is not None
    assert client.get("/_tracking/data/users?from=6h").get_json()[group[1]] == "9"
    page = check(client.get(f"{ERRORS}?from=6h&sort=users").text)
    assert 'data-label="users">9</td>' in read_row(page, "CardDeclined")
    assert "data-users" not in page


def count_users_of(client: FlaskClient, query: str = "?from=6h") -> list[RecordSummary]:
    """Return the failures whose users are counted."""
    with mock.patch.object(errors, "count_users", wraps=failures.count_users) as count:
        assert client.get(f"/_tracking/data/users{query}").status_code == 200
    return list(count.call_args.args[1])


@pytest.mark.parametrize("most", [1, 3, 12, 20, 1000])
def test_newest_failures_are_read_at_once(
    client: FlaskClient, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Rollups tell about when so many of them began, so that they are found by one read."""
    monkeypatch.setattr(failures, "MAX_SUMMARIES", most)
    expected = find_newest(memory, Filter.parse("is:error since:6h"), most, fields="summary")
    with mock.patch.object(memory, "_find_summaries", wraps=memory._find_summaries) as find:
        assert count_users_of(client) == expected
    assert find.call_count == 1 or len(expected) < most


def test_failures_that_rollups_do_not_count(client: FlaskClient, memory: MemoryExporter) -> None:
    """Where rollups count more than is stored, or something else, the newest are found all the same."""
    expected = find_newest(memory, Filter.parse("is:error since:6h"), 1000, fields="summary")
    (rollup,) = [one for one in memory.rollups.find(RollupQuery(60)) if DECLINED in one.failures][:1]
    for counts in rollup.routes.values():
        counts.failed += 5_000
    memory.rollups.store([dataclasses.replace(rollup, revision=1)])
    assert count_users_of(client) == expected
    wanted = Filter.parse("is:error route:/invoice")
    expected = find_newest(memory, wanted, 1000, fields="summary")
    assert count_users_of(client, "?from=6h&q=route:/invoice") == expected
    assert count_users_of(client, "?from=6h&q=is:error+route:/invoice") == expected


def test_page_of_a_group(client: FlaskClient, memory: MemoryExporter) -> None:
    """It says since when and which version, the messages, the traceback, and the newest ten."""
    (address,) = set(re.findall(r'href="([^"]+)"><b>CardDeclined', client.get(ERRORS).text))
    assert address == f"{ERRORS}/{make_id(DECLINED)}"
    page = check(client.get(address).text)
    assert "<b>12 times</b> in this range, 0 before" in page
    assert 'since version <b class="mono">2.4.1</b>' in page and "new in 2.4.1" in page
    assert "provider said &#39;…&#39; after … tries" in page and '<td class="num">12</td>' in page
    assert "raise CardDeclined(code)" in page and "1 frame of flask" in page
    assert page.count("<a data-row ") == 10
    assert "raised in" in page and "pay.py in charge" in page
    panel = re.search(r'data-panel="([^"]+)"', page)
    assert panel is not None
    shared = client.get(panel[1].replace("&amp;", "&"))
    assert shared.status_code == 200 and "compared with" in shared.text


def test_group_without_an_exception(client: FlaskClient) -> None:
    """A 503 that the app answered has no traceback; the page says why."""
    page = check(client.get(f"{ERRORS}/{make_id(REFUSED)}").text)
    assert "No traceback is stored: the app answered with a failure" in page
    assert "No messages are stored." in page and "back" in page


def test_group_that_is_not_in_the_range(client: FlaskClient) -> None:
    """The page of a group stays, also while nothing of it is in the range."""
    page = check(client.get(f"{ERRORS}/{make_id(REFUSED)}", query_string={"from": "15m"}).text)
    assert "<b>0 times</b> in this range" in page and "No records are stored of these." in page


def test_group_whose_records_are_gone(client: FlaskClient, memory: MemoryExporter) -> None:
    """Rollups still count what is not stored any more."""
    with (
        mock.patch.object(memory, "find", return_value=[]),
        mock.patch.object(memory, "get", return_value=None),
    ):
        page = check(client.get(f"{ERRORS}/{make_id(DECLINED)}").text)
    assert "<b>12 times</b>" in page and "No record of this group is stored any more" in page


def test_two_groups_with_one_filter(client: FlaskClient, memory: MemoryExporter) -> None:
    """Where a filter cannot tell two groups apart, both pages say so."""
    add(memory, DECLINED._replace(function="refund"), timedelta(minutes=3), count=4)
    page = check(client.get(f"{ERRORS}/{make_id(DECLINED)}").text)
    assert "1 other group has the same exception and route" in page


@pytest.mark.parametrize("group", ["0" * 16, "nonsense", "%2e%2e", "<script>"])
def test_unknown_group(client: FlaskClient, group: str) -> None:
    """Any other address is a page that says so."""
    response = client.get(f"{ERRORS}/{group}")
    assert response.status_code == 404
    assert "Error not found" in check(response.text)


def test_filter_by_route(client: FlaskClient) -> None:
    """With a filter that rollups know, failures are grouped by the newest records."""
    page = check(client.get(ERRORS, query_string={"q": "route:/checkout"}).text)
    assert "CardDeclined" in page and "KeyError" not in page


def test_without_rollups(client: FlaskClient, memory: MemoryExporter) -> None:
    """A store without rollups has groups of its records, and claims of none that it is new."""
    with mock.patch.object(memory, "rollups", None):
        page = check(client.get(ERRORS).text)
        assert "CardDeclined" in page and "tag new" not in page
        (address,) = set(re.findall(r'href="([^"]+)"><b>CardDeclined', page))
        assert "raise CardDeclined(code)" in check(client.get(address).text)


def test_hostile_group(client: FlaskClient, memory: MemoryExporter) -> None:
    """Names and messages of strangers are text."""
    key = FailureKey(HOSTILE, HOSTILE, HOSTILE, "/" + HOSTILE)
    add(memory, key, timedelta(minutes=3), version=HOSTILE)
    for address in (ERRORS, f"{ERRORS}/{make_id(key)}"):
        page = check(client.get(address).text)
        assert "<img" not in page and "\u202e" not in page


def test_store_away(client: FlaskClient, memory: MemoryExporter) -> None:
    """The page says that the store does not answer."""
    with mock.patch.object(memory, "find", side_effect=ExportError("gone")):
        assert client.get(f"{ERRORS}?sort=users").status_code == 503
        assert client.get(f"{ERRORS}?q=user:ann").status_code == 503
    with mock.patch.object(memory.rollups, "find", side_effect=ExportError("gone")):
        assert client.get(ERRORS).status_code == 503


@pytest.mark.parametrize("key", [DECLINED, STEADY, REFUSED])
def test_terms(key: FailureKey) -> None:
    """The filter of a group selects its records, and those of no other."""
    wanted = Filter.parse(make_terms(key))
    for other in (DECLINED, STEADY, REFUSED):
        record = make_failure(other, 1, timedelta(), "2")
        assert wanted.matches(record) is (other == key)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("no record 6b0b2833420c3ba6703982aa", "no record …"),
        ("'vat_id' of \"ada\" is 42.5 at 0x7f3a", "'…' of '…' is … at …"),
        ("can't go on", "can't go on"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id …"),
        ("", ""),
    ],
)
def test_messages(message: str, expected: str) -> None:
    """What is another one each time is left out of a message."""
    assert generalise(message) == expected


def read_seen(page: str) -> tuple[list[str], list[str]]:
    """Return when a group was seen first and last: one time each, or two as bounds."""
    first, last = re.findall("<span>(?:first|last) (.*?)</span>", page)
    return re.findall('datetime="([^"]+)"', first), re.findall('datetime="([^"]+)"', last)


def test_when_seen(client: FlaskClient, memory: MemoryExporter) -> None:
    """Records tell to the millisecond when a group was seen first and last."""
    page = check(client.get(f"{ERRORS}/{make_id(STEADY)}").text)
    of_group = memory.find(Filter.parse("error:KeyError"), limit=100)
    ends = of_group[-1].date_created, of_group[0].date_created
    assert read_seen(page) == ([iso(ends[0])], [iso(ends[1])])


def test_when_seen_without_records(client: FlaskClient, memory: MemoryExporter) -> None:
    """Where the records of the first time are gone, the span of its rollup is named as such."""
    page = check(client.get(f"{ERRORS}/{make_id(STEADY)}").text)
    (known,), last = read_seen(page)
    find = memory.find

    def find_few(*args: Any, **parts: Any) -> Any:
        return find(*args, **parts)[:4]  # of five in each minute

    with mock.patch.object(memory, "find", find_few):
        page = check(client.get(f"{ERRORS}/{make_id(STEADY)}").text)
    since, until = read_seen(page)[0]
    assert since <= known <= until and read_seen(page)[1] == last
    with mock.patch.object(memory, "find", return_value=[]):
        page = check(client.get(f"{ERRORS}/{make_id(STEADY)}").text)
    assert list(map(len, read_seen(page))) == [2, 2]


def test_when_one_of_two_groups_was_seen(client: FlaskClient, memory: MemoryExporter) -> None:
    """Records of another function may be of the other group, so they date none of the two."""
    add(memory, STEADY._replace(function="total"), timedelta(minutes=3), count=4)
    page = check(client.get(f"{ERRORS}/{make_id(STEADY)}").text)
    assert list(map(len, read_seen(page))) == [2, 2]


@pytest.mark.parametrize("q", ["user:user0", "route:/checkout"])
def test_trend_under_a_filter(client: FlaskClient, q: str) -> None:
    """Groups of records have a trend, too, here and on the overview."""
    for address in (ERRORS, "/_tracking/"):
        page = check(client.get(address, query_string={"q": q}).text)
        assert "<rect" in read_row(page, "CardDeclined").partition("bar-cell")[2]


def test_trend_of_too_many(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none where not all failures were read, as it would be that of the newest ones."""
    monkeypatch.setattr(failures, "MAX_SUMMARIES", 12)
    page = check(client.get(ERRORS, query_string={"q": "route:/checkout"}).text)
    assert "<rect" not in read_row(page, "CardDeclined").partition("bar-cell")[2]


def test_group_under_a_filter(client: FlaskClient, memory: MemoryExporter) -> None:
    """Its lists are those of the filter; its numbers, which rollups count, say that they are not."""
    page = check(client.get(ERRORS, query_string={"q": "user:user0"}).text)
    assert "user:user0+error:shop.pay.CardDeclined" in read_row(page, "CardDeclined")
    address = f"{ERRORS}/{make_id(DECLINED)}"
    whole = check(client.get(address).text)
    assert "of the newest 12<" in whole and "whatever the filter says" not in whole
    page = check(client.get(address, query_string={"q": "user:user0"}).text)
    assert "of the newest 2<" in page and "whatever the filter says" in page
    assert "user:user0+error:shop.pay.CardDeclined+route:/checkout" in page


def read_group(client: FlaskClient, record: Record) -> str | None:
    """Return the id of the group to which the page of a request leads."""
    page = check(client.get(f"/_tracking/requests/{record.id}").text)
    found = re.search(r"/_tracking/errors/([0-9a-f]+)", page)
    return None if found is None else found[1]


def test_request_says_how_often_it_happened(client: FlaskClient, memory: MemoryExporter) -> None:
    """A failed request says how many of its group rollups count in 30 days, and when; others do not."""
    for key, times in ((DECLINED, 12), (STEADY, 15), (REFUSED, 21)):
        record = next(one for one in reversed(memory.records) if one.url_rule == key.url_rule)
        page = check(client.get(f"/_tracking/requests/{record.id}").text)
        link = f'href="{ERRORS}/{make_id(key)}">happened <b>{times} times</b></a> in 30 days, first'
        assert link in page
    client.get("/tea/green")
    assert "happened <b>" not in client.get(f"/_tracking/requests/{memory.records[-1].id}").text


def test_how_often_is_shared(client: FlaskClient, memory: MemoryExporter) -> None:
    """The requests that somebody looks at one after the other read 30 days of rollups once."""
    failed = [one for one in memory.records if one.url_rule == DECLINED.url_rule][:4]
    with mock.patch.object(failures, "_find_rollups", wraps=failures._find_rollups) as find:
        for record in failed:
            assert "happened <b>12 times" in client.get(f"/_tracking/requests/{record.id}").text
    long = [call for call in find.call_args_list if call.args[2] - call.args[1] > timedelta(days=20)]
    assert len(long) == 1


def test_request_leads_to_its_group(client: FlaskClient, memory: MemoryExporter) -> None:
    """With an exception or without; the group leads back. A request that did not fail has none."""
    for key in (DECLINED, REFUSED):
        record = next(
            one
            for one in reversed(memory.records)
            if one.url_rule == key.url_rule and one.version == "2.4.1"
        )
        assert read_group(client, record) == make_id(key)
        group = client.get(f"{ERRORS}/{make_id(key)}").text
        assert f"/_tracking/requests/{record.id}" in group
    fine = dataclasses.replace(make_record(), date_created=datetime.now(timezone.utc))
    memory.export([dataclasses.replace(fine, exception=None, status_code=200, outcome="ok")])
    assert read_group(client, fine) is None


def test_request_of_one_of_two_groups(client: FlaskClient, memory: MemoryExporter) -> None:
    """Two groups of the same exception and route are told apart by the function that raised it."""
    other = DECLINED._replace(file="/srv/shop/limits.py", function="check_limit")
    minutes = timedelta(minutes=10)
    mine = memory.records[0]
    (theirs,) = add(memory, other, minutes, count=1)
    traceback = TRACEBACK.replace("pay.py", "limits.py").replace("in charge", "in check_limit")
    assert theirs.exception is not None
    theirs = dataclasses.replace(
        theirs, id=ObjectId(), exception=theirs.exception._replace(traceback=traceback)
    )
    memory.export([theirs])
    assert mine.exception is not None and mine.url_rule == "/checkout"
    assert read_group(client, mine) == make_id(DECLINED)
    assert read_group(client, theirs) == make_id(other)


def test_failures_are_read_where_they_are_kept(client: FlaskClient, memory: MemoryExporter) -> None:
    """All failures are kept, so none of the many routine records is read for their users."""
    client.get("/broken")
    with mock.patch.object(memory, "_find_summaries", wraps=memory._find_summaries) as find:
        client.get("/_tracking/data/users")
    asked = [str(call.args[0]) for call in find.call_args_list]
    assert [one for one in asked if "is:error is:kept" in one]
    assert [one for one in asked if "is:error" in one and "is:kept" not in one] == []


# The number of new groups in the navigation

NEW = "/_tracking/data/new-errors"
BADGE = '<span class="count">{}<span class="sr"> new</span></span>'


def test_new_in_navigation(client: FlaskClient) -> None:
    """Pages that count the groups show it at once, and others ask for it, for their range alone."""
    for address in (ERRORS, "/_tracking/"):
        page = check(client.get(address).text)
        assert BADGE.format(1) in page and "data-new-errors" not in page
    page = check(client.get(f"{ERRORS}?q=status:5xx&from=6h").text)
    assert 'class="count"' not in page and f'data-new-errors="{NEW}?from=6h"' in page
    for address in ("/_tracking/requests", "/_tracking/health", "/_tracking/requests/0"):
        assert f'data-new-errors="{NEW}"' in client.get(address).text
    assert client.get(NEW).json == {"count": 1}
    assert client.get(f"{NEW}?from=6h&to=1h").json == {"count": 0}


def test_new_is_shared(client: FlaskClient, memory: MemoryExporter) -> None:
    """Each page asks, and the answer of a minute is one."""
    assert client.get(NEW).json == {"count": 1}
    add(memory, DECLINED._replace(function="refund"), timedelta(minutes=3))
    assert client.get(NEW).json == {"count": 1}
    assert BADGE.format(2) in client.get(ERRORS).text


def test_new_without_a_store(client: FlaskClient, memory: MemoryExporter) -> None:
    """While the store is away nothing is known: no failure of the page, and asked once a minute."""
    with mock.patch.object(memory.rollups, "find", side_effect=ExportError("away")) as find:
        assert client.get(NEW).status_code == 204
        asked = find.call_count
        assert client.get(NEW).status_code == 204
    assert find.call_count == asked > 0


def test_new_while_another_page_counts(client: FlaskClient) -> None:
    """Nobody waits for it longer than for a page."""
    with mock.patch.object(page_module, "share", side_effect=StoreTimeoutError("busy")):
        assert client.get(NEW).status_code == 204


def test_times_and_versions_of_groups(client: FlaskClient, memory: MemoryExporter) -> None:
    """The list says since when each group is there, until when, and with which versions."""
    page = check(client.get(ERRORS).text)
    row = read_row(page, "KeyError")
    assert '<td class="mono on-wide">2.4.0</td>' in row
    times = re.findall('<time datetime="([^"]+)"', row)
    now = datetime.now(timezone.utc)
    expected = [align(now - timedelta(minutes=ago), 60) for ago in (100, 20)]
    read = [datetime.fromisoformat(one.replace("Z", "+00:00")) for one in (times[0], times[-1])]
    for one, other in zip(read, expected, strict=True):
        # After midnight rollups know the day before as a whole.
        is_of_a_day = other.date() < now.date() and one == align(other, 24 * 3600)
        assert is_of_a_day or abs(one - other) <= timedelta(hours=1)
    assert "First seen" not in client.get("/_tracking/").text


# Tracebacks


@pytest.mark.parametrize(("end", "times"), [("E: no\n", 1), ("E: no such card\n", 2)])
def test_nothing_is_said_twice(make: Make, memory: MemoryExporter, end: str, times: int) -> None:
    """Of a traceback the first line is left out, and the last one if it is the heading."""
    record = make_failure(DECLINED, 1, timedelta(minutes=1), "1")
    exception = ExceptionInfo("E", "no", TRACEBACK + end)
    memory.export([dataclasses.replace(record, exception=exception)])
    page = check(make().test_client().get(f"/_tracking/requests/{record.id}").text)
    card = page.partition('id="exception-title"')[2].partition("</section>")[0]
    assert "most recent call last" not in card
    assert card.count("E: no") == times
    assert "pay.py:88" in card
