"""The fields of a record by what they hold: what redaction reads and blanks follows from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from .record import Holds, Record

__all__ = ["FIELDS", "fields_holding"]


def _read_fields(record_class: type[Record]) -> Mapping[str, Holds]:
    fields = {one.name: one.metadata.get("holds") for one in dataclasses.fields(record_class)}
    silent = sorted(name for name, holds in fields.items() if not isinstance(holds, Holds))
    if silent:
        # Unredacted is no default: what nobody has thought of would be stored as it came.
        raise TypeError(f"fields of Record that do not say what they hold: {', '.join(silent)}")
    return {name: holds for name, holds in fields.items() if holds is not None}


FIELDS: Mapping[str, Holds] = _read_fields(Record)
"""Each field of `Record`, in its order, and what it holds."""


def fields_holding(*kinds: Holds) -> tuple[str, ...]:
    """Return the names of the fields that hold one of `kinds`, in their order."""
    return tuple(name for name, holds in FIELDS.items() if holds in kinds)
