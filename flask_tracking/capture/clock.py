"""What time it is, for all of `capture`. A test that wants a clock of its own puts it here."""

from __future__ import annotations

import time

now = time.time
"""Seconds since 1970: when something happened."""
now_ns = time.perf_counter_ns
"""Nanoseconds since no particular moment: how long something took."""
