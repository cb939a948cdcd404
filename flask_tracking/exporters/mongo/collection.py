"""Create the collection and its indexes; say what was found instead.

Many processes may start at once: who comes second finds what the first one made.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from pymongo import IndexModel, MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import CollectionInvalid, OperationFailure

from ...config import Settings

Document = dict[str, Any]

FIRST_FAILURE = 500
"""From this status code on a record is in the index of failures."""
NAMESPACE_EXISTS = 48
INDEX_CONFLICTS = frozenset({85, 86})
"""The same keys stand there with other options, under another name or the same one."""


@dataclass(frozen=True, slots=True)
class CollectionState:
    """What `ensure_collection` made or found."""

    name: str
    was_created: bool
    is_capped: bool
    size_bytes: int | None
    """None when it is not capped."""
    max_documents: int | None
    ttl_s: int | None
    """None when nothing expires."""
    indexes: tuple[str, ...]
    """The names, sorted."""
    differences: tuple[str, ...]
    """What is not as the settings say, each with the command that mends it."""


_STAND_IN = CollectionState(
    name="a stand-in for MongoDB",
    was_created=False,
    is_capped=False,
    size_bytes=None,
    max_documents=None,
    ttl_s=None,
    indexes=(),
    differences=(),
)
"""What an app's tests have, mongomock for example: it knows no capped collections."""


def ensure_collection(database: Database[Document], settings: Settings) -> CollectionState:
    """Create what is missing, and change nothing of what is there but the expiry of ``ttl``."""
    name = settings.collection
    client: object = database.client
    if not isinstance(client, MongoClient):
        return _STAND_IN
    wants_capped = settings.retention == "capped"
    options = _read_options(database, name)
    was_created = options is None and _create(database, settings)
    if options is None:
        options = _read_options(database, name) or {}
    collection = database[name]
    _ensure_indexes(collection, settings)
    indexes = collection.index_information()
    expiries = [
        int(index["expireAfterSeconds"]) for index in indexes.values() if "expireAfterSeconds" in index
    ]
    ttl_s = min(expiries, default=None)
    return CollectionState(
        name=name,
        was_created=was_created,
        is_capped=bool(options.get("capped")),
        size_bytes=options.get("size"),
        max_documents=options.get("max"),
        ttl_s=ttl_s,
        indexes=tuple(sorted(indexes)),
        differences=(
            _find_differences(options, settings)
            if wants_capped
            else _find_ttl_differences(options, settings, ttl_s)
        ),
    )


def capped_size(settings: Settings) -> int:
    """Return the size that MongoDB makes of the setting: a multiple of 256 bytes."""
    return -(-settings.table_size_bytes // 256) * 256


def _create(database: Database[Document], settings: Settings) -> bool:
    options: dict[str, Any] = {}
    if settings.retention == "capped":
        options = {"capped": True, "size": capped_size(settings), "max": settings.max_documents}
    try:
        database.create_collection(settings.collection, check_exists=False, **options)
    except CollectionInvalid:
        return False
    except OperationFailure as error:
        if error.code == NAMESPACE_EXISTS:
            return False
        raise
    return True


def _read_options(database: Database[Document], name: str) -> Document | None:
    """Return the options of a collection, None when there is none of that name."""
    return dict(database[name].options()) if name in database.list_collection_names() else None


def _ensure_indexes(collection: Collection[Document], settings: Settings) -> None:
    _create_index(collection, [("date_stored", 1)])
    # Of failures only, so that other records pay nothing for it.
    failures = [("status_code", 1), ("date_created", 1)]
    _create_index(
        collection,
        failures,
        name="failures",
        partialFilterExpression={"status_code": {"$gte": FIRST_FAILURE}},
    )
    if settings.retention == "ttl":
        _ensure_expiry(collection, settings.ttl_s)
    else:
        _create_index(collection, [("date_created", 1)])
    for keys in settings.indexes:
        _create_index(collection, list(keys))


def _create_index(
    collection: Collection[Document], keys: list[tuple[str, int]], **options: Any
) -> bool:
    """Create an index; False when the same keys are indexed already, with other options."""
    try:
        collection.create_indexes([IndexModel(keys, **options)])
    except OperationFailure as error:
        if error.code in INDEX_CONFLICTS:
            return False
        raise
    return True


def _ensure_expiry(collection: Collection[Document], ttl_s: int) -> None:
    keys = [("date_created", 1)]
    if not _create_index(collection, keys, expireAfterSeconds=ttl_s):
        index = {"keyPattern": dict(keys), "expireAfterSeconds": ttl_s}
        # Not every role may change an index: then the old expiry stands, and is said to.
        with contextlib.suppress(OperationFailure):
            collection.database.command("collMod", collection.name, index=index)


def _find_differences(options: Document, settings: Settings) -> tuple[str, ...]:
    name, size = settings.collection, capped_size(settings)
    if not options.get("capped"):
        return (
            f"{name} is not capped and grows without bound. To cap it: "
            f"db.runCommand({{convertToCapped: '{name}', size: {size}}})",
        )
    differences = []
    if options.get("size") != size:
        differences.append(
            f"{name} is capped at {options.get('size')} bytes, TRACKING_TABLE_SIZE is {size}. "
            f"To resize it: db.runCommand({{collMod: '{name}', cappedSize: {size}}})"
        )
    if options.get("max", settings.max_documents) != settings.max_documents:
        differences.append(
            f"{name} is capped at {options.get('max')} documents, TRACKING_MAX_DOCUMENTS is "
            f"{settings.max_documents}. To change it: "
            f"db.runCommand({{collMod: '{name}', cappedMax: {settings.max_documents}}})"
        )
    return tuple(differences)


def _find_ttl_differences(options: Document, settings: Settings, ttl_s: int | None) -> tuple[str, ...]:
    if options.get("capped"):
        return (
            "The collection is capped, and nothing expires from a capped collection. Set "
            "TRACKING_RETENTION='capped', or name another TRACKING_COLLECTION.",
        )
    if ttl_s == settings.ttl_s:
        return ()
    return (
        f"Records of {settings.collection} expire after {ttl_s} s, TRACKING_TTL_S is {settings.ttl_s}. "
        f"To change it: db.runCommand({{collMod: '{settings.collection}', index: {{keyPattern: "
        f"{{date_created: 1}}, expireAfterSeconds: {settings.ttl_s}}}}})",
    )
