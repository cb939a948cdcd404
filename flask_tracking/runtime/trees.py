"""Trees of plain values: what JSON and BSON are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["map_tree"]


def _keep(value: Any) -> Any:
    return value


def map_tree(
    tree: Any, *, key: Callable[[str], str] = _keep, leaf: Callable[[Any], Any] = _keep
) -> Any:
    """Return a tree with other keys or other leaves, on every level.

    Args:
        tree: mappings, lists and tuples, and leaves in them. Mappings become dicts, and tuples lists.
        key: returns what a key becomes; by default it stays.
        leaf: returns what a leaf becomes; by default it stays.

    Raises:
        RecursionError: it is nested too deep.
    """
    if isinstance(tree, Mapping):
        return {key(name): map_tree(value, key=key, leaf=leaf) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [map_tree(value, key=key, leaf=leaf) for value in tree]
    return leaf(tree)
