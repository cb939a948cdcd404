"""Many patterns are one, and mean what they mean one by one."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flask_tracking import Settings
from flask_tracking.capture.exclusion import make_exclusion, match_any

PATTERNS: list[Any] = [
    "^/static/",
    "/media",
    "a|/b",
    "(/x)(/y)",
    r"(/r)\1$",
    "(?P<name>/n)end$",
    "(?P<name>/n)other$",
    "(?i)/case",
    re.compile("/flag", re.IGNORECASE),
    re.compile("/ verbose # all of it", re.VERBOSE),
    "(?i:/Inner)$",
    "/(?=ahead)",
    "(/c)?(?(1)/then|/else)",
    r"/dots\.json$",
    "/é",
]
TEXTS = [
    "/static/a.css",
    "/statics",
    "/media",
    "x/media",
    "a",
    "/b",
    "x|/b",
    "/x/y",
    "/r/r",
    "/r/rr",
    "/nend",
    "/nother",
    "/case",
    "/CASE",
    "/FLAG",
    "/verbose",
    "/iNNER",
    "/ahead",
    "/behind",
    "/c/then",
    "/else",
    "/dots.json",
    "/dotsxjson",
    "/é",
    "/",
    "",
]


@pytest.mark.parametrize("count", range(1, len(PATTERNS) + 1))
@pytest.mark.parametrize("turns", [False, True])
def test_patterns_mean_what_they_mean_alone(count: int, turns: bool) -> None:
    """References, named groups, flags and alternatives of one pattern do not reach into another."""
    patterns = [re.compile(pattern) for pattern in PATTERNS[:count]]
    patterns = patterns[::-1] if turns else patterns
    matches = match_any(patterns)
    assert matches is not None
    for text in TEXTS:
        assert matches(text) == any(pattern.match(text) for pattern in patterns), text


def test_one_pattern_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many patterns there are, they are compiled to one."""
    patterns = [re.compile(f"^/static-{number}/") for number in range(50)]
    compiled: list[str] = []
    compile_one = re.compile

    def count(text: str) -> re.Pattern[str]:
        compiled.append(text)
        return compile_one(text)

    monkeypatch.setattr(re, "compile", count)
    matches = match_any(patterns)
    assert matches is not None
    assert matches("/static-49/a") and not matches("/static-50/a")
    assert len(compiled) == 1


def test_nothing_is_excluded() -> None:
    """Without a pattern there is nothing to ask."""
    assert match_any([]) is None
    assert make_exclusion(Settings()) is None


@pytest.mark.parametrize("config", [[], ["^/static/"]])
def test_health_checks(config: list[str]) -> None:
    """Health checks are left out beside patterns, and without."""
    excludes = make_exclusion(
        Settings.from_mapping({"TRACKING_EXCLUDE": config, "TRACKING_EXCLUDE_HEALTH_CHECKS": True})
    )
    assert excludes is not None
    assert excludes("/healthz", {})
    assert excludes("/static/a.css", {}) is bool(config)
    assert not excludes("/orders", {})
