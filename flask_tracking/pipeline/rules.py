"""Which records are kept, and which longest.

What was asked for in code wins over the settings, an exclusion over every other reason to keep, and
only what is left is sampled.
"""

from __future__ import annotations

from typing import NamedTuple

from ..config import Settings
from ..record import Capture, Record
from .sampling import Sampler

__all__ = ["Rules", "Verdict"]


class Verdict(NamedTuple):
    """What becomes of a record."""

    is_kept: bool
    """False drops it."""
    kept_reason: str | None = None
    """Why it is copied to the kept collection, which routine traffic cannot push out; else None."""


SWITCHING_PROTOCOLS = 101
DROP = Verdict(False)
KEEP = Verdict(True)


class Rules:
    """The rules of one app."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sampler: Sampler | None = None  # keeps all
        if settings.sample_rate < 1 or settings.sample_parent:
            self._sampler = Sampler(settings.sample_rate, honours_parent=settings.sample_parent)

    def judge(self, record: Record, capture: Capture) -> Verdict:
        """Decide on one record: the first of these that has something to say decides.

        Args:
            record: what would be stored.
            capture: what it was made of; carries what the app asked for by ``span.keep`` and
                ``span.discard``.
        """
        if capture.discarded:
            return DROP
        if capture.keep_reason is not None:
            return Verdict(True, capture.keep_reason)
        if self._is_excluded(record):
            return DROP
        reason = self._find_reason(record)
        if reason is not None:
            return Verdict(True, reason)
        sampler = self._sampler
        if sampler is None or not self._is_routine(record) or sampler.picks(record, capture):
            return KEEP
        return DROP

    def _is_excluded(self, record: Record) -> bool:
        settings = self._settings
        if record.method in settings.exclude_methods:
            return True
        if record.status_code not in settings.exclude_status_codes:
            return False
        # A slow one is worth a look whatever its status.
        threshold_ms = settings.min_execution_time_ms
        return not threshold_ms or not _took(record, threshold_ms)

    def _find_reason(self, record: Record) -> str | None:
        """Return why a record is kept longest, None where there is no such reason."""
        if (record.status_code or 0) >= 500 or record.outcome in ("error", "stream_error"):
            return "error"
        return "slow" if _took(record, self._settings.slow_ms) else None

    def _is_routine(self, record: Record) -> bool:
        # Of an excluded status only those come so far that their time has saved.
        return (
            record.outcome != "disconnected"
            and record.status_code not in self._settings.exclude_status_codes
        )


def _took(record: Record, threshold_ms: float) -> bool:
    """Tell whether an answer took `threshold_ms` or more. An upgraded connection just stays open."""
    return record.status_code != SWITCHING_PROTOCOLS and (record.execution_time or 0) >= threshold_ms
