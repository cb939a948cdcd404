"""What a worker counts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Stats"]


@dataclass(frozen=True, slots=True)
class Stats:
    """What one process has recorded since it began, or since the fork.

    .. versionadded:: 2.0
    """

    received: int
    """Requests that ended and were handed over."""
    accepted: int
    """Records that the rules and ``on_record`` did not drop."""
    exported: int
    """Records that are stored."""
    dropped: dict[str, int]
    """Records that were lost, by reason: ``queue_full``, ``not_configured``, ``rejected``,
    ``export_failed``, ``assembly_failed``, ``worker_failed``, ``no_threads``, ``closed``,
    ``shutdown``."""
    dropped_kept: dict[str, int]
    """How many of `dropped` were no routine, by reason: failures, slow requests and what code kept."""
    failed: int
    """Exports that failed, retries included, and errors of ours or of callbacks, of this app."""
    queue_records: int
    """Records in memory that are neither stored nor dropped yet."""
    queue_bytes: int
    """About the memory that they take."""
    last_export_age_s: float | None
    """Seconds since the last export that succeeded; None before the first."""
