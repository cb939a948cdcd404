"""The runs of the matrix, a few at a time, and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from pymongo import MongoClient

from ..servers import mongo_server
from .apps import SCENES
from .compare import Verdict, compare, compare_records
from .exchange import Scene
from .inprocess import NAME as TEST_CLIENT
from .runner import Run, play_in_process, play_on, playable
from .servers import SERVERS

AT_A_TIME = 4
BY_NAME = {server.name: server for server in SERVERS}
ALL_SERVERS = (TEST_CLIENT, *BY_NAME)


def is_installed(name: str) -> bool:
    """Whether a column can be filled here."""
    return name == TEST_CLIENT or BY_NAME[name].is_installed


def play(server: str, variant: str, uri: str, scenes: Iterable[Scene] = SCENES) -> Run:
    """Play all that can be played on a server."""
    wanted = playable(server, scenes)
    if server == TEST_CLIENT:
        return play_in_process(variant, uri, wanted)
    return play_on(BY_NAME[server], variant, uri, wanted)


def count_records(uri: str) -> Counter[str]:
    """Return how many records there are of each scene."""
    client: MongoClient[dict[str, Any]] = MongoClient(uri, serverSelectionTimeoutMS=2000)
    try:
        collection = client.get_default_database()["tracking"]
        return Counter(
            dict(record["request_headers"]).get("X-Scene", "")
            for record in collection.find({}, {"request_headers": True})
        )
    finally:
        client.close()


class Matrix:
    """Runs servers, with and without faults, and keeps a verdict on each."""

    def __init__(self, servers: Iterable[str]) -> None:
        """Take the names of the servers; one that is not installed is left out and named."""
        self.missing = [name for name in servers if not is_installed(name)]
        self.servers = [name for name in servers if name not in self.missing]

    def run(self) -> list[Verdict]:
        """Play off, off again and on, and compare."""
        with mongo_server() as database, ThreadPoolExecutor(AT_A_TIME) as pool:
            runs: dict[str, tuple[Future[Run], ...]] = {}
            for server in self.servers:
                uri = f"{database.uri}{server.replace(' ', '_')}"
                runs[server] = tuple(
                    pool.submit(play, server, variant, uri) for variant in ("off", "off again", "on")
                )
            return [self._judge(server, *runs[server], database.uri) for server in self.servers]

    def _judge(
        self, server: str, off: Future[Run], again: Future[Run], on: Future[Run], uri: str
    ) -> Verdict:
        verdict = Verdict(server)
        compare(verdict, off.result(), again.result(), "not deterministic, off against off")
        compare(verdict, off.result(), on.result(), "off against on")
        recorded = count_records(f"{uri}{server.replace(' ', '_')}")
        compare_records(verdict, on.result(), recorded, is_faulty=False)
        return verdict
