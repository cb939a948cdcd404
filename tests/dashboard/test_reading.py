"""What a page reads: over a reader, within a time, and a heavy question once for all viewers."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask

from flask_tracking import ExportError, Filter, MemoryExporter, Store, StoreTimeoutError, Tracking
from flask_tracking.dashboard import sharing
from flask_tracking.dashboard.tables.keyset import Cursor
from flask_tracking.exporters.memory_rollups import MemoryRollupTable
from flask_tracking.queries import measure, search_newest
from flask_tracking.registry import TrackedApp
from flask_tracking.rollups.rollup import Rollup

from ..captures import make_record
from .test_pages import check, rows_of


class SlowStore(MemoryExporter):
    """Answers so many questions, and then none in time."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = 1_000_000
        self.asked = 0
        self.limits: list[float] = []
        self.rollups = SlowTable(self._ask)

    def _ask(self) -> None:
        self.asked += 1
        if self.asked > self.answers:
            raise StoreTimeoutError("the store does not answer within 1 s")

    def answer(self, times: int) -> None:
        """Answer so many times from now on."""
        self.asked, self.answers = 0, times

    def _find(self, *args: Any) -> Any:
        self._ask()
        return super()._find(*args)

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Note the limit."""
        self.limits.append(seconds)
        yield


class SlowTable(MemoryRollupTable):
    """The rollups of such a store."""

    def __init__(self, ask: Callable[[], None]) -> None:
        super().__init__()
        self._ask = ask

    def _find(self, *args: Any) -> list[Rollup]:
        self._ask()
        return list(super()._find(*args))


@pytest.fixture
def everything_is_heavy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share whatever it takes to read."""
    monkeypatch.setattr(sharing, "HEAVY_S", 0.0)


def count_questions(store: SlowStore) -> int:
    """Return how many questions the numbers of the last hour take."""
    store.answer(1_000_000)
    now = datetime.now(timezone.utc)
    measure(store, by="route", since=now - timedelta(hours=1), until=now)
    return store.asked


@pytest.fixture
def slow() -> SlowStore:
    """The store of `client`."""
    return SlowStore()


@pytest.fixture
def client(app: Flask, slow: SlowStore) -> Any:
    """A client of an app with the dashboard."""
    app.config.update(TRACKING_DASHBOARD=True, PROPAGATE_EXCEPTIONS=False)
    Tracking(app, exporter=slow, dashboard_access=lambda: True)
    app.add_url_rule("/tea/<name>", "tea", lambda name: {"name": name})
    app.add_url_rule("/broken", "broken", lambda: str(1 / 0))
    return app.test_client()


def test_list_whose_time_is_over(client: Any, slow: SlowStore) -> None:
    """It shows what was found, says how far it looked, and goes on from there."""
    now = datetime.now(timezone.utc)
    for path, age_s in (("/old", 600), ("/new", 0)):
        arrived = now - timedelta(seconds=age_s)
        slow.export([dataclasses.replace(make_record(), path=path, date_created=arrived)])
    slow.answer(3)
    page = check(client.get("/_tracking/requests").text)
    assert rows_of(page) == ["/new?a=1"]
    assert "1 found so far" in page and "The time was over: nothing before" in page
    go_on = page.partition('data-next href="')[2].partition('"')[0].replace("&amp;", "&")
    slow.answer(100)
    assert rows_of(client.get(go_on).text) == ["/old?a=1"]


def test_list_of_which_nothing_could_be_read(client: Any, slow: SlowStore) -> None:
    """Is the page of a store that does not answer."""
    slow.answer(0)
    response = client.get("/_tracking/requests")
    assert response.status_code == 503
    assert "The store does not answer" in response.text


def test_nothing_found_and_the_time_is_over(client: Any, slow: SlowStore) -> None:
    """Why nothing was found is left out."""
    address = "/_tracking/requests?q=status:404"
    client.get("/tea/green")
    since = datetime.now(timezone.utc) - timedelta(hours=1)
    slow.answer(100)
    assert search_newest(slow, Filter.parse("status:404").narrowed(since, None), 1).records == []
    slow.answer(slow.asked)
    page = check(client.get(address).text)
    assert "Not read in time: the nearest requests" in page


def test_search_in_bodies_whose_time_is_over(
    client: Any, slow: SlowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how many bodies were searched."""
    monkeypatch.setattr("flask_tracking.queries.newest.SEARCH_BUDGET_S", 0.0)
    client.get("/tea/green")
    page = check(client.get("/_tracking/requests?q=body:nothing").text)
    assert "Searched the bodies of 1 records" in page and "Go on" in page


def test_search_in_bodies_that_the_store_breaks_off(client: Any, slow: SlowStore) -> None:
    """It goes on where it was, as one whose time was over."""
    client.get("/tea/green")
    slow.answer(2)
    page = check(client.get("/_tracking/requests?q=body:nothing").text)
    assert "Searched the bodies of 1 records" in page and "Go on" in page
    slow.answer(0)
    assert client.get("/_tracking/requests?q=body:nothing").status_code == 503


@pytest.mark.usefixtures("everything_is_heavy")
def test_viewers_share_a_search(client: Any, slow: SlowStore) -> None:
    """Two viewers of the same list ask once; its next page is another question."""
    client.get("/tea/green")
    slow.answer(100)
    client.get("/_tracking/requests")
    asked = slow.asked
    client.get("/_tracking/requests")
    assert slow.asked == asked
    client.get("/_tracking/requests?q=method:GET")
    assert slow.asked > asked


def test_overview_without_the_period_before(client: Any, slow: SlowStore) -> None:
    """It shows the numbers, says what is missing, and judges nothing."""
    client.get("/tea/green")
    client.application.extensions["tracking"].worker.flush(20)
    slow.answer(count_questions(slow))
    page = check(client.get("/_tracking/").text)
    assert "Not read in time: what it is compared with, the chart" in page
    assert "GET /tea/&lt;name&gt;" in page and "Too few" in page


def test_errors_without_users(client: Any, slow: SlowStore) -> None:
    """The groups are shown, and the page says that their users are missing."""
    client.get("/broken")
    client.application.extensions["tracking"].worker.flush(20)
    slow.answer(count_questions(slow))
    page = check(client.get("/_tracking/errors?sort=users").text)
    assert "ZeroDivisionError" in page and ">Users<" not in page
    assert "Not read in time: the chart, which errors are new, the newest failures." in page
    slow.answer(count_questions(slow))
    assert client.get("/_tracking/data/users").status_code == 204
    slow.answer(count_questions(slow))
    page = check(client.get("/_tracking/errors").text)
    assert "Not read in time: the chart, which errors are new." in page


def test_errors_of_a_filter_without_records(client: Any, slow: SlowStore) -> None:
    """Groups that records alone know are not taken for none."""
    client.get("/broken")
    client.application.extensions["tracking"].worker.flush(20)
    slow.answer(count_questions(slow))
    page = check(client.get("/_tracking/errors?q=route:/broken").text)
    assert "Nothing failed in this range" not in page and "Not read in time." in page
    assert page.count("the newest failures") == 1


@pytest.mark.parametrize(
    ("query", "proposed"),
    [("", "15m"), ("?from=7d&vs=day", "24h"), ("?from=all", "7d"), ("?from=15m", None)],
)
def test_slow_database(client: Any, slow: SlowStore, query: str, proposed: str | None) -> None:
    """A page of which nothing was read says so plainly, and proposes the next shorter range."""
    slow.answer(0)
    response = client.get(f"/_tracking/routes{query}")
    page = check(response.text)
    assert response.status_code == 503 and "The database was slow" in page
    assert ("A shorter range is read faster." in page) is (proposed is not None)
    found = re.search('class="button" href="([^"]+)">Last', page)
    assert (found and dict(parse_qsl(urlsplit(found[1]).query)).get("from")) == proposed


def test_overview_without_a_store(client: Any, slow: SlowStore) -> None:
    """Nothing is all right that could not be read."""
    slow.answer(0)
    assert client.get("/_tracking/").status_code == 503


COMPARE = "/_tracking/compare?a=2h/1h&b=1h/1m"


def test_compare_without_a_side(client: Any, slow: SlowStore) -> None:
    """The side that was read is shown, and the other one is not taken for empty."""
    client.get("/tea/green")
    client.application.extensions["tracking"].worker.flush(20)
    slow.answer(1_000_000)
    now = datetime.now(timezone.utc)
    measure(slow, by="route", since=now - timedelta(hours=2), until=now - timedelta(hours=1))
    slow.answer(slow.asked)
    page = check(client.get(COMPARE).text)
    assert "Not read in time: the numbers of B, the errors" in page
    row = page.partition('<th scope="row">Requests</th>')[2].partition("</tr>")[0]
    assert re.findall(">([^<]+)</td>", row) == ["0", "–"]
    assert "No requests on either side" not in page and "Nothing failed" not in page


def test_compare_without_both(client: Any, slow: SlowStore) -> None:
    """There is nothing to show."""
    slow.answer(0)
    assert client.get(COMPARE).status_code == 503


ROUTE = "/_tracking/route?rule=/tea/<name>&method=GET"


def test_route_without_its_cards(client: Any, slow: SlowStore) -> None:
    """A card whose read was not made in time says so, and does not say that there is nothing."""
    client.get("/tea/green")
    client.application.extensions["tracking"].worker.flush(20)
    slow.answer(count_questions(slow))
    page = check(client.get(ROUTE).text)
    assert "Not read in time: what it is compared with, the chart, " in page
    for title in ("How long", "By version", "By user", "Errors of", "The slowest", "The newest"):
        card = page.partition(f">{title}")[2].partition("</section>")[0]
        assert '<p class="nothing">Not read in time.</p>' in " ".join(card.split()), title
    slow.answer(1_000_000)
    assert "Not read in time" not in client.get(ROUTE).text


def test_request_without_what_surrounds_it(client: Any, slow: SlowStore) -> None:
    """The request itself is shown, and what comes after the page says that it was not read."""
    client.get("/tea/green")
    record = slow.records[0]
    slow.answer(0)
    page = check(client.get(f"/_tracking/requests/{record.id}").text)
    assert "/tea/green" in page and "Not read in time: its place among its route." in page
    related = client.get(f"/_tracking/data/requests/{record.id}/related")
    assert related.status_code == 200 and "Not read in time." in check(related.text)
    assert "There are no others" not in related.text


def test_neighbour_that_is_not_found_in_time(client: Any, slow: SlowStore) -> None:
    """The page says so, and how far the search came; the list goes on from there."""
    client.get("/tea/green")
    position = Cursor.of(slow.records[0])
    slow.answer(1)
    response = client.get(f"/_tracking/older/{position}?q=method:PUT")
    page = check(response.text)
    assert response.status_code == 503 and "No older request found in time" in page
    assert f'href="/_tracking/requests?q=method:PUT&amp;after={position}">Go on in the list' in page
    slow.answer(0)
    for which in ("newer", "older"):
        response = client.get(f"/_tracking/{which}/{position}")
        assert response.status_code == 503 and "The database was slow" in check(response.text)


def test_each_page_has_a_time(client: Any, slow: SlowStore) -> None:
    """All that a page reads is limited."""
    client.get("/_tracking/requests")
    assert slow.limits and all(0 < limit < 30 for limit in slow.limits[:1])


@pytest.mark.usefixtures("everything_is_heavy")
def test_viewers_share_an_answer(client: Any, slow: SlowStore) -> None:
    """Two viewers of the same overview ask once; another range is another question."""
    client.get("/tea/green")
    slow.answer(100)
    first = client.get("/_tracking/").text
    asked = slow.asked
    assert asked
    assert client.get("/_tracking/").text == first and slow.asked == asked
    client.get("/_tracking/?from=6h")
    assert slow.asked > asked


@pytest.mark.usefixtures("everything_is_heavy")
def test_shared_answers_say_what_is_missing(client: Any, slow: SlowStore) -> None:
    """Who gets another's answer learns what it lacks."""
    slow.answer(count_questions(slow))
    for _ in range(2):
        assert "Not read in time: what it is compared with" in client.get("/_tracking/").text


def test_changes_ask_the_store_itself(client: Any, slow: SlowStore, app: Flask) -> None:
    """Pages read through the reader, and keep through the store."""
    reader = MemoryExporter()
    client.get("/tea/green")
    reader.export(slow.records)
    slow.reader = lambda: reader  # type: ignore[method-assign]
    slow.answer(0)
    record_id = slow.records[0].id
    page = client.get(f"/_tracking/requests/{record_id}").text
    token = page.partition('name="token" value="')[2].partition('"')[0]
    headers = {"Sec-Fetch-Site": "same-origin"}
    client.post(f"/_tracking/requests/{record_id}/keep", data={"token": token}, headers=headers)
    kept, unkept = slow.get(record_id), reader.get(record_id)
    assert kept is not None and kept.kept
    assert unkept is not None and not unkept.kept


def make_tracked() -> TrackedApp:
    """Return an app of its own."""
    app = Flask("shop")
    Tracking(app, exporter=MemoryExporter())
    tracked: TrackedApp = app.extensions["tracking"]
    return tracked


def test_light_questions_are_asked_again() -> None:
    """What costs nothing is never out of date."""
    tracked, answers = make_tracked(), iter(range(10))
    assert [sharing.share(tracked, "a", lambda: next(answers), for_s=60.0) for _ in range(2)] == [0, 1]


@pytest.mark.usefixtures("everything_is_heavy")
def test_question_is_asked_once() -> None:
    """While one asks, others with the same question wait for its answer."""
    tracked, asked, is_asking, may_answer = make_tracked(), [], threading.Event(), threading.Event()

    def read() -> int:
        asked.append(1)
        is_asking.set()
        assert may_answer.wait(10)
        return 7

    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(sharing.share(tracked, "a", read, for_s=60.0)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    assert is_asking.wait(10)
    may_answer.set()
    for thread in threads:
        thread.join(10)
    assert (found, asked) == ([7, 7, 7], [1])


@pytest.mark.usefixtures("everything_is_heavy")
def test_other_apps_share_nothing() -> None:
    """Nor do other questions, nor those whose answer is too old."""
    one, other = make_tracked(), make_tracked()
    answers = iter(range(10))
    assert [sharing.share(one, "a", lambda: next(answers), for_s=60.0) for _ in range(2)] == [0, 0]
    assert sharing.share(other, "a", lambda: next(answers), for_s=60.0) == 1
    assert sharing.share(one, "b", lambda: next(answers), for_s=0.0) == 2
    assert sharing.share(one, "b", lambda: next(answers), for_s=0.0) == 3


def test_failure_is_not_shared() -> None:
    """Whoever asks next asks the store."""
    tracked = make_tracked()

    def fail() -> int:
        raise ExportError("away")

    with pytest.raises(ExportError):
        sharing.share(tracked, "a", fail, for_s=60.0)
    assert sharing.share(tracked, "a", lambda: 1, for_s=60.0) == 1


@pytest.mark.usefixtures("everything_is_heavy")
def test_few_answers_are_held() -> None:
    """The oldest make room."""
    tracked = make_tracked()
    for number in range(sharing.MAX_RESULTS + 1):
        sharing.share(tracked, number, lambda number=number: number, for_s=60.0)  # type: ignore[misc]
    assert sharing.share(tracked, 0, lambda: "asked again", for_s=60.0) == "asked again"
    assert sharing.share(tracked, 5, lambda: "asked again", for_s=60.0) == 5


def test_waiting_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits too long for another's answer is told so."""
    tracked, may_answer, is_asking = make_tracked(), threading.Event(), threading.Event()
    monkeypatch.setattr(sharing, "WAIT_S", 0.01)

    def read() -> None:
        is_asking.set()
        may_answer.wait(10)

    thread = threading.Thread(target=lambda: sharing.share(tracked, "a", read, for_s=60.0))
    thread.start()
    assert is_asking.wait(10)
    with pytest.raises(StoreTimeoutError, match="is not answered"):
        sharing.share(tracked, "a", read, for_s=60.0)
    may_answer.set()
    thread.join(10)


def test_store_is_a_reader_of_itself() -> None:
    """A store that says nothing of it is read as it is."""
    store: Store = MemoryExporter()
    assert store.reader() is store
