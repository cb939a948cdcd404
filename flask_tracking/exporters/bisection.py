"""Find the record with which an exporter breaks, so that it costs itself and none of its batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bson import ObjectId

from ..errors import ExportError, NoDatabaseError
from ..record import Record
from ..runtime import guard

__all__ = ["Bisection", "Failure", "Outcome", "join_company", "say_lost"]

MOST_IN_A_ROW = 3
"""An exporter that breaks with so many records one after another breaks with all of them for now."""

STUB_FIELDS = (
    "id",
    "kind",
    "date_created",
    "status_code",
    "execution_time",
    "time_to_first_byte",
    "request_body_size",
    "response_body_size",
    "outcome",
    "url_rule",
    "trace_id",
    "span_id",
    "hostname",
    "process",
    "kept",
    "kept_reason",
    "dropped_before",
    "redaction_version",
)
"""What a stub has of its record: nothing that came with the request, which is what breaks a store."""


class Failure(NamedTuple):
    """Why records are not stored now."""

    reason: str
    error: Exception | None = None
    """None where nothing was tried."""

    @property
    def broke(self) -> Exception | None:
        """What no exporter should raise: a record may be its cause."""
        return None if isinstance(self.error, ExportError | NoDatabaseError) else self.error


class Outcome(NamedTuple):
    """What became of a batch."""

    left: Sequence[Record]
    """Those that are not stored."""
    failure: Failure | None = None
    """Why; None where all are."""
    is_alone: bool = False
    """True where the exporter broke with each of `left` by itself. Others tell whose fault it is."""
    lost: Sequence[Record] = ()
    """Those that the exporter can never store, not even without their content."""


class Bisection:
    """Stores batches with an exporter that breaks, part by part; one for all tries of a batch."""

    def __init__(self, attempt: Callable[[Sequence[Record]], Failure | None]) -> None:
        """Take what exports once, and returns why it failed."""
        self._attempt = attempt
        self._broke: set[ObjectId] = set()
        """With what the exporter broke by itself."""
        self._suspects: set[ObjectId] = set()
        """Behind what of that it took others, once."""

    def store(self, records: Sequence[Record]) -> Outcome:
        """Store `records`, and a stub for each record that breaks the exporter.

        A record with which it breaks in spite of that is lost once the exporter has taken others behind
        it, twice: else it may as well be the exporter that is not well.
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

    def _store_stub(self, record: Record, error: Exception) -> bool:
        broke = type(error).__name__
        if self._attempt([_make_stub(record, broke)]) is not None:
            return False
        guard.warn_rarely(
            "stub", "Record %s is stored without its content: %s while storing it", record.id, broke
        )
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
    """Put `company` behind some of those with which the exporter breaks, before it is given up on."""
    few = MOST_IN_A_ROW - 1
    return [*alone[:few], *company, *alone[few:]]


def say_lost(records: Sequence[Record]) -> None:
    """Say that records are lost."""
    guard.warn_rarely(
        "never stored",
        "Record %s is lost: the exporter stores others, and breaks with this one",
        records[0].id,
    )


def _make_stub(record: Record, broke: str) -> Record:
    note = f"stored without its content: {broke} while storing it"
    return Record(**{name: getattr(record, name) for name in STUB_FIELDS}, notes=(note,))
