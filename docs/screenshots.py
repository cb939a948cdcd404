"""Make the pictures of the documentation: the dashboard of the demo's shop, in Chromium.

    make screenshots

They show the history that `make demo ARGS=--keep` writes, which is always alike; only times differ.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, Locator, Page, sync_playwright

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS / "examples"))  # this file is run as a script, and the shop is a package

from shop import demo  # noqa: E402
from shop.history import write_history  # noqa: E402

TARGET = DOCS / "_static" / "dashboard"
MOST_BYTES = 150_000
"""Of one picture: they are kept in git."""
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
NEW_ERROR = "GiftCardError"
"""What the history of the demo has since its new version."""


class Picture(NamedTuple):
    """A picture of a page."""

    name: str
    """Of the file, without its suffix."""
    scheme: Literal["light", "dark"]
    width: int
    height: int
    """In CSS pixels, as in those of the file."""
    go_on: Callable[[Page], None]
    """Goes from the overview to what is shown."""


def stay(page: Page) -> None:
    """Show the overview."""


def go_down(page: Page) -> None:
    """Show the lower part of the overview: routes, what the slow ones share, errors."""
    page.locator("#routes-title").evaluate("(one) => one.closest('section').scrollIntoView()")


def list_failed(page: Page) -> None:
    """Show the requests that failed."""
    follow(page.locator(".pages a", has_text="Requests"))
    follow(page.locator(".chip", has_text="failed"))


def open_failed(page: Page) -> None:
    """Show a request with the new error."""
    list_failed(page)
    follow(page.locator("tr", has_text=NEW_ERROR).locator("a[data-row]").first)


def open_route(page: Page) -> None:
    """Show the route that the verdict names."""
    follow(page.locator(".verdict .button").last)


def open_error(page: Page) -> None:
    """Show the group of the new error."""
    follow(page.locator(".errors a", has_text=NEW_ERROR).first)


def follow(link: Locator) -> None:
    """Click a link, and wait until the page that it leads to has all its parts."""
    link.click()
    link.page.wait_for_load_state("networkidle")


PICTURES = (
    Picture("overview", "light", 1280, 752, stay),
    Picture("phone", "dark", 390, 844, stay),
    Picture("shared", "light", 1280, 640, go_down),
    Picture("request", "dark", 1280, 900, open_failed),
    Picture("route", "light", 1280, 1000, open_route),
    Picture("error", "light", 1280, 700, open_error),
)


def main() -> None:
    """Make all pictures."""
    chromium = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if chromium is None:
        sys.exit("There is no Chromium. Run `make browser` first.")
    TARGET.mkdir(parents=True, exist_ok=True)
    with run_shop() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        for picture in PICTURES:
            take(browser, address, picture)
        browser.close()


@contextlib.contextmanager
def run_shop() -> Iterator[str]:
    """Run the shop of the demo, with the history alone; yields the address of its dashboard."""
    print("Starting the shop, and writing two hours of its history ...", flush=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as servers:
        uri, url, _ = demo.start_servers(Path(folder), servers)
        write_history(uri)
        yield f"{url}/_tracking/"


def take(browser: Browser, address: str, picture: Picture) -> None:
    """Take one picture."""
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=picture.scheme,
        reduced_motion="reduce",
        timezone_id="UTC",
        locale="en-GB",
    )
    page = context.new_page()
    page.goto(address, wait_until="networkidle")
    picture.go_on(page)
    file = TARGET / f"{picture.name}.png"
    page.screenshot(path=file)
    context.close()
    size = file.stat().st_size
    print(f"{file.relative_to(DOCS.parent)}: {picture.width} x {picture.height}, {size:,} bytes")
    if size > MOST_BYTES:
        print(f"{file.name} is too large: at most {MOST_BYTES:,} bytes are kept in git.")


if __name__ == "__main__":
    main()
