"""The fixtures of the pytest plugin see what the requests of a test did, whatever its app is like."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..servers import ROOT

PLUGIN = ("-p", "no:hypothesispytest", "-p", "no:cacheprovider")
"""Our plugin is loaded by its entry point."""
PATIENT = "--live-server-wait=60"
"""pytest-flask waits five seconds for a server to begin, which may be too short beside other tests."""
APP = """
    import pytest
    from flask import Flask, request
    from flask_tracking import Tracking, current_span

    def make_app(**config):
        app = Flask("shop")
        # pytest-flask adds the port of its live server: to Flask 3.0 the server has no other name.
        app.config.update(TESTING=True, SERVER_NAME="localhost", SECRET_KEY="made up", **config)

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
    """Run tests of a shop with the plugin and pytest-flask, in this process.

    Those of a live server run in a process of their own: a fork of this one, which has threads and is
    measured by coverage, may find a lock taken for ever.
    """

    def run(conftest: str, tests: str, *arguments: str) -> pytest.RunResult:
        pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --strict-markers")
        pytester.makeconftest(APP.replace("\n    ", "\n") + conftest.replace("\n    ", "\n"))
        pytester.makepyfile(test_shop="import pytest\n" + tests.replace("\n    ", "\n"))
        if "urlopen" in tests:
            return pytester.runpytest_subprocess(*PLUGIN, PATIENT, *arguments)
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
    "lives for the session, not tracked": TRACKED.replace(
        "fixture", 'fixture(scope="session")'
    ).replace("Tracking(app)", "pass"),
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
def test_settings_of_the_first_test_are_not_those_of_the_next(run: Run, conftest: str) -> None:
    """A marker holds for its test alone, also where that is the first one to need the app."""
    run(
        conftest,
        """
    @pytest.mark.tracking(max_body_length=1)
    def test_marked(client, tracking_records):
        client.post("/echo", data="abcd")
        assert tracking_records.one().request_body == b"a"

    def test_not_marked(client, tracking_records):
        client.post("/echo", data="abcd")
        assert tracking_records.one().request_body == b"abcd"
    """,
    ).assert_outcomes(passed=2)


@pytest.mark.repeats
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


def test_unread_stream_ends_unread(run: Run) -> None:
    """A stream is never read for the test: it ends when it was read, or its record is asked for."""
    run(
        TRACKED,
        """
    def test_read(client, tracking_records):
        response = client.get("/stream")
        assert response.text == "12"
        assert [one.outcome for one in tracking_records] == ["ok"]

    def test_closed(client, tracking_records):
        client.get("/stream").close()
        assert [one.outcome for one in tracking_records] == ["disconnected"]

    def test_unread(client, tracking_records):
        response = client.get("/stream")
        assert [one.outcome for one in tracking_records] == ["unread"]
        assert response.text == "12"
        assert len(tracking_records) == 1
    """,
    ).assert_outcomes(passed=3)


def test_running_request_is_left_alone(run: Run) -> None:
    """What another thread has not finished is recorded when it has."""
    run(
        """
    import threading

    @pytest.fixture
    def app():
        app = make_app()
        app.go, app.started = threading.Event(), threading.Event()

        @app.get("/slow")
        def slow():
            def produce():
                yield "1"
                app.started.set()
                assert app.go.wait(20)
                yield "2"
            return app.response_class(produce())

        Tracking(app)
        return app
    """,
        """
    import threading

    def test_slow(app, client, tracking_records):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(app.test_client().get("/slow").text))
        thread.start()
        assert app.started.wait(20)
        client.get("/")
        assert [one.path for one in tracking_records] == ["/"]
        app.go.set()
        thread.join()
        assert answers == ["12"]
        assert [(one.path, one.outcome) for one in tracking_records] == [("/", "ok"), ("/slow", "ok")]
    """,
    ).assert_outcomes(passed=1)


def test_requests_of_fixtures_and_of_other_apps_are_recorded(run: Run) -> None:
    """A fixture may send requests before the test; a test may make apps itself, also in the test."""
    run(
        TRACKED
        + """
    @pytest.fixture
    def logged_in(client):
        client.post("/orders")
        return client
    """,
        """
    from conftest import Tracking, make_app

    def test_fixture(logged_in, tracking_records):
        assert [one.path for one in tracking_records] == ["/orders"]

    def test_own_app(tracking_records):
        app = make_app()
        Tracking(app)
        app.test_client().get("/")
        assert tracking_records.one().path == "/"
    """,
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize("scope", ["session", "module"])
def test_borrowed_apps_are_given_back(run: Run, scope: str) -> None:
    """An app that outlives the test has its own exporter, settings and numbers again behind it."""
    run(
        f"""
    from flask_tracking import MemoryExporter

    @pytest.fixture(scope="{scope}")
    def own():
        return MemoryExporter()

    @pytest.fixture(scope="{scope}")
    def app(own):
        app = make_app(TRACKING_WORKER="sync", TRACKING_MAX_BODY_LENGTH=2)
        app.tracking = Tracking(app, exporter=own)
        return app
    """,
        """
    @pytest.mark.tracking(max_body_length=3)
    def test_with(app, client, own, tracking_records):
        client.post("/echo", data="abcd")
        assert [one.request_body for one in tracking_records] == [b"abc"]
        assert own.records == []
        assert app.tracking.stats.received == 1

    def test_without(app, client, own):
        client.post("/echo", data="abcd")
        assert [one.request_body for one in own.records] == [b"ab"]
        assert app.tracking.stats.received == 1

    def test_with_again(client, own, tracking_records):
        client.post("/echo", data="abcd")
        assert [one.request_body for one in tracking_records] == [b"ab"]
        assert len(own.records) == 1
    """,
    ).assert_outcomes(passed=3)


def test_background_thread(run: Run) -> None:
    """With the worker of production the records are waited for."""
    run(
        TRACKED,
        """
    @pytest.mark.tracking(worker="batch")
    def test_batch(client, tracking_records):
        client.get("/")
        client.post("/orders")
        assert [one.path for one in tracking_records] == ["/", "/orders"]
    """,
    ).assert_outcomes(passed=1)


def test_tracking_can_be_switched_off(run: Run) -> None:
    """``enabled=False`` records nothing, whoever made the app."""
    for conftest in (TRACKED, APPS["lives for the session"]):
        run(
            conftest,
            """
    @pytest.mark.tracking(enabled=False)
    def test_off(client, tracking_records):
        assert client.get("/").text == "hello"
        tracking_records.assert_none()
    """,
        ).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        (
            "sampel_rate=0.5",
            "Unknown setting 'sampel_rate' in @pytest.mark.tracking. Did you mean sample_rate?",
        ),
        ("x=1", "Unknown setting 'x' in @pytest.mark.tracking. There are: enabled, mongodb_uri,"),
        ("sample_rate=2", "sample_rate is 2, but it wants a number from 0 to 1."),
        ("0.5", "@pytest.mark.tracking takes only settings by name, like sample_rate=0.5."),
    ],
)
def test_wrong_marker_says_what_is_right(run: Run, marker: str, message: str) -> None:
    """A setting that does not exist, or a wrong value, is an error of the test's setup."""
    result = run(TRACKED, f"@pytest.mark.tracking({marker})\ndef test_marked(client): pass")
    result.assert_outcomes(errors=1)
    assert message in result.stdout.str()
    assert "pytest_plugin.py" not in result.stdout.str()
    assert "During handling of" not in result.stdout.str()


def test_nearest_marker_wins(run: Run) -> None:
    """A marker of the test wins over that of its class and module, setting by setting."""
    run(
        TRACKED,
        """
    pytestmark = pytest.mark.tracking(max_body_length=1, exclude=["/orders"])

    @pytest.mark.tracking(max_body_length=2)
    class TestEcho:
        @pytest.mark.tracking(TRACKING_MAX_BODY_LENGTH=3)
        def test_echo(self, client, tracking_records):
            client.post("/orders")
            client.post("/echo", data="abcd")
            assert tracking_records.one().request_body == b"abc"
    """,
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize("how", ["tracking_records", "tracking_span"])
def test_apps_may_be_missing(run: Run, how: str) -> None:
    """A test without the fixture `app` is recorded, too; a plain test costs no import."""
    run("", f"def test_plain({how}): assert {how} is not None").assert_outcomes(passed=1)


def test_assert_harmless_is_a_fixture(run: Run) -> None:
    """The check of a whole app needs no import."""
    run(
        "",
        """
    from conftest import make_app

    def test_harmless(assert_harmless):
        assert_harmless(make_app, ["/", {"path": "/orders", "method": "POST"}, "/stream"])
    """,
    ).assert_outcomes(passed=1)


INSTALLED = """
def test_installed(pytestconfig):
    import flask_tracking.extension
    assert "rewrite" not in type(flask_tracking.extension.__loader__).__module__
    assert pytestconfig.getoption("tracking_report") is False
"""


@pytest.mark.integration
def test_installed_plugin_is_loaded(tmp_path: Path) -> None:
    """pytest finds the plugin by its entry point, and imports the package as any other program does."""
    project = (ROOT / "pyproject.toml").read_text()
    (line,) = re.findall(r"^\[project\.entry-points\.pytest11\]\n#.*\n(.*)$", project, re.MULTILINE)
    installed = tmp_path / "flask_tracking-2.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: flask-tracking\nVersion: 2.0\n")
    (installed / "entry_points.txt").write_text("[pytest11]\n" + line.replace('"', ""))
    (installed / "RECORD").write_text("flask_tracking/__init__.py,,\n")
    (tmp_path / "test_installed.py").write_text(INSTALLED)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


UNUSED = """
import sys
import pytest
sys.path.insert(0, {here!r})
code = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *sys.argv[1:]])
print("code", int(code))
print("loaded", [name for name in ("flask", "bson", "mongoengine", "werkzeug") if name in sys.modules])
print("ours", sorted(name for name in sys.modules if name.startswith("flask_tracking")))
"""


@pytest.mark.integration
def test_unused_plugin_loads_nothing(tmp_path: Path) -> None:
    """A run without its fixtures imports of this package only the plugin, and nothing of others."""
    (tmp_path / "test_plain.py").write_text("def test_plain(): pass")
    command = [
        sys.executable,
        "-c",
        UNUSED.format(here=str(ROOT)),
        "-p",
        "flask_tracking.pytest_plugin",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-3:] == [
        "code 0",
        "loaded []",
        "ours ['flask_tracking', 'flask_tracking.pytest_plugin']",
    ], done.stdout + done.stderr


SERVED = """
    def get(live_server, path, data=None):
        with urlopen(live_server.url(path), data, timeout=20) as response:
            return response.read()

    def test_one(live_server, tracking_records):
        assert get(live_server, "/") == b"hello"
        assert [one.path for one in tracking_records] == ["/"]

    def test_without(live_server):
        assert get(live_server, "/stream") == b"12"

    def test_two(live_server, client, tracking_records):
        assert get(live_server, "/stream") == b"12"
        client.get("/")
        assert get(live_server, "/echo", b"abcd") == b"abcd"
        assert sorted(one.path for one in tracking_records) == ["/", "/echo", "/stream"]
        tracking_records.assert_status(200)

    @pytest.mark.tracking(max_body_length=1)
    def test_marked(live_server, tracking_records):
        assert get(live_server, "/echo", b"abcd") == b"abcd"
        assert tracking_records.one().request_body == {marked}
"""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("kind", "scope", "marked"),
    [
        ("lives for the session", "session", b"abcd"),
        ("lives for the session, not tracked", "session", b"abcd"),
        ("lives for the session", "function", b"a"),
        ("tracks itself", "function", b"a"),
    ],
)
def test_live_server(run: Run, kind: str, scope: str, marked: bytes) -> None:
    """What the server of pytest-flask answers in its own process is there when the client has it."""
    tests = "\n    from urllib.request import urlopen\n" + SERVED.replace("{marked}", repr(marked))
    result = run(APPS[kind], tests, "-o", f"live_server_scope={scope}")
    result.assert_outcomes(passed=4)


@pytest.mark.integration
def test_live_servers_of_several_processes(run: Run) -> None:
    """Under pytest-xdist each process has a server of its own, and finds the requests to it."""
    tests = "\n    from urllib.request import urlopen\n" + SERVED.replace("{marked}", repr(b"abcd"))
    run(APPS["lives for the session"], tests, "-n2", "-p", "xdist").assert_outcomes(passed=4)


@pytest.mark.integration
@pytest.mark.parametrize("kind", [kind for kind in APPS if "session" in kind])
def test_server_of_every_kind_of_app(run: Run, kind: str) -> None:
    """A server is recorded whatever its app says, also where another test has started it."""
    run(
        APPS[kind],
        """
    from urllib.request import urlopen

    def test_without(live_server):
        urlopen(live_server.url("/"), timeout=20).close()

    def test_with(live_server, tracking_records):
        urlopen(live_server.url("/stream"), timeout=20).read()
        assert tracking_records.one().path == "/stream"
    """,
    ).assert_outcomes(passed=2)


@pytest.mark.integration
def test_requests_of_fixtures_to_a_server_belong_to_no_test(run: Run) -> None:
    """What a fixture for the session asked of a server is passed over, and nothing else."""
    run(
        APPS["lives for the session"]
        + """
    from urllib.request import urlopen

    @pytest.fixture(scope="session")
    def warm(live_server):
        urlopen(live_server.url("/"), timeout=20).close()
        return live_server
    """,
        """
    from urllib.request import urlopen

    def test_late(live_server, request, tracking_records):
        urlopen(live_server.url("/stream"), timeout=20).read()
        request.getfixturevalue("warm")
        assert tracking_records.one().path == "/stream"

    def test_again(warm, tracking_records):
        tracking_records.assert_none()
    """,
    ).assert_outcomes(passed=2)


@pytest.mark.integration
def test_server_that_began_before(run: Run) -> None:
    """A server that another test has started records for later ones, and its app is given back."""
    run(
        APPS["lives for the session"].replace("Tracking(app)", "Tracking(app, exporter=own)")
        + """
    from flask_tracking import MemoryExporter
    own = MemoryExporter()
    """,
        """
    from urllib.request import urlopen
    from conftest import own

    def test_without(live_server, app):
        urlopen(live_server.url("/"), timeout=20).close()
        assert app.extensions["tracking"].exporter is own

    def test_with(live_server, tracking_records):
        urlopen(live_server.url("/stream"), timeout=20).read()
        assert tracking_records.one().path == "/stream"
    """,
    ).assert_outcomes(passed=2)


@pytest.mark.integration
def test_report_in_a_terminal_without_utf_8(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The requests of a failed test keep their lines where the terminal lacks a character of them."""
    tests = """
    from urllib.request import urlopen  # runs in a process of its own

    def test_fails(client):
        assert client.get("/\\U0001f600").status_code == 200
    """
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    result = run(APPS["tracks itself"], tests, "--tracking-report")
    result.stdout.fnmatch_lines(["*- Recorded requests -*", "  GET  */\\U0001f600 *", "curl \\"])


REPORTED = """
    def test_home(client):
        client.get("/")
        client.get("/")

    def test_orders(client, tracking_records):
        client.post("/orders")
        client.get("/nowhere?a=1")

    def test_fails(client):
        client.get("/")
        client.get("/broken")
        assert client.get("/stream").status_code == 404

    def test_fails_without_request(client):
        raise OSError

    def test_has_no_app():
        pass
"""
BROKEN = """
    @pytest.fixture{scope}
    def app():
        app = make_app(**{config})
        app.testing = False

        @app.get("/broken")
        def broken():
            raise ZeroDivisionError("in a view")

        {track}
        return app
"""


def read_report(result: pytest.RunResult) -> dict[str, int]:
    """Return how many requests the report shows for each route."""
    rows = [line.split() for line in result.stdout.get_lines_after("*= slowest routes =*")]
    assert rows[0] == ["mean", "ms", "slowest", "ms", "requests", "route"]
    return {" ".join(row[3:]): int(row[2]) for row in rows[1:6]}


@pytest.mark.parametrize("track", ["Tracking(app)", "pass"])
@pytest.mark.parametrize("scope", ["", '(scope="session")'])
@pytest.mark.parametrize("config", ["{}", "{'TRACKING_ENABLED': False}"])
def test_report(run: Run, track: str, scope: str, config: str) -> None:
    """All tests that use an app are in the report, and the requests of those that failed are shown."""
    result = run(BROKEN.format(track=track, scope=scope, config=config), REPORTED, "--tracking-report")
    result.assert_outcomes(passed=3, failed=2)
    counts = {"GET /": 3, "POST /orders": 1, "GET (no route)": 1, "GET /broken": 1, "GET /stream": 1}
    assert read_report(result) == counts
    result.stdout.fnmatch_lines(
        [
            "*- Recorded requests -*",
            "  method  path     status * took  outcome  id",
            "  GET     /        200 * ms * *",
            "  GET     /broken  500 * ms * *",
            "  GET     /stream  200 * ms  unread   *",
            "",
            "GET /broken:",
            "*in broken",
            "*ZeroDivisionError: in a view",
            "*- Recorded requests -*",
            "none",
        ]
    )


def test_report_lets_apps_record(run: Run) -> None:
    """The report takes nothing from the exporter of an app, and leaves its settings alone."""
    for scope in ("", '(scope="session")'):
        run(
            f"""
    from flask_tracking import MemoryExporter
    own = MemoryExporter()

    @pytest.fixture{scope}
    def app():
        app = make_app(TRACKING_WORKER="sync", TRACKING_EXCLUDE=["/orders"])
        Tracking(app, exporter=own)
        return app
    """,
            """
    from conftest import own

    @pytest.mark.parametrize("number", [1, 2])
    def test_home(app, client, number):
        client.get("/")
        client.post("/orders")
        assert len(own.records) == number
        assert app.extensions["tracking"].exporter is own
    """,
            "--tracking-report",
        ).assert_outcomes(passed=2)


def test_report_of_nothing(run: Run) -> None:
    """Where no test uses an app, the report says so."""
    result = run("", "def test_plain(): pass", "--tracking-report")
    result.stdout.fnmatch_lines(["No request was recorded: no test uses the fixture app, *"])


@pytest.mark.integration
def test_report_of_several_processes(run: Run) -> None:
    """Under pytest-xdist the report is one, and failures show the requests of their process."""
    conftest = BROKEN.format(track="Tracking(app)", scope="", config="{}")
    result = run(conftest, REPORTED, "--tracking-report", "-n2", "-p", "xdist")
    result.assert_outcomes(passed=3, failed=2)
    counts = {"GET /": 3, "POST /orders": 1, "GET (no route)": 1, "GET /broken": 1, "GET /stream": 1}
    assert read_report(result) == counts
    result.stdout.fnmatch_lines(["*- Recorded requests -*", "GET /broken:"])


def test_fixtures_of_a_wider_scope_may_need_others(run: Run) -> None:
    """An app for the session stays as it says, also where its fixture needs another of the session."""
    run(
        """
    from flask_tracking import MemoryExporter

    @pytest.fixture(scope="session")
    def name():
        return "shop"

    @pytest.fixture(scope="session")
    def own(name):
        return MemoryExporter()

    @pytest.fixture(scope="session")
    def app(request):
        own = request.getfixturevalue("own")
        app = make_app(TRACKING_WORKER="sync")
        Tracking(app, exporter=own)
        return app
    """,
        """
    @pytest.mark.tracking(slow_ms=7)
    def test_with(client, own, tracking_records):
        client.get("/")
        assert len(tracking_records) == 1

    def test_without(app, client, own):
        client.get("/stream").close()
        assert [one.path for one in own.records] == ["/stream"]
        assert app.config.get("TRACKING_SLOW_MS") is None
    """,
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize("kind", [kind for kind in APPS if "session" in kind])
def test_requests_of_fixtures_for_several_tests_belong_to_none(run: Run, kind: str) -> None:
    """A test sees the same records whether it is the first one or the last."""
    run(
        APPS[kind]
        + """
    @pytest.fixture(scope="session")
    def logged_in(app):
        client = app.test_client()
        client.post("/orders")
        client.unread = client.get("/stream")
        return client
    """,
        """
    def test_first(logged_in, tracking_records):
        logged_in.get("/")
        assert [one.path for one in tracking_records] == ["/"]

    def test_last(logged_in, tracking_records):
        logged_in.get("/")
        assert [one.path for one in tracking_records] == ["/"]
    """,
    ).assert_outcomes(passed=2)


def test_failures_show_no_code_of_ours(run: Run) -> None:
    """The traceback of a failed assertion ends in the test."""
    result = run(
        TRACKED,
        """
    def test_item(tracking_span):
        tracking_span["order_id"]

    def test_user(tracking_span):
        assert tracking_span.user_id

    def test_filter(tracking_records):
        tracking_records.where("stat:5xx")

    def test_field(tracking_records):
        tracking_records.one(status=200)

    def test_index(tracking_records):
        tracking_records[0]

    def test_status(tracking_records):
        tracking_records.assert_status(200)

    def test_harmless(assert_harmless, app):
        assert_harmless(lambda: app, ["/"])

    def test_exporter():
        from flask_tracking.testing import assert_exporter
        from flask_tracking import MemoryExporter
        class Wrong(MemoryExporter):
            def export(self, records):
                return "no number"
        assert_exporter(Wrong)
    """,
    )
    result.assert_outcomes(failed=8)
    places = {line.partition(":")[0] for line in result.outlines if re.match(r"\S+\.py:\d", line)}
    assert places == {"test_shop.py"}


@pytest.mark.parametrize("option", [(), ("--tracking-report",)])
def test_fixture_that_is_loaded_late(run: Run, option: tuple[str, ...]) -> None:
    """The plugin says why it lacks requests, and what to do; a marker announces the fixture."""
    result = run(
        TRACKED,
        """
    @pytest.mark.parametrize("name", ["tracking_records", "tracking_span"])
    def test_late(client, request, name):
        request.getfixturevalue(name)

    @pytest.mark.tracking
    def test_marked(client, request):
        client.get("/")
        assert len(request.getfixturevalue("tracking_records")) == 1
    """,
        *option,
    )
    result.assert_outcomes(passed=1, failed=2)
    late = "tracking_records was asked for when the test had begun, and would lack its first requests."
    result.stdout.fnmatch_lines([f"{late} Make it *"])
    result.stdout.no_fnmatch_line("*KeyError*")


def test_sampling_drops_nothing_by_chance(run: Run) -> None:
    """A test sees every request, unless its marker asks for a sample."""
    for conftest in (APPS["tracks itself"], APPS["lives for the session"]):
        run(
            conftest.replace("make_app()", "make_app(TRACKING_SAMPLE_RATE=0)"),
            """
    def test_all(client, tracking_records):
        client.get("/")
        tracking_records.one(path="/")

    @pytest.mark.tracking(sample_rate=0)
    def test_none(client, tracking_records):
        client.get("/")
        tracking_records.assert_none()
    """,
        ).assert_outcomes(passed=2)


@pytest.mark.parametrize("arguments", [(), ("--tracking-report",)])
def test_app_may_be_of_another_kind(run: Run, arguments: tuple[str, ...]) -> None:
    """A fixture of this name that is no Flask app is left alone; the app behind it is recorded."""
    run(
        """
    class Wrapper:
        def __init__(self):
            self.inner = make_app()
            Tracking(self.inner)

    @pytest.fixture
    def app():
        return Wrapper()
    """,
        """
    def test_wrapped(app, tracking_records):
        app.inner.test_client().get("/")
        tracking_records.one(path="/")

    def test_plain(app):
        app.inner.test_client().get("/")
    """,
        "-p",
        "no:flask",
        *arguments,
    ).assert_outcomes(passed=2)


def test_failing_fixture_shows_its_own_traceback(run: Run) -> None:
    """No frame of the plugin stands in the traceback of an app that cannot be made."""
    result = run(
        """
    @pytest.fixture
    def app():
        raise OSError("no app")
    """,
        "def test_app(app, tracking_records): pass",
    )
    result.assert_outcomes(errors=1)
    assert "no app" in result.stdout.str()
    assert "pytest_plugin.py" not in result.stdout.str()


def test_marker_may_be_added_late(run: Run) -> None:
    """A conftest may mark tests when they are collected."""
    run(
        TRACKED
        + """
    def pytest_collection_modifyitems(items):
        for item in items:
            item.add_marker(pytest.mark.tracking(max_body_length=1))
    """,
        """
    def test_late(app, client):
        assert app.config["TRACKING_MAX_BODY_LENGTH"] == 1
    """,
    ).assert_outcomes(passed=1)


def test_app_that_has_lost_its_middleware(run: Run) -> None:
    """An app whose `wsgi_app` was replaced is served as it is."""
    run(
        TRACKED.replace("return app", "app.wsgi_app = app.wsgi_app.wsgi_app; return app"),
        """
    def test_replaced(client, tracking_records):
        assert client.get("/").text == "hello"
        tracking_records.assert_none()
    """,
        "-W",
        "ignore",
    ).assert_outcomes(passed=1)


def test_live_server_may_be_of_another_kind(run: Run) -> None:
    """A fixture of this name that serves no Flask app is left alone."""
    run(
        """
    @pytest.fixture(scope="session")
    def live_server():
        return "http://localhost"
    """,
        """
    def test_other(live_server, tracking_records):
        tracking_records.assert_none()
    """,
        "-p",
        "no:flask",
    ).assert_outcomes(passed=1)
