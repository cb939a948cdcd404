"""Properties of redaction, over whatever Hypothesis thinks of."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from unittest import mock

import bson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_tracking import Record, Settings
from flask_tracking.cli.record_table import render_record, render_table
from flask_tracking.exporters.mongo.codec import to_document, utc_now
from flask_tracking.record_summary import summarize
from flask_tracking.redaction.engines import best_engine
from flask_tracking.redaction.prefilter import Prefilter
from flask_tracking.redaction.record_redaction import FAILED, RecordRedaction
from flask_tracking.redaction.redactor import Redactor
from flask_tracking.spool import encode_record
from flask_tracking.storable import CODEC

from .corpora import SENSITIVE_NAMES, fit
from .engines import ENGINE_NAMES, get_engine
from .listed import NAMES, make_listed
from .planting import WINDOW, find_leak, make_record, plant, plant_bodies, redact_planted

pytestmark = pytest.mark.thorough
redactor = Redactor(Settings(), engine=best_engine())
names = st.sampled_from(SENSITIVE_NAMES)
secrets = st.text("QXZJKVWY79", min_size=8, max_size=40)
seeds = st.integers(0, 2**32)
properties = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
few = settings(properties, max_examples=25)


class Log(logging.Handler):
    """Keeps every line, with what belongs to it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(logging.Formatter("%(message)s").format(record))


@pytest.fixture(autouse=True, scope="module")
def log() -> Iterator[Log]:
    """Everything that is logged meanwhile, by anybody, at any level."""
    root, log = logging.getLogger(), Log()
    level = root.level
    root.addHandler(log)
    root.setLevel(logging.DEBUG)
    yield log
    root.removeHandler(log)
    root.setLevel(level)


def assert_no_trace(record: Record, secret: str, place: str, log: Log) -> None:
    """Fail where six characters of `secret` are stored, printed or logged."""
    assert find_leak(record, secret) is None, place
    stored = bson.encode(to_document(record, utc_now()), codec_options=CODEC)
    stored += encode_record(record) or b""
    shown = (render_record(record), render_table([summarize(record)], 120), repr(record), *log.lines)
    windows = [secret[at : at + WINDOW] for at in range(max(1, len(secret) - WINDOW + 1))]
    printed = "\0".join(shown)
    assert not [window for window in windows if window in printed], place
    assert not [window for window in windows if window.encode() in stored], place


@properties
@given(names, secrets)
def test_planted_secrets_leave_no_trace(log: Log, name: str, secret: str) -> None:
    """Nothing of what has a sensitive name is stored, printed or logged; once more changes nothing."""
    secret = fit(name, secret)
    for place, record in redact_planted(redactor, name, secret):
        assert_no_trace(record, secret, place, log)


@pytest.mark.parametrize("shape", NAMES)
def test_listed_formats_leave_no_trace(log: Log, shape: str) -> None:
    """Nothing of a listed format is stored, printed or logged, under whatever ordinary name."""
    random_ = random.Random(f"{shape} 17")
    for _ in range(2):
        secret = make_listed(shape, random_)
        for place, record in redact_planted(redactor, "remark", secret.text):
            assert_no_trace(record, secret.secret, place, log)


@few
@given(names, secrets, seeds)
def test_cut_bodies_leave_no_trace(log: Log, name: str, secret: str, seed: int) -> None:
    """Nothing is stored either where a body was cut, at whatever byte of the secret and around it."""
    secret = fit(name, secret)
    ends = random.Random(seed)
    for place, body, kind in plant_bodies(name, secret):
        for end in ends.sample(range(len(body) + 1), min(12, len(body))):
            record = make_record(
                request_body=body[:end],
                request_headers=(("Content-Type", kind),),
                request_body_note="truncated",
            )
            assert find_leak(redactor.redact([record])[0], secret) is None, (place, end)


def test_bodies_cut_at_every_byte_leave_no_trace() -> None:
    """Of one secret of each kind no byte is left, wherever the body around it was cut."""
    bodies = list(plant_bodies("apiKey", "QXZJKVWY79QXZ"))
    token = make_listed("github-classic", random.Random(17))
    cases = [(body, kind, "QXZJKVWY79QXZ") for _, body, kind in bodies]
    cases += [(body, kind, token.secret) for _, body, kind in plant_bodies("remark", token.text)]
    for body, kind, secret in cases:
        records = [
            make_record(
                request_body=body[:end],
                request_headers=(("Content-Type", kind),),
                request_body_note="truncated",
            )
            for end in range(len(body) + 1)
        ]
        leaks = {find_leak(record, secret) for record in redactor.redact(records)}
        assert leaks == {None}, body


@properties
@given(
    st.binary(max_size=400), st.sampled_from(["application/json", "text/plain", "application/xml", ""])
)
def test_any_bytes_are_redacted_once(body: bytes, kind: str) -> None:
    """Whatever bytes come, redaction ends, and a second pass changes nothing."""
    data = b'{"password": "' + body
    record = make_record(request_body=data, request_headers=(("Content-Type", kind),))
    (redacted,) = redactor.redact([record])
    assert FAILED not in redacted.notes
    assert redactor.redact([redacted]) == [redacted]


@few
@given(names, secrets)
def test_batch_hides_nothing(name: str, secret: str) -> None:
    """Records that are looked at together are redacted as each would be alone."""
    secret = fit(name, secret)
    records = [record for _, record in plant(name, secret)]
    assert redactor.redact(records) == [redactor.redact([record])[0] for record in records]


@few
@given(names, secrets, st.binary(max_size=200))
def test_engines_are_equal(name: str, secret: str, noise: bytes) -> None:
    """RE2 and Python's re leave the same of every record."""
    secret = fit(name, secret)
    records = [record for _, record in plant(name, secret)]
    records.append(make_record(request_body=noise + b"token=" + secret.encode() + noise))
    left, right = (
        Redactor(Settings(), engine=engine).redact(records) for engine in map(get_engine, ENGINE_NAMES)
    )
    assert left == right


@few
@given(names, secrets)
def test_failures_leave_no_trace(log: Log, name: str, secret: str) -> None:
    """Where redaction itself fails, nothing of what it could not read is stored, printed or logged."""
    secret = fit(name, secret)
    records = [record for _, record in plant(name, secret)]
    failing = RuntimeError(f"cannot read {secret}")
    with (
        mock.patch.object(Prefilter, "scan", side_effect=failing),
        mock.patch.object(RecordRedaction, "redact", side_effect=failing),
    ):
        stripped = redactor.redact(records)
    for record in stripped:
        assert FAILED in record.notes
        assert_no_trace(record, secret, "stripped", log)
