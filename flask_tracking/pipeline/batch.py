"""The default worker: request threads append to a queue, and a background thread empties it."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import TypeVar

from ..config import Settings
from ..errors import ExportError, NoDatabaseError
from ..exporters.base import Exporter
from ..record import Capture, Record
from ..runtime import guard
from ..spool import Spool
from .callback import NO_HOOKS, Hooks
from .delivery import Delivery, Undelivered
from .hands import Hands
from .interrupts import ends_thread, persist
from .judged import Judged
from .pace import Pace, give_way
from .queue import CaptureQueue
from .server import Watch, threads_can_run
from .untraced import untraced
from .worker import Worker

__all__ = ["BatchWorker"]

BEHIND = 1 / 8
"""The worker is behind when more of the queue is in use than this share. A burst is less."""
PATIENCE = 1 / 2
"""At shutdown, the share of the timeout that a call to the store may take if there is a spool."""
HURRY_S = 1.0
"""The time that spooling may take after the exit was interrupted."""
POLL_S = 0.05
RESERVE_S = 0.25
"""The time that is left at shutdown for the rollups that count what was sent from the spool."""
JUDGED_AT_ONCE = 64
"""The number of captures that are judged before other threads run: they take about half a ms."""
FREED_AT_ONCE = 32
"""The number of the parent's captures that a forked child frees before it lets other threads run."""


R = TypeVar("R")
D = TypeVar("D")


class BatchWorker(Worker):
    """A bounded queue and one thread that empties it in batches.

    The thread starts with the first capture, so that each forked process has its own. It wakes for a
    full batch or when the flush interval has passed: waking up costs the request threads as much time
    as the work itself.
    """

    def __init__(
        self,
        settings: Settings,
        exporter: Exporter,
        hooks: Hooks = NO_HOOKS,
        failures: Counter[str] | None = None,
        spool: Spool | None = None,
    ) -> None:
        """Take the arguments of `Worker`."""
        self._parents: CaptureQueue | None = None
        self._pace = Pace()
        self._batch_records = settings.batch_records
        super().__init__(settings, exporter, hooks, failures, spool)

    def after_fork_in_child(self) -> None:
        """Reset, and leave freeing the parent's captures to the thread, because it takes time."""
        parents = self._queue
        super().after_fork_in_child()
        self._parents = self._parents or parents

    def _reset(self) -> None:
        super()._reset()
        settings = self._settings
        self._queue = CaptureQueue(settings.queue_records, settings.queue_bytes, self._judge)
        self._done = threading.Condition(self._lock)
        self._hands = Hands(self._queue, self._counters, self._done)
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._ended = threading.Event()
        """Set when the thread ends. After an interrupted join CPython 3.11 may say so too early."""
        self._is_closing = False  # the same, without the cost of a call
        self._must_close = True
        self._flushes_asked = 0
        self._flushes_done = 0.0
        self._is_calling = False
        """True while the thread is in a call that may hang: to the store or the spool."""
        self._is_relieved = False
        """True once the thread that ends the process has taken over its work."""
        self._thread: threading.Thread | None = None
        self._watch = Watch()

    def submit(self, capture: Capture) -> None:
        """Append `capture`; beyond the bounds the oldest routine one is dropped."""
        queue = self._queue
        with self._lock:
            self._counters.received += 1
            if self._is_closing:
                self._drop_unprocessed("closed", [self._judge(capture)])
                return
            waiting = queue.append(capture)
            if queue.is_over:
                self._evict()
        if self._thread is None:
            self._start()
        if capture.arrived_at > self._watch.due_at:
            self._watch.note_overdue(capture.arrived_at)
        if waiting >= self._batch_records and not self._wake.is_set():
            self._wake.set()

    def _evict(self) -> None:
        evicted = []
        while self._queue.is_over:
            evicted.append(self._queue.evict())
        self._drop_unprocessed("queue_full", evicted)

    def _drop_unprocessed(self, reason: str, judged: Sequence[Judged]) -> None:
        super()._drop_unprocessed(reason, judged)
        self._done.notify_all()

    def _count_settled(self) -> int:
        """Return the number of received captures that are settled. The lock must be held."""
        counters = self._counters  # a batch is settled as a whole, and holds its memory until then
        return counters.received - max(counters.waiting, len(self._queue) + self._hands.captures)

    def _empty_unprocessed(self, reason: str) -> None:
        """Drop all waiting captures. The lock must be held."""
        captures = self._queue.take(len(self._queue))
        self._queue.release(sum(capture.size for capture in captures))
        self._drop_unprocessed(reason, self._judge_all(captures))

    def _start(self) -> None:
        thread: threading.Thread | None = None
        try:
            if not threads_can_run():
                raise RuntimeError("uWSGI runs without threads")
            with self._lock:
                if self._thread is not None:
                    return
                thread = threading.Thread(target=self._run, name="flask-tracking worker", daemon=True)
                self._thread = thread
                self._ended.clear()
            thread.start()
            self._watch.start()
        except BaseException as error:  # a patched Thread may raise anything
            self._note_failed_start(thread, error)
            if not isinstance(error, Exception):
                raise

    def _note_failed_start(self, thread: threading.Thread | None, error: BaseException) -> None:
        """Let the next capture try again. Drop waiting captures, unless the process is exiting."""
        with self._lock:
            if thread is not None and thread.ident is not None:
                return  # the thread runs: only waiting for it was interrupted
            if self._thread is thread:
                self._thread = None
            if not isinstance(error, Exception):
                return
            self._empty_unprocessed("no_threads")
        guard.warn_rarely(
            "no threads",
            "Nothing is recorded: no thread can be started here (%s). Run uWSGI with "
            "--enable-threads, or set TRACKING_WORKER='sync' to store inside the request.",
            type(error).__name__,
            level=logging.ERROR,
            trace=None if isinstance(error, RuntimeError) else error.__traceback__,
        )

    def flush(self, timeout_s: float) -> bool:
        """Wait until all captures submitted before are stored or dropped, and counted in the store.

        Args:
            timeout_s: maximum time to wait.

        Returns:
            False if time ran out.
        """
        with self._lock:
            target = self._counters.received
            self._flushes_asked += 1
            flush = self._flushes_asked
            must_start = self._thread is None and bool(self._queue)
        if must_start:
            self._start()
        self._wake.set()

        def is_done() -> bool:
            is_flushed = self._thread is None or self._flushes_done >= flush
            return is_flushed and self._count_settled() >= target

        with self._lock:
            return self._done.wait_for(is_done, timeout_s)

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end. Records that it does not store in time are dropped."""
        ends_at = monotonic() + timeout_s
        thread = self._thread
        self.close_apart()
        if thread is not None and thread is not threading.current_thread():
            self.secure(timeout_s)
            left_s = max(0.0, ends_at - monotonic())
            guard.call_foreign("joining the worker's thread", thread.join, left_s, default=None)
        with self._lock:
            lost = self._drop_all("shutdown") if self._counters.waiting else 0
        _warn_of_loss(lost)
        is_closed = self._join_closer(max(0.0, ends_at - monotonic()))
        return is_closed and (thread is None or not thread.is_alive())

    def secure(self, timeout_s: float) -> None:
        """Wait for the thread; if it hangs in a call to the store, spool what it has and what waits."""
        if self._spool is not None:
            secure = functools.partial(self._secure, monotonic() + timeout_s)
            guard.call_foreign("spooling at the end", secure, timeout_s * PATIENCE, default=None)

    def hurry(self) -> None:
        """Spool or drop at once what waits, because somebody has interrupted the exit."""
        if self._spool is not None:
            secure = functools.partial(self._secure, monotonic() + HURRY_S)
            guard.call_foreign("spooling at the end", secure, 0.0, default=None)
        super().hurry()

    def _secure(self, ends_at: float, patience_s: float) -> None:
        if self._thread is None or self._thread is threading.current_thread():
            return
        pause_s = patience_s
        while not self._ended.wait(pause_s) and not self._is_relieved:
            left_s = ends_at - monotonic()
            if self._is_calling:
                self._relieve(ends_at)
            elif left_s <= 0:
                return
            pause_s = max(0.0, min(POLL_S, left_s))

    def _relieve(self, ends_at: float) -> None:
        """Spool the batch of a call that hangs, and all captures behind it."""
        with self._lock:
            self._is_relieved = True
            records = self._delivery.take_over()
            self._begin_delivery()
        for spool in self._spools:
            spool.postpone_syncs()
        self._spool_rest(records, ends_at)
        for spool in self._spools:
            spool.sync(ends_at)
        with self._lock:
            self._hands.release_memory()

    def _spool_rest(self, records: Sequence[Record], ends_at: float) -> None:
        """Spool `records`, then the captures that wait, then the rollups."""
        writer = self._spool_writer
        while writer is not None and not writer.write(records) and monotonic() < ends_at:
            captures = self._take(self._batch_records)
            if not captures:
                break
            records = self._make_records(captures)
        if self._rollups is not None:
            self._rollups.spool_all()

    def _claim_closing(self) -> bool:
        with self._lock:
            # If there is a thread, it closes the exporter at its end.
            must_close = self._must_close and self._thread is None
            self._must_close = self._must_close and not must_close
        return must_close

    def _drop_all(self, reason: str) -> int:
        """Drop all captures, waiting or in hand; return the number lost. The lock must be held."""
        before = self._counters.dropped.total()
        self._delivery.abandon()
        self._empty_unprocessed(reason)
        self._hands.drop(reason)
        return self._counters.dropped.total() - before

    def _begin_to_close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        self._closing.set()
        self._wake.set()

    def _queue_bytes(self) -> int:
        return self._queue.bytes

    # The thread

    def _run(self) -> None:
        with guard.counting(self._failures):
            try:
                persist(self._serve)
            except BaseException as error:  # the batch in hand is lost; the next capture restarts it
                # The thread of a batch that was sent ahead still counts its records.
                with contextlib.suppress(BaseException):
                    self._settle_ahead()
                self._note_death()
                guard.report_failure("the worker's thread", error)
            else:
                self._ended.set()

    def _note_death(self) -> None:
        with self._lock:
            self._thread = None
            self._ended.set()
            self._lose_hands()

    def _lose_hands(self) -> None:
        """Give up the batches in hand, the work on which was interrupted. The lock must be held."""
        self._hands.drop("worker_failed")
        self._queue.release_all()

    def _serve(self) -> None:
        if self._hands.captures:  # a signal has interrupted the previous turn
            self._settle_ahead()
            with self._lock:
                self._lose_hands()
        # A server that lets no thread run from now on is noticed before a call hangs.
        self._watch.expect(0.0)
        give_way()
        self._watch.arrive()
        next_flush = monotonic() + self._settings.flush_interval_s
        # The connection is opened here: opening it while the interpreter exits may fail.
        self._call("opening the exporter", self._open, default=None)
        while not (self._closing.is_set() and (self._is_over or not self._queue)):
            pause_s = max(0.0, min(next_flush, self._drain_due_at) - monotonic())
            self._watch.expect(pause_s)
            self._wake.wait(pause_s)
            self._watch.arrive()
            self._wake.clear()
            flush = self._flushes_asked
            is_flushing = flush > self._flushes_done
            is_due = monotonic() >= next_flush or is_flushing or self._must_spool
            if is_due:
                next_flush = monotonic() + self._settings.flush_interval_s
            self._note_waiting()
            self._empty_queue(down_to=1 if is_due else self._batch_records)
            if not self._is_over:
                is_away = self._delivery.is_away
                tend = functools.partial(self._tend_rollups, is_forced=is_flushing, is_away=is_away)
                self._call("storing rollups", tend, default=None)
            self._note_flushed(flush)
            if monotonic() >= self._drain_due_at and not self._is_over:  # live records first
                self._drain_spool()
        if not self._is_over:
            self._call("storing rollups", self._finish_rollups, default=None)
        self._note_flushed(math.inf)
        if self._drain_while_closing() and not self._is_over:  # the rollups count what is stored now
            self._call("storing rollups", self._finish_rollups, default=None)
        self._close_exporter()

    def _note_waiting(self) -> None:
        with self._lock:
            self._counters.note_waiting()
            oldest = self._queue.oldest
            if oldest is not None:
                self._counters.note_lag(oldest.ended_at)

    def _note_flushed(self, flush: float) -> None:
        """Wake the threads that wait for this flush or an earlier one."""
        with self._lock:
            self._flushes_done = flush
            self._done.notify_all()

    @property
    def _is_over(self) -> bool:
        """Whether the thread must stop: its work is taken over, or time has run out."""
        return self._is_relieved or self._delivery.is_abandoned

    @property
    def _drain_due_at(self) -> float:
        return math.inf if self._drain is None else self._drain.due_at

    @property
    def _must_spool(self) -> bool:
        """Whether captures must not wait any longer: for the end, or for a try of an absent store.

        Such a try may take a timeout.
        """
        is_tried_now = self._delivery.is_away and monotonic() >= self._drain_due_at
        return is_tried_now or self._closing.is_set()

    def _drain_spool(self) -> bool:
        drain = self._drain
        if drain is None:
            return False
        return self._call("sending spooled records", drain.take_step, default=False)

    def _drain_while_closing(self) -> bool:
        """Send spooled records in the remaining time; they are safe on disk already.

        Returns:
            Whether any were sent.
        """
        ends_at, has_sent = self._ends_at - RESERVE_S, False
        while not self._is_over and monotonic() < ends_at and self._drain_spool():
            has_sent = True
        return has_sent

    def _open(self) -> None:
        while self._parents and self._parents.take(FREED_AT_ONCE):
            give_way()
        self._parents = None
        self.prepare()
        try:
            with untraced():
                self._exporter.open()
        except (ExportError, NoDatabaseError) as error:
            self._delivery.note_unopened(error)

    def _call(self, what: str, function: Callable[..., R], *args: object, default: D) -> R | D:
        """Call the store or the spool; whatever that raises is logged and counted, and ends no thread.

        Args:
            what: a description of the call, for the log.
            function: the callable.
            *args: its arguments.
            default: the result if it raises.
        """
        with self._calling():
            try:
                return persist(function, *args)
            except BaseException as error:
                if ends_thread(error):
                    raise
                guard.report_failure(what, error)
                return default

    @contextlib.contextmanager
    def _calling(self) -> Iterator[None]:
        self._is_calling = True
        try:
            yield
        finally:
            self._is_calling = False

    def _empty_queue(self, down_to: int) -> None:
        """Process the captures that wait now, in batches, while at least `down_to` of them are left.

        Later captures have to wait for the next call: with a slow store there would be no end.
        """
        is_ordered = False
        left = len(self._queue)
        while left >= down_to and self._queue and not self._is_over:
            left -= self._batch_records
            if self._is_closing and not is_ordered:  # time may run out
                is_ordered = True
                with self._lock:
                    self._queue.put_kept_first()
            self._take_batch()
        self._settle_ahead()

    def _take_batch(self) -> None:
        # At exit there is no time to read the store; in an outage each attempt takes its timeout.
        if not self._closing.is_set() and not self._delivery.is_away:
            self._call("loading overrides", self._refresh_rules, default=None)
        captures = self._take(self._batch_records)
        try:
            self._work(captures)
        except Exception as error:  # an unforeseen error costs the batch, not the thread
            guard.report_failure("working on a batch", error)
        if not self._delivery.is_ahead:
            self._release_hands()

    def _work(self, captures: list[Capture]) -> None:
        records = self._make_records(captures)
        delivery = self._delivery  # another one, once its work is taken over
        self._settle(delivery, records)
        if self._can_send_ahead(delivery):
            delivery.send_ahead(records)
            with self._lock:
                self._hands.send_ahead()
            return
        with self._calling():
            undelivered = delivery.deliver(records, self._closing, self._take_company)
        if undelivered is not None:
            self._give_up(undelivered)

    def _can_send_ahead(self, delivery: Delivery) -> bool:
        """Whether there is another batch to make meanwhile, and nothing against it."""
        waits = len(self._queue) >= self._batch_records
        # At exit no thread may start any more. An absent store is asked for nothing.
        return waits and not self._closing.is_set() and not delivery.is_away

    def _settle(self, delivery: Delivery, following: Sequence[Record] = ()) -> None:
        """Finish the batch that was sent ahead, if there is one, before `following` is sent."""
        if not delivery.is_ahead:
            return
        with self._calling():
            undelivered = delivery.settle(following, self._closing, self._take_company)
        if undelivered is not None:
            self._give_up(undelivered)
        with self._lock:
            if not self._is_relieved:
                self._hands.release_ahead()

    def _settle_ahead(self) -> None:
        """Finish the batch that was sent ahead, when no other one is made."""
        if self._delivery.is_ahead:
            try:
                self._settle(self._delivery)
            except Exception as error:
                guard.report_failure("working on a batch", error)
            self._release_hands()

    def _release_hands(self) -> None:
        with self._lock:
            if not self._is_relieved:
                self._hands.drop("worker_failed")

    def _take(self, count: int) -> list[Capture]:
        with self._lock:
            return self._hands.take(count)

    def _take_company(self, already: int) -> list[Record]:
        # At least one more, even if the batch size is 1.
        return self._make_records(self._take(max(self._batch_records, 2) - already))

    def _make_records(self, captures: list[Capture]) -> list[Record]:
        judged: list[Judged] = []
        for start in range(0, len(captures), JUDGED_AT_ONCE):
            judged += persist(self._judge_all, captures[start : start + JUDGED_AT_ONCE])
            if not self._is_behind:
                give_way()
        captures.clear()  # while the store is unavailable, each body is held only once
        records = self._process(self._choose(judged))
        judged.clear()
        return records

    @property
    def _is_behind(self) -> bool:
        return self._queue.fill(self._hands.size) >= BEHIND

    def _process(self, chosen: list[Judged]) -> list[Record]:
        with self._lock:
            self._hands.note_kept(sum(one.kept_reason is not None for one in chosen))
        records: list[Record] = []
        for chunk in self._pace.chunks(chosen, is_behind=self._is_behind):
            records += self._settle_processed(persist(self._processor.process, chunk))
        chosen.clear()
        return records

    def _give_up(self, undelivered: Undelivered) -> None:
        with self._lock:
            if self._delivery.is_abandoned:
                return  # already counted by `join`, whose time ran out
            lost_before = self._counters.dropped["shutdown"]
            self._drop_undelivered(undelivered)
            if self._closing.is_set():
                self._empty_unprocessed(undelivered.reason)
            lost = self._counters.dropped["shutdown"] - lost_before
        _warn_of_loss(lost)


def _warn_of_loss(count: int) -> None:
    if count:
        guard.logger.warning(
            "Records that were not stored in time and are lost: %d. "
            "Check the database, or raise TRACKING_SHUTDOWN_TIMEOUT_S.",
            count,
        )
