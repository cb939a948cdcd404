"""What a new format and a new name are held to: each is one line of a table, and one line here."""

from __future__ import annotations

import json
import random

import pytest

from flask_tracking import Settings
from flask_tracking.redaction.detection.detector import Detector
from flask_tracking.redaction.detection.names import Names, Strength
from flask_tracking.redaction.detection.vendors import _read_line
from flask_tracking.redaction.engines.base import Engine
from flask_tracking.redaction.redactor import Redactor

from .planting import make_record
from .shapes import draw

TOKENS = (
    ("hubspot", "pat|-na1-{h8}-{h4}-{h4}-{h4}-{h12}"),
    ("tavily", "tv|ly-dev-{a24}"),
    ("vercel", "vc|p_{a24}"),
)
"""Ids of formats, and tokens as the vendor's pages print them; bars go, see `shapes.draw`."""
NAMES = (
    ("recoveryPhrase", Strength.STRONG),
    ("X-Access-Token", Strength.TOKEN),
    ("login[nonce]", Strength.WEAK),
    ("phrase_count", Strength.NONE),
)
"""Names as apps write them."""
SHORT, OPAQUE = "x7Kq", "x7Kq2mW9pLz4Tb8v"
GOES = {
    Strength.NONE: (),
    Strength.WEAK: (OPAQUE,),
    Strength.TOKEN: (OPAQUE, SHORT),
    Strength.STRONG: (OPAQUE, SHORT, "Monday"),
}
"""Which values a name of each strength hides."""


def redact(engine: Engine, values: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return JSON values as they are stored, and the rules that the remarks name."""
    headers = (("Content-Type", "application/json"),)
    record = make_record(request_headers=headers, request_body=json.dumps(values).encode())
    (redacted,) = Redactor(Settings(), engine=engine).redact([record])
    return json.loads(redacted.request_body), [one.rule for one in redacted.redacted]


@pytest.mark.parametrize(("rule", "outline"), TOKENS, ids=[rule for rule, _ in TOKENS])
def test_token_is_found(engine: Engine, rule: str, outline: str) -> None:
    """A token goes under an ordinary name, and the remark has the id of its format."""
    token = draw(outline, random.Random(rule))
    assert redact(engine, {"note": f"see {token}"}) == ({"note": "see [redacted]"}, [rule])


@pytest.mark.parametrize(("name", "strength"), NAMES, ids=[name for name, _ in NAMES])
def test_name_hides_its_values(engine: Engine, name: str, strength: Strength) -> None:
    """A name hides the values that its strength says, and no others."""
    for value in (OPAQUE, SHORT, "Monday"):
        stored = "[redacted]" if value in GOES[strength] else value
        assert redact(engine, {name: value})[0] == {name: stored}, value


def test_one_line_is_a_format(engine: Engine) -> None:
    """A line of the table of vendors finds its tokens, and no words that begin alike."""
    line = "acme  acme_live_,acme_test_  w16  Acme API keys"
    detector = Detector(engine, Names(), [_read_line(line).make_format()])
    token = draw("acme_live_{a20}7", random.Random(1))
    (found,) = detector.find(f"key {token}.".encode())
    assert (found.rule, found.start, found.end) == ("acme", 4, 4 + len(token))
    assert detector.find(b"acme_live_reload_of_all_pages, acme_live_2024") == []


@pytest.mark.parametrize(
    "line",
    [
        "acme  acme_  z24  Acme API keys",
        "acme  acme_live_, acme_test_  w16  Acme API keys",
        "acme  acme_  w16",
    ],
)
def test_a_wrong_line_is_named(line: str) -> None:
    """A line with an unknown alphabet, a blank behind a comma or a part too few is quoted."""
    with pytest.raises(ValueError, match="is not a line of the table") as raised:
        _read_line(line)
    assert repr(line) in str(raised.value)
