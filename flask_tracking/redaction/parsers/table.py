"""Find secrets below the title of their column: tables, statements of SQL, errors that quote a row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..detection.names import Strength
from ..detection.values import is_inherited_secret, is_secret
from ..engines.base import Range
from ..findings import Finding
from ..markers import MARKS
from .context import Context

_MARKDOWN = re.compile(rb"^(?=[^\r\n]*\|)([^\r\n]*)\r?\n[ \t]*\|?[ \t]*:?-{2,}[-:| \t]*$", re.M)
"""``| user | password |``, and a line of dashes below; not ``a || b``."""
_TITLE = rb"""["']?[0-9A-Za-z_$.\[\]/ \x80-\xff-]{0,60}[0-9A-Za-z_\]\x80-\xff]["']?"""
_CSV = re.compile(rb"(?:\xef\xbb\xbf)?(%b([,;\t])%b(?:\2%b)*)(?=\r?\n)" % ((_TITLE,) * 3))
"""``user,password`` in the first line; not ``Password, please.``"""
_LINE = re.compile(rb"\r?\n([^\r\n]+)")
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
_INSERT = re.compile(
    rb"\binsert\s{1,9}into\s[^(;]{1,200}\(([^()]{1,4000})\)\s{0,9}values\s{0,9}(?=\()", re.I
)
_POSTGRES_KEY = re.compile(rb"Key \(((?:[^()]|\([^()]{0,80}\)){1,200})\)=(?=\()")
"""``Key (user_id, token)=(5, X) already exists.``, and not ``Key(token)``."""
_VALUES = re.compile(
    rb"\s*,?\s*\(((?:[^()'\"]|\([^()]*\)|\\*'(?:[^'\\]|\\.|'')*(?:'|\Z)|\\*\"(?:[^\"\\]|\\.)*(?:\"|\Z))*)(\)|\Z)",
    re.S,
)
"""``(1, lower('X'))``, and ``, (2, 'Y')`` behind it."""
_VALUE = re.compile(
    rb"\s*(?:\\*'((?:[^'\\]|\\.|'')*?)\\*'|\\*\"((?:[^\"\\]|\\.)*?)\\*\"|((?:[^,'\"()]|\([^()]*\))*))\s*(?:,|\Z)",
    re.S,
)
_FAILING_ROW = re.compile(rb"Failing row contains \((?!\[)([^\r\n]{1,4000})\)")
"""``Failing row contains (5, ada, X).``: which column is which is not said."""
_PARAMETERS = re.compile(rb"\[parameters: (?=[\[({])([^\r\n]*?)\]?(?=[\r\n]|\Z)")
_BOUND = re.compile(
    rb"""\binto\s[^(;]{1,200}\(([^()]{1,4000})\)|"""
    rb"""([\w"`\].]{1,100})\s{0,9}(?:=|<>|!=|\bin\b|\blike\b)\s{0,9}\(?(?:\?|%s|%\(|:\w|\$[0-9])""",
    re.I,
)
"""Columns whose values are parameters, as SQLAlchemy quotes them behind the statement."""
MAX_TITLE = 100
"""Bytes of a cell that may name the next one: more are a text."""
MAX_SQL = 8192
"""Bytes of a statement in front of its parameters."""

Row = Sequence[Range]


def find_in_tables(data: bytes, context: Context) -> Iterable[Finding]:
    """Find the cells below or beside a sensitive title."""
    for titles, rows in _find_tables(data, context):
        names = [data[start:end].strip(b"`*") for start, end in titles]
        if any(_is_pair(*pair, context) for pair in zip(names, names[1:], strict=False)):
            continue
        for row in rows:
            context.budget.count()
            before = b""
            for name, (start, end) in zip(names, row, strict=False):
                value = data[start:end]
                is_found = context.is_secret(name, value) or context.is_secret(before, value)
                if is_found:
                    yield Finding(start, end, "name")
                is_title = len(value) <= MAX_TITLE and not is_found
                before = value.strip(b"`*") if is_title else b""
    for block in _MANIFEST.finditer(data) if _SECRET.search(data) else ():
        for item in _ITEM.finditer(data, *block.span(1)):
            context.budget.count()
            if is_secret(Strength.OWN, item[1]):
                yield Finding(*item.span(1), "name")
    for start, end in _find_in_sql(data, context):
        if is_secret(Strength.OWN, data[start:end]):
            yield Finding(start, end, "name")


def _is_pair(name: bytes, value: bytes, context: Context) -> bool:
    """Tell whether cells are a name and its secret: the first row has no titles then."""
    strength = min(context.strength(name), Strength.STRONG)
    is_marker = strength > Strength.NONE and MARKS.fullmatch(value) is not None
    return is_marker or is_inherited_secret(strength, value)


def _find_tables(data: bytes, context: Context) -> Iterable[tuple[Row, Iterable[Row]]]:
    """Find tables: their titles, and the rows below."""
    for header in _MARKDOWN.finditer(data) if b"|" in data else ():
        yield _split(data, *header.span(1), b"|"), _read_rows(data, header.end(), b"|")
    csv = _CSV.match(data)
    if csv is not None and context.detector.scan(csv[1]):
        titles = _split(data, *csv.span(1), csv[2])
        yield titles, _read_rows(data, csv.end(), csv[2], len(titles))
    rows = [
        [_strip(data, *cell.span(1)) for cell in _HTML_CELL.finditer(data, *row.span())]
        for row in _HTML_ROW.finditer(data)
    ]
    if rows and len(rows[0]) > 1:
        yield rows[0], (row for row in rows[1:] if len(row) == len(rows[0]))


def _read_rows(data: bytes, at: int, delimiter: bytes, count: int = 0) -> Iterable[Row]:
    """Read the lines that go on with a table, of CSV as long as they have as many cells."""
    while (line := _LINE.match(data, at)) and delimiter in line[1]:
        at = line.end()
        row = _split(data, *line.span(1), delimiter)
        if count and len(row) != count:
            return
        yield row


def _split(data: bytes, start: int, end: int, delimiter: bytes) -> Row:
    if delimiter == b"|":
        start, end = _strip(data, start, end)
        start, end = start + data.startswith(b"|", start), end - data.endswith(b"|", start, end)
    cells = _CELL[delimiter].finditer(data[start:end])
    return [_strip(data, *(start + at for at in cell.span(cell.lastindex or 0))) for cell in cells]


def _strip(data: bytes, start: int, end: int) -> Range:
    """Return a range without the blanks at its ends."""
    text = data[start:end]
    return start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())


def _find_in_sql(data: bytes, context: Context) -> Iterable[Range]:
    for pattern in (_INSERT, _POSTGRES_KEY):
        done = 0
        for statement in pattern.finditer(data):
            context.budget.count()
            columns, at = statement[1].split(b","), statement.end()
            if statement.start() < done or not _is_any_sensitive(columns, context):
                continue
            while row := _VALUES.match(data, at):
                at = done = row.end()
                yield from _find_in_row(data, row, columns, context)
    for row in _FAILING_ROW.finditer(data):
        yield row.span(1)
    done = 0
    for bound in _PARAMETERS.finditer(data):
        context.budget.count()
        sql = data[max(done, bound.start() - MAX_SQL) : bound.start()]
        sql = sql[max(sql.rfind(b"[SQL: "), 0) :]
        done = bound.end()
        columns = [name for one in _BOUND.finditer(sql) for name in one[one.lastindex or 0].split(b",")]
        if _is_any_sensitive(columns, context):
            yield bound.span(1)


def _find_in_row(
    data: bytes, row: re.Match[bytes], columns: Sequence[bytes], context: Context
) -> Iterable[Range]:
    """Find the values of sensitive columns; all of a row that has other values than columns."""
    context.budget.spend(len(row[0]))
    start, end = row.span(1)
    values = []
    while start <= end and row[2] and (value := _VALUE.match(data, start, end)):
        values.append(value.span(value.lastindex or 0))
        start = value.end() + (value.end() == end)
    if len(values) != len(columns):
        yield row.start(1) - 1, row.end()
        return
    for column, (start, end) in zip(columns, values, strict=True):
        strength = context.strength(column.strip())
        if is_secret(min(strength, Strength.STRONG), data[start:end].strip()):
            yield start, end


def _is_any_sensitive(columns: Iterable[bytes], context: Context) -> bool:
    return any(context.strength(column.strip()) > Strength.NONE for column in columns)
