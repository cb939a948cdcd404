"""The collection of kept records: copies of those that are worth more than routine ones.

It is the truth about what is kept. Keeping does not change the document in the other collection: its
``kept`` says what the rules said at first.
"""

from __future__ import annotations

import contextlib
from typing import Any

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

Document = dict[str, Any]


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


def mark_kept(document: Document) -> Document:
    """Return a document of the collection of kept records, so that its record is kept."""
    return {**document, "kept": True}


def mark_other(document: Document) -> Document:
    """Return a document of the other collection, of which there is no kept copy."""
    return {**document, "kept": False, "kept_reason": None}
