"""Compute the update that turns a stored document into that of its revised record.

All other fields stay as they are, including those that `Record` does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import bson

from ...record import Record
from ...storable import CODEC
from .codec import to_document, utc_now

Document = dict[str, Any]

MAX_GUARDED_BYTES = 6 * 1024 * 1024
"""The old values of longer documents are not compared: a command is limited to 16 MiB."""


class Change(NamedTuple):
    """The update of one document, made only if it has not changed since it was read."""

    document: Document
    """The document as it was read."""
    values: Document
    """The new values of the fields that differ; null removes the value."""

    @property
    def id(self) -> Any:
        """The document's id."""
        return self.document["_id"]

    @property
    def is_secret(self) -> bool:
        """True if more than the redaction version differs."""
        return any(name != "redaction_version" for name in self.values)

    @property
    def old_values(self) -> Document:
        """The replaced values that must still be there when the update is made."""
        if not self.is_secret or encoded_size(self.document) > MAX_GUARDED_BYTES:
            return {}
        return {name: self.document[name] for name in self.values if name in self.document}

    def is_in(self, document: Document) -> bool:
        """Return True if `document` has the new values."""
        found = {name: document.get(name) for name in self.values}
        return _encode(found) == _encode(self.values)


def make_change(document: Document, before: Record, after: Record) -> Change:
    """Return the change that turns the document of `before` into that of `after`."""
    differing = [
        name for name, value in vars(before).items() if value != getattr(after, name) and name != "id"
    ]
    wanted = to_document(after, utc_now())
    values = {name: _keep_unknown(document.get(name), wanted.get(name)) for name in differing}
    return Change(document, values | {"redaction_version": after.redaction_version})


def _keep_unknown(old: Any, new: Any) -> Any:
    """Keep fields that other programs added to an embedded document."""
    if isinstance(old, Mapping) and isinstance(new, dict) and set(new) <= set(old):
        return {**old, **new}
    return new


def make_filter(change: Change) -> Document:
    """Return a filter that matches the document of `change` only if it has not changed since."""
    document = change.document
    query: Document = {"_id": change.id, "redaction_version": document.get("redaction_version")}
    return query | {name: {"$eq": value} for name, value in change.old_values.items()}


def make_update(changes: Sequence[Change], version: str) -> tuple[Document, list[Document]]:
    """Return one filter and one update that make all `changes`, which are sorted newest first.

    The server looks up the change of each document by its id and makes it only if the document has not
    changed since it was read. Other documents in the same range of time are left unchanged.
    """
    times = {
        "$gte": changes[-1].document["date_created"],
        "$lte": changes[0].document["date_created"],
    }
    versions = [change.document.get("redaction_version") for change in changes]
    is_same = [
        {"$gte": ["$$at", 0]},
        {"$eq": [{"$ifNull": ["$redaction_version", None]}, _own_of(versions)]},
        {
            "$setIsSubset": [
                {"$objectToArray": _own_of([change.old_values for change in changes])},
                {"$objectToArray": "$$ROOT"},
            ]
        },
    ]
    merged = {"$mergeObjects": ["$$ROOT", _own_of([change.values for change in changes])]}
    ids = [change.id for change in changes]
    replaced = {
        "$let": {
            "vars": {"at": {"$indexOfArray": [{"$literal": ids}, "$_id"]}},
            "in": {"$cond": [{"$and": is_same}, merged, "$$ROOT"]},
        }
    }
    query = {"date_created": times, "redaction_version": {"$ne": version}}
    return query, [{"$replaceWith": replaced}]


def _own_of(values: Sequence[Any]) -> Document:
    return {"$arrayElemAt": [{"$literal": values}, "$$at"]}


def encoded_size(document: Document) -> int:
    """Return the size of `document` in the store, in bytes."""
    return len(_encode(document))


def _encode(document: Document) -> bytes:
    return bson.encode(document, codec_options=CODEC)
