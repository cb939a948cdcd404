"""Workers make records of captures, pass them to an exporter, and finish when the process exits.

`SyncWorker` does everything inside the request; the default is `batch.BatchWorker`. Both are composed
of the rules, a `Processor`, a `Delivery` and the `Counters` of their app.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from time import monotonic

from ..config import Settings
from ..exporters.base import Exporter
from ..record import Capture, Record
from ..runtime import guard, lifecycle
from ..runtime.weak_registry import WeakRegistry
from ..spool import Spool
from .active_rules import ActiveRules
from .callback import NO_HOOKS, Hooks
from .counters import Counters
from .delivery import Delivery, Undelivered
from .drain import Drain
from .judged import Judged, judge
from .minute_rollups import MinuteRollups
from .processor import Processed, Processor
from .rollup_delivery import RollupDelivery, find_table
from .rollup_spool import RollupSpool
from .server import threads_can_run
from .spool_gauge import EMPTY, SpoolGauge
from .spooling import SpoolWriter
from .stats import Stats
from .untraced import untraced

__all__ = ["SyncWorker", "Worker"]


class Worker(ABC):
    """Base class of workers: makes records of captures and passes them to an exporter."""

    _uses_exporter = True

    def __init__(
        self,
        settings: Settings,
        exporter: Exporter,
        hooks: Hooks = NO_HOOKS,
        failures: Counter[str] | None = None,
        spool: Spool | None = None,
    ) -> None:
        """Store the arguments.

        Args:
            settings: the settings of the app.
            exporter: the exporter.
            hooks: the functions of the app.
            failures: the counter in which `guard` counts errors in requests of the app.
            spool: holds records that the exporter does not take; None to hold them in memory.
        """
        self._settings = settings
        self._exporter = exporter
        self._spool = spool
        self._rollup_spool: RollupSpool | None = None
        self._spools: list[Spool] = []
        """The files of records and of rollups; empty without a spool."""
        if spool is not None:
            self._rollup_spool = RollupSpool(spool)
            self._spools = [spool, self._rollup_spool.files]
        self._gauge = None if spool is None else SpoolGauge(spool)
        self._failures: Counter[str] = Counter() if failures is None else failures
        self._processor = Processor(settings, hooks)
        self._reset()
        _workers.add(self)
        lifecycle.watch_forks(self)
        lifecycle.come_first()

    def _reset(self) -> None:
        self._processor.begin_anew()
        self._failures.clear()
        self._closer: threading.Thread | None = None
        self._ends_at = 0.0
        table = find_table(self._exporter) if self._settings.rollup_days else None
        counted = None if table is None else MinuteRollups(self._settings.app_version)
        self._counters = Counters(self._failures, counted)
        self._rollups: RollupDelivery | None = None
        if table is not None and counted is not None:
            self._rollups = RollupDelivery(table, self._counters, counted, self._rollup_spool)
        self._lock = self._counters.lock
        self._rules = ActiveRules(self._settings, self._exporter)
        self._begin_delivery()

    def _begin_delivery(self) -> None:
        spool = self._spool
        self._spool_writer = None if spool is None else SpoolWriter(spool, self._counters)
        self._delivery = Delivery(
            self._exporter, self._counters, self._rules.refresh_soon, self._spool_writer
        )
        self._drain = None
        if spool is not None and self._spool_writer is not None:
            self._drain = Drain(spool, self._spool_writer, self._delivery)

    def after_fork_in_child(self) -> None:
        """Start again: the parent sends its queue, and its thread does not exist here."""
        self._reset()

    def prepare(self) -> None:
        """Import, load and compile now, so that the first capture need not wait for it.

        Children forked later share the result. Errors are logged, and the first capture tries again.
        """
        with guard.counting(self._failures):
            guard.call_foreign("preparing the worker", self._processor.prepare, default=None)
            guard.call_foreign("preloading the exporter", self._exporter.preload, default=None)

    @property
    def shutdown_timeout_s(self) -> float:
        """How long the exit of the process waits for this worker, in seconds."""
        return self._settings.shutdown_timeout_s

    @abstractmethod
    def submit(self, capture: Capture) -> None:
        """Accept a capture."""

    @abstractmethod
    def flush(self, timeout_s: float) -> bool:
        """Wait until all captures submitted before are stored or dropped; False if time ran out."""

    def close(self, timeout_s: float) -> bool:
        """Store queued captures, then close the exporter.

        Records that are not stored within `timeout_s` are counted as dropped and logged. Closing twice
        is harmless; later captures are dropped.

        Returns:
            False if time ran out.
        """
        self.stop(timeout_s)
        return self.join(timeout_s)

    def stop(self, timeout_s: float | None = None) -> None:
        """Begin to close without waiting.

        Args:
            timeout_s: time limit for closing; by default that of the exit of the process.
        """
        self._ends_at = monotonic() + (self.shutdown_timeout_s if timeout_s is None else timeout_s)
        self._begin_to_close()

    def let_go(self) -> None:
        """Close without waiting for a thread, because the app was garbage-collected."""
        self.stop()
        self._close_here()

    @abstractmethod
    def _begin_to_close(self) -> None:
        """Implement `stop`."""

    @abstractmethod
    def _claim_closing(self) -> bool:
        """Return True, once for each end, if no thread of the worker closes the exporter."""

    def _close_here(self) -> None:
        """Close the exporter on this thread, unless a thread of the worker does."""
        if self._claim_closing():
            self._close_exporter()

    def close_apart(self) -> None:
        """Start a thread that stores rollups and closes the exporter, unless the worker's own will.

        Both may hang, and `join` must not. If no thread can be started, as at the exit of
        some versions of Python 3.12, the exporter is closed on this one.
        """
        if self._closer is not None or not self._claim_closing():
            return
        closer = threading.Thread(target=self._end, name="flask-tracking end", daemon=True)
        try:
            if not threads_can_run():
                raise RuntimeError("uWSGI runs without threads")
            closer.start()
        except RuntimeError:
            self._end()
        else:
            self._closer = closer

    def _end(self) -> None:
        self._finish_rollups()
        self._close_exporter()

    def _join_closer(self, timeout_s: float) -> bool:
        """Wait for the exporter to be closed; False if time ran out."""
        closer, self._closer = self._closer, None
        if closer is None:
            return True
        closer.join(timeout_s)
        return not closer.is_alive()

    @abstractmethod
    def secure(self, timeout_s: float) -> None:
        """Wait until all is stored, or spooled if the store hangs. Without a spool do not wait."""

    @abstractmethod
    def join(self, timeout_s: float) -> bool:
        """Wait until everything is closed. If time runs out, drop the rest and return False."""

    def hurry(self) -> None:
        """Spool or drop at once what waits, because somebody has interrupted the exit."""
        self.join(0.0)

    def _close_exporter(self) -> None:
        """Close the exporter, unless the worker of another app still uses it and will close it."""
        self._uses_exporter = False
        others = [worker for worker in _workers if worker._exporter is self._exporter]
        if not any(worker._uses_exporter for worker in others):
            with untraced(), guard.counting(self._failures):
                left_s = max(0.0, self._ends_at - monotonic())
                guard.call_foreign("closing the exporter", self._exporter.close, left_s, default=None)

    def _refresh_rules(self) -> None:
        """Read overrides if it is time to. If that took too long, no record waits as long again."""
        if not self._rules.refresh():
            self._delivery.note_away()

    def _tend_rollups(self, *, is_forced: bool = False, is_away: bool = False) -> None:
        """Store and merge rollups if it is time to, or if `is_forced`; store none if it `is_away`."""
        rollups = self._rollups
        if rollups is not None and not rollups.tend(is_forced=is_forced, is_away=is_away):
            self._delivery.note_away()

    def _finish_rollups(self) -> None:
        """Store all rollups before the exporter is closed."""
        if self._rollups is not None:
            self._rollups.finish()

    def abandon(self) -> None:
        """Release everything that could keep the process from exiting."""
        guard.call_foreign("abandoning the exporter", self._exporter.abandon, default=None)

    @property
    def stats(self) -> Stats:
        """A snapshot of the counters."""
        # Outside the lock, so that no request waits for the disk.
        backlog = EMPTY if self._gauge is None else self._gauge.read()
        with self._lock:
            return self._counters.read(self._queue_bytes(), backlog)

    def _queue_bytes(self) -> int:
        return 0

    def _judge(self, capture: Capture) -> Judged:
        return judge(self._rules.judge, capture)

    def _judge_all(self, captures: Iterable[Capture]) -> list[Judged]:
        return [judge(self._rules.judge, capture) for capture in captures]

    def _choose(self, judged: Sequence[Judged]) -> list[Judged]:
        """Count captures, and return those that become records."""
        chosen = [one for one in judged if one.is_stored]
        with self._lock:
            if self._delivery.is_abandoned:  # all are counted as lost already
                return []
            self._counters.add_to_rollups(judged)
            self._counters.not_stored += len(judged) - len(chosen)
            gap = self._counters.take_gap() if chosen else 0
        if gap:  # of several threads, one reports it
            chosen[0] = chosen[0]._replace(dropped_before=gap)
        return chosen

    def _settle_processed(self, processed: Processed) -> list[Record]:
        """Count the results of processing, and return the records."""
        with self._lock:
            if self._delivery.is_abandoned:
                return []
            self._counters.accepted += len(processed.records)
            self._counters.not_stored += processed.unwanted
            kept = sum(one.kept_reason is not None for one in processed.failed)
            self._counters.drop(
                "assembly_failed", len(processed.failed), kept=kept, untold=processed.untold
            )
        return processed.records

    def _drop_unprocessed(self, reason: str, judged: Sequence[Judged]) -> None:
        """Count captures that are dropped unprocessed. The lock must be held."""
        lost = [one for one in judged if one.is_stored]  # the rules drop the others
        self._counters.add_to_rollups(judged)
        self._counters.not_stored += len(judged) - len(lost)
        self._counters.drop(reason, len(lost), kept=sum(one.kept_reason is not None for one in lost))

    def _drop_undelivered(self, undelivered: Undelivered) -> None:
        """Count records that are given up. The lock must be held."""
        records = undelivered.records
        self._counters.drop(
            undelivered.reason,
            len(records),
            kept=sum(record.kept for record in records),
            untold=sum(record.dropped_before for record in records),
        )


class SyncWorker(Worker):
    """Stores each record before the response ends; only spooled records are retried."""

    def _reset(self) -> None:
        super()._reset()
        self._draining = threading.Lock()
        self._is_closing = False

    def submit(self, capture: Capture) -> None:
        """Store the record of `capture` now, or drop it."""
        with self._lock:
            self._counters.received += 1
            if self._is_closing:
                self._drop_unprocessed("closed", [self._judge(capture)])
                return
        try:
            with guard.counting(self._failures):
                undelivered = self._store(capture)
        except BaseException:  # counted here, and passed on to the server
            with self._lock:
                self._counters.drop("worker_failed")
            raise
        if undelivered is not None:
            with self._lock:
                self._drop_undelivered(undelivered)
        elif self._drain is not None and monotonic() >= self._drain.due_at:
            self._drain_spool(self._drain)
        self._tend_rollups(is_away=self._delivery.is_away)  # a request waits once for an absent store

    def _drain_spool(self, drain: Drain) -> None:
        if self._draining.acquire(blocking=False):  # else another request does it
            try:
                with guard.counting(self._failures):
                    guard.call_foreign("sending spooled records", drain.take_step, default=None)
            finally:
                self._draining.release()

    def _store(self, capture: Capture) -> Undelivered | None:
        if not self._delivery.is_away:
            self._refresh_rules()
        chosen = self._choose([self._judge(capture)])
        if not chosen:
            return None
        records = self._settle_processed(self._processor.process(chosen))
        return self._delivery.deliver_once(records)

    def flush(self, timeout_s: float) -> bool:
        """Store rollups, and return True: captures never wait."""
        self._tend_rollups(is_forced=True)
        return True

    def _begin_to_close(self) -> None:
        """Drop later captures; closing the exporter may take time."""
        self._is_closing = True

    def _claim_closing(self) -> bool:
        return True

    def secure(self, timeout_s: float) -> None:
        """Do nothing: captures never wait."""

    def join(self, timeout_s: float) -> bool:
        """Store rollups and close the exporter; False if that is not done in time."""
        self.close_apart()
        return self._join_closer(timeout_s)


_workers: WeakRegistry[Worker] = WeakRegistry()


def _end_workers() -> None:
    workers = list(_workers)
    for worker in workers:
        guard.call_foreign("stopping a worker", worker.stop, default=None)
    try:
        _wait_for(workers)
    except BaseException:  # a second Ctrl-C
        for worker in workers:
            guard.call_foreign("hurrying a worker", worker.hurry, default=None)
        raise


def _wait_for(workers: Sequence[Worker]) -> None:
    began = monotonic()
    for worker in workers:
        guard.call_foreign("closing the exporter", worker.close_apart, default=None)

    def left_s(worker: Worker) -> float:  # they share the time: two apps take no longer than one
        return max(0.0, began + worker.shutdown_timeout_s - monotonic())

    for worker in workers:  # before the first is waited for to its end, whose store may hang
        guard.call_foreign("securing records", worker.secure, left_s(worker), default=None)
    for worker in workers:
        guard.call_foreign("waiting for a worker", worker.join, left_s(worker), default=False)


def _abandon_clients() -> None:
    for worker in _workers:
        worker.abandon()


lifecycle.at_exit(lifecycle.Stage.WORKERS, _end_workers)
lifecycle.at_exit(lifecycle.Stage.CLIENTS, _abandon_clients)
