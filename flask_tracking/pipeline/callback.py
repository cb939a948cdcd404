"""What is asked of the app itself on the worker's thread, and what ``on_record`` makes of records."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from flask import Flask

from ..record import Record
from ..runtime.guard import call_foreign

if TYPE_CHECKING:
    from ..redaction.replacement import Redact

__all__ = ["NO_HOOKS", "Hooks", "OnRecord", "ask", "literals_of"]

OnRecord = Callable[[Record], Record | None]


class Hooks(NamedTuple):
    """What a worker asks the app."""

    find_literals: Callable[[], Iterable[str]] = tuple
    """Returns secrets that the redactor is to know."""
    redact: Redact | None = None
    """Asked for each value that is to be removed."""
    on_record: OnRecord | None = None
    """Sees each record before it is exported, and may change or drop it."""


NO_HOOKS = Hooks()


def ask(on_record: OnRecord, record: Record) -> Record | None:
    """Return what is to be stored of `record`: None where `on_record` drops it.

    When it raises, or returns something else, the record is stored as it is. What it returns keeps the
    id of the request: two of one id would be one in the store.
    """
    return call_foreign("on_record", _ask, on_record, record, default=record)


def _ask(on_record: OnRecord, record: Record) -> Record | None:
    answer: object = on_record(record)
    if answer is not None and not isinstance(answer, Record):
        raise TypeError("on_record returns a Record or None")
    if answer is None or answer.id == record.id:
        return answer
    return dataclasses.replace(answer, id=record.id)


def literals_of(app: Flask) -> Callable[[], list[str]]:
    """Return what finds the app's own secrets, and does not keep the app.

    It is asked each time: the key may be set after the app was tracked, and it may be changed.
    """
    reference = weakref.ref(app)

    def find_literals() -> list[str]:
        alive = reference()
        return [] if alive is None else _secret_keys(alive)

    return find_literals


def _secret_keys(app: Flask) -> list[str]:
    keys = [app.secret_key, *(app.config.get("SECRET_KEY_FALLBACKS") or ())]
    return [key if isinstance(key, str) else key.decode("latin-1") for key in keys if key]
