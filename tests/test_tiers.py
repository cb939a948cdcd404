"""No test stands in the wrong tier: a unit test that leaves its process fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .servers import ROOT
from .tiers import put_integration_first

CONFTEST = """
from tests.tiers import TierGuard, mark_integration

def pytest_configure(config):
    config.pluginmanager.register(TierGuard())

def pytest_collection_modifyitems(items):
    mark_integration(items)
"""
TESTS = """
import contextlib, os, socket, subprocess, sys, threading
import pytest

def start():
    subprocess.run([sys.executable, "-c", ""], check=True)

@pytest.fixture
def mongodb():
    start()

@pytest.fixture
def starting():
    yield
    with contextlib.suppress(Exception):
        start()

def test_starts():
    start()

def test_catches():
    with contextlib.suppress(Exception):
        start()

def test_connects_in_a_thread():
    def connect():
        with contextlib.suppress(Exception), socket.socket() as one:
            one.connect(("127.0.0.1", 9))
    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()

def test_starts_at_its_end(starting): pass

def test_needs_none():
    left, right = socket.socketpair()
    left.close(), right.close()

@pytest.mark.integration
def test_may_start():
    start()

def test_may_start_by_its_fixture(mongodb): pass

go, done = threading.Event(), threading.Event()

def connect_later():
    go.wait(20)
    with contextlib.suppress(Exception), socket.socket() as one:
        one.connect(("127.0.0.1", 9))
    done.set()

@pytest.mark.integration
def test_leaves_a_thread():
    threading.Thread(target=connect_later, daemon=True).start()

def test_meets_it():
    go.set()
    assert done.wait(20)
"""


@pytest.mark.integration
def test_unit_tests_stay_in_their_process(tmp_path: Path) -> None:
    """One that starts a process or connects fails and says why, also where its code catches all."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = integration\n")
    (tmp_path / "test_any.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-rfEp", "-p", "no:cacheprovider", str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    lines = [line.partition(" - ")[0] for line in done.stdout.splitlines()]
    assert sorted(line for line in lines if line.startswith(("PASSED", "FAILED", "ERROR "))) == [
        "ERROR test_any.py::test_starts_at_its_end",
        "FAILED test_any.py::test_catches",
        "FAILED test_any.py::test_connects_in_a_thread",
        "FAILED test_any.py::test_starts",
        "PASSED test_any.py::test_leaves_a_thread",
        "PASSED test_any.py::test_may_start",
        "PASSED test_any.py::test_may_start_by_its_fixture",
        "PASSED test_any.py::test_meets_it",
        "PASSED test_any.py::test_needs_none",
        "PASSED test_any.py::test_starts_at_its_end",
    ]
    assert "a unit test reached Popen: mark it with pytest.mark.integration" in done.stdout


class FakeItem:
    """A test of a module, as much of it as its place in the order depends on."""

    def __init__(self, module: str, mark: str) -> None:
        self.path = Path(module)
        self.mark = mark

    def get_closest_marker(self, name: str) -> bool | None:
        """Return its mark, if it is that one."""
        return name == self.mark or None


def test_workers_begin_with_integration_tests() -> None:
    """Each worker's stretch begins with some of them, modules stay together, and no test is lost."""
    plan = {"a": "", "b": "integration", "c": "", "d": "integration", "e": ""}
    tests: Any = [FakeItem(module, mark) for module, mark in plan.items() for _ in range(4)]
    items = list(tests)
    put_integration_first(items, 2)
    assert "".join(item.path.name for item in items) == "bbbbaaaacc" + "ddddcceeee"
    assert sorted(map(id, items)) == sorted(map(id, tests))
    few = tests[4:6]
    put_integration_first(few, 8)
    assert few == tests[4:6]
