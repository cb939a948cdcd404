"""What makes records of captures and gives them to an exporter, and sees to it when the process ends.

`SyncWorker` does all of it inside the request; `batch.BatchWorker` is what production uses.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from ..config import Settings
from ..errors import ExportError, NoDatabaseError
from ..exporters.base import Exporter
from ..record import Capture, Record
from ..runtime import guard, lifecycle
from ..runtime.lifecycle import watch_forks
from ..runtime.weak_registry import WeakRegistry
from .callback import NO_HOOKS, Hooks, OnRecord, ask
from .current_rules import CurrentRules
from .stats import Stats
from .untraced import untraced

if TYPE_CHECKING:
    from ..redaction.redactor import Redactor
    from .assemble import Assembler

__all__ = ["SyncWorker", "Worker"]


class Worker(ABC):
    """Makes records of captures and gives the kept ones to an exporter."""

    _uses_exporter = True

    def __init__(
        self,
        settings: Settings,
        exporter: Exporter,
        hooks: Hooks = NO_HOOKS,
    ) -> None:
        """Take what is wanted: the settings of the app, where records go, what the app is asked."""
        self._settings = settings
        self._exporter = exporter
        self._hooks = hooks
        self._redactor: Redactor | None = None
        self._reset()
        _workers.add(self)
        watch_forks(self)
        lifecycle.come_first()

    def _reset(self) -> None:
        self._assembler: Assembler | None = None
        self._rules = CurrentRules(self._settings, self._exporter)
        self._lock = threading.Lock()
        self._received = self._kept = self._exported = self._failed = 0
        self._dropped: Counter[str] = Counter()
        self._dropped_before = 0
        self._last_export: float | None = None
        self._is_failing = False
        self._is_abandoned = False  # what was left when time ran out is counted as dropped

    def after_fork_in_child(self) -> None:
        """Begin anew: the parent sends what it had queued, and no thread of its survived."""
        self._reset()

    def prepare(self) -> None:
        """Import, load and compile now what else the first capture would wait for.

        A child that is forked later uses the same. When it fails, that is logged, and tried again with
        the first capture.
        """
        guard.call_foreign("preparing the worker", self._prepare, default=None)

    def _prepare(self) -> None:
        from .agents import load_tables  # as the assembler below

        load_tables()
        self._get_assembler()
        self._get_redactor().prepare()

    def _get_assembler(self) -> Assembler:
        if self._assembler is None:
            # As the redactor imported when wanted: an app that is made for a command serves nothing.
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

    @property
    def shutdown_timeout_s(self) -> float:
        """How long the exit of the process waits, in seconds."""
        return self._settings.shutdown_timeout_s

    @abstractmethod
    def submit(self, capture: Capture) -> None:
        """Take a capture."""

    @abstractmethod
    def flush(self, timeout_s: float) -> bool:
        """Wait until what was submitted before is stored or dropped; False when time ran out."""

    def close(self, timeout_s: float) -> bool:
        """Store what is queued, then close the exporter.

        What cannot be stored within `timeout_s` is counted as dropped and said in the log. Closing
        twice is harmless; a capture that comes later is dropped.

        Returns:
            False when time ran out.
        """
        self.stop()
        return self.join(timeout_s)

    @abstractmethod
    def stop(self) -> None:
        """Begin to close, and do not wait."""

    @abstractmethod
    def join(self, timeout_s: float) -> bool:
        """Wait until all is closed; False when time ran out, and what was left is dropped."""

    def _close_exporter(self) -> None:
        """Close it, unless another app's worker still uses it: that one closes it then."""
        self._uses_exporter = False
        others = [worker for worker in _workers if worker._exporter is self._exporter]
        if not any(worker._uses_exporter for worker in others):
            with untraced():
                guard.call_foreign("closing the exporter", self._exporter.close, default=None)

    def abandon(self) -> None:
        """Let go of what would keep the process from ending."""
        guard.call_foreign("abandoning the exporter", self._exporter.abandon, default=None)

    @property
    def stats(self) -> Stats:
        """What has been done so far."""
        with self._lock:
            return Stats(
                received=self._received,
                kept=self._kept,
                exported=self._exported,
                dropped=dict(self._dropped),
                failed=self._failed + guard.failures.total(),
                queue_records=self._queue_records(),
                queue_bytes=self._queue_bytes(),
                last_export_age_s=(
                    None if self._last_export is None else monotonic() - self._last_export
                ),
            )

    def _queue_records(self) -> int:
        return 0

    def _queue_bytes(self) -> int:
        return 0

    def _drop(self, reason: str, count: int = 1) -> None:
        """Count records that are lost; the lock must be held."""
        self._dropped[reason] += count
        self._dropped_before += count

    def _drop_records(self, reason: str, records: Sequence[Record]) -> None:
        """Count records that are lost, and leave the gaps before them to the next one; as `_drop`."""
        self._drop(reason, len(records))
        self._dropped_before += sum(record.dropped_before for record in records)

    def _make_records(self, captures: Sequence[Capture]) -> list[Record]:
        records: list[Record] = []
        for capture in captures:
            made = guard.call_foreign("assembling a record", self._make_record, capture, default=None)
            if made is None:
                with self._lock:
                    self._drop("assembly_failed")
            else:
                records += made
        records = self._get_redactor().redact(records)
        on_record = self._hooks.on_record
        if on_record is not None:
            answers = [self._ask(on_record, record) for record in records]
            records = [answer for answer in answers if answer is not None]
        with self._lock:
            self._kept += len(records)
        return records

    def _ask(self, on_record: OnRecord, record: Record) -> Record | None:
        answer = ask(on_record, record)
        if answer is None and record.dropped_before:
            with self._lock:  # the next record tells of the gap
                self._dropped_before += record.dropped_before
        return answer

    def _make_record(self, capture: Capture) -> Sequence[Record]:
        """Return the one record of `capture`, or none where the rules do not keep it."""
        record = self._get_assembler().assemble(capture)
        verdict = self._rules.judge(record, capture)
        if not verdict.is_kept:
            return ()
        if verdict.kept_reason is not None:
            reason = {"kept": True, "kept_reason": verdict.kept_reason}
            record = Record.from_values({**vars(record), **reason})
        if self._dropped_before:
            with self._lock:  # of several threads one tells of the gap
                gap, self._dropped_before = self._dropped_before, 0
            record = Record.from_values({**vars(record), "dropped_before": gap})
        if record.notes:
            notes = "; ".join(record.notes)
            guard.warn_rarely("notes", "Record %s was stored with a note: %s", record.id, notes)
        return [record]

    def _try_export(self, records: Sequence[Record]) -> str | None:
        """Export once; return why it failed, as the reason to drop it by, or None."""
        try:
            with untraced():
                rejected = self._exporter.export(records)
        except Exception as error:
            return self._note_failed_export(error)
        with self._lock:
            self._exported += 0 if self._is_abandoned else len(records) - rejected
            self._last_export = monotonic()
            if rejected:
                self._drop("rejected", rejected)
        if self._is_failing:
            self._is_failing = False
            self._rules.refresh_soon()
            guard.warn_rarely("recovered", "Records are stored again.", level=logging.INFO)
        return None

    def _note_failed_export(self, error: Exception) -> str:
        """Say and count what happened; return the reason to drop by."""
        if self._is_abandoned:
            # The process may be ending: a thread that holds a log's lock then takes it down.
            return "shutdown"
        if isinstance(error, NoDatabaseError):
            guard.warn_rarely("no database", "Nothing is recorded: %s", error)
            return "not_configured"
        if isinstance(error, ExportError):
            # Its text is made for this line: it says what happened and quotes nothing.
            guard.warn_rarely("export", "Records cannot be stored: %s", error)
        else:
            guard.report_failure("exporting records", error)
        self._is_failing = True
        with self._lock:
            self._failed += 1
        return "export_failed"


class SyncWorker(Worker):
    """Stores each record before the server gets the end of the response; retries nothing."""

    def submit(self, capture: Capture) -> None:
        """Store the record of `capture` now, or drop it."""
        with self._lock:
            self._received += 1
        try:
            self._rules.refresh()
            records = self._make_records([capture])
            reason = self._try_export(records) if records else None
        except BaseException:  # it goes on to whom it belongs, and is counted here
            with self._lock:
                self._drop("worker_failed")
            raise
        if reason is not None:
            with self._lock:
                self._drop_records(reason, records)

    def flush(self, timeout_s: float) -> bool:
        """Return True: nothing waits."""
        return True

    def stop(self) -> None:
        """Close the exporter."""
        self._close_exporter()

    def join(self, timeout_s: float) -> bool:
        """Return True: nothing waits."""
        return True


_workers: WeakRegistry[Worker] = WeakRegistry()


def _at_exit() -> None:
    workers = list(_workers)
    try:
        for worker in workers:
            guard.call_foreign("stopping a worker", worker.stop, default=None)
        began = monotonic()
        for worker in workers:  # all at once: two apps take no longer than one
            left_s = max(0.0, began + worker.shutdown_timeout_s - monotonic())
            guard.call_foreign("waiting for a worker", worker.join, left_s, default=False)
    finally:  # Ctrl-C breaks off the wait, and nothing else may hold up the exit then
        for worker in workers:
            worker.abandon()


lifecycle.at_exit(lifecycle.Stage.WORKERS, _at_exit)
