"""What buttons do, with script and without."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .conftest import UNSAFE_HOST, Open
from .records import BINARY, FAILED

pytestmark = pytest.mark.integration

REQUESTS = "/shop/_tracking/requests"


@pytest.mark.parametrize("language", ["curl", "pytest", "python", "powershell", "har"])
def test_copy(visit: Open, language: str) -> None:
    """A button copies its text, and shows it."""
    watched = visit(f"{REQUESTS}/{FAILED}", permissions=["clipboard-read", "clipboard-write"])
    page = watched.page
    link = page.locator(f"[data-copy][href$='/as/{language}']")
    if not link.is_visible():
        page.get_by_text("Copy as …").click()
    link.click()
    sheet = page.locator("dialog[open]")
    expect(sheet.locator("h2")).to_contain_text("copied")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text == page.request.get(f"{REQUESTS}/{FAILED}/as/{language}").text()
    assert sheet.locator("pre").text_content() == text
    assert "/checkout" in text
    assert watched.find_axe_violations() == []


def test_copy_without_a_clipboard(visit: Open, site: str) -> None:
    """On a host that the browser does not trust the text is selected instead."""
    origin = site.replace("127.0.0.1", UNSAFE_HOST)
    watched = visit(f"{REQUESTS}/{FAILED}", origin=origin)
    page = watched.page
    page.keyboard.press("c")
    expect(page.locator("dialog[open] h2")).to_contain_text("select and copy")
    selected = page.evaluate("getSelection().toString()")
    assert selected == page.locator("dialog[open] pre").text_content()
    # Chromium tells so of each page of such a host.
    watched.problems = [one for one in watched.problems if "Opener-Policy header has been" not in one]


def test_what_cannot_be_copied_says_why(visit: Open) -> None:
    """A text that cannot be made is a reason, not a button without effect."""
    watched = visit(f"{REQUESTS}/{BINARY}")
    watched.page.route("**/as/curl", lambda route: route.fulfill(status=422, body="No: a task."))
    watched.page.locator("[data-copy]").first.click()
    expect(watched.page.locator("dialog[open]")).to_contain_text("No: a task.")


def test_new_errors(visit: Open) -> None:
    """The navigation says how many errors are new, also on pages that count none."""
    watched = visit(REQUESTS)
    watched.page.route("**/data/new-errors*", lambda route: route.fulfill(json={"count": 3}))
    watched.open(REQUESTS)
    expect(watched.page.get_by_role("link", name="Errors 3 new")).to_be_visible()
    assert watched.find_axe_violations() == []


def test_users_of_errors(visit: Open) -> None:
    """Their numbers come after the table; a reader learns that they could not be read."""
    watched = visit("/shop/_tracking/errors")
    cells = watched.page.locator("td[data-users]")
    expect(cells.first).to_have_text(re.compile(r"^(\d+|–)$"))
    expect(watched.page.get_by_text("Without JavaScript")).to_have_count(0)
    assert watched.find_axe_violations() == []
    watched.page.route("**/data/users*", lambda route: route.fulfill(status=204))
    watched.open("/shop/_tracking/errors")
    expect(cells.first).to_have_text("?")
    watched.page.get_by_role("link", name="Users").click()
    expect(watched.page.locator("td[data-label=users]").first).to_have_text(re.compile(r"^(\d+|–)$"))
    expect(cells).to_have_count(0)


def test_users_of_errors_without_script(visit: Open) -> None:
    """The page says how they are counted."""
    page = visit("/shop/_tracking/errors", java_script_enabled=False).page
    expect(page.get_by_text("counted where the table is sorted by them.")).to_be_visible()
    page.get_by_role("link", name="Users").click()
    expect(page.locator("td[data-label=users]").first).to_have_text(re.compile(r"^(\d+|–)$"))
    expect(page.get_by_text("counted where")).to_have_count(0)


@pytest.mark.parametrize("has_script", [True, False])
def test_keep(visit: Open, *, has_script: bool) -> None:
    """Keep keeps the record and shows it; the other button undoes it."""
    page = visit(f"{REQUESTS}/{BINARY}", java_script_enabled=has_script).page
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("dt", has_text="Kept")).to_be_visible()
    page.get_by_role("button", name="Keep no longer").click()
    expect(page.locator("dt", has_text="Kept")).to_have_count(0)


def test_compare_marked(visit: Open) -> None:
    """Exactly two marks can be compared."""
    page = visit(REQUESTS).page
    button = page.get_by_role("button", name="Compare 2 marked")
    marks = page.locator("input[name=mark]")
    expect(button).to_be_disabled()
    for at, is_enough in enumerate((False, True, False)):
        marks.nth(at).check()
        expect(button).to_be_enabled(enabled=is_enough)
    marks.nth(0).uncheck()
    button.click()
    expect(page.locator("h1")).to_have_text("Two requests")


def test_compare_nothing_without_script(visit: Open) -> None:
    """The page that answers says what to do first."""
    watched = visit(REQUESTS, java_script_enabled=False)
    watched.page.get_by_role("button", name="Compare 2 marked").click()
    expect(watched.page.locator("h1")).to_have_text("Mark two requests first")
    watched.problems = [one for one in watched.problems if "400" not in one]


def test_quick_filter(visit: Open) -> None:
    """A click adds a quick filter, a second click removes it."""
    page = visit(f"{REQUESTS}?q=method:POST").page
    chip = page.locator(".chips").get_by_role("link", name="failed", exact=True)
    chip.click()
    expect(page.locator("#q")).to_have_value("method:POST is:error")
    pressed = page.locator(".chips [aria-current]")
    expect(pressed).to_have_text("failed")
    pressed.click()
    expect(page.locator("#q")).to_have_value("method:POST")


def test_without_script(visit: Open) -> None:
    """Filter, range, paging and the chart's numbers are there, and times say their zone."""
    page = visit("/shop/_tracking/", java_script_enabled=False).page
    expect(page.locator(".zone")).to_have_text("Times in UTC")
    page.locator("summary", has_text="As a table").click()
    expect(page.locator(".as-table td").first).to_be_visible()
    page.locator(".pages a", has_text="Requests").click()
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("tbody tr")).to_have_count(15)
    page.locator("#q").fill("status:404")
    page.locator("#from").select_option("24h")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("q=status%3A404&from=24h"))
    expect(page.locator("tbody tr")).to_have_count(12)
    page.locator("tbody a").first.click()
    page.get_by_role("link", name="Copy as cURL").click()
    expect(page.locator("pre")).to_contain_text("curl")
    page.get_by_role("link", name="Back to the request").click()
    expect(page.locator("h1")).to_contain_text("/items/")


def test_range_applies_at_once(visit: Open) -> None:
    """With script a chosen range needs no button."""
    page = visit(REQUESTS).page
    page.locator("#from").select_option("7d")
    expect(page).to_have_url(re.compile(r"from=7d"))


def test_local_times(visit: Open) -> None:
    """Times are those of the reader, whose zone the page names."""
    page = visit(f"{REQUESTS}/{FAILED}", timezone_id="Asia/Kolkata").page
    expect(page.locator(".zone")).to_contain_text("Calcutta")
    time = page.locator(".about time").first
    shown, utc = time.text_content(), time.get_attribute("datetime")
    assert shown is not None and utc is not None
    minutes = [int(text[-2:]) for text in (shown.rpartition(":")[0], utc.rpartition(":")[0])]
    assert (minutes[0] - minutes[1]) % 60 == 30


def test_row(visit: Open) -> None:
    """A click on any part of a row opens it, but not one beside its checkbox, or on a selection."""
    watched = visit(f"{REQUESTS}?q=user:acme:42&from=24h")
    page, address = watched.page, watched.page.url
    row = page.locator("tbody tr").first
    target = row.locator("[data-row]").get_attribute("href")
    row.locator(".mark").click(position={"x": 1, "y": 1})
    page.evaluate("getSelection().selectAllChildren(document.querySelector('tbody tr'))")
    row.locator(".num").dispatch_event("click")
    assert page.url == address
    page.evaluate("getSelection().removeAllRanges()")
    row.locator(".num").click()
    page.wait_for_url(f"**{target}")
