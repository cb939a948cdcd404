"""Insert batches so that each document is stored once, and none can prevent another."""

from __future__ import annotations

from typing import Any, NamedTuple

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from ...errors import ExportError
from ...storable import MAX_DOCUMENT_BYTES, UNENCODABLE, make_storable
from .codec import is_longer

Document = dict[str, Any]

DUPLICATE_KEY = 11000
TRANSIENT_CODES = frozenset(
    {6, 7, 24, 50, 89, 91, 112, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031}
)
"""Error codes of a single document that are the server's fault: the document is sent again."""

TOO_LONG = "too long or not encodable"


class Refused(NamedTuple):
    """A document that the server refuses."""

    document: Any
    reason: str


def insert_documents(
    collection: Collection[Document], documents: list[Document], max_bytes: int = MAX_DOCUMENT_BYTES
) -> dict[ObjectId, str]:
    """Insert the documents that are not stored yet.

    Args:
        collection: with a write concern that confirms writes.
        documents: with ids.
        max_bytes: maximum size of a document; less than MongoDB's own for a small capped collection.

    Returns:
        The ids of permanently refused documents, each with a reason that is safe to log.

    Raises:
        ExportError: the server could not store some of them, or could not confirm the write.
        PyMongoError: any other error of the driver.
    """
    refused: list[Document] = []
    fitting: list[Document] = []
    for document in documents:
        # Some servers accept a document longer than the collection, and evict all others for it.
        (refused if is_longer(document, max_bytes) else fitting).append(document)
    try:
        refused += [one.document for one in insert_once(collection, fitting)]
    except UNENCODABLE:
        refused = documents  # the error does not say which document caused it
    # A refused document may be accepted with its values escaped or without its bodies. Documents stored
    # by the first attempt are not stored twice.
    storable = [make_storable(document, max_bytes) for document in refused]
    again = [document for document in storable if document is not None]
    sent = {document["_id"] for document in again}
    hopeless = {one["_id"]: TOO_LONG for one in refused if one["_id"] not in sent}
    return hopeless | {one.document["_id"]: one.reason for one in insert_once(collection, again)}


def insert_once(collection: Collection[Any], documents: list[Any]) -> list[Refused]:
    """Insert the documents that are not stored yet; return those that the server refuses.

    Raises:
        ExportError: the server could not store all of them, or not confirm it.
        PyMongoError: as it comes.
    """
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
        # The server's own message may quote the document.
        return [Refused(documents[one["index"]], f"code {one['code']}") for one in refused]
    return []
