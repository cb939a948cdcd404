"""Records as files: JSON, lines of JSON, CSV and BSON, in constant memory.

JSON is MongoDB's Extended JSON, and BSON what ``mongodump`` writes: ``mongoimport`` and
``mongorestore`` read these files, too. A spreadsheet gets the columns of a list, and plain values of
custom data.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import partial
from itertools import chain, islice
from typing import IO, Any, NamedTuple

import bson
from bson import ObjectId, json_util

from .errors import TrackingError
from .exporters.mongo.codec import read_document, to_document
from .record import Record
from .record_summary import COLUMNS, summarize
from .runtime.text import count_of
from .runtime.trees import map_tree
from .storable import ANY_YEAR, CODEC, MAX_DOCUMENT_BYTES, UNENCODABLE, make_storable

__all__ = ["FORMATS", "READABLE", "read_records", "write_records"]

Encode = Callable[[Record], bytes | None]
NoteFault = Callable[[str], object]
"""Takes the place of an invalid entry, like ``line 3``."""
Read = Callable[[IO[bytes], NoteFault], Iterator[Record | None]]

MAX_LINE_BYTES = 4 * MAX_DOCUMENT_BYTES
"""The maximum size of a line. JSON is longer than its document: a body takes a third more."""
UNREADABLE = (*UNENCODABLE, AttributeError, IndexError, KeyError, ArithmeticError)
"""The exceptions that foreign entries may raise when they are decoded."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""The first characters of a formula in a spreadsheet."""
CUSTOM = "custom_data."
MAX_CUSTOM, MAX_DEPTH, MAX_TEXT = 40, 4, 1_000
"""Of a table: the columns of custom data, the keys in a row, and the characters of a value."""
READ_AHEAD = 100
"""The records that tell which columns of custom data a table has: no more are in memory."""
_JSON = json_util.JSONOptions(
    json_mode=json_util.JSONMode.RELAXED,
    tz_aware=True,
    tzinfo=timezone.utc,
    datetime_conversion=ANY_YEAR.datetime_conversion,
)
_SIZE = struct.Struct("<i")
_OPERATOR = re.compile("\N{FULLWIDTH DOLLAR SIGN}*\\$")
"""The beginning of a key that Extended JSON might take for a type, like ``$date``, escaped or not."""
_ESCAPED = re.compile("\N{FULLWIDTH DOLLAR SIGN}+\\$")
_REFERENCE_KEY = "$ref"
"""The key of a dict that PyMongo reads as a `DBRef`. In BSON such keys are escaped, and no others."""
_REFERENCE = _REFERENCE_KEY.encode() + b"\0"


class Format(NamedTuple):
    """A file format."""

    encode: Encode
    """Encodes a record; returns None if that is impossible."""
    read: Read | None = None
    """Yields records, and None for invalid entries; None if the format cannot be read."""
    begin: bytes = b""
    between: bytes = b""
    end: bytes = b""
    fit: Callable[[Sequence[Record]], Format] | None = None
    """Returns the format that suits the first records; None if all records have the same."""


def write_records(records: Iterable[Record], file: IO[bytes], name: str) -> tuple[int, int]:
    """Write records to a file.

    Args:
        records: the records.
        file: a binary file.
        name: one of `FORMATS`.

    Returns:
        The number of written records, and of records that the format cannot represent.
    """
    form, written, left_out = FORMATS[name], 0, 0
    records = iter(records)
    if form.fit is not None:
        first = list(islice(records, READ_AHEAD))
        form, records = form.fit(first), chain(first, records)
    file.write(form.begin)
    for record in records:
        entry = form.encode(record)
        if entry is None:
            left_out += 1
            continue
        file.write(form.between + entry if written else entry)
        written += 1
    file.write(form.end)
    return written, left_out


def _ignore(_: str) -> None:
    """Note no fault."""


def read_records(
    file: IO[bytes], name: str, note_fault: NoteFault = _ignore
) -> Iterator[Record | None]:
    """Yield the records of a file, and None for invalid entries.

    Args:
        file: a binary file.
        name: one of `READABLE`.
        note_fault: called with the place of each invalid entry, like ``line 3`` or ``document 3``.

    Raises:
        TrackingError: the file has another format, or is damaged; records yielded before are valid.
    """
    read = FORMATS[name].read
    if read is None:
        raise TrackingError(
            f"Files of the format {name} cannot be read. Possible: {', '.join(READABLE)}."
        )
    return read(file, note_fault)


def _to_document(record: Record) -> dict[str, Any] | None:
    """Return an encodable document of a record, without the time of storing."""
    document = to_document(record, record.date_created)
    del document["date_stored"]
    try:
        bson.encode(document, codec_options=CODEC)
    except UNENCODABLE:
        return make_storable(document)
    return document


def _encode_bson(record: Record) -> bytes | None:
    document = _to_document(record)
    if document is None:
        return None
    entry = bson.encode(document, codec_options=CODEC)
    if _REFERENCE not in entry:
        return entry
    return bson.encode(map_tree(document, key=_escape_reference), codec_options=CODEC)


def _encode_json(record: Record) -> bytes | None:
    document = _to_document(record)
    if document is None:
        return None
    try:
        document = map_tree(document, key=_escape_key)
        # Read back as BSON first: dates and integers have the precision of the database.
        plain = bson.decode(bson.encode(document, codec_options=CODEC), codec_options=ANY_YEAR)
        return json_util.dumps(plain, json_options=_JSON).encode()
    except UNENCODABLE:  # nested deeper than Python writes
        return None


def _escape_key(key: str) -> str:
    return f"\N{FULLWIDTH DOLLAR SIGN}{key}" if _OPERATOR.match(key) else key


def _restore_key(key: str) -> str:
    return key[1:] if _ESCAPED.match(key) else key


def _escape_reference(key: str) -> str:
    return _escape_key(key) if key.endswith(_REFERENCE_KEY) else key


def _restore_reference(key: str) -> str:
    return _restore_key(key) if key.endswith(_REFERENCE_KEY) else key


def _encode_line(record: Record) -> bytes | None:
    entry = _encode_json(record)
    return None if entry is None else entry + b"\n"


def _fit_rows(records: Sequence[Record]) -> Format:
    """Return the table with the custom data that most of these records have."""
    numbers = Counter(path for one in records for path, _ in _flatten(one.custom_data))
    paths = sorted(path for path, _ in numbers.most_common(MAX_CUSTOM))
    begin = _make_row([*COLUMNS, *(f"{CUSTOM}{path}" for path in map(_make_cell, paths))])
    return Format(partial(_encode_row, paths), begin=begin)


def _encode_row(paths: Sequence[str], record: Record) -> bytes:
    custom = dict(_flatten(record.custom_data)) if paths else {}
    return _make_row(map(_make_cell, [*summarize(record), *map(custom.get, paths)]))


def _flatten(data: Any, before: str = "", depth: int = MAX_DEPTH) -> Iterator[tuple[str, Any]]:
    """Yield the plain values of custom data, each with its keys in a row."""
    for key, value in data.items() if isinstance(data, Mapping) and depth else ():
        path = f"{before}{key}"
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{path}.", depth - 1)
        elif isinstance(value, str):
            yield path, value if len(value) <= MAX_TEXT else f"{value[:MAX_TEXT]}…"
        elif isinstance(value, (int, float, datetime, ObjectId)):
            yield path, str(value).lower() if isinstance(value, bool) else value


def _make_row(cells: Iterable[str]) -> bytes:
    row = io.StringIO()
    csv.writer(row).writerow(cells)
    return row.getvalue().encode("utf-8", "backslashreplace")


def _make_cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    # Spreadsheets cannot represent NUL, and Python 3.10 cannot write it.
    text = "" if value is None else str(value).replace("\0", "\\x00")
    # A client may have sent a formula. Numbers are safe.
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text


def _read_bson(file: IO[bytes], note_fault: NoteFault) -> Iterator[Record | None]:
    count = 0
    while head := file.read(_SIZE.size):
        size = _SIZE.unpack(head)[0] if len(head) == _SIZE.size else 0
        if not _SIZE.size < size <= 2 * MAX_DOCUMENT_BYTES:
            raise _damaged(count, "bson")
        entry = head + file.read(size - _SIZE.size)
        if len(entry) < size:
            raise _damaged(count, "bson")
        count += 1
        record = _read_entry(entry, _decode_bson)
        if record is None:
            note_fault(f"document {count:,}")
        yield record


def _decode_bson(entry: bytes) -> Any:
    document = bson.decode(entry, codec_options=ANY_YEAR)
    return map_tree(document, key=_restore_reference) if _REFERENCE in entry else document


def _read_lines(file: IO[bytes], note_fault: NoteFault) -> Iterator[Record | None]:
    count = number = 0
    while line := file.readline(MAX_LINE_BYTES):
        number += 1
        if len(line) == MAX_LINE_BYTES:
            raise _damaged(count, "lines of JSON")
        entry = (line if count else line.removeprefix(codecs.BOM_UTF8)).strip().rstrip(b",")
        if entry in (b"", b"[", b"]"):  # the brackets around the entries of a JSON file
            continue
        count += 1
        record = _read_entry(entry, _decode_json)
        if record is None:
            note_fault(f"line {number:,}")
        yield record


def _decode_json(entry: bytes) -> Any:
    return map_tree(json_util.loads(entry.decode(), json_options=_JSON), key=_restore_key)


def _read_entry(entry: bytes, decode: Callable[[bytes], Any]) -> Record | None:
    try:
        document = decode(entry)
        return read_document(document) if isinstance(document, dict) else None
    except UNREADABLE:
        return None


def _damaged(count: int, expected: str) -> TrackingError:
    return TrackingError(
        f"The file is damaged after its first {count_of(count, 'record')}, or has another format: "
        f"expected {expected}."
    )


FORMATS = {
    "ndjson": Format(_encode_line, _read_lines),
    "json": Format(_encode_json, _read_lines, b"[\n", b",\n", b"\n]\n"),
    "csv": Format(partial(_encode_row, ()), fit=_fit_rows),
    "bson": Format(_encode_bson, _read_bson),
}
"""The formats by name."""
READABLE = tuple(name for name, form in FORMATS.items() if form.read is not None)
