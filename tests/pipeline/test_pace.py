"""How much the worker does at a stretch, and that others run in between."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from unittest import mock

import pytest

from flask_tracking import MemoryExporter, Settings
from flask_tracking.pipeline import pace as pace_module
from flask_tracking.pipeline.batch import BatchWorker
from flask_tracking.pipeline.pace import MOST_CAPTURES, TURN_S, Pace, give_way
from flask_tracking.record import Capture

from ..captures import make_capture


class Work:
    """Captures that cost as much time as they are told, by a clock of their own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pace = Pace(lambda: self.now)

    def do(self, captures: Sequence[Capture], seconds_per_byte: float) -> list[int]:
        """Return how many captures each chunk has."""
        counts = []
        for chunk in self.pace.chunks(captures):
            self.now += seconds_per_byte * sum(capture.size for capture in chunk)
            counts.append(len(chunk))
        return counts


def captures_of(size: int, count: int) -> list[Capture]:
    """Make captures of one size, in bytes."""
    return [make_capture(size=size) for _ in range(count)]


@pytest.fixture
def work() -> Work:
    return Work()


def test_large_captures_go_one_by_one(work: Work) -> None:
    """Bodies that take 24 ms each, as without RE2, are never worked on together."""
    assert work.do(captures_of(60_000, 40), 0.4e-6) == [1] * 40


def test_cheap_captures_go_by_the_dozen(work: Work) -> None:
    """The first chunks are small; once the cost is known others are let in after 32 captures."""
    counts = work.do(captures_of(3000, 500), 0.02e-6)
    assert sum(counts) == 500
    assert counts[0] == 1
    assert counts[8:-1] == [MOST_CAPTURES] * (len(counts) - 9)


@pytest.mark.parametrize("rate", [0.05e-6, 0.1e-6, 0.2e-6, 0.5e-6])
def test_chunk_takes_one_turn(work: Work, rate: float) -> None:
    """A chunk is as large as one turn allows: neither more, nor much less."""
    work.do(captures_of(3000, 500), rate)
    *counts, _ = work.do(captures_of(3000, 500), rate)
    for count in counts:
        assert count * 3000 * rate <= TURN_S
        assert count == MOST_CAPTURES or (count + 2) * 3000 * rate > TURN_S


def test_costs_that_change(work: Work) -> None:
    """What suddenly costs more is noticed within a chunk; what costs less again, within a few."""
    work.do(captures_of(3000, 500), 0.02e-6)
    assert work.do(captures_of(3000, 100), 2e-6)[1:] == [1] * (100 - MOST_CAPTURES)
    assert work.do(captures_of(3000, 500), 0.02e-6)[-2] == MOST_CAPTURES


def test_large_capture_among_small_ones(work: Work) -> None:
    """A large capture does not join those before it."""
    work.do(captures_of(3000, 500), 0.05e-6)
    captures = [*captures_of(3000, 5), *captures_of(200_000, 1), *captures_of(3000, 5)]
    counts = work.do(captures, 0.05e-6)
    assert counts[:2] == [5, 1]


def test_captures_without_a_cost(work: Work) -> None:
    """A clock that stands still, as a coarse one does, breaks nothing."""
    assert sum(work.do(captures_of(0, 100), 0.0)) == 100
    assert sum(work.do(captures_of(3000, 10_000), 0.0)) == 10_000
    assert work.pace._seconds >= 0


def test_others_run_after_each_chunk(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chunk is followed by one pause."""
    pauses: list[int] = []
    monkeypatch.setattr(pace_module, "give_way", lambda: pauses.append(1))
    assert len(work.do(captures_of(60_000, 7), 0.4e-6)) == len(pauses) == 7


@pytest.mark.parametrize("module", ["gevent.hub", "eventlet.greenthread"])
def test_patched_sleep_is_asked_for_some_time(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """A sleep that gevent or eventlet patched in is looked up when it is wanted."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)

    sleep.__module__ = module
    monkeypatch.setattr(time, "sleep", sleep)
    give_way()
    assert slept == [pace_module.LEAST_SLEEP_S]


def test_what_a_test_mocks_is_left_alone() -> None:
    """A test of the app that counts its sleeps, or says what time it is, does not meet ours."""
    worker = BatchWorker(Settings(batch_records=1), MemoryExporter())
    capture = make_capture()
    with (
        mock.patch("time.sleep", side_effect=[None]) as sleep,
        mock.patch("time.time", side_effect=[0.0]) as now,
        mock.patch("time.monotonic", side_effect=[0.0]) as clock,
    ):
        worker.submit(capture)
        assert worker.flush(10)
    sleep.assert_not_called()
    now.assert_not_called()
    clock.assert_not_called()
    assert (worker.close(10), worker.stats.exported) == (True, 1)


@pytest.mark.parametrize("patch", ["gevent.monkey.patch_all", "eventlet.monkey_patch"])
def test_sockets_are_served_after_each_chunk(patch: str) -> None:
    """Under gevent and eventlet a request that has arrived is taken up after each pause."""
    script = f"""
        import warnings
        warnings.simplefilter("ignore")
        import {patch.rpartition(".")[0]}
        {patch}()
        import select, socket, threading
        from flask_tracking.pipeline.pace import give_way

        left, right = socket.socketpair()
        served = []

        def serve():
            while True:
                select.select([left], [], [])
                served.append(left.recv(1))

        threading.Thread(target=serve, daemon=True).start()
        for turn in range(20):
            right.send(b"x")
            for _ in range(3):  # the hub may look, then switch, then look again
                give_way()
            assert len(served) >= turn, (turn, served)
        print("served")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], text=True, capture_output=True, check=False
    )
    assert done.stdout == "served\n", done.stderr
