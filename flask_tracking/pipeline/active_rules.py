"""The current rules: those of the settings, with overrides applied."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from time import monotonic

from ..config import Settings, overrides
from ..config.overrides import Override
from ..errors import ExportError, NoDatabaseError, StoreTimeoutError
from ..exporters.base import Exporter
from ..exporters.store import find_store
from ..record import Summary
from ..runtime import guard
from .rules import Rules, Verdict
from .untraced import untraced

__all__ = ["ActiveRules"]

FAILURE_PAUSE_S = 15.0
"""The pause after a failure to read overrides: each attempt may take the export timeout."""


class ActiveRules:
    """The rules of one process. `refresh` reads overrides from the store."""

    def __init__(self, settings: Settings, exporter: Exporter) -> None:
        self._settings = settings
        self._exporter = exporter
        self._lock = threading.Lock()
        self._rules = Rules(settings)
        self._known: Sequence[Override] = ()
        self._next_change: datetime | None = None
        self._next_load = 0.0  # at once
        self._has_timed_out = False

    def judge(self, summary: Summary) -> Verdict:
        """Decide on one record by the current rules. Makes no round trip."""
        next_change = self._next_change  # another thread may set it to None at any time
        if next_change is not None and overrides.utc_now() >= next_change:
            with self._lock:
                self._take(self._known)
        return self._rules.judge(summary)

    def refresh(self) -> bool:
        """Read overrides from the store, at most once per flush interval.

        If the store cannot be read, the known overrides apply until they expire.

        Returns:
            False if the store did not answer in time.
        """
        with self._lock:
            now = monotonic()
            if now < self._next_load:
                return True
            # Set before reading: one thread reads, and the others do not wait for it.
            self._next_load = now + self._settings.flush_interval_s
            self._has_timed_out = False
        found = guard.call_foreign("loading overrides", self._load, default=None)
        with self._lock:
            # Whatever a store returns, no record is lost.
            if not guard.call_foreign("applying overrides", self._apply, found, default=False):
                pause_s = max(FAILURE_PAUSE_S, self._settings.flush_interval_s)
                self._next_load = monotonic() + pause_s
            return not self._has_timed_out

    def refresh_soon(self) -> None:
        """Make the next `refresh` read the store, which is available again."""
        with self._lock:
            self._next_load = 0.0

    def _load(self) -> Sequence[Override] | None:
        store = find_store(self._exporter)
        if store is None:
            return ()
        try:
            with untraced():
                return store.load_overrides()
        except NoDatabaseError:
            return None  # the export logs it
        except ExportError as error:
            self._has_timed_out = isinstance(error, StoreTimeoutError)
            guard.warn_rarely("overrides", "Overrides cannot be loaded: %s", error)
            return None

    def _apply(self, found: Sequence[Override] | None) -> bool:
        """Apply the overrides that were read; return False if they could not be read."""
        if found is None:
            return False
        if found or self._known:
            self._take(found)
        return True

    def _take(self, found: Sequence[Override]) -> None:
        known = overrides.alive(found, overrides.utc_now())
        rules = Rules(overrides.change_settings(self._settings, known))
        next_change = min((override.expires_at for override in known), default=None)
        self._known, self._rules, self._next_change = known, rules, next_change
