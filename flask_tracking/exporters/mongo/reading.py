"""Ask for documents so that servers which plan little use an index as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.collection import Collection
from pymongo.command_cursor import CommandCursor
from pymongo.cursor import Cursor

from .codec import for_reading

Document = dict[str, Any]


def find_documents(
    collection: Collection[Document],
    query: Mapping[str, Any],
    projection: Mapping[str, Any] | None,
    sort: Sequence[tuple[str, int]],
    limit: int = 0,
) -> Cursor[Document] | CommandCursor[Document]:
    """Return a cursor over documents.

    SecantusDB reads the whole collection if an operator like `$or` stands beside an indexed range. With
    the range in a stage of its own it reads that alone. MongoDB plans both alike.

    Args:
        collection: where they are.
        query: with an indexed range among its fields.
        projection: the fields that are wanted; None for all.
        sort: fields and directions.
        limit: maximum number of documents; 0 for no limit.
    """
    collection = for_reading(collection)
    operators = {key: value for key, value in query.items() if key.startswith("$")}
    if not operators:
        return collection.find(query, projection).sort(sort).limit(limit)
    fields = {key: value for key, value in query.items() if key not in operators}
    stages: list[Document] = [{"$match": fields}, {"$match": operators}, {"$sort": dict(sort)}]
    if limit:
        stages.append({"$limit": limit})
    if projection is not None:
        stages.append({"$project": dict(projection)})
    return collection.aggregate(stages)
