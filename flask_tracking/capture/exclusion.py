"""Exclude requests by their path and headers, as soon as they arrive."""

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
    """Return a function that tells whether a request is excluded; None if the settings exclude none."""
    matches = match_any(settings.excluded_paths)
    if settings.exclude_health_checks:
        if matches is None:
            return is_health_check
        return lambda path, environ: matches(path) or is_health_check(path, environ)
    return None if matches is None else lambda path, environ: matches(path)


def match_any(patterns: Iterable[re.Pattern[str]]) -> Callable[[str], bool] | None:
    """Return a function that tells whether one of `patterns` matches at the beginning of a text.

    They are joined into one pattern, so that their number costs a request nothing.

    Returns:
        None without patterns.
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
