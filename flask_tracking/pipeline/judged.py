"""What becomes of a capture, decided before anything else is made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..record import Capture, Summary
from ..runtime.guard import report_failure
from .rules import Verdict
from .summary import UNREADABLE, summarise

__all__ = ["Judged", "judge"]


class Judged(NamedTuple):
    """A capture, and what the rules say of it."""

    capture: Capture
    summary: Summary
    is_stored: bool
    """True where a record is to be made of it."""
    kept_reason: str | None
    """Why the record is copied to the kept collection; None for a routine one."""
    is_readable: bool = True
    """False where the capture is of no use."""
    dropped_before: int = 0
    """How many records were lost before it, which its record is to tell."""

    @property
    def size(self) -> int:
        """About the bytes of memory that it takes."""
        return self.capture.size


def judge(ask: Callable[[Summary], Verdict], capture: Capture) -> Judged:
    """Judge `capture`; one that cannot be read counts as stored, so that its loss is counted.

    Args:
        ask: the rules.
        capture: what the request thread handed over.
    """
    try:
        summary = summarise(capture)
        is_stored, kept_reason = ask(summary)
    except Exception as error:
        report_failure("assembling a record", error)
        return Judged(capture, UNREADABLE, True, None, is_readable=False)
    return Judged(capture, summary, is_stored, kept_reason)
