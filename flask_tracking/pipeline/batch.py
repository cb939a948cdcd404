"""The queue between the request threads and the exporter, and the one thread that empties it.

This is what production uses: the request thread appends, and nothing more.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Sequence
from time import monotonic

from ..config import Settings
from ..errors import ExportError, NoDatabaseError
from ..exporters.base import Exporter
from ..record import Capture, Record
from ..runtime import guard
from .callback import NO_HOOKS, Hooks
from .interrupts import persist
from .pace import MOST_CAPTURES, Pace, give_way
from .server import Watch, threads_can_run
from .untraced import untraced
from .worker import Worker

__all__ = ["BatchWorker"]

FIRST_RETRY_S = 0.25
LAST_RETRY_S = 5.0
"""A batch that could not be stored is tried again after these pauses, doubling between them."""


class BatchWorker(Worker):
    """A bounded queue and one thread that empties it in batches.

    The thread starts with the first capture, so that a process that is forked later has its own. It
    wakes for a full batch, or when the flush interval has passed: every wake costs the request threads
    as much time as the work does.
    """

    def __init__(
        self,
        settings: Settings,
        exporter: Exporter,
        hooks: Hooks = NO_HOOKS,
    ) -> None:
        """Take what `Worker` takes."""
        self._parents: deque[Capture] = deque()
        self._pace = Pace()
        super().__init__(settings, exporter, hooks)

    def after_fork_in_child(self) -> None:
        """Begin anew, and let the thread free what the parent had queued: that takes its time."""
        parents = self._queue
        super().after_fork_in_child()
        self._parents = self._parents or parents

    def _reset(self) -> None:
        super()._reset()
        self._queue: deque[Capture] = deque()
        self._bytes = 0
        self._in_hand = 0
        self._done = threading.Condition(self._lock)
        self._settled = 0  # how many of the received are stored, dropped or not kept
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._is_closing = False  # the same, for those who only look
        self._is_flushing = False
        self._thread: threading.Thread | None = None
        self._watch = Watch()

    def submit(self, capture: Capture) -> None:
        """Append `capture`; what exceeds the bounds is dropped, the oldest first."""
        settings = self._settings
        with self._lock:
            self._received += 1
            if self._is_closing:
                self._settle_dropped("closed")
                return
            self._queue.append(capture)
            self._bytes += capture.size
            waiting = len(self._queue)
            if waiting > settings.queue_records or self._bytes > settings.queue_bytes:
                self._make_room()
        if self._thread is None:
            self._start()
        if capture.arrived_at > self._watch.due_at:
            self._watch.note_overdue(capture.arrived_at)
        if waiting >= settings.batch_records and not self._wake.is_set():
            self._wake.set()

    def _make_room(self) -> None:
        settings, queue = self._settings, self._queue
        while queue and (len(queue) > settings.queue_records or self._bytes > settings.queue_bytes):
            self._bytes -= queue.popleft().size
            self._settle_dropped("queue_full")

    def _settle_dropped(self, reason: str, count: int = 1) -> None:
        self._drop(reason, count)
        self._settled += count
        self._done.notify_all()

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
            thread.start()
            self._watch.start()
        except BaseException as error:  # a patched Thread may raise anything
            self._note_failed_start(thread, error)
            if not isinstance(error, Exception):
                raise

    def _note_failed_start(self, thread: threading.Thread | None, error: BaseException) -> None:
        """Let the next capture try again; drop what waits, unless the process is being ended."""
        with self._lock:
            if thread is not None and thread.ident is not None:
                return  # the thread runs: only the wait for it was broken off
            if self._thread is thread:
                self._thread = None
            if not isinstance(error, Exception):
                return
            self._settle_dropped("no_threads", len(self._queue))
            self._queue.clear()
            self._bytes = 0
        guard.warn_rarely(
            "no threads",
            "Nothing is recorded: no thread can be started here (%s). Run uWSGI with "
            "--enable-threads, or set TRACKING_WORKER='sync' to store inside the request.",
            type(error).__name__,
            level=logging.ERROR,
            trace=None if isinstance(error, RuntimeError) else error.__traceback__,
        )

    def flush(self, timeout_s: float) -> bool:
        """Wait until what was submitted before is stored or dropped.

        Args:
            timeout_s: how long to wait at most.

        Returns:
            False when time ran out.
        """
        with self._lock:
            target = self._received
            self._is_flushing = True
            must_start = self._thread is None and bool(self._queue)
        if must_start:
            self._start()
        self._wake.set()
        with self._lock:
            return self._done.wait_for(lambda: self._settled >= target, timeout_s)

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; what it has not stored in time is dropped."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            guard.call_foreign("joining the worker's thread", thread.join, timeout_s, default=None)
        with self._lock:
            left = self._received - self._settled
            if left:
                self._is_abandoned = True
                self._settle_dropped("shutdown", left)
        if left:
            guard.logger.warning(
                "Records that were not stored in time and are lost: %d. "
                "Check the database, or raise TRACKING_SHUTDOWN_TIMEOUT_S.",
                left,
            )
        return thread is None or not thread.is_alive()

    def stop(self) -> None:
        """Ask the thread to store what is queued and to end; do not wait for it."""
        if self._is_closing:
            return
        self._is_closing = True
        self._closing.set()
        self._wake.set()
        if self._thread is None:  # else the thread closes it, as the last thing that it does
            self._close_exporter()

    def _queue_records(self) -> int:
        return len(self._queue) + self._in_hand

    def _queue_bytes(self) -> int:
        return self._bytes

    # The thread

    def _run(self) -> None:
        try:
            persist(self._serve)
        except BaseException as error:  # it costs what was in hand, and the next capture a new thread
            self._note_death()
            guard.report_failure("the worker's thread", error)

    def _note_death(self) -> None:
        with self._lock:
            self._thread = None
            self._settle_lost()

    def _settle_lost(self) -> None:
        """Count what was in hand when something broke off the work on it; the lock must be held."""
        self._in_hand = 0
        self._bytes = sum(capture.size for capture in self._queue)
        lost = self._received - self._settled - len(self._queue)
        self._settle_dropped("worker_failed", max(0, lost))  # of what was given up nothing is left

    def _serve(self) -> None:
        if self._in_hand:  # a signal has broken off the turn before
            with self._lock:
                self._settle_lost()
        # Where the server lets no thread run from now on, that is noticed before a call hangs.
        self._watch.expect(0.0)
        give_way()
        self._watch.arrive()
        # The connection is opened here: a first one made while the interpreter exits may fail.
        guard.call_foreign("opening the exporter", self._open, default=None)
        next_flush = monotonic() + self._settings.flush_interval_s
        while not (self._closing.is_set() and (self._is_abandoned or not self._queue)):
            pause_s = max(0.0, next_flush - monotonic())
            self._watch.expect(pause_s)
            self._wake.wait(pause_s)
            self._watch.arrive()
            self._wake.clear()
            is_due = monotonic() >= next_flush or self._is_flushing or self._closing.is_set()
            if is_due:
                self._is_flushing = False
                next_flush = monotonic() + self._settings.flush_interval_s
            self._empty_queue(down_to=1 if is_due else self._settings.batch_records)
        self._close_exporter()

    def _open(self) -> None:
        while self._parents:
            for _ in range(min(MOST_CAPTURES, len(self._parents))):
                self._parents.popleft()
            give_way()
        self.prepare()
        # The first export meets the same trouble again, and says it.
        with contextlib.suppress(ExportError, NoDatabaseError), untraced():
            self._exporter.open()

    def _empty_queue(self, down_to: int) -> None:
        """Work while at least `down_to` captures wait."""
        while len(self._queue) >= down_to and not self._is_abandoned:
            with self._lock:
                count = min(self._settings.batch_records, len(self._queue))
                captures = [self._queue.popleft() for _ in range(count)]
                self._in_hand = count
            size = sum(capture.size for capture in captures)
            try:
                self._work(captures)
            except Exception as error:  # what is not foreseen costs a batch and not the thread
                guard.report_failure("working on a batch", error)
                with self._lock:
                    self._drop("worker_failed", count)
            with self._lock:
                self._bytes -= size
                self._in_hand = 0
                if not self._is_abandoned:
                    self._settled += count
                    self._done.notify_all()

    def _work(self, captures: list[Capture]) -> None:
        if not self._closing.is_set():  # what is known will do: there is little time
            self._rules.refresh()
        records = self._process(captures)
        captures.clear()  # while the store is away, each body waits once
        pause_s = FIRST_RETRY_S
        while records and not self._is_abandoned:
            is_last_try = self._closing.is_set()
            reason = persist(self._try_export, records)
            if reason is None:
                return
            if reason == "not_configured" or is_last_try:
                self._give_up(records, "shutdown" if is_last_try else reason)
                return
            # Meanwhile the queue fills up, and past its bounds drops its oldest.
            self._closing.wait(pause_s)
            pause_s = min(pause_s * 2, LAST_RETRY_S)

    def _process(self, captures: Sequence[Capture]) -> list[Record]:
        records: list[Record] = []
        for chunk in self._pace.chunks(captures):
            records += persist(self._make_records, chunk)
        return records

    def _give_up(self, records: Sequence[Record], reason: str) -> None:
        with self._lock:
            self._drop_records(reason, records)
            if self._closing.is_set():
                self._settle_dropped(reason, len(self._queue))
                self._bytes -= sum(capture.size for capture in self._queue)
                self._queue.clear()
