"""`RecordSummary`: the columns of a stored record that a list shows, without headers, bodies and data.

`record.Summary` is another thing: it is made of a capture, and decides whether there will be a record.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from bson import ObjectId

from .record import Record

__all__ = ["COLUMNS", "RecordSummary", "summarize"]


class RecordSummary(NamedTuple):
    """A stored record in a list. Its fields have the meanings and defaults of those of `Record`.

    .. versionadded:: 2.0
    """

    id: ObjectId
    date_created: datetime
    kind: str = "request"
    name: str | None = None
    method: str | None = None
    path: str | None = None
    query_params: str | None = None
    user_id: str | None = None
    user_repr: str | None = None
    status_code: int | None = None
    execution_time: float | None = None
    """In milliseconds."""
    outcome: str = "ok"
    url_rule: str | None = None
    request_body_size: int = 0
    """In bytes."""
    response_body_size: int = 0
    trace_id: str | None = None
    kept: bool = False
    kept_reason: str | None = None
    exception_type: str | None = None
    """`Record.exception`'s type."""
    host: str | None = None
    hostname: str | None = None
    version: str | None = None

    @property
    def path_and_query(self) -> str:
        """The path, and behind a ``?`` the query where there is one."""
        path = self.path or ""
        return f"{path}?{self.query_params}" if self.query_params else path

    @property
    def user(self) -> str:
        """The best name of the user; empty for none."""
        return self.user_repr or self.user_id or ""

    @property
    def error(self) -> str:
        """The last part of the exception's name, or the outcome; empty where all went well."""
        if self.exception_type is not None:
            return self.exception_type.rpartition(".")[2]
        return "" if self.outcome == "ok" else self.outcome

    def __repr__(self) -> str:
        """Name the record without quoting what strangers wrote."""
        return f"<RecordSummary {self.id} {self.kind} {self.status_code}>"


COLUMNS = tuple(
    "exception.type" if name == "exception_type" else name for name in RecordSummary._fields
)
"""The fields as columns of a table: each is named by its place in a record, parts with a dot."""
RECORD_FIELDS = tuple(name for name in RecordSummary._fields if name != "exception_type")
"""The fields that a record has by the same name."""


def summarize(record: Record) -> RecordSummary:
    """Return the summary of `record`."""
    values: dict[str, Any] = {name: getattr(record, name) for name in RECORD_FIELDS}
    return RecordSummary(**values, exception_type=record.exception and record.exception.type)
