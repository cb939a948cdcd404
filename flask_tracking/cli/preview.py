"""Show the record of a request as text, processed like a real request but without its view."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from ..capture.marks import apply_marks
from ..capture.middleware import TrackingMiddleware
from ..pipeline.assemble import Assembler
from ..record import Capture, Record
from ..redaction.redactor import Redactor
from ..registry import ENVIRON_KEY, TrackedApp
from .rawrequest import RawRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def preview_request(
    app: Flask, tracked: TrackedApp, redactor: Redactor, request: RawRequest
) -> Record | None:
    """Return the record that would be stored of `request`, or None if it is excluded.

    It is copied, assembled and redacted as if the app had read all of it. No code of the app runs, so
    there is no response. Exclusions by path, by method and by marks of the view apply.
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
        # Values in the path are redacted by the names of their arguments.
        capture = dataclasses.replace(
            capture,
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
    except HTTPException:  # no route for this path or method: same as for a real request
        return None
