"""Records as flat dicts, for pandas and whatever else takes rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bson import ObjectId

from ..record import Record
from ..record_summary import COLUMNS, RecordSummary

__all__ = ["to_dicts"]


def to_dicts(records: Iterable[Record | RecordSummary]) -> list[dict[str, Any]]:
    """Return a flat dict for each record, all with the same keys: ``DataFrame(to_dicts(records))``.

    Each column is named by its place in a record, parts with dots: ``user_agent.browser``,
    ``exception.type``, and ``custom_data.order_id`` for custom data that is a dict. Summaries and files
    of CSV have the same names. Ids are text; times, numbers, bytes and lists stay what they are. What a
    record does not have is None.

    Args:
        records: what `find_newest` returns, of one kind.

    .. versionadded:: 2.0
    """
    rows = [dict(_flatten(record)) for record in records]
    keys = dict.fromkeys(key for row in rows for key in row)
    return [{key: row.get(key) for key in keys} for row in rows]


def _flatten(record: Record | RecordSummary) -> Iterator[tuple[str, Any]]:
    for name, value in _list_columns(record).items():
        part = value._asdict() if hasattr(value, "_asdict") else value
        if isinstance(part, Mapping) and name != "view_args":
            yield from ((f"{name}.{key}", _plain(inner)) for key, inner in part.items())
        else:
            yield name, _plain(part)


def _list_columns(record: Record | RecordSummary) -> dict[str, Any]:
    return vars(record) if isinstance(record, Record) else dict(zip(COLUMNS, record, strict=True))


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, ObjectId) else value
