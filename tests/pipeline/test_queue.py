"""The queue: its bounds, and who goes first when they are reached."""

from __future__ import annotations

from typing import Any

import pytest

from flask_tracking import Settings
from flask_tracking.pipeline.judged import judge
from flask_tracking.pipeline.queue import CaptureQueue
from flask_tracking.pipeline.rules import Rules
from flask_tracking.record import Capture

from ..captures import make_capture

KINDS: dict[str, dict[str, Any]] = {
    ".": {},
    "e": {"status": "500 NO"},
    "s": {"duration_ns": 2_000_000_000},
    "k": {"keep_reason": "vip"},
    "d": {"discarded": True},
}
"""Routine, a failure, a slow request, one that code keeps, and one that code discards."""


class Line:
    """A queue of captures that are written as letters."""

    def __init__(self, max_records: int = 100, max_bytes: int = 10**9) -> None:
        rules = Rules(Settings())
        self.judged = 0
        self.letters: dict[int, str] = {}

        def ask(capture: Capture) -> Any:
            self.judged += 1
            return judge(rules.judge, capture)

        self.queue = CaptureQueue(max_records, max_bytes, ask)

    def put(self, letters: str, size: int = 1000) -> str:
        """Append captures; return those that are evicted meanwhile."""
        evicted = ""
        for letter in letters:
            capture = make_capture(size=size, **KINDS[letter])
            self.letters[capture.number] = letter
            self.queue.append(capture)
            while self.queue.is_over:
                evicted += self.letters[self.queue.evict().capture.number]
        return evicted

    def take(self, count: int = 1000) -> str:
        """Take captures, release them and return them."""
        captures = self.queue.take(count)
        self.queue.release(sum(capture.size for capture in captures))
        return "".join(self.letters[capture.number] for capture in captures)


def test_order() -> None:
    """What came first is taken first, whatever it is, and nothing is judged while there is room."""
    line = Line()
    assert line.put("..e.sk.d.") == ""
    assert (line.take(4), len(line.queue), line.take(), len(line.queue)) == ("..e.", 5, "sk.d.", 0)
    assert line.judged == 0


@pytest.mark.parametrize(
    ("put", "evicted", "left"),
    [
        ("......", "..", "...."),
        ("e.s.k.", "..", "esk."),
        ("eeee..", "..", "eeee"),
        (".e.e.ek", "...", "eeek"),
        ("eskesk", "es", "kesk"),
        ("esk.es", ".e", "skes"),
        ("d.ee.d", "d.", "ee.d"),
    ],
)
def test_routine_goes_first(put: str, evicted: str, left: str) -> None:
    """The oldest routine capture is evicted; what is no routine only where nothing else is left."""
    line = Line(max_records=4)
    assert line.put(put) == evicted
    assert line.take() == left


def test_one_failure_in_a_hundred() -> None:
    """However many routine requests come, no failure is evicted while routine ones wait."""
    line = Line(max_records=200)
    evicted = line.put(("." * 99 + "e") * 100)
    assert (len(evicted), evicted.count("e")) == (10_000 - 200, 0)
    left = line.take()
    assert (len(left), left.count("e")) == (200, 100)
    assert line.judged <= 10_000


def test_bytes() -> None:
    """Memory is bounded too, with what was taken and is not released yet."""
    line = Line(max_bytes=4000)
    line.put("....")
    taken = line.queue.take(2)
    assert (len(taken), line.queue.bytes) == (2, 4000)
    assert line.put("e.") == ".."
    assert line.put("e") == "."
    line.queue.release(2000)
    assert line.put("..") == ""
    assert (line.take(), line.queue.bytes) == ("ee..", 0)


def test_fill() -> None:
    """How full it is goes by that bound of which more is used, and by what waits alone."""
    line = Line(max_records=10, max_bytes=10_000)
    line.put("..")
    assert line.queue.fill(0) == 0.2
    line.put(".", size=4000)
    assert line.queue.fill(0) == 0.6
    line.queue.take(1)
    assert line.queue.fill(1000) == 0.5


def test_capture_that_is_too_large_alone() -> None:
    """It is evicted itself once nothing routine is left, before what is no routine."""
    line = Line(max_bytes=4000)
    line.put("ee.")
    assert line.put(".", size=20_000) == ".."
    assert line.take() == "ee"
    assert line.put("e", size=20_000) == "e"
    assert (len(line.queue), line.queue.bytes) == (0, 0)


def test_kept_first() -> None:
    """When there is little time what is no routine is taken first, each group in its order."""
    line = Line(max_records=8)
    line.put("..e..s.k.")
    line.queue.put_kept_first()
    assert line.take(3) == "esk"
    assert line.take() == "....."
