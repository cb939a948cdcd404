"""The fixtures of the pytest plugin see what the requests of a test did, whatever its app is like."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..servers import ROOT

PLUGIN = ("-p", "flask_tracking.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:randomly")
APP = """
    import pytest
    from flask import Flask, request
    from flask_tracking import Tracking, current_span

    def make_app(**config):
        app = Flask("shop")
        app.config.update(TESTING=True, SECRET_KEY="made up for tests", **config)

        @app.get("/")
        def home():
            return "hello"

        @app.post("/orders")
        def create_order():
            span = current_span()
            span.set("order_id", 17)
            span.set_user("acme:42")
            for _ in range(2):
                with span.child("db query"):
                    pass
            return {"id": 17}, 201

        @app.get("/stream")
        def stream():
            return app.response_class(iter(["1", "2"]), mimetype="text/plain")

        @app.post("/echo")
        def echo():
            return request.get_data()

        return app
"""
Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Run tests of a shop, in this process, with the plugin and pytest-flask."""

    def run(conftest: str, tests: str, *arguments: str) -> pytest.RunResult:
        pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --strict-markers")
        pytester.makeconftest(APP.replace("\n    ", "\n") + conftest.replace("\n    ", "\n"))
        pytester.makepyfile(test_shop="import pytest\n" + tests.replace("\n    ", "\n"))
        return pytester.runpytest_inprocess(*PLUGIN, *arguments)

    return run


TRACKED = """
    @pytest.fixture
    def app():
        app = make_app()
        Tracking(app)  # with a MongoDB that is not there
        return app
"""
APPS = {
    "tracks itself": TRACKED,
    "is not tracked": TRACKED.replace("Tracking(app)", "pass"),
    "is disabled": TRACKED.replace("make_app()", "make_app(TRACKING_ENABLED=False)"),
    "lives for the session": TRACKED.replace("fixture", 'fixture(scope="session")'),
    "lives for the session, not tracked": TRACKED.replace("fixture", 'fixture(scope="session")').replace(
        "Tracking(app)", "pass"
    ),
    "lives for the session, disabled": TRACKED.replace("fixture", 'fixture(scope="session")').replace(
        "make_app()", "make_app(TRACKING_ENABLED=False)"
    ),
    "is made by a module": """
    made = make_app()
    Tracking(made)

    @pytest.fixture
    def app():
        return made
""",
}


@pytest.mark.parametrize("conftest", APPS.values(), ids=APPS.keys())
def test_every_kind_of_app_is_recorded(run: Run, conftest: str) -> None:
    """Each test finds its own requests, as soon as their responses are complete."""
    result = run(
        conftest,
        """
    def test_without(client):
        pass

    def test_one(client, tracking_records):
        assert len(tracking_records) == 0
        assert client.get("/").status_code == 200
        assert [one.path for one in tracking_records] == ["/"]

    def test_two(client, tracking_records):
        client.post("/orders")
        client.get("/nowhere")
        assert [one.url_rule for one in tracking_records] == ["/orders", None]
        tracking_records.one(path="/orders", method="POST").assert_status(201)

    def test_span(client, tracking_span):
        client.post("/orders")
        assert tracking_span["order_id"] == 17
        assert tracking_span.user_id == "acme:42"
        assert [child.name for child in tracking_span.children] == ["db query"] * 2

    @pytest.mark.tracking(exclude=["/orders"], TRACKING_MAX_BODY_LENGTH=4)
    def test_marked(client, tracking_records):
        client.post("/orders")
        assert client.post("/echo", data="abcdefgh").data == b"abcdefgh"
        assert tracking_records.one().request_body == b"abcd"

    def test_not_marked(client, tracking_records):
        assert client.post("/echo", data="abcdefgh").data == b"abcdefgh"
        assert tracking_records.one().request_body == b"abcdefgh"
    """,
    )
    result.assert_outcomes(passed=6)
