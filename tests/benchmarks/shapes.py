"""What tracking costs where much passes through it, or nothing: files, streams, uploads, exclusions.

``python tests/benchmarks/shapes.py``. The app is called as a WSGI server calls it, bare and tracked by
turns, and what counts is the ratio, or the difference, within a round. Records go into MongoDB in
another process. The exit status is 1 with ``--check`` when a target is missed.
"""

from __future__ import annotations

import argparse
import gc
import io
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from wsgiref.util import FileWrapper

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for those who run this file by its path

from flask import Flask, Response, request, send_file

import flask_tracking
from flask_tracking import Tracking
from tests.benchmarks.overhead import new_database, running_mongodb
from tests.benchmarks.traffic import call, make_environ

CHUNKS = 10_000
CHUNK = b"x" * 1000
FILE_BYTES = 1_000_000
UPLOAD = b'"' + b"u" * 9_999_998 + b'"'
KEPT_BYTES = 65_536
OWN_FILES = str(Path(flask_tracking.__file__).parent / "*")

Send = Callable[[], int]


class Target(NamedTuple):
    """What a shape may cost at most."""

    added_us: float | None = None
    """Per request, or per chunk of a stream."""
    extra_bytes: int | None = None
    """Of memory at the peak of a request, beyond bare."""


class Shape(NamedTuple):
    """A request that is unlike the ordinary ones."""

    name: str
    method: str
    path: str
    size: int
    """Bytes of the response."""
    units: int
    """What the added time is divided by."""
    repeats: int
    """Requests in a round."""
    target: Target
    body: bytes = b""


SHAPES = (
    Shape("file of 1 MB", "GET", "/file", FILE_BYTES, 1, 200, Target(extra_bytes=KEPT_BYTES)),
    Shape(
        "stream of 10,000 chunks of 1 kB, per chunk", "GET", "/stream", CHUNKS * len(CHUNK), CHUNKS, 5,
        Target(added_us=1.0, extra_bytes=2 * KEPT_BYTES),
    ),
    Shape(
        "upload of 10 MB", "POST", "/upload", 8, 1, 20, Target(extra_bytes=2 * KEPT_BYTES), UPLOAD
    ),
    Shape("excluded path", "GET", "/health", 2, 1, 2000, Target(added_us=8.0, extra_bytes=0)),
)  # fmt: skip


def make_app(folder: Path) -> Flask:
    """Make the app that has a view for each shape."""
    app = Flask("shapes")
    file = folder / "data.bin"
    file.write_bytes(b"f" * FILE_BYTES)

    @app.get("/file")
    def show_file() -> Response:
        return send_file(file, mimetype="application/octet-stream")

    @app.get("/stream")
    def stream() -> Response:
        return Response((CHUNK for _ in range(CHUNKS)), mimetype="text/plain")

    @app.post("/upload")
    def upload() -> str:
        size = 0
        while piece := request.stream.read(65_536):
            size += len(piece)
        return str(size)

    @app.get("/health")
    def health() -> str:
        return "ok"

    return app


def make_send(app: Flask, shape: Shape) -> Send:
    """Return a function that makes one request, consumes the answer and returns its size."""

    def send() -> int:
        environ = make_environ(shape.method, 0)
        environ |= {"PATH_INFO": shape.path, "QUERY_STRING": "", "wsgi.file_wrapper": FileWrapper}
        if shape.body:
            environ |= {"CONTENT_LENGTH": str(len(shape.body)), "CONTENT_TYPE": "application/json"}
            environ["wsgi.input"] = io.BytesIO(shape.body)
        return call(app, environ)

    return send


def measure_us(send: Send, shape: Shape, flush: Callable[[], object]) -> float:
    """Return the CPU time of this thread for one request, in µs."""
    started_ns = time.thread_time_ns()
    for _ in range(shape.repeats):
        assert send() == shape.size, f"{shape.path} was not answered whole"
    took_ns = time.thread_time_ns() - started_ns
    flush()
    return took_ns / shape.repeats / 1000


def measure_peak(send: Send) -> int:
    """Return how much memory one request takes at its peak, in bytes."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        send()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def count_own_bytes(app: Flask, path: str) -> int:
    """Return how many bytes that our code allocated are alive while the view of `path` runs."""
    seen: list[int] = []
    endpoint = app.url_map.bind("").match(path)[0]
    view = app.view_functions[endpoint]

    def look_and_answer() -> Any:
        if tracemalloc.is_tracing():  # else it is the request that warms up
            snapshot = tracemalloc.take_snapshot()
            own = snapshot.filter_traces([tracemalloc.Filter(True, OWN_FILES)])
            seen.append(sum(trace.size for trace in own.traces))
        return view()

    app.view_functions[endpoint] = look_and_answer
    shape = next(shape for shape in SHAPES if shape.path == path)
    send = make_send(app, shape)
    send()
    tracemalloc.start()
    try:
        send()
    finally:
        tracemalloc.stop()
        app.view_functions[endpoint] = view
    return seen[-1]


class Measured(NamedTuple):
    """One shape, over all rounds; medians."""

    shape: Shape
    bare_us: float
    ours_us: float
    extra_bytes: int
    """Of memory at the peak; of the excluded path, what our code holds while the view runs."""

    @property
    def ratio(self) -> float:
        """Of tracked to bare."""
        return self.ours_us / self.bare_us

    @property
    def added_us(self) -> float:
        """Per unit of the shape."""
        return (self.ours_us - self.bare_us) / self.shape.units

    def misses(self) -> Iterator[str]:
        """Say which targets are missed."""
        target = self.shape.target
        for name, limit, value in (
            ("added µs", target.added_us, self.added_us),
            ("extra bytes", target.extra_bytes, self.extra_bytes),
        ):
            if limit is not None and value > limit:
                yield f"{self.shape.name}: {name} {value:.2f} is past {limit:.2f}"


def measure(
    shape: Shape, bare: Flask, ours: Flask, flush: Callable[[], object], rounds: int
) -> Measured:
    """Measure one shape, bare and tracked by turns."""
    send_bare, send_ours = make_send(bare, shape), make_send(ours, shape)
    bare_us, ours_us = [], []
    for number in range(rounds + 1):
        times = measure_us(send_bare, shape, lambda: None), measure_us(send_ours, shape, flush)
        if number:  # the first one warms up
            bare_us.append(times[0])
            ours_us.append(times[1])
    if shape.target.extra_bytes == 0:
        extra_bytes = count_own_bytes(ours, shape.path)
    else:
        extra_bytes = measure_peak(send_ours) - measure_peak(send_bare)
    return Measured(shape, statistics.median(bare_us), statistics.median(ours_us), extra_bytes)


def format_row(measured: Measured) -> str:
    """Return a line of the table."""
    shape, target = measured.shape, measured.shape.target
    limits = [
        f"{target.added_us:g} µs" if target.added_us is not None else "",
        f"{target.extra_bytes:,} bytes" if target.extra_bytes is not None else "",
    ]
    verdict = "MISSED" if list(measured.misses()) else "met"
    return (
        f"{shape.name:44}{measured.bare_us:10.1f}{measured.ours_us:10.1f}{measured.ratio:8.2f}"
        f"{measured.added_us:10.2f}{measured.extra_bytes:12,}   "
        f"{', '.join(limit for limit in limits if limit)}: {verdict}"
    )


def compare(rounds: int) -> int:
    """Measure every shape, print the table, and return how many targets are missed."""
    with running_mongodb() as mongodb, new_database(mongodb) as (uri, _):
        with tempfile.TemporaryDirectory(prefix="flask-tracking-") as folder:
            bare, ours = make_app(Path(folder)), make_app(Path(folder))
            ours.config |= {"TRACKING_MONGODB_URI": uri, "TRACKING_EXCLUDE": ["/health"]}
            tracking = Tracking(ours)
            print(f"{'CPU of the request thread, µs; medians':44}", end="")
            print(f"{'bare':>10}{'ours':>10}{'ratio':>8}{'added':>10}{'extra bytes':>12}   at most")
            missed: list[str] = []
            for shape in SHAPES:
                measured = measure(shape, bare, ours, lambda: tracking.flush(60), rounds)
                print(format_row(measured), flush=True)
                missed += measured.misses()
            tracking.close(5)
    for miss in missed:
        print(miss)
    return len(missed)


def main() -> int:
    """Read the options and do what they say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    options = parser.parse_args()
    missed = compare(options.rounds)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
