"""The store of a test process takes the records of one test at a time, and those of its children."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_tracking.testing.collector import Collector

from .test_recorded import FAILED, make_request

ONE = make_request()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that children can reach."""
    collector = Collector()
    collector.open_to_children()
    yield collector
    collector.remove_file()


@pytest.fixture
def child(collector: Collector) -> Collector:
    """What the collector is in a process that was forked."""
    child = copy.copy(collector)
    child.after_fork_in_child()
    return child


def find_file(collector: Collector) -> Path:
    """Return the file between parent and children."""
    assert collector._path is not None
    return collector._path


def test_records_belong_to_one_test(collector: Collector) -> None:
    """What comes before the first test, or between two, is nobody's."""
    collector.export([ONE])
    assert collector.records == []
    collector.begin()
    collector.export([ONE])
    assert collector.records == [ONE]
    collector.begin()
    assert collector.records == []


def test_children_send_their_records(collector: Collector, child: Collector) -> None:
    """A child's records are the parent's, once, from the beginning of the test on."""
    child.export([ONE])
    collector.begin()
    assert collector.records == []
    child.export([FAILED])
    assert collector.records == collector.records == [FAILED]


def test_half_a_record_is_waited_for(collector: Collector, child: Collector) -> None:
    """What a child has not written to its end is read when it has."""
    collector.begin()
    child.export([ONE])
    path = find_file(collector)
    whole = path.read_bytes()
    for end in (4, 8, len(whole) - 1):
        path.write_bytes(whole[:end])
        assert collector.records == []
    path.write_bytes(whole)
    assert collector.records == [ONE]


def test_child_of_a_closed_collector_drops_its_records() -> None:
    """Where no server is shared, a fork that outlives its test leaves nothing behind."""
    child = Collector()
    child.begin()
    child.after_fork_in_child()
    child.export([ONE])
    assert child.records == []


def test_file_is_private_and_removed(collector: Collector) -> None:
    """Nobody else reads it, and nothing is left of it; that may be said twice."""
    directory = find_file(collector).parent
    assert directory.stat().st_mode & 0o077 == 0
    collector.open_to_children()
    assert find_file(collector).parent == directory
    collector.remove_file()
    collector.remove_file()
    assert not directory.exists()
