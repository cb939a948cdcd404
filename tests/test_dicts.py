"""Records as rows."""

from __future__ import annotations

import dataclasses

from flask_tracking.queries import to_dicts
from flask_tracking.record import ExceptionInfo, UserRef
from flask_tracking.record_summary import COLUMNS, summarize

from .captures import make_record


def test_rows_have_the_same_keys() -> None:
    """Each row has all columns, also those that only another record has."""
    plain = make_record()
    full = dataclasses.replace(
        plain,
        exception=ExceptionInfo("ValueError", "no", ""),
        custom_data={"order_id": 17},
        user=UserRef("User", "users", plain.id),
    )
    first, second = to_dicts([plain, full])
    assert list(first) == list(second)
    assert (first["exception.type"], second["exception.type"]) == (None, "ValueError")
    assert (first["custom_data.order_id"], second["custom_data.order_id"]) == (None, 17)
    assert second["user.id"] == str(plain.id)
    assert first["user_agent.browser"] == "curl"


def test_values() -> None:
    """Ids are text; times, bytes, headers and the arguments of the view are what they were."""
    record = make_record()
    (row,) = to_dicts([record])
    assert row["id"] == str(record.id)
    assert row["date_created"] == record.date_created
    assert row["response_body"] == b"hello"
    assert row["request_headers"] == record.request_headers
    assert row["view_args"] == {"number": "7"}


def test_custom_data_of_any_kind() -> None:
    """What is no dict is one value."""
    (row,) = to_dicts([dataclasses.replace(make_record(), custom_data=[1, 2])])
    assert row["custom_data"] == [1, 2]


def test_summaries() -> None:
    """Summaries are rows, too, whose columns have the names that they have in records."""
    failed = dataclasses.replace(make_record(), exception=ExceptionInfo("ValueError", "no", ""))
    (row,), (whole,) = to_dicts([summarize(failed)]), to_dicts([failed])
    assert list(row) == list(COLUMNS)
    assert row["exception.type"] == "ValueError"
    assert row.items() <= whole.items()


def test_nothing() -> None:
    """No records are no rows."""
    assert to_dicts([]) == []
