"""`Tracking`: set-up, many apps, and letting go of them."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
import textwrap
import threading
import types
import weakref
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from flask import Blueprint, Flask, Response, current_app
from werkzeug.test import Client

from flask_tracking import (
    ConfigError,
    Exporter,
    ExportError,
    MemoryExporter,
    Record,
    Settings,
    Tracking,
    TrackingError,
    cli,
    current_span,
)
from flask_tracking.capture.middleware import TrackingMiddleware
from flask_tracking.config.overridden import overridden
from flask_tracking.pipeline.counters import Counters
from flask_tracking.pipeline.spooling import SpoolWriter
from flask_tracking.redaction import redactor
from flask_tracking.redaction.detection.detector import Detector
from flask_tracking.spool import open_spool

from .captures import make_record

ROOT = Path(__file__).parents[1]


class Closing(MemoryExporter):
    """Notes that it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = threading.Event()

    def close(self, timeout_s: float = 2.0) -> None:
        self.closed.set()


def make_app(**config: Any) -> Flask:
    app = Flask("shop")
    app.config.update(config)
    app.add_url_rule("/", "index", lambda: current_app.name)
    return app


def test_init_app_later(memory: MemoryExporter) -> None:
    """One object serves many apps, each with settings of its own."""
    tracking = Tracking(exporter=memory)
    first = make_app(TRACKING_WORKER="sync")
    second = make_app(TRACKING_WORKER="sync", TRACKING_EXCLUDE=["/"])
    tracking.init_app(first)
    tracking.init_app(second)
    for app in (first, second):
        assert app.test_client().get("/").text == "shop"
    assert len(memory.records) == 1


def test_twice_is_an_error(app: Flask, tracking: Tracking) -> None:
    """An app that is tracked already is said to be."""
    with pytest.raises(ConfigError, match="^The app 'shop' is tracked already"):
        Tracking(app)


@pytest.mark.parametrize("is_command", [True, False])
@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("TRACKING_MAX_BODY_LENGTH", "64k"),
        ("TRACKING_REDACT_OFF", ["kard"]),
        ("TRACKING_REDACT_PATTERNS", {"badge": "(a+)+"}),
        ("TRACKING_REDACT_LITERALS", ["dev"]),
        ("TRACKING_REDACT_ACTIONS", {"kard": "tail"}),
    ],
)
def test_wrong_setting_changes_nothing(
    memory: MemoryExporter,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    value: Any,
    enabled: bool,
    is_command: bool,
) -> None:
    """A wrong setting is an error in init_app, also of a command, and leaves the app as it was."""
    monkeypatch.setattr(cli, "is_command_running", lambda: is_command)
    app = make_app(TRACKING_ENABLED=enabled, **{key: value})
    with pytest.raises(ConfigError, match=f"^{key}"):
        Tracking(app, exporter=memory)
    assert "tracking" not in app.extensions
    assert not isinstance(app.wsgi_app, TrackingMiddleware)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"exporter": MemoryExporter}, "got the class MemoryExporter, expected an Exporter"),
        ({"exporter": "mongodb://127.0.0.1"}, "got str, expected an Exporter"),
        ({"user_repr": "name"}, "got str, expected a function"),
        ({"user_loader": 17}, "got int, expected a function"),
        ({"redact": True}, "got bool, expected a function"),
        ({"on_record": [print]}, "got list, expected a function"),
        ({"redact": lambda a: a}, r"that can be called as redact\(path, value, rule\)"),
        ({"user_loader": lambda a: a}, r"that can be called as user_loader\(\)"),
    ],
)
def test_wrong_argument(arguments: Any, message: str) -> None:
    """What cannot be called, and what is no exporter, is an error at once and not in the log later."""
    app = make_app()
    with pytest.raises(ConfigError, match=message):
        Tracking(app, **arguments)
    assert "tracking" not in app.extensions


class ConnexionMiddleware:
    """Calls the WSGI app that it was made with, like Connexion's WSGIMiddleware."""

    def __init__(self, app: Any) -> None:
        self.app = app


class ConnexionApp:
    """Of the shape of Connexion 3's FlaskApp."""

    def __init__(self, import_name: str) -> None:
        self.app = make_app()
        self._asgi_app = ConnexionMiddleware(self.app.wsgi_app)

    def add_wsgi_middleware(self, middleware: Any, **options: Any) -> None:
        self._asgi_app.app = middleware(self._asgi_app.app, **options)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self._asgi_app.app(environ, start_response)


class DashApp:
    """Of the shape of Dash."""

    def __init__(self, name: str) -> None:
        self.server = make_app()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (ConnexionApp("x"), r"ConnexionApp, .* in its attribute: Tracking\(x\.app\)\."),
        (DashApp("x"), r"DashApp, .* in its attribute: Tracking\(x\.server\)\."),
        (None, "NoneType, expected a Flask app.$"),
        (Flask, "the class Flask, expected a Flask app, like the one that an app factory returns"),
        (make_app, r"function, .* app factory returns: Tracking\(create_app\(\)\)\.$"),
        (Blueprint("admin", __name__), "Blueprint, expected a Flask app.$"),
        (make_app().wsgi_app, "method, expected a Flask app, like"),
        (current_app, "LocalProxy, expected a Flask app, and no app context is active here"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_app(given: Any, message: str) -> None:
    """What is not an app is an error that says where the app is."""
    with pytest.raises(ConfigError, match=rf"^Invalid Tracking\(app=\.\.\.\): got {message}"):
        Tracking().init_app(given)
    if given is not None:
        with pytest.raises(ConfigError, match=message):
            Tracking(given)


def test_proxy_stands_for_its_app(memory: MemoryExporter) -> None:
    """current_app is the app, where there is one."""
    app = make_app(TRACKING_WORKER="sync")
    with app.app_context():
        Tracking(current_app, exporter=memory)
    assert app.test_client().get("/").text == "shop"
    assert [record.endpoint for record in memory.records] == ["index"]


@pytest.mark.parametrize("name", ["connexion_app", "dash_app"])
def test_what_the_install_page_says(memory: MemoryExporter, name: str) -> None:
    """The lines for Connexion and Dash make their requests recorded."""
    page = (ROOT / "docs" / "install.md").read_text()
    (lines,) = re.findall(
        rf"^  ```.*\n((?:  .*\n)*?  {name} = (?:  .*\n|.*\n)*?)  ```$", page, re.MULTILINE
    )
    names: dict[str, Any] = {
        "Tracking": functools.partial(Tracking, exporter=memory),
        "connexion": types.SimpleNamespace(FlaskApp=ConnexionApp),
        "dash": types.SimpleNamespace(Dash=DashApp),
        "__name__": "shop",
    }
    exec(textwrap.dedent(lines), names)  # noqa: S102 - the page's own lines
    served = names[name] if name == "connexion_app" else names[name].server
    assert Client(served).get("/").text == "shop"
    assert names["tracking"].flush(20)
    assert [record.endpoint for record in memory.records] == ["index"]
    names["tracking"].close(20)


@pytest.mark.integration
def test_app_of_before_opentelemetry(tmp_path: Path) -> None:
    """An app of the class that OpenTelemetry has replaced since is an app."""
    program = (
        "import flask; before = flask.Flask\n"
        "from opentelemetry.instrumentation.flask import FlaskInstrumentor\n"
        "FlaskInstrumentor().instrument()\n"
        "from flask_tracking import MemoryExporter, Tracking\n"
        "assert flask.Flask is not before\n"
        "for app in (before('before'), flask.Flask('after')):\n"
        "    Tracking(app, exporter=MemoryExporter())\n"
        "    print(app.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["before", "after"]


def test_disabled(memory: MemoryExporter) -> None:
    """TRACKING_ENABLED = False keeps the commands and the no-op span, and nothing else."""
    app = make_app(TRACKING_ENABLED=False)
    tracking = Tracking(app, exporter=memory)

    @app.get("/span")
    def span() -> str:
        tracking.span.set("a", 1)
        return str(tracking.span.is_recording)

    assert app.test_client().get("/span").text == "False"
    assert not isinstance(app.wsgi_app, TrackingMiddleware)
    assert "tracking" in app.cli.commands
    assert memory.records == []
    assert tracking.flush(0) and tracking.close(0)
    with pytest.raises(TrackingError, match="TRACKING_ENABLED = False"):
        tracking.stats  # noqa: B018 - asking for it is what raises


def test_background_worker_is_the_default(memory: MemoryExporter) -> None:
    """Records are stored by a thread; flush waits for it, close ends it."""
    app = make_app()
    tracking = Tracking(app, exporter=memory)
    assert app.test_client().get("/").text == "shop"
    assert tracking.flush(20)
    assert len(memory.records) == 1
    assert tracking.stats.exported == 1
    assert tracking.close(20)
    app.test_client().get("/")
    assert tracking.stats.dropped == {"closed": 1}


def test_stats_of_many_apps(memory: MemoryExporter) -> None:
    """The current app's stats are meant, else those of the only app."""
    tracking = Tracking(exporter=memory)
    with pytest.raises(TrackingError, match="No app is tracked by this object"):
        tracking.stats  # noqa: B018 - asking for it is what raises
    first, second = make_app(TRACKING_WORKER="sync"), make_app(TRACKING_WORKER="sync")
    tracking.init_app(first)
    first.test_client().get("/")
    assert tracking.stats.received == 1
    tracking.init_app(second)
    with second.app_context():
        assert tracking.stats.received == 0
    with pytest.raises(TrackingError, match="2 apps are tracked by this object"):
        tracking.stats  # noqa: B018 - asking for it is what raises


def test_span_is_the_current_one(app: Flask, tracking: Tracking) -> None:
    """tracking.span is current_span()."""
    assert tracking.span is current_span()


@pytest.mark.parametrize(
    "config", [{}, {"TRACKING_WORKER": "sync"}, {"TRACKING_ENABLED": False}], ids=str
)
def test_app_that_is_gone_is_let_go(config: Any, collect: Callable[[], None]) -> None:
    """When the app is collected its thread ends and its exporter is closed."""
    exporter = Closing()
    app = make_app(**config)
    Tracking(app, exporter=exporter)
    app.test_client().get("/")
    gone = weakref.ref(app)
    del app
    collect()
    assert gone() is None
    assert exporter.closed.wait(20)


def test_collecting_changes_no_context(collect: Callable[[], None]) -> None:
    """What a collection ends is ended in a context of its own: it may run in the middle of another."""
    touched: ContextVar[str] = ContextVar("touched", default="untouched")
    calls: list[str] = []

    class Touching(MemoryExporter):
        def _store(self, records: Sequence[Record]) -> int:
            calls.append("store")
            touched.set("by the store")
            return super()._store(records)

        def close(self, timeout_s: float = 2.0) -> None:
            calls.append("close")
            touched.set("by its end")

    app = make_app(TRACKING_WORKER="sync")
    app.add_url_rule("/stream", view_func=lambda: Response(iter([b"a", b"b"])), endpoint="stream")
    Tracking(app, exporter=Touching())
    response = app.test_client().get("/stream", buffered=False)
    del app, response
    collect()
    assert calls == ["store", "close"]
    assert touched.get() == "untouched"


def test_nothing_is_said_by_a_default_install(recwarn: pytest.WarningsRecorder) -> None:
    """A default install warns of nothing and opens no connection before the first request."""
    app = make_app()
    Tracking(app)
    assert len(recwarn) == 0
    assert app.extensions["tracking"].worker._thread is None


APP = """
import os, sys
from flask import Flask
from flask_tracking import MemoryExporter, Tracking

memory = MemoryExporter()
app = Flask("shop")
app.config["TRACKING_WORKER"] = os.environ["WORKER"]
app.add_url_rule("/", "index", lambda: "password=hunter2")
tracking = Tracking(app, exporter=memory)

@app.cli.command()
def idle():
    print(*sys.modules)

@app.cli.command()
def ask():
    print(app.test_client().get("/").text)
    assert tracking.flush(20)
    print(memory.records[0].response_body.decode())
"""
each_worker = pytest.mark.parametrize("worker", ["batch", "sync"])


def run_app(directory: Path, worker: str, *arguments: str) -> str:
    """Run Python where `APP` is a module, and return what it prints."""
    (directory / "app.py").write_text(APP)
    env = {**os.environ, "WORKER": worker, "PYTHONPATH": f"{directory}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, *arguments], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.integration
@each_worker
def test_command_does_without_redaction(tmp_path: Path, worker: str) -> None:
    """An app that is made for a command imports and compiles nothing of redaction."""
    loaded = run_app(tmp_path, worker, "-m", "flask", "idle").split()

    assert "flask_tracking.pipeline.worker" in loaded
    assert not [name for name in loaded if name.startswith("flask_tracking.redaction")]
    assert {"flask_tracking.pipeline.assemble", "ua_parser", "re2"}.isdisjoint(loaded)


@pytest.mark.integration
@each_worker
def test_command_that_sends_requests_is_recorded(tmp_path: Path, worker: str) -> None:
    """Where a command uses the app after all, its requests are recorded as any other."""
    printed = run_app(tmp_path, worker, "-m", "flask", "ask")

    assert printed.split() == ["password=hunter2", "password=[redacted]"]


@each_worker
@pytest.mark.parametrize("is_redacted", [True, False])
def test_app_that_serves_is_prepared(memory: MemoryExporter, worker: str, is_redacted: bool) -> None:
    """Patterns are compiled before the first request, once, and not where nothing is redacted."""
    redactor._compile.cache_clear()  # as for the first app of a process
    with mock.patch.object(redactor, "Detector", wraps=Detector) as compiled:
        app = make_app(TRACKING_WORKER=worker, TRACKING_REDACT=is_redacted)
        tracking = Tracking(app, exporter=memory)
        assert compiled.call_count == is_redacted

        app.secret_key = "Zq8wLr3nVt5yXc7k"
        assert app.test_client().get("/?a=Zq8wLr3nVt5yXc7k").text == "shop"
        assert tracking.flush(20)

    assert compiled.call_count == is_redacted
    expected = "a=[redacted]" if is_redacted else "a=Zq8wLr3nVt5yXc7k"
    assert [record.query_params for record in memory.records] == [expected]


def test_memory_takes_nothing_from_the_spool(
    app: Flask, memory: MemoryExporter, tmp_path: Path
) -> None:
    """Tests of an app with a spool leave alone what waits there for the database."""
    app.config["TRACKING_SPOOL_DIR"] = tmp_path
    settings = Settings.from_mapping(app.config)
    spool = open_spool(settings, app.name)
    assert spool is not None
    assert SpoolWriter(spool, Counters()).write([make_record()]) == []
    app.add_url_rule("/", "index", lambda: "hello")
    with overridden(exporter=memory):
        Tracking(app)
    assert app.test_client().get("/").text == "hello"
    assert (len(memory.records), len(spool.waiting())) == (1, 1)


def test_spool_of_the_app(app: Flask, tmp_path: Path) -> None:
    """Records that the exporter of the app does not take wait in the directory of its settings."""

    class Away(Exporter):
        def _store(self, records: Sequence[Record]) -> int:
            raise ExportError("away")

    app.config["TRACKING_SPOOL_DIR"] = tmp_path
    app.add_url_rule("/", "index", lambda: "hello")
    tracking = Tracking(app, exporter=Away())
    assert app.test_client().get("/").text == "hello"
    assert (tracking.stats.spooled, [path.name for path in tmp_path.iterdir()]) == (
        1,
        ["shop.tracking"],
    )
