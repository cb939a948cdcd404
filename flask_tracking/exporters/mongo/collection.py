"""Create the collections and their indexes; say what was found instead.

Many processes may start at once: who comes second finds what the first one made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import CollectionInvalid, OperationFailure

from ...config import Settings
from ...filters import FIRST_FAILURE
from .indexes import Index, Indexing, read_refusal

Document = dict[str, Any]

NAMESPACE_EXISTS = 48


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
    options, refusal = _read_options(database, plan.name)
    was_created = options is None and _create(database, plan)
    if options is None:
        options, refusal = _read_options(database, plan.name)
    indexing = Indexing(database[plan.name])
    indexing.ensure(_wished_indexes(plan), plan.ttl_s)
    return CollectionState(
        name=plan.name,
        was_created=was_created,
        is_capped=bool(options and options.get("capped")),
        size_bytes=options.get("size") if options else None,
        max_documents=options.get("max") if options else None,
        ttl_s=indexing.ttl_s,
        indexes=indexing.names,
        differences=(
            *_find_all_differences(options or {}, refusal, plan, indexing),
            *indexing.differences,
        ),
    )


def _find_all_differences(
    options: Document, refusal: str | None, plan: Plan, indexing: Indexing
) -> tuple[str, ...]:
    if refusal is not None:
        return (f"The server does not show the options of {plan.name}: {refusal}",)
    if plan.size_bytes is not None:
        return _find_differences(options, plan)
    return _find_ttl_differences(options, plan, indexing)


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


def _read_options(database: Database[Document], name: str) -> tuple[Document | None, str | None]:
    """Return the options of a collection, None when there is none of that name.

    Also why the server does not show them, if it does not: the collection is there then.
    """
    try:
        there = name in database.list_collection_names()
        return (dict(database[name].options()) if there else None), None
    except OperationFailure as error:
        refusal = read_refusal(error)
        # What the login may use at all is shown to every login.
        if name not in database.list_collection_names(authorizedCollections=True):
            raise
        return {}, refusal


def _wished_indexes(plan: Plan) -> list[Index]:
    wished = [Index(keys) for keys in plan.indexes]
    if plan.has_failures:
        # Of failures only, so that other records pay nothing for it.
        failures = {"partialFilterExpression": {"status_code": {"$gte": FIRST_FAILURE}}}
        keys = (("status_code", 1), ("date_created", 1))
        wished.insert(0, Index(keys, {"name": "failures", **failures}))
    return wished


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


def _find_ttl_differences(options: Document, plan: Plan, indexing: Indexing) -> tuple[str, ...]:
    if options.get("capped"):
        return (
            "The collection is capped, and nothing expires from a capped collection. Set "
            "TRACKING_RETENTION='capped', or name another TRACKING_COLLECTION.",
        )
    if indexing.ttl_s == plan.ttl_s or not indexing.names:
        return ()
    refusal = indexing.ttl_refusal
    reason = f" The server refuses that: {refusal}" if refusal else ""
    if indexing.ttl_s is None:
        return (f"Records of {plan.name} never expire, TRACKING_TTL_S is {plan.ttl_s}.{reason}",)
    return (
        f"Records of {plan.name} expire after {indexing.ttl_s} s, TRACKING_TTL_S is {plan.ttl_s}. "
        f"To change it: db.runCommand({{collMod: '{plan.name}', index: {{keyPattern: "
        f"{{date_created: 1}}, expireAfterSeconds: {plan.ttl_s}}}}}){reason}",
    )
