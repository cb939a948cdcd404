"""Create the collections and their indexes; say what was found instead.

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
from ...filters import FIRST_FAILURE

Document = dict[str, Any]

NAMESPACE_EXISTS = 48
INDEX_CONFLICTS = frozenset({85, 86})
"""The same keys stand there with other options, under another name or the same one."""


@dataclass(frozen=True, slots=True)
class CollectionState:
    """What `ensure_collections` made or found."""

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


@dataclass(frozen=True, slots=True)
class Plan:
    """What a collection should be like."""

    name: str
    size_bytes: int | None
    """None when it is not to be capped."""
    size_key: str
    """The setting that says so."""
    max_documents: int | None = None
    ttl_s: int | None = None
    has_failures: bool = False
    """True for an index of failures: not where most are."""
    indexes: tuple[tuple[tuple[str, int], ...], ...] = ()
    """Beyond that of ``date_created``."""


def plan_collections(settings: Settings) -> tuple[Plan, ...]:
    """Return what the settings ask for: the collection of all records, and that of the kept ones."""
    is_capped = settings.retention == "capped"
    plan = Plan(
        name=settings.collection,
        size_bytes=_capped_size(settings.table_size_bytes) if is_capped else None,
        size_key="TRACKING_TABLE_SIZE",
        max_documents=settings.max_documents if is_capped else None,
        ttl_s=None if is_capped else settings.ttl_s,
        has_failures=True,
        indexes=((("date_stored", 1),), *settings.indexes),
    )
    if not settings.kept_size_bytes:
        return (plan,)
    # Capped whatever the retention is: what is worth keeping should not go by age, nor without end.
    size_bytes = _capped_size(settings.kept_size_bytes)
    return (plan, Plan(settings.kept_collection, size_bytes, "TRACKING_KEPT_SIZE"))


def ensure_collections(database: Database[Document], settings: Settings) -> tuple[CollectionState, ...]:
    """Create what is missing, and change nothing of what is there but the expiry of ``ttl``.

    Returns:
        The state of each collection; that of all records comes first.
    """
    client: object = database.client
    if not isinstance(client, MongoClient):
        return (_STAND_IN,)
    return tuple(_ensure_collection(database, plan) for plan in plan_collections(settings))


def _ensure_collection(database: Database[Document], plan: Plan) -> CollectionState:
    options = _read_options(database, plan.name)
    was_created = options is None and _create(database, plan)
    if options is None:
        options = _read_options(database, plan.name) or {}
    collection = database[plan.name]
    _ensure_indexes(collection, plan)
    indexes = collection.index_information()
    expiries = [
        int(index["expireAfterSeconds"]) for index in indexes.values() if "expireAfterSeconds" in index
    ]
    ttl_s = min(expiries, default=None)
    return CollectionState(
        name=plan.name,
        was_created=was_created,
        is_capped=bool(options.get("capped")),
        size_bytes=options.get("size"),
        max_documents=options.get("max"),
        ttl_s=ttl_s,
        indexes=tuple(sorted(indexes)),
        differences=(
            _find_ttl_differences(options, plan, ttl_s)
            if plan.size_bytes is None
            else _find_differences(options, plan)
        ),
    )


def _capped_size(size_bytes: int) -> int:
    """Return the size that MongoDB makes of the setting: a multiple of 256 bytes."""
    return -(-size_bytes // 256) * 256


def _create(database: Database[Document], plan: Plan) -> bool:
    options: dict[str, Any] = {}
    if plan.size_bytes is not None:
        options = {"capped": True, "size": plan.size_bytes}
    if plan.max_documents is not None:
        options["max"] = plan.max_documents
    try:
        database.create_collection(plan.name, check_exists=False, **options)
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


def _ensure_indexes(collection: Collection[Document], plan: Plan) -> None:
    if plan.has_failures:
        # Of failures only, so that other records pay nothing for it.
        _create_index(
            collection,
            [("status_code", 1), ("date_created", 1)],
            name="failures",
            partialFilterExpression={"status_code": {"$gte": FIRST_FAILURE}},
        )
    if plan.ttl_s is not None:
        _ensure_expiry(collection, plan.ttl_s)
    else:
        _create_index(collection, [("date_created", 1)])
    for keys in plan.indexes:
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


def _find_differences(options: Document, plan: Plan) -> tuple[str, ...]:
    if not options.get("capped"):
        return (
            f"{plan.name} is not capped and grows without bound. To cap it: "
            f"db.runCommand({{convertToCapped: '{plan.name}', size: {plan.size_bytes}}})",
        )
    differences = []
    if options.get("size") != plan.size_bytes:
        differences.append(
            f"{plan.name} is capped at {options.get('size')} bytes, {plan.size_key} is "
            f"{plan.size_bytes}. To resize it: "
            f"db.runCommand({{collMod: '{plan.name}', cappedSize: {plan.size_bytes}}})"
        )
    if plan.max_documents is not None and options.get("max") not in (None, plan.max_documents):
        differences.append(
            f"{plan.name} is capped at {options.get('max')} documents, TRACKING_MAX_DOCUMENTS is "
            f"{plan.max_documents}. To change it: "
            f"db.runCommand({{collMod: '{plan.name}', cappedMax: {plan.max_documents}}})"
        )
    return tuple(differences)


def _find_ttl_differences(options: Document, plan: Plan, ttl_s: int | None) -> tuple[str, ...]:
    if options.get("capped"):
        return (
            "The collection is capped, and nothing expires from a capped collection. Set "
            "TRACKING_RETENTION='capped', or name another TRACKING_COLLECTION.",
        )
    if ttl_s == plan.ttl_s:
        return ()
    return (
        f"Records of {plan.name} expire after {ttl_s} s, TRACKING_TTL_S is {plan.ttl_s}. "
        f"To change it: db.runCommand({{collMod: '{plan.name}', index: {{keyPattern: "
        f"{{date_created: 1}}, expireAfterSeconds: {plan.ttl_s}}}}})",
    )
