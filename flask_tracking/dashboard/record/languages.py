"""Formats in which requests can be copied and exported."""

from __future__ import annotations

import json
from collections.abc import Callable

from ...record import Record
from ...reproduce import curl, har, httpie, powershell, pytest_function, python

__all__ = ["LANGUAGES"]

LANGUAGES: dict[str, tuple[str, Callable[[Record], str]]] = {
    "curl": ("Copy as cURL", curl),
    "pytest": ("Copy as pytest", pytest_function),
    "python": ("Copy as Python", python),
    "httpie": ("Copy as HTTPie", httpie),
    "powershell": ("Copy as PowerShell", powershell),
    "har": ("Copy as HAR", lambda record: json.dumps(har(record), indent=2)),
}
"""Formats in which a request can be copied, each with the text of its button."""
FILE_FORMATS = {"ndjson": "Lines of JSON", "json": "JSON", "csv": "CSV, for spreadsheets"}
"""Formats of `interchange` for exported lists, each with the text of its link."""
