"""What would be stored of a request: the way of a real one, without its view."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from ..capture.marks import apply_marks
from ..capture.middleware import TrackingMiddleware
from ..capture.span import ENVIRON_KEY
from ..pipeline.assemble import Assembler
from ..record import Capture, Record
from ..redaction.redactor import Redactor
from ..registry import TrackedApp
from .rawrequest import RawRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def preview_request(
    app: Flask, tracked: TrackedApp, redactor: Redactor, request: RawRequest
) -> Record | None:
    """Return what would be stored of `request`, None when nothing would.

    It is copied, assembled and redacted as if the app had read it whole. No code of the app runs, so
    there is no response. What excludes it by its path, its method or a mark of its view holds.
    """
    captures: list[Capture] = []
    environ = request.environ()
    route = _find_route(app, environ)

    def read_whole(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if route is not None:
            apply_marks(app, environ[ENVIRON_KEY], route[0].endpoint, request.method)
        environ["wsgi.input"].read()
        start_response("200 OK", [])
        return []

    middleware = TrackingMiddleware(read_whole, tracked, captures.append)
    response = middleware(environ, lambda *_: lambda _: None)
    close = getattr(response, "close", None)
    for _ in response:
        pass
    if close is not None:
        close()
    if not captures:
        return None
    capture = captures[0]
    if capture.keep_reason is None and request.method in tracked.settings.exclude_methods:
        return None
    if route is not None:
        rule, arguments = route
        # What stands in the path is redacted by the names that it has there.
        capture = capture._replace(
            endpoint=rule.endpoint,
            url_rule=rule.rule,
            view_args={name: str(value) for name, value in arguments.items()} or None,
        )
    (record,) = redactor.redact([Assembler(tracked.settings).assemble(capture)])
    return dataclasses.replace(record, status_code=None, execution_time=None, time_to_first_byte=None)


def _find_route(app: Flask, environ: WSGIEnvironment) -> tuple[Rule, Mapping[str, Any]] | None:
    try:
        adapter = app.create_url_adapter(app.request_class(environ))
        return None if adapter is None else adapter.match(return_rule=True)
    except HTTPException:  # no such path, or not for this method: the same as for a real one
        return None
