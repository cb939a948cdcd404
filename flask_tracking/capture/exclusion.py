"""Which requests are not recorded, as far as their path and headers tell it on arrival."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..config import Settings
from .health import is_health_check

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ["make_exclusion", "match_any"]

_ALONE = re.compile(r"\\[1-9]|\(\?(?:P|[aiLmsux]+\)|\()")
"""Syntax that changes its meaning when patterns are joined: references, named groups, flags."""


def make_exclusion(settings: Settings) -> Callable[[str, WSGIEnvironment], bool] | None:
    """Return what tells whether the settings leave out a request to a path; None if they never do."""
    matches = match_any(settings.excluded_paths)
    if settings.exclude_health_checks:
        if matches is None:
            return is_health_check
        return lambda path, environ: matches(path) or is_health_check(path, environ)
    return None if matches is None else lambda path, environ: matches(path)


def match_any(patterns: Iterable[re.Pattern[str]]) -> Callable[[str], bool] | None:
    """Return what tells whether one of `patterns` matches at the beginning of a text; None without one.

    They become one pattern: a request pays for the one, however many there are.
    """
    together: list[re.Pattern[str]] = []
    alone: list[re.Pattern[str]] = []
    for pattern in patterns:
        is_plain = pattern.flags == re.UNICODE and _ALONE.search(pattern.pattern) is None
        (together if is_plain else alone).append(pattern)
    if together:
        alone.append(re.compile("|".join(f"(?:{pattern.pattern})" for pattern in together)))
    if not alone:
        return None
    first, *others = (pattern.match for pattern in reversed(alone))
    if not others:
        return lambda text: first(text) is not None
    return lambda text: first(text) is not None or any(match(text) for match in others)
