"""Long runs of base64: they are set aside, and what is hidden in one or behind it is found."""

from __future__ import annotations

import base64
import functools
import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import pytest

from flask_tracking import Record, Settings
from flask_tracking.redaction.detection.detector import Detector
from flask_tracking.redaction.detection.long_runs import STAND_IN
from flask_tracking.redaction.detection.names import Names
from flask_tracking.redaction.engines.base import Engine
from flask_tracking.redaction.redactor import Redactor

from .planting import make_record
from .shapes import draw

RANDOM = random.Random(17)
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def make_image(size: int = 3000) -> str:
    """Return base64 of random bytes."""
    return base64.b64encode(RANDOM.randbytes(size)).decode()


def make_token() -> str:
    """Return a token of a known format."""
    return draw("gh|p_{a36}", RANDOM)


def redact(engine: Engine, kind: str, body: str) -> Record:
    """Redact a record with one body."""
    redactor = Redactor(Settings(), engine=engine)
    record = make_record(request_body=body.encode(), request_headers=(("Content-Type", kind),))
    redacted = redactor.redact([record])[0]
    assert redactor.redact([redacted])[0] == redacted
    return redacted


def wrap(run: str, width: int = 76, end: str = "\r\n") -> str:
    """Return a run in lines, as in a mail."""
    return end.join(run[at : at + width] for at in range(0, len(run), width))


WRITTEN: dict[str, Callable[[str], str]] = {
    "a string": lambda run: json.dumps({"a": run}),
    "a string with escaped slashes": lambda run: json.dumps({"a": run}).replace("/", "\\/"),
    "a data URI": lambda run: json.dumps({"a": f"data:image/png;base64,{run}"}),
    "a field": lambda run: f"a=1&b={quote_plus(run)}&c=2",
    "a data URI in a field": lambda run: "b=" + quote_plus(f"data:image/png;base64,{run}") + "&c=2",
    "an attribute": lambda run: f'<img src="data:image/png;base64,{run}" alt="x">',
    "a mail": lambda run: f"Content-Transfer-Encoding: base64\r\n\r\n{wrap(run)}\r\n--b--",
    "PEM": lambda run: (
        f"-----BEGIN CERTIFICATE-----\n{wrap(run, 64, chr(10))}\n-----END CERTIFICATE-----"
    ),
    "a string of lines": lambda run: json.dumps({"a": wrap(run)}),
    "a string of lines as PHP writes it": lambda run: json.dumps({"a": wrap(run)}).replace("/", "\\/"),
    "a string of lines that ends with one": lambda run: json.dumps({"a": wrap(run, 64, "\n") + "\n"}),
    "a field of lines": lambda run: f"a=1&b={quote_plus(wrap(run))}&c=2",
    "a field of lines that ends with one": lambda run: f"b={quote_plus(wrap(run, 60) + chr(10))}&c=2",
}


@pytest.mark.parametrize("way", WRITTEN)
def test_engines_are_shown_no_long_run(engine: Engine, way: str) -> None:
    """Each image would be news to an automaton: a short stand-in takes its place."""
    apart = Detector(engine, Names()).set_aside(WRITTEN[way](make_image()).encode())
    assert apart is not None
    assert len(apart.text) < 200 and STAND_IN in apart.text


@functools.cache
def make_spied(kind: type[Engine]) -> tuple[Engine, list[bytes]]:
    """Return an engine for which nothing is compiled yet, and the list of what it is shown."""
    engine, scanned = kind(), list[bytes]()

    def spy(make: Callable[..., Callable[[bytes], Any]]) -> Callable[..., Callable[[bytes], Any]]:
        def make_spy(*patterns: Any) -> Callable[[bytes], Any]:
            scan = make(*patterns)

            def note(data: bytes) -> Any:
                scanned.append(data)
                return scan(data)

            return note

        return make_spy

    vars(engine).update(make_scan=spy(engine.make_scan), make_choice=spy(engine.make_choice))
    return engine, scanned


@pytest.mark.parametrize("way", WRITTEN)
def test_no_part_of_a_long_run_is_scanned(engine: Engine, way: str) -> None:
    """Nor is any on the way through the parsers."""
    image, (spied, scanned) = make_image(), make_spied(type(engine))
    scanned.clear()
    body = WRITTEN[way](image)
    redact(spied, JSON if body[0] == "{" else FORM if "&" in body else "text/plain", body)
    assert scanned
    assert not [
        data for data in scanned for at in range(76, 3000, 76) if image[at : at + 20].encode() in data
    ]


@pytest.mark.parametrize("way", WRITTEN)
def test_images_stay(engine: Engine, way: str) -> None:
    """An image is no secret, and neither are its neighbours."""
    body = WRITTEN[way](make_image())
    kind = JSON if body[0] == "{" else FORM if "&" in body else "text/plain"
    assert redact(engine, kind, body).request_body == body.encode()


def test_secrets_beside_a_run_are_found_where_they_stand(engine: Engine) -> None:
    """What is behind a run keeps its place, and remarks say it in the body as it came."""
    image, token = make_image(), make_token()
    body = json.dumps({"image": image, "password": "correct horse", "note": token})
    redacted = redact(engine, JSON, body)
    assert json.loads(redacted.request_body) == {
        "image": image,
        "password": "[redacted]",
        "note": "[redacted]",
    }
    assert [one.offset for one in redacted.redacted] == [body.index("correct"), body.index(token)]


@pytest.mark.parametrize("kind", [JSON, FORM])
def test_run_under_a_name_goes_whole(engine: Engine, kind: str) -> None:
    """A run is a secret where its name says so, and the callback is given all of it."""
    image, asked = make_image(), []

    def ask(path: str, value: str, rule: str) -> None:
        asked.append(value)

    body = json.dumps({"token": image}) if kind == JSON else f"token={quote_plus(image)}&a=1"
    redactor = Redactor(Settings(), engine=engine, callback=ask)
    record = make_record(request_body=body.encode(), request_headers=(("Content-Type", kind),))
    (redacted,) = redactor.redact([record])
    assert redacted.request_body in (b'{"token": "[redacted]"}', b"token=[redacted]&a=1")
    assert asked == [image]


@pytest.mark.parametrize("before", ["", "\0\1\2" * 50])
def test_text_in_a_run_is_read(engine: Engine, before: str) -> None:
    """A run of text, or of bytes with text among them, goes whole when there is a secret in it."""
    text = (
        before
        + json.dumps({"note": "x" * 100 + "Y1", "password": "correct horse"})
        + "\0" * len(before)
    )
    run = base64.b64encode(text.encode()).decode()
    redacted = redact(engine, JSON, json.dumps({"a": run, "b": make_image()}))
    assert json.loads(redacted.request_body)["a"] == "[redacted]"
    assert [one.rule for one in redacted.redacted] == ["base64"]


@pytest.mark.parametrize("glue", ["", "/", "+", "-", "_"])
def test_tokens_in_a_run_are_found(engine: Engine, glue: str) -> None:
    """A token of a known format is found at the head of a run, and behind what is no letter in one."""
    image, token = make_image(), draw("AB|SK{a300}", RANDOM)
    run = image.replace("=", "") + glue + token if glue else token
    redacted = redact(engine, JSON, json.dumps({"a": run}))
    assert token[:20] not in redacted.request_body.decode()


@pytest.mark.parametrize(
    "body", ['{"%s": "correct horse"}', '{"a": "%s.b.c"}', '{"a": "%s: correct horse"}', "a=1&%s=b"]
)
def test_names_and_parts_of_tokens_stay_in_place(engine: Engine, body: str) -> None:
    """A run that a separator follows is a name, and one beside a point a part of something."""
    run = make_image().replace("=", "").replace("+", "a").replace("/", "b")
    assert Detector(engine, Names()).set_aside((body % run).encode()) is None


@pytest.mark.parametrize("write", [str, lambda text: json.dumps({"a": text})], ids=["text", "JSON"])
def test_private_keys_are_removed_whole(engine: Engine, write: Callable[[str], str]) -> None:
    """Their lines are a run that is set aside, and go with the head of the key."""
    key = wrap(make_image(1200), 64, "\n")
    pem = f"-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n"
    body = redact(engine, "", write(f"The file:\n{pem}That is all.")).request_body.decode()
    assert "END PRIVATE KEY" in body and "That is all." in body
    assert not any(line in body for line in key.splitlines())


def test_text_in_lines_is_read(engine: Engine) -> None:
    """A text in base64 goes whole, all lines of it, when there is a secret in it."""
    text = json.dumps({"note": "tea " * 60 + "Y1", "password": "correct horse"})
    run = wrap(base64.b64encode(text.encode()).decode())
    redacted = redact(
        engine, "text/plain", f"Content-Transfer-Encoding: base64\r\n\r\n{run}\r\n\r\nbye"
    )
    assert redacted.request_body == b"Content-Transfer-Encoding: base64\r\n\r\n[redacted]\r\n\r\nbye"


def test_a_line_of_broken_groups_has_no_next_line(engine: Engine) -> None:
    """The lines of a wrapped run hold whole bytes: behind another line is a text of its own."""
    secret = base64.b64encode(b"password=correct horse").decode()
    body = redact(engine, "text/plain", f"{make_image()[:402]}\n{secret}").request_body
    assert secret[:8].encode() not in body


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_names_below_lines_stay_in_place(engine: Engine, end: str) -> None:
    """The name of the next line is not the last line of a run."""
    lines = wrap(make_image()[:760], 76, end)
    body = redact(engine, "text/plain", f"{lines}{end}password: correct horse").request_body
    assert body == f"{lines}{end}password: [redacted]".encode()


def test_tokens_at_the_heads_of_lines_are_found(engine: Engine) -> None:
    """Tokens of one length, one in each line, look like a run."""
    tokens = [draw("gh|p_{a36}", RANDOM) for _ in range(9)]
    keys = [draw("AB|SK{a72}", RANDOM) for _ in range(9)]
    body = redact(engine, "text/plain", "\n".join([*tokens, "", *keys])).request_body.decode()
    assert not any(one[8:] in body for one in tokens + keys)


def test_known_secrets_in_a_run_are_found(engine: Engine) -> None:
    """The app's own secrets are found anywhere."""
    known, image = draw("{a40}", RANDOM), make_image()
    redactor = Redactor(Settings(), lambda: [known], engine=engine)
    (redacted,) = redactor.redact(
        [make_record(request_body=(image[:1500] + known + image[1500:]).encode())]
    )
    assert known not in redacted.request_body.decode()
