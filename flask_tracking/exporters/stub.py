"""Stubs take the place of records that a store refuses with their content."""

from __future__ import annotations

from bson import ObjectId

from ..record import Record
from ..runtime.guard import warn_rarely

__all__ = ["make_stub", "warn_of_stub"]

FIELDS = (
    "id",
    "kind",
    "date_created",
    "status_code",
    "execution_time",
    "time_to_first_byte",
    "request_body_size",
    "response_body_size",
    "outcome",
    "url_rule",
    "trace_id",
    "span_id",
    "hostname",
    "process",
    "kept",
    "kept_reason",
    "dropped_before",
    "redaction_version",
)
"""The fields of a stub: only those that are ours, because data from the request breaks stores."""


def make_stub(record: Record, reason: str) -> Record:
    """Return the stub of `record`, with a note that says why.

    Args:
        record: the record.
        reason: why its content is not stored. It quotes nothing of the record.
    """
    note = f"stored without its content: {reason}"
    return Record(**{name: getattr(record, name) for name in FIELDS}, notes=(note,))


def warn_of_stub(record_id: ObjectId, reason: str) -> None:
    """Log that a stub was stored, and why."""
    warn_rarely("stub", "Record %s is stored without its content: %s", record_id, reason)
