"""Every field that strangers can fill, by the table of fields: redacted, or blanked when that fails."""

from __future__ import annotations

from typing import Any

import pytest

from flask_tracking import Settings
from flask_tracking.record import ChildTiming, ExceptionInfo, Holds, UserAgent
from flask_tracking.record_fields import FIELDS
from flask_tracking.redaction.prefilter import Prefilter
from flask_tracking.redaction.record_redaction import FAILED, RecordRedaction
from flask_tracking.redaction.redactor import Redactor

from .planting import find_leak, make_record

SECRET = "ghp_QXZJKVWY79QXZJKVWY79QXZJKVWY79QXZJKV"
HOLDING: dict[Holds, Any] = {
    Holds.TEXT: SECRET,
    Holds.PATH: f"/a/{SECRET}",
    Holds.FORM: f"a={SECRET}",
    Holds.TARGET: f"/{SECRET}?a={SECRET}",
    Holds.HEADERS: ((SECRET, SECRET), ("Cookie", f"a={SECRET}"), ("Authorization", SECRET)),
    Holds.ARGS: {"a": SECRET},
    Holds.BODY: SECRET.encode(),
    Holds.TREE: {SECRET: [SECRET, {"a": SECRET.encode()}]},
    Holds.USER_AGENT: UserAgent(SECRET, SECRET, SECRET, SECRET, SECRET),
    Holds.ERROR: ExceptionInfo(SECRET, SECRET, SECRET),
    Holds.TIMINGS: (ChildTiming(SECRET, 0.0, 1.0, SECRET),),
}
FILLED = [name for name, holds in FIELDS.items() if holds is not Holds.OURS]


@pytest.mark.parametrize("field", FILLED)
def test_a_secret_in_any_field_is_removed(field: str) -> None:
    """A secret in a field that is not ours is not stored, and a remark says where it was."""
    record = make_record(**{field: HOLDING[FIELDS[field]]})

    (redacted,) = Redactor(Settings()).redact([record])

    assert find_leak(redacted, SECRET) is None
    fields = {remark.path.partition(".")[0].partition("[")[0] for remark in redacted.redacted}
    # A path that says an argument in another way goes with it.
    assert fields == ({field, "path"} if field == "view_args" else {field})


def test_an_argument_that_is_no_unicode_is_removed_alone() -> None:
    """A lone surrogate in a secret argument costs the argument, and not the record."""
    record = make_record(view_args={"token": f"\ud800{SECRET}"}, path=f"/x/\ud800{SECRET}")

    (redacted,) = Redactor(Settings()).redact([record])

    assert redacted.view_args == {"token": "[redacted]"}
    assert redacted.path == "/x/[redacted]"


@pytest.mark.parametrize("stage", [(Prefilter, "scan"), (RecordRedaction, "redact")])
@pytest.mark.parametrize("field", FILLED)
def test_a_redactor_that_raises_stores_nothing_of_strangers(
    field: str, stage: tuple[type, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where redaction fails, every field that is not ours is blank, whatever it held."""

    def fail(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(RecordRedaction, "redact", fail)
    monkeypatch.setattr(*stage, fail)
    record = make_record(**{field: HOLDING[FIELDS[field]]})

    (redacted,) = Redactor(Settings()).redact([record])

    assert find_leak(redacted, SECRET) is None
    assert FAILED in redacted.notes
