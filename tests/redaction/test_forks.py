"""What is compiled, and forks: a child keeps it, unless a thread that it has not was inside RE2."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading

import pytest

from flask_tracking.redaction.detection.detector import Detector
from flask_tracking.redaction.detection.names import Names
from flask_tracking.redaction.engines import lock as locks
from flask_tracking.redaction.engines.re2 import Re2Engine

pytestmark = pytest.mark.integration

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")

SETTING = """
import os, random, signal, threading, warnings
import re2
from flask_tracking.redaction.engines.re2 import Re2Engine
from flask_tracking.redaction.engines.lock import lock as gate
from flask_tracking.redaction.detection.names import Names
from flask_tracking.redaction.detection.detector import Detector
from flask_tracking.redaction.detection.formats import FORMATS

# Newer Pythons warn of forks beside threads: they are what is tested.
warnings.simplefilter("ignore", DeprecationWarning)
finder, compiled = Detector(Re2Engine(), Names()), []
SECRET = b"x AKIAABCDEFGHIJKLMNOP y"
for at in range(len(FORMATS)):
    finder._get_rule(at)  # each is compiled when it is first in a text

def note(compile):
    def noting(*args):
        compiled.append(args[:-1])  # the pattern, or nothing for the set, without the options
        return compile(*args)
    return noting

re2.compile = note(re2.compile)
re2.Set.SearchSet = note(re2.Set.SearchSet)

def make_text():
    return bytes(random.choices(b"abc token:= 0123456789./-%&<>", k=5000))

def look():
    # Texts that RE2 has not seen: for these it takes its locks.
    text = make_text()
    finder.find(text)
    finder.scan(text)
    assert [SECRET[one.start:one.end] for one in finder.find(SECRET)] == [b"AKIAABCDEFGHIJKLMNOP"]
    assert finder.scan(SECRET)

def in_child(act):
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # who hangs is ended
        act()
        os._exit(17 + gate.generation)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code >= 17, code
    return code - 17
"""


def run(script: str) -> None:
    """Run a script behind `SETTING` in a process of its own."""
    pytest.importorskip("re2")
    script = SETTING + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")


@forks
def test_child_uses_what_its_parent_compiled() -> None:
    """After a fork with nobody inside RE2 nothing is compiled, in a child or a child of that."""
    run(
        """
        def use():
            look()
            assert not compiled, compiled

        def use_in_child():
            use()
            assert in_child(use) == 0

        assert in_child(use_in_child) == 0
        use()
        """
    )


@forks
def test_child_of_a_fork_with_a_thread_inside() -> None:
    """What another thread was in the middle of is compiled anew, and the child finds the same."""
    run(
        """
        def scan():
            while True:
                text = make_text() * 20
                finder.scan(text)
                finder.find(text)

        def use():
            look()
            assert bool(compiled) == (gate.generation > 0), compiled
            assert in_child(look) == gate.generation
            look()
            assert len(set(compiled)) == len(compiled), compiled

        threading.Thread(target=scan, daemon=True).start()
        forks = busy = 0
        while busy < 10:
            forks += 1
            assert forks < 2000
            busy += in_child(use)
        assert not compiled
        os._exit(0)
        """
    )


@forks
def test_fork_by_the_thread_that_is_inside() -> None:
    """A thread that forks where it is inside, as a signal's handler may, goes on there in the child."""
    run(
        """
        def fork_inside():
            with gate:
                child = os.fork()
            look()
            assert (compiled, gate.generation) == ([], 0)
            if child == 0:
                os._exit(17)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17

        fork_inside()
        thread = threading.Thread(target=fork_inside)
        thread.start()
        thread.join()
        """
    )


def test_gate_that_another_thread_has() -> None:
    """In a child it opens at once; only where another thread was inside a new generation begins."""
    gate, has_entered, may_leave = locks.EngineLock(), threading.Event(), threading.Event()

    def stay() -> None:
        with gate:
            has_entered.set()
            may_leave.wait(20)

    gate._begin_anew()
    with gate:
        gate._begin_anew()
    assert gate.generation == 0

    thread = threading.Thread(target=stay)
    thread.start()
    assert has_entered.wait(20)
    lock = gate._lock
    gate._begin_anew()
    with gate:
        assert gate.generation == 1
    gate._lock = lock  # as the thread knows it, which in a child would not be there
    may_leave.set()
    thread.join()


def test_each_generation_compiles_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled anew is not what re2 has cached, and finds the same."""
    pytest.importorskip("re2")
    re2_engine = Re2Engine()
    finder, pattern = Detector(re2_engine, Names()), re2_engine._compile("abc")
    old = pattern.get()
    text = b"x AKIAABCDEFGHIJKLMNOP y token: abc"
    found = finder.find(text), finder.scan(text)
    monkeypatch.setattr(locks.lock, "generation", locks.lock.generation + 1)

    assert pattern.get() is pattern.get() is not old
    assert (finder.find(text), finder.scan(text)) == found
