"""Create the indexes of a collection, and report which of them the server refuses.

Only the index of ``date_created`` is required, because every query is a range of it. Servers that speak
MongoDB's protocol may not support every kind of index, and a role may lack the right to create one:
that costs speed, never a record.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pymongo import IndexModel
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from ..store import Problem
from .inserting import TRANSIENT_CODES

Document = dict[str, Any]
Keys = tuple[tuple[str, int], ...]

INDEX_CONFLICTS = frozenset({85, 86})
"""The codes for an index of the same keys with other options, under another name or the same one."""
MAX_WORDS_LENGTH = 300
"""The number of characters of a server's message that are shown."""

REQUIRED: Keys = (("date_created", 1),)


class Index(NamedTuple):
    """An index that a collection should have."""

    keys: Keys
    options: Mapping[str, Any] = {}

    @property
    def fields(self) -> str:
        """The names of the fields, for messages."""
        return ", ".join(name for name, _ in self.keys)

    def to_model(self) -> IndexModel:
        """Return the index as a model of PyMongo."""
        return IndexModel(list(self.keys), **self.options)


Refusals = dict[Keys, str]
"""The server's reasons for refusing indexes, by their keys; that for the expiry by `EXPIRY`."""
EXPIRY: Keys = (("expireAfterSeconds", 1),)


class Indexing:
    """Creates and checks the indexes of one collection."""

    def __init__(self, collection: Collection[Document], refusals: Refusals | None = None) -> None:
        """Store the arguments; `ensure` or `read` makes the first round trip.

        Args:
            collection: the collection.
            refusals: earlier refusals of the server.
        """
        self._collection = collection
        self._found: Mapping[str, Any] | None = None
        self._unseen: str | None = None
        self.refusals: Refusals = dict(refusals or {})
        self.created: Sequence[Index] = ()
        """The indexes that `ensure` has created, as far as the server shows them."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the indexes, sorted; empty if the server does not show them."""
        return tuple(sorted(self._found or ()))

    @property
    def ttl_s(self) -> int | None:
        """The lifetime of records in seconds; None if they do not expire."""
        expiries = (index.get("expireAfterSeconds") for index in (self._found or {}).values())
        # Older servers accepted NaN.
        numbers = (one for one in expiries if isinstance(one, (int, float)) and math.isfinite(one))
        return min(map(int, numbers), default=None)

    def find_problems(self, others: Sequence[Index]) -> Iterator[Problem]:
        """Yield problems: missing indexes, and indexes that the server does not show.

        Args:
            others: the wanted indexes beside the required one.
        """
        name = self._collection.name
        if self._unseen is not None:
            yield Problem(
                "warning",
                f"The server does not show the indexes of {name}: {self._unseen}",
                "Recording goes on; they cannot be compared with the settings",
            )
        yield from self.find_missing((Index(REQUIRED), *others))

    def find_missing(self, wished: Sequence[Index]) -> Iterator[Problem]:
        """Yield a problem for each of these indexes that is missing, and that the server shows."""
        name = self._collection.name
        for index in self.missing(wished):
            reason = self.refusals.get(index.keys)
            if reason is not None:
                yield Problem(
                    "warning",
                    f"The server refuses {name} an index of {index.fields}: {reason}",
                    "Recording goes on; queries for these fields are slower",
                )
            elif self._found is not None:
                yield Problem(
                    "warning",
                    f"{name} has no index of {index.fields}",
                    f"{_name_cost(index)}. To create it",
                    "flask tracking init",
                )

    def missing(self, wished: Sequence[Index]) -> list[Index]:
        """Return those of the wanted indexes that are not known to exist."""
        there = [_keys_of(index) for index in (self._found or {}).values()]
        return [one for one in wished if one.keys not in there]

    def ensure(self, others: Sequence[Index], ttl_s: int | None) -> None:
        """Create missing indexes. Of existing ones, only the expiry is changed.

        Args:
            others: the wanted indexes beside the required one.
            ttl_s: the lifetime of records in seconds; None for no expiry.

        Raises:
            OperationFailure: the server refuses the required index.
            PyMongoError: any other error of the driver.
        """
        self.read()
        required = Index(REQUIRED, {} if ttl_s is None else {"expireAfterSeconds": ttl_s})
        missing = self.missing((required, *others))
        if missing and not self._create(missing):
            for one in missing:
                self._create_one(one)
        if missing:
            self.note_created(missing)
        if ttl_s is not None and self._found is not None and self.ttl_s != ttl_s:
            self._change_ttl(ttl_s)

    def note_created(self, missing: Sequence[Index]) -> None:
        """Read the indexes, and remember which exist of those that were missing before."""
        self.read()
        left = self.missing(missing)
        self.created = [one for one in missing if one not in left]

    def read(self) -> None:
        """Read the existing indexes, if the server shows them."""
        try:
            self._found = self._collection.index_information()
        except OperationFailure as error:
            # Creating an index that exists changes nothing, so an existing one does no harm.
            self._unseen = read_refusal(error)

    def _create(self, missing: Sequence[Index]) -> bool:
        try:
            self._collection.create_indexes([one.to_model() for one in missing])
        except OperationFailure as error:
            read_refusal(error)
            return False
        return True

    def _create_one(self, index: Index) -> None:
        try:
            self._collection.create_indexes([index.to_model()])
        except OperationFailure as error:
            reason = read_refusal(error)
            if error.code in INDEX_CONFLICTS:
                return
            if index.keys == REQUIRED:
                self._create_required(index, error, reason)
                return
            self.refusals[index.keys] = reason

    def _create_required(self, index: Index, error: OperationFailure, reason: str) -> None:
        if index.options:  # the server may not support expiry
            self.refusals[EXPIRY] = reason
            self._create_one(Index(index.keys))
        elif self._found is not None:  # otherwise it may exist
            raise error

    def _change_ttl(self, ttl_s: int) -> None:
        index = {"keyPattern": dict(REQUIRED), "expireAfterSeconds": ttl_s}
        try:
            self._collection.database.command("collMod", self._collection.name, index=index)
        except OperationFailure as error:  # the role may lack the right: the old expiry stays
            reason = read_refusal(error)
            self.refusals.setdefault(EXPIRY, reason)
        self.read()


def _name_cost(index: Index) -> str:
    if index.keys == REQUIRED:
        return "Every query reads all records, and takes seconds or fails"
    return "Queries for these fields are slower"


def _keys_of(index: Mapping[str, Any]) -> Keys:
    return tuple((name, direction) for name, direction in index["key"])


def read_refusal(error: OperationFailure) -> str:
    """Return the server's message for a permanent refusal.

    Raises:
        OperationFailure: the refusal is transient.
    """
    if error.timeout or error.code in TRANSIENT_CODES:
        raise error
    return read_words(error)


def read_words(error: OperationFailure) -> str:
    """Return the server's message up to a brace: after it, the message may quote a document."""
    message = str((error.details or {}).get("errmsg") or "")
    words = " ".join(message.partition("{")[0].split()).rstrip(":, ")
    return words[:MAX_WORDS_LENGTH] or f"code {error.code}"
