"""The table of fields: each says what it holds, and nothing is stored unredacted by default."""

from __future__ import annotations

import dataclasses

import pytest

from flask_tracking import documents
from flask_tracking.record import Holds, Record
from flask_tracking.record_fields import FIELDS, _read_fields, fields_holding


def test_every_field_says_what_it_holds() -> None:
    """The table has each field of a record once, in its order."""
    assert list(FIELDS) == [field.name for field in dataclasses.fields(Record)]
    assert {name for holds in Holds for name in fields_holding(holds)} == FIELDS.keys()


def test_a_field_that_says_nothing_is_an_error() -> None:
    """A field that somebody adds without a thought of redaction stops the import, by its name."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Careless(Record):
        note: str | None = None

    with pytest.raises(TypeError, match="note"):
        _read_fields(Careless)


def test_documents_have_every_field() -> None:
    """MongoEngine's document has each field, and the attributes of the embedded ones."""
    known = {field.db_field for field in documents.Tracking._fields.values()}
    assert known - {"_id", "date_stored"} == FIELDS.keys() - {"id"}
