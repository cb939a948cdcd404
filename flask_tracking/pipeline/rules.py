"""Which records are kept. What was asked for in code wins over what the settings say."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import Settings
from ..record import Capture, Record

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one app."""

    settings: Settings

    def is_kept(self, record: Record, capture: Capture) -> bool:
        """Decide on one record.

        Args:
            record: what would be stored.
            capture: what it was made of; carries what the app asked for by ``span.keep`` and
                ``span.discard``.
        """
        if capture.discarded:
            return False
        if capture.keep_reason is not None:
            return True
        settings = self.settings
        if record.method in settings.exclude_methods:
            return False
        if record.status_code in settings.exclude_status_codes:
            # A slow one is worth a look whatever its status.
            threshold_ms = settings.min_execution_time_ms
            return bool(threshold_ms) and (record.execution_time or 0) >= threshold_ms
        return True
