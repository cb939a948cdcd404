"""Search for values that are significantly more common among selected requests than among others.

Pure functions of traits. The intervals are those of `change`, wide enough to test a few hundred values
at once without false findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..statistics.change import Interval, ordered_interval, share_difference

MIN_POINTS = 0.02
"""The minimum difference of shares, by the lower bound of its interval."""
MIN_RECORDS = 5
MIN_SELECTED = 10
"""Fewer selected records are listed instead of compared."""
MAX_WEIGHT = 20.0
SAME = 0.95
"""Two values are equivalent if their records overlap by this share, on both sides."""
MIN_SHIFT = 0.2
ROUTE_FIELDS = frozenset({"route", "method", "endpoint"})
"""Fields that follow from the route. They are compared without weights."""


class Item(NamedTuple):
    """A field with a value."""

    field: str
    value: str | None
    """None for records without a value, which can be a finding, too."""


class Traits(NamedTuple):
    """The compared properties of one record."""

    route: str
    items: frozenset[Item]
    numbers: Mapping[str, float]


class Shared(NamedTuple):
    """A finding: a value that is more common among the selected records."""

    item: Item
    selected: float
    """Its share of the selected records, from 0 to 1."""
    others: float
    """Its share of the others, weighted to the routes of the selection except for `ROUTE_FIELDS`."""
    at_least: float
    """The lower bound of the difference, by which findings are ranked."""
    inside: tuple[str, float, float] | None = None
    """The route of most of its records, with the shares of both sides within that route."""
    also: tuple[Item, ...] = ()
    """Equivalent values."""


class Shift(NamedTuple):
    """A number whose median differs significantly."""

    name: str
    selected: Interval
    others: Interval


class Findings(NamedTuple):
    """All findings, the strongest first."""

    shared: tuple[Shared, ...]
    shifts: tuple[Shift, ...]
    fields: int
    """The number of compared fields."""


def find_shared(
    selected: Sequence[Traits], others: Sequence[Traits], *, order: Sequence[str] = (), most: int = 12
) -> Findings:
    """Compare the records of a selection with others.

    Except for `ROUTE_FIELDS`, the others are weighted to the routes of the selection. Otherwise every
    field that correlates with a slow route would be a finding.

    Args:
        selected: the records in question.
        others: the records to compare with.
        order: the names of the fields, the more general ones first. Of equivalent values, the one of
            the first field is reported.
        most: maximum number of findings.
    """
    fields = {item.field for one in selected for item in one.items}
    if len(selected) < MIN_SELECTED or not others:
        return Findings((), (), len(fields))
    weights = _weigh(selected, others)
    found = [
        one
        for one in _rank(selected, others, weights)
        if one.at_least > MIN_POINTS and one.selected * len(selected) >= MIN_RECORDS
    ]
    merged = _drop_explained(_merge(found, selected, others, order), selected, others)[:most]
    told = tuple(_compare_inside(one, selected, others) for one in merged)
    return Findings(told, tuple(_find_shifts(selected, others, weights)), len(fields))


def _weigh(selected: Sequence[Traits], others: Sequence[Traits]) -> list[float]:
    """Return a weight for each of the others, to distribute their routes as in the selection."""
    mine, theirs = (Counter(one.route for one in side) for side in (selected, others))
    weights = {
        route: min(MAX_WEIGHT, (mine[route] / len(selected)) / (count / len(others)))
        for route, count in theirs.items()
    }
    return [weights[one.route] for one in others]


def _rank(
    selected: Sequence[Traits], others: Sequence[Traits], weights: Sequence[float]
) -> list[Shared]:
    counted = Counter(item for one in selected for item in one.items)
    candidates = {item for item, count in counted.items() if count >= MIN_RECORDS}
    plain, weighted = Counter[Item](), Counter[Item]()
    for one, weight in zip(others, weights, strict=True):
        for item in one.items & candidates:
            plain[item] += 1
            weighted[item] += weight  # type: ignore[assignment]  # typeshed counts whole numbers
    total = sum(weights)
    alike = total * total / (sum(weight * weight for weight in weights) or 1.0)
    ranked = []
    for item in candidates:
        is_plain = item.field in ROUTE_FIELDS
        if not is_plain and not total:
            continue  # none of the others is of these routes
        count = float(len(others)) if is_plain else alike
        share = plain[item] / len(others) if is_plain else weighted[item] / total
        difference = share_difference(counted[item], len(selected), share * count, count)
        ranked.append(Shared(item, counted[item] / len(selected), share, difference.low))
    return sorted(ranked, key=lambda one: (-one.at_least, one.item.field, one.item.value or ""))


def _merge(
    found: Sequence[Shared], selected: Sequence[Traits], others: Sequence[Traits], order: Sequence[str]
) -> list[Shared]:
    """Merge equivalent values; each group is reported by its most general field."""
    items = [one.item for one in found]
    mine, theirs = _positions(items, selected), _positions(items, others)
    groups: list[list[Shared]] = []
    for one in found:
        for group in groups:
            first = group[0].item
            is_of_route = {first.field, one.item.field} <= ROUTE_FIELDS
            is_same = is_of_route or _overlap(theirs[first], theirs[one.item])
            if is_same and _overlap(mine[first], mine[one.item]):
                group.append(one)
                break
        else:
            groups.append([one])
    places = {name: at for at, name in enumerate(order)}
    return [_tell_as_one(group, places) for group in groups]


def _positions(items: Iterable[Item], side: Sequence[Traits]) -> dict[Item, set[int]]:
    positions: dict[Item, set[int]] = {item: set() for item in items}
    for at, one in enumerate(side):
        for item in one.items & positions.keys():
            positions[item].add(at)
    return positions


def _overlap(some: set[int], more: set[int]) -> bool:
    return len(some & more) >= SAME * len(some | more)


def _tell_as_one(group: Sequence[Shared], places: Mapping[str, int]) -> Shared:
    told = sorted(group, key=lambda one: places.get(one.item.field, len(places)))
    return told[0]._replace(also=tuple(one.item for one in told[1:]))


def _drop_explained(
    found: Sequence[Shared], selected: Sequence[Traits], others: Sequence[Traits]
) -> list[Shared]:
    """Drop findings that a wider one explains, like the processes of a version."""
    items = [one.item for one in found]
    mine, theirs = _positions(items, selected), _positions(items, others)

    def explains(wide: Item, narrow: Item) -> bool:
        sides = [(side[wide], side[narrow]) for side in (mine, theirs)]
        if not all(len(part) < len(whole) and _is_within(part, whole) for whole, part in sides):
            return False
        (whole, part), (other_whole, other_part) = sides
        difference = share_difference(
            len(part & whole), len(whole), len(other_part & other_whole), len(other_whole)
        )
        return difference.low <= MIN_POINTS

    return [one for one in found if not any(explains(wide, one.item) for wide in items)]


def _is_within(part: set[int], whole: set[int]) -> bool:
    return len(part & whole) >= SAME * len(part)


def _compare_inside(one: Shared, selected: Sequence[Traits], others: Sequence[Traits]) -> Shared:
    """Add the shares within the route of most of its records, if there are several routes."""
    if one.item.field in ROUTE_FIELDS or len({traits.route for traits in selected}) < 2:
        return one
    routes = Counter(traits.route for traits in selected if one.item in traits.items)
    route = max(routes, key=lambda name: (routes[name], name))
    mine = [traits for traits in selected if traits.route == route]
    theirs = [traits for traits in others if traits.route == route]
    if not theirs:
        return one
    shares = [sum(one.item in traits.items for traits in side) / len(side) for side in (mine, theirs)]
    return one._replace(inside=(route, shares[0], shares[1]))


def _find_shifts(
    selected: Sequence[Traits], others: Sequence[Traits], weights: Sequence[float]
) -> Iterable[Shift]:
    """Yield the numbers whose medians differ, with the others weighted by route."""
    for name in sorted({name for one in selected for name in one.numbers}):
        mine = [(one.numbers[name], 1.0) for one in selected if name in one.numbers]
        theirs = [
            (one.numbers[name], weight)
            for one, weight in zip(others, weights, strict=True)
            if name in one.numbers and weight
        ]
        if min(len(mine), len(theirs)) < MIN_SELECTED:
            continue
        here, there = ordered_interval(mine), ordered_interval(theirs)
        is_apart = here.low > there.high or here.high < there.low
        if is_apart and abs(here.middle - there.middle) > MIN_SHIFT * abs(there.middle):
            yield Shift(name, here, there)
