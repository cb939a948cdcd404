"""Forks and the end of processes, while the database hangs: no child waits, no record is sent twice."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from ..e2e.clients import send_echoes
from ..servers import gunicorn
from .hanging import hanging_database

pytestmark = [pytest.mark.integration, pytest.mark.repeats]

ROOT = Path(__file__).parent.parent.parent
TIMEOUT_S = 60.0
"""Only a failing test waits so long."""

PRELUDE = """
    import os, sys, threading, time
    from flask import Flask
    from flask_tracking import MemoryExporter, Tracking

    def make_app(exporter=None, **settings):
        app = Flask("processes")
        app.config.update({"TRACKING_FLUSH_INTERVAL_S": 0.01, **settings})
        tracking = Tracking(app, exporter=exporter)
        app.add_url_rule("/<path>", "view", lambda path: path)
        return app, tracking

    def get(app, path="x"):
        assert app.test_client().get("/" + path).text == path

    def in_child(function):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                function()
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


@pytest.fixture(scope="module")
def hanging() -> Iterator[str]:
    """The URI of a database that takes connections and never answers."""
    with hanging_database() as uri:
        yield uri


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, warnings as errors; fails when it does, or complains."""
    code = textwrap.dedent(PRELUDE) + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_fork_while_the_database_hangs(hanging: str) -> None:
    """A child begins with an empty queue and a client of its own, and its requests are answered."""
    run(
        """
        app, tracking = make_app(
            TRACKING_MONGODB_URI=sys.argv[1], TRACKING_SHUTDOWN_TIMEOUT_S=0.1
        )
        for _ in range(100):
            get(app)

        def child():
            stats = tracking.stats
            assert (stats.received, stats.queue_records, stats.dropped) == (0, 0, {}), stats
            worker = app.extensions["tracking"].worker
            left_by_parent = worker._parents
            assert left_by_parent
            get(app)
            assert tracking.stats.received == 1
            assert not tracking.close(0.5)
            assert not left_by_parent  # the worker has freed it
            assert tracking.stats.dropped == {"shutdown": 1}

        for _ in range(5):
            in_child(child)
        assert tracking.stats.received == 100
        """,
        hanging,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_records_of_the_parent_are_its_own() -> None:
    """What waited in the parent at the time of a fork is stored once, by the parent."""
    run(
        """
        class Loud(MemoryExporter):
            def _store(self, records):
                os.write(writer, b"%d:%s\\n" % (os.getpid(), records[0].path.encode()))
                return super()._store(records)

        reader, writer = os.pipe()
        app, tracking = make_app(Loud(), TRACKING_BATCH_RECORDS=1, TRACKING_EXCLUDE=["/skipped"])
        worker = app.extensions["tracking"].worker
        hold = threading.Event()
        load = worker._exporter.open
        worker._exporter.open = lambda: hold.wait(30)  # the worker is busy at the time of the fork
        get(app, "parent")

        def child():
            worker._exporter.open = load
            get(app, "child")
            assert tracking.flush(30)

        in_child(child)
        hold.set()
        assert tracking.flush(30)
        lines = os.read(reader, 1000).decode().split()
        assert sorted(line.partition(":")[2] for line in lines) == ["/child", "/parent"], lines
        assert f"{os.getpid()}:/parent" in lines
        """
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.parametrize(
    "lock",
    [
        "app.extensions['tracking'].worker._lock",
        "app.extensions['tracking'].exporter._lock",
        "app.extensions['tracking'].exporter._connection._lock",
        "__import__('logging').getLogger().handlers[0].lock",
        "__import__('bson').ObjectId._inc_lock",
    ],
)
@pytest.mark.parametrize("worker", ["batch", "sync"])
def test_lock_that_is_taken_at_the_time_of_a_fork(hanging: str, lock: str, worker: str) -> None:
    """Whatever lock another thread holds, the child's requests are answered, and are recorded."""
    is_mongo = "_connection" in lock
    run(
        """
        import logging
        logging.basicConfig()
        exporter = None if sys.argv[3] == "True" else MemoryExporter()
        app, tracking = make_app(
            exporter,
            TRACKING_WORKER=sys.argv[2],
            TRACKING_MONGODB_URI=sys.argv[4],
            TRACKING_EXPORT_TIMEOUT_S=0.1,
            TRACKING_SHUTDOWN_TIMEOUT_S=0,
        )
        if exporter:
            get(app)
            assert tracking.flush(30)
        taken, over = threading.Event(), threading.Event()

        def hold():
            with eval(sys.argv[1]):
                taken.set()
                over.wait(30)

        holder = threading.Thread(target=hold)
        holder.start()
        assert taken.wait(30)

        def child():
            import faulthandler
            faulthandler.dump_traceback_later(20, exit=True)
            logging.getLogger("x").warning("the log goes on")
            get(app, "child")
            tracking.flush(0.5)
            if exporter:
                assert exporter.records[-1].path == "/child"

        in_child(child)
        over.set()
        holder.join()
        """,
        lock,
        worker,
        str(is_mongo),
        hanging,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_exits_while_the_database_hangs() -> None:
    """Processes end well and without a complaint, wherever their worker is at that time."""
    options = ("--fresh", "5", "--forked", "20", "--limit-ms", "60000")
    script = ROOT / "tests" / "benchmarks" / "exits.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", str(script), *options],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S * 2,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("met") == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_children_that_a_view_forks() -> None:
    """However a child leaves the request that it was forked in, only the parent records that."""
    done = run(
        """
        import multiprocessing
        from flask import Response, stream_with_context

        class Loud(MemoryExporter):
            def _store(self, records):
                where = "parent" if os.getpid() == parent else "child"
                for record in records:
                    os.write(1, f"{where} {record.path} {record.status_code}\\n".encode())
                return 0

        def answer(): return None
        def leave(): sys.exit()
        def fail(): raise ValueError
        def end(): os._exit(0)
        def ask(): get(app, "asked-in-child")

        def fork(do):
            pid = os.fork()
            if pid == 0:
                tracking.span.keep("in the child")
                with tracking.span.child("in the child"):
                    do()
            else:
                assert os.waitpid(pid, 0)[1] == 0

        def stay(do): do()

        def spawn(do):
            process = multiprocessing.get_context("fork").Process(target=do)
            process.start()
            process.join()
            assert process.exitcode == 0

        parent = os.getpid()
        app, tracking = make_app(Loud(), TRACKING_WORKER="sync")
        app.logger.disabled = True

        @app.get("/<start>/<do>")
        def fork_and_answer(start, do):
            globals()[start](globals()[do])
            return "answered"

        @app.get("/stream/<start>/<do>")
        def fork_in_stream(start, do):
            def generate():
                yield b"an"
                globals()[start](globals()[do])
                yield b"swered"
            return Response(stream_with_context(generate()))

        def visit(path):
            response = app.test_client().get(path, buffered=True)
            if os.getpid() != parent:
                sys.exit()
            assert response.text == "answered"

        for path in sys.argv[1:]:
            try:
                visit(path)
            except ValueError:  # that of a stream reaches the server
                sys.exit()

        # What was open at the time of the fork is not ended by a child that lets go of it.
        response = app.test_client().get("/stream/stay/answer", buffered=False)
        pid = os.fork()
        if pid == 0:
            del response
            get(app, "asked-later-in-child")
            sys.exit()
        assert os.waitpid(pid, 0)[1] == 0
        assert response.text == "answered"
        """,
        *(
            *("/fork/answer", "/fork/leave", "/fork/fail", "/fork/end", "/fork/ask"),
            *("/spawn/answer", "/spawn/leave", "/spawn/ask"),
            *("/stream/fork/answer", "/stream/fork/leave", "/stream/fork/fail", "/stream/spawn/leave"),
        ),
    )
    asked = done.stdout.splitlines()
    assert sorted(line for line in asked if line.startswith("child")) == [
        *["child /asked-in-child 200"] * 2,
        "child /asked-later-in-child 200",
    ]
    assert [line for line in asked if line.startswith("parent")] == [
        "parent /fork/answer 200",
        "parent /fork/leave 200",
        "parent /fork/fail 200",
        "parent /fork/end 200",
        "parent /fork/ask 200",
        "parent /spawn/answer 200",
        "parent /spawn/leave 200",
        "parent /spawn/ask 200",
        "parent /stream/fork/answer 200",
        "parent /stream/fork/leave 200",
        "parent /stream/fork/fail 200",
        "parent /stream/spawn/leave 200",
        "parent /stream/stay/answer 200",
    ]


def test_exit_with_two_apps(hanging: str) -> None:
    """Two apps wait for their databases at the same time, and PyMongo's threads are not waited for."""
    done = run(
        """
        import atexit
        began = []
        atexit.register(lambda: print(time.monotonic() - began[0]))
        apps = [
            make_app(TRACKING_MONGODB_URI=sys.argv[1], TRACKING_SHUTDOWN_TIMEOUT_S=3)[0]
            for _ in range(2)
        ]
        for app in apps:
            get(app)
        atexit.register(lambda: began.append(time.monotonic()))
        """,
        hanging,
    )
    assert done.stderr.count("Records that were not stored in time and are lost: 1.") == 2
    assert 3 <= float(done.stdout) < 6  # one after the other it were at least 6


@pytest.mark.parametrize("error", ["ValueError", "MemoryError", "SystemExit"])
def test_exit_while_the_exporter_raises(error: str) -> None:
    """What cannot be stored at the end is counted, and the status of the process is its own."""
    done = run(
        f"""
        import logging
        logging.getLogger("flask_tracking").disabled = True
        class Failing(MemoryExporter):
            def _store(self, records):
                raise {error}("no")

        app, tracking = make_app(Failing())
        get(app)
        import atexit
        worker = app.extensions["tracking"].worker
        def tell():
            worker.close(30)
            print(sum(worker.stats.dropped.values()), worker.stats.queue_records)
        atexit.register(tell)
        """
    )
    assert done.stdout.split() == ["1", "0"]


def test_exit_in_the_middle_of_a_batch() -> None:
    """A batch that is being stored when the process ends is stored, and so is what waits behind it."""
    done = run(
        """
        class Slow(MemoryExporter):
            def _store(self, records):
                begun.set()
                assert may_go_on.wait(30)
                os.write(1, b"%d " % len(records))
                return 0

        begun, may_go_on = threading.Event(), threading.Event()
        app, tracking = make_app(Slow(), TRACKING_SHUTDOWN_TIMEOUT_S=30, TRACKING_BATCH_RECORDS=2)
        for _ in range(5):
            get(app)
        assert begun.wait(30)
        import atexit
        atexit.register(may_go_on.set)
        """
    )
    assert sum(map(int, done.stdout.split())) == 5


def test_exit_with_the_app_in_another_thread() -> None:
    """The last request of a thread that outlives the main thread is stored, too."""
    done = run(
        """
        class Loud(MemoryExporter):
            def _store(self, records):
                os.write(1, b"%d " % len(records))
                return 0

        app, tracking = make_app(Loud(), TRACKING_FLUSH_INTERVAL_S=3600)

        def serve():
            threading.main_thread().join()
            get(app)

        threading.Thread(target=serve).start()
        """
    )
    assert done.stdout.split() == ["1"]


@pytest.mark.parametrize("preload", [(), ("--preload",)])
def test_gunicorn_is_terminated(
    mongodb: str, database: Database[Any], preload: tuple[str, ...]
) -> None:
    """At SIGTERM gunicorn's workers store what is queued, each record once."""
    env = {
        "TEST_MONGODB_URI": f"{mongodb}{database.name}",
        # Nothing is sent before the end.
        "FLASK_TRACKING_FLUSH_INTERVAL_S": "3600",
    }
    options = ("--workers", "2", "-k", "gthread", *preload)
    with gunicorn("tests.e2e.app:app", *options, env=env, python=("-W", "error")) as url:
        load = send_echoes(url, clients=4, count=100)
        assert load.wrong == []
    paths = Counter(document["path"] for document in database["tracking"].find({}, {"path": True}))
    assert paths == Counter(f"/echo/{number}" for number in load.sent)
