"""`MongoExporter`: stores batches in MongoDB, each record once, and answers queries."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Collection as AnyCollection
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import pymongo
from bson import ObjectId
from pymongo import ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import (
    ConnectionFailure,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
)

from ...config import Settings
from ...config.overrides import Override
from ...errors import ExportError, FilterError, StoreTimeoutError, TrackingError
from ...filters import Filter
from ...filters.simplify import searches_bodies
from ...record import Record
from ...record_summary import RecordSummary
from ...runtime.guard import call_foreign, warn_rarely
from ...runtime.lifecycle import watch_forks
from ...storable import CODEC, MAX_DOCUMENT_BYTES
from ..base import CLOSE_S
from ..retention import Rebuilt, Resized, Sharded, Usage
from ..store import Found, Problem, Revise, Rewritten, Store, Tail
from ..stub import make_stub, warn_of_stub
from . import overrides
from .codec import (
    FACTS_PROJECTION,
    SUMMARY_PROJECTION,
    for_reading,
    read_document,
    read_summary,
    to_document,
    utc_now,
)
from .connection import Connection, is_stand_in
from .inserting import insert_documents
from .kept import copy_to_kept, mark_kept, mark_other
from .read_client import make_options
from .rollups import MongoRollupTable
from .search import Collections, Projection, Read, search

if TYPE_CHECKING:
    from .collection import CollectionState, Plan
    from .indexes import Refusals
    from .tail import Position

__all__ = ["MongoExporter"]

Document = dict[str, Any]
Made = tuple[Record, Document | None]
"""A record and its document."""
Answer = TypeVar("Answer")

COUNT_TIMEOUT_S = 0.5
LOGIN_CODES = frozenset({11, 13, 18, 8000})
OUT_OF_DISK_SPACE = 14031
BAD_VALUE_CODES = frozenset({2, 51091})
"""Codes of a regular expression that the server refuses, because it is too long."""
_EXPRESSION = re.compile(r"\bregex|regular expression", re.IGNORECASE)
TOO_LONG_TEXT = (
    "A text in the filter is too long for the database to search: shorten it. SecantusDB takes 200 "
    "letters where upper and lower case are the same, and 900 characters elsewhere."
)
READ_ONLY_CODES = frozenset({10107, 13435, 20})
FIX_HOST = "Check the host in TRACKING_MONGODB_URI, and whether this machine can look up names"
FIX_TIMEOUT = (
    "Check that the server runs, and host and port in TRACKING_MONGODB_URI. For a slow one raise "
    "TRACKING_EXPORT_TIMEOUT_S"
)
FIX_LOGIN = (
    "Check user, password and authSource in TRACKING_MONGODB_URI. The user needs the role readWrite"
)
FIX_READ_ONLY = "Wait for the election of a primary, or name the replica set in TRACKING_MONGODB_URI"
FIX_DISK = "Free some, or give the server a larger disk, and start it again"
FIX_CODE = "Look up the code in MongoDB's list of error codes, and in the server's log"
FIX_CONNECTION = (
    "Check what listens at this port: a restart, a proxy or a firewall may have closed the connection"
)
NO_DOCUMENT = "no document can be made of it"
_limit_s: ContextVar[float] = ContextVar("flask_tracking_limit_s", default=0.0)
"""The limit of `MongoExporter.limited` in this context, for messages; 0 without one."""


class MongoExporter(Store):
    """Stores records in the collection of an app's settings, with a client of its own.

    Batches are inserted unordered, with ids made here, and acknowledged once they are in the journal.
    After a failure the same batch is inserted again; documents that had arrived stay as they are.

    .. versionadded:: 2.0
    """

    def __init__(self, settings: Settings, *, is_reader: bool = False) -> None:
        """Store the settings. The first round trip is made by `open`, `export` or a query.

        Args:
            settings: ``mongodb_uri`` or ``db_alias`` is the connection; ``collection``,
                ``kept_size_bytes`` and the retention settings describe the collections;
                ``export_timeout_s`` limits every call.
            is_reader: see `reader`.
        """
        self._settings = settings
        self._is_reader = is_reader
        timeout_s = settings.export_timeout_s
        self._connection = (
            Connection(settings.mongodb_uri, settings.db_alias, timeout_s, make_options)
            if is_reader
            else Connection(settings.mongodb_uri, settings.db_alias, timeout_s)
        )
        self._rollup_table: MongoRollupTable | None = None
        if settings.rollup_days:
            self._rollup_table = MongoRollupTable(
                settings.rollup_days, self.rollup_collection, self._explain
            )
        self.rollups = self._rollup_table
        self._is_prepared = False
        self._max_bytes: dict[str, int] = {}
        """The maximum size of a document, by capped collection."""
        self._refusals: dict[str, Refusals] = {}
        """The refusals of the server when the collections were prepared, by collection."""
        watch_forks(self)

    def collection(self) -> Collection[Document]:
        """Return the collection of all records for reading, with the client of this process.

        Raises:
            NoDatabaseError: no MongoDB is configured.
        """
        return self._connection.open()[self._settings.collection]

    def kept_collection(self) -> Collection[Document]:
        """Return the collection of kept records for reading, as `collection` does.

        Raises:
            NoDatabaseError: no MongoDB is configured.
        """
        return self._connection.open()[self._settings.kept_collection]

    def rollup_collection(self) -> Collection[Document]:
        """Return the collection of rollups for reading, as `collection` does.

        Raises:
            NoDatabaseError: no MongoDB is configured.
        """
        return self._connection.open()[self._settings.rollup_collection]

    def prepare(self) -> tuple[CollectionState, ...]:
        """Create missing collections and indexes.

        Returns:
            The state of the collection of all records, if keeping is enabled that of kept records, and
            if rollups are, that of theirs, with their problems.

        Raises:
            ExportError: the server is unreachable or refuses.
            NoDatabaseError: no database is configured, or the server is older than MongoDB 5.0.
        """
        from .collection import ensure_rollups

        states, table = self._prepare_records(), self._rollup_table
        if table is None:
            return states
        state = self._call(ensure_rollups, self._settings.rollup_collection, table)
        return states if state is None else (*states, state)

    def _prepare_records(self) -> tuple[CollectionState, ...]:
        from .collection import ensure_collections

        states = self._call(ensure_collections, self._settings)
        self._refusals = {state.name: state.refusals for state in states}
        return states

    def describe(self) -> Sequence[str]:
        """Return the kind, version and address of the server, and whether there is anything yet."""
        from .collection import inspect_collections
        from .health import describe

        lines = self._call(describe, self._connection.where())
        states = self._call(inspect_collections, self._settings, self._refusals)
        if not any(state.exists for state in states):
            names = " and ".join(state.name for state in states)
            lines.append(f"{names}: created with the first record, or by `flask tracking init`")
        return lines

    def _check(self) -> Iterator[Problem]:
        from .collection import inspect_collections, inspect_rollups
        from .health import find_problems
        from .rebuilding import find_interrupted
        from .resizing import find_early_limit

        yield from self._call(find_problems, self._settings, self._connection.where())
        states = self._call(inspect_collections, self._settings, self._refusals)
        # A new database has none: that is a fact, and in order.
        if any(state.exists for state in states):
            yield from (problem for state in states for problem in state.problems)
            yield from self._call(inspect_rollups, self._settings)
        yield from self._call(find_early_limit, self._plan(None, None, is_kept=False))
        yield from self._call(find_interrupted, self._settings)

    def _call(self, function: Callable[..., Answer], *arguments: Any) -> Answer:
        """Call `function` with the database and `arguments`; errors quote the server's message."""
        from .indexes import read_words

        try:
            self._connection.check_version()
            return function(self._connection.open(), *arguments)
        except OperationFailure as error:
            # No record was sent, so the server's message cannot quote one.
            explained = self._explain(error)
            message = f"{explained}. It says: {read_words(error)}"
            raise ExportError(message, fix=explained.fix) from None
        except PyMongoError as error:
            raise self._explain(error) from None

    def preload(self) -> None:
        """Import how collections are made: a command that only reads does not need it."""
        from . import collection  # noqa: F401

    def open(self) -> None:
        """Connect and create missing collections and indexes; problems are logged."""
        for state in self._prepare_records():
            for problem in state.problems:
                warn_rarely(f"problem: {problem.what}", "%s", problem)
            if state.size_bytes is not None:
                self._max_bytes[state.name] = min(state.size_bytes, MAX_DOCUMENT_BYTES)
        self._is_prepared = True

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Close the client, and that of the reader. A later call creates a new one."""
        self._connection.close(timeout_s)
        if self._made_reader is not None:
            self._made_reader.close(timeout_s)

    def abandon(self) -> None:
        """Let the process exit without waiting for the client's threads, and create no new client."""
        self._connection.abandon()
        if self._made_reader is not None:
            self._made_reader.abandon()

    def after_fork_in_child(self) -> None:
        """Forget the parent's client without closing it."""
        self._connection.after_fork_in_child()
        self._is_prepared = False

    def _store(self, records: Sequence[Record]) -> int:
        if not self._is_prepared:
            self.open()
        made = _make_documents(records)
        lost: dict[ObjectId, str] = {}
        try:
            # Kept records first: if the process dies between the two, they are safe.
            if self._settings.kept_size_bytes:
                lost |= self._store_in(self.kept_collection(), [one for one in made if one[0].kept])
            lost |= self._store_in(self.collection(), made)
        except (PyMongoError, ExportError) as error:
            # The server may come back empty, and an insert would create an uncapped collection.
            self._is_prepared = False
            if isinstance(error, ExportError):
                raise
            raise self._explain(error) from None
        if lost:
            reasons = ", ".join(sorted(set(lost.values())))
            warn_rarely("rejected", "Records rejected by MongoDB and lost: %d (%s)", len(lost), reasons)
        return len(lost)

    def _store_in(self, collection: Collection[Document], made: Sequence[Made]) -> dict[ObjectId, str]:
        """Insert documents, and stubs for those that are refused; return the reasons of the lost."""
        max_bytes = self._max_bytes.get(collection.name, MAX_DOCUMENT_BYTES)
        collection = collection.with_options(CODEC, write_concern=WriteConcern(j=True))
        refused = _insert(collection, made, max_bytes)
        if not refused:
            return {}
        stubs = [make_stub(one, refused[one.id]) for one, _ in made if one.id in refused]
        lost = _insert(collection, _make_documents(stubs), max_bytes)
        for stub in stubs:
            if stub.id not in lost:
                warn_of_stub(stub.id, refused[stub.id])
        return lost

    # Retention

    def measure(self) -> Sequence[Usage]:
        """Return how full the collections are, as far as they are there."""
        from .resizing import measure

        usages = [self._call(measure, name) for name in self._collection_names()]
        return [usage for usage in usages if usage is not None]

    def _collection_names(self) -> list[str]:
        settings = self._settings
        kept = [settings.kept_collection] if settings.kept_size_bytes else []
        return [settings.collection, *kept]

    def shard(self, *, is_dry_run: bool = False) -> Sharded | None:
        """Shard the collection of all records by the hashed ``_id``; kept ones stay on one shard."""
        from .sharding import shard

        plan = self._plan(None, None, is_kept=False)
        return self._call(shard, plan, is_dry_run)

    def resizes_in_place(self) -> bool:
        """Return False for a server that is too old, and for SecantusDB."""
        from .health import resizes_in_place

        return self._call(resizes_in_place)

    def resize(self, max_bytes: int | None = None, *, is_kept: bool = False) -> Resized | None:
        """Give a capped collection another size, and read it back."""
        from .resizing import resize

        plan = self._plan(None, max_bytes, is_kept=is_kept)
        if plan.size_bytes is None:
            raise TrackingError(
                "TRACKING_RETENTION is 'ttl': records expire after TRACKING_TTL_S, and no size bounds "
                "them. For one run `flask tracking migrate --to capped`, and change the setting."
            )
        return self._call(resize, plan)

    def rebuild(
        self, retention: str | None = None, max_bytes: int | None = None, *, is_kept: bool = False
    ) -> Iterator[Rebuilt]:
        """Copy a collection into a new one, which takes its name at once and fills up."""
        from .rebuilding import TIMEOUT_S, Rebuilding

        plan = self._plan(retention, max_bytes, is_kept=is_kept)
        try:
            self._connection.check_version()
            yield from Rebuilding(self._connection.open(), plan).run()
        except PyMongoError as error:
            raise self._explain(error, TIMEOUT_S) from None

    def _plan(self, retention: str | None, max_bytes: int | None, *, is_kept: bool) -> Plan:
        from .collection import plan_collections

        settings = self._settings
        if is_kept and not settings.kept_size_bytes:
            raise TrackingError("TRACKING_KEPT_SIZE is 0, so records cannot be kept.")
        changed: dict[str, Any] = {}
        if retention is not None:
            changed["retention"] = retention
        if max_bytes is not None:
            changed["kept_size_bytes" if is_kept else "table_size_bytes"] = max_bytes
        return plan_collections(dataclasses.replace(settings, **changed))[is_kept]

    def rewrite(self, revise: Revise, version: str, *, is_dry_run: bool = False) -> Iterator[Rewritten]:
        """Replace all records by their revisions, including those of the kept collection."""
        from .rewrite import TIMEOUT_S, Rewriting

        database = self._connection.open()
        names = (self._settings.collection, self._settings.kept_collection)
        timeout_s = self._settings.export_timeout_s
        try:
            self._connection.check_version()
            there = database.list_collection_names()
            timeout_s = TIMEOUT_S
            for one in names:
                if one in there:
                    yield from Rewriting(database[one], revise, version, is_dry_run).run()
        except PyMongoError as error:
            raise self._explain(error, timeout_s) from None

    def _explain(
        self, error: PyMongoError, timeout_s: float | None = None
    ) -> ExportError | FilterError:
        """Make an error whose message is safe to log: the driver's own may quote a document.

        Args:
            error: the driver's error.
            timeout_s: the time limit of the call, by default ``export_timeout_s``.
        """
        if error.timeout:
            return self._explain_timeout(error, timeout_s)
        where, name = self._connection.where(), type(error).__name__
        if isinstance(error, (OperationFailure, NotPrimaryError)):
            code = error.code if isinstance(error, OperationFailure) else _code_of(error)
            if code in BAD_VALUE_CODES and _EXPRESSION.search(str(error)):
                return FilterError(TOO_LONG_TEXT)
            return _explain_code(where, code)
        if isinstance(error, ConnectionFailure):
            message = f"{where} is unreachable or closed the connection ({name})"
            return ExportError(message, fix=FIX_CONNECTION)
        return ExportError(f"{where} cannot be used ({name})")

    def _explain_timeout(self, error: PyMongoError, timeout_s: float | None) -> StoreTimeoutError:
        where, name = self._connection.where(), type(error).__name__
        if self._connection.has_unknown_hosts():
            message = f"{where} cannot be reached: the name of its host is unknown ({name})"
            return StoreTimeoutError(message, fix=FIX_HOST)
        seconds = _limit_s.get() or timeout_s or self._settings.export_timeout_s
        message = f"{where} does not answer within {seconds:g} s ({name})"
        return StoreTimeoutError(message, fix=FIX_TIMEOUT)

    # Keeping

    def _keep(self, record_id: ObjectId, reason: str) -> bool:
        kept = self._open_kept()
        try:
            # A secondary may not have the record yet.
            primary = self.collection().with_options(read_preference=ReadPreference.PRIMARY)
            return copy_to_kept(for_reading(primary), kept, record_id, reason)
        except PyMongoError as error:
            raise self._explain(error) from None

    def unkeep(self, record_id: ObjectId) -> bool:
        """Stop keeping a record; False if it was not kept."""
        kept = self._open_kept()
        try:
            return bool(kept.delete_one({"_id": record_id}).deleted_count)
        except PyMongoError as error:
            raise self._explain(error) from None

    def _open_kept(self) -> Collection[Document]:
        if not self._settings.kept_size_bytes:
            raise TrackingError("TRACKING_KEPT_SIZE is 0, so records cannot be kept.")
        if not self._is_prepared:
            self.open()  # otherwise an insert would create a collection that is not capped
        return self.kept_collection().with_options(
            CODEC, ReadPreference.PRIMARY, write_concern=WriteConcern(j=True)
        )

    # Overrides

    def _load_overrides(self) -> Sequence[Override]:
        try:
            return overrides.load_overrides(self._connection.open(), self._settings.collection)
        except PyMongoError as error:
            raise self._explain(error) from None

    def store_overrides(self, values: Sequence[Override]) -> None:
        """Store overrides beside the records, for all processes that use the same collection."""
        try:
            overrides.store_overrides(self._connection.open(), self._settings.collection, values)
        except PyMongoError as error:
            raise self._explain(error) from None

    def clear_overrides(self, names: AnyCollection[str]) -> None:
        """Remove the overrides of these names."""
        try:
            overrides.clear_overrides(self._connection.open(), self._settings.collection, names)
        except PyMongoError as error:
            raise self._explain(error) from None

    # Reading

    def reader(self) -> MongoExporter:
        """Return the same store with another client, of a few connections, that reads secondaries.

        Raises:
            NoDatabaseError: no MongoDB is configured.
        """
        if self._is_reader or is_stand_in(self._connection.open()):
            return self  # another client of a stand-in is another database
        if self._made_reader is None:
            # Of two threads both get the one that was first.
            self.__dict__.setdefault("_reader", MongoExporter(self._settings, is_reader=True))
        return self.__dict__["_reader"]  # type: ignore[no-any-return]

    @property
    def _made_reader(self) -> MongoExporter | None:
        return self.__dict__.get("_reader")

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Limit the time of calls; the server is told how much is left (``maxTimeMS``)."""
        limit_s = min(seconds, self._settings.export_timeout_s)
        before = _limit_s.set(limit_s)
        try:
            with pymongo.timeout(limit_s):
                yield
        finally:
            _limit_s.reset(before)

    def get(self, record_id: ObjectId) -> Record | None:
        """Return the record with this id, or None.

        Raises:
            TrackingError: the document with this id is not a record.
        """
        query, mark = {"_id": record_id}, mark_kept
        try:
            document = None
            if self._settings.kept_size_bytes:
                document = for_reading(self.kept_collection()).find_one(query)
            if document is None:
                document, mark = for_reading(self.collection()).find_one(query), mark_other
        except PyMongoError as error:
            raise self._explain(error) from None
        if document is None:
            return None
        record = read_document(mark(document))
        if record is None:
            raise TrackingError(f"The document {record_id} is not a record: another program wrote it.")
        return record

    def find_ids(self, record_ids: AnyCollection[ObjectId]) -> set[ObjectId]:
        """Return those of the ids that are in one of the collections."""
        query = {"_id": {"$in": list(record_ids)}}
        try:
            collections = [self.collection()]
            if self._settings.kept_size_bytes:
                collections.append(self.kept_collection())
            found = (for_reading(one).find(query, {"_id": 1}) for one in collections)
            return {document["_id"] for documents in found for document in documents}
        except PyMongoError as error:
            raise self._explain(error) from None

    def count_records(self) -> int | None:
        """Return what the server's statistics say; None if it has to count for long."""
        try:
            with pymongo.timeout(COUNT_TIMEOUT_S):
                return self.collection().estimated_document_count()
        except PyMongoError:
            return None

    def _find(self, wanted: Filter, limit: int) -> list[Record]:
        return self._search(wanted, limit, read_document)

    def _find_facts(self, wanted: Filter, limit: int) -> list[Record]:
        if searches_bodies(wanted.condition):
            return super()._find_facts(wanted, limit)
        return self._search(wanted, limit, read_document, FACTS_PROJECTION)

    def _find_summaries(self, wanted: Filter, limit: int) -> list[RecordSummary]:
        if searches_bodies(wanted.condition):
            return super()._find_summaries(wanted, limit)
        return self._search(wanted, limit, read_summary, SUMMARY_PROJECTION)

    def _tail(self, wanted: Filter, after: Position | None, limit: int) -> Tail:
        from .tail import begin_tail, read_tail

        has_kept = bool(self._settings.kept_size_bytes)
        try:
            if after is None:
                return Tail([], begin_tail(self.collection()))
            return read_tail(self.collection(), wanted, after, limit, has_kept=has_kept)
        except PyMongoError as error:
            raise self._explain(error) from None

    def _find_stored(self, wanted: Filter, since: datetime, limit: int) -> list[RecordSummary]:
        from .tail import read_stored

        has_kept = bool(self._settings.kept_size_bytes)
        try:
            return read_stored(self.collection(), wanted, since, limit, has_kept=has_kept)
        except PyMongoError as error:
            raise self._explain(error) from None

    def _search(
        self, wanted: Filter, limit: int, read: Read[Found], projection: Projection = None
    ) -> list[Found]:
        try:
            kept = self.kept_collection() if self._settings.kept_size_bytes else None
            return search(Collections(self.collection(), kept), wanted, limit, read, projection)
        except PyMongoError as error:
            raise self._explain(error) from None


def _make_documents(records: Sequence[Record]) -> list[Made]:
    """Return each record with its document; None if a callback of the app broke the record."""
    now = utc_now()
    return [
        (record, call_foreign("making a document", to_document, record, now, default=None))
        for record in records
    ]


def _insert(
    collection: Collection[Document], made: Sequence[Made], max_bytes: int
) -> dict[ObjectId, str]:
    """Insert documents; return the ids of those that are not stored, with reasons."""
    unmade = {record.id: NO_DOCUMENT for record, document in made if document is None}
    documents = [document for _, document in made if document is not None]
    return unmade | insert_documents(collection, documents, max_bytes)


def _explain_code(where: str, code: int | None) -> ExportError:
    if code in LOGIN_CODES:
        message = f"{where} refuses the login or write access (code {code})"
        return ExportError(message, fix=FIX_LOGIN)
    if code in READ_ONLY_CODES:
        return ExportError(f"{where} is read-only (code {code})", fix=FIX_READ_ONLY)
    if code == OUT_OF_DISK_SPACE:
        return ExportError(f"{where} has no space left on its disk (code {code})", fix=FIX_DISK)
    return ExportError(f"{where} answers with an error (code {code})", fix=FIX_CODE)


def _code_of(error: NotPrimaryError) -> int | None:
    return error.details.get("code") if isinstance(error.details, Mapping) else None
