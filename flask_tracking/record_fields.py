"""The fields of a record by their content, which decides how redaction reads and replaces them.

Each field declares it in `record.Record`; here it is read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from .record import Holds, Record

__all__ = ["FIELDS", "fields_holding"]


def _read_fields(record_class: type[Record]) -> Mapping[str, Holds]:
    fields = {one.name: one.metadata.get("holds") for one in dataclasses.fields(record_class)}
    silent = sorted(name for name, holds in fields.items() if not isinstance(holds, Holds))
    if silent:
        # No default: a new field that nobody has classified would be stored unredacted.
        raise TypeError(f"fields of Record that do not say what they hold: {', '.join(silent)}")
    return {name: holds for name, holds in fields.items() if holds is not None}


FIELDS: Mapping[str, Holds] = _read_fields(Record)
"""The content of each field of `Record`, in order."""


def fields_holding(*kinds: Holds) -> tuple[str, ...]:
    """Return the names of the fields with a content of one of `kinds`, in order."""
    return tuple(name for name, holds in FIELDS.items() if holds in kinds)
