"""The decision about a capture, made before its record is assembled."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..record import Capture, Summary
from ..runtime.guard import report_failure
from .rules import Verdict
from .summary import UNREADABLE, summarise

__all__ = ["Judged", "judge"]


class Judged(NamedTuple):
    """A capture with the verdict of the rules."""

    capture: Capture
    summary: Summary
    is_stored: bool
    """True if a record is made of it."""
    kept_reason: str | None
    """Why the record is kept; None for a routine record."""
    is_readable: bool = True
    """False if no record can be made of the capture."""
    dropped_before: int = 0
    """The number of earlier losses that its record reports."""

    @property
    def size(self) -> int:
        """Its approximate memory in bytes."""
        return self.capture.size


def judge(ask: Callable[[Summary], Verdict], capture: Capture) -> Judged:
    """Judge `capture`. An unreadable capture counts as stored, so that its loss is counted.

    Args:
        ask: the rules.
        capture: the capture.
    """
    try:
        summary = summarise(capture)
        is_stored, kept_reason = ask(summary)
    except Exception as error:
        report_failure("assembling a record", error)
        return Judged(capture, UNREADABLE, True, None, is_readable=False)
    return Judged(capture, summary, is_stored, kept_reason)
