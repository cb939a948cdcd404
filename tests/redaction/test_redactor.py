"""Redaction as a whole: what is planted in a record is not in what may be stored."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from flask import Flask, request

from flask_tracking import MemoryExporter, Record, Settings, Tracking
from flask_tracking.pipeline.user_agents import parse_user_agent
from flask_tracking.redaction.detection.detector import Detector
from flask_tracking.redaction.detection.names import Names
from flask_tracking.redaction.detection.scan_patterns import ANY_ESCAPE
from flask_tracking.redaction.engines.base import Engine, Scan, ScanPattern
from flask_tracking.redaction.engines.python import PythonEngine, Search, get_search
from flask_tracking.redaction.engines.re2 import Re2Engine
from flask_tracking.redaction.markers import MARKER
from flask_tracking.redaction.record_redaction import RecordRedaction
from flask_tracking.redaction.redactor import Redactor
from flask_tracking.runtime import guard

from .corpora import (
    HARMLESS_NAMES,
    SENSITIVE_NAMES,
    fit,
    harmless_values,
    listed_secrets,
    published_secrets,
)
from .planting import find_leak, make_record, plant, plant_bodies, redact_planted

pytest.importorskip("re2")
ENGINES = [Re2Engine(), PythonEngine()]
each_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)


def redact(record: Record, engine: Engine | None = None, **settings: Any) -> Record:
    """Redact one record, and see that a second pass changes nothing."""
    redactor = Redactor(Settings(**settings), engine=engine)
    (redacted,) = redactor.redact([record])
    assert redactor.redact([redacted]) == [redacted]
    return redacted


@each_engine
@pytest.mark.thorough
def test_values_of_sensitive_names_are_gone_everywhere(engine: Engine) -> None:
    """What stands under a sensitive name is in no part of the record, and a remark says that it was."""
    redactor, random_ = Redactor(Settings(), engine=engine), random.Random(1)
    for name in SENSITIVE_NAMES:
        secret = fit(name, "".join(random_.choice("QXZJKVWY79") for _ in range(14)))
        for place, record in redact_planted(redactor, name, secret):
            assert (place, name, find_leak(record, secret)) == (place, name, None)
            assert record.redacted, (place, name)


@each_engine
@pytest.mark.thorough
def test_listed_formats_are_gone_everywhere(engine: Engine) -> None:
    """A secret of a listed format is in no part of the record, under whatever name it stands."""
    redactor = Redactor(Settings(), engine=engine)
    for secret in listed_secrets(1):
        for place, record in redact_planted(redactor, "note", secret.text):
            leak = find_leak(record, secret.secret)
            assert (place, secret.shape, leak) == (place, secret.shape, None)


AGENTS = [
    ("ghp_0123456789abcdefghijABCDEFGHIJ012345/1 CFNetwork/1 Darwin/1", "ghp_", "macos"),
    ("password=hunter2hunter2/1 CFNetwork/1 Darwin/2", "hunter2", "macos"),
    ("Shop/4111111111111111 CFNetwork/1 Darwin/1", "4111111111111111", "macos"),
    ("Shop/1.2 CFNetwork/1 Darwin/1 token=abcdef9876543210QX", "abcdef", "macos"),
]
"""Agents with a secret, that secret, and what is still known of the system."""


@each_engine
@pytest.mark.parametrize(("string", "secret", "platform"), AGENTS)
def test_what_was_parsed_of_an_agent(engine: Engine, string: str, secret: str, platform: str) -> None:
    """A secret in a user agent is not kept as the name or the version of a browser either."""
    agent, note = parse_user_agent(string)
    assert agent is not None and note is None
    redacted = redact(make_record(user_agent=agent), engine)
    assert redacted.user_agent is not None
    assert secret not in str(redacted.user_agent)
    assert redacted.user_agent.platform == platform
    paths = {remark.path for remark in redacted.redacted}
    assert "user_agent.string" in paths
    hidden = {name for name, value in redacted.user_agent._asdict().items() if value == MARKER}
    assert paths >= {f"user_agent.{name}" for name in hidden}


@pytest.mark.thorough
def test_cut_bodies_leak_nothing() -> None:
    """Wherever a body was cut, what is left of a secret at its end is gone."""
    redactor = Redactor(Settings())
    cases = [("password", "QXZJKVWY79QXZKJWVY97", "QXZJKVWY79QXZKJWVY97")]
    cases += [("note", one.text, one.secret) for one in listed_secrets(1) if len(one.text) < 60]
    for name, text, secret in cases:
        for place, body, kind in plant_bodies(name, text):
            for end in range(0, len(body), 1 if name == "password" else 7):
                record = make_record(
                    request_body=body[:end],
                    request_headers=(("Content-Type", kind),),
                    request_body_note="truncated",
                )
                (redacted,) = redactor.redact([record])
                assert (place, end, find_leak(redacted, secret)) == (place, end, None)


@each_engine
@pytest.mark.thorough
def test_harmless_values_and_names_stay(engine: Engine) -> None:
    """What is no secret is stored as it came, with no remark."""
    redactor = Redactor(Settings(), engine=engine)
    cases = [("note", value) for _, value in harmless_values(3)]
    cases += [(name, "some value 17") for name in HARMLESS_NAMES]
    for case in cases:
        records = [record for _, record in plant(*case)]
        for record, redacted in zip(records, redactor.redact(records), strict=True):
            assert redacted == dataclasses.replace(record, redaction_version=redactor.version)


def test_most_of_the_second_corpus_is_found() -> None:
    """At least 95 % of the secrets of published shapes are found."""
    finder = Detector(Re2Engine(), Names())
    secrets = published_secrets()
    found = [secret for secret in secrets if finder.find(f"x {secret.text} y".encode())]
    assert len(found) / len(secrets) >= 0.95


def test_settings_add_free_and_switch_off() -> None:
    """A name of the app's own is redacted, one that is freed is not, and a rule can be off."""
    data = {"taxId": "4711-x", "session_id": "abc", "card": "4111 1111 1111 1111"}
    record = make_record(custom_data=data)

    redacted = redact(
        record, redact_names=("tax id",), redact_allow=("session_id",), redact_off=("card",)
    )

    assert redacted.custom_data == {**data, "taxId": MARKER}
    assert redacted.redaction_version != redact(record).redaction_version


def test_secret_key_is_found_wherever_it_stands(app: Flask, memory: MemoryExporter) -> None:
    """The app's own key is removed when it is strong, also when it is set late; a weak one is left."""
    Tracking(app, exporter=memory)

    @app.get("/")
    def index() -> str:
        return f"key={app.secret_key!s} or device"

    app.secret_key = "Zq8wLr3nVt5yXc7k"
    assert app.test_client().get("/").text == "key=Zq8wLr3nVt5yXc7k or device"
    app.secret_key = "dev"
    assert app.test_client().get("/").text == "key=dev or device"

    assert [bytes(record.response_body) for record in memory.records] == [
        b"key=[redacted] or device",
        b"key=dev or device",
    ]


def test_headers_are_hidden_with_redaction_off(app: Flask, memory: MemoryExporter) -> None:
    """Without redaction bodies are stored as they came, and four headers are hidden all the same."""
    app.config["TRACKING_REDACT"] = False
    Tracking(app, exporter=memory)

    @app.post("/")
    def index() -> str:
        return "ok" if request.get_json() else ""

    headers = {"Authorization": "Bearer abcdefgh12345678", "Cookie": "a=hunter2"}
    client = app.test_client(use_cookies=False)
    assert client.post("/", json={"password": "hunter2"}, headers=headers).text == "ok"

    (record,) = memory.records
    assert record.redaction_version is None
    assert b"hunter2" in record.request_body
    stored = dict(record.request_headers)
    assert (stored["Authorization"], stored["Cookie"]) == ("Bearer [redacted]", "a=[redacted]")


def test_failure_stores_nothing_of_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A redactor that fails stores the record without what it could not look at, and says so."""

    def fail(*_: object) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(RecordRedaction, "redact", fail)
    for _, record in plant("password", "hunter2hunter2"):
        (redacted,) = Redactor(Settings()).redact([record])
        assert find_leak(redacted, "hunter2hunter2") is None
        assert "redaction failed" in redacted.notes
    assert guard.failures["redacting a record"] > 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"password": "hunter2" /* no JSON */ }',
        b'{"a": "x" y", "password": "hunter2"}',
        '{"password": "hunter2"}'.encode("utf-16"),
        '{"password": "hunter2"}'.encode("utf-32-be"),
    ],
)
def test_what_cannot_be_read_is_not_stored(body: bytes) -> None:
    """A body that should parse and does not is dropped whole when there may be a secret in it."""
    record = make_record(request_body=body, request_headers=(("Content-Type", "application/json"),))

    redacted = redact(record)

    assert (redacted.request_body, redacted.request_body_note) == (b"", "redacted whole")


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        (b'\xef\xbb\xbf{"password": "hunter2"}', b'\xef\xbb\xbf{"password": "[redacted]"}'),
        (b'{"pass\\u0077ord": "hunter2"}', b'{"pass\\u0077ord": "[redacted]"}'),
        ('{"pass\u200bword": "hunter2"}'.encode(), '{"pass\u200bword": "[redacted]"}'.encode()),
        (
            b'{"password": 1234, "password": "hunter2"}',
            b'{"password": "[redacted]", "password": "[redacted]"}',
        ),
        (
            b'{"password": {"old": ["hunter2"]}, "a": NaN}',
            b'{"password": {"old": ["[redacted]"]}, "a": NaN}',
        ),
        (b'{"password": null, "pin": true, "otp": ""}', b'{"password": null, "pin": true, "otp": ""}'),
        (
            b'{"url": "https:\\/\\/ada:hunter2@example.org"}',
            b'{"url": "https:\\/\\/[redacted]@example.org"}',
        ),
        (b'{"password": "hunt\xff\xc0er2"}', b'{"password": "[redacted]"}'),
        (
            b"[" * 10_000 + b'{"password": "hunter2"}',
            b"[" * 10_000 + b'{"password": "[redacted]"}',
        ),
        (b'{"a": "4111 1111 1111 1111"}', b'{"a": "[redacted]"}'),
        (b'{"a": 4111111111111111}', b'{"a": "[redacted]"}'),
    ],
)
def test_odd_json_is_redacted_where_it_stands(body: bytes, stored: bytes) -> None:
    """Escapes, byte order marks, duplicate keys and wrong bytes hide nothing, and all else stays."""
    record = make_record(request_body=body, request_headers=(("Content-Type", "application/json"),))

    assert redact(record).request_body == stored


def test_remarks_say_where_it_was() -> None:
    """A remark's offset and length are those of the secret in the value as it came, in bytes."""
    values: dict[str, Any] = {
        "query_params": "é=1&api_key=hunter2x",
        "target": "/tea/é?b=1&api_key=hunter2x",
        "request_body": '{"é": 1, "password": "hunter2x"}'.encode(),
        "response_body": "é password=hunter2x".encode(),
    }

    redacted = redact(make_record(**values))

    where = {remark.path: (remark.offset, remark.length) for remark in redacted.redacted}
    assert where.keys() == values.keys()
    for path, (offset, length) in where.items():
        value = values[path]
        data = value if isinstance(value, bytes) else value.encode()
        assert data[offset : offset + length] == b"hunter2x", path


@each_engine
@pytest.mark.parametrize(
    "phrase", ["I love my dog", "the quick brown fox", "correct horse of the staples."]
)
def test_passphrases_of_words(engine: Engine, phrase: str) -> None:
    """A sentence under a strong name is a passphrase, unless it says something about the secret."""
    about = "This password is too short."
    data = {"password": phrase, "errors": {"password": about, "passphrase": [phrase]}}
    json_type = (("Content-Type", "application/json"),)
    record = make_record(
        request_body=json.dumps(data).encode(), request_headers=json_type, custom_data=data
    )

    (redacted,) = Redactor(Settings(), engine=engine).redact([record])

    for stored in (json.loads(redacted.request_body), redacted.custom_data):
        assert stored["password"] == MARKER
        assert stored["errors"]["password"] == about


def test_files_and_headers() -> None:
    """An upload is replaced by its size; undecodable bytes go; a header that says true stays."""
    part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nhunter2\r\n--b--'
    record = make_record(
        request_body=part,
        request_headers=(("Content-Type", 'multipart/form-data; boundary="b"'), ("X-Token", "true")),
        response_body=b"\x1f\x8bhunter2",
        response_body_note="undecodable",
    )

    redacted = redact(record)

    assert b"[file, 7 bytes]" in redacted.request_body
    assert redacted.response_body == b""
    assert dict(redacted.request_headers)["X-Token"] == "true"


@each_engine
def test_apps_with_the_same_rules_compile_them_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of apps, as tests make them, share what is compiled, and not their secrets."""
    compiled: list[int] = []
    make_scan = type(engine).make_scan

    def note(self: Engine, patterns: Sequence[ScanPattern]) -> Scan:
        compiled.append(len(patterns))
        return make_scan(self, patterns)

    monkeypatch.setattr(type(engine), "make_scan", note)
    secrets = ["correct horse/battery", "staple:password-17"]
    first, second = (
        Redactor(Settings(redact_literals=(one,), redact_names=("tea",)), engine=engine)
        for one in secrets
    )
    first.prepare()
    assert compiled
    compiled.clear()
    second.prepare()
    assert not compiled
    record = make_record(custom_data={"a": secrets[0], "b": secrets[1], "tea": 7})
    assert [one.redact([record])[0].custom_data for one in (first, second)] == [
        {"a": MARKER, "b": secrets[1], "tea": MARKER},
        {"a": secrets[0], "b": MARKER, "tea": MARKER},
    ]
    other = Redactor(Settings(redact_off=("card",), redact_names=("tea",)), engine=engine)
    other.prepare()
    assert compiled


def test_apps_with_other_rules_share_most_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app with one pattern of its own compiles it, and what may hide it in JSON."""
    get_search.cache_clear()  # other tests have compiled the same
    engine = PythonEngine()
    Redactor(Settings(), engine=engine).prepare()
    compiled: list[str] = []
    make = Search.__init__

    def note(self: Search, pattern: ScanPattern) -> None:
        compiled.append(pattern.pattern)
        make(self, pattern)

    monkeypatch.setattr(Search, "__init__", note)
    own = Redactor(Settings(redact_patterns=(("ticket", "teashop-[0-9]{5}"),)), engine=engine)
    own.prepare()
    assert compiled == ["teashop-[0-9]{5}", ANY_ESCAPE.pattern]
    (redacted,) = own.redact([make_record(custom_data={"a": "teashop-12345"})])
    assert redacted.custom_data == {"a": MARKER}
