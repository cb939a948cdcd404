"""The output of commands as JSON for other programs: ``--json``."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from math import isfinite
from typing import Any, TypeVar

import click

from ..codec import summary_to_dict, to_dict
from ..record import Record
from ..record_summary import RecordSummary
from ..runtime.trees import map_tree

__all__ = ["render_json", "render_values", "takes_json"]

F = TypeVar("F", bound=Callable[..., Any])


def takes_json(what: str) -> Callable[[F], F]:
    """Give a command the option ``--json``.

    Args:
        what: the objects that it prints, for the help.
    """
    return click.option("--json", "as_json", is_flag=True, help=f"Print JSON: {what}.")


def render_json(record: Record | RecordSummary, indent: int | None = None) -> str:
    """Return a record as a JSON object, in ASCII.

    Times are ISO 8601 in UTC, ids are hex digits, a body is its text, or ``{"base64": …}``. A summary
    has the names of a record.

    Args:
        record: with all its fields, or a summary.
        indent: blanks for each level; None writes one line.
    """
    values = to_dict(record) if isinstance(record, Record) else summary_to_dict(record)
    return render_values(values, indent)


def render_values(values: Mapping[str, Any], indent: int | None = None) -> str:
    """Return any values as such an object. Numbers that JSON does not know, like NaN, are null."""
    try:
        return json.dumps(values, indent=indent, default=_to_plain, allow_nan=False)
    except ValueError:
        return json.dumps(map_tree(values, leaf=_without_nan), indent=indent, default=_to_plain)


def _without_nan(leaf: Any) -> Any:
    return None if isinstance(leaf, float) and not isfinite(leaf) else leaf


def _to_plain(value: Any) -> Any:
    if isinstance(value, datetime):
        text = value.astimezone(timezone.utc).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    return str(value)
