"""What the MongoDB store says of its server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from flask_tracking import Settings
from flask_tracking.exporters.mongo import MongoExporter, health
from flask_tracking.exporters.mongo.health import find_missing_actions, measure_skew, read_privileges

from ..servers import MongoServer, end, mongo_server

Document = dict[str, Any]
Make = Callable[..., MongoExporter]

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
ALL = sorted(health.ACTIONS)


def test_server_is_described(make: Make) -> None:
    """Its kind, version and address are told, and how fast it answers."""
    lines = make().describe()
    assert lines[0].startswith("MongoDB at 127.0.0.1:")
    assert ", version " in lines[0]
    assert lines[1].startswith("answers in ") and lines[1].endswith(" ms")


ANSWERS: dict[str, tuple[Document, str]] = {
    "single": ({}, "a single server"),
    "set": ({"setName": "rs0"}, "the replica set rs0"),
    "shards": ({"msg": "isdbgrid"}, "a sharded cluster"),
}


@pytest.mark.parametrize(("hello", "said"), ANSWERS.values(), ids=ANSWERS)
def test_kinds_of_servers(make: Make, answer: Callable[..., None], hello: Document, said: str) -> None:
    """A replica set and a sharded cluster are called so; an old server cannot resize."""
    exporter = make()
    exporter.prepare()
    answer(hello=hello, buildInfo={"version": "5.0.1", "versionArray": [5, 0, 1, 0]})
    first, _, last = exporter.describe()
    assert f", {said}, version 5.0.1" in first
    assert last == "resizes no capped collection in place: that needs MongoDB 6.0"


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Answer commands in the server's place; an exception is raised."""
    command = Database.command

    def set_answers(**answers: Any) -> None:
        def answer_command(self: Database[Document], name: Any, *rest: Any, **options: Any) -> Any:
            if not isinstance(name, str) or name not in answers:
                return command(self, name, *rest, **options)
            if isinstance(answers[name], Exception):
                raise answers[name]
            return answers[name]

        monkeypatch.setattr(Database, "command", answer_command)

    return set_answers


@pytest.mark.parametrize(
    ("theirs_s", "skew_s"), [(0, 0), (1, 0), (-0.5, -0.5), (4, 2), (-30, -30), (1.5, 0)]
)
def test_skew(theirs_s: float, skew_s: float) -> None:
    """A time between question and answer is no skew; one outside is by its distance."""
    theirs = NOON + timedelta(seconds=theirs_s)
    assert measure_skew(theirs, NOON, NOON + timedelta(seconds=2)) == skew_s


@pytest.mark.parametrize(("ahead_s", "said"), [(35, "35 s ahead of"), (-35, "35 s behind")])
def test_clock_that_is_off(make: Make, answer: Callable[..., None], ahead_s: int, said: str) -> None:
    """A clock that is off is a problem; a naive time is UTC."""
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    exporter = make()
    exporter.prepare()
    answer(hello={"localTime": now + timedelta(seconds=ahead_s)})
    (problem,) = exporter.check()
    assert f"is {said} this machine's" in problem.what


def test_clock_that_is_not_told(make: Make, answer: Callable[..., None]) -> None:
    """A server that does not tell its time has none that is off."""
    exporter = make()
    exporter.prepare()
    answer(hello={})
    assert exporter.check() == []


def privilege(actions: list[str], **resource: Any) -> Document:
    """Make what ``connectionStatus`` lists."""
    return {"resource": resource, "actions": actions}


@pytest.mark.parametrize(
    ("privileges", "missing"),
    [
        ([privilege(ALL, db="shop", collection="")], []),
        ([privilege(ALL, db="", collection="")], []),
        ([privilege(ALL, db="shop", collection="tracking")], []),
        ([privilege(["anyAction"], anyResource=True)], []),
        ([privilege(ALL, db="other", collection="")], ALL),
        ([privilege(ALL, db="shop", collection="other")], ALL),
        ([privilege(ALL, cluster=True)], ALL),
        ([], ALL),
        (
            [privilege(ALL[1:], db="shop", collection=""), privilege(ALL[:1], db="other")],
            ALL[:1],
        ),
    ],
)
def test_missing_actions(privileges: list[Document], missing: list[str]) -> None:
    """Rights on all databases, on one, and on a collection are added up."""
    assert find_missing_actions(privileges, "shop", "tracking") == missing


@pytest.mark.parametrize(("actions", "level"), [(["find"], "error"), (ALL[:-1], "warning")])
def test_rights_that_are_missing(
    make: Make, answer: Callable[..., None], actions: list[str], level: str
) -> None:
    """Who may not insert records nothing; other rights are missed by single commands."""
    exporter = make(kept_size_bytes=0, rollup_days=0)
    exporter.prepare()
    users = [{"user": "ada", "db": "admin"}]
    privileges = [privilege(actions, db="", collection="")]
    info = {"authenticatedUsers": users, "authenticatedUserPrivileges": privileges}
    answer(connectionStatus={"authInfo": info})
    (problem,) = exporter.check()
    assert problem.level == level
    assert problem.what.startswith("The login has no right to ")
    assert problem.command.startswith(
        "db.getSiblingDB('admin').grantRolesToUser('ada', [{role: 'readWrite', db: 'test_"
    )


@pytest.mark.parametrize(
    ("roles", "missing"),
    [
        ([("readWrite", "shop")], []),
        ([("dbOwner", "shop")], []),
        ([("root", "admin")], []),
        ([("readWriteAnyDatabase", "admin")], []),
        ([("readWrite", "other")], ALL),
        ([("userAdminAnyDatabase", "admin")], ALL),
        ([("read", "shop")], ["createCollection", "createIndex", "insert", "remove", "update"]),
        ([("read", "shop"), ("dbAdmin", "shop")], ["insert", "remove", "update"]),
        ([("read", "shop"), ("keeper", "shop")], None),
        ([], ALL),
    ],
)
def test_roles_without_privileges(roles: list[tuple[str, str]], missing: list[str] | None) -> None:
    """A server that lists roles and no privileges is asked about built-in roles only."""
    listed = [{"role": role, "db": db} for role, db in roles]
    privileges = read_privileges({"authenticatedUserPrivileges": [], "authenticatedUserRoles": listed})
    if missing is None:
        assert privileges is None
    else:
        assert privileges is not None
        assert find_missing_actions(privileges, "shop", "tracking") == missing


@pytest.mark.integration
@pytest.mark.skipif(MongoServer.kind() is None, reason="no MongoDB is installed")
def test_server_that_asks_for_a_password() -> None:
    """A login with readWrite has all rights, one with read lacks those to write, also in SecantusDB."""
    with mongo_server() as server:
        client: MongoClient[Document] = MongoClient(server.uri)
        for role in ("readWrite", "read"):
            roles = [{"role": role, "db": "shop"}]
            client.admin.command("createUser", role, pwd="secret", roles=roles)
        client.close()
        assert server.process is not None
        end(server.process)
        server.options += ("--auth",)
        server.start()
        found = {}
        for role in ("readWrite", "read"):
            uri = f"{server.uri.replace('://', f'://{role}:secret@')}shop?authSource=admin"
            settings = Settings(mongodb_uri=uri, kept_size_bytes=0, rollup_days=0)
            with contextlib.closing(MongoExporter(settings)) as exporter:
                if role == "readWrite":
                    exporter.prepare()
                found[role] = exporter.check()
    assert found["readWrite"] == []
    assert [one.what for one in found["read"]] == [
        "The login has no right to createCollection, createIndex, insert, remove, update in tracking"
    ]


def test_rights_by_a_role_that_is_not_known(make: Make, answer: Callable[..., None]) -> None:
    """What a role of somebody's own allows is not guessed."""
    exporter = make()
    exporter.prepare()
    info = {
        "authenticatedUsers": [{"user": "ada", "db": "admin"}],
        "authenticatedUserRoles": [{"role": "keeper", "db": "admin"}],
        "authenticatedUserPrivileges": [],
    }
    answer(connectionStatus={"authInfo": info})
    assert exporter.check() == []


def test_rights_by_collection(make: Make, answer: Callable[..., None]) -> None:
    """Each collection is looked at; records are stored also where rollups may not be."""
    exporter = make()
    exporter.prepare()
    allowed = [
        privilege(ALL, db="", collection="tracking"),
        privilege(["find"], db="", collection="tracking_rollup"),
    ]
    info = {"authenticatedUsers": [{"user": "ada"}], "authenticatedUserPrivileges": allowed}
    answer(connectionStatus={"authInfo": info})
    found = {problem.what.rpartition(" ")[2]: problem.level for problem in exporter.check()}
    assert found == {"tracking_kept": "error", "tracking_rollup": "warning"}


def test_rights_that_are_not_told(make: Make, answer: Callable[..., None]) -> None:
    """A server without such a command is taken to allow everything."""
    exporter = make()
    exporter.prepare()
    answer(connectionStatus=OperationFailure("no such command", 59))
    assert exporter.check() == []
