"""Ids of records, and W3C trace context: continued where valid, begun anew otherwise."""

from __future__ import annotations

import os
import random
import re
import time
from datetime import datetime, timezone

import pytest

from flask_tracking.runtime.ids import (
    TraceContext,
    begin_trace,
    child_of,
    make_record_id,
    next_number,
    parse_traceparent,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")


def assert_continues(context: TraceContext | None, trace_id: str, parent_span_id: str) -> None:
    """Assert that `context` is a new span of the trace below the parent."""
    assert context is not None
    assert (context.trace_id, context.parent_span_id) == (trace_id, parent_span_id)
    assert SPAN_ID.fullmatch(context.span_id)
    assert context.span_id != parent_span_id


@pytest.mark.parametrize(
    "header",
    [
        f"00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-00",
        f"00-{TRACE}-{PARENT}-ff",
        f"01-{TRACE}-{PARENT}-01",
        f"01-{TRACE}-{PARENT}-01-",
        f"01-{TRACE}-{PARENT}-01-what-comes-later",
        f"cc-{TRACE}-{PARENT}-01-{'x' * 1000}",
        f"fe-{TRACE}-{PARENT}-01",
    ],
)
def test_valid_traceparent_is_continued(header: str) -> None:
    """A valid header is continued; of a version that is not known yet, what version 00 has is read."""
    assert_continues(parse_traceparent(header), TRACE, PARENT)
    assert_continues(begin_trace(header), TRACE, PARENT)


@pytest.mark.parametrize(
    ("trace_id", "span_id"),
    [("0" * 31 + "1", "0" * 15 + "1"), ("f" * 32, "f" * 16), ("1" + "0" * 31, "1" + "0" * 15)],
)
def test_ids_at_the_bounds_are_valid(trace_id: str, span_id: str) -> None:
    """Ids are valid when one digit is not zero, wherever it stands."""
    assert_continues(parse_traceparent(f"00-{trace_id}-{span_id}-01"), trace_id, span_id)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT.upper()}-01",
        f"00-{TRACE}-{PARENT}-0A",
        f"0A-{TRACE}-{PARENT}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"ff-{TRACE}-{PARENT}-01-more",
        f"FF-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01more",
        f"01-{TRACE}-{PARENT}-01more",
        f"01-{TRACE}-{PARENT}-01.more",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE}-{PARENT[:-1]}-01",
        f"00-{TRACE}-{PARENT}0-01",
        f"0-{TRACE}-{PARENT}-01",
        f"000-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-001",
        f"00-{TRACE}-{PARENT}",
        f"{TRACE}-{PARENT}-01",
        f"00_{TRACE}_{PARENT}_01",
        f"00-{TRACE[:-1]}g-{PARENT}-01",
        f"00-{TRACE[:-1]}٣-{PARENT}-01",
        f" 00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01 ",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01",
    ],
)
def test_invalid_traceparent_is_ignored(header: str) -> None:
    """A header that is not valid in every part continues nothing: a trace is begun."""
    assert parse_traceparent(header) is None
    assert begin_trace(header).parent_span_id is None


def test_each_span_has_an_id_of_its_own() -> None:
    """Requests with one and the same parent are spans of their own."""
    spans = [parse_traceparent(f"00-{TRACE}-{PARENT}-01") for _ in range(100)]

    assert len({span.span_id for span in spans if span}) == 100


def test_child_continues_a_trace() -> None:
    """A child is a new span of the same trace."""
    assert_continues(child_of(TRACE, PARENT), TRACE, PARENT)


def test_new_trace_has_no_parent() -> None:
    """A trace that begins here has well-formed ids and no parent."""
    context = begin_trace(None)

    assert TRACE_ID.fullmatch(context.trace_id)
    assert SPAN_ID.fullmatch(context.span_id)
    assert context.parent_span_id is None


def test_new_traces_differ_though_the_app_seeds_random() -> None:
    """An app that seeds ``random`` in every worker does not make all workers' ids the same."""
    contexts = set()
    state = random.getstate()
    try:
        for _ in range(100):
            random.seed(0)
            contexts.add(begin_trace(None))
            contexts.add(child_of(TRACE, PARENT))
    finally:
        random.setstate(state)

    assert len({context.span_id for context in contexts}) == 200
    assert len({context.trace_id for context in contexts}) == 101


def test_record_ids_say_when_and_differ() -> None:
    """An id names the second of the arrival, is the same whenever it is asked for, and no other's."""
    now = time.time()
    numbers = [next_number() for _ in range(1000)]
    made = [make_record_id(now, number) for number in numbers]

    assert made == [make_record_id(now, number) for number in numbers]
    assert len(set(made)) == 1000
    assert made[0].generation_time == datetime.fromtimestamp(int(now), timezone.utc)


def test_record_ids_sort_by_number() -> None:
    """Of two requests of one second the one that came first has the smaller id."""
    assert make_record_id(1e9, 1) < make_record_id(1e9, 2) < make_record_id(1e9 + 1, 0)


def test_numbers_may_be_large() -> None:
    """Of a number that an id has no room for the lower bits count."""
    assert make_record_id(1e9, 0x1000007) == make_record_id(1e9, 7)


@pytest.mark.integration
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_forked_children_make_ids_of_their_own() -> None:
    """A child that begins with the parent's numbers makes other ids and traces all the same."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, f"{make_record_id(1e9, 7)} {begin_trace(None).trace_id}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    record_id, trace_id = os.read(read, 1000).decode().split()
    os.close(read)
    os.close(write)

    assert record_id != str(make_record_id(1e9, 7))
    assert trace_id != begin_trace(None).trace_id
