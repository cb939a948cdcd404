"""Rules that decide which records are stored, and which of them are kept.

Requests of code take precedence over the settings, exclusions over all other reasons to keep, and only
the remaining requests are sampled.
"""

from __future__ import annotations

from typing import NamedTuple

from ..config import Settings
from ..record import Summary
from ..rollups.counts import is_failure
from .sampling import Sampler

__all__ = ["Rules", "Verdict"]


class Verdict(NamedTuple):
    """The decision about a request."""

    is_stored: bool
    """False drops it."""
    kept_reason: str | None = None
    """Why it is copied to the kept collection, which routine traffic cannot overwrite; else None."""


SWITCHING_PROTOCOLS = 101
MAX_REASON_LENGTH = 1000
"""Characters of a filter that are stored as the reason."""
DROP = Verdict(False)
STORE = Verdict(True)


class Rules:
    """The rules of one app."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._excludes = bool(
            settings.exclude_methods or settings.exclude_status_codes or settings.drop
        )
        self._keep = [(rule.matches, str(rule)[:MAX_REASON_LENGTH]) for rule in settings.keep]
        self._sampler: Sampler | None = None  # None stores all
        if settings.sample_rate < 1 or settings.sample_parent:
            self._sampler = Sampler(settings.sample_rate, honours_parent=settings.sample_parent)

    def judge(self, summary: Summary) -> Verdict:
        """Decide on one request. The first rule that applies decides."""
        if summary.is_discarded:
            return DROP
        if summary.keep_reason is not None:
            return Verdict(True, summary.keep_reason)
        if self._excludes and self._is_excluded(summary):
            return DROP
        reason = self._find_reason(summary)
        if reason is not None:
            return Verdict(True, reason)
        sampler = self._sampler
        if sampler is None or not self._is_routine(summary) or sampler.picks(summary):
            return STORE
        return DROP

    def _is_excluded(self, summary: Summary) -> bool:
        settings = self._settings
        if summary.method in settings.exclude_methods:
            return True
        if any(rule.matches(summary) for rule in settings.drop):
            return True
        if summary.status_code not in settings.exclude_status_codes:
            return False
        # A slow request is stored whatever its status.
        threshold_ms = settings.min_execution_time_ms
        return not threshold_ms or not _took(summary, threshold_ms)

    def _find_reason(self, summary: Summary) -> str | None:
        """Return the reason to keep a record, or None."""
        if is_failure(summary.status_code, summary.outcome):
            return "error"
        slow_ms = self._settings.slow_ms
        if summary.duration_ms >= slow_ms and _took(summary, slow_ms):
            return "slow"
        return next((reason for matches, reason in self._keep if matches(summary)), None)

    def _is_routine(self, summary: Summary) -> bool:
        # Requests with an excluded status that come here are stored because they are slow.
        return (
            summary.outcome != "disconnected"
            and summary.status_code not in self._settings.exclude_status_codes
        )


def _took(summary: Summary, threshold_ms: float) -> bool:
    """Return True if a response took `threshold_ms` or more. Upgraded connections do not count."""
    return summary.status_code != SWITCHING_PROTOCOLS and summary.duration_ms >= threshold_ms
