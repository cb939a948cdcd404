"""Isolate the record that breaks an exporter, so that the rest of its batch is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bson import ObjectId

from ..errors import ExportError, NoDatabaseError
from ..record import Record
from ..runtime import guard
from .stub import make_stub, warn_of_stub

__all__ = ["Bisection", "Failure", "Outcome", "join_company", "say_lost"]

MOST_IN_A_ROW = 3
"""After this number of consecutive failures with single records, the exporter itself is at fault."""


class Failure(NamedTuple):
    """The reason why records are not stored now."""

    reason: str
    error: BaseException | None = None
    """None if no export was attempted."""

    @property
    def broke(self) -> BaseException | None:
        """An exception outside the exporter's contract, which a record may have caused; else None."""
        return None if isinstance(self.error, ExportError | NoDatabaseError) else self.error


class Outcome(NamedTuple):
    """The result of storing a batch."""

    left: Sequence[Record]
    """The records that are not stored yet."""
    failure: Failure | None = None
    """Why they are not; None if all are stored."""
    is_alone: bool = False
    """True if the exporter failed with each of `left` alone. Whether it takes other records tells
    whether it or they are at fault."""
    lost: Sequence[Record] = ()
    """The records that the exporter can never store, not even as stubs."""


class Bisection:
    """Stores a batch part by part after a failure. Use one instance for all retries of a batch."""

    def __init__(self, attempt: Callable[[Sequence[Record]], Failure | None]) -> None:
        """Take a function that exports once and returns why it failed, or None."""
        self._attempt = attempt
        self._broke: set[ObjectId] = set()
        """The records with which the exporter failed alone."""
        self._suspects: set[ObjectId] = set()
        """Those of them after which it has stored others once."""

    def store(self, records: Sequence[Record]) -> Outcome:
        """Store `records`, with a stub in place of each record that breaks the exporter.

        A record whose stub fails too is lost once the exporter has stored others after it, twice:
        until then the exporter itself may be at fault.
        """
        parts, broken, proven = [records], list[Record](), list[Record]()
        failure: Failure | None = None
        while parts and len(broken) < MOST_IN_A_ROW:
            part = parts.pop()
            found = self._try(part)
            if found is None:
                proven, broken = proven + broken, []
                continue
            failure = found
            if found.broke is None:  # it is away
                parts.append(part)
                break
            middle = len(part) // 2
            if middle:
                parts += [part[middle:], part[:middle]]
            else:
                broken.append(part[0])
        untried = [record for part in reversed(parts) for record in part]
        return self._judge(untried, broken, proven, failure)

    def _try(self, part: Sequence[Record]) -> Failure | None:
        failure = self._attempt(part)
        broke = failure and failure.broke
        if broke is not None and len(part) == 1 and self._store_stub(part[0], broke):
            return None
        return failure

    def _store_stub(self, record: Record, error: BaseException) -> bool:
        reason = f"{type(error).__name__} while storing it"
        if self._attempt([make_stub(record, reason)]) is not None:
            return False
        warn_of_stub(record.id, reason)
        return True

    def _judge(
        self,
        untried: Sequence[Record],
        broken: Sequence[Record],
        proven: Sequence[Record],
        failure: Failure | None,
    ) -> Outcome:
        lost = [record for record in proven if record.id in self._suspects]
        again = [record for record in proven if record.id not in self._suspects]
        left = [*untried, *broken, *again]
        ids = {record.id for record in left}
        self._suspects = self._suspects & ids | {record.id for record in again}
        self._broke = self._broke & ids | {record.id for record in (*broken, *again)}
        return Outcome(left, failure if left else None, ids == self._broke, lost)


def join_company(alone: Sequence[Record], company: Sequence[Record]) -> list[Record]:
    """Insert `company` among the failing records, before the exporter counts as broken."""
    few = MOST_IN_A_ROW - 1
    return [*alone[:few], *company, *alone[few:]]


def say_lost(records: Sequence[Record]) -> None:
    """Log that records are lost."""
    guard.warn_rarely(
        "never stored",
        "Record %s is lost: the exporter fails with it but stores others",
        records[0].id,
    )
