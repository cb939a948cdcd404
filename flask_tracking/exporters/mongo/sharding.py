"""Distribute the records over the shards of a cluster, by their hashed ids."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

from ...errors import TrackingError
from ..retention import Sharded
from .collection import Plan, read_options
from .connection import is_stand_in

Document = dict[str, Any]

KEY = {"_id": "hashed"}
"""It distributes writes evenly: ids that were made one after the other have unlike hashes."""


def make_commands(database: str, collection: str) -> tuple[str, ...]:
    """Return what does it in ``mongosh``."""
    return (
        f"sh.enableSharding('{database}')",
        f"db.getSiblingDB('{database}').getCollection('{collection}').createIndex({{_id: 'hashed'}})",
        f"sh.shardCollection('{database}.{collection}', {{_id: 'hashed'}})",
    )


def shard(database: Database[Document], plan: Plan, is_dry_run: bool) -> Sharded | None:
    """Shard a collection where the server is a cluster, and say what would do it elsewhere.

    Args:
        database: where it is.
        plan: its wanted kind; it exists, unless nothing is to be changed.
        is_dry_run: change nothing.

    Raises:
        TrackingError: it is capped, or is to be.
    """
    if is_stand_in(database):
        return None
    collection = plan.name
    options, _ = read_options(database, collection)
    if plan.size_bytes is not None or (options or {}).get("capped"):
        raise TrackingError(
            "A capped collection cannot be sharded. Set TRACKING_RETENTION='ttl'; for an existing "
            "collection run `flask tracking migrate --to ttl`."
        )
    commands = make_commands(database.name, collection)
    if is_dry_run or database.command("hello").get("msg") != "isdbgrid":
        return Sharded(collection, commands, is_done=False)
    if not database.command("collStats", collection).get("sharded"):
        admin = database.client.admin
        admin.command("enableSharding", database.name)
        # A collection that is not empty needs the index first; an empty one gets it anyway.
        database[collection].create_index([("_id", "hashed")])
        admin.command("shardCollection", f"{database.name}.{collection}", key=KEY)
    return Sharded(collection, commands, is_done=True)
