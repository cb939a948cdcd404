"""Find secrets in tables (CSV, Markdown, HTML) and in manifests of Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..detection.names import Strength
from ..detection.values import is_secret
from ..engines.base import Range
from ..findings import Finding
from .context import Context
from .delimiters import strip

_MARKDOWN = re.compile(rb"^(?=[^\r\n]*\|)([^\r\n]*)\r?\n[ \t]*\|?[ \t]*:?-{2,}[-:| \t]*$", re.M)
"""``| user | password |``, and a line of dashes below; not ``a || b``."""
_TITLE = rb"""["']?[0-9A-Za-z_$.\[\]/ \x80-\xff-]{0,60}[0-9A-Za-z_\]\x80-\xff]["']?"""
_CSV = re.compile(rb"(?:\xef\xbb\xbf)?(%b([,;\t])%b(?:\2%b)*)(?=\r?\n)" % ((_TITLE,) * 3))
"""``user,password`` in the first line; not ``Password, please.``"""
_ROW = re.compile(rb"\r?\n([^\r\n]+)")
_CELL = {
    delimiter: re.compile(
        rb'(?:\A|%b)[ ]*(?:"((?:[^"]|"")*)"(?=[ ]*(?:%b|\Z))|([^%b]*))' % ((re.escape(delimiter),) * 3)
    )
    for delimiter in (b"|", b",", b";", b"\t")
}
_HTML_ROW = re.compile(rb"<tr[\s>](?:[^<]|<(?!/?t(?:r|able)))*", re.I)  # up to the next; not <track>
_HTML_CELL = re.compile(rb"<t[hd](?:\s[^<>]*)?>(?:\s*<[a-z][^<>]*>)*\s*([^<]*)", re.I)
"""``<td><code>X</code></td>``."""
_SECRET = re.compile(rb"^kind:[ \t]*Secret[ \t]*$", re.M)  # not kind: SecretList
_MANIFEST = re.compile(rb"^(?:data|stringData):[ \t]*\n((?:[ \t]+[^\n]*(?:\n|\Z))+)", re.M)
_ITEM = re.compile(rb"^[ \t]+[^\s:]+:[ \t]+[\"']?([^\r\n\"']+)", re.M)
"""``data:`` of ``kind: Secret``, and each value in it."""


def find_in_tables(data: bytes, context: Context) -> Iterable[Finding]:
    """Find the cells below or beside a sensitive title."""
    for titles, rows in _find_tables(data, context):
        names = [data[start:end].strip(b"`*") for start, end in titles]
        for row in rows:
            context.budget.count()
            before = b""
            for name, (start, end) in zip(names, row, strict=False):
                value = data[start:end]
                if context.is_secret(name, value) or context.is_secret(before, value):
                    yield Finding(start, end, "name")
                before = value.strip(b"`*")
    for block in _MANIFEST.finditer(data) if _SECRET.search(data) else ():
        for item in _ITEM.finditer(data, *block.span(1)):
            context.budget.count()
            if is_secret(Strength.OWN, item[1]):
                yield Finding(*item.span(1), "name")


Row = Sequence[Range]


def _find_tables(data: bytes, context: Context) -> Iterable[tuple[Row, Iterable[Row]]]:
    """Find tables: their titles, and the rows below."""
    for header in _MARKDOWN.finditer(data) if b"|" in data else ():
        yield _split(data, *header.span(1), b"|"), _read_rows(data, header.end(), b"|")
    csv = _CSV.match(data)
    if csv is not None and context.detector.scan(csv[1]):
        titles = _split(data, *csv.span(1), csv[2])
        yield titles, _read_rows(data, csv.end(), csv[2], len(titles))
    rows = [_split_html(data, *row.span()) for row in _HTML_ROW.finditer(data)]
    if rows and len(rows[0]) > 1:
        yield rows[0], (row for row in rows[1:] if len(row) == len(rows[0]))


def _read_rows(data: bytes, at: int, delimiter: bytes, count: int = 0) -> Iterable[Row]:
    """Read the lines that go on with a table, of CSV as long as they have as many cells."""
    while (line := _ROW.match(data, at)) and delimiter in line[1]:
        at = line.end()
        row = _split(data, *line.span(1), delimiter)
        if count and len(row) != count:
            return
        yield row


def _split(data: bytes, start: int, end: int, delimiter: bytes) -> Row:
    if delimiter == b"|":
        start, end = strip(data, start, end)
        start, end = start + data.startswith(b"|", start), end - data.endswith(b"|", start, end)
    cells = _CELL[delimiter].finditer(data[start:end])
    return [strip(data, *(start + at for at in cell.span(cell.lastindex or 0))) for cell in cells]


def _split_html(data: bytes, start: int, end: int) -> Row:
    return [strip(data, *cell.span(1)) for cell in _HTML_CELL.finditer(data, start, end)]
