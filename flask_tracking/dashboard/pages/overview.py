"""The overview: the verdict, the key figures, and the routes and errors behind them."""

from __future__ import annotations

from typing import NamedTuple

from flask import Response

from ...queries import Statistics
from ..charts.chart import make_chart
from ..charts.points import read_few
from ..page import VERSION, Page
from ..statistics.failures import count_new, read_groups
from ..statistics.five_numbers import make_numbers
from ..statistics.periods import read_drawing, read_periods
from ..statistics.verdict import Verdict, make_verdict
from ..tables.error_rows import make_error_rows
from ..tables.route_rows import link_to_route, make_route_rows
from ..templating import html, render
from ..text import filter_text
from ..text.numbers import count, iso

TOP_ROUTES, TOP_ERRORS = 10, 5


class RecorderNote(NamedTuple):
    """A line about the recorder."""

    text: str
    is_fine: bool = True


def show_overview(page: Page) -> Response:
    """Show the overview."""
    periods = read_periods(page)
    verdict = make_verdict(page, periods)
    drawn = read_drawing(page, periods)
    groups = read_groups(page, periods, drawn)
    page.new_errors = None if page.q else count_new(groups)
    return html(
        render(
            "overview.html",
            page=page,
            verdict=verdict,
            buttons=_make_buttons(page, verdict),
            numbers=make_numbers(page, periods, drawn),
            chart=make_chart(page, drawn, found=read_few(page, drawn.now)),
            routes=make_route_rows(page, periods)[:TOP_ROUTES],
            route_count=len(periods.now.groups),
            errors=make_error_rows(page, groups[:TOP_ERRORS]),
            error_count=len(groups),
            statistics=periods.now,
            recorder=_describe_recorder(periods.now),
        )
    )


def _make_buttons(page: Page, verdict: Verdict) -> list[tuple[str, str]]:
    """Return the links below a verdict: its requests, a comparison of versions, and its route."""
    if verdict.tone != "bad":
        return []
    buttons = [("Show these requests", _link_to_requests(page, verdict))]
    if not verdict.routes:
        return buttons
    first = verdict.routes[0]
    if verdict.version is not None and verdict.version_before is not None:
        sides = {"a": VERSION + verdict.version_before, "b": VERSION + verdict.version}
        title = f"Compare {verdict.version_before} with {verdict.version}"
        buttons.append((title, page.link_to("compare", **sides)))
    return [*buttons, (f"All of {first}", link_to_route(page, first))]


def _link_to_requests(page: Page, verdict: Verdict) -> str:
    """Return the URL of the slow or failed requests since the change."""
    asked = filter_text.join(page.q, verdict.terms) if verdict.terms else page.q
    times = {} if verdict.since is None else {"from": iso(verdict.since)}
    return page.link_to("requests", **{"q": asked, **times})


def _describe_recorder(found: Statistics) -> list[RecorderNote]:
    """Return what the numbers of the page were counted from, and what is missing there."""
    if found.source != "rollups":
        how = "" if found.is_complete else ", of the newest records only"
        return [RecorderNote(f"Counted from records{how}: {found.reason}.", found.is_complete)]
    notes = [RecorderNote("All requests are counted, from rollups.")]
    if found.stored is None:  # rollups count what became of records without their routes
        return notes
    lost = sum(found.dropped.values())
    words = f"{count(lost)} record{'s' if lost != 1 else ''} lost." if lost else "No record was lost."
    notes += [RecorderNote(words, not lost), RecorderNote(f"{count(found.stored)} records stored.")]
    if found.not_stored:
        notes.append(RecorderNote(f"{count(found.not_stored)} requests not stored by the rules."))
    return notes
