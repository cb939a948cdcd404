"""``replay``, against an app in this process."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from flask_login import LoginManager, UserMixin, current_user

from flask_tracking import MemoryExporter, Tracking

from ..captures import make_record
from ..reproduce.recorder import recorder
from .conftest import Invoke


@pytest.fixture
def shop(app: Flask, tracking: Tracking) -> Flask:
    """An app with a price that may change."""
    app.extensions["price"] = 1190

    @app.route("/price", methods=["GET", "POST"])
    def price() -> dict[str, object]:
        return {"cents": app.extensions["price"], "size": len(request.get_data())}

    return app


def test_same(invoke: Invoke, memory: MemoryExporter, shop: Flask) -> None:
    """The same response is said to be the same."""
    shop.test_client().get("/price")
    result = invoke("replay", "-1")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "Sent GET /price to the app: 200 (recorded: 200)",
        f"Recorded as {memory.records[1].id}",
        "The response is the same as the recorded one.",
    ]
    assert "replay of" in invoke("show", str(memory.records[1].id)).stdout


def test_again(invoke: Invoke, memory: MemoryExporter, shop: Flask) -> None:
    """Positions do not count replays: the same command sends the same request again."""
    shop.test_client().get("/price")
    for _ in range(3):
        assert invoke("replay", "-1").exit_code == 0
    original, *replays = memory.records
    assert [record.replay_of for record in replays] == [original.id] * 3
    assert invoke("show", "-2").stderr == (
        "Error: Record -2 not found: the store has 1 record. Replays are not counted.\n"
    )


def test_value_that_is_no_utf8(invoke: Invoke, app: Flask, tracking: Tracking) -> None:
    """An argument of any bytes is sent as these bytes."""
    app.add_url_rule("/", "index", lambda: repr(request.headers["Authorization"]))
    app.test_client().get("/", headers={"Authorization": "Bearer hunter2hunter2"})
    result = invoke("replay", "-1", "--set", "authorization=caf\udce9")
    assert result.stdout.startswith("Sent GET / to the app: 200 (recorded: 200)\n"), result.output


def test_not_recorded(app: Flask, memory: MemoryExporter, invoke: Invoke) -> None:
    """A replay that the rules leave out is not said to be recorded."""
    app.config["TRACKING_SAMPLE_RATE"] = 0.0
    Tracking(app, exporter=memory)
    app.add_url_rule("/", "index", lambda: "hello")
    memory.export([make_record(path="/")])
    lines = invoke("replay", "-1").stdout.splitlines()
    assert lines[:2] == [
        "Sent GET /?a=1 to the app: 200 (recorded: 200)",
        "Not recorded: the rules of the app leave it out",
    ]
    assert len(memory.records) == 1


def test_different(invoke: Invoke, memory: MemoryExporter, shop: Flask) -> None:
    """Differences are printed, a line each, and the exit status says that there are some."""
    shop.test_client().get("/price")
    shop.extensions["price"] = "\x1b[31m"
    result = invoke("replay", "-1")
    assert result.exit_code == 3
    assert result.stdout.splitlines()[2:] == [
        '$.cents has another type: 1190 → "\\u001b[31m"',
    ]


def test_both_statuses(invoke: Invoke, memory: MemoryExporter, shop: Flask) -> None:
    """The first line tells the new status from the recorded one, which has the exception."""
    shop.config["PROPAGATE_EXCEPTIONS"] = False
    shop.add_url_rule("/fails", "fails", lambda: str(1 // shop.extensions["price"]))
    shop.extensions["price"] = 0
    shop.test_client().get("/fails")
    shop.extensions["price"] = 1
    result = invoke("replay", "-1")
    assert result.stdout.splitlines()[0] == (
        "Sent GET /fails to the app: 200 (recorded: 500 ZeroDivisionError)"
    )


@pytest.mark.integration
def test_server_is_named(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """The first line names the server that answered."""
    memory.export([make_record(path="/price")])
    with recorder() as running:
        url = f"http://{running.host}"
        result = invoke("replay", "-1", "--to", url)
    assert result.stdout.splitlines()[0] == f"Sent GET /price?a=1 to {url}: 204 (recorded: 200)"


def test_json(invoke: Invoke, memory: MemoryExporter, shop: Flask) -> None:
    """For programs all of it is one object, and the exit status is the same."""
    shop.test_client().get("/price")
    original = str(memory.records[0].id)
    result = invoke("replay", original, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "record": original,
        "replay": str(memory.records[-1].id),
        "is_body_compared": True,
        "differences": [],
    }
    shop.extensions["price"] = "\x1b[31m"
    result = invoke("replay", original, "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["differences"] == [
        {"kind": "type", "path": "$.cents", "recorded": 1190, "replayed": "\x1b[31m"}
    ]


def test_refused(invoke: Invoke, memory: MemoryExporter, shop: Flask) -> None:
    """A refusal is one line that says what allows it, and nothing is sent."""
    shop.test_client().post("/price", data={"password": "hunter2"})
    for options, message in {
        (): "POST may change something. Allow it with --unsafe. Redacted or cut values are "
        "missing: password. Give each with --set name=value.",
        ("--unsafe",): "Redacted or cut values are missing: password. Give each with --set name=value.",
        ("--unsafe", "--set", "x"): "Invalid value 'x': expected name=value.",
        ("--unsafe", "--set", "file_x=/"): "Unknown name: x. Missing values: password.",
        ("--unsafe", "--to", "localhost:5000"): "Invalid URL 'localhost:5000': expected one like "
        "http://localhost:5000.",
        ("--to", "http://shop.example", "--unsafe"): "shop.example is another machine. Allow it with "
        "--yes. Redacted or cut values are missing: password. Give each with --set name=value.",
    }.items():
        result = invoke("replay", "-1", *options)
        status = 2 if message.startswith(("Invalid", "Unknown")) else 1
        assert (result.exit_code, result.stdout, result.stderr) == (status, "", f"Error: {message}\n")
    assert len(memory.records) == 1


def test_body_that_was_not_read(
    invoke: Invoke, app: Flask, memory: MemoryExporter, tracking: Tracking, tmp_path: Path
) -> None:
    """A body that the app did not read is called so; it is given as a file, or sent empty."""
    app.add_url_rule("/in", "take_in", lambda: "", methods=["POST"])
    app.test_client().post("/in", data=b"a=1")
    result = invoke("replay", "-1", "--unsafe")
    assert result.stderr == (
        "Error: The app did not read the body, so the record lacks it. Give it with --set body=PATH; "
        "--set body= sends none.\n"
    )
    path = tmp_path / "body"
    path.write_bytes(b"a=1")
    original = str(memory.records[0].id)
    for value in ("", path):
        assert invoke("replay", original, "--unsafe", "--set", f"body={value}").exit_code == 0


def test_login_instead_of_a_session(
    invoke: Invoke, app: Flask, memory: MemoryExporter, tracking: Tracking
) -> None:
    """Where a user of Flask-Login was logged in, a refusal names the option; who is unknown is said."""
    users = {"1": UserMixin()}
    users["1"].id = "1"
    LoginManager(app).user_loader(users.get)
    app.add_url_rule("/me", "me", lambda: current_user.get_id() or "nobody")
    client = app.test_client()
    with client.session_transaction() as values:
        values["_user_id"] = "1"
    client.get("/me")
    result = invoke("replay", "-1")
    assert result.stderr == (
        "Error: Redacted or cut values are missing: cookie_session. Give each with --set "
        "name=value. Instead of cookie_session, --as-user 1 logs the user in.\n"
    )
    result = invoke("replay", "-1", "--as-user", "99")
    assert result.stderr == "Error: User 99 was not loaded by Flask-Login: no user has this id.\n"
    assert len(memory.records) == 1
    assert invoke("replay", "-1", "--as-user", "1").exit_code == 0


@pytest.mark.parametrize("name", ["password", "PASSWORD", "REDACTED_PASSWORD"])
def test_values(invoke: Invoke, memory: MemoryExporter, shop: Flask, name: str) -> None:
    """A value is given by the name of the gap, or of the variable that other commands print."""
    shop.test_client().post("/price", data={"password": "hunter2"})
    result = invoke("replay", "-1", "--unsafe", "--set", f"{name}=a=b&c")
    assert result.exit_code == 3
    assert memory.records[1].request_body_size == len("password=a%3Db%26c")


def test_file(invoke: Invoke, memory: MemoryExporter, shop: Flask, tmp_path: Path) -> None:
    """A body that is not whole comes from a file; of a cut response that is said."""
    record = make_record(path="/price", method="POST", request_note="binary", request_size=3)
    memory.export([dataclasses.replace(record, response_body_note="truncated")])
    (tmp_path / "body").write_bytes(b"\x00\xff")
    for path, status in ((tmp_path / "nothing", 2), (tmp_path / "body", 3)):
        result = invoke("replay", "-1", "--unsafe", "--set", f"body={path}")
        assert result.exit_code == status
    assert memory.records[1].request_body_size == 2
    assert result.stdout.splitlines()[-1] == (
        "The bodies were not compared: the recorded one is not whole (truncated)."
    )


APP = """
from flask import Flask
from flask_tracking import Tracking

app = Flask("shop")
app.config["TRACKING_MONGODB_URI"] = {uri!r}
tracking = Tracking(app)

@app.get("/price")
def price():
    return {{"cents": 1190}}
"""


@pytest.mark.integration
def test_replay_is_stored(database_uri: str, database: Any, tmp_path: Path) -> None:
    """The record of a replay is stored before the command ends, by the usual worker."""
    (tmp_path / "app.py").write_text(APP.format(uri=database_uri))
    program = "import app; app.app.test_client().get('/price'); assert app.tracking.flush(20)"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    command = [sys.executable, "-m", "flask", "tracking", "replay", "-1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    original, again = database["tracking"].find().sort("date_created")
    assert done.stdout.splitlines() == [
        "Sent GET /price to the app: 200 (recorded: 200)",
        f"Recorded as {again['_id']}",
        "The response is the same as the recorded one.",
    ]
    assert again["replay_of"] == original["_id"]
