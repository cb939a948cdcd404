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
from flask_tracking.pipeline.pace import (
    BUSY_TURN_S,
    CALM_TURN_S,
    GREEN_TURN_S,
    LONG_TURN_S,
    Pace,
    are_threads_green,
    give_way,
)
from flask_tracking.record import Capture

from ..captures import make_capture


class Work:
    """Captures that cost as much time as they are told, by a clock of their own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.wall = 0.0
        self.pace = Pace(lambda: self.now, lambda: self.wall)

    def do(
        self, captures: Sequence[Capture], seconds_per_byte: float, *, is_behind: bool = False
    ) -> list[int]:
        """Return how many captures each chunk has."""
        counts = []
        for chunk in self.pace.chunks(captures, is_behind=is_behind):
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


TURNS = {"calm": CALM_TURN_S, "green": GREEN_TURN_S, "behind": BUSY_TURN_S}


@pytest.fixture(params=TURNS)
def turn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Under what the worker runs."""
    if request.param == "green":
        monkeypatch.setattr(pace_module, "are_threads_green", lambda: True)
    return str(request.param)


@pytest.mark.parametrize("rate", [0.001e-6, 0.02e-6, 0.05e-6, 0.1e-6, 0.2e-6, 0.5e-6])
def test_chunk_takes_one_turn(work: Work, rate: float, turn: str) -> None:
    """A chunk is as large as one turn allows, neither more nor much less, however many that are."""
    captures, turn_s = captures_of(700, 500), TURNS[turn]
    for _ in range(3):
        work.do(captures, rate, is_behind=turn == "behind")
    *counts, last = work.do(captures, rate, is_behind=turn == "behind")
    assert sum(counts) + last == 500
    for count in counts:
        assert count * 700 * rate <= turn_s * 1.0001
        assert (count + 2) * 700 * rate > turn_s


def test_first_chunks_are_small(work: Work) -> None:
    """Before the cost is known it is taken to be high."""
    assert work.do(captures_of(3000, 500), 0.02e-6)[0] == 1


def test_costs_that_change(work: Work) -> None:
    """What suddenly costs more is noticed within a chunk; what costs less again, within a few."""
    work.do(captures_of(700, 500), 0.02e-6)
    first, *others = work.do(captures_of(700, 500), 2e-6)
    assert first > 20
    assert others == [1] * len(others)
    assert max(work.do(captures_of(700, 500), 0.02e-6)) > 20


def test_large_capture_among_small_ones(work: Work) -> None:
    """A large capture does not join those before it."""
    work.do(captures_of(700, 500), 0.05e-6)
    captures = [*captures_of(700, 5), *captures_of(200_000, 1), *captures_of(700, 5)]
    counts = work.do(captures, 0.05e-6)
    assert counts[:2] == [5, 1]


def test_captures_without_a_cost(work: Work) -> None:
    """A clock that stands still, as a coarse one does, breaks nothing."""
    assert sum(work.do(captures_of(0, 100), 0.0)) == 100
    assert sum(work.do(captures_of(3000, 10_000), 0.0)) == 10_000
    assert work.pace._seconds >= 0


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One for each time that the worker gives way."""
    pauses: list[int] = []
    monkeypatch.setattr(pace_module, "give_way", lambda: pauses.append(1))
    return pauses


@pytest.mark.parametrize(
    ("is_behind", "is_green", "gives_way"),
    [(False, False, True), (False, True, True), (True, True, True), (True, False, False)],
)
def test_others_run_after_each_chunk(
    work: Work,
    pauses: list[int],
    monkeypatch: pytest.MonkeyPatch,
    is_behind: bool,
    is_green: bool,
    gives_way: bool,
) -> None:
    """A pause follows each chunk, unless a thread is behind: Python interrupts it anyway."""
    monkeypatch.setattr(pace_module, "are_threads_green", lambda: is_green)
    counts = work.do(captures_of(60_000, 7), 0.4e-6, is_behind=is_behind)
    assert len(pauses) == (len(counts) if gives_way else 0)


@pytest.mark.parametrize(
    ("waited_s", "turn_s"),
    [
        (0.0, CALM_TURN_S),
        (0.001, CALM_TURN_S),
        (0.002, 0.001),
        (0.005, LONG_TURN_S),
        (1.0, LONG_TURN_S),
    ],
)
def test_turn_after_a_wait(
    work: Work, monkeypatch: pytest.MonkeyPatch, waited_s: float, turn_s: float
) -> None:
    """Whoever waits long for the interpreter keeps it longer, within bounds, and not for ever."""

    def wait() -> None:
        work.wall += waited_s

    work.do(captures_of(700, 500), 0.05e-6)
    monkeypatch.setattr(pace_module, "give_way", wait)
    _, *counts, _ = work.do(captures_of(700, 500), 0.05e-6)
    assert [count * 700 * 0.05e-6 for count in counts] == pytest.approx([turn_s] * len(counts), rel=0.1)
    monkeypatch.setattr(pace_module, "give_way", lambda: None)
    work.do(captures_of(700, 500), 0.05e-6)
    *counts, _ = work.do(captures_of(700, 500), 0.05e-6)
    assert max(counts) * 700 * 0.05e-6 <= CALM_TURN_S


@pytest.mark.parametrize("module", ["gevent.hub", "eventlet.greenthread"])
def test_patched_sleep_is_asked_for_some_time(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """A sleep that gevent or eventlet patched in is looked up when it is wanted."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)

    sleep.__module__ = module
    assert not are_threads_green()
    monkeypatch.setattr(time, "sleep", sleep)
    assert are_threads_green()
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


@pytest.mark.integration
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
