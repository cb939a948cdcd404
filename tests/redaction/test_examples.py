"""Every rule finds what it is for, by itself, and leaves alone what only looks like it."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies

from flask_tracking.redaction.detection import detector
from flask_tracking.redaction.detection.detector import Detector
from flask_tracking.redaction.detection.format_type import Format
from flask_tracking.redaction.detection.formats import FORMATS
from flask_tracking.redaction.detection.names import Names
from flask_tracking.redaction.engines.base import Engine
from flask_tracking.redaction.findings import Ranges

from .engines import PYTHON
from .examples import BY_VENDOR, MADE, OUTLINES, make_examples

LEAST = 3
SHARES = 10
PLACES = ((b"", b""), (b"note: ", b" and more"), (b'{"a": "', b'", "b": 1}'), (b"a=", b"&b=2"))


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scans look for formats alone: the names of secrets would be compiled for each of them."""
    monkeypatch.setattr(detector, "trigger_patterns", lambda _: ())


def alone(rule: Format, engine: Engine) -> Detector:
    """Return a finder of which only one rule is on."""
    return Detector(engine, Names(), off=[one.id for one in FORMATS if one is not rule])


def test_examples_are_of_the_rules() -> None:
    """There are examples for every rule, and none for what is no rule."""
    known = [*OUTLINES, *MADE, *BY_VENDOR]
    assert sorted(known) == sorted(rule.id for rule in FORMATS)


@pytest.mark.repeats
@pytest.mark.parametrize("rule", FORMATS, ids=lambda rule: rule.id)
def test_rule_is_data(rule: Format) -> None:
    """A rule has a version, sources, and at least three different hits and misses of its own."""
    examples = make_examples(rule.id)
    assert rule.version >= 1
    assert rule.sources.strip() and rule.finds.strip()
    for side in examples:
        assert len(set(side)) >= LEAST
    assert len({one.id for one in FORMATS}) == len(FORMATS)


@pytest.mark.repeats
@pytest.mark.usefixtures("no_names")
@pytest.mark.parametrize("rule", FORMATS, ids=lambda rule: rule.id)
def test_rule_finds_its_hits_and_leaves_its_misses(rule: Format, engine: Engine) -> None:
    """Each hit is found, by this rule alone, in every place, and the scan points at it.

    No part of a miss is taken, though it differs from a hit in one thing only.
    """
    finder = alone(rule, engine)
    examples = make_examples(rule.id)
    for before, behind in PLACES:
        for hit in examples.hits:
            data = before + hit.encode() + behind
            found = finder.find(data)
            assert [one.rule for one in found] == [rule.id], hit
            assert len(before) <= found[0].start < found[0].end, hit
            assert Ranges(finder.scan(data)).touch(found[0].start, found[0].end), hit
        for miss in examples.misses:
            assert finder.find(before + miss.encode() + behind) == [], miss


@functools.cache
def without(share: int) -> Detector:
    """Return a detector without one of ten shares of the rules: compiling one for each takes long."""
    return Detector(PYTHON, Names(), off=[rule.id for rule in FORMATS[share::SHARES]])


@pytest.mark.parametrize("rule", FORMATS, ids=lambda rule: rule.id)
def test_rule_that_is_off_finds_nothing(rule: Format) -> None:
    """With the rule off, no finding names it."""
    finder = without(FORMATS.index(rule) % SHARES)
    for hit in make_examples(rule.id).hits:
        assert rule.id not in {one.rule for one in finder.find(hit.encode())}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "rule", [rule for rule in FORMATS if rule.id not in BY_VENDOR], ids=lambda rule: rule.id
)
def test_whatever_a_rule_matches_is_searched(rule: Format) -> None:
    """Python's engine searches a text only with a hint of the rule, and with the run that it needs."""
    pattern = re.compile(rule.pattern.encode(), re.IGNORECASE if rule.any_case else 0)
    choose = PYTHON.make_choice([detector._make_scan_pattern(rule)])

    @settings(max_examples=5, derandomize=True, database=None)
    @given(match=strategies.from_regex(pattern, fullmatch=True))
    def check(match: bytes) -> None:
        assert choose(match) == [0]

    check()


def test_examples_are_made_from_a_seed() -> None:
    """Making examples twice makes the same ones, and none of them stands in a file."""
    sources = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("*.py"))
    for rule in FORMATS:
        examples = make_examples(rule.id)
        assert make_examples(rule.id) == examples
        assert not any(hit in sources for hit in examples.hits), rule.id
