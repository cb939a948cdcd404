"""Instructions per request, by stage: ``python -m tests.benchmarks.instructions``.

Times on a shared machine are too noisy to steer by; instructions are the same in every run. Valgrind
counts them, where it is installed: one process is set up and warmed up, then forks a child for each
stage, which repeats it. What a child counts beyond one that does nothing is the cost of the stage.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unittest import mock

import bson
from flask import Flask

from flask_tracking import Exporter, Record, Tracking, storable
from flask_tracking.exporters.mongo import codec
from flask_tracking.pipeline.batch import BatchWorker
from tests.benchmarks.redaction import CASES
from tests.benchmarks.subject import make_app
from tests.benchmarks.traffic import Client

REPEATED = 256
CHUNK = 32
"""So many records are looked at for secrets as one."""
SETS = (10, 30)
PATTERNS = 50

Repeat = Callable[[int], object]


class Taking(Exporter):
    """A store that takes everything."""

    def _store(self, records: Sequence[Record]) -> int:
        return 0


def make_setting_app(count: int) -> Flask:
    """Make an app that sets `count` values on the span of each request."""
    app = make_app()

    @app.before_request
    def annotate() -> None:
        span = app.extensions["tracking.test"].span
        for number in range(count):
            span.set(f"key_{number}", number)

    return app


def track(app: Flask, **config: Any) -> BatchWorker:
    """Track an app with a worker whose thread never starts."""
    app.config.update(config)
    app.extensions["tracking.test"] = Tracking(app, exporter=Taking())
    worker = app.extensions["tracking"].worker
    assert isinstance(worker, BatchWorker)
    worker.prepare()
    return worker


def send(app: Flask, case: str) -> Repeat:
    """Return what sends a number of requests."""
    client, body = Client(app), CASES[case]
    kind = "POST" if body else "GET"
    return lambda count: [client.send(kind, body) for _ in range(count)]


def stages_of_app(app: Flask, worker: BatchWorker, case: str) -> dict[str, Repeat]:
    """Return the stages of a tracked app, each of which repeats its part of the way."""
    request = send(app, case)
    request(REPEATED)
    captures = worker._queue.take(REPEATED)
    processor = worker._processor
    judged = worker._judge_all(captures)
    records = [processor._make_record(one) for one in judged]
    redactor = processor._get_redactor()
    redacted = redactor.redact(records)
    stored = records[0].date_created

    def redact(count: int) -> None:
        for start in range(0, count, CHUNK):
            redactor.redact(records[start : start + CHUNK])

    def encode(record: Record) -> bytes:
        return bson.encode(codec.to_document(record, stored), codec_options=storable.CODEC)

    return {
        "request thread": request,
        "judge": lambda count: worker._judge_all(captures[:count]),
        "assemble": lambda count: [processor._make_record(one) for one in judged[:count]],
        "redact": redact,
        "redact, switched off": lambda count: [redactor._strip(one) for one in records[:count]],
        "document and BSON": lambda count: [encode(record) for record in redacted[:count]],
    }


def make_stages() -> dict[str, Repeat]:
    """Return all that is measured, by name."""
    stages: dict[str, Repeat] = {"nothing": lambda count: None}
    for case in CASES:
        stages[f"{case}: bare"] = send(make_app(), case)
        app = make_app()
        for name, repeat in stages_of_app(app, track(app), case).items():
            stages[f"{case}: {name}"] = repeat
    for count in SETS:
        app = make_setting_app(count)
        for name, repeat in stages_of_app(app, track(app), "GET").items():
            stages[f"with {count} span.set: {name}"] = repeat
    app = make_app()
    patterns = [f"^/static-{number}/" for number in range(PATTERNS)]
    repeat = stages_of_app(app, track(app, TRACKING_EXCLUDE=patterns), "GET")["request thread"]
    stages["with patterns: request thread"] = repeat
    return stages


def run_stages() -> None:
    """Run each stage in a child of its own, and say which child that was."""
    with mock.patch.object(BatchWorker, "_start", lambda self: None):
        stages = make_stages()
        for repeat in stages.values():
            repeat(CHUNK)
        gc.collect()
        gc.disable()
        for name, repeat in stages.items():
            child = os.fork()
            if child == 0:
                repeat(REPEATED)
                os._exit(0)
            os.waitpid(child, 0)
            print(f"stage {child} {name}", flush=True)


def count_instructions() -> dict[str, float]:
    """Return the instructions of each stage, for one request."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    command += [sys.executable, "-m", "tests.benchmarks.instructions", "--run"]
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=True)
    children = dict(re.findall(r"^stage (\d+) (.*)$", done.stdout, re.MULTILINE))
    counts = re.findall(r"^==(\d+)== I +refs: +([\d,]+)$", done.stderr, re.MULTILINE)
    totals = {children[pid]: int(count.replace(",", "")) for pid, count in counts if pid in children}
    nothing = totals.pop("nothing")
    return {name: (total - nothing) / REPEATED for name, total in totals.items()}


def show(found: dict[str, float]) -> None:
    """Print thousands of instructions, as differences where a stage is one."""
    print(f"{'thousands of instructions per request':44}" + "".join(f"{case:>17}" for case in CASES))
    bare = {case: found[f"{case}: bare"] for case in CASES}
    for name in ("bare", "request thread", "judge", "assemble", "redact", "document and BSON"):
        values = {case: found[f"{case}: {name}"] for case in CASES}
        if name == "request thread":
            name, values = f"{name}, beyond bare", {case: values[case] - bare[case] for case in CASES}
        _print_row(name, {case: value / 1000 for case, value in values.items()})
        if name == "redact":
            off = {case: found[f"{case}: redact, switched off"] for case in CASES}
            added = {case: (values[case] - off[case]) / bare[case] for case in CASES}
            _print_row("  what TRACKING_REDACT adds, of bare", added, digits=2)
    parts = ("request thread", "assemble", "redact", "document and BSON")
    few, many = SETS
    set_costs = {
        name: (found[f"with {many} span.set: {name}"] - found[f"with {few} span.set: {name}"])
        / (many - few)
        for name in parts
    }
    print(f"  {'one span.set, all stages':42}{sum(set_costs.values()) / 1000:8.1f}")
    for name, value in set_costs.items():
        print(f"    {name:40}{value / 1000:8.1f}")
    pattern = (found["with patterns: request thread"] - found["GET: request thread"]) / PATTERNS
    print(f"  {f'one of {PATTERNS} patterns of TRACKING_EXCLUDE':42}{pattern / 1000:8.2f}")


def _print_row(name: str, values: Mapping[str, float], digits: int = 1) -> None:
    print(f"  {name:42}" + "".join(f"{value:17.{digits}f}" for value in values.values()))


def main() -> None:
    """Read the options and do what they say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", action="store_true", help="run the stages: what valgrind is given")
    if parser.parse_args().run:
        run_stages()
    elif shutil.which("valgrind") is None:
        sys.exit("valgrind is not installed: instructions cannot be counted.")
    else:
        show(count_instructions())


if __name__ == "__main__":
    main()
