"""Checks of the redaction settings, before anything is compiled."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Set

from ..config import Settings
from ..errors import ConfigError
from .detection.custom_patterns import NAMED_RULES, own_rules
from .detection.formats import FORMATS

MIN_LITERAL, MIN_DISTINCT = 16, 10
"""A literal with fewer characters, or fewer different ones, would blank ordinary words."""


def check_rules(settings: Settings) -> None:
    """Check the ids, patterns and literals that the settings have.

    Raises:
        ConfigError: an id is unknown or taken, a pattern is wrong, or a literal is too weak.
    """
    ids = {rule.id for rule in (*FORMATS, *own_rules(dict(settings.redact_patterns)))}
    _check_ids("TRACKING_REDACT_OFF", settings.redact_off, ids)
    _check_ids("TRACKING_REDACT_ACTIONS", dict(settings.redact_actions), ids | NAMED_RULES)
    _check_literals(settings.redact_literals)


def is_strong(literal: str) -> bool:
    """Tell whether a literal is long and varied enough to be looked for."""
    return len(literal) >= MIN_LITERAL and len(set(literal)) >= MIN_DISTINCT


def _check_ids(key: str, ids: Iterable[str], known: Set[str]) -> None:
    for rule_id in ids:
        if rule_id not in known:
            raise ConfigError(
                f"{key} has {rule_id!r}, which is not the id of a format. {_hint(rule_id, known)}"
                "'flask tracking redact formats' lists them."
            )


def _hint(rule_id: str, known: Set[str]) -> str:
    if rule_id == "name":
        return "To free a name, use TRACKING_REDACT_ALLOW. "
    nearest = difflib.get_close_matches(rule_id, known, n=1)
    return f"Did you mean {nearest[0]!r}? " if nearest else ""


def _check_literals(literals: Iterable[str]) -> None:
    for at, literal in enumerate(literals):
        if not is_strong(literal):
            raise ConfigError(
                f"TRACKING_REDACT_LITERALS[{at}] is too weak: it would blank ordinary text. It wants "
                f"{MIN_LITERAL} characters or more, {MIN_DISTINCT} of them different."
            )
