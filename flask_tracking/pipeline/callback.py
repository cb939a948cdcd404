"""The functions of the app that run on the worker's thread: ``on_record``, ``redact``, its secrets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from ..record import Record
from ..runtime.guard import call_foreign

if TYPE_CHECKING:
    from ..redaction.replacement import Redact

__all__ = ["NO_HOOKS", "Hooks", "OnRecord", "ask"]

OnRecord = Callable[[Record], Record | None]


class Hooks(NamedTuple):
    """The functions of the app that a worker calls."""

    find_literals: Callable[[], Iterable[str]] = tuple
    """Returns the app's own secrets, for the redactor."""
    redact: Redact | None = None
    """Called for each value that is to be removed."""
    on_record: OnRecord | None = None
    """Called with each record before the export; may change or drop it."""


NO_HOOKS = Hooks()


def ask(on_record: OnRecord, record: Record) -> Record | None:
    """Return the record to store instead of `record`, or None if `on_record` drops it.

    If `on_record` raises or returns something else, the record is stored unchanged. The returned record
    always gets the original id: two records with one id would be one in the store.
    """
    return call_foreign("on_record", _ask, on_record, record, default=record)


def _ask(on_record: OnRecord, record: Record) -> Record | None:
    answer: object = on_record(record)
    if answer is not None and not isinstance(answer, Record):
        raise TypeError("on_record returns a Record or None")
    if answer is None or answer.id == record.id:
        return answer
    return dataclasses.replace(answer, id=record.id)
