"""The tiers of the tests, told apart by what a test does and not by where it stands.

A test is a unit test unless it says otherwise, and a unit test that starts a process or opens a
connection fails. So none can come to stand in the wrong tier by being forgotten.

``integration``
    It starts a process, or opens a connection. Tests with a database are marked by their fixture.
``hostile``
    It measures the CPU time that hostile input takes, so nothing else is measured meanwhile.
``thorough``
    It goes through thousands of records, seeds or processes: without coverage, which counts lines and
    not how often, and on one Python.
``repeats``
    It goes often through lines that other tests cover: without coverage, but on each Python.
"""

from __future__ import annotations

import functools
import os
import socket
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

INTEGRATION_FIXTURES = frozenset({"mongodb"})
"""Whoever uses one of these, directly or not, is an integration test."""
WITHOUT_COVERAGE = ("hostile", "thorough", "repeats", "hypothesis")
"""Marks of tests that coverage learns nothing from. Hypothesis sets the last one by itself."""
LEAVES_THE_PROCESS: tuple[tuple[Any, str], ...] = (
    (os, "fork"),
    (os, "forkpty"),
    (os, "posix_spawn"),
    (os, "system"),
    (socket, "getaddrinfo"),
    (socket.socket, "bind"),
    (socket.socket, "connect"),
    (socket.socket, "connect_ex"),
    (socket.socket, "sendto"),
    (subprocess.Popen, "__init__"),
)
"""What is watched; a pair of connected sockets stays within the process.

Not by an audit hook: written in Python, it lets other threads run in the middle of ``sys.settrace``,
and CPython 3.11 refuses to set two trace functions at once.
"""


class UnitTestError(Exception):
    """A unit test that does what only an integration test may."""


class TierGuard:
    """Keep unit tests within their process. One for each process: its patches are never undone."""

    def __init__(self) -> None:
        """Watch nobody yet."""
        self._is_unit_test = False
        self._seen: list[str] = []
        self._others: frozenset[int | None] = frozenset()
        """Threads that earlier tests have left, like one of PyMongo that looks for its server."""
        for owner, name in LEAVES_THE_PROCESS:
            self._watch(owner, name)

    def _watch(self, owner: Any, name: str) -> None:
        function = getattr(owner, name)

        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            self._check(f"{owner.__name__}.{name}".removesuffix(".__init__"))
            return function(*args, **kwargs)

        setattr(owner, name, watched)

    def _check(self, what: str) -> None:
        if self._is_unit_test and threading.get_ident() not in self._others:
            message = f"a unit test reached {what}: mark it with pytest.mark.integration"
            self._seen.append(message)
            raise UnitTestError(message)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch a unit test from its first fixture on."""
        self._seen.clear()
        here = threading.current_thread()
        self._others = frozenset(one.ident for one in threading.enumerate() if one is not here)
        self._is_unit_test = item.get_closest_marker("integration") is None
        try:
            return (yield)
        finally:
            self._is_unit_test = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Fail also where the code under test, or a thread, has caught what `_check` raised."""
        return (yield from self._fail_for_what_was_seen())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """Fail for what came after the call."""
        return (yield from self._fail_for_what_was_seen())

    def _fail_for_what_was_seen(self) -> Generator[None, object, object]:
        try:
            result = yield
        finally:
            seen, self._seen = self._seen, []
        if seen:
            pytest.fail(seen[0], pytrace=False)
        return result


def mark_integration(items: list[pytest.Item]) -> None:
    """Mark the tests whose fixtures start a server."""
    for item in items:
        if INTEGRATION_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("integration")


def leave_out_of_coverage(items: list[pytest.Item]) -> None:
    """Add the fixture `untraced` to tests that measure CPU time, or go often through the same lines.

    When all marks are set: Hypothesis sets its own when tests are collected.
    """
    for item in items:
        if any(map(item.get_closest_marker, WITHOUT_COVERAGE)):
            item.fixturenames.append("untraced")  # type: ignore[attr-defined]


def put_integration_first(items: list[pytest.Item], workers: int) -> None:
    """Let each worker of pytest-xdist begin with integration tests, so that none of them ends alone.

    A worker runs one stretch of the list from its beginning, and whoever is done takes from the ends of
    others, where small unit tests are. The tests of a module stay together: they share servers.
    """
    modules: dict[Path, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.path, []).append(item)
    ordered = sorted(modules.values(), key=lambda tests: -sum(map(_is_integration, tests)))
    first = [tests for tests in ordered if any(map(_is_integration, tests))]
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for at, tests in enumerate(first):
        shares[at % workers] += tests
    others = [item for tests in ordered[len(first) :] for item in tests]
    length = -(-len(items) // workers)
    for share in shares:
        wanted = max(0, length - len(share))
        share += others[:wanted]
        del others[:wanted]
    items[:] = [item for share in shares for item in share] + others


def _is_integration(item: pytest.Item) -> bool:
    return item.get_closest_marker("integration") is not None
