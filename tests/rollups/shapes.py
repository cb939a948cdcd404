"""Rollups of any content, for properties."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone

from bson import ObjectId
from hypothesis import strategies as st

from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Example, FailureKey, Failures, Rollup, RouteKey

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)

durations_ms = st.floats(0.001, 1e7, allow_nan=False)
ids = st.binary(min_size=12, max_size=12).map(ObjectId)
examples = st.builds(Example, st.booleans(), ids)
rules = st.sampled_from(["/", "/orders/<int:id>", "/a", None])


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    """Make counts of a few requests."""
    made = Counts()
    for _ in range(draw(st.integers(1, 8))):
        status = draw(st.sampled_from([None, 200, 304, 404, 500, 503]))
        made.add_request(
            status,
            (status or 0) >= 500,
            draw(durations_ms),
            draw(st.integers(0, 2**40)),
            draw(st.integers(0, 2**40)),
        )
    return made


def rollups() -> st.SearchStrategy[Rollup]:
    """Make rollups of one minute."""
    keys = st.builds(RouteKey, rules, st.sampled_from(["GET", "POST", "_OTHER"]))
    failures = st.builds(
        FailureKey, st.sampled_from(["ValueError", "status 503"]), st.just("a.py"), st.just("f"), rules
    )
    return st.builds(
        Rollup,
        width_s=st.just(60),
        start=st.just(NOON),
        source=st.uuids().map(str),
        version=st.just("1.0"),
        routes=st.dictionaries(keys, counts(), max_size=4),
        failures=st.dictionaries(
            failures, st.builds(Failures, st.integers(1, 9), st.none() | examples), max_size=4
        ),
        other_failures=st.integers(0, 5),
        examples=st.dictionaries(st.integers(-40, 40), examples, max_size=5),
        stored=st.integers(0, 99),
        not_stored=st.integers(0, 99),
        dropped=st.dictionaries(st.sampled_from(["queue_full", "shutdown"]), st.integers(1, 9)).map(
            Counter
        ),
        waiting=st.integers(0, 99),
        lag_ms=st.integers(0, 10**7),
        etag=st.none() | ids,
        is_merged=st.booleans(),
        is_final=st.booleans(),
        revision=st.integers(0, 99),
        is_open=st.booleans(),
    )
