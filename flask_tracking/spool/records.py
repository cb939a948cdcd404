"""Records as entries of the spool: BSON of their plain dicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import bson

from ..codec import from_dict, to_dict
from ..record import Record
from ..storable import ANY_YEAR, CODEC, UNENCODABLE, make_storable
from .naming import Kind

__all__ = ["decode_record", "encode_record", "split_by_kind"]


def encode_record(record: Record) -> bytes | None:
    """Return `record` as an entry, with notes about replaced values; None if it cannot be encoded."""
    document = to_dict(record)
    try:
        return bson.encode(document, codec_options=CODEC)
    except UNENCODABLE:
        storable = make_storable(document)
        return None if storable is None else bson.encode(storable, codec_options=CODEC)


def decode_record(entry: bytes) -> Record | None:
    """Return the record in `entry`; None if it is not a record."""
    try:
        return from_dict(bson.decode(entry, codec_options=ANY_YEAR))
    except (*UNENCODABLE, AttributeError):
        return None


def split_by_kind(records: Sequence[Record]) -> Iterator[tuple[Kind, list[Record]]]:
    """Yield each kind with its records, kept ones first; kinds without records are left out."""
    for kind, is_kept in ((Kind.KEPT, True), (Kind.ROUTINE, False)):
        found = [record for record in records if record.kept is is_kept]
        if found:
            yield kind, found
