"""Servers that call the app past the middleware are named in the log, once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.wsgi import WsgiToAsgi
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_tracking import MemoryExporter, Tracking

Said = Callable[[], list[str]]
LINE = (
    "Nothing is recorded: the server calls an app.wsgi_app of the app 'shop' that was taken before "
    "Tracking(app) replaced it. Call Tracking(app) first, or give the server the app and not its "
    "wsgi_app."
)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """Return what was said in the log."""
    caplog.set_level(logging.INFO, "flask_tracking")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def app() -> Flask:
    """An app with a view and a health check."""
    app = Flask("shop")
    app.config.update(TRACKING_WORKER="sync", TRACKING_EXCLUDE=["^/assets/"])
    app.config["TRACKING_EXCLUDE_HEALTH_CHECKS"] = True
    app.add_url_rule("/", "index", lambda: "ok")
    app.add_url_rule("/healthz", "health", lambda: "ok")
    app.add_url_rule("/assets/x", "asset", lambda: "ok")
    return app


def test_server_that_took_the_old_wsgi_app(app: Flask, memory: MemoryExporter, said: Said) -> None:
    """A server that took app.wsgi_app too early is answered, and the log says why nothing is stored."""
    server = Client(app.wsgi_app)
    Tracking(app, exporter=memory)
    for _ in range(3):
        assert server.get("/").text == "ok"
    assert memory.records == []
    assert said() == [LINE]


def test_each_app_is_named(memory: MemoryExporter, said: Said) -> None:
    """Two apps whose server calls past the middleware are both named."""
    tracking = Tracking(exporter=memory)
    for name in ("shop", "admin"):
        app = Flask(name)
        app.config["TRACKING_WORKER"] = "sync"
        app.add_url_rule("/", "index", lambda: "ok")
        server = Client(app.wsgi_app)
        tracking.init_app(app)
        assert server.get("/").text == "ok"
    assert said() == [LINE, LINE.replace("'shop'", "'admin'")]


@pytest.mark.parametrize("path", ["/healthz", "/assets/x"])
def test_what_would_not_be_recorded(app: Flask, memory: MemoryExporter, said: Said, path: str) -> None:
    """A health check or an excluded path is no reason to warn; the next request is."""
    server = Client(app.wsgi_app)
    Tracking(app, exporter=memory)
    assert server.get(path).text == "ok"
    assert said() == []
    assert server.get("/").text == "ok"
    assert said() == [LINE]


@pytest.mark.parametrize("path", ["/healthz", "/assets/x", "/"])
def test_no_false_alarm(app: Flask, memory: MemoryExporter, said: Said, path: str) -> None:
    """Requests by the middleware, excluded or not, contexts of tests and nested clients are fine."""
    Tracking(app, exporter=memory)

    @app.get("/nested")
    def nested() -> str:
        with app.test_request_context("/"):
            app.full_dispatch_request()
        return app.test_client().get(path).text

    with app.test_request_context("/"):
        assert app.full_dispatch_request().data == b"ok"
    assert app.test_client().get(path).text == "ok"
    assert app.test_client().get("/nested").text == "ok"
    assert said() == []


def test_context_within_another_app(app: Flask, memory: MemoryExporter, said: Said) -> None:
    """A context that another app's view dispatches by itself is no server of this app."""
    Tracking(app, exporter=memory)
    outer = Flask("outer")

    @outer.get("/")
    def view() -> str:
        with app.test_request_context("/"):
            return app.full_dispatch_request().get_data(as_text=True)

    assert outer.test_client().get("/").text == "ok"
    assert said() == []


def test_mounted_past_the_middleware(app: Flask, memory: MemoryExporter, said: Said) -> None:
    """An app that another tracked app mounts by its old wsgi_app is named, too."""
    outer = Flask("outer")
    outer.config["TRACKING_WORKER"] = "sync"
    mounted = DispatcherMiddleware(outer.wsgi_app, {"/shop": app.wsgi_app})
    outer.wsgi_app = mounted  # type: ignore[method-assign]
    tracking = Tracking(outer, exporter=memory)
    tracking.init_app(app)
    assert outer.test_client().get("/shop/").text == "ok"
    assert len(memory.records) == 1
    assert said() == [LINE]


def test_disabled(app: Flask, memory: MemoryExporter, said: Said) -> None:
    """Where tracking is switched off nothing is amiss."""
    app.config["TRACKING_ENABLED"] = False
    server = Client(app.wsgi_app)
    Tracking(app, exporter=memory)
    assert server.get("/").text == "ok"
    assert said() == []


def ask_asgi(asgi_app: Any) -> bytes:
    """Send a GET to an ASGI app, and return the body of its answer."""
    body = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        body.append(message.get("body", b""))

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [],
        "http_version": "1.1",
        "scheme": "http",
    }
    asyncio.run(asgi_app(scope, receive, send))
    return b"".join(body)


def test_asgi_adapter_around_the_app(app: Flask, memory: MemoryExporter, said: Said) -> None:
    """An ASGI adapter that was given the app is recorded, also when it was made before."""
    adapter = WsgiToAsgi(app)
    Tracking(app, exporter=memory)
    assert ask_asgi(adapter) == b"ok"
    assert [record.path for record in memory.records] == ["/"]
    assert said() == []


def test_asgi_adapter_around_the_old_wsgi_app(app: Flask, memory: MemoryExporter, said: Said) -> None:
    """One that was given app.wsgi_app before is named in the log."""
    adapter = WsgiToAsgi(app.wsgi_app)
    Tracking(app, exporter=memory)
    assert ask_asgi(adapter) == b"ok"
    assert memory.records == []
    assert said() == [LINE]
