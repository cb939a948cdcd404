"""Every rule finds what it is for, by itself, and leaves alone what only looks like it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flask_tracking.pipeline.redaction.engine import Engine, Re2Engine, ReEngine
from flask_tracking.pipeline.redaction.names import Names
from flask_tracking.pipeline.redaction.rules import RULES, Rule
from flask_tracking.pipeline.redaction.values import Finder, Spans

from .examples import MADE, OUTLINES, make_examples

LEAST = 3
PLACES = ((b"", b""), (b"note: ", b" and more"), (b'{"a": "', b'", "b": 1}'), (b"a=", b"&b=2"))


@pytest.fixture(scope="module", params=["re2", "re"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    if request.param == "re":
        return ReEngine()
    pytest.importorskip("re2")
    return Re2Engine()


def alone(rule: Rule, engine: Engine) -> Finder:
    """Return a finder of which only one rule is on."""
    return Finder(engine, Names(), off=[one.id for one in RULES if one is not rule])


def test_examples_are_of_the_rules() -> None:
    """There are examples for every rule, and none for what is no rule."""
    assert OUTLINES.keys() | MADE.keys() == {rule.id for rule in RULES}
    assert not OUTLINES.keys() & MADE.keys()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_is_data(rule: Rule) -> None:
    """A rule has a version, sources, and at least three different hits and misses of its own."""
    examples = make_examples(rule.id)
    assert rule.version >= 1
    assert rule.sources.strip() and rule.finds.strip()
    for side in examples:
        assert len(set(side)) >= LEAST
    assert len({one.id for one in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_finds_its_hits(rule: Rule, engine: Engine) -> None:
    """Each hit is found, by this rule alone, in every place, and the scan points at it."""
    finder = alone(rule, engine)
    for hit in make_examples(rule.id).hits:
        for before, behind in PLACES:
            data = before + hit.encode() + behind
            found = finder.find(data)
            assert [one.rule for one in found] == [rule.id], hit
            assert len(before) <= found[0].start < found[0].end, hit
            assert Spans(finder.scan(data)).touch(found[0].start, found[0].end), hit


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_leaves_its_misses(rule: Rule, engine: Engine) -> None:
    """No part of a miss is taken, though it differs from a hit in one thing only."""
    finder = alone(rule, engine)
    for miss in make_examples(rule.id).misses:
        for before, behind in PLACES:
            assert finder.find(before + miss.encode() + behind) == [], miss


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_that_is_off_finds_nothing(rule: Rule) -> None:
    """With the rule off, no finding names it."""
    finder = Finder(ReEngine(), Names(), off=[rule.id])
    for hit in make_examples(rule.id).hits:
        assert rule.id not in {one.rule for one in finder.find(hit.encode())}


def test_examples_are_made_from_a_seed() -> None:
    """Making examples twice makes the same ones, and none of them stands in a file."""
    sources = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("*.py"))
    for rule in RULES:
        examples = make_examples(rule.id)
        assert make_examples(rule.id) == examples
        assert not any(hit in sources for hit in examples.hits), rule.id
