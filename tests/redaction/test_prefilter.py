"""The prefilter: what it remembers of clean records hides nothing of the next."""

from __future__ import annotations

import base64
import random

import pytest

from flask_tracking import Settings
from flask_tracking.redaction import prefilter as module
from flask_tracking.redaction.detection import long_runs
from flask_tracking.redaction.detection.detector import Detector
from flask_tracking.redaction.detection.names import Names
from flask_tracking.redaction.engines.base import Engine
from flask_tracking.redaction.prefilter import MAX_CLEAN, SEPARATOR, Hits, Prefilter
from flask_tracking.redaction.redactor import Redactor

from .planting import make_record

FIELD = b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\ncorrect horse\r\n--b--'


def test_remembered_header_values_hide_no_secret(engine: Engine) -> None:
    """A value that was clean under one name is a secret under another, as often as it comes."""
    redactor = Redactor(Settings(), engine=engine)
    clean = make_record(request_headers=(("X-Tag", "correct horse"),))
    secret = make_record(request_headers=(("X-Password", "correct horse"),))
    for _ in range(3):
        assert redactor.redact([clean])[0].request_headers == clean.request_headers
        assert redactor.redact([secret])[0].request_headers == (("X-Password", "[redacted]"),)


def test_multipart_is_read_each_time(engine: Engine) -> None:
    """The type of a multipart body is seen anew: no scan reads such a body."""
    redactor = Redactor(Settings(), engine=engine)
    headers = (("Content-Type", "multipart/form-data; boundary=b"),)
    redactor.redact([make_record(request_headers=headers)])
    (redacted,) = redactor.redact([make_record(request_headers=headers, request_body=FIELD)])
    assert b"correct horse" not in redacted.request_body


def test_varied_headers_cost_no_memory(engine: Engine) -> None:
    """A client that sends another header with each request fills no memory."""
    prefilter = Prefilter(Detector(engine, Names()), 65_536)
    for number in range(MAX_CLEAN * 2):
        prefilter.scan([make_record(request_headers=(("X-Tag", f"tea {number}"),))])
    assert len(prefilter._clean) <= MAX_CLEAN + 2


def test_a_text_that_repeats_has_the_same_hits_in_each_record(engine: Engine) -> None:
    """A batch is scanned without its repetitions; records without such a text or header stay clean."""
    body, headers = b'{"password": "correct horse"}', (("X-Password", "correct horse"),)
    records = [
        make_record(request_body=body, response_body=body),
        make_record(request_headers=headers),
        make_record(response_body=body, response_headers=headers),
        make_record(request_headers=(("X-Tag", "correct horse"),), request_body=b""),
    ] * 2
    hits = Prefilter(Detector(engine, Names()), 65_536).scan(records)
    assert hits[:4] == hits[4:]
    assert hits[0].request_body
    assert [(one.head, bool(one.request_body), one.response_body) for one in hits[:4]] == [
        (False, True, hits[0].request_body),
        (True, False, ()),
        (True, False, hits[0].request_body),
        (False, False, ()),
    ]


@pytest.mark.parametrize("bytes_at_once", [0, 1, 60, 1 << 16])
def test_hits_do_not_depend_on_the_parts_of_a_batch(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, bytes_at_once: int
) -> None:
    """A record is seen as if it came alone, wherever its batch is split."""
    monkeypatch.setattr(module, "BYTES_AT_ONCE", bytes_at_once)
    bodies = [b"", b"tea", b"password: correct horse", b"a" * 90 + b" token=X", b"pass", b"word: tea"]
    drawn = random.Random(5)
    records = [
        make_record(request_body=drawn.choice(bodies), response_body=drawn.choice(bodies))
        for _ in range(40)
    ]
    prefilter = Prefilter(Detector(engine, Names()), 65_536)
    assert prefilter.scan(records) == [hits for one in records for hits in prefilter.scan([one])]


def test_a_body_with_a_long_run_is_read_anew(engine: Engine) -> None:
    """Its hits are those of another text; the bodies scanned with it keep their secrets no more."""
    image = base64.b64encode(random.Random(5).randbytes(900))
    bodies = [b'{"image": "%b", "password": "correct horse"}' % image, b'{"password": "correct horse"}']
    records = [make_record(request_body=body, response_body=b'{"tea": 1}') for body in bodies]
    hits = Prefilter(Detector(engine, Names()), 65_536).scan(records)
    assert hits[0] == Hits(False, None, ())
    for record in Redactor(Settings(), engine=engine).redact(records):
        assert b"horse" not in record.request_body
        assert record.response_body == b'{"tea": 1}'


def test_a_text_is_no_line_of_the_base64_before_it(engine: Engine) -> None:
    """A short run of base64 is looked into, whatever comes before it in its batch or record."""
    image = base64.b64encode(random.Random(5).randbytes(301)).rstrip(b"=")  # what follows is shifted
    secret = base64.b64encode(b"password=correct horse")
    headers = (("X-Image", image.decode()), ("X-Tag", secret.decode()))
    records = [
        make_record(request_body=image, response_body=secret),
        make_record(request_headers=headers),
        make_record(user_id=image.decode(), user_repr=secret.decode()),
    ]
    redactor = Redactor(Settings(), engine=engine)
    for batch in (records[:1], records[1:2], records[2:], records):
        for record in redactor.redact(batch):
            assert secret.decode() not in str(vars(record))


def test_a_row_of_short_texts_is_no_long_run() -> None:
    """Texts of a batch that stand in a row cost no closer look for base64."""
    row = SEPARATOR.join(["GET", "https", "/orders/17"] * 50).encode()
    assert max(len(one[0]) for one in long_runs._STRETCH.finditer(row)) < long_runs.MIN_RUN
