"""Bodies that are broken, odd or hostile: nothing leaks, and none takes more work than it is worth."""

from __future__ import annotations

import base64
import json
import statistics
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from flask_tracking import Record, Settings
from flask_tracking.pipeline.assemble import Assembler
from flask_tracking.redaction.detection.detector import Detector
from flask_tracking.redaction.detection.format_type import Format
from flask_tracking.redaction.detection.formats import FORMATS
from flask_tracking.redaction.detection.names import Names
from flask_tracking.redaction.engines.base import Engine
from flask_tracking.redaction.engines.python import PythonEngine
from flask_tracking.redaction.record_redaction import FAILED
from flask_tracking.redaction.redactor import Redactor

from ..captures import make_capture
from .engines import PYTHON
from .planting import find_leak, make_record

SECRET = "QXZJKVWY79QXZ"
JSON, FORM, TEXT = "application/json", "application/x-www-form-urlencoded", "text/plain"
XML, HTML, MULTIPART = "application/xml", "text/html", "multipart/form-data; boundary=b"
FIELD = b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n'
_S = SECRET.encode()

ODD: dict[str, tuple[str, bytes]] = {
    "duplicate keys": (JSON, b'{"password": 1, "password": "' + _S + b'", "password": 2}'),
    "a byte order mark": (JSON, b'\xef\xbb\xbf{"password": "' + _S + b'"}'),
    "comments": (JSON, b'{"a": 1, // token\n "password": "' + _S + b'" /* : */}'),
    "NaN": (JSON, b'{"a": NaN, "password": ["' + _S + b'", -Infinity]}'),
    "a lone surrogate": (JSON, b'{"a": "\\ud800", "password": "\\udfff' + _S + b'"}'),
    "10,000 levels": (JSON, b'{"a":' * 10_000 + b'{"password": "' + _S + b'"}' + b"}" * 10_000),
    "10,000 levels of the secret": (JSON, b'{"password":' + b"[" * 10_000 + b'"' + _S + b'"'),
    "single quotes": (JSON, b"{'password': '" + _S + b"'}"),
    "no quotes": (JSON, b"{password: " + _S + b", a: 1}"),
    "an odd number of quotes": (JSON, b'{"a": "5" tall", "password": "' + _S + b'"}'),
    "a trailing comma": (JSON, b'{"password": "' + _S + b'",}'),
    "an escaped key": (JSON, b'{"p\\u0061ss\\u0077ord": "' + _S + b'"}'),
    "zero-width characters": (JSON, '{"pass\u200b\u2060word": "'.encode() + _S + b'"}'),
    "letters in another dress": (JSON, '{"ｐａｓｓｗｏｒｄ": "'.encode() + _S + b'"}'),
    "JSON in a string": (JSON, json.dumps({"a": json.dumps({"password": SECRET})}).encode()),
    "base64 in a string": (
        JSON,
        json.dumps(
            {"a": base64.b64encode(json.dumps({"password": SECRET}).encode()).decode()}
        ).encode(),
    ),
    "GraphQL": (
        JSON,
        json.dumps({"query": "mutation { a }", "variables": {"in": {"apiKey": SECRET}}}).encode(),
    ),
    "lines of JSON": ("application/x-ndjson", b'{"a": 1}\n{"password": "' + _S + b'"}\n{"b": 2}'),
    "invalid escapes of a form": (FORM, b"a=%zz%&password=%4" + _S + b"%"),
    "semicolons": (FORM, b"a=1;password=" + _S + b";b=2"),
    "an escaped name": (FORM, b"p%61ssword=" + _S),
    "a form within a form": (FORM, b"a=" + quote(f"b=1&password={SECRET}").encode()),
    "100,000 fields": (FORM, b"a=1&" * 99_999 + b"password=" + _S),
    "invalid UTF-8": (JSON, b'{"\xff": "\xc0\xaf", "password": "\x80' + _S + b'\xfe"}'),
    "overlong UTF-8": (JSON, b'{"\xc1\xb0assword token": "' + _S + b'"}'),
    "UTF-16": (JSON, f'{{"password": "{SECRET}"}}'.encode("utf-16")),
    "UTF-16 with its charset": (
        JSON + "; charset=utf-16-be",
        f'{{"pin": "{SECRET}"}}'.encode("utf-16-be"),
    ),
    "Latin-1": (TEXT, "Grüße, password=".encode("latin-1") + _S),
    "Latin-1 with its charset": (
        TEXT + "; charset=latin-1",
        "Grüße, pin: ".encode("latin-1") + _S + b"4711",
    ),
    "no boundary": ("multipart/form-data", FIELD + _S + b"\r\n--b--"),
    "another boundary": ("multipart/form-data; boundary=c", FIELD + _S + b"\r\n--b--"),
    "multipart without an end": (MULTIPART, FIELD + _S),
    "multipart with a binary file": (
        MULTIPART,
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n\0\1'
        + _S
        + b"\r\n"
        + FIELD
        + _S
        + b"\r\n--b--",
    ),
    "CDATA": (XML, b"<a><password><![CDATA[" + _S + b"]]></password></a>"),
    "a namespace": (XML, b"<s:a><s:password x='1'>" + _S + b"</s:password></s:a>"),
    "an element without an end": (XML, b"<a><password>" + _S),
    "an attribute": (XML, b"<a b='1' password = '" + _S + b"'/>"),
    "a hidden field": (HTML, b'<input type=hidden value="' + _S + b'" name="csrf_token">'),
    "XML within XML": (XML, b"<a>&lt;password&gt;" + _S + b"&lt;/password&gt;</a>"),
    "another type than it is": (FORM, b'{"password": "' + _S + b'"}'),
    "no type": ("", b"a=1&password=" + _S),
}
"""By what is odd: a content type and a body with the secret."""


def redact(engine: Engine, kind: str, body: bytes, **parts: object) -> Record:
    """Redact a record with one body, of 8 MiB at most."""
    redactor = Redactor(Settings(max_body_bytes=8 * 2**20), engine=engine)
    record = make_record(request_body=body, request_headers=(("Content-Type", kind),), **parts)
    return redactor.redact([record])[0]


@pytest.mark.repeats
@pytest.mark.parametrize("odd", ODD)
def test_odd_bodies_leak_nothing(engine: Engine, odd: str) -> None:
    """What is broken or odd is redacted or dropped, by both engines alike, and is never a failure."""
    kind, body = ODD[odd]
    redacted = redact(engine, kind, body)
    assert find_leak(redacted, SECRET) is None
    assert FAILED not in redacted.notes
    assert redacted == redact(PYTHON, kind, body, id=redacted.id)


@pytest.mark.parametrize("odd", [odd for odd in ODD if "10,000" not in odd and "100,000" not in odd])
def test_odd_bodies_leak_nothing_when_cut(odd: str) -> None:
    """The same, cut at every byte."""
    kind, body = ODD[odd]
    redactor = Redactor(Settings())
    records = [
        make_record(
            request_body=body[:end],
            request_headers=(("Content-Type", kind),),
            request_body_note="truncated",
        )
        for end in range(len(body))
    ]
    assert {find_leak(record, SECRET) for record in redactor.redact(records)} == {None}


def test_secret_split_over_two_chunks() -> None:
    """Where the wire cuts a body in two is seen by nobody."""
    body = b'{"a": "b", "password": "' + _S + b'"}'
    redactor, assembler = Redactor(Settings()), Assembler(Settings())
    for at in range(len(body)):
        capture = make_capture(request_chunks=(body[:at], body[at:]), request_size=len(body))
        (redacted,) = redactor.redact([assembler.assemble(capture)])
        assert redacted.request_body == b'{"a": "b", "password": "[redacted]"}'


HOSTILE: dict[str, tuple[str, bytes]] = {
    "escaped fields": (FORM, b"&a=%20"),
    "fields": (FORM, b"token=a&"),
    "semicolons": (FORM, b"password=1;"),
    "pairs": (TEXT, b"token=a,"),
    "open quotes": (TEXT, b'token="'),
    "open brackets": (TEXT, b"token={["),
    "tuples": (TEXT, b"('password', "),
    "escapes": (TEXT, b"%41%42 "),
    "base64": (TEXT, b"aGVsbG8gd29ybGQgaGVsbG8g "),
    "open elements": (XML, b"<password>"),
    "attributes": (XML, b"<a password='x' "),
    "inputs": (HTML, b"<input "),
    "keys": (JSON, b'{"password":'),
    "escaped keys": (JSON, b'\\"password\\":'),
    "escaped letters": (JSON, b'"\\u0070assword":1,'),
    "strings": (JSON, b'"token",'),
    "boundaries": (MULTIPART, b"--b\r\n"),
    "parts": (MULTIPART, FIELD + b"x\r\n"),
    "open keys": (TEXT, b"-----BEGIN PRIVATE KEY-----"),
    "half tokens": (TEXT, b"eyJhbGciOiJI"),
    "half URLs": (TEXT, b"://a@"),
    "digits": (TEXT, b"4111 "),
    "cards behind names": (TEXT, b"token 4111111111111111 "),
    "flags": (TEXT, b"--password x "),
    "open flags": (TEXT, b"'--password', '"),
    "names and values": (TEXT, b"name: token\nvalue: x\n"),
    "statements": (TEXT, b"insert into a (token) values ("),
    "parameters": (TEXT, b"where token = ? [parameters: ("),
    "links": (TEXT, b"://a:b"),
    "open attributes": (HTML, b'<a token="'),
    "elements of a name": (HTML, b"<x name=password>"),
    "nested elements of a name": (HTML, b"<x name=password><x name=password></x>"),
    "elements with a name": (XML, b"<key>token</key><string>"),
    "spaces in elements": (XML, b"<key> token" + b" " * 90),
    "objects with a name": (JSON, b'{"name":"token","value":1},'),
    "nested objects with a name": (JSON, b'{"name":"token","value":'),
}
"""What is repeated without end, by what is hostile in it."""


OPEN_RUNS: dict[str, tuple[bytes, bytes]] = {
    "backslashes in a structure": (b"password={", b"\\"),
    "escaped quotes in a structure": (b"password={", b'\\"'),
    "backslashes where an error may quote": (b"password: x ", b"\\"),
    "blanks behind a value": (b"password: a", b" "),
}
"""What begins once, and then goes on without end."""


def grows(measure: Callable[[int], float], size: int, factor: int) -> float:
    """Return by how much a `factor` times larger input takes longer, as the least of some tries."""
    tries = []
    for _ in range(3):
        small = statistics.median(measure(size) for _ in range(3))
        tries.append(measure(size * factor) / max(small, 0.001))
        if tries[-1] < 2 * factor:
            break
    return min(tries)


def cpu_s(function: Callable[[], object]) -> float:
    """Return the CPU time of this thread that a call takes."""
    began = time.thread_time()
    function()
    return time.thread_time() - began


@pytest.mark.hostile
@pytest.mark.parametrize("hostile", HOSTILE)
def test_work_grows_with_the_size(engine: Engine, hostile: str) -> None:
    """Four times the size takes about four times the work: what is quadratic takes sixteen times."""
    kind, unit = HOSTILE[hostile]
    redactor = Redactor(Settings(), engine=engine)
    redactor.redact([make_record(request_body=b"password=1")])  # compiles

    def measure(size: int) -> float:
        body = (unit * (size // len(unit) + 1))[:size]
        record = make_record(request_body=body, request_headers=(("Content-Type", kind),))
        return cpu_s(lambda: redactor.redact([record]))

    assert grows(measure, 16_384, 4) < 9


@pytest.mark.hostile
@pytest.mark.parametrize("run", OPEN_RUNS)
def test_open_runs_grow_with_the_size(engine: Engine, run: str) -> None:
    """A run is read once, and not again from each place in it."""
    beginning, unit = OPEN_RUNS[run]
    redactor = Redactor(Settings(), engine=engine)
    redactor.redact([make_record(request_body=b"password=1")])  # compiles

    def measure(size: int) -> float:
        body = beginning + unit * (size // len(unit))
        record = make_record(request_body=body, request_headers=(("Content-Type", TEXT),))
        return cpu_s(lambda: redactor.redact([record]))

    assert grows(measure, 8_192, 4) < 9


@pytest.mark.hostile
def test_names_without_an_end_grow_with_the_size() -> None:
    """Words that begin a name, and no separator up to the very end, are one look each for `re`."""
    finder = Detector(PythonEngine(), Names())

    def measure(size: int) -> float:
        data = (b"token " * (size // 6 + 1))[:size]
        return cpu_s(lambda: finder.scan(data))

    assert grows(measure, 16_384, 4) < 9


def _worst_cases(rule: Format) -> Iterator[bytes]:
    """Yield what a rule begins to match again and again, and never does."""
    beginnings = [hint.encode() for hint in rule.hints] or [b"4111 1111", b"DE89 3704"]
    for beginning in beginnings:
        yield beginning
        yield b" " + beginning + b"a1"
        yield b"." + beginning + b"A-_"


@pytest.mark.hostile
@pytest.mark.parametrize("rule", FORMATS, ids=lambda rule: str(rule.id))
def test_patterns_grow_with_the_size(rule: Format) -> None:
    """256 KiB of a pattern's beginnings take `re` about sixteen times the work of 16 KiB.

    RE2 is linear by construction; what is ours around it is tried above.
    """
    others = [other.id for other in FORMATS if other is not rule]
    finder = Detector(PythonEngine(), Names(), off=others)

    for unit in _worst_cases(rule):

        def measure(size: int, unit: bytes = unit) -> float:
            data = (unit * (size // len(unit) + 1))[:size]
            return cpu_s(lambda: finder.find(data))

        assert grows(measure, 16_384, 16) < 64, unit
