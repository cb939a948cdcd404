"""Merging: the same whatever the parts and their order; and documents that come back."""

from __future__ import annotations

import dataclasses
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_tracking.rollups import rollup as module
from flask_tracking.rollups.codec import rollup_from_dict, rollup_to_dict
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import OTHER, FailureKey, Failures, Rollup, RouteKey, merge

from .shapes import NOON, counts, rollups

UTC: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)


def merge_all(parts: list[Rollup]) -> Rollup:
    """Merge into one hour."""
    return merge(parts, width_s=3600, start=NOON, source="merged", version="1.0")


@settings(max_examples=50)
@given(st.lists(rollups(), max_size=6), st.randoms(use_true_random=False))
def test_merge_of_any_partition(parts: list[Rollup], chance: Any) -> None:
    """Parts that are merged in groups, in any order, give what all of them give at once."""
    groups: list[list[Rollup]] = [[], [], []]
    shuffled = list(parts)
    chance.shuffle(shuffled)
    for one in shuffled:
        chance.choice(groups).append(one)
    assert merge_all(list(map(merge_all, groups))) == merge_all(parts)


@given(rollups())
def test_merge_changes_no_part(part: Rollup) -> None:
    """What was merged stays as it was."""
    before = rollup_to_dict(part)
    merge_all([part, part])
    assert rollup_to_dict(part) == before


@given(rollups())
def test_document_comes_back(rollup: Rollup) -> None:
    """A rollup comes back from BSON as it was, and without its routes with their sum."""
    document: dict[str, Any] = bson.decode(bson.encode(rollup_to_dict(rollup)), UTC)
    assert rollup_from_dict(document) == rollup
    for key, of_route in rollup.routes.items():
        alone = rollup_from_dict(document, key)
        assert alone is not None and alone.routes == {key: of_route} and alone.total == of_route
    del document["routes"]
    bare = rollup_from_dict(document)
    assert bare == dataclasses.replace(rollup, routes={}, overall=rollup.total)
    assert bare is not None and bare.total == rollup.total


@given(rollups())
def test_document_of_an_earlier_version(rollup: Rollup) -> None:
    """What was stored before it said how long records wait is read all the same."""
    document = rollup_to_dict(rollup)
    del document["waiting"], document["lag_ms"]
    assert rollup_from_dict(document) == dataclasses.replace(rollup, waiting=0, lag_ms=0)


@pytest.mark.parametrize(
    "damage", [{"format": 2}, {"all": None}, {"start": "noon"}, {"failures": b"x"}]
)
def test_foreign_documents(damage: dict[str, Any]) -> None:
    """What is no rollup, or one of a later format, is none."""
    document = rollup_to_dict(Rollup(width_s=60, start=NOON, source="a"))
    assert rollup_from_dict({**document, **damage}) is None
    assert rollup_from_dict({"_id": "lease"}) is None


def make_counts(requests: int) -> Counts:
    """Make counts of so many requests."""
    made = Counts()
    for _ in range(requests):
        made.add_request(200, False, 1.0, 0, 0)
    return made


def test_bounds_of_a_merge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bounds the least is counted together, so that nothing is lost, in whatever order."""
    monkeypatch.setattr(module, "MAX_ROUTES", 2)
    monkeypatch.setattr(module, "MAX_FAILURES", 1)
    parts = [
        Rollup(
            width_s=60,
            start=NOON,
            source=str(number),
            routes={
                RouteKey(None, "GET"): make_counts(1),
                RouteKey(f"/{number}", "GET"): make_counts(number + 1),
            },
            failures={FailureKey("ValueError", "", "", f"/{number}"): Failures(number + 1)},
        )
        for number in range(4)
    ]
    merged = merge_all(parts)
    found = {key.url_rule: one.requests for key, one in merged.routes.items()}
    assert found == {None: 4, "/3": 4, "/2": 3, OTHER: 3}
    assert [one.count for one in merged.failures.values()] == [4]
    assert merged.other_failures == 6
    assert merge_all(parts[::-1]) == merged


@given(st.lists(rollups(), max_size=4), counts())
def test_merge_of_documents(parts: list[Rollup], more: Counts) -> None:
    """What was read is merged, and counted on, as what was counted here."""
    read = [one for part in parts if (one := rollup_from_dict(rollup_to_dict(part))) is not None]
    assert merge_all([*read, merge_all(read)]) == merge_all([*parts, *parts])
    for one, other in zip(read, parts, strict=True):
        for ours, theirs in zip(one.routes.values(), other.routes.values(), strict=True):
            ours.add(more)
            theirs.add(more)
        assert one == other


def test_damaged_durations() -> None:
    """A document whose durations cannot be unpacked is no rollup, though nobody asked for them."""
    document = rollup_to_dict(
        Rollup(width_s=60, start=NOON, source="a", routes={RouteKey("/", "GET"): make_counts(1)})
    )
    del document["routes"]
    document["all"] |= {"durations": b"B"}
    assert rollup_from_dict(document) is None


@given(st.lists(counts(), max_size=4))
def test_total_is_the_sum(parts: list[Counts]) -> None:
    """The total of a rollup is the sum over its routes."""
    routes = {RouteKey(f"/{number}", "GET"): one for number, one in enumerate(parts)}
    total = Rollup(width_s=60, start=NOON, source="a", routes=routes).total
    assert total.requests == sum(one.requests for one in parts)
    assert total.duration_us == sum(one.duration_us for one in parts)


@pytest.mark.parametrize(
    ("source", "process"),
    [
        ("web.example:7:ab.12", "web.example:7:ab"),
        ("web.example:7:ab.12/1203", "web.example:7:ab"),
        ("web", "web"),
        ("merged/1.0", None),
        ("merged/", None),
    ],
)
def test_process(source: str, process: str | None) -> None:
    """All minutes of a process name it, wherever they have moved."""
    assert Rollup(width_s=60, start=NOON, source=source).process == process
