"""Insert a batch: each document once however often it is tried, and none at the cost of another."""

from __future__ import annotations

from typing import Any, NamedTuple

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

TOO_LONG = "too long, or not to be encoded"


class Refused(NamedTuple):
    """A document that the server does not take."""

    document: Document
    reason: str


def insert_documents(
    collection: Collection[Document], documents: list[Document], max_bytes: int = MAX_DOCUMENT_BYTES
) -> dict[ObjectId, str]:
    """Store what is not there yet.

    Args:
        collection: with a write concern that tells whether it is stored.
        documents: with ids.
        max_bytes: what one of them may take; a small capped collection takes less than MongoDB does.

    Returns:
        The ids of what the server refuses for good, each with the reason, which quotes nothing of it.

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
        refused += [one.document for one in _insert(collection, fitting)]
    except UNENCODABLE:
        refused = documents  # nothing tells which of them it was
    # As BSON can hold it, or without its bodies, a document may do after all. What was stored by the
    # first attempt is not stored twice.
    storable = [make_storable(document, max_bytes) for document in refused]
    again = [document for document in storable if document is not None]
    sent = {document["_id"] for document in again}
    hopeless = {one["_id"]: TOO_LONG for one in refused if one["_id"] not in sent}
    return hopeless | {one.document["_id"]: one.reason for one in _insert(collection, again)}


def _insert(collection: Collection[Document], documents: list[Document]) -> list[Refused]:
    """Insert what is not there yet; return what the server refuses."""
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
        # The server's own words may quote the document.
        return [Refused(documents[one["index"]], f"code {one['code']}") for one in refused]
    return []
