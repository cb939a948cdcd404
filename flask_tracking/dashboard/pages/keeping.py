"""The only changes that the dashboard makes: keep a record, or stop keeping it."""

from __future__ import annotations

from collections.abc import Callable

from bson import ObjectId
from flask import Response, abort

from ...exporters.store import Store
from ...runtime.guard import logger
from ...runtime.text import visible
from ..messages import redirect_to, show_message
from ..page import Page
from ..security import csrf
from ..security.viewer import find_viewer


def keep(page: Page, id: str) -> Response:
    """Keep a record."""
    return _change(page, id, "kept", lambda store, record_id: store.keep(record_id, "dashboard"))


def unkeep(page: Page, id: str) -> Response:
    """Stop keeping a record."""
    return _change(page, id, "unkept", lambda store, record_id: store.unkeep(record_id))


def _change(page: Page, text: str, done: str, change: Callable[[Store, ObjectId], bool]) -> Response:
    if not ObjectId.is_valid(text):
        abort(404)
    if not csrf.is_from_our_page(page.request):
        lines = ["This request did not come from a page of the dashboard, so nothing was changed."]
        links = [("Back to the request", page.link_to("request", id=text))]
        return show_message(page, "Refused", lines, links, 403)
    if change(page.writer, ObjectId(text)):
        viewer = find_viewer(page.tracked)
        who = "an unknown user" if viewer is None else f"user {visible(viewer)}"
        logger.info("Record %s was %s in the dashboard by %s.", text, done, who)
    return redirect_to(page.link_to("request", id=text), 303)
