"""What the app's own ``on_record`` makes of records."""

from __future__ import annotations

from collections.abc import Callable

from ..guard import call_foreign
from ..record import Record

__all__ = ["OnRecord", "ask"]

OnRecord = Callable[[Record], Record | None]


def ask(on_record: OnRecord, record: Record) -> Record | None:
    """Return what is to be stored of `record`: None where `on_record` drops it.

    When it raises, or returns something else, the record is stored as it is.
    """
    return call_foreign("on_record", _ask, on_record, record, default=record)


def _ask(on_record: OnRecord, record: Record) -> Record | None:
    answer: object = on_record(record)
    if answer is not None and not isinstance(answer, Record):
        raise TypeError("on_record returns a Record or None")
    return answer
