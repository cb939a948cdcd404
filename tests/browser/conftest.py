"""A Chromium for the tests of this folder, and pages that notice what must not happen.

The fixtures live as long as the tests of this folder run, and not for the whole session: while
Playwright runs, no other test of the process could run a loop of asyncio.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from ..servers import port_of
from .watched import Watched

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
UNSAFE_HOST = "shop.test"
"""Leads here, too, but by a name that browsers do not trust without TLS."""
expect.set_options(timeout=20_000)  # milliseconds: other processes may take the processor at any time
Open = Callable[..., Watched]


def find_chromium() -> str | None:
    """Return the path of a Chromium of the system, None where there is none."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """A running Chromium; without one the tests are skipped, and fail under ``CI``."""
    path = find_chromium()
    if path is None:
        reason = "no Chromium: run `make browser`, or install the package chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        # In development mode a loop notes for each call where it came from, and logs slow ones.
        asyncio.get_running_loop().set_debug(False)
        browser = playwright.chromium.launch(
            executable_path=path, args=[f"--host-resolver-rules=MAP {UNSAFE_HOST} 127.0.0.1"]
        )
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="package")
def site() -> Iterator[str]:
    """The address of the site, which is a process of its own."""
    with port_of("tests.browser.site") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def visit(chromium: Browser, site: str) -> Iterator[Open]:
    """Return what opens an address of the site in a fresh browser profile.

    In the end all of its pages are asked what they have noticed; nothing is right.
    """
    opened: list[Watched] = []

    def visit(address: str, *, origin: str = site, **options: Any) -> Watched:
        context = chromium.new_context(base_url=origin, reduced_motion="reduce", **options)
        watched = Watched(context, origin)
        opened.append(watched)
        watched.open(address)
        return watched

    try:
        yield visit
        assert [problem for watched in opened for problem in watched.problems] == []
        with urlopen(site) as strays:  # Playwright does not see who asks for /favicon.ico
            assert strays.read() == b""
    finally:
        for watched in opened:
            watched.context.close()


@pytest.fixture(autouse=True)
def _left_out_of_coverage_here(untraced: None) -> None:
    """What is under test runs elsewhere, or does what unit tests cover."""
