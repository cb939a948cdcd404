"""Patterns, literals and ids of the app's own: what is taken, and what is refused with which words."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from flask_tracking import ConfigError, Settings
from flask_tracking.redaction.configuration import check_rules
from flask_tracking.redaction.detection.detector import Detector
from flask_tracking.redaction.detection.names import Names
from flask_tracking.redaction.engines.base import MAX_HITS, Engine
from flask_tracking.redaction.findings import Ranges
from flask_tracking.redaction.redactor import Redactor

from .planting import make_record


def make_redactor(engine: Engine | None = None, **settings: Any) -> Redactor:
    """Make a redactor with these settings."""
    return Redactor(Settings.from_mapping(settings), engine=engine)


@pytest.mark.parametrize(
    ("pattern", "text", "stored"),
    [
        (r"\bB-[0-9]{8}\b", "badge B-12345678.", "badge [redacted]."),
        (r"(?:^|[^0-9])(?P<s>[0-9]{3}-[0-9]{2}-[0-9]{4})", "no 123-45-6789", "no [redacted]"),
        (r"(?i:emp)(?P<number>[0-9]+?)x{2,3}", "EMP17xxx EMP17x", "[redacted] EMP17x"),
        (r"[]a-z\]]{5}\.", "xx]yz.", "[redacted]"),
        (r"(ab|cd)e+\(", "cdee(", "[redacted]"),
        (r"\x51{3,}", "QQQQ Q", "[redacted] Q"),
        (r"^B-[0-9]{8}", "B-12345678 B-12345678", "[redacted] B-12345678"),
        (r"\AB-[0-9]{8}", "B-12345678 B-12345678", "[redacted] B-12345678"),
        (r"B-[0-9]{8}$", "B-12345678 B-12345678", "B-12345678 [redacted]"),
        (r"^[$^]\$[0-9]+$", "$$17", "[redacted]"),
        (r"[\[:&]{2}x", "a[:x", "a[redacted]"),
    ],
)
def test_own_patterns_work_on_both_engines(
    engine: Engine, pattern: str, text: str, stored: str
) -> None:
    """What a pattern matches is removed, or its group `s`; the remark names its id."""
    redactor = make_redactor(engine, TRACKING_REDACT_PATTERNS={"badge": pattern})

    (redacted,) = redactor.redact([make_record(custom_data={"note": text})])

    assert redacted.custom_data == {"note": stored}
    assert {remark.rule for remark in redacted.redacted} == {"badge"}
    assert redactor.version != make_redactor().version


@pytest.mark.parametrize(
    ("pattern", "text", "stored"),
    [
        (r"\bB-[0-9]{8}\b", "to\nB-12345678\n", "to\n[redacted]\n"),
        (r"^B-[0-9]{8}$", "B-12345678", "[redacted]"),
        (r"B-\s[0-9]{8}", "B-\n12345678", "[redacted]"),
        (r"Bé[0-9]{8}", "Bé12345678", "[redacted]"),
        (r"C:\\[a-z]+", "C:\\tea", "[redacted]"),
        ('"B[0-9]{8}"', 'a "B12345678"', "a [redacted]"),
    ],
)
@pytest.mark.parametrize("is_ascii", [True, False])
def test_own_patterns_find_what_json_escapes(
    engine: Engine, pattern: str, text: str, stored: str, is_ascii: bool
) -> None:
    """A pattern is about the text of a string, not about how JSON writes it."""
    body = json.dumps({"a": text}, ensure_ascii=is_ascii).encode()
    record = make_record(request_body=body, request_headers=(("Content-Type", "application/json"),))
    redactor = make_redactor(engine, TRACKING_REDACT_PATTERNS={"badge": pattern})

    (redacted,) = redactor.redact([record])

    assert json.loads(redacted.request_body) == {"a": stored}


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)b", "look-around"),
        ("(?!a)b", "look-around"),
        ("(?<=a)b", "look-around"),
        ("(?<!a)b", "look-around"),
        ("(?P<a>b)(?P=a)", "back reference"),
        (r"(a)\1", "not every engine knows"),
        (r"a\Z", "not every engine knows"),
        ("(?>a)", "look-around"),
        ("a++", "possessive"),
        ("a{2}+", "possessive"),
        ("a{1,1001}", "RE2 counts to 1000"),
        ("(?:[a-z]{500}){3}", "RE2 counts to 1000"),
        ("(?:(?:a{11}b){10}c){10,}", "RE2 counts to 1000"),
        ("a{,5}b", "write {0,5}"),
        ("(?i)badge", "write (?i:...)"),
        ("[[:alpha:]]{8}", "'[' in a set"),
        ("[a[:digit:]]{8}", "'[:' in a set"),
        ("[a-z&&b]", "'&&' in a set"),
        (r"[\b]", "not every engine knows"),
        (r"[\1]", "not every engine knows"),
        ("\\é", "not every engine knows"),
        ("a\ud800", "lone surrogate"),
        ("(a+)+b", "open repeat inside a repeat"),
        ("(?:a*b){2,}", "open repeat inside a repeat"),
        ("((a+)b)*c", "open repeat inside a repeat"),
        ("(a", "does not compile"),
        ("a**", "does not compile"),
        ("a*", "matches an empty text"),
        ("^", "matches an empty text"),
        (r"\b", "matches an empty text"),
        (r"\B|x", "matches an empty text"),
        (r"\B^|x", "matches an empty text"),
        (".", "matches any single character"),
        (r"a\Z", "write `$`"),
        ("a(?P<s>)b", "empty group"),
    ],
)
def test_patterns_that_one_engine_lacks_are_refused(pattern: str, reason: str) -> None:
    """A pattern outside of the common subset is a ConfigError that names it and says why."""
    with pytest.raises(ConfigError, match=r"TRACKING_REDACT_PATTERNS\['badge'\]") as raised:
        check_rules(Settings.from_mapping({"TRACKING_REDACT_PATTERNS": {"badge": pattern}}))

    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"TRACKING_REDACT_PATTERNS": {"card": "abc"}}, "has the id of a rule of ours"),
        ({"TRACKING_REDACT_PATTERNS": {"name": "abc"}}, "has the id of a rule of ours"),
        ({"TRACKING_REDACT_PATTERNS": {"*": "abc"}}, "has the id of a rule of ours"),
        ({"TRACKING_REDACT_PATTERNS": {"file": "abc"}}, "has the id of a rule of ours"),
        (
            {"TRACKING_REDACT_OFF": ["kard"]},
            "TRACKING_REDACT_OFF has 'kard', which is not the id of a format. Did you mean 'card'",
        ),
        (
            {"TRACKING_REDACT_OFF": ["name"]},
            "TRACKING_REDACT_OFF has 'name', .*To free a name, use TRACKING_REDACT_ALLOW",
        ),
        ({"TRACKING_REDACT_ACTIONS": {"kard": "hash"}}, "TRACKING_REDACT_ACTIONS has 'kard'"),
        ({"TRACKING_REDACT_LITERALS": ["", "x"]}, r"TRACKING_REDACT_LITERALS\[0\] is too weak"),
        (
            {"TRACKING_REDACT_LITERALS": ["a good one of 20 characters", "abababababababababab"]},
            r"TRACKING_REDACT_LITERALS\[1\] is too weak",
        ),
    ],
)
def test_wrong_rules_are_refused(settings: dict[str, Any], message: str) -> None:
    """A wrong id and a weak literal are a ConfigError, and the literal is not quoted."""
    with pytest.raises(ConfigError, match=message) as raised:
        check_rules(Settings.from_mapping(settings))

    assert "abab" not in str(raised.value)


def test_own_rule_can_be_given_an_action_and_switched_off() -> None:
    """A rule of the app's own has an id like ours."""
    settings: dict[str, Any] = {"TRACKING_REDACT_PATTERNS": {"badge": "B-[0-9]{9,}"}}
    record = make_record(custom_data={"note": "B-123456789012"})
    stored = [
        make_redactor(**settings, **more).redact([record])[0].custom_data["note"]
        for more in (
            {"TRACKING_REDACT_ACTIONS": {"badge": "tail"}},
            {"TRACKING_REDACT_OFF": ["badge"]},
        )
    ]

    assert stored == ["[redacted ...9012]", "B-123456789012"]


@pytest.mark.parametrize("is_ascii", [True, False])
@pytest.mark.parametrize("name", ["straße", "Straße", "Ärztin", "ÄRZTIN", "meine_ärztin", "クレジット"])
def test_own_names_of_any_alphabet(engine: Engine, name: str, is_ascii: bool) -> None:
    """A name that was added is found in any case, also where JSON escapes its letters."""
    body = json.dumps({name: "hunter2", "tea": "sencha"}, ensure_ascii=is_ascii).encode()
    record = make_record(request_body=body, request_headers=(("Content-Type", "application/json"),))
    redactor = make_redactor(engine, TRACKING_REDACT_NAMES=["straße", "ärztin", "クレジット"])

    (redacted,) = redactor.redact([record])

    assert json.loads(redacted.request_body) == {name: "[redacted]", "tea": "sencha"}


@pytest.mark.parametrize("is_ascii", [True, False])
def test_literals_behind_escapes(engine: Engine, is_ascii: bool) -> None:
    """A secret that is known is found however JSON writes it."""
    literal = 'pä"ss\\wörd/with\nall 17'
    body = json.dumps({"a": literal}, ensure_ascii=is_ascii).encode()
    record = make_record(request_body=body, request_headers=(("Content-Type", "application/json"),))

    (redacted,) = make_redactor(engine, TRACKING_REDACT_LITERALS=[literal]).redact([record])

    assert json.loads(redacted.request_body) == {"a": "[redacted]"}


def test_literals_change_without_compiling(engine: Engine) -> None:
    """A finder finds the literals that it was made for, whatever they touch, and those of no other."""
    first, second = "correct horse/battery", "staple:password-17"
    rules = Detector(engine, Names())
    data = f"a={first} b={quote(first, safe='')} c={second} {second}".encode()
    finder, other = rules.knowing([first]), rules.knowing([second])
    assert [data[one.start : one.end].decode() for one in finder.find(data)] == [
        first,
        quote(first, safe=""),
    ]
    assert [one.start for one in other.find(data)] == [data.index(b"staple"), data.rindex(b"staple")]
    spans = Ranges(other.scan(data))
    assert all(spans.touch(one.start, one.end) for one in other.find(data))
    assert not rules.find(data)


def test_literals_are_looked_for_within_bounds(engine: Engine) -> None:
    """Where a literal stands more often than there is memory for, all the rest is worth a look."""
    literal = "0a1b2c3d4e5f6g7h"
    finder = Detector(engine, Names()).knowing([literal])
    data = f"{literal} ".encode() * (MAX_HITS + 10)
    spans = finder.scan(data)
    assert len(spans) <= MAX_HITS + 1
    assert spans[-1][1] == len(data)
