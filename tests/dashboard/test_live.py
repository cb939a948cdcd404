"""A list that is live: what its script asks for, and how it works without one."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_tracking import ExportError, Filter, MemoryExporter
from flask_tracking.dashboard import circuit_breaker, sharing
from flask_tracking.dashboard.pages import live
from flask_tracking.dashboard.tables import feed, latest

from ..captures import make_record
from .conftest import Make
from .hostile import HOSTILE
from .test_pages import check, rows_of

LIST, ROWS = "/_tracking/requests", "/_tracking/data/rows"


USUAL_DELAY = latest.USUAL_DELAY


@pytest.fixture(autouse=True)
def _ask_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share no answer with the last test, or the last line, and let a busy machine take its time."""
    monkeypatch.setattr(live, "FRESH_S", 0.0)
    monkeypatch.setattr(latest, "USUAL_DELAY", latest.LONGEST_DELAY)


@pytest.fixture
def client(make: Make) -> FlaskClient:
    """A client of an app with the dashboard."""
    return make().test_client()


@pytest.fixture
def one_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all viewers read back equally far, whatever the clock shows."""
    monkeypatch.setattr(latest, "STEP", timedelta(hours=1))


def ask(client: FlaskClient, since: datetime | str = "", **query: str) -> dict[str, Any]:
    """Return what a live list gets."""
    text = since if isinstance(since, str) else since.isoformat()
    response = client.get(ROWS, query_string={"since": text, **query})
    assert response.status_code == 200 and response.mimetype == "application/json"
    answer: dict[str, Any] = response.get_json()
    return answer


def paths(answer: dict[str, Any]) -> list[str]:
    """Return the paths of an answer."""
    return ["".join(text for text, _ in row["path"]) for row in answer["rows"]]


def make_page(memory: MemoryExporter) -> Any:
    """Return what a feed needs of a page."""
    now = datetime.now(timezone.utc)
    return SimpleNamespace(now=now, store=memory, wanted=Filter(), filter_error="")


def test_rows(client: FlaskClient, memory: MemoryExporter) -> None:
    """What was stored comes as a line has it, the last first."""
    client.get("/tea/green?cup=2")
    client.get("/broken")
    answer = ask(client, datetime.now(timezone.utc))
    assert paths(answer) == ["/broken", "/tea/green?cup=2"] and not answer["more"]
    broken, tea = answer["rows"]
    record = memory.records[-1]
    assert (broken["id"], broken["status"], broken["kind"]) == (str(record.id), "500", "server")
    assert broken["address"] == f"{LIST}/{record.id}" and broken["is_kept"]
    assert broken["what"] == [["ZeroDivisionError", ""]]
    assert (tea["status"], tea["kind"], tea["method"], tea["who"]) == (
        "200",
        "ok",
        [["GET", ""]],
        [["", ""]],
    )
    assert tea["ms"] == memory.records[0].execution_time and tea["took"].endswith("ms")
    assert datetime.fromisoformat(answer["now"].replace("Z", "+00:00")) <= datetime.now(timezone.utc)


def test_order(client: FlaskClient, memory: MemoryExporter) -> None:
    """The newest request comes first, in whatever order they were stored."""
    now = datetime.now(timezone.utc)
    for path, age_s in (("/second", 2), ("/first", 3), ("/third", 1)):
        arrived = now - timedelta(seconds=age_s)
        memory.export([dataclasses.replace(make_record(), path=path, date_created=arrived)])
    assert [path.partition("?")[0] for path in paths(ask(client, now))] == [
        "/third",
        "/second",
        "/first",
    ]


def test_nothing_new(client: FlaskClient) -> None:
    """A page that has all rows gets none again."""
    client.get("/tea/green")
    answer = ask(client)
    assert ask(client, have=answer["position"])["rows"] == []
    client.get("/tea/black")
    again = ask(client, answer["now"], have=answer["position"])
    assert paths(again) == ["/tea/black"]


def test_record_that_is_kept_is_no_news(client: FlaskClient, memory: MemoryExporter) -> None:
    """A row that a viewer has is not sent again: the script would leave it out."""
    client.get("/tea/green")
    before = ask(client)
    memory.keep(memory.records[0].id)
    assert ask(client, have=before["position"])["rows"] == []


def test_filter_and_range(client: FlaskClient, memory: MemoryExporter) -> None:
    """The filter and the range of the list hold for what is new."""
    client.get("/tea/green")
    client.get("/broken")
    now = datetime.now(timezone.utc)
    old = dataclasses.replace(make_record(), path="/old", date_created=now - timedelta(hours=2))
    memory.export([old])
    assert paths(ask(client, q="status:5xx")) == ["/broken"]
    assert paths(ask(client)) == ["/broken", "/tea/green"]
    assert "/old?a=1" in paths(ask(client, **{"from": "6h"}))


def test_what_was_stored_before(client: FlaskClient, memory: MemoryExporter) -> None:
    """Is not new, whatever is asked for: at most the last hour is read."""
    client.get("/tea/green")
    record_id = memory.records[0].id
    memory._stored_at[record_id] -= timedelta(seconds=30)
    assert paths(ask(client)) == []
    assert paths(ask(client, "5m")) == ["/tea/green"]
    memory._stored_at[record_id] -= timedelta(hours=2)
    assert paths(ask(client, "2000-01-01")) == []


@pytest.mark.parametrize("since", ["", "yesterday", "-1h", "9" * 40, "2026-99-99", HOSTILE])
def test_odd_time(client: FlaskClient, since: str) -> None:
    """A time that is none is now."""
    client.get("/tea/green")
    assert paths(ask(client, since)) == ["/tea/green"]


def test_more_than_is_shown(client: FlaskClient, memory: MemoryExporter) -> None:
    """So many rows are sent, and no more."""
    memory.export([dataclasses.replace(make_record()) for _ in range(latest.MAX_ROWS + 1)])
    answer = ask(client)
    assert len(answer["rows"]) == latest.MAX_ROWS and answer["more"]


def test_text_of_strangers(client: FlaskClient, memory: MemoryExporter) -> None:
    """Hidden characters come as marks with names, long texts are cut; nothing is markup."""
    parts: dict[str, Any] = {
        "path": f"/{HOSTILE}",
        "query_params": "a=" + "x" * 500,
        "user_repr": "a\u202eb",
    }
    memory.export([dataclasses.replace(make_record(), method="G\x00T", **parts)])
    (row,) = ask(client)["rows"]
    assert ["U+202E", "U+202E right-to-left override"] in row["path"]
    assert row["path"][-1][0].startswith("… ")
    assert row["method"] == [["G", ""], ["\u2400", "U+0000 control character"], ["T", ""]]
    assert row["who"] == [["a", ""], ["U+202E", "U+202E right-to-left override"], ["b", ""]]


@pytest.mark.usefixtures("one_span")
def test_viewers_share_an_answer(
    client: FlaskClient, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many viewers of a list ask the store as often as one."""
    monkeypatch.setattr(live, "FRESH_S", 60.0)
    since = datetime.now(timezone.utc)
    with mock.patch.object(memory, "_find_stored", wraps=memory._find_stored) as find:
        for age_s in range(20):
            ask(client, since - timedelta(seconds=age_s / 20))
    assert find.call_count == 1


def test_when_to_ask_again(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Viewers ask again when the answer is read anew, each a little later than others."""
    monkeypatch.setattr(live, "FRESH_S", 60.0)
    since = datetime.now(timezone.utc)
    pauses = [ask(client, since)["again_ms"] for _ in range(20)]
    assert all(59_000 < one <= 60_250 for one in pauses) and len(set(pauses)) > 5


@pytest.mark.parametrize("delay_s", [0.0, 0.5, 1.0, 1.1, 4.0, 9.9])
def test_no_record_is_passed_over(monkeypatch: pytest.MonkeyPatch, delay_s: float) -> None:
    """A record is read by the first poll after it can be, or where that took long within 5 seconds."""
    monkeypatch.setattr(latest, "USUAL_DELAY", USUAL_DELAY)
    began = datetime(2026, 11, 30, tzinfo=timezone.utc)
    polls = [began + timedelta(seconds=0.83 * at) for at in range(60)]
    for at in range(200):
        stored = began + timedelta(seconds=5 + at * 0.1)
        visible = stored + timedelta(seconds=delay_s)
        found_at = next(
            now
            for since, now in itertools.pairwise(polls)
            if now >= visible and now - latest.choose_span(now, since) <= stored
        )
        assert found_at - visible < timedelta(seconds=0.84 if delay_s <= 1 else 5.84)


def test_each_row_once_for_each_viewer(client: FlaskClient) -> None:
    """Viewers have positions of their own; a row is rendered once for all of them."""
    positions = [ask(client)["position"] for _ in range(3)]
    with mock.patch.object(live, "_describe", wraps=live._describe) as describe:
        for number in range(4):
            client.get(f"/tea/{number}")
            answers = [ask(client, have=one) for one in positions]
            assert [paths(one) for one in answers] == [[f"/tea/{number}"]] * 3
            positions = [one["position"] for one in answers]
    assert describe.call_count == 4


def test_viewer_that_was_late(client: FlaskClient) -> None:
    """Gets all that it missed, as one whose answer was lost on its way."""
    old = ask(client)["position"]
    for number in range(3):
        client.get(f"/tea/{number}")
        ask(client)
    assert paths(ask(client, have=old)) == ["/tea/2", "/tea/1", "/tea/0"]


def test_position_among_those_of_other_processes(client: FlaskClient) -> None:
    """A viewer says its position in the feed of each process that has answered it."""
    client.get("/tea/green")
    position = ask(client)["position"]
    assert ask(client, have=f"0badcafe.7,{position},feedbeef.0")["rows"] == []


@pytest.mark.parametrize("number", ["-1", "1", "9" * 400, "1.0", "NaN", "", "²", "٣", "[$gt]", HOSTILE])
def test_odd_position(client: FlaskClient, number: str) -> None:
    """A viewer whose position is none, or not reached yet, gets what one without a position gets."""
    client.get("/tea/green")
    name = ask(client)["position"].partition(".")[0]
    assert paths(ask(client, have=f"{name}.{number}")) == ["/tea/green"]


def test_feed_of_a_restarted_process(client: FlaskClient) -> None:
    """A viewer whose feed is gone gets what was stored since the last answer."""
    client.get("/tea/green")
    before = ask(client)
    sharing._slots.clear()
    client.get("/tea/black")
    again = ask(client, before["now"], have=before["position"])
    assert paths(again)[0] == "/tea/black" and not again["more"]
    client.get("/tea/white")
    assert paths(ask(client, again["now"], have=again["position"])) == ["/tea/white"]


@pytest.mark.parametrize(
    ("step_s", "goes_on"), [(-3600, False), (-0.5, True), (20, True), (120, False)]
)
def test_clock_that_is_set(memory: MemoryExporter, step_s: float, goes_on: bool) -> None:
    """A feed begins anew when the clock jumps, or when nobody looked for a while."""
    page = make_page(memory)
    before = feed.begin_feed(page)
    memory.export([make_record()])
    page.now += timedelta(seconds=step_s)
    after = feed.renew_feed(page, before, lambda found: ["row" for _ in found])
    assert (after.name == before.name) == goes_on
    assert after.rows_after(before.position) == (["row"] if goes_on else None)
    assert after.read_at >= page.now


def test_more_than_a_poll_can_bring(client: FlaskClient, memory: MemoryExporter) -> None:
    """After thousands of new rows a viewer gets the last ones, and is told that there are more."""
    before = ask(client)
    memory.export([dataclasses.replace(make_record()) for _ in range(3_000)])
    after = ask(client, before["now"], have=before["position"])
    assert after["more"] and len(after["rows"]) == latest.MAX_ROWS
    client.get("/tea/green")
    assert paths(ask(client, after["now"], have=after["position"])) == ["/tea/green"]


def test_rows_are_not_held_for_ever(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A viewer that asks after more rows than are held gets what was stored since."""
    monkeypatch.setattr(feed, "MAX_ROWS", 2)
    first = ask(client)
    for number in range(3):
        client.get(f"/tea/{number}")
        ask(client)
    again = ask(client, first["now"], have=first["position"])
    assert paths(again) == ["/tea/2", "/tea/1", "/tea/0"]


def test_long_sleep(client: FlaskClient) -> None:
    """A tab that was away for longer than is read back is told that rows may be missing."""
    assert ask(client, "2h")["more"] and not ask(client, "30m")["more"]


def test_store_that_fails_once(client: FlaskClient, memory: MemoryExporter) -> None:
    """What was stored meanwhile comes with the next answer."""
    before = ask(client)
    client.get("/tea/green")
    with mock.patch.object(memory, "_tail", side_effect=ExportError("away")):
        assert client.get(ROWS, query_string={"have": before["position"]}).status_code == 503
    with mock.patch.object(circuit_breaker, "monotonic", return_value=float("inf")):
        after = ask(client, before["now"], have=before["position"])
    assert paths(after) == ["/tea/green"]


def test_slow_reads_are_repeated_less_often(
    memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that answers late is asked less. One slow read counts as little as time for many rows."""
    clock = [0.0]
    monkeypatch.setattr(feed, "monotonic", lambda: clock[0])
    page = make_page(memory)
    current, slowdowns, costs_s = (
        feed.begin_feed(page),
        [],
        iter((0.01, 0.9, 0.01, 0.2, 0.06, 0.08, 9, 9)),
    )

    def render(found: Sequence[object]) -> list[str]:
        clock[0] += next(costs_s)
        return ["row" for _ in found]

    for rows in (0, 0, 0, 100, 0, 0, 0, 0):
        memory.export([dataclasses.replace(make_record()) for _ in range(rows)])
        current = feed.renew_feed(page, current, render)
        slowdowns.append(current.slowdown)
    assert slowdowns == pytest.approx([1, 1, 1, 1, 1, 3, 4, 8])


@pytest.mark.usefixtures("one_span")
def test_another_process_has_answered_since(
    client: FlaskClient, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A viewer that knows more than the shared answer gets a new one."""
    monkeypatch.setattr(live, "FRESH_S", 60.0)
    first = ask(client, datetime.now(timezone.utc) - timedelta(seconds=1))
    client.get("/tea/green")
    assert paths(ask(client, datetime.now(timezone.utc) - timedelta(seconds=1))) == []
    assert paths(ask(client, first["now"])) == ["/tea/green"]


def test_store_that_is_away(client: FlaskClient, memory: MemoryExporter) -> None:
    """The script is told by the status."""
    with mock.patch.object(memory, "_find_stored", side_effect=ExportError("away")):
        assert client.get(ROWS).status_code == 503


def test_store_that_takes_long_to_fail(
    client: FlaskClient, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other polls are refused for a while without asking it, so that they do not keep a worker."""
    clock = [100.0]
    monkeypatch.setattr(circuit_breaker, "monotonic", lambda: clock[0])
    find, asked = memory._find_stored, []

    def fail(*args: object) -> None:
        asked.append(clock[0])
        clock[0] += 1.0
        raise ExportError("away")

    monkeypatch.setattr(memory, "_find_stored", fail)
    assert [client.get(ROWS).status_code for _ in range(20)] == [503] * 20
    assert asked == [100.0]
    monkeypatch.setattr(memory, "_find_stored", find)
    clock[0] += circuit_breaker.REST_FACTOR - 0.1
    assert client.get(ROWS).status_code == 503
    clock[0] += 0.1
    assert client.get(ROWS).status_code == 200


def test_live_list(client: FlaskClient) -> None:
    """The list is live if the address says so; without a script it is loaded again."""
    client.get("/tea/green")
    plain = check(client.get(LIST).text)
    assert "live.js" not in plain and f'href="{LIST}?live=1"' in plain
    page = check(client.get(LIST, query_string={"live": "1", "q": "status:2xx"}).text)
    assert "live.js" in page and 'data-live="/_tracking/data/rows?q=status:2xx"' in page
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
    assert 'name="live" value="1"' in page and f'href="{LIST}?q=status:2xx">Stop</a>' in page
    assert rows_of(page)[0] == "/tea/green"


@pytest.mark.parametrize("query", ["?live=1", "?live=1&q=status:2xx", "?q=status:2xx"])
def test_list_of_a_slow_store(
    client: FlaskClient, memory: MemoryExporter, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """A list that goes on from now shows all until now, though slow answers are shared for a while."""
    monkeypatch.setattr(sharing, "HEAVY_S", 0.0)
    assert rows_of(check(client.get(LIST + query).text)) == []
    client.get("/tea/green")
    assert rows_of(check(client.get(LIST + query).text)) == ["/tea/green"]
    client.get("/tea/black")
    if "live" in query:
        assert rows_of(check(client.get(LIST + query).text)) == ["/tea/black", "/tea/green"]


def test_older_pages_are_no_news(client: FlaskClient, memory: MemoryExporter) -> None:
    """The list knows what was stored a moment ago, also what is not on its first page."""
    memory.export([dataclasses.replace(make_record()) for _ in range(60)])
    page = check(client.get(f"{LIST}?live=1").text)
    known = page.partition('data-known="')[2].partition('"')[0].split()
    assert set(known) == {str(one.id) for one in memory.records}
    assert {row["id"] for row in ask(client)["rows"]} == set(known)


@pytest.mark.parametrize("query", [{"to": "2026-11-30"}, {"after": "1-" + "0" * 24}, {"live": "yes"}])
def test_list_that_is_not_live(client: FlaskClient, query: dict[str, str]) -> None:
    """A range with an end and older pages stay as they are."""
    client.get("/tea/green")
    page = client.get(LIST, query_string={"live": "1"} | query).text
    assert "live.js" not in page and "refresh" not in page


def test_older_pages_are_not_live(client: FlaskClient, memory: MemoryExporter) -> None:
    """The link to them leaves the parameter out."""
    memory.export([dataclasses.replace(make_record()) for _ in range(60)])
    page = client.get(f"{LIST}?live=1").text
    link = page.partition('data-next href="')[2].partition('"')[0]
    assert "after=" in link and "live" not in link


def test_first_request_is_waited_for(client: FlaskClient) -> None:
    """A list without any record asks until there is one."""
    page = check(client.get(LIST).text)
    assert "waiting for the first request" in page and "live.js" in page


def test_below_a_prefix(make: Make, app: Flask) -> None:
    """Addresses of rows begin where the app is mounted."""
    client = make().test_client()
    client.get("/tea/green")
    answer = client.get(ROWS, environ_overrides={"SCRIPT_NAME": "/shop"}).get_json()
    assert answer["rows"][0]["address"].startswith("/shop/_tracking/requests/")
