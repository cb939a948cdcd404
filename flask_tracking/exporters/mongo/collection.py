"""Create the collections and their indexes, and report their state.

Many processes may start at the same time: creating something that exists is not an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import CollectionInvalid, OperationFailure

from ...config import Settings
from ...filters import FIRST, FIRST_FAILURE
from ...runtime.sizes import format_bound
from ..retention import round_up
from ..store import Place, Problem
from .codec import for_reading
from .connection import is_stand_in
from .indexes import EXPIRY, Index, Indexing, Refusals, read_refusal
from .rollups import INDEXES, MongoRollupTable

Document = dict[str, Any]

NAMESPACE_EXISTS = 48
_ROLLUP_INDEXES = [Index(tuple(keys)) for keys in INDEXES]
COUNTED_AFTER = timedelta(minutes=1)
"""By then the request of a record is in a rollup, even if several attempts to store it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionState(Place):
    """The state of a collection."""

    exists: bool = True
    is_capped: bool = False
    size_bytes: int | None = None
    """None if it is not capped."""
    max_documents: int | None = None
    ttl_s: int | None = None
    """None if records do not expire."""
    indexes: tuple[str, ...] = ()
    """The names, sorted."""
    problems: tuple[Problem, ...] = ()
    """Differences from the settings, and refusals of the server."""
    refusals: Refusals = field(default_factory=dict)
    """The refusals of the server, for `inspect_collections`."""


_STAND_IN = CollectionState(name="a stand-in for MongoDB")
"""The state in tests with mongomock and the like, which have no capped collections."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The wanted state of a collection."""

    name: str
    size_bytes: int | None
    """None if it is not capped."""
    size_key: str
    """The setting of the size."""
    max_documents: int | None = None
    ttl_s: int | None = None
    has_failures: bool = False
    """True for an index of failures, which is useless where most records are failures."""
    indexes: tuple[tuple[tuple[str, int], ...], ...] = ()
    """The indexes beside that of ``date_created``."""

    @property
    def resize_command(self) -> str:
        """The command that resizes the collection to the settings, whatever the server can do."""
        kept = " --kept" if self.size_key == "TRACKING_KEPT_SIZE" else ""
        return f"flask tracking resize{kept} --rebuild"


def plan_collections(settings: Settings) -> tuple[Plan, ...]:
    """Return the plans of the collection of all records and, if enabled, that of kept records."""
    is_capped = settings.retention == "capped"
    plan = Plan(
        name=settings.collection,
        size_bytes=round_up(settings.table_size_bytes) if is_capped else None,
        size_key="TRACKING_TABLE_SIZE",
        max_documents=settings.max_documents if is_capped else None,
        ttl_s=None if is_capped else settings.ttl_s,
        has_failures=True,
        indexes=((("date_stored", 1),), *settings.indexes),
    )
    if not settings.kept_size_bytes:
        return (plan,)
    # Capped even with retention by age: kept records must not expire, and must not grow without bound.
    size_bytes = round_up(settings.kept_size_bytes)
    return (plan, Plan(settings.kept_collection, size_bytes, "TRACKING_KEPT_SIZE"))


def ensure_collections(database: Database[Document], settings: Settings) -> tuple[CollectionState, ...]:
    """Create missing collections and indexes. Of existing ones, only the expiry is changed.

    Returns:
        The state of each collection; the one of all records comes first.
    """
    client: object = database.client
    if not isinstance(client, MongoClient):
        return (_STAND_IN,)
    return tuple(ensure_collection(database, plan) for plan in plan_collections(settings))


def ensure_rollups(
    database: Database[Document], name: str, table: MongoRollupTable
) -> CollectionState | None:
    """Create the collection of rollups with its indexes.

    Returns:
        Its state; None where there is none: the server refuses it, or is a stand-in.
    """
    if is_stand_in(database):
        return None
    before, _ = read_options(database, name)
    indexing = Indexing(database[name])
    if before is not None:
        indexing.read()
    missing = indexing.missing(_ROLLUP_INDEXES)
    table.prepare()
    options, _ = read_options(database, name)
    if options is None:
        return None
    indexing.note_created(missing)
    return CollectionState(
        name=name,
        was_created=before is None,
        facts=(
            f"holds rollups for {table.widths[-1].lifetime.days:,} days",
            *_describe(options, indexing),
            *(() if before is None else _name_created(indexing)),
        ),
        indexes=indexing.names,
    )


def inspect_collections(
    database: Database[Document], settings: Settings, refusals: Mapping[str, Refusals]
) -> tuple[CollectionState, ...]:
    """Return the state of each collection without creating anything.

    Args:
        database: the database of the collections.
        settings: the settings to compare with.
        refusals: earlier refusals of the server, by the name of the collection.
    """
    client: object = database.client
    if not isinstance(client, MongoClient):
        return (_STAND_IN,)
    return tuple(
        _inspect_collection(database, plan, refusals.get(plan.name))
        for plan in plan_collections(settings)
    )


def inspect_rollups(database: Database[Document], settings: Settings) -> Iterator[Problem]:
    """Yield what is missing of the collection of rollups, if processes had the time to create it."""
    if is_stand_in(database) or not settings.rollup_days:
        return
    name = settings.rollup_collection
    options, _ = read_options(database, name)
    if options is not None:
        indexing = Indexing(database[name])
        indexing.read()
        yield from indexing.find_missing(_ROLLUP_INDEXES)
    elif _has_records(database[settings.collection]):
        yield Problem(
            "warning",
            f"{name} does not exist: there are no counts of requests",
            "The next start of the app creates it. To create it now",
            "flask tracking init",
        )


def _has_records(collection: Collection[Document]) -> bool:
    """Return True for records that arrived so long ago that rollups count them."""
    counted = datetime.now(timezone.utc) - COUNTED_AFTER
    query = {"date_created": {"$gte": FIRST, "$lt": counted}}
    return for_reading(collection).find_one(query, {"_id": True}) is not None


def ensure_collection(database: Database[Document], plan: Plan) -> CollectionState:
    """Do what `ensure_collections` does, for one."""
    options, refusal = read_options(database, plan.name)
    was_created = options is None and create(database, plan)
    if options is None:
        options, refusal = read_options(database, plan.name)
    indexing = Indexing(database[plan.name])
    indexing.ensure(_wished_indexes(plan), plan.ttl_s)
    return _make_state(plan, options or {}, refusal, indexing, was_created)


def _inspect_collection(
    database: Database[Document], plan: Plan, refusals: Refusals | None
) -> CollectionState:
    options, refusal = read_options(database, plan.name)
    if options is None:
        missing = Problem(
            "warning",
            f"{plan.name} does not exist",
            "The next start of the app creates it. To create it now",
            "flask tracking init",
        )
        return CollectionState(name=plan.name, exists=False, problems=(missing,))
    indexing = Indexing(database[plan.name], refusals)
    indexing.read()
    return _make_state(plan, options, refusal, indexing, was_created=False)


def _make_state(
    plan: Plan, options: Document, refusal: str | None, indexing: Indexing, was_created: bool
) -> CollectionState:
    return CollectionState(
        name=plan.name,
        was_created=was_created,
        facts=(*_describe(options, indexing), *(() if was_created else _name_created(indexing))),
        is_capped=bool(options.get("capped")),
        size_bytes=options.get("size"),
        max_documents=options.get("max"),
        ttl_s=indexing.ttl_s,
        indexes=indexing.names,
        problems=(
            *_find_problems(options, refusal, plan, indexing),
            *indexing.find_problems(_wished_indexes(plan)),
        ),
        refusals=indexing.refusals,
    )


def _describe(options: Document, indexing: Indexing) -> Iterator[str]:
    if options.get("capped"):
        most = f" and {options['max']:,} documents" if options.get("max") else ""
        yield f"capped at {format_bound(options['size'])}{most}"
    elif indexing.ttl_s is not None:
        yield f"records expire after {indexing.ttl_s:,} seconds"
    if indexing.names:
        yield f"indexes: {', '.join(indexing.names)}"


def _name_created(indexing: Indexing) -> Iterator[str]:
    """Yield the indexes that an existing collection lacked."""
    return (f"created its index of {index.fields}" for index in indexing.created)


def _find_problems(
    options: Document, refusal: str | None, plan: Plan, indexing: Indexing
) -> Iterator[Problem]:
    if refusal is not None:
        yield Problem(
            "warning",
            f"The server does not show the options of {plan.name}: {refusal}",
            "Recording goes on; they cannot be compared with the settings",
        )
    elif plan.size_bytes is not None:
        yield from find_capped_problems(options, plan)
    else:
        yield from _find_ttl_problems(options, plan, indexing)


def create(database: Database[Document], plan: Plan) -> bool:
    """Create a collection as planned, without its indexes; False where there is one of that name."""
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


def read_options(database: Database[Document], name: str) -> tuple[Document | None, str | None]:
    """Return the options of a collection, or None if it does not exist.

    If the server refuses to show them, the collection exists: return no options, and the reason.
    """
    try:
        there = name in database.list_collection_names()
        return (dict(database[name].options()) if there else None), None
    except OperationFailure as error:
        refusal = read_refusal(error)
        # Every login may list the collections that it may use.
        if name not in database.list_collection_names(authorizedCollections=True):
            raise
        return {}, refusal


def _wished_indexes(plan: Plan) -> list[Index]:
    wished = [Index(keys) for keys in plan.indexes]
    if plan.has_failures:
        # A partial index: other records cost nothing.
        failures = {"partialFilterExpression": {"status_code": {"$gte": FIRST_FAILURE}}}
        keys = (("status_code", 1), ("date_created", 1))
        wished.insert(0, Index(keys, {"name": "failures", **failures}))
    return wished


def find_capped_problems(options: Document, plan: Plan) -> Iterator[Problem]:
    """Yield what differs from a plan with a size."""
    name, size, most = plan.name, plan.size_bytes, plan.max_documents
    found_size, found_most = options.get("size"), options.get("max")
    if not options.get("capped"):
        yield Problem(
            "warning",
            f"{name} is not capped and grows without bound",
            "To cap it",
            plan.resize_command,
        )
        return
    if size is not None and found_size != size:
        yield Problem(
            "warning",
            f"{name} is capped at {format_bound(found_size or 0)}, "
            f"{plan.size_key} is {format_bound(size)}",
            "To resize it, by a copy where the server cannot",
            plan.resize_command,
        )
    if most is not None and found_most not in (None, most):
        yield Problem(
            "warning",
            f"{name} is capped at {found_most:,} documents, TRACKING_MAX_DOCUMENTS is {most:,}",
            "To change it, by a copy where the server cannot",
            plan.resize_command,
        )


def _find_ttl_problems(options: Document, plan: Plan, indexing: Indexing) -> Iterator[Problem]:
    name, found, wanted = plan.name, indexing.ttl_s, plan.ttl_s
    refusal = indexing.refusals.get(EXPIRY)
    reason = f" (the server refuses that: {refusal})" if refusal else ""
    if options.get("capped"):
        yield Problem(
            "warning",
            f"{name} is capped, and nothing expires from a capped collection",
            "To convert it",
            "flask tracking migrate --to ttl",
        )
    elif found == wanted or not indexing.names:
        return
    elif found is None:
        yield Problem(
            "warning",
            f"Records of {name} never expire, TRACKING_TTL_S is {wanted}{reason}",
            "Delete old records yourself, or set TRACKING_RETENTION='capped'",
        )
    else:
        # The server may refuse it to the app's user: then an administrator can do it in mongosh.
        index = f"{{keyPattern: {{date_created: 1}}, expireAfterSeconds: {wanted}}}"
        by_hand = f"db.runCommand({{collMod: '{name}', index: {index}}})"
        yield Problem(
            "warning",
            f"Records of {name} expire after {found} s, TRACKING_TTL_S is {wanted}{reason}",
            "To change it" if reason else "The next start of the app changes it. To change it now",
            by_hand if reason else "flask tracking init",
        )
