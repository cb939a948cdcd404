"""What is remembered, and that strangers cannot make it grow."""

from __future__ import annotations

import pytest

from flask_tracking.runtime.cache import MAX_KEYS, MAX_SIZE, BoundedCache, HashedCache, make_pick


def counted() -> tuple[BoundedCache[str, int], list[str]]:
    """Make a cache of the lengths of texts, and the list of those that it had to count."""
    asked: list[str] = []

    def count(text: str) -> int:
        asked.append(text)
        return len(text)

    return BoundedCache(count), asked


def test_made_once() -> None:
    """A value is made when it is asked for first, and remembered."""
    cache, asked = counted()

    assert [cache["ab"], cache["ab"], cache["abc"]] == [2, 2, 3]
    assert asked == ["ab", "abc"]


def test_bounded_in_keys() -> None:
    """When it is full it begins anew."""
    cache, asked = counted()

    for number in range(MAX_KEYS + 1):
        assert cache[f"{number:05}"] == 5
    assert list(cache) == [f"{MAX_KEYS:05}"]
    assert cache["00000"] == 5
    assert asked.count("00000") == 2


def test_bounded_in_size() -> None:
    """What is too large is made each time, and what is remembered stays."""
    cache, asked = counted()
    small, large = "x" * MAX_SIZE, "x" * (MAX_SIZE + 1)

    assert [cache[small], cache[large], cache[large], cache[small]] == [4000, 4001, 4001, 4000]
    assert asked == [small, large, large]


def test_by_hash() -> None:
    """Equal tuples find one value, whose number and size are bounded as well."""
    cache = HashedCache(len)
    large = ("x" * MAX_SIZE, "x")

    assert cache.get(hash(("a", "b"))) is None
    assert cache.add(("a", "b")) == 2
    assert cache.get(hash(tuple("ab"))) == 2
    assert (cache.add(large), cache.get(hash(large))) == (2, None)
    for number in range(MAX_KEYS):
        cache.add((str(number),))
    assert len(cache) == 1


@pytest.mark.parametrize("keys", [(), ("b",), ("c", "a")])
def test_picked_values(keys: tuple[str, ...]) -> None:
    """Values come as a tuple, in the order of their keys, however few they are."""
    values = {"a": 1, "b": 2, "c": 3}
    assert make_pick(keys)(values) == tuple(values[key] for key in keys)
    places = tuple("abc".index(key) for key in keys)
    assert make_pick(places)([1, 2, 3]) == tuple(values[key] for key in keys)
