"""Which records are kept, and which longest. What was asked for in code wins over the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..config import Settings
from ..record import Capture, Record

__all__ = ["Rules", "Verdict"]


class Verdict(NamedTuple):
    """What becomes of a record."""

    is_kept: bool
    """False drops it."""
    kept_reason: str | None = None
    """Why it is copied to the kept collection, which routine traffic cannot push out; else None."""


DROP = Verdict(False)
KEEP = Verdict(True)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one app."""

    settings: Settings

    def judge(self, record: Record, capture: Capture) -> Verdict:
        """Decide on one record.

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
        if (record.status_code or 0) >= 500 or record.outcome in ("error", "stream_error"):
            return Verdict(True, "error")
        if (record.execution_time or 0) >= self.settings.slow_ms:
            return Verdict(True, "slow")
        return KEEP

    def _is_excluded(self, record: Record) -> bool:
        settings = self.settings
        if record.method in settings.exclude_methods:
            return True
        if record.status_code not in settings.exclude_status_codes:
            return False
        # A slow one is worth a look whatever its status.
        threshold_ms = settings.min_execution_time_ms
        return not threshold_ms or (record.execution_time or 0) < threshold_ms
