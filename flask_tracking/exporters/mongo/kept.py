"""The collection of kept records: copies of those that are worth more than routine ones.

It is the truth about what is kept. The document in the other collection is never changed, because old
servers let none grow in a capped collection: there ``kept`` says what the rules said at first.
"""

from __future__ import annotations

import contextlib
from typing import Any

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from ...errors import TrackingError
from ...record import Record
from .codec import read_document

Document = dict[str, Any]

FORBIDDEN_CODES = frozenset({20, 10101})
"""What MongoDB before 5.0 answers to a delete from a capped collection."""


def copy_to_kept(
    collection: Collection[Document], kept: Collection[Document], record_id: ObjectId, reason: str
) -> bool:
    """Copy a document as it is, but for the reason; tell whether it is kept now."""
    query = {"_id": record_id}
    if kept.find_one(query, {"_id": True}) is not None:
        return True
    document = collection.find_one(query)
    if document is None:
        return False
    with contextlib.suppress(DuplicateKeyError):  # somebody else was as quick
        kept.insert_one({**document, "kept": True, "kept_reason": reason})
    return True


def forbidden(where: str, name: str) -> TrackingError:
    """Return the error of a server that deletes nothing from a capped collection."""
    return TrackingError(
        f"{where} deletes nothing from a capped collection; MongoDB 5.0 and later do. The record goes "
        f"when newer ones need its room. To forget all of them now: db.{name}.drop(), then "
        "`flask tracking init`."
    )


def read_kept(document: Document) -> Record | None:
    """Return the record of a document in the collection of the kept ones; None where it is none."""
    return read_document({**document, "kept": True})


def read_other(document: Document) -> Record | None:
    """Return that of one in the other collection, where no copy of it is kept; or None."""
    return read_document({**document, "kept": False, "kept_reason": None})
