"""What would be stored of a request: the way of a real one, without its view."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.exceptions import HTTPException

from ..capture.middleware import TrackingMiddleware
from ..pipeline.assemble import Assembler
from ..pipeline.redaction.redactor import Redactor
from ..record import Capture, Record
from ..registry import TrackedApp
from .rawrequest import RawRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def preview_request(
    app: Flask, tracked: TrackedApp, redactor: Redactor, request: RawRequest
) -> Record | None:
    """Return what would be stored of `request`, None when nothing would.

    It is copied, assembled and redacted as if the app had read it whole. No code of the app runs, so
    there is no response.
    """
    captures: list[Capture] = []

    def read_whole(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read()
        start_response("200 OK", [])
        return []

    middleware = TrackingMiddleware(read_whole, tracked, captures.append)
    environ = request.environ()
    response = middleware(environ, lambda *_: lambda _: None)
    close = getattr(response, "close", None)
    for _ in response:
        pass
    if close is not None:
        close()
    if not captures:
        return None
    capture = _route(app, captures[0], environ)
    (record,) = redactor.redact([Assembler(tracked.settings).assemble(capture)])
    return dataclasses.replace(record, status_code=None, execution_time=None, time_to_first_byte=None)


def _route(app: Flask, capture: Capture, environ: WSGIEnvironment) -> Capture:
    """Name the route: what stands in the path is redacted by the names that it has there."""
    try:
        adapter = app.create_url_adapter(app.request_class(environ))
        if adapter is None:
            return capture
        rule, arguments = adapter.match(return_rule=True)
    except HTTPException:  # no such path, or not for this method: the same as for a real one
        return capture
    return capture._replace(
        endpoint=rule.endpoint,
        url_rule=rule.rule,
        view_args={name: str(value) for name, value in arguments.items()} or None,
    )
