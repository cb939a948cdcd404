"""Find secrets in tables of Markdown and in manifests of Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..detection.names import Strength
from ..detection.values import is_secret
from ..findings import Finding
from .context import Context

_HEADER = re.compile(rb"^[ \t]*(\|?[^\r\n]*\|[^\r\n]*)\r?\n[ \t]*\|?[ \t]*:?-{2,}[-:| \t]*$", re.M)
"""``| user | password |``, and a line of dashes below; not ``a || b``."""
_ROW = re.compile(rb"\r?\n([^\r\n]*\|[^\r\n]*)")
_CELL = re.compile(rb"[^|]+")
_SECRET = re.compile(rb"^kind:[ \t]*Secret[ \t]*$", re.M)
_MANIFEST = re.compile(rb"^(?:data|stringData):[ \t]*\n((?:[ \t]+[^\n]*(?:\n|\Z))+)", re.M)
_ITEM = re.compile(rb"^[ \t]+[^\s:]+:[ \t]+[\"']?([^\r\n\"']+)", re.M)
"""``data:`` of ``kind: Secret``, and each value in it."""


def find_in_tables(data: bytes, context: Context) -> Iterable[Finding]:
    """Find the cells below a sensitive title."""
    for header in _HEADER.finditer(data) if b"|" in data else ():
        titles = [cell[0].strip() for cell in _CELL.finditer(header[1]) if cell[0].strip()]
        at = header.end()
        while row := _ROW.match(data, at):
            context.budget.count()
            at = row.end()
            cells = [cell for cell in _CELL.finditer(data, *row.span(1)) if cell[0].strip()]
            before = b""
            for title, cell in zip(titles, cells, strict=False):
                value = cell[0].strip()
                if context.is_secret(title, value) or context.is_secret(before.strip(b"`*"), value):
                    start = cell.start() + cell[0].index(value)
                    yield Finding(start, start + len(value), "name")
                before = value
    for block in _MANIFEST.finditer(data) if _SECRET.search(data) else ():
        for item in _ITEM.finditer(data, *block.span(1)):
            context.budget.count()
            if is_secret(Strength.OWN, item[1]):
                yield Finding(*item.span(1), "name")
