"""What is no page: bodies, texts to copy, and files of ours."""

from __future__ import annotations

from flask import Response, abort

from ...errors import TrackingError
from .. import static_files
from ..languages import LANGUAGES
from ..page import Page

TEXT = "text/plain; charset=utf-8"


def send_body(page: Page, id: str, side: str) -> Response:
    """Send a body as it was stored, as a file that no browser opens."""
    record = page.get_record(id)
    if record is None or side not in ("request", "response"):
        abort(404)
    body = record.request_body if side == "request" else record.response_body
    response = Response(body, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{record.id}-{side}.bin"'
    return response


def reproduce(page: Page, id: str, language: str) -> Response:
    """Send the text that makes the request again."""
    record = page.get_record(id)
    if record is None or language not in LANGUAGES:
        abort(404)
    try:
        text = LANGUAGES[language][1](record)
    except TrackingError as error:
        return Response(str(error), 422, content_type=TEXT)
    return Response(text, content_type=TEXT)


def send_static(page: Page, version: str, name: str) -> Response:
    """Send a file of ours."""
    file = static_files.load_files().get(name)
    if file is None or version != static_files.hash_files():
        abort(404)
    response = Response(file.content, content_type=file.media_type)
    response.headers["Cache-Control"] = static_files.CACHE
    return response
