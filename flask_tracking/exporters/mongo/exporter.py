"""Store batches in MongoDB, each record once, and find them again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
)

from ...config import Settings
from ...errors import ExportError
from ...filters import Filter
from ...forks import watch_forks
from ...guard import warn_rarely
from ...record import Record
from ..base import Exporter, Reader, Revise, Rewritten
from .codec import CODEC, UNENCODABLE, from_document, make_storable, to_document, utc_now
from .collection import CollectionState, ensure_collection
from .connection import Connection
from .query import NEWEST_FIRST, to_query
from .rewrite import TIMEOUT_S, Rewriting

__all__ = ["MongoExporter"]

Document = dict[str, Any]

DUPLICATE_KEY = 11000
LOGIN_CODES = frozenset({11, 13, 18, 8000})
READ_ONLY_CODES = frozenset({10107, 13435, 20})
TRANSIENT_CODES = frozenset(
    {6, 7, 24, 50, 89, 91, 112, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031}
)
"""Errors of one document that are the server's and not the document's: it is sent again."""


class MongoExporter(Exporter, Reader):
    """Writes to the collection of one app's settings, over a client of its own.

    Batches are inserted unordered with ids made by us and are acknowledged when they are in the
    journal. After a failure the same batch is inserted again, and what had arrived is left as it is.

    .. versionadded:: 2.0
    """

    def __init__(self, settings: Settings) -> None:
        """Prepare; the first round trip is made by `open`, `export` or a query.

        Args:
            settings: ``mongodb_uri`` or ``db_alias`` say where, ``collection`` and the retention
                settings what is created there, ``export_timeout_s`` bounds every call.
        """
        self._settings = settings
        self._connection = Connection(
            settings.mongodb_uri, settings.db_alias, settings.export_timeout_s
        )
        self._is_prepared = False
        watch_forks(self)

    def collection(self) -> Collection[Document]:
        """Return the collection for reading, by this process's client.

        Raises:
            NoDatabaseError: no MongoDB is configured.
        """
        return self._connection.open()[self._settings.collection]

    def prepare(self) -> CollectionState:
        """Create the collection and its indexes where they are missing.

        Returns:
            What was made or found, with what differs from the settings.

        Raises:
            ExportError: the server cannot be reached, or forbids it.
            NoDatabaseError: none is configured.
        """
        try:
            return ensure_collection(self._connection.open(), self._settings)
        except PyMongoError as error:
            raise self._explain(error) from None

    def open(self) -> None:
        """Connect, and create what is missing; what differs is logged, once."""
        for difference in self.prepare().differences:
            warn_rarely(f"difference {difference}", "%s", difference)
        self._is_prepared = True

    def close(self) -> None:
        """Close the client. A later call makes a new one."""
        self._connection.close()

    def abandon(self) -> None:
        """Let the process end without the client's threads, and make no client any more."""
        self._connection.abandon()

    def after_fork_in_child(self) -> None:
        """Leave the parent's client alone."""
        self._connection.after_fork_in_child()
        self._is_prepared = False

    def _store(self, records: Sequence[Record]) -> int:
        if not self._is_prepared:
            self.open()
        collection = self.collection().with_options(CODEC, write_concern=WriteConcern(j=True))
        date_stored = utc_now()
        documents = [to_document(record, date_stored) for record in records]
        try:
            try:
                refused = self._insert(collection, documents)
            except UNENCODABLE:
                refused = documents  # nothing tells which of them it was
            if not refused:
                return 0
            # As BSON can hold it, or without its bodies, a document may do after all. What was
            # stored by the first attempt is not stored twice.
            storable = [make_storable(document) for document in refused]
            again = [document for document in storable if document is not None]
            hopeless = len(refused) - len(again) + len(self._insert(collection, again))
        except PyMongoError as error:
            raise self._explain(error) from None
        if hopeless:
            warn_rarely("rejected", "MongoDB refuses %d records for good", hopeless)
        return hopeless

    def _insert(self, collection: Collection[Document], documents: list[Document]) -> list[Document]:
        """Insert what is not there yet; return the documents that the server refuses."""
        if not documents:
            return []
        try:
            collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            details = error.details
            if details.get("writeConcernErrors"):
                raise ExportError("the server could not confirm the write") from None
            refused = [one for one in details["writeErrors"] if one["code"] != DUPLICATE_KEY]
            for one in refused:
                if one["code"] in TRANSIENT_CODES:
                    raise ExportError(f"the server could not write (code {one['code']})") from None
            return [documents[one["index"]] for one in refused]
        return []

    def rewrite(
        self, revise: Revise, version: str, *, marker: str, is_dry_run: bool = False
    ) -> Iterator[Rewritten]:
        """Store all records anew as far as they differ, those of the kept collection as well."""
        database = self._connection.open()
        name = self._settings.collection
        try:
            there = database.list_collection_names()
            for one in (name, f"{name}_kept"):
                if one in there:
                    yield from Rewriting(database[one], revise, version, marker, is_dry_run).run()
        except PyMongoError as error:
            if error.timeout:
                kind = type(error).__name__
                message = f"{self._connection.where()} does not answer within {TIMEOUT_S:g} s ({kind})"
                raise ExportError(message) from None
            raise self._explain(error) from None

    def _explain(self, error: PyMongoError) -> ExportError:
        """Say what happened; the error's own text may quote a document."""
        where = self._connection.where()
        if isinstance(error, (OperationFailure, NotPrimaryError)):
            code = error.code if isinstance(error, OperationFailure) else _code_of(error)
            if code in LOGIN_CODES:
                return ExportError(f"{where} refuses the login or the right to write (code {code})")
            if code in READ_ONLY_CODES:
                return ExportError(f"{where} cannot be written to (code {code})")
            return ExportError(f"{where} answers with an error (code {code})")
        seconds = self._settings.export_timeout_s
        name = type(error).__name__
        if error.timeout:
            return ExportError(f"{where} does not answer within {seconds:g} s ({name})")
        if isinstance(error, ConnectionFailure):
            return ExportError(f"{where} cannot be reached, or broke off ({name})")
        return ExportError(f"{where} cannot be used ({name})")

    # Reading

    def get(self, record_id: ObjectId) -> Record | None:
        """Return the record with this id, or None."""
        try:
            document = self.collection().with_options(CODEC).find_one({"_id": record_id})
        except PyMongoError as error:
            raise self._explain(error) from None
        return None if document is None else from_document(document)

    def _find(self, wanted: Filter, limit: int) -> list[Record]:
        collection = self.collection().with_options(CODEC)
        try:
            cursor = collection.find(to_query(wanted)).sort(NEWEST_FIRST).limit(limit)
            return [from_document(document) for document in cursor]
        except PyMongoError as error:
            raise self._explain(error) from None


def _code_of(error: NotPrimaryError) -> int | None:
    return error.details.get("code") if isinstance(error.details, Mapping) else None
