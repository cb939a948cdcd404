"""Who may see the dashboard: each cell of the matrix, and every address and method of it."""

from __future__ import annotations

import itertools
import logging
import subprocess
import sys
from http.cookies import SimpleCookie
from importlib.util import find_spec
from typing import Any

import pytest
from flask import Flask, redirect
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_tracking import ConfigError, Exporter, MemoryExporter, Record, Tracking
from flask_tracking.dashboard.security.access import is_own_machine
from flask_tracking.dashboard.views import ROUTES

from ..servers import ROOT
from .conftest import Make

PAGE = "/_tracking/requests"
LOCAL = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:5000"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


def get(app: Flask, path: str = PAGE, **environ: Any) -> int:
    """Return the status of a page."""
    return app.test_client().get(path, environ_overrides=LOCAL | environ).status_code


@pytest.mark.parametrize(
    ("is_debug", "environ", "status"),
    [
        (True, {}, 200),
        (False, {}, 404),
        (True, {"REMOTE_ADDR": "::1"}, 200),
        (True, {"REMOTE_ADDR": "::ffff:127.0.0.1"}, 200),
        (True, {"REMOTE_ADDR": "127.8.8.8"}, 200),
        (True, {"REMOTE_ADDR": "10.0.0.7"}, 404),
        (True, {"REMOTE_ADDR": ""}, 404),
        (True, {"REMOTE_ADDR": "localhost"}, 404),
        (True, {"HTTP_HOST": "127.0.0.1:8000"}, 200),
        (True, {"HTTP_HOST": "[::1]:8000"}, 200),
        (True, {"HTTP_HOST": "evil.example"}, 404),
        (True, {"HTTP_HOST": "localhost.evil.example"}, 404),
        (True, {"HTTP_HOST": "127.0.0.1.evil.example"}, 404),
        (True, {"HTTP_HOST": "evil.example", "HTTP_X_FORWARDED_HOST": "localhost"}, 404),
        (True, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 404),
        (True, {"HTTP_X_FORWARDED_PROTO": "https"}, 404),
        (True, {"HTTP_X_REAL_IP": "127.0.0.1"}, 404),
        (True, {"HTTP_FORWARDED": "for=127.0.0.1"}, 404),
        (True, {"HTTP_VIA": "1.1 proxy"}, 404),
    ],
)
def test_own_machine(make: Make, is_debug: bool, environ: dict[str, str], status: int) -> None:
    """Without a function only a browser on the machine of an app in debug mode sees it."""
    app = make(None)
    app.debug = is_debug
    assert get(app, **environ) == status


def test_proxy_fix_is_looked_through(make: Make) -> None:
    """An address that a header claims is not the peer's."""
    app = make(None)
    app.debug = True
    app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1)  # type: ignore[method-assign]
    claimed = {"HTTP_X_FORWARDED_FOR": "127.0.0.1", "HTTP_X_FORWARDED_HOST": "localhost"}
    assert get(app, REMOTE_ADDR="203.0.113.7", HTTP_HOST="shop.example", **claimed) == 404


def test_odd_environ() -> None:
    """Nothing in the environ makes it raise."""
    for peer, host in itertools.product((None, 7, "fe80::1%eth0", "x"), (None, 7, "[", "[::1", "")):
        assert not is_own_machine({"REMOTE_ADDR": peer, "HTTP_HOST": host})


@pytest.mark.parametrize("answer", [True, 1, "yes"])
def test_function_lets_in(make: Make, answer: object) -> None:
    """With a function that alone decides."""
    assert get(make(lambda: answer), REMOTE_ADDR="203.0.113.7", HTTP_HOST="shop.example") == 200


@pytest.mark.parametrize("answer", [False, None, 0, ""])
def test_function_refuses(make: Make, answer: object) -> None:
    """So it does for the developer's own machine."""
    app = make(lambda: answer)
    app.debug = True
    assert get(app) == 404


def test_function_that_raises(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """An error of it is a refusal, and is logged."""

    def access() -> bool:
        raise RuntimeError(f"hunter{2}")

    with caplog.at_level(logging.WARNING, "flask_tracking"):
        assert get(make(access)) == 404
    assert "asking dashboard_access failed with RuntimeError" in caplog.text
    assert "hunter2" not in caplog.text.split("Traceback")[0]


async def decide(answer: bool) -> bool:
    """Answer as a function of an app with asynchronous views does."""
    return answer


UNDECIDED: dict[str, Any] = {
    "coroutine": lambda: decide(True),
    "response of a login wall": lambda: redirect("/login"),
    "answer of a view": lambda: ("Please log in.", 401),
    "method that is not called": lambda: "staff".isdigit,
    "function that is not called": lambda: redirect,
    "method of a class": lambda: SimpleCookie().output,
    "generator": lambda: (letter for letter in "staff"),
}


@pytest.mark.parametrize("access", UNDECIDED.values(), ids=UNDECIDED)
def test_answer_that_decides_nothing(make: Make, caplog: pytest.LogCaptureFixture, access: Any) -> None:
    """What is true in any case lets nobody in, and is logged."""
    with caplog.at_level(logging.WARNING, "flask_tracking"):
        assert get(make(access)) == 404
    assert "asking dashboard_access failed with TypeError" in caplog.text


@pytest.mark.parametrize(("answer", "status"), [(True, 200), (False, 404)])
def test_asynchronous_function(make: Make, answer: bool, status: int) -> None:
    """It is awaited, as asynchronous views are; where that is impossible, nobody may enter."""

    async def access() -> bool:
        return answer

    status = status if find_spec("asgiref") else 404
    assert get(make(access)) == status


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_refusal_looks_like_nothing(make: Make, route: Any) -> None:
    """What is refused is the app's own 404, with none of our headers, for each address and method."""
    app = make(lambda: False)
    app.register_error_handler(404, lambda _: ("the app's own 404", 404, {"X-App": "1"}))
    path = route.path.replace("<id>", "0" * 24)
    for name in ("<side>", "<language>", "<version>", "<name>", "<cursor>"):
        path = path.replace(name, "request")
    client = app.test_client()
    for method in METHODS:
        refused = client.open(f"/_tracking{path}", method=method)
        unknown = client.open("/nowhere/at/all", method=method)
        assert refused.status_code == unknown.status_code == 404, method
        assert refused.data == unknown.data, method
        assert list(refused.headers) == list(unknown.headers), method


@pytest.mark.parametrize("path", ["/_tracking", "/_tracking?x", "/_tracking//requests", "//_tracking/"])
def test_no_redirect_gives_it_away(make: Make, path: str) -> None:
    """A path that is nearly one of ours is refused alike, whatever the app does about slashes."""
    client = make(lambda: False).test_client()
    assert client.get(path).status_code == client.post(path).status_code == 404


def test_prefix_alone(make: Make) -> None:
    """Without a slash at its end it is the overview, too."""
    response = make().test_client().get("/_tracking")
    assert response.status_code == 200
    assert "<h1" in response.text


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_other_methods(make: Make, route: Any) -> None:
    """Who may see it is told which methods there are."""
    client = make().test_client()
    path = route.path.replace("<id>", "0" * 24)
    for name in ("<side>", "<language>", "<version>", "<name>", "<cursor>"):
        path = path.replace(name, "request")
    for method in set(METHODS) - set(route.methods):
        response = client.open(f"/_tracking{path}", method=method)
        assert (response.status_code, response.headers["Allow"]) == (405, ", ".join(route.methods))


def test_off_by_default(app: Flask, tracking: Tracking) -> None:
    """Without the setting there is nothing."""
    app.debug = True
    assert get(app) == 404
    assert not [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("tracking")]


def test_without_recording(make: Make) -> None:
    """An app that records nothing still shows what is stored."""
    app = make(TRACKING_ENABLED=False)
    assert get(app) == 200


def test_exporter_that_is_no_store(app: Flask) -> None:
    """It is said when the app is set up."""

    class Lines(Exporter):
        def _store(self, records: Any) -> int:
            return 0

    app.config["TRACKING_DASHBOARD"] = True
    with pytest.raises(ConfigError, match="Lines is not a store"):
        Tracking(app, exporter=Lines())


def test_not_recorded(make: Make, memory: MemoryExporter) -> None:
    """Neither our pages nor refused requests to them are records; a path that only begins alike is."""
    client = make().test_client()
    for path in ("/_tracking/", PAGE, "/_tracking/nowhere", "/_trackings"):
        client.get(path)
    records: list[Record] = list(memory.records)
    assert [record.path for record in records] == ["/_trackings"]


UNSEEN = """
import sys
from flask import Flask, redirect
from flask_tracking import MemoryExporter, Tracking

app = Flask("shop")
app.config.update(TRACKING_DASHBOARD=True, TRACKING_WORKER="sync")
may_see = []
Tracking(app, exporter=MemoryExporter(), dashboard_access=lambda: may_see)
client = app.test_client()
print(client.get("/_tracking/").status_code, "flask_tracking.dashboard.page" in sys.modules)
may_see.append("ada")
print(client.get("/_tracking/").status_code, "flask_tracking.dashboard.page" in sys.modules)
"""


@pytest.mark.integration
def test_nothing_while_nobody_looks() -> None:
    """The pages are imported for the first request that is let in."""
    command = [sys.executable, "-W", "ignore", "-c", UNSEEN]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    assert output.splitlines() == ["404 False", "200 True"]
