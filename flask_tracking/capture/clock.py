"""The clock of `capture`. Tests replace it here."""

from __future__ import annotations

import time

now = time.time
"""Seconds since 1970, for timestamps."""
now_ns = time.perf_counter_ns
"""Nanoseconds since an arbitrary moment, for durations."""
