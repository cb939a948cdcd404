"""The panel of what some requests share, over records of an hour with a planted cause."""

from __future__ import annotations

import dataclasses
import itertools
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock

import pytest
from bson import ObjectId
from flask.testing import FlaskClient

from flask_tracking import ExportError, MemoryExporter, Record, StoreTimeoutError
from flask_tracking.dashboard.comparison.shared_values import Item
from flask_tracking.dashboard.comparison.traits import make_terms, read_traits
from flask_tracking.exporters.rollup_table import align
from flask_tracking.filters import Filter
from flask_tracking.record import ChildTiming, ExceptionInfo, UserAgent
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Rollup, RouteKey

from ..captures import make_record
from .conftest import Make
from .hostile import HOSTILE
from .test_pages import check

SHARED = "/_tracking/shared"
DATA = "/_tracking/data/shared"
MODEL = dataclasses.replace(make_record(), id=ObjectId(), date_created=datetime.now(timezone.utc))
ROUTES = (("POST", "/checkout"), ("GET", "/items/<int:id>"), ("GET", "/cart"))
TENANTS = ("acme", "tea & co", "*", "north", "south")


def make_hour(*, is_planted: bool = True, count: int = 1_200) -> list[Record]:
    """Make records of the last hour; in its second half one tenant waits for one route."""
    dice = random.Random(5)
    now = datetime.now(timezone.utc)
    records = []
    for at in range(count):
        method, rule = dice.choice(ROUTES)
        tenant = dice.choice(TENANTS)
        is_late = at < count / 2
        is_cause = is_planted and is_late and rule == "/checkout" and tenant == "acme"
        is_slow = is_cause or dice.random() < 0.02
        failed = dice.random() < 0.02
        records.append(
            dataclasses.replace(
                MODEL,
                id=ObjectId(),
                date_created=now - timedelta(seconds=3_500 * at / count),
                method=method,
                url_rule=rule,
                version="2.4.1" if is_late else "2.4.0",
                status_code=500 if failed else 200,
                execution_time=1_500.0 if is_slow else dice.uniform(10, 50),
                custom_data={"tenant": tenant, "order": {"id": at}},
                kept=is_slow or failed,
                kept_reason="slow" if is_slow else "error" if failed else None,
            )
        )
    return records


def store_all(memory: MemoryExporter, records: list[Record]) -> None:
    """Store records, and the rollups that count them."""
    memory.export(records)
    rollups: dict[tuple[datetime, str | None], Rollup] = {}
    for one in records:
        start = align(one.date_created, 60)
        made = Rollup(width_s=60, start=start, source=f"{one.version}.1", version=one.version)
        rollup = rollups.setdefault((start, one.version), made)
        counts = rollup.routes.setdefault(RouteKey(one.url_rule, one.method or ""), Counts())
        failed = (one.status_code or 0) >= 500
        counts.add_request(one.status_code, failed, one.execution_time or 0, 0, 0)
    memory.rollups.store(list(rollups.values()))
    memory.rollups.merge("test")


def read_names(page: str) -> list[str]:
    """Return what the panel says, the first finding first: a field and a value."""
    found = re.findall(r'<div class="what"><span class="dim">(.*?)</span> .*?mono"[^>]*>(.*?)<', page)
    return [f"{field} {value}" for field, value in found]


@pytest.fixture
def client(make: Make) -> FlaskClient:
    """A client of an app with the dashboard."""
    return make().test_client()


@pytest.mark.parametrize("address", [SHARED, DATA])
def test_planted_cause(client: FlaskClient, memory: MemoryExporter, address: str) -> None:
    """The tenant is among the first three, the route and the version are told as well."""
    store_all(memory, make_hour())
    page = check(client.get(address).text)
    names = read_names(page)
    assert "custom.tenant acme" in names[:3]
    assert "route POST /checkout" in names and "version 2.4.1" in names
    assert re.search(r"Within POST /checkout: \S+\s% of slow, \S+\s% of others\.", page)
    # Rollups count whole minutes, and may know of one that arrived a moment before the range.
    others = r"1,\d+ (?:of 1,\d+ )?others"
    assert re.search(rf"\d+ slow compared with {others}, taken evenly from this range", page)


@pytest.mark.parametrize(
    ("slow_ms", "title"), [(1_000, "slower than 1 s"), (250, "slower than 250 ms")]
)
def test_what_slow_is(make: Make, slow_ms: int, title: str) -> None:
    """Each place of the panel says what is called slow."""
    client = make(TRACKING_SLOW_MS=slow_ms).test_client()
    for address in ("/_tracking/", SHARED):
        assert f">{title}</span>" in check(client.get(address).text)


def test_each_value_is_a_filter(client: FlaskClient, memory: MemoryExporter) -> None:
    """A click narrows to a value, + adds it, − excludes it; each of the three finds what it says."""
    records = make_hour()
    store_all(memory, records)
    page = client.get(DATA, query_string={"q": "version:2.4.1"}).text
    row = page.partition("custom.tenant")[2]
    only, add, exclude = re.findall(r'href="([^"]+)"', row)[:3]
    assert [one.partition("q=")[2] for one in (only, add, exclude)] == [
        "custom.tenant:acme",
        "version:2.4.1+custom.tenant:acme",
        "version:2.4.1+not+custom.tenant:acme",
    ]


def test_no_cause(client: FlaskClient, memory: MemoryExporter) -> None:
    """Without a cause it says that nothing stands out, and of how many."""
    store_all(memory, make_hour(is_planted=False))
    page = check(client.get(DATA, query_string={"of": "failed"}).text)
    assert "Nothing stands out" in page and "0 of " in page


def test_few(client: FlaskClient, memory: MemoryExporter) -> None:
    """Fewer than ten are listed instead."""
    store_all(memory, make_hour(is_planted=False, count=100))
    page = check(client.get(DATA).text)
    assert "Too few to compare" in page and 'href="/_tracking/requests/' in page


@contextmanager
def limit_windows(memory: MemoryExporter, count: int) -> Iterator[None]:
    """Let the time be over after so many windows of the samples."""
    find, asked = memory.find, itertools.count()

    def find_some(*args: Any, **options: Any) -> list[Record]:
        if options.get("fields") == "facts" and next(asked) >= 2 * count:
            raise StoreTimeoutError("the store does not answer within 1 s")
        return find(*args, **options)

    with mock.patch.object(memory, "find", side_effect=find_some):
        yield


def test_too_little_read(client: FlaskClient, memory: MemoryExporter) -> None:
    """What could not be read in time is not compared, and the panel can be asked again."""
    store_all(memory, make_hour())
    with limit_windows(memory, 4):
        page = check(client.get(DATA, query_string={"of": "slow", "within": "method:POST"}).text)
    assert "Too little was read in time" in page and not read_names(page)
    assert 'href="/_tracking/shared?of=slow&amp;within=method:POST">Try again' in page


def test_few_read(client: FlaskClient, memory: MemoryExporter) -> None:
    """Few that were read are not all of them."""
    store_all(memory, make_hour())
    with limit_windows(memory, 1):
        page = check(client.get(DATA, query_string={"of": "failed"}).text)
    assert re.search(r"Only \d of \d\d could be read in time[.]", page)
    assert "these are all" not in page and "Try again" in page


def test_part_read(client: FlaskClient, memory: MemoryExporter) -> None:
    """An even part is compared: what holds of all holds of it."""
    store_all(memory, make_hour())
    with limit_windows(memory, 14):
        page = check(client.get(DATA).text)
    assert "custom.tenant acme" in read_names(page)[:3] and "Try again" in page


def test_not_stored(client: FlaskClient, memory: MemoryExporter) -> None:
    """Few that are stored are not all that there were."""
    records = make_hour()
    with mock.patch.object(memory, "export"):
        store_all(memory, records)
    kept = [one for one in records if one.kept]
    memory.export([*(one for one in records if not one.kept), *kept[::15]])
    page = check(client.get(DATA).text)
    assert "Too few to compare: these are all that are stored." in page and "Try again" not in page


def test_of_a_filter(client: FlaskClient, memory: MemoryExporter) -> None:
    """The requests of the filter are compared with the others; what the filter asks for is left out."""
    store_all(memory, make_hour())
    query = {"of": "filter", "q": "custom.tenant:acme slow:>1s", "within": "route:/checkout"}
    page = check(client.get(DATA, query_string=query).text)
    names = read_names(page)
    assert "version 2.4.1" in names and not any("tenant" in one for one in names)
    assert "requests compared with" in page and "of these" in page


def test_without_others(client: FlaskClient, memory: MemoryExporter) -> None:
    """Where the filter leaves none of the others, the panel says so."""
    store_all(memory, make_hour())
    page = check(client.get(DATA, query_string={"q": "slow:>1s"}).text)
    assert "There are no others to compare them with." in page


@pytest.mark.parametrize(
    "query",
    [
        {"of": "filter"},
        {"of": "filter", "q": "status:9"},
        {"of": "nonsense"},
        {"within": "status:9"},
        {"q": "user:ada"},
        {"from": "all"},
        {"q": "body:tea"},
    ],
)
def test_odd_questions(client: FlaskClient, memory: MemoryExporter, query: dict[str, Any]) -> None:
    """Each has a page that says what is wrong, or an answer."""
    store_all(memory, make_hour(count=200))
    for address in (SHARED, DATA):
        response = client.get(address, query_string=query)
        assert response.status_code == 200
        check(response.text)


def test_places(client: FlaskClient, memory: MemoryExporter) -> None:
    """The overview and a filtered list have a place for it, with a link for browsers without script."""
    store_all(memory, make_hour())
    for address, of in (("/", "slow"), ("/requests?q=slow:>1s", "filter")):
        page = check(client.get(f"/_tracking{address}").text)
        assert 'data-panel="/_tracking/data/shared?' in page
        assert re.search(rf'href="/_tracking/shared\?[^"]*of={of}', page)


def test_kept_reach(make: Make, memory: MemoryExporter) -> None:
    """Where kept records reach less far back than the range, both sides are cut, and it is said."""
    records = make_hour()
    late = records[: len(records) // 3]
    client = make(TRACKING_SAMPLE_RATE=0.5).test_client()
    store_all(memory, [*late, *(dataclasses.replace(one, kept=False) for one in records[len(late) :])])
    page = check(client.get(DATA).text)
    assert "Both sides begin at " in page
    assert "Of routine requests 50" in page


def test_without_keeping(make: Make, memory: MemoryExporter) -> None:
    """Without kept records, slow ones are searched among all."""
    client = make(TRACKING_KEPT_SIZE=0).test_client()
    store_all(memory, [dataclasses.replace(one, kept=False, kept_reason=None) for one in make_hour()])
    assert "custom.tenant acme" in read_names(client.get(DATA).text)[:3]


def test_store_away(client: FlaskClient, memory: MemoryExporter) -> None:
    """The panel says that the store does not answer; the page around it stays."""
    with mock.patch.object(memory, "find", side_effect=ExportError("gone")):
        assert client.get(DATA).status_code == 503


def test_hostile_values(client: FlaskClient, memory: MemoryExporter) -> None:
    """Values of strangers are text, wherever they come from."""
    records = [
        dataclasses.replace(
            one,
            custom_data={HOSTILE: HOSTILE, "tenant": HOSTILE},
            user_id=HOSTILE,
            host=HOSTILE,
            version=HOSTILE,
            children=(ChildTiming(HOSTILE, 0, 1.0, None),),
            user_agent=UserAgent(None, None, None, None, HOSTILE, HOSTILE, HOSTILE),
            request_headers=(("Content-Type", HOSTILE),),
            exception=ExceptionInfo(HOSTILE, HOSTILE, HOSTILE),
        )
        if (one.execution_time or 0) > 1_000
        else one
        for one in make_hour()
    ]
    store_all(memory, records)
    for address in (SHARED, DATA):
        page = check(client.get(address).text)
        assert "<img" not in page and "\u202e" not in page and "{{7*7}}" in page


def test_terms_select_what_they_say() -> None:
    """The two terms of each value select the records that have it, and those that have not."""
    agent = UserAgent("chrome", "1", "macos", None, "x", "Chrome", "Mac OS X")
    records = [
        dataclasses.replace(
            MODEL,
            custom_data={"tenant": tenant, "is_new": True, "deep": {"er": 4}},
            user_id="ada *" if tenant == "acme" else None,
            user_agent=agent,
            status_code=200,
            request_headers=(("Content-Type", "multipart/form-data; boundary=x"),),
            exception=ExceptionInfo("shop.Broken", "", "") if tenant == "*" else None,
        )
        for tenant in TENANTS
    ]
    (traits,) = read_traits(records)
    seen = 0
    for item in {item for one in traits for item in one.items}:
        terms = make_terms(item)
        for text, expected in zip(terms, (True, False), strict=True):
            if text:
                seen += 1
                wanted = Filter.parse(text)
                selected = [wanted.matches(record) for record in records]
                assert selected == [(item in one.items) is expected for one in traits], text
    assert seen > 40


def test_items_without_a_filter() -> None:
    """What no filter asks for has no link."""
    assert make_terms(Item("browser", "Firefox")) == ("", "")
    assert make_terms(Item("route", "GET (no route)")) == ("", "")
    assert make_terms(Item("user", "")) == ("", "")
