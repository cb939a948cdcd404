"""Payloads as public documentation prints them: their secrets go, and all else stays."""

from __future__ import annotations

import pytest

from flask_tracking import Settings
from flask_tracking.redaction.engines.base import Engine
from flask_tracking.redaction.redactor import Redactor

from . import documented, harmless_payloads
from .planting import find_leak

MAX_BLANKED = 2 / 1000
DOCUMENTED = list(documented.documented_payloads())
SECRET = {kind: [case for case in DOCUMENTED if case.kind == kind] for kind in documented.PAYLOADS}
HARMLESS = list(harmless_payloads.harmless_payloads())


@pytest.mark.parametrize("kind", SECRET)
def test_documented_secrets_are_gone(kind: str, engine: Engine) -> None:
    """No six characters of a secret are stored, and a second pass changes nothing."""
    redactor = Redactor(Settings(), engine=engine)
    redacted = [record for case in SECRET[kind] for record in redactor.redact([case.record])]
    again = redactor.redact(redacted)
    for case, record, second in zip(SECRET[kind], redacted, again, strict=True):
        leaks = {find_leak(record, secret) for secret in case.secrets}
        assert leaks == {None}, (case.place, case.template)
        assert second == record, (case.place, case.template)


def test_harmless_payloads_stay(engine: Engine) -> None:
    """Of a thousand values in harmless payloads at most two are removed."""
    redactor = Redactor(Settings(), engine=engine)
    redacted = redactor.redact([one.record for one in HARMLESS])

    wrong = [one.text for one, record in zip(HARMLESS, redacted, strict=True) if record.redacted]
    blanked = sum(len(record.redacted) for record in redacted)
    assert blanked <= MAX_BLANKED * sum(one.leaves for one in HARMLESS), wrong
    assert redactor.redact(redacted) == redacted


def test_documented_payloads_are_many() -> None:
    """There are hundreds of payloads of either sort, each of them once."""
    assert sum(map(len, SECRET.values())) >= 500
    assert len({one.text for one in HARMLESS}) >= 200
