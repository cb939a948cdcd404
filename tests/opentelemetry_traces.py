"""Requests under OpenTelemetry's instrumentations, run in a process of their own.

Once OpenTelemetry is imported, spans look for its active one: the other tests are not to notice.

``python -m tests.opentelemetry_traces`` prints a JSON list of what the client got, of OpenTelemetry's
span and of the record, for each case of each way to install the two.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, request, stream_with_context

CASES = {
    "ok": "200",
    "crash": "500",
    "crash, propagated": "ValueError",
    "answered by an errorhandler": "503",
    "abort": "404",
    "no route": "404",
    "SystemExit": "SystemExit",
    "GeneratorExit": "GeneratorExit",
    "stream": "200",
    "stream with context": "200",
    "stream that fails": "ValueError",
    "before_request answers": "200",
    "before_request fails": "500",
    "before_request fails, propagated": "ValueError",
    "after_request fails": "500",
    "after_request fails twice": "500",
    "after_request fails, propagated": "LookupError",
    "teardown fails": "ValueError",
    "a span of the view's own": "500",
    "the view detaches": "200",
}
"""What happens, and what the client gets: a status, or what escapes."""
WAYS = (
    "instrument_app, then Tracking",
    "Tracking, then instrument_app",
    "WSGI middleware inside",
    "WSGI middleware outside",
)


def run_all() -> list[dict[str, Any]]:
    """Return what each case gave."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.opentelemetry_traces"],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


class _NoStock(Exception):
    pass


def _view(case: str) -> Any:
    from opentelemetry import context, trace

    raised: dict[str, type[BaseException]] = {
        "crash": ValueError,
        "answered by an errorhandler": _NoStock,
        "SystemExit": SystemExit,
        "GeneratorExit": GeneratorExit,
        "after_request fails twice": ValueError,
    }
    kind = case.partition(",")[0]
    if kind in raised:
        raise raised[kind](case)
    if kind == "abort":
        abort(404)
    if kind.startswith("stream"):
        parts = _stream(case)
        return Response(stream_with_context(parts) if "context" in case else parts)
    if kind == "a span of the view's own":
        with trace.get_tracer("shop").start_as_current_span("own"):
            raise ValueError
    if kind == "the view detaches":
        context.attach(context.Context())
    return "ok"


def _stream(case: str) -> Iterator[str]:
    yield "first"
    if case.endswith("fails"):
        raise ValueError
    yield "second"


def _make_app(case: str, provider: Any, way: str) -> tuple[Flask, Any]:
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

    from flask_tracking import MemoryExporter, Tracking

    app, memory = Flask("shop"), MemoryExporter()
    app.logger.disabled = True
    app.config["TRACKING_WORKER"] = "sync"
    app.config["PROPAGATE_EXCEPTIONS"] = "propagated" in case

    def instrument() -> None:
        if "WSGI" in way:
            wrapped = OpenTelemetryMiddleware(app.wsgi_app, tracer_provider=provider)
            app.wsgi_app = wrapped  # type: ignore[method-assign]
        else:
            FlaskInstrumentor().instrument_app(app, tracer_provider=provider)

    steps: list[Callable[[], Any]] = [instrument, lambda: Tracking(app, exporter=memory)]
    if way in ("Tracking, then instrument_app", "WSGI middleware outside"):
        steps.reverse()
    for step in steps:
        step()
    _add_hooks(app, case)
    app.add_url_rule("/view", view_func=lambda: _view(case), endpoint="view")
    return app, memory


def _add_hooks(app: Flask, case: str) -> None:
    @app.errorhandler(_NoStock)
    def handle(error: _NoStock) -> tuple[str, int]:
        return "no stock", 503

    @app.before_request
    def before() -> str | None:
        if case.startswith("before_request fails"):
            raise ValueError
        return "answered" if case == "before_request answers" else None

    @app.after_request
    def after(response: Response) -> Response:
        if case.startswith("after_request fails"):
            raise LookupError
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        if case == "teardown fails" and "torn" not in request.environ:
            request.environ["torn"] = True
            raise ValueError


def _run(case: str, way: str) -> dict[str, Any]:
    from opentelemetry import context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import SpanKind

    spans: list[list[str]] = []

    class Noting(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            # At its start: the WSGI middleware ends no span that a SystemExit leaves.
            if span.kind == SpanKind.SERVER:
                spans.append([f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"])

    provider = TracerProvider()
    provider.add_span_processor(Noting())
    app, memory = _make_app(case, provider, way)
    token = context.attach(context.Context())
    try:
        response = app.test_client().get("/nowhere" if case == "no route" else "/view")
        response.get_data()
        got = str(response.status_code)
        response.close()
    except BaseException as error:
        got = type(error).__name__
    context.detach(token)
    # Where a teardown function fails, OpenTelemetry's instrumentation leaves a suspended generator. If
    # that is collected inside another reset of a ContextVar, CPython raises a LookupError there.
    gc.collect()
    records = [[record.trace_id, record.parent_span_id] for record in memory.records]
    return {"case": case, "way": way, "got": got, "spans": spans, "records": records}


def main() -> None:
    """Print what each case gives."""
    print(json.dumps([_run(case, way) for way in WAYS for case in CASES]))


if __name__ == "__main__":
    main()
