"""The MongoDB client of the package, one for each process.

The app's client is not shared: a client opened before a fork must not be used after it, and the app may
close its own at any time.
"""

from __future__ import annotations

import os
import re
import select
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.driver_info import DriverInfo
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from ...errors import ConfigError, ExportError, NoDatabaseError

Document = dict[str, Any]
MakeOptions = Callable[[Mapping[str, Any]], Mapping[str, Any]]

DEFAULT_DATABASE = "tracking"

_MENDING = (
    "Set TRACKING_MONGODB_URI, or call mongoengine.connect(), "
    "or run `flask tracking serve` and use the URI that it prints."
)
_APPS_OWN = frozenset({"name", "event_listeners", "document_class", "type_registry", "connect"})
"""Connection settings that concern the app's documents, not the server."""
_RENAMED = {"authentication_source": "authsource", "authentication_mechanism": "authmechanism"}

OLDEST_WIRE_VERSION = 13
"""The wire version of MongoDB 5.0. Older servers cannot delete or resize documents in capped
collections."""
_UNKNOWN_HOST = re.compile(
    r"name or service not known|nodename nor servname|getaddrinfo failed|name resolution"
    r"|no address associated",
    re.IGNORECASE,
)
"""What systems say of a name that they cannot look up: PyMongo keeps only the text."""
GOODBYE_S = 0.1
"""Time limit for ending the sessions of a client, which is optional: they expire by themselves."""
LOCK_S = 0.1
"""How long the exit of the process waits for a client that is being created."""

_inherited: list[object] = []
"""Clients of the parent process. Never released: a child must not use, close or collect them."""


class Connection:
    """The connection to the database, by a URI or the settings of a MongoEngine alias."""

    def __init__(
        self, uri: str | None, alias: str, timeout_s: float, options: MakeOptions = lambda _: {}
    ) -> None:
        """Take what a client is made of.

        Args:
            uri: the URI, or None.
            alias: the MongoEngine connection whose settings are used without a URI.
            timeout_s: the time limit of each call.
            options: returns further options of the client, given the settings of the connection.
        """
        if uri is not None and uri.startswith("mongodb://"):  # mongodb+srv asks the network
            _check(uri)
        self._uri = uri
        self._alias = alias
        self._make_options = options
        self._timeout_ms = max(1, int(timeout_s * 1000))
        self._pid = 0
        self._is_abandoned = False
        self._client: MongoClient[Document] | None = None
        self._database = ""

    @property
    def _lock(self) -> threading.Lock:
        # Created on first use: gevent and eventlet may patch locks after the app was created, and
        # waiting for an unpatched lock would block all greenlets.
        lock: threading.Lock = self.__dict__.setdefault("_made_lock", threading.Lock())
        return lock

    def open(self) -> Database[Document]:
        """Return the database, with the client of this process. Makes no round trip.

        Raises:
            NoDatabaseError: no database is configured yet, or none can be used in this process.
            ExportError: the URI's host name cannot be resolved.
        """
        client = self._client
        if client is None or self._pid != os.getpid():
            with self._lock:
                client = self._make_client()
        return client[self._database]

    def close(self, timeout_s: float) -> None:
        """Close the client of this process, if there is one. Gives up when time runs out."""
        # A thread that creates a client holds the lock, and may wait for the network.
        if not self._lock.acquire(timeout=timeout_s):
            return
        try:
            client, self._client = self._client, None
            if client is not None and self._pid == os.getpid():
                with pymongo.timeout(min(GOODBYE_S, timeout_s)):
                    client.close()
                _leave_threads(client)
        finally:
            self._lock.release()

    def abandon(self) -> None:
        """Let the process exit without waiting for the client's threads, and create no new client.

        At exit PyMongo waits up to a second for each thread that hangs in a call.
        """
        self._is_abandoned = True
        # A thread that creates a client holds the lock, and starts threads.
        is_locked = self._lock.acquire(timeout=LOCK_S)
        client = self._client
        if client is not None and self._pid == os.getpid():
            _leave_threads(client)
        if is_locked:
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Forget the parent's client without closing it."""
        _inherited.append(self._client)
        self._client = None
        self._is_abandoned = False
        self.__dict__.pop("_made_lock", None)

    def _make_client(self) -> MongoClient[Document]:
        if self._client is not None and self._pid == os.getpid():
            return self._client
        if self._is_abandoned:
            raise ExportError("the process is ending")
        _check_patches()
        settings, database = self._get_settings()
        settings |= {
            "appname": "flask-tracking",
            "connecttimeoutms": self._timeout_ms,
            "serverselectiontimeoutms": self._timeout_ms,
            "timeoutms": self._timeout_ms,
            "driver": DriverInfo("flask-tracking"),
            **self._make_options(settings),
        }
        if "readpreference" in settings:
            settings.pop("read_preference", None)
        make: type[MongoClient[Document]] = settings.pop("mongo_client_class", MongoClient)
        try:
            self._client = make(**settings)
        except PyMongoError as error:
            raise ExportError(f"no client can be created ({type(error).__name__})") from None
        self._pid = os.getpid()
        self._database = database
        return self._client

    def _get_settings(self) -> tuple[Document, str]:
        if self._uri is not None:
            try:
                database = parse_uri(self._uri)["database"]
            except PyMongoError as error:
                raise ExportError(
                    f"the URI's host cannot be looked up ({type(error).__name__})"
                ) from None
            return {"host": self._uri}, database or DEFAULT_DATABASE
        settings = _alias_settings().get(self._alias)
        if settings is None:
            raise NoDatabaseError(f"No MongoDB is configured. {_MENDING}")
        usable = {
            _RENAMED.get(key, key).lower(): value
            for key, value in settings.items()
            if key not in _APPS_OWN and value is not None
        }
        return usable, settings["name"]

    def check_version(self) -> None:
        """Wait for a writable server and check its version.

        Raises:
            NoDatabaseError: the server is too old.
            PyMongoError: any error of the driver.
        """
        client: object = self.open().client
        if not isinstance(client, MongoClient):  # a stand-in, mongomock for example
            return
        client.is_mongos  # noqa: B018 - reading it waits for the server
        servers = client.topology_description.server_descriptions().values()
        known = [one.max_wire_version for one in servers if one.is_server_type_known]
        if known and min(known) < OLDEST_WIRE_VERSION:
            raise NoDatabaseError(
                f"{self.where()} is older than MongoDB 5.0, which flask-tracking needs. "
                "Upgrade the server."
            )

    def has_unknown_hosts(self) -> bool:
        """Return True if no server was found because none of their names can be looked up."""
        client: object = self._client
        if not isinstance(client, MongoClient):
            return False
        servers = client.topology_description.server_descriptions().values()
        return bool(servers) and all(_UNKNOWN_HOST.search(str(one.error)) for one in servers)

    def where(self) -> str:
        """Return the servers, without user and password, for messages."""
        try:
            settings, _ = self._get_settings()
            hosts = settings["host"]
            hosts = [hosts] if isinstance(hosts, str) else hosts
            nodes = [
                node
                for host in hosts
                for node in (
                    parse_uri(host)["nodelist"] if "://" in host else [(host, settings.get("port"))]
                )
            ]
        except (PyMongoError, ExportError, NoDatabaseError, KeyError):
            return "MongoDB"
        return "MongoDB at " + ", ".join(f"{host}:{port}" for host, port in nodes)


def is_stand_in(database: Database[Document]) -> bool:
    """Tell whether an app's tests have put something else in the place of MongoDB, like mongomock."""
    client: object = database.client
    return not isinstance(client, MongoClient)


def _leave_threads(client: MongoClient[Document]) -> None:
    """Keep PyMongo from waiting for the threads of `client`, which end by themselves or at exit."""
    for executor in _executors(client):
        executor.join = _join_nothing


def _executors(client: Any) -> Iterator[Any]:
    # None of this is public: attributes that a version of PyMongo does not have are skipped.
    topology = getattr(client, "_topology", None)
    servers = list(getattr(topology, "_servers", {}).values())
    monitors = [getattr(server, "_monitor", None) for server in servers]
    monitors += [getattr(monitor, "_rtt_monitor", None) for monitor in monitors]
    monitors.append(getattr(topology, "_srv_monitor", None))
    executors = [getattr(monitor, "_executor", None) for monitor in monitors]
    executors.append(getattr(client, "_kill_cursors_executor", None))
    return (executor for executor in executors if executor is not None)


def _join_nothing(timeout: float | None = None) -> None:
    """Stand in for the `join` of an executor."""


def _check_patches() -> None:
    # eventlet removes `select.poll`, which PyMongo still uses if it was imported before.
    checker = sys.modules.get("pymongo.socket_checker")
    if getattr(checker, "_HAVE_POLL", False) and not hasattr(select, "poll"):
        raise NoDatabaseError(
            "PyMongo cannot connect: eventlet.monkey_patch() was called after PyMongo was imported. "
            "Call it before anything else is imported."
        )


def _check(uri: str) -> None:
    try:
        parse_uri(uri)
    except (PyMongoError, ValueError) as error:
        # Its message may quote the password.
        raise ConfigError(
            f"Invalid TRACKING_MONGODB_URI ({type(error).__name__}): expected "
            "mongodb://user:password@host:port/database, with user and password percent-encoded."
        ) from None


def _alias_settings() -> Mapping[str, Document]:
    # Not imported: an app that never called mongoengine.connect() has no alias.
    module = sys.modules.get("mongoengine.connection")
    settings: Mapping[str, Document] = getattr(module, "_connection_settings", {})
    return settings
