"""Downloads: bodies, texts to copy, and static files."""

from __future__ import annotations

from flask import Response, abort

from ...errors import TrackingError
from .. import static_files
from ..page import Page
from ..record.languages import LANGUAGES
from ..templating import html, render

TEXT = "text/plain; charset=utf-8"


def send_body(page: Page, id: str, side: str) -> Response:
    """Send a stored body as an attachment, which browsers do not render."""
    record = page.get_record(id)
    if record is None or side not in ("request", "response"):
        abort(404)
    body = record.request_body if side == "request" else record.response_body
    response = Response(body, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{record.id}-{side}.bin"'
    return response


def reproduce(page: Page, id: str, language: str) -> Response:
    """Send the text that reproduces a request, as plain text for scripts, else within a page.

    For a plain text, browsers would request the app's ``/favicon.ico``, which would be recorded.
    """
    record = page.get_record(id)
    if record is None or language not in LANGUAGES:
        abort(404)
    title, make = LANGUAGES[language]
    try:
        text, status = make(record), 200
    except TrackingError as error:
        text, status = str(error), 422
    if page.request.accept_mimetypes.best_match(("text/plain", "text/html")) != "text/html":
        return Response(text, status, content_type=TEXT)
    shown = title.removeprefix("Copy ")
    return html(render("text.html", page=page, record=record, title=shown, text=text), status)


def send_static(page: Page, version: str, name: str) -> Response:
    """Send a static file."""
    file = static_files.load_files().get(name)
    if file is None or version != static_files.hash_files():
        abort(404)
    response = Response(file.content, content_type=file.media_type)
    response.headers["Cache-Control"] = static_files.CACHE
    return response
