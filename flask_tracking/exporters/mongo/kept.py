"""The collection of kept records, which holds copies.

It alone decides whether a record is kept now. Keeping does not change the document in the other
collection, whose ``kept`` is the original decision of the rules.
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
    """Copy a document with the new reason; return True if it is kept now."""
    query = {"_id": record_id}
    if kept.find_one(query, {"_id": True}) is not None:
        return True
    document = collection.find_one(query)
    if document is None:
        return False
    with contextlib.suppress(DuplicateKeyError):  # kept by another process meanwhile
        kept.insert_one({**document, "kept": True, "kept_reason": reason})
    return True


def mark_kept(document: Document) -> Document:
    """Mark a document of the kept collection as kept."""
    return {**document, "kept": True}


def mark_other(document: Document) -> Document:
    """Mark a document of the other collection, which has no kept copy, as not kept."""
    return {**document, "kept": False, "kept_reason": None}
