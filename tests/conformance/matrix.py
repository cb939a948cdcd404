"""The runs of the matrix, a few at a time, and what came of them."""

from __future__ import annotations

import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Any
from unittest import mock

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ..servers import mongo_server
from .apps import NEEDS, SCENES
from .compare import Verdict, compare, compare_records
from .exchange import Scene
from .faults import FAULTS
from .inprocess import NAME as TEST_CLIENT
from .mutants import MUTANTS, Mutant
from .runner import Run, play_in_process, play_on
from .servers import SERVERS, is_there

NO_HARM = "no harm"
AT_A_TIME = 5
BY_NAME = {server.name: server for server in SERVERS}
ALL_SERVERS = (TEST_CLIENT, *BY_NAME)


def is_installed(name: str) -> bool:
    """Whether a column can be filled here."""
    return name == TEST_CLIENT or BY_NAME[name].is_installed


def missing_packages() -> list[str]:
    """Return the packages that some app needs and that are not installed, each with its apps."""
    missing: dict[str, list[str]] = {}
    for app, needs in NEEDS.items():
        for package in needs:
            if not is_there(package):
                missing.setdefault(package, []).append(app)
    return [f"{package}, for the apps {', '.join(apps)}" for package, apps in missing.items()]


def declared_against(server: str, scene: Scene) -> str | None:
    """Return why a scene is never played on a server, or None."""
    apps = BY_NAME[server].apps if server in BY_NAME else ()
    if apps and scene.app not in apps:
        return "it is run for some apps only"
    return scene.reason_against(server)


def reason_against(server: str, scene: Scene) -> str | None:
    """Return why a scene is not played on a server here, or None."""
    missing = [name for name in NEEDS.get(scene.app, ()) if not is_there(name)]
    why = f"not installed: {', '.join(missing)}" if missing else None
    return declared_against(server, scene) or why


def playable(server: str, scenes: Iterable[Scene] = SCENES) -> list[Scene]:
    """Return the scenes that can be played on a server."""
    return [scene for scene in scenes if reason_against(server, scene) is None]


def play(server: str, variant: str, uri: str, app: str = "") -> Run:
    """Play all that can be played on a server, or with one app only."""
    wanted = [scene for scene in playable(server) if app in ("", scene.app)]
    if server == TEST_CLIENT:
        return play_in_process(variant, uri, wanted)
    return play_on(BY_NAME[server], variant, uri, wanted)


def database_of(uri: str, server: str) -> str:
    """Return the URI of the database that a server's column has to itself."""
    return f"{uri}{server.replace(' ', '_')}"


def read_records(uri: str, fault: str = "") -> list[dict[str, Any]]:
    """Return the records, without bodies of responses; with a fault there may be no database."""
    patience_ms = 1000 if fault else 60_000
    client: MongoClient[dict[str, Any]] = MongoClient(
        uri,
        serverSelectionTimeoutMS=patience_ms,
        timeoutMS=5 * patience_ms,
        connectTimeoutMS=patience_ms,
    )
    try:
        collection = client.get_default_database()["tracking"]
        return list(collection.find({}, {"response_body": False}).sort("_id"))
    except PyMongoError:
        if not fault:
            raise  # on a busy machine it is slow, and not away
        return []
    finally:
        client.close()


def by_scene(records: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the records of each scene, in the order in which the requests came."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        found[dict(record["request_headers"]).get("X-Scene", "")].append(record)
    return found


class Matrix:
    """Runs servers, with and without faults; one verdict for each column."""

    def __init__(
        self, servers: Sequence[str], faults: Sequence[str] = (), faulty_servers: Sequence[str] = ()
    ) -> None:
        """Take what is to be run; a server that is not installed is left out and kept as missing.

        Args:
            servers: names of servers.
            faults: names of faults.
            faulty_servers: where the faults are planted.
        """
        wanted = [*servers, *(name for name in faulty_servers if faults and name not in servers)]
        self.missing = [name for name in wanted if not is_installed(name)]
        self.servers = [name for name in wanted if name not in self.missing]
        self._faults = faults
        self._faulty_servers = [name for name in faulty_servers if name not in self.missing]
        self._stack = ExitStack()

    def run(self) -> list[Verdict]:
        """Play everything, and compare."""
        with self._stack, mongo_server() as database, ThreadPoolExecutor(AT_A_TIME) as pool:
            off = {name: [pool.submit(play, name, "off", "") for _ in "ab"] for name in self.servers}
            columns = [(name, "", database_of(database.uri, name)) for name in self.servers]
            for fault in self._faults:
                uri = self._stack.enter_context(FAULTS[fault]())
                columns += [(name, fault, database_of(uri, name)) for name in self._faulty_servers]
            on = [
                pool.submit(play, name, f"on+{fault}" if fault else "on", uri)
                for name, fault, uri in columns
            ]
            return [
                judge(Verdict(name, fault), off[name], run, uri)
                for (name, fault, uri), run in zip(columns, on, strict=True)
            ]


def judge(verdict: Verdict, off: list[Future[Run]], on: Future[Run], uri: str) -> Verdict:
    """Compare the runs of one column, off against off first."""
    first, again = (run.result() for run in off)
    if not verdict.fault:
        compare(verdict, first, again, "not deterministic, off against off")
    compare(verdict, first, on.result(), "off against on")
    verdict.check_never_noted(playable(verdict.server), on.result())
    records = by_scene(read_records(uri, verdict.fault))
    compare_records(verdict, on.result(), Counter({name: len(of) for name, of in records.items()}))
    if not verdict.fault:
        verdict.check_recorded(playable(verdict.server), records)
    verdict.check_complete(scene.name for scene in playable(verdict.server))
    return verdict


def find_mutants(harms: Iterable[str]) -> dict[str, dict[str, str]]:
    """Plant each of these harms, and return by its name what was found: scenes and differences.

    Among the names is `NO_HARM`, for which nothing is to be found.
    """
    mutants = {NO_HARM: Mutant("does nothing", lambda app: None)}
    mutants.update((name, MUTANTS[name]) for name in harms)
    # Processes, as each has one journal and one log; sets become headers, so in one order everywhere.
    with (
        mock.patch.dict(os.environ, {"PYTHONHASHSEED": "0"}),
        ProcessPoolExecutor(AT_A_TIME, get_context("spawn"), ignore_warnings) as pool,
    ):
        places = {(mutant.server, mutant.app) for mutant in mutants.values()}
        off = {place: pool.submit(play, place[0], "off", "", place[1]) for place in places}
        on = {
            name: pool.submit(play, mutant.server, "off" if name == NO_HARM else name, "", mutant.app)
            for name, mutant in mutants.items()
        }
        return {
            name: find_harm(mutant, off[mutant.server, mutant.app].result(), on[name].result())
            for name, mutant in mutants.items()
        }


def find_harm(mutant: Mutant, off: Run, on: Run) -> dict[str, str]:
    """Return what is different with a harm, by scene and in the order of the scenes."""
    verdict = Verdict(mutant.server)
    compare(verdict, off, on, mutant.harm)
    return {
        scene.name: verdict.differences[scene.name]
        for scene in SCENES
        if scene.name in verdict.differences
    }


def ignore_warnings() -> None:
    """Ignore that a scene asks for another domain."""
    warnings.filterwarnings("ignore", "Current server name")
