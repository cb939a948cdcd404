"""Formatting of numbers, sizes, durations and times."""

from __future__ import annotations

from datetime import datetime, timezone

GAP = "\u00a0"
"""A no-break space, between a number and its unit."""
MINUTE_MS, HOUR_MS = 60_000.0, 3_600_000.0


def duration(ms: float | None) -> str:
    """Return a duration as ``0.4 ms``, ``412 ms``, ``1.24 s`` or ``2 min 04 s``; ``–`` for none.

    Args:
        ms: in milliseconds.
    """
    if ms is None:
        return "–"
    if ms < 9.95:
        return f"{ms:.1f}{GAP}ms"
    if ms < 999.5:
        return f"{ms:.0f}{GAP}ms"
    if ms < 9_995:
        return f"{ms / 1000:.2f}{GAP}s"
    if ms < 59_950:
        return f"{ms / 1000:.1f}{GAP}s"
    if ms < HOUR_MS - 500:
        minutes, seconds = divmod(round(ms / 1000), 60)
        return f"{minutes}{GAP}min{GAP}{seconds:02d}{GAP}s"
    hours, minutes = divmod(round(ms / MINUTE_MS), 60)
    return f"{hours:,}{GAP}h{GAP}{minutes:02d}{GAP}min"


def tick(ms: float) -> str:
    """Return a duration of an axis as ``0 ms``, ``2.5 ms`` or ``1 s``, without digits that are zero.

    Args:
        ms: in milliseconds, less than a minute where it is not round.
    """
    value, unit = (ms, "ms") if ms < 1000 else (ms / 1000, "s")
    return f"{float(f'{value:.3g}'):g}{GAP}{unit}"


def size(count: int) -> str:
    """Return a number of bytes as ``61 B``, ``12.3 kB`` or ``4.1 MB``, in steps of 1000."""
    if count < 1000:
        return f"{count}{GAP}B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95 or unit == "TB":
            break
    return f"{value:.1f}{GAP}{unit}"


def count(number: float) -> str:
    """Return a number of things as ``1,186`` or ``71.2 k``."""
    if number < 10_000:
        return f"{number:,.0f}"
    if number < 999_950:
        return f"{number / 1000:.1f}{GAP}k"
    return f"{number / 1_000_000:.1f}{GAP}M"


def per_minute(number: float) -> str:
    """Return a number of requests a minute as ``0.4`` or ``1,186``."""
    if 0 < number < 0.05:
        return f"<{GAP}0.1"
    return f"{number:.1f}" if 0 < number < 9.95 else count(number)


def share(part: float) -> str:
    """Return a share from 0 to 1 as ``0.4 %``, ``< 0.1 %`` for a smaller one, and ``0 %`` for zero."""
    percent = 100 * part
    if not percent:
        return f"0{GAP}%"
    if 0 < percent < 0.1:
        return f"<{GAP}0.1{GAP}%"
    return f"{percent:.1f}{GAP}%" if percent < 9.95 else f"{percent:.0f}{GAP}%"


def clock(time: datetime, now: datetime | None = None, *, with_date: bool = False) -> str:
    """Return a time in UTC with milliseconds, and its date where that is not today's.

    Args:
        time: an aware time.
        now: the current time, by default the system's.
        with_date: include the date even if it is today's.
    """
    time = time.astimezone(timezone.utc)
    today = (now or datetime.now(timezone.utc)).astimezone(timezone.utc).date()
    text = f"{time:%H:%M:%S}.{time.microsecond // 1000:03d}"
    is_short = time.date() == today and not with_date
    return text if is_short else f"{time:%Y-%m-%d} {text}"


def moment(time: datetime) -> str:
    """Return a time as ``2026-11-30 12:00:05 UTC``; pages show it in the zone of the reader."""
    return f"{time.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def iso(time: datetime) -> str:
    """Return a time in UTC in the format of the ``datetime`` attribute of ``<time>``."""
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
