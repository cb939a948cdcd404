"""How long the end of a process takes while the database hangs: ``python tests/benchmarks/exits.py``.

Each process has a record in its queue, and its worker somewhere on the way to a database that takes
connections and never answers. Fresh interpreters are started, and many more are forked off a warm one;
all end as an interpreter does. The exit status is 1 when one of them took longer than the limit,
failed, or said more than that a record is lost.
"""

from __future__ import annotations

import argparse
import atexit
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for those who run this file by its path

_outputs: list[int] = []
"""In a child: where it tells the time."""


def _tell_time() -> None:
    for output in _outputs:
        os.write(output, b"%d " % time.perf_counter_ns())


# The first that is registered is called last: when ours, and PyMongo's after it, are through.
atexit.register(_tell_time)

from flask import Flask  # noqa: E402

from flask_tracking import Tracking  # noqa: E402
from tests.conformance.hanging import hanging_database  # noqa: E402

SHUTDOWN_TIMEOUT_S = 0.2
LEAST_DELAY_S = 0.03
"""The processes end this much later each, so that the worker is met in different places."""
DELAYS = 5
TROUBLE = (b"Traceback", b"Fatal", b"ignored in", b"Warning")


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of one process."""

    took_s: float
    """From the end of the script until the process is gone."""
    handlers_s: float
    """From there until all exit handlers are through; what is left is the interpreter's own."""
    status: int
    said: bytes

    @property
    def is_clean(self) -> bool:
        """Tell whether it ended well and without a complaint."""
        return self.status == 0 and not any(trouble in self.said for trouble in TROUBLE)


@dataclass(slots=True)
class _Child:
    number: int
    reader: int
    stderr: int
    wait: Callable[[], int]


def make_app(uri: str) -> Flask:
    """Make the app whose database hangs."""
    app = Flask("exits")
    app.config.update(
        TRACKING_MONGODB_URI=uri,
        TRACKING_SHUTDOWN_TIMEOUT_S=SHUTDOWN_TIMEOUT_S,
        TRACKING_FLUSH_INTERVAL_S=0.01,
    )
    Tracking(app)
    app.add_url_rule("/", "view", lambda: "ok")
    return app


def serve_and_end(app: Flask, number: int, output: int) -> None:
    """Answer a request, wait a little, tell the time, and end as any script ends."""
    assert app.test_client().get("/").text == "ok"
    time.sleep(number % DELAYS * LEAST_DELAY_S)
    _outputs.append(output)
    _tell_time()
    sys.exit()


def start_fresh(uri: str) -> Callable[[int], _Child]:
    """Return what starts the child of a number as an interpreter of its own."""

    def start(number: int) -> _Child:
        reader, writer = os.pipe()
        stderr = _scratch_file()
        command = [sys.executable, "-W", "error", __file__]
        process = subprocess.Popen(
            [*command, "--child", str(number), uri, str(writer)], stderr=stderr, pass_fds=[writer]
        )
        os.close(writer)
        return _Child(number, reader, stderr, process.wait)

    return start


def start_forked(uri: str) -> Callable[[int], _Child]:
    """Return what forks the child of a number off this process."""
    app = make_app(uri)

    def start(number: int) -> _Child:
        reader, writer = os.pipe()
        stderr = _scratch_file()
        pid = os.fork()
        if pid == 0:
            os.dup2(stderr, 2)
            serve_and_end(app, number, writer)
        os.close(writer)
        return _Child(number, reader, stderr, lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    return start


def _scratch_file() -> int:
    handle, name = tempfile.mkstemp()
    os.unlink(name)
    return handle


def run(start: Callable[[int], _Child], count: int, parallel: int) -> Iterator[Exit]:
    """Run `count` children, `parallel` at a time; the pipe of a child closes when it is gone."""
    selector = selectors.DefaultSelector()
    told: dict[int, bytes] = {}
    number = 0
    while number < count or selector.get_map():
        while number < count and len(selector.get_map()) < parallel:
            child = start(number)
            selector.register(child.reader, selectors.EVENT_READ, child)
            told[number] = b""
            number += 1
        for key, _ in selector.select():
            data = os.read(key.fd, 100)
            ended_ns = time.perf_counter_ns()
            if data:
                told[key.data.number] += data
                continue
            selector.unregister(key.fd)
            yield _finish(key.data, told.pop(key.data.number), ended_ns)


def _finish(child: _Child, told: bytes, ended_ns: int) -> Exit:
    os.close(child.reader)
    status = child.wait()
    times = [int(time_ns) for time_ns in told.split()]
    began_ns, handled_ns = times if len(times) == 2 else (0, 0)  # else it has failed before
    with os.fdopen(child.stderr, "rb") as stderr:
        stderr.seek(0)
        return Exit((ended_ns - began_ns) / 1e9, (handled_ns - began_ns) / 1e9, status, stderr.read())


def report(kind: str, exits: list[Exit], limit_ms: float) -> bool:
    """Print one row; return whether all is well."""
    beyond_ms = _beyond_ms([one.took_s for one in exits])
    late = sum(ms > limit_ms for ms in beyond_ms)
    unclean = [one for one in exits if not one.is_clean]
    is_well = not late and not unclean
    print(
        f"{kind:8}{len(exits):6}   {_quantiles(_beyond_ms([one.handlers_s for one in exits]))}   "
        f"{_quantiles(beyond_ms)}{late:7}{len(unclean):9}   {'met' if is_well else 'MISSED'}",
        flush=True,
    )
    for one in unclean[:3]:
        print(f"status {one.status}: {one.said.decode(errors='replace')}", file=sys.stderr)
    return is_well


def _beyond_ms(durations_s: list[float]) -> list[float]:
    return sorted((duration_s - SHUTDOWN_TIMEOUT_S) * 1000 for duration_s in durations_s)


def _quantiles(values: list[float]) -> str:
    median, p99 = values[len(values) // 2], values[int(len(values) * 0.99)]
    return f"{median:7.0f}{p99:7.0f}{values[-1]:7.0f}"


def main() -> int:
    """Run both kinds, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", type=int, default=100)
    parser.add_argument("--forked", type=int, default=1000)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--limit-ms", type=float, default=200.0)
    options = parser.parse_args()
    print(f"end of a process, ms beyond TRACKING_SHUTDOWN_TIMEOUT_S = {SHUTDOWN_TIMEOUT_S:g}")
    columns = f"{'median':>7}{'p99':>7}{'max':>7}"
    print(f"{'':14}   {'exit handlers':>21}   {'process gone':>21}")
    print(f"{'':8}{'runs':>6}   {columns}   {columns}{'late':>7}{'unclean':>9}", flush=True)
    are_well = []
    with hanging_database() as uri:
        for kind, start, count in (
            ("fresh", start_fresh, options.fresh),
            ("forked", start_forked, options.forked),
        ):
            if count:
                exits = list(run(start(uri), count, options.parallel))
                are_well.append(report(kind, exits, options.limit_ms))
    return 0 if all(are_well) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        serve_and_end(make_app(sys.argv[3]), int(sys.argv[2]), int(sys.argv[4]))
    sys.exit(main())
