"""Trees of plain values with other keys and leaves."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from flask_tracking.runtime.trees import map_tree

TREE = {"a": [1, {"b": ("c", None)}], "d": {}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"a": [1, {"b": ["c", None]}], "d": {}}),
        ({"key": str.upper}, {"A": [1, {"B": ["c", None]}], "D": {}}),
        ({"leaf": str}, {"a": ["1", {"b": ["c", "None"]}], "d": {}}),
    ],
)
def test_keys_and_leaves(changes: dict[str, Any], expected: Any) -> None:
    """Keys and leaves change on every level, and what holds them becomes a dict or a list."""
    assert map_tree(TREE, **changes) == expected
    assert map_tree(MappingProxyType(TREE), **changes) == expected


def test_leaf_alone() -> None:
    """A leaf is a tree, too."""
    assert map_tree(1, leaf=str) == "1"
