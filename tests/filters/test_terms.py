"""The table of terms: what follows from it, and that nothing else is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from flask_tracking import Filter
from flask_tracking.filters.completion import complete
from flask_tracking.filters.terms import TERMS, TermType

PAGE = Path(__file__).parent.parent.parent / "docs" / "filters.md"


@pytest.mark.parametrize("row", TERMS.values(), ids=lambda row: row.key)
def test_examples(row: TermType) -> None:
    """Every example and every proposed value of a row is a term of it."""
    for text in row.example_terms:
        (term,) = Filter.parse(text).terms()
        assert term.key.startswith(row.key)
    for choice in row.choices:
        assert str(Filter.term(row.key, choice)) == f"{row.key}:{choice}"


def test_documented_table() -> None:
    """The page of the filters has a line for each row, in the same order, and no other."""
    table = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert table == [
        f"| {', '.join(f'`{text}`' for text in row.example_terms)} | {row.meaning} |"
        for row in TERMS.values()
    ]


def test_meanings_are_one_sentence() -> None:
    """A meaning goes on after "selects records"."""
    for row in TERMS.values():
        assert row.meaning.split()[0] in {"that", "with", "of", "for", "from", "whose"}
        assert not row.meaning.endswith(".")


@pytest.mark.parametrize(
    ("text", "proposed"),
    [
        ("", [key if key.endswith(".") else f"{key}:" for key in TERMS]),
        ("sta", ["status:"]),
        ("status:", ["status:2xx", "status:3xx", "status:4xx", "status:5xx"]),
        ("status:5xx", []),
        ("not (is:er", ["not (is:error"]),
        ("a or h", ["a or has:", "a or header.", "a or host:", "a or hostname:"]),
        ("header.", []),
        ("user:a", []),
        ("Stat", ["status:"]),
        ("method:pa", ["method:PATCH"]),
        ("method:get", ["method:GET"]),
        ("unknown:", []),
    ],
)
def test_completion(text: str, proposed: list[str]) -> None:
    """A beginning is completed by keys, or by the values of a key."""
    assert complete(text) == proposed


KNOWN = {
    "route": ["/orders/<int:id>", "/a b", "/*"],
    "user": ["42", "acme:42", ""],
    "custom.": ["order_id", "order.items", "two words", "a:b"],
    "status": ["404"],
}


@pytest.mark.parametrize(
    ("text", "proposed"),
    [
        ("not (route:/o", ["not (route:/orders/<int:id>"]),
        ("route:", ["route:/orders/<int:id>", 'route:"/a b"', "route:/\\*"]),
        ("user:", ["user:42", "user:acme:42"]),
        ("custom.", ["custom.order_id:", "custom.order.items:"]),
        ("custom.order.", ["custom.order.items:"]),
        ("status:4", ["status:4xx"]),
        ("host:", []),
        ("status.", []),
    ],
)
def test_completion_by_what_there_is(text: str, proposed: list[str]) -> None:
    """Values and names that there are become terms that select them and nothing else."""
    assert complete(text, lambda key: KNOWN.get(key, [])) == proposed
    for one in proposed:
        if not one.endswith(":") and "(" not in one:
            Filter.parse(one)
