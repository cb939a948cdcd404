"""Long runs of base64: they are set aside, and what is hidden in one or behind it is found."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
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


WRITTEN: dict[str, Callable[[str], str]] = {
    "a string": lambda run: json.dumps({"a": run}),
    "a string with escaped slashes": lambda run: json.dumps({"a": run}).replace("/", "\\/"),
    "a data URI": lambda run: json.dumps({"a": f"data:image/png;base64,{run}"}),
    "a field": lambda run: f"a=1&b={quote_plus(run)}&c=2",
    "a data URI in a field": lambda run: "b=" + quote_plus(f"data:image/png;base64,{run}") + "&c=2",
    "an attribute": lambda run: f'<img src="data:image/png;base64,{run}" alt="x">',
}


@pytest.mark.parametrize("way", WRITTEN)
def test_engines_are_shown_no_long_run(engine: Engine, way: str) -> None:
    """Each image would be news to an automaton: a short stand-in takes its place."""
    apart = Detector(engine, Names()).set_aside(WRITTEN[way](make_image()).encode())
    assert apart is not None
    assert len(apart.text) < 200 and STAND_IN in apart.text


@pytest.mark.parametrize("way", WRITTEN)
def test_images_stay(engine: Engine, way: str) -> None:
    """An image is no secret, and neither are its neighbours."""
    body = WRITTEN[way](make_image())
    assert redact(engine, JSON if body[0] == "{" else FORM, body).request_body == body.encode()


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


def test_known_secrets_in_a_run_are_found(engine: Engine) -> None:
    """The app's own secrets are found anywhere."""
    known, image = draw("{a40}", RANDOM), make_image()
    redactor = Redactor(Settings(), lambda: [known], engine=engine)
    (redacted,) = redactor.redact(
        [make_record(request_body=(image[:1500] + known + image[1500:]).encode())]
    )
    assert known not in redacted.request_body.decode()
