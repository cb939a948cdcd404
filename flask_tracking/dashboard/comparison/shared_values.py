"""What some requests share that others do not: values that are more common among them beyond doubt.

Pure counting: nothing here reads a store. Bounds are those of `change`: a few hundred values may be
tested at once, and without a cause nothing is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..statistics.change import Interval, ordered_interval, share_difference

LEAST_POINTS = 0.02
"""A value has to be more common by at least this share, by the lower bound."""
LEAST_RECORDS = 5
LEAST_SELECTED = 10
"""Of fewer selected records nothing is said: they can be read one by one."""
MAX_WEIGHT = 20.0
SAME = 0.95
"""Two values say the same if their records overlap by this share, on both sides."""
LEAST_SHIFT = 0.2
ROUTE_FIELDS = frozenset({"route", "method", "endpoint"})
"""What follows from the route: these are not compared like with like."""


class Item(NamedTuple):
    """A field with a value."""

    field: str
    value: str | None
    """None where records have no value: that is worth knowing, too."""


class Traits(NamedTuple):
    """What is compared of one record."""

    route: str
    items: frozenset[Item]
    numbers: Mapping[str, float]


class Shared(NamedTuple):
    """A value that is more common among the selected records."""

    item: Item
    selected: float
    """Its share of the selected records, from 0 to 1."""
    others: float
    """Its share of the others, of the same routes in the same proportions where that matters."""
    at_least: float
    """By how much its share is greater beyond doubt; the findings are ranked by it."""
    inside: tuple[str, float, float] | None = None
    """The route of most of its records, with its shares inside of that route."""
    also: tuple[Item, ...] = ()
    """Values of the same records."""


class Shift(NamedTuple):
    """A number whose median differs beyond doubt."""

    name: str
    selected: Interval
    others: Interval


class Findings(NamedTuple):
    """What is shared, the most telling first."""

    shared: tuple[Shared, ...]
    shifts: tuple[Shift, ...]
    fields: int
    """How many fields were compared."""


def find_shared(
    selected: Sequence[Traits], others: Sequence[Traits], *, order: Sequence[str] = (), most: int = 12
) -> Findings:
    """Compare the records of a selection with others.

    For every field but the route and what follows from it, the others are weighted to the routes of the
    selection: else each field that goes with a slow route would look guilty.

    Args:
        selected: those in question.
        others: those they are compared with.
        order: the names of the fields, the more general ones first: of values that say the same, the
            first one is told.
        most: maximum number of findings.
    """
    fields = {item.field for one in selected for item in one.items}
    if len(selected) < LEAST_SELECTED or not others:
        return Findings((), (), len(fields))
    weights = _weigh(selected, others)
    found = [
        one
        for one in _rank(selected, others, weights)
        if one.at_least > LEAST_POINTS and one.selected * len(selected) >= LEAST_RECORDS
    ]
    merged = _leave_unexplained(_merge(found, selected, others, order), selected, others)[:most]
    told = tuple(_compare_inside(one, selected, others) for one in merged)
    return Findings(told, tuple(_find_shifts(selected, others, weights)), len(fields))


def _weigh(selected: Sequence[Traits], others: Sequence[Traits]) -> list[float]:
    """Return a weight for each of the others, so that their routes are those of the selection."""
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
    candidates = {item for item, count in counted.items() if count >= LEAST_RECORDS}
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
    """Join values that say the same; each group is told by its most general field."""
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


def _leave_unexplained(
    found: Sequence[Shared], selected: Sequence[Traits], others: Sequence[Traits]
) -> list[Shared]:
    """Leave out what only goes with a wider finding, like the processes of a version."""
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
        return difference.low <= LEAST_POINTS

    return [one for one in found if not any(explains(wide, one.item) for wide in items)]


def _is_within(part: set[int], whole: set[int]) -> bool:
    return len(part & whole) >= SAME * len(part)


def _compare_inside(one: Shared, selected: Sequence[Traits], others: Sequence[Traits]) -> Shared:
    """Add the shares inside the route of most of its records, where there are several routes."""
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
    """Yield the numbers whose medians differ, of others with the same routes."""
    for name in sorted({name for one in selected for name in one.numbers}):
        mine = [(one.numbers[name], 1.0) for one in selected if name in one.numbers]
        theirs = [
            (one.numbers[name], weight)
            for one, weight in zip(others, weights, strict=True)
            if name in one.numbers and weight
        ]
        if min(len(mine), len(theirs)) < LEAST_SELECTED:
            continue
        here, there = ordered_interval(mine), ordered_interval(theirs)
        is_apart = here.low > there.high or here.high < there.low
        if is_apart and abs(here.middle - there.middle) > LEAST_SHIFT * abs(there.middle):
            yield Shift(name, here, there)
