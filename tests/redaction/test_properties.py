"""Properties of redaction, over whatever Hypothesis thinks of."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_tracking import Settings
from flask_tracking.pipeline.redaction.engine import best_engine
from flask_tracking.pipeline.redaction.redactor import Redactor

from .corpora import SENSITIVE_NAMES
from .planting import find_leak, make_record, plant, plant_bodies

redactor = Redactor(Settings(), engine=best_engine())
names = st.sampled_from(SENSITIVE_NAMES)
secrets = st.text("QXZJKVWY79", min_size=8, max_size=40)
properties = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@properties
@given(names, secrets)
def test_planted_secrets_are_never_stored(name: str, secret: str) -> None:
    """No six characters of what has a sensitive name are stored, and a second pass changes nothing."""
    for place, record in plant(name, secret):
        (redacted,) = redactor.redact([record])
        assert find_leak(redacted, secret) is None, place
        assert secret not in repr(redacted)
        assert redactor.redact([redacted]) == [redacted], place


@properties
@given(names, secrets, st.data())
def test_cut_bodies_never_leak(name: str, secret: str, data: st.DataObject) -> None:
    """No six characters are stored either where the body was cut at any byte."""
    for place, body, kind in plant_bodies(name, secret):
        end = data.draw(st.integers(0, len(body)))
        record = make_record(
            request_body=body[:end],
            request_headers=(("Content-Type", kind),),
            request_body_note="truncated",
        )
        assert find_leak(redactor.redact([record])[0], secret) is None, place


@properties
@given(
    st.binary(max_size=400), st.sampled_from(["application/json", "text/plain", "application/xml", ""])
)
def test_any_bytes_are_redacted_once(body: bytes, kind: str) -> None:
    """Whatever bytes come, redaction ends, and a second pass changes nothing."""
    data = b'{"password": "' + body
    record = make_record(request_body=data, request_headers=(("Content-Type", kind),))
    (redacted,) = redactor.redact([record])
    assert "redaction failed" not in redacted.notes
    assert redactor.redact([redacted]) == [redacted]
