"""Insert a batch: each document once however often it is tried, and none at the cost of another."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from ...errors import ExportError
from .codec import MAX_DOCUMENT_BYTES, UNENCODABLE, is_longer, make_storable

Document = dict[str, Any]

DUPLICATE_KEY = 11000
TRANSIENT_CODES = frozenset(
    {6, 7, 24, 50, 89, 91, 112, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031}
)
"""Errors of one document that are the server's and not the document's: it is sent again."""


def insert_documents(
    collection: Collection[Document], documents: list[Document], max_bytes: int = MAX_DOCUMENT_BYTES
) -> set[ObjectId]:
    """Store what is not there yet.

    Args:
        collection: with a write concern that tells whether it is stored.
        documents: with ids.
        max_bytes: what one of them may take; a small capped collection takes less than MongoDB does.

    Returns:
        The ids of what the server refuses for good.

    Raises:
        ExportError: the server could not store all of them, or not confirm it.
        PyMongoError: as it comes.
    """
    refused: list[Document] = []
    fitting: list[Document] = []
    for document in documents:
        # A server may take what is longer than the whole collection, and all others make room for it.
        (refused if is_longer(document, max_bytes) else fitting).append(document)
    try:
        refused += _insert(collection, fitting)
    except UNENCODABLE:
        refused = documents  # nothing tells which of them it was
    # As BSON can hold it, or without its bodies, a document may do after all. What was stored by the
    # first attempt is not stored twice.
    storable = [make_storable(document, max_bytes) for document in refused]
    again = [document for document in storable if document is not None]
    hopeless = {document["_id"] for document in _insert(collection, again)}
    return hopeless | ({one["_id"] for one in refused} - {one["_id"] for one in again})


def _insert(collection: Collection[Document], documents: list[Document]) -> list[Document]:
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
