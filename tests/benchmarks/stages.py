"""Where our own time goes: µs per request of each stage, one after the other and without contention.

The worker's thread is not started: the request thread fills the queue, and the same thread then does
the worker's part. So each stage shows its own work; what the two cost each other, waiting for the
interpreter, is what the table of `overhead` has beyond the sums here.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from unittest import mock

import bson
from flask import Flask

from flask_tracking import Tracking, storable
from flask_tracking.capture import bodies, exchange, middleware, output_tee, signals, span
from flask_tracking.exporters.mongo import codec, inserting
from flask_tracking.exporters.mongo import exporter as mongo
from flask_tracking.pipeline import assemble, batch, judged, processor, rules
from flask_tracking.redaction import prefilter, redactor
from tests.benchmarks.subject import WARM_UP, make_app
from tests.benchmarks.traffic import BODY, KINDS, Client

ROUNDS = 20


class Stage(NamedTuple):
    """A function that is timed, without what it calls of other stages."""

    label: str
    owner: Any
    """The class or module that has it."""
    name: str


REQUEST_STAGES = (
    Stage("middleware: call", middleware.TrackingMiddleware, "__call__"),
    Stage("middleware: open", middleware.TrackingMiddleware, "_open"),
    Stage("span: make", span.Span, "__init__"),
    Stage("exchange: make", exchange.Exchange, "__init__"),
    Stage("exchange: enter the app", exchange.Exchange, "enter"),
    Stage("signal: request_started", signals, "_on_request_started"),
    Stage("span: find the trace", span.Span, "settle_trace"),
    Stage("start_response", exchange.Exchange, "start_response"),
    Stage("output: make the tee", exchange.Exchange, "tee"),
    Stage("output: pass on", output_tee.OutputTee, "__iter__"),
    Stage("output: note a chunk", exchange.Exchange, "note_chunk"),
    Stage("output: close", output_tee.OutputTee, "close"),
    Stage("input: note", bodies.BodyCopy, "note_read"),
    Stage("end", exchange.Exchange, "end"),
    Stage("capture: make", exchange.Exchange, "_make_capture"),
    Stage("submit", batch.BatchWorker, "submit"),
)
WORKER_STAGES = (
    Stage("queue and batches", batch.BatchWorker, "_work"),
    Stage("summaries", judged, "summarise"),
    Stage("make records", processor.Processor, "_make_record"),
    Stage("assemble", assemble.Assembler, "assemble"),
    Stage("assemble: headers of the request", assemble, "_request_headers"),
    Stage("assemble: host", assemble, "_host_of"),
    Stage("assemble: bodies", assemble, "decode_body"),
    Stage("assemble: user agent", assemble, "parse_user_agent"),
    Stage("rules", rules.Rules, "judge"),
    Stage("redaction: prefilter", prefilter.Prefilter, "scan"),
    Stage("redaction: the rest", redactor.Redactor, "redact"),
    Stage("mongo: store", mongo.MongoExporter, "_store"),
    Stage("mongo: documents", mongo, "to_document"),
    Stage("mongo: insert_many, BSON and sending", inserting, "insert_once"),
)
APP = "the app itself"
BSON = "BSON"


class Stopwatch:
    """Sums up the CPU time of stages; that of a stage within another counts for the inner one."""

    def __init__(self) -> None:
        self.spent_ns: defaultdict[str, float] = defaultdict(float)
        self._within: list[float] = [0.0]
        self._cost_ns = self._outer_cost_ns = 0.0
        self._calibrate()

    def time(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function`, timed."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            within = self._within
            within.append(0.0)
            started_ns = time.thread_time_ns()
            try:
                return function(*args, **kwargs)
            finally:
                took_ns = time.thread_time_ns() - started_ns
                self.spent_ns[label] += took_ns - within.pop() - self._cost_ns
                within[-1] += took_ns + self._outer_cost_ns

        return timed

    def _calibrate(self) -> None:
        """Find out what timing costs, within the timed stretch and around it."""
        empty = self.time("", lambda: None)
        count = 20_000
        started_ns = time.thread_time_ns()
        for _ in range(count):
            empty()
        took_ns = (time.thread_time_ns() - started_ns) / count
        self._cost_ns = self.spent_ns.pop("") / count
        self._outer_cost_ns = took_ns - self._cost_ns
        self._within = [0.0]

    @contextlib.contextmanager
    def on(self, stages: tuple[Stage, ...]) -> Iterator[None]:
        """Time `stages` meanwhile."""
        with contextlib.ExitStack() as stack:
            for label, owner, name in stages:
                timed = self.time(label, getattr(owner, name))
                stack.enter_context(mock.patch.object(owner, name, timed))
            yield


def show(uri: str, requests: int) -> None:
    """Print where our time goes, for both kinds of request.

    Args:
        uri: an empty database.
        requests: how many of each kind; at most as many as the queue takes.
    """
    logging.getLogger("flask_tracking").setLevel(logging.CRITICAL)  # what is queued here is not stored
    with mock.patch.object(batch.BatchWorker, "_start", lambda self: None):
        added_us = {kind: _measure_added_us(kind, uri) for kind in KINDS}
        spent_us = {kind: _measure_stages_us(kind, uri, requests) for kind in KINDS}
    for title, stages in (("request thread", REQUEST_STAGES), ("worker", WORKER_STAGES)):
        print(f"{title + ', µs per request':44}" + "".join(f"{kind:>8}" for kind in KINDS))
        labels = [stage.label for stage in stages]
        sums = {kind: sum(spent_us[kind][label] for label in labels) for kind in KINDS}
        for label in labels:
            print(f"  {label:42}" + "".join(f"{spent_us[kind][label]:8.1f}" for kind in KINDS))
        if stages is REQUEST_STAGES:
            rest = (f"{added_us[kind] - sums[kind]:8.1f}" for kind in KINDS)
            print(f"  {'the rest: sending signals, calls':42}" + "".join(rest))
            sums = added_us
        else:
            print(
                f"  {'(encoding BSON alone)':42}"
                + "".join(f"{spent_us[kind][BSON]:8.1f}" for kind in KINDS)
            )
        print(f"{'  in sum':44}" + "".join(f"{sums[kind]:8.1f}" for kind in KINDS) + "\n")


def _make_tracked_app(uri: str, app: Flask) -> batch.BatchWorker:
    app.config["TRACKING_MONGODB_URI"] = uri
    Tracking(app)
    found = app.extensions["tracking"].worker
    assert isinstance(found, batch.BatchWorker)
    return found


def _make_sender(app: Flask, kind: str) -> Callable[[int], None]:
    client = Client(app)

    def send(count: int) -> None:
        for _ in range(count):
            client.send(kind, BODY if kind == "POST" else b"")

    return send


def _measure_added_us(kind: str, uri: str) -> float:
    """Return what we add to the thread of a request while no worker runs."""
    bare, tracked = make_app(), make_app()
    queue = _make_tracked_app(uri, tracked)
    spent_us: dict[Flask, list[float]] = {bare: [], tracked: []}
    senders = {app: _make_sender(app, kind) for app in spent_us}
    for send in senders.values():
        send(WARM_UP)
    gc.collect()
    gc.freeze()
    for _ in range(ROUNDS):
        for app, send in senders.items():
            queue.after_fork_in_child()  # empties the queue
            started_ns = time.thread_time_ns()
            send(WARM_UP)
            spent_us[app].append((time.thread_time_ns() - started_ns) / (WARM_UP * 1000))
    return statistics.median(spent_us[tracked]) - statistics.median(spent_us[bare])


def _measure_stages_us(kind: str, uri: str, requests: int) -> dict[str, float]:
    """Return what each stage takes for a request."""
    watch = Stopwatch()
    with watch.on(REQUEST_STAGES):
        app = make_app()
        app.wsgi_app = watch.time(APP, app.wsgi_app)  # type: ignore[method-assign]
        queue = _make_tracked_app(uri, app)
        send = _make_sender(app, kind)
        send(WARM_UP)
        queue.after_fork_in_child()
        watch.spent_ns.clear()
        send(requests)
    documents: list[dict[str, Any]] = []
    to_document = codec.to_document

    def keep_document(*args: Any) -> dict[str, Any]:
        documents.append(to_document(*args))
        return documents[-1]

    queue._open()
    with mock.patch.object(mongo, "to_document", keep_document), watch.on(WORKER_STAGES):
        queue._empty_queue(down_to=1)
    assert len(documents) == requests, "not every request became a document"
    started_ns = time.thread_time_ns()
    for document in documents:
        bson.encode(document, codec_options=storable.CODEC)
    watch.spent_ns[BSON] = time.thread_time_ns() - started_ns
    return defaultdict(
        float, {label: spent / (requests * 1000) for label, spent in watch.spent_ns.items()}
    )
