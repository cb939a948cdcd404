"""The public counters of a worker."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Stats"]


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters of one app in one process, since the process or its fork began.

    .. versionadded:: 2.0
    """

    received: int
    """Requests that ended and were passed to the worker."""
    accepted: int
    """Records that the rules and ``on_record`` did not drop."""
    exported: int
    """Records that are stored, without those that came from the spool."""
    spooled: int
    """Records that were written to the spool, from where this process or another one sends them."""
    unspooled: int
    """Records that were stored from the spool, whichever process had written them."""
    dropped: dict[str, int]
    """Records that were lost, by reason: ``queue_full``, ``not_configured``, ``rejected``,
    ``export_failed``, ``assembly_failed``, ``worker_failed``, ``no_threads``, ``closed``,
    ``shutdown``, ``spool_full``, ``spool_damaged``. The last two include those that other processes had
    written to the spool."""
    dropped_kept: dict[str, int]
    """The part of `dropped` that was not routine, by reason: failures, slow requests, kept by code."""
    failed: int
    """Failed exports, including retries, and errors of flask-tracking or of callbacks in this app."""
    queue_records: int
    """Records in memory that are neither stored nor dropped yet."""
    queue_bytes: int
    """Their approximate memory in bytes."""
    last_export_age_s: float | None
    """Seconds since the last successful export; None before the first."""
    spool_records: int | None = 0
    """Records that wait in the spool, whichever process wrote them; some seconds old. None if the
    directory cannot be read."""
    spool_bytes: int | None = 0
    """What the spool takes of ``TRACKING_SPOOL_BYTES``, like `spool_records`."""
