"""Make records of captures: assemble, redact, and call ``on_record``.

Plain data in, plain data out: no thread, no lock, no store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..config import Settings
from ..record import Record
from ..runtime import guard
from .callback import Hooks, ask
from .judged import Judged

if TYPE_CHECKING:
    from ..redaction.redactor import Redactor
    from .assemble import Assembler

__all__ = ["Processed", "Processor"]


class Processed(NamedTuple):
    """The result of processing captures."""

    records: list[Record]
    failed: list[Judged]
    """The captures of which no record could be made."""
    unwanted: int
    """The number of records that ``on_record`` dropped."""
    untold: int
    """The number of earlier losses that no record reports, because the reporting record was dropped."""


class Processor:
    """Makes records. Call `begin_anew` after a fork."""

    def __init__(self, settings: Settings, hooks: Hooks) -> None:
        """Take the settings and the functions of the app."""
        self._settings = settings
        self._hooks = hooks
        self._assembler: Assembler | None = None
        self._redactor: Redactor | None = None

    def begin_anew(self) -> None:
        """Forget the name of the process; compiled patterns stay."""
        self._assembler = None

    def prepare(self) -> None:
        """Import, load and compile now, so that the first capture need not wait for it."""
        from . import decoding, user_agents  # as the assembler below

        user_agents.load_tables()
        decoding.preload()
        self._get_assembler()
        self._get_redactor().prepare()

    def process(self, judged: Sequence[Judged]) -> Processed:
        """Make the records of captures, in their order."""
        assembled: list[Record] = []
        failed: list[Judged] = []
        untold = 0
        for one in judged:
            record = self._assemble(one)
            if record is None:
                failed.append(one)
                untold += one.dropped_before
            else:
                assembled.append(record)
        records: list[Record] = []
        for record in self._get_redactor().redact(assembled):
            answer = self._ask(record)
            if answer is None:
                untold += record.dropped_before
            else:
                records.append(answer)
        return Processed(records, failed, len(assembled) - len(records), untold)

    def _assemble(self, judged: Judged) -> Record | None:
        if not judged.is_readable:
            return None
        record = guard.call_foreign("assembling a record", self._make_record, judged, default=None)
        if record is not None and record.notes:
            notes = "; ".join(record.notes)
            guard.warn_rarely("notes", "Record %s was stored with a note: %s", record.id, notes)
        return record

    def _make_record(self, judged: Judged) -> Record:
        return self._get_assembler().assemble(
            judged.capture, judged.summary, judged.kept_reason, judged.dropped_before
        )

    def _ask(self, record: Record) -> Record | None:
        on_record = self._hooks.on_record
        return record if on_record is None else ask(on_record, record)

    def _get_assembler(self) -> Assembler:
        if self._assembler is None:
            # Imported on first use, like the redactor: an app that only runs a command needs neither.
            from .assemble import Assembler

            self._assembler = Assembler(self._settings)
        return self._assembler

    def _get_redactor(self) -> Redactor:
        if self._redactor is None:
            from ..redaction.redactor import Redactor

            self._redactor = Redactor(
                self._settings, self._hooks.find_literals, callback=self._hooks.redact
            )
        return self._redactor
