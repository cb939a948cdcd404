"""The facts of a request: those that lead to others find the request itself."""

from __future__ import annotations

import dataclasses

import pytest

from flask_tracking import Record
from flask_tracking.dashboard.record.facts import Fact, read_custom, read_facts
from flask_tracking.filters import Filter
from flask_tracking.record import UserAgent

from ..captures import make_record
from .hostile import PAYLOADS, fill

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0.0.0 Safari/537.36"


def make_full() -> Record:
    """Return a record with every fact."""
    return dataclasses.replace(
        make_record(),
        user_id="42",
        user_repr="Ada *",
        url_rule="/orders/<int:id>",
        method="POST",
        endpoint="shop.order",
        version="2.4.1",
        ip="192.0.2.7",
        host="shop.example:8080",
        hostname="web-1",
        process="web-1:7:a",
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        request_id="5f3a",
        user_agent=UserAgent("chrome", "126", "windows", None, "Chrome", "Chrome", "Windows"),
        request_headers=(("User-Agent", CHROME),),
        custom_data={"tenant": "acme", "cents": 4470, "rate": 0.5, "is_new": True, "note": "a * b"},
        kept=True,
        kept_reason="slow",
        dropped_before=3,
    )


def read_all(record: Record) -> dict[str, Fact]:
    """Return all facts by name."""
    return {fact.name: fact for fact in (*read_facts(record), *read_custom(record))}


def assert_found(record: Record) -> None:
    """Check that each term finds the record."""
    for fact in read_all(record).values():
        assert not fact.term or Filter.parse(fact.term).matches(record), fact


def test_terms_find_the_record() -> None:
    """Each fact that is a filter selects the request that it was read from."""
    record = make_full()
    facts = read_all(record)
    assert_found(record)
    is_plain = {name for name, fact in facts.items() if not fact.term}
    assert facts["Machine"].term == "hostname:web-1" and facts["Process"].term == "process:web-1:7:a"
    assert is_plain == {"Request id", "Sizes", "Kept", "Dropped before"}
    assert facts["Kept"].text == "slow" and facts["Browser"].text.startswith("Chrome")
    assert facts["Browser"].term == f'header.user-agent:"{CHROME}"'


def test_user_agent_that_no_header_holds() -> None:
    """Where the header was not stored, the browser is plain text."""
    facts = read_all(dataclasses.replace(make_full(), request_headers=()))
    assert facts["Browser"].text.startswith("Chrome") and not facts["Browser"].term


@pytest.mark.parametrize("name", list(PAYLOADS))
def test_hostile_facts(name: str) -> None:
    """Whatever a client sends: no fact leads to nothing."""
    assert_found(fill(make_full(), PAYLOADS[name]))
