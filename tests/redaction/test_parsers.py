"""The prefilter's promise: what it does not see, no parser would find."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flask_tracking.redaction.budget import Budget
from flask_tracking.redaction.detection.detector import Detector
from flask_tracking.redaction.detection.names import Names
from flask_tracking.redaction.engines import best_engine
from flask_tracking.redaction.findings import Finding, Ranges
from flask_tracking.redaction.parsers.beside import find_beside
from flask_tracking.redaction.parsers.body import find_in_body, find_in_form, find_in_string
from flask_tracking.redaction.parsers.context import Context, MalformedError
from flask_tracking.redaction.parsers.encoded import find_base64, find_escaped
from flask_tracking.redaction.parsers.form import find_in_fields
from flask_tracking.redaction.parsers.json_text import find_in_json
from flask_tracking.redaction.parsers.markup import find_in_markup
from flask_tracking.redaction.parsers.table import find_in_tables
from flask_tracking.redaction.parsers.text import find_in_text

DETECTOR = Detector(best_engine(), Names())
WHOLE = ((0, 1 << 20),)
"""Hits as if the scan had seen all of a text."""


def _find_all(text: bytes, context: Context) -> list[Finding]:
    return find_in_string(text, context.inside(), WHOLE)


Parser = Callable[[bytes, Context], object]
PARSERS: dict[str, Parser] = {
    "phrases": find_beside,
    "escapes": lambda data, context: find_escaped(data, _find_all, context),
    "base64": lambda data, context: find_base64(data, _find_all, context),
    "fields": lambda data, context: find_in_fields(data, WHOLE, _find_all, context, is_form=True),
    "form": lambda data, context: find_in_form(data, context, WHOLE),
    "json": lambda data, context: find_in_json(data, WHOLE, _find_all, context),
    "markup": lambda data, context: find_in_markup(data, Ranges(WHOLE), context, is_markup=True),
    "tables": find_in_tables,
    "text": lambda data, context: find_in_text(data, WHOLE, context, is_markup=True),
    "string": lambda data, context: find_in_string(data, context, WHOLE),
    "body": lambda data, context: find_in_body(data, "application/xml", WHOLE, context),
}
WORDS = """
    session sid pin pass code key sig cookie nonce ticket auth author hmac state kind Secret data name
    value path loc body input kty oct k phone tea 1234 589437 A7xQ29ZmPr4KfW81 abc Key DETAIL entry row
    for is your the type hidden field id true null 4242 users into values SELECT WHERE parameters
    form-data error
""".split()
PAIRS = ('": "', '", "', "='", "</", '" ', "> <", " = ", ")=(", "--", " is ")
JOINTS = [*" :=&;,.|/<>\"'()[]{}\n-_%+\\", *PAIRS]
texts = st.lists(st.sampled_from([*WORDS, *JOINTS, *JOINTS]), max_size=24).map("".join)


OPAQUE = "A7xQ29ZmPr4KfW81bLq0"
SHAPES = (
    "sid eq 'X'",
    "session (old): X",
    '{"session (old)": "X"}',
    '{"session#1": "X"}',
    '{"session_clé": "X"}',
    '{"sid"          : "X"}',
    "`session`: X",
    "session != X",
    "The key is: X",
    "- name: SESSION_DATA\n  value: X\n",
    "name=sid;value=X",
    'a:1:{s:3:"sid";s:20:"X";}',
    "<input value=X name=sid />",
    "<input value='X' name='sid' hidden>",
    "<input name='sid' data-x1='2' value='X'>",
    "<input name='sid'value='X'>",
    json.dumps({"note": json.dumps({"kty": "oct", "k": "X"})}),
    '{"key_phrase": "X"}',
    '{"web_hook_url": "X"}',
)
"""Grammars in which a parser finds the value of a name that says little, or has a seam."""


@pytest.mark.parametrize("shape", SHAPES)
def test_the_prefilter_sees_what_a_parser_finds(shape: str) -> None:
    """A parser that reads only around the hits of the scan finds what one that reads all does."""
    data = shape.replace("X", OPAQUE).encode()
    kind = "application/json" if shape.startswith("{") else "text/html"
    readings = [
        find_in_body(data, kind, hits, Context(DETECTOR, Budget(len(data)))) for hits in (WHOLE, None)
    ]
    assert readings[0]
    assert readings[0] == readings[1]


@pytest.mark.parametrize("parser", PARSERS)
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(text=texts)
def test_no_parser_finds_what_the_prefilter_does_not_see(parser: str, text: str) -> None:
    """Where the scan of a text is empty, a parser that reads all of it finds nothing."""
    data = text.encode()
    assume(not DETECTOR.scan(data))
    context = Context(DETECTOR, Budget(len(data)))
    try:
        found = list(PARSERS[parser](data, context))  # type: ignore[call-overload]
    except MalformedError:
        return
    assert found == []
