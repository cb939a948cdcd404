"""``init`` and ``serve``, against real servers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from flask_tracking import Exporter, MemoryExporter, Tracking
from flask_tracking.cli import store as store_module
from flask_tracking.exporters.store import Problem

from ..servers import free_port, program

Document = dict[str, Any]


@pytest.fixture
def stored(app: Flask, database_uri: str) -> Iterator[Flask]:
    """An app that stores into a real database."""
    app.config.update(TRACKING_MONGODB_URI=database_uri, TRACKING_TABLE_SIZE=1_048_576)
    tracking = Tracking(app)
    yield app
    tracking.close(5)


def test_init(stored: Flask, database: Database[Document]) -> None:
    """init creates the collection and says so; the second time it says what is there."""
    invoke = stored.test_cli_runner().invoke
    assert invoke(args=["tracking", "init"]).output.splitlines() == [
        "tracking: created",
        "  capped at 1.05 MB (1,048,576 bytes) and 1,000,000 documents",
        "  indexes: _id_, date_created_1, date_stored_1, failures",
        "tracking_kept: created",
        "  capped at 21 MB (20,971,520 bytes)",
        "  indexes: _id_, date_created_1",
        "tracking_rollup: created",
        "  holds rollups for 400 days",
        "  indexes: _id_, width_s_1_is_merged_1_start_1, width_s_1_start_1",
    ]
    assert database["tracking"].options()["capped"] is True
    assert database["tracking_kept"].options() == {"capped": True, "size": 20_971_520}
    again = invoke(args=["tracking", "init"]).output.splitlines()
    assert again[::3] == [
        f"{name}: already exists" for name in ("tracking", "tracking_kept", "tracking_rollup")
    ]


def test_init_without_rollups(app: Flask, database_uri: str, database: Database[Document]) -> None:
    """Where none are counted there is no collection for them."""
    app.config.update(TRACKING_MONGODB_URI=database_uri, TRACKING_ROLLUP_DAYS=0)
    tracking = Tracking(app)
    assert "rollup" not in app.test_cli_runner().invoke(args=["tracking", "init"]).output
    assert sorted(database.list_collection_names()) == ["tracking", "tracking_kept"]
    tracking.close(5)


def test_init_without_kept_records(stored: Flask, database: Database[Document]) -> None:
    """Where nothing is to be kept there is no collection for it, and none is spoken of."""
    other = Flask("other")
    other.config.update(stored.config, TRACKING_KEPT_SIZE=0)
    tracking = Tracking(other)
    output = other.test_cli_runner().invoke(args=["tracking", "init"]).output
    assert "kept" not in output
    assert sorted(database.list_collection_names()) == ["tracking", "tracking_rollup"]
    tracking.close(5)


def test_init_says_what_differs(stored: Flask, database: Database[Document]) -> None:
    """A collection of another size is kept, and the command that mends it is printed."""
    database.create_collection("tracking", capped=True, size=8192, max=1_000_000)
    output = stored.test_cli_runner().invoke(args=["tracking", "init"]).output
    assert (
        "TRACKING_TABLE_SIZE is 1.05 MB (1,048,576 bytes). To resize it, by a copy where the server "
        "cannot: flask tracking resize --rebuild\n" in output
    )


def test_init_says_what_the_server_refuses(
    stored: Flask, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that the server does not know is named, in its words; the command succeeds."""
    create = Collection.create_indexes

    def create_some(self: Collection[Document], models: list[Any], **options: Any) -> list[str]:
        if any("partialFilterExpression" in model.document for model in models):
            raise OperationFailure("no", 67, {"errmsg": "partial indexes are not implemented yet"})
        return create(self, models, **options)

    monkeypatch.setattr(Collection, "create_indexes", create_some)
    result = stored.test_cli_runner().invoke(args=["tracking", "init"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[2] == "  indexes: _id_, date_created_1, date_stored_1"
    assert lines[9:] == [
        "The server refuses tracking an index of status_code, date_created: "
        "partial indexes are not implemented yet. "
        "Recording goes on; queries for these fields are slower."
    ]


def test_init_of_ttl(app: Flask, database_uri: str) -> None:
    """With ttl it says when records expire."""
    app.config.update(TRACKING_MONGODB_URI=database_uri, TRACKING_RETENTION="ttl", TRACKING_TTL_S=3600)
    tracking = Tracking(app)
    output = app.test_cli_runner().invoke(args=["tracking", "init"]).output
    assert "records expire after 3,600 seconds" in output
    tracking.close(5)


@pytest.mark.parametrize("index", [{"expireAfterSeconds": 604_800}, {}])
def test_init_asks_before_records_expire(
    app: Flask, database_uri: str, database: Database[Document], index: dict[str, Any]
) -> None:
    """A shorter lifetime is applied after a yes where records would expire by it, and else at once."""
    app.config.update(TRACKING_MONGODB_URI=database_uri, TRACKING_RETENTION="ttl", TRACKING_TTL_S=60)
    records = database["tracking"]
    records.create_index("date_created", **index)
    tracking = Tracking(app)
    invoke = app.test_cli_runner().invoke
    records.insert_one({"date_created": datetime.now(timezone.utc) - timedelta(hours=3)})
    result = invoke(args=["tracking", "init"])
    assert result.exit_code == 1
    assert "The oldest record of tracking is 3 hours old. Records older than TRACKING_TTL_S, 60 " in (
        result.output
    )
    assert records.index_information()["date_created_1"].get("expireAfterSeconds") == (
        index.get("expireAfterSeconds")
    )
    records.delete_many({})
    assert invoke(args=["tracking", "init"]).exit_code == 0
    assert records.index_information()["date_created_1"]["expireAfterSeconds"] == 60
    tracking.close(5)


def test_init_applies_a_shorter_lifetime(
    app: Flask, database_uri: str, database: Database[Document]
) -> None:
    """With --yes nothing is asked."""
    app.config.update(TRACKING_MONGODB_URI=database_uri, TRACKING_RETENTION="ttl", TRACKING_TTL_S=3600)
    records = database["tracking"]
    records.create_index("date_created", expireAfterSeconds=604_800)
    records.insert_one({"date_created": datetime.now(timezone.utc) - timedelta(hours=3)})
    tracking = Tracking(app)
    assert app.test_cli_runner().invoke(args=["tracking", "init", "--yes"]).exit_code == 0
    assert records.index_information()["date_created_1"]["expireAfterSeconds"] == 3600
    tracking.close(5)


def test_init_with_a_shard_key(
    app: Flask, database_uri: str, database: Database[Document], memory: MemoryExporter
) -> None:
    """Without a cluster the commands for one are printed; a store without shards says so."""
    app.config.update(TRACKING_MONGODB_URI=database_uri, TRACKING_RETENTION="ttl")
    tracking = Tracking(app)
    invoke = app.test_cli_runner().invoke
    lines = invoke(args=["tracking", "init", "--shard-key", "hashed"]).output.splitlines()
    name = database.name
    assert lines[-4:] == [
        "This is not a sharded cluster. On one, run this in mongosh:",
        f"  sh.enableSharding('{name}')",
        f"  db.getSiblingDB('{name}').getCollection('tracking').createIndex({{_id: 'hashed'}})",
        f"  sh.shardCollection('{name}.tracking', {{_id: 'hashed'}})",
    ]
    tracking.close(5)
    other = Flask("other")
    Tracking(other, exporter=memory)
    result = other.test_cli_runner().invoke(args=["tracking", "init", "--shard-key", "hashed"])
    assert "MemoryExporter has no shards." in result.stderr


@pytest.mark.parametrize("has_collection", [True, False])
def test_init_with_a_shard_key_of_a_capped_collection(
    app: Flask, database_uri: str, database: Database[Document], has_collection: bool
) -> None:
    """A capped collection is refused before anything is created, whatever makes it one."""
    app.config["TRACKING_MONGODB_URI"] = database_uri
    if has_collection:
        app.config["TRACKING_RETENTION"] = "ttl"
        database.create_collection("tracking", capped=True, size=8192)
    Tracking(app)
    result = app.test_cli_runner().invoke(args=["tracking", "init", "--shard-key", "hashed"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "run `flask tracking migrate --to ttl`" in result.stderr
    assert database.list_collection_names() == ["tracking"] * has_collection


def test_init_of_a_store_without_collections(app: Flask, memory: MemoryExporter) -> None:
    """A store that needs no preparation says so."""
    Tracking(app, exporter=memory)
    output = app.test_cli_runner().invoke(args=["tracking", "init"]).output
    assert output == "MemoryExporter needs no preparation.\n"


def test_init_of_what_is_no_store(app: Flask) -> None:
    """An exporter that is no store is opened, which is all that it may need."""
    opened = []

    class Other(Exporter):
        def open(self) -> None:
            opened.append(self)

        def _store(self, records: object) -> int:
            return 0

    Tracking(app, exporter=Other())
    output = app.test_cli_runner().invoke(args=["tracking", "init"]).output
    assert (output, len(opened)) == ("Other needs no preparation.\n", 1)
    result = app.test_cli_runner().invoke(args=["tracking", "init", "--shard-key", "hashed"])
    assert (result.exit_code, result.stderr) == (1, "Error: Other has no shards.\n")


def test_problems_are_printed(app: Flask, memory: MemoryExporter) -> None:
    """What a store finds wrong is printed, errors in red, and nothing of it is obeyed."""
    found = [Problem("error", "no \x1b[2J room", "Make some", "df"), Problem("warning", "late")]
    memory.check = lambda: found  # type: ignore[method-assign]
    Tracking(app, exporter=memory)
    output = app.test_cli_runner().invoke(args=["tracking", "init"], color=True).output
    assert output.splitlines()[1:] == [
        "\x1b[31mno \\x1b[2J room. Make some: df\x1b[0m",
        "\x1b[33mlate.\x1b[0m",
    ]


def test_init_without_a_database(app: Flask) -> None:
    """Without a database the fix is named, in one line."""
    app.config["TRACKING_DB_ALIAS"] = "nowhere"
    Tracking(app)
    result = app.test_cli_runner().invoke(args=["tracking", "init"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: No MongoDB is configured. Set TRACKING_MONGODB_URI")


@pytest.mark.integration
@pytest.mark.skipif(program("secantusd-py") is None, reason="SecantusDB is not installed")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_serve(tmp_path: Path, ending: signal.Signals) -> None:
    """serve runs a database in the instance folder, prints its URI, and ends it with itself."""
    (tmp_path / "shop.py").write_text(
        "from flask import Flask\n"
        "from flask_tracking import Tracking\n"
        f"app = Flask(__name__, instance_path={str(tmp_path / 'instance')!r})\n"
        "Tracking(app)\n"
    )
    port = free_port()
    command = [sys.executable, "-m", "flask", "--app", "shop", "tracking", "serve", "--port", str(port)]
    root = Path(__file__).parent.parent.parent
    environ = {**os.environ, "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"}
    uri = f"mongodb://127.0.0.1:{port}/tracking"
    with subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().strip() for _ in range(3)]
            assert lines[1] == f"TRACKING_MONGODB_URI = '{uri}'"
            assert lines[2] == f"TRACKING_SPOOL_DIR = '{tmp_path / 'instance' / 'tracking-spool'}'"
            assert str(tmp_path / "instance" / "tracking-db") in lines[0]
            client: MongoClient[Document] = MongoClient(uri, serverSelectionTimeoutMS=5000)
            client["tracking"]["x"].insert_one({})
            client.close()
            second = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
            assert second.returncode == 1
            assert f"A server already listens at 127.0.0.1:{port}." in second.stderr
            third = subprocess.run(
                [*command[:-1], str(free_port())],
                cwd=tmp_path, env=environ, capture_output=True, text=True,
            )  # fmt: skip
            assert (third.returncode, third.stdout) == (1, "")
            data = tmp_path / "instance" / "tracking-db"
            assert third.stderr == (
                f"Error: Another `flask tracking serve` already uses {data}. "
                "Use the URI that it printed, or stop it first.\n"
            )
            process.send_signal(ending)
            assert process.wait(30) == 0
        finally:
            process.terminate()
    assert not is_listening(port)


def is_listening(port: int) -> bool:
    """Tell whether something answers at `port`."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_serve_without_secantus(
    app: Flask, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where SecantusDB is missing the command that installs it is named."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    result = app.test_cli_runner().invoke(args=["tracking", "serve"])
    assert result.exit_code == 1
    assert "pip install 'flask-tracking[embedded]'" in result.stderr


@pytest.mark.integration
def test_serve_without_a_folder(
    app: Flask, tracking: Tracking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An instance folder that cannot be is said in one line, with what to do."""
    (tmp_path / "file").touch()
    app.instance_path = str(tmp_path / "file")
    monkeypatch.setattr(store_module, "_find_program", lambda: "false")
    result = app.test_cli_runner().invoke(args=["tracking", "serve", "--port", str(free_port())])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "Cannot create the folder" in line and "another instance_path" in line


@pytest.mark.integration
def test_serve_that_does_not_come_up(
    app: Flask, tracking: Tracking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server that ends at once is said not to have come up."""
    app.instance_path = str(tmp_path)
    monkeypatch.setattr(store_module, "_find_program", lambda: "false")
    result = app.test_cli_runner().invoke(args=["tracking", "serve", "--port", str(free_port())])
    assert result.exit_code == 1
    assert "SecantusDB did not start" in result.stderr


@pytest.mark.integration
def test_serve_that_says_why_it_does_not_come_up(
    app: Flask, tracking: Tracking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a server says that does not come up is shown, and nothing of it is obeyed."""
    app.instance_path = str(tmp_path)
    server = tmp_path / "server"
    server.write_text("#!/bin/sh\nprintf 'no \\033[2J room\\n' >&2\nexit 1\n")
    server.chmod(0o700)
    monkeypatch.setattr(store_module, "_find_program", lambda: str(server))
    result = app.test_cli_runner().invoke(args=["tracking", "serve", "--port", str(free_port())])
    assert result.exit_code == 1
    said, error = result.stderr.splitlines()
    assert said == "no \\x1b[2J room"
    assert error.startswith("Error: SecantusDB did not start") and error.endswith("is shown above.")
