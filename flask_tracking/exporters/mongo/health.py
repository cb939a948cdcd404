"""Checks of the server: its version, its clock, and the rights of the user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from time import perf_counter
from typing import Any

from pymongo.database import Database
from pymongo.errors import OperationFailure

from ...config import Settings
from ..store import Problem
from .connection import is_stand_in

Document = dict[str, Any]

MAX_SKEW_S = 2.0
"""Two clocks that are set by the network differ by less."""
RESIZING_VERSION = (6, 0)
"""The first MongoDB that resizes a capped collection in place."""
ACTIONS = frozenset(
    {"createCollection", "createIndex", "find", "insert", "listCollections", "listIndexes", "remove",
     "update"}
)  # fmt: skip
"""Actions that recording and the commands need; the role ``readWrite`` allows all of them."""
_READ = frozenset({"find", "listCollections", "listIndexes"})
_MANAGE = frozenset({"createCollection", "createIndex", "listCollections", "listIndexes"})
ROLES: Mapping[str, frozenset[str]] = {
    "read": _READ,
    "readWrite": ACTIONS,
    "dbAdmin": _MANAGE,
    "dbOwner": ACTIONS,
    "userAdmin": frozenset(),
    "readAnyDatabase": _READ,
    "readWriteAnyDatabase": ACTIONS,
    "dbAdminAnyDatabase": _MANAGE,
    "userAdminAnyDatabase": frozenset(),
    "root": ACTIONS,
}
"""What the built-in roles allow of `ACTIONS`."""
EVERYWHERE = frozenset({"root", *(role for role in ROLES if role.endswith("AnyDatabase"))})
"""The roles that are about all databases."""


def describe(database: Database[Document], where: str) -> list[str]:
    """Return the kind, version and address of the server, and what it cannot do."""
    if is_stand_in(database):
        return ["a stand-in for MongoDB"]
    began = perf_counter()
    hello = database.command("hello")
    took_ms = (perf_counter() - began) * 1000
    build = database.command("buildInfo")
    lines = [
        f"{where}, {_name_kind(hello)}, version {_name_version(build)}",
        f"answers in {took_ms:.1f} ms",
    ]
    if tuple(build.get("versionArray", ()))[:2] < RESIZING_VERSION:
        lines.append("resizes no capped collection in place: that needs MongoDB 6.0")
    return lines


def resizes_in_place(database: Database[Document]) -> bool:
    """Return False for a server that does not resize capped collections in place."""
    build = {} if is_stand_in(database) else database.command("buildInfo")
    # SecantusDB answers that it is done, and does nothing.
    return (
        tuple(build.get("versionArray", ()))[:2] >= RESIZING_VERSION and "secantusVersion" not in build
    )


def _name_kind(hello: Mapping[str, Any]) -> str:
    if hello.get("msg") == "isdbgrid":
        return "a sharded cluster"
    if "setName" in hello:
        return f"the replica set {hello['setName']}"
    return "a single server"


def _name_version(build: Mapping[str, Any]) -> str:
    version = str(build.get("version"))
    embedded = build.get("secantusVersion")
    return f"{version} (SecantusDB {embedded})" if embedded else version


def find_problems(database: Database[Document], settings: Settings, where: str) -> list[Problem]:
    """Return problems with the clocks and the rights."""
    if is_stand_in(database):
        return []
    return [*_check_clock(database, where), *_check_rights(database, settings)]


def _check_clock(database: Database[Document], where: str) -> Iterator[Problem]:
    before = datetime.now(timezone.utc)
    theirs = database.command("hello").get("localTime")
    after = datetime.now(timezone.utc)
    if not isinstance(theirs, datetime):
        return
    skew_s = measure_skew(theirs.replace(tzinfo=timezone.utc), before, after)
    if abs(skew_s) > MAX_SKEW_S:
        direction = "ahead of" if skew_s > 0 else "behind"
        yield Problem(
            "warning",
            f"The clock of {where} is {abs(skew_s):.0f} s {direction} this machine's",
            "Records expire, and are listed, by the clocks: set both by the network, with chrony or "
            "systemd-timesyncd",
        )


def measure_skew(theirs: datetime, before: datetime, after: datetime) -> float:
    """Return by how many seconds a clock is surely ahead, negative where it is behind; else 0.

    Args:
        theirs: what it showed.
        before: our time when it was asked.
        after: our time when the answer was there.
    """
    none = timedelta(0)
    return (max(none, theirs - after) + min(none, theirs - before)).total_seconds()


def _check_rights(database: Database[Document], settings: Settings) -> Iterator[Problem]:
    try:
        status = database.command("connectionStatus", showPrivileges=True)["authInfo"]
        users = status["authenticatedUsers"]
        privileges = read_privileges(status)
    except (OperationFailure, KeyError):  # other servers do not tell
        return
    if not users or privileges is None:  # whoever may connect may do everything
        return
    for name in _name_collections(settings):
        missing = find_missing_actions(privileges, database.name, name)
        if missing:
            # Without rollups records are stored all the same.
            is_fatal = "insert" in missing and name != settings.rollup_collection
            yield Problem(
                "error" if is_fatal else "warning",
                f"The login has no right to {', '.join(missing)} in {name}",
                "Grant it the role readWrite, in mongosh",
                f"db.getSiblingDB('{users[0].get('db', 'admin')}')"
                f".grantRolesToUser('{users[0].get('user')}', "
                f"[{{role: 'readWrite', db: '{database.name}'}}])",
            )


def _name_collections(settings: Settings) -> Iterator[str]:
    yield settings.collection
    if settings.kept_size_bytes:
        yield settings.kept_collection
    if settings.rollup_days:
        yield settings.rollup_collection


def read_privileges(status: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
    """Return the privileges of a login; None if the server does not tell them.

    SecantusDB lists the roles of a login, and no privileges: those of built-in roles are known.

    Args:
        status: the ``authInfo`` of ``connectionStatus``.
    """
    privileges: Sequence[Mapping[str, Any]] = status["authenticatedUserPrivileges"]
    roles = status.get("authenticatedUserRoles", ())
    if privileges or not roles:
        return privileges
    if any(one["role"] not in ROLES for one in roles):
        return None
    return [
        {
            "resource": {"db": "" if one["role"] in EVERYWHERE else one["db"], "collection": ""},
            "actions": ROLES[one["role"]],
        }
        for one in roles
    ]


def find_missing_actions(
    privileges: Iterable[Mapping[str, Any]], database: str, collection: str
) -> list[str]:
    """Return what may not be done in a collection of all that is wanted, sorted.

    Args:
        privileges: as ``connectionStatus`` lists them.
        database: the name of the database.
        collection: the name of the collection.
    """
    allowed: set[str] = set()
    for privilege in privileges:
        if _is_about(privilege.get("resource", {}), database, collection):
            allowed.update(privilege.get("actions", ()))
    return [] if "anyAction" in allowed else sorted(ACTIONS - allowed)


def _is_about(resource: Mapping[str, Any], database: str, collection: str) -> bool:
    if resource.get("anyResource"):
        return True
    # An empty name stands for all.
    return resource.get("db") in ("", database) and resource.get("collection") in ("", collection)
