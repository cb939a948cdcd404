"""The shared panel, as a fragment and as a page."""

from __future__ import annotations

from flask import Response

from ...errors import FilterError
from ...filters import Filter
from ..comparison.selections import Panel, answer, ask
from ..page import Page
from ..templating import html, render


def show_shared(page: Page) -> Response:
    """Show the panel as a page, for browsers without JavaScript."""
    return html(render("shared.html", page=page, panel=_make_panel(page)))


def send_panel(page: Page) -> Response:
    """Send the panel alone, which pages load after themselves."""
    return html(render("shared_fragment.html", page=page, panel=_make_panel(page)))


def _make_panel(page: Page) -> Panel | None:
    """Return the panel; None if there is nothing to compare."""
    of = page.request.args.get("of", "slow")
    wanted = page.wanted_at_any_time  # a wrong one is no problem of this page alone
    if of == "filter" and wanted == Filter.all:
        page.problems.append("Write a filter: its requests are compared with the others.")
        return None
    within = page.request.args.get("within", "")
    try:
        question = ask(page, of, within)
    except FilterError as error:
        page.problems.append(str(error))
        return None
    sides = tuple(page.request.args.getlist(name) for name in ("a", "b"))
    return page.share(("shared", of, within, str(sides)), lambda: answer(page, question))
