"""Overrides of settings, in a small collection beside the records from which MongoDB expires them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection as Names
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from ...config.overrides import NAMES, Override
from ...storable import CODEC
from .codec import for_reading

Document = dict[str, Any]


def load_overrides(database: Database[Document], name: str) -> list[Override]:
    """Return the stored overrides, possibly with expired ones: MongoDB removes them once a minute.

    Args:
        database: the database of the records.
        name: the collection of the records.
    """
    # By their ids, so that the collection is never scanned.
    found = for_reading(_collection(database, name)).find({"_id": {"$in": sorted(NAMES)}})
    return [
        Override(one["_id"], one.get("value"), one["set_at"], one["expires_at"])
        for one in found
        if isinstance(one.get("set_at"), datetime) and isinstance(one.get("expires_at"), datetime)
    ]


def store_overrides(database: Database[Document], name: str, overrides: Sequence[Override]) -> None:
    """Store `overrides`; each replaces one of the same name."""
    collection = _collection(database, name)
    # The role may lack the right to create an index. Without it expired overrides are only ignored.
    with contextlib.suppress(OperationFailure):
        collection.create_index("expires_at", expireAfterSeconds=0)
    for one in overrides:
        document = {"value": one.value, "set_at": one.set_at, "expires_at": one.expires_at}
        collection.replace_one({"_id": one.name}, document, upsert=True)


def clear_overrides(database: Database[Document], name: str, names: Names[str]) -> None:
    """Remove the overrides of these names."""
    _collection(database, name).delete_many({"_id": {"$in": sorted(names)}})


def _collection(database: Database[Document], name: str) -> Collection[Document]:
    return database[f"{name}_overrides"].with_options(CODEC, write_concern=WriteConcern(j=True))
