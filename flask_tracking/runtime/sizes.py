"""Sizes in bytes, as people read them."""

from __future__ import annotations


def format_size(size: float) -> str:
    """Return a size for people, like ``1.5 GB``; a kB is 1,000 bytes."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if size >= 99.5 or unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB" if size < 99.5 else f"{size:,.0f} TB"


def format_bound(size: int) -> str:
    """Return a size with its bytes, for comparing, like ``8.19 kB (8,192 bytes)``."""
    return format_size(size) if size < 1000 else f"{format_size(size)} ({size:,} bytes)"
