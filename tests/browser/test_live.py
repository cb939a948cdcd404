"""A list that is live: requests appear as they are stored, and nothing moves under the reader."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import Open
from .watched import Watched

pytestmark = pytest.mark.integration

LIST = "/shop/_tracking/requests"


def ask_for(page: Page, path: str) -> None:
    """Make a request elsewhere: not in the page that is looked at."""
    page.context.request.get(f"/shop{path}")


def first_row(page: Page) -> str:
    """Return a selector of the newest row's path."""
    return "table.requests tbody tr:first-child td.path"


def test_request_appears(visit: Open) -> None:
    """A request made elsewhere enters at the top, as the server itself would write it."""
    watched = visit(f"{LIST}?live=1")
    page = watched.page
    expect(page.locator("[data-live-state]")).to_have_text("live")
    ask_for(page, "/nowhere/at-all?a=%E2%80%AEb")
    expect(page.locator(first_row(page))).to_contain_text("/nowhere/at-all")
    row = page.locator("table.requests tbody tr").first
    live = row.inner_text()
    assert watched.find_axe_violations() == []
    page.reload()
    assert page.locator("table.requests tbody tr").first.inner_text() == live


def test_nothing_moves(visit: Open) -> None:
    """While the pointer is on the table, new rows wait behind a button; a click shows them once."""
    page = visit(f"{LIST}?live=1").page
    page.hover("table.requests tbody tr:nth-child(3)")
    before = page.locator(first_row(page)).inner_text()
    ask_for(page, "/waits/1")
    expect(page.locator("[data-live-new]")).to_have_text("1 new")
    ask_for(page, "/waits/2")
    expect(page.locator("[data-live-new]")).to_have_text("2 new")
    assert page.locator(first_row(page)).inner_text() == before
    page.click("[data-live-new]")
    expect(page.locator(first_row(page))).to_have_text("/waits/2")
    expect(page.locator("[data-live-new]")).to_be_hidden()
    assert page.locator("td.path", has_text="/waits/1").count() == 1


def test_filter_holds(visit: Open) -> None:
    """Only what the filter of the list selects appears."""
    page = visit(f"{LIST}?live=1&q=status:404").page
    ask_for(page, "/")
    ask_for(page, "/not/there")
    expect(page.locator(first_row(page))).to_have_text("/not/there")
    assert page.locator("td.path", has_text="/not/there").count() == 1


def test_first_request(visit: Open) -> None:
    """A list that waits for the first request shows it."""
    page = visit("/empty/_tracking/requests?q=status:404").page
    expect(page.locator("[data-live-state]")).to_have_text("waiting for the first request")
    page.context.request.get("/empty/first")
    expect(page.locator(first_row(page))).to_have_text("/first")


def test_key(visit: Open) -> None:
    """The key l begins and ends it."""
    page = visit(LIST).page
    page.keyboard.press("l")
    expect(page.locator("[data-live-state]")).to_be_visible()
    page.keyboard.press("l")
    expect(page.locator("[data-live-state]")).to_have_count(0)


HIDE = """(isHidden) => {
  Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def count_questions(watched: Watched) -> int:
    """Return how often the page has asked for new rows, and got an answer."""
    return sum("/data/rows" in response.url for response in watched.responses)


def test_hidden_tab(visit: Open) -> None:
    """A tab that is not in view asks for nothing; when it is again, what came meanwhile is there."""
    watched = visit(f"{LIST}?live=1&q=status:404")
    page = watched.page
    expect(page.locator("[data-live-state]")).to_have_text("live")
    page.evaluate(HIDE, True)
    expect(page.locator("[data-live-state]")).to_have_text("paused: not in view")
    page.wait_for_load_state("networkidle")  # a question may be on its way
    asked = count_questions(watched)
    ask_for(page, "/while/away")
    page.wait_for_timeout(2000)  # more than two questions
    assert count_questions(watched) == asked
    page.evaluate(HIDE, False)
    expect(page.locator(first_row(page))).to_have_text("/while/away")


def test_store_that_is_away(visit: Open) -> None:
    """The page says so, keeps what it has, and goes on when the store answers again."""
    watched = visit(f"{LIST}?live=1")
    page = watched.page
    page.route("**/data/rows*", lambda route: route.fulfill(status=503, body="away"))
    expect(page.locator("[data-live-state]")).to_have_text("the database is away")
    page.unroute("**/data/rows*")
    expect(page.locator("[data-live-state]")).to_have_text("live", timeout=15_000)
    watched.problems = [one for one in watched.problems if "503" not in one]


POLLS = "**/data/rows*"


@pytest.mark.parametrize("status", [404, 403, 302])
def test_access_that_ends(visit: Open, status: int) -> None:
    """Whoever has no access any more is told, and asks no more; also behind a login of the app."""
    watched = visit(f"{LIST}?live=1")
    page = watched.page
    headers = {"Location": "/login"} if status == 302 else {}
    page.route(POLLS, lambda route: route.fulfill(status=status, headers=headers))
    state = page.locator("[data-live-state]")
    expect(state).to_have_text("ended: you have no access any more")
    asked = count_questions(watched)
    page.evaluate(HIDE, True)
    page.evaluate(HIDE, False)
    page.wait_for_timeout(1200)
    assert count_questions(watched) == asked
    expect(state).to_have_text("ended: you have no access any more")
    page.unroute(POLLS)
    page.click("[data-live-again]")
    expect(state).to_have_text("live")
    watched.problems = [one for one in watched.problems if str(status) not in one]


def test_page_in_place_of_an_answer(visit: Open) -> None:
    """A proxy's page of its own is no answer, and no error of ours."""
    page = visit(f"{LIST}?live=1").page
    page.route(POLLS, lambda route: route.fulfill(status=200, body="<h1>Soon back</h1>"))
    expect(page.locator("[data-live-state]")).to_have_text("no answer")
    page.unroute(POLLS)
    expect(page.locator("[data-live-state]")).to_have_text("live", timeout=15_000)


def test_tab_that_is_hidden_while_it_asks(visit: Open) -> None:
    """It says that it is paused, and no row is lost, though the answer on its way is thrown away."""
    watched = visit(f"{LIST}?live=1&q=status:404")
    page = watched.page
    held: list[Route] = []
    expect(page.locator("[data-live-state]")).to_have_text("live")
    page.route(POLLS, lambda route: held.append(route))
    with page.expect_request(POLLS):
        ask_for(page, "/on/its/way")
    page.evaluate(HIDE, True)
    page.wait_for_timeout(300)
    expect(page.locator("[data-live-state]")).to_have_text("paused: not in view")
    page.unroute(POLLS)
    page.evaluate(HIDE, False)
    expect(page.locator(first_row(page))).to_have_text("/on/its/way")
    expect(page.locator("[data-live-state]")).to_have_text("live")


def test_slow_answers(visit: Open) -> None:
    """One poll at a time is on its way, however long answers take; each row comes once."""
    watched = visit(f"{LIST}?live=1&q=status:404")
    page = watched.page
    open_polls: list[int] = []

    def delay(route: Route) -> None:
        open_polls.append(sum(1 for one in watched.responses if "/data/rows" in one.url))
        answer = route.fetch()
        page.wait_for_timeout(1500)
        route.fulfill(response=answer)

    page.route(POLLS, delay)
    ask_for(page, "/slow/1")
    expect(page.locator(first_row(page))).to_have_text("/slow/1", timeout=10_000)
    ask_for(page, "/slow/2")
    expect(page.locator(first_row(page))).to_have_text("/slow/2", timeout=10_000)
    assert page.locator("td.path", has_text="/slow/1").count() == 1
    assert len(set(open_polls)) == len(open_polls)
    page.unroute_all(behavior="ignoreErrors")


def test_worker_that_is_restarted(visit: Open) -> None:
    """A process that does not know a viewer's position sends what was stored since; no row is twice."""
    page = visit(f"{LIST}?live=1&q=status:404").page
    ask_for(page, "/restart/1")
    expect(page.locator(first_row(page))).to_have_text("/restart/1")

    def forget(route: Route) -> None:
        route.continue_(url=route.request.url.replace("have=", "have=0badcafe.3,was="))

    page.route(POLLS, forget)
    ask_for(page, "/restart/2")
    expect(page.locator(first_row(page))).to_have_text("/restart/2")
    page.wait_for_timeout(1500)
    assert page.locator("td.path", has_text="/restart/").count() == 2


def test_more_than_fits(visit: Open) -> None:
    """After more rows than an answer holds the page says so, and moves nothing until a click."""
    page = visit(f"{LIST}?live=1&q=status:404").page
    expect(page.locator("[data-live-state]")).to_have_text("live")
    before = page.locator(first_row(page)).inner_text()

    def cut(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(json={**answer.json(), "rows": [], "more": True})

    page.route(POLLS, cut)
    expect(page.locator("[data-live-new]")).to_have_text("+ new")
    assert page.locator(first_row(page)).inner_text() == before
    page.unroute(POLLS)
    ask_for(page, "/after/the/gap")
    with page.expect_navigation():
        page.click("[data-live-new]")
    expect(page.locator(first_row(page))).to_have_text("/after/the/gap")


def test_two_tabs(visit: Open) -> None:
    """Two tabs of a list get each row, and so does one to which the reader goes back."""
    page = visit(f"{LIST}?live=1&q=status:404").page
    other = page.context.new_page()
    other.goto(f"{LIST}?live=1&q=status:404")
    for one in (page, other):
        expect(one.locator("[data-live-state]")).to_have_text("live")
    ask_for(page, "/two/tabs")
    for one in (page, other):
        expect(one.locator(first_row(one))).to_have_text("/two/tabs")
    other.click(first_row(other) + " a")
    ask_for(page, "/went/away")
    other.go_back()
    expect(other.locator(first_row(other))).to_have_text("/went/away")
    assert other.locator("td.path", has_text="/two/tabs").count() == 1
    other.close()
