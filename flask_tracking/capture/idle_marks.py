"""Detect marks without effect: a view calls the marked function in a wrapper that hides it."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from typing import Any

from flask.app import Flask

from ..runtime.guard import harmless, warn_rarely
from .marks import functions_of, get_attribute, marked, owners, unwrap

__all__ = ["warn_of_idle_marks"]

MAX_HELD = 1000
"""Maximum number of objects held by a view to search."""
WRAPPERS = (types.FunctionType, types.MethodType, functools.partial)


@harmless("looking for marks without effect")
def warn_of_idle_marks(app: Flask) -> None:
    """Warn of each mark on a function or class that a view of `app` calls but hides.

    A mark that no view of the app holds is ignored, because it may belong to another app.
    """
    idle: dict[int, Any] = {id(one): one for one in marked}
    views = tuple(app.view_functions.items()) if idle else ()
    for _, view in views:
        for shown in _shown_by(view):
            idle.pop(id(shown), None)
    for endpoint, view in views if idle else ():
        for hidden in _hidden_in(view):
            if id(hidden) in idle:
                _warn(idle.pop(id(hidden)), endpoint)


def _warn(target: Any, endpoint: str) -> None:
    name = f"{target.__module__}.{target.__qualname__}"
    warn_rarely(
        f"idle mark on {name}",
        "The mark on %s has no effect: the view of the endpoint '%s' holds it in a wrapper that hides "
        "it. Use functools.wraps there, or mark the view.",
        name,
        endpoint,
    )


def _shown_by(view: object) -> Iterator[object]:
    """Yield the objects whose marks count: the view, what it wraps, their classes and functions."""
    for layer in unwrap(view):
        yield get_attribute(layer, "__func__") or layer
        for owner in (*owners(layer), get_attribute(layer, "view_class")):
            for one in owner.__mro__ if isinstance(owner, type) else ():
                yield one
                for defined in functions_of(one):
                    if isinstance(defined, types.FunctionType):
                        yield from unwrap(defined)


def _hidden_in(view: object) -> Iterator[object]:
    """Yield the functions and classes that a view holds in closures, arguments or attributes."""
    waiting, seen = [view], {id(view)}
    while waiting and len(seen) < MAX_HELD:
        for layer in unwrap(waiting.pop()):
            for held in _held_by(get_attribute(layer, "__func__") or layer):
                if id(held) not in seen:
                    seen.add(id(held))
                    yield from _name_parts(held)
                    if isinstance(held, WRAPPERS):
                        waiting.append(held)


def _name_parts(held: object) -> Iterator[object]:
    """Yield the objects on which a mark of `held`, or of a function that it wraps, would be set."""
    # Only plain functions are searched: reading an attribute of another object may send a query.
    if not isinstance(held, WRAPPERS):
        yield from (held if isinstance(held, type) else type(held)).__mro__
        return
    for part in unwrap(held):
        yield get_attribute(part, "__func__") or part
        for owner in owners(part):
            yield from owner.__mro__


def _held_by(layer: object) -> list[object]:
    if isinstance(layer, functools.partial):
        return [layer.func, *layer.args, *layer.keywords.values()]
    if isinstance(layer, types.FunctionType):
        # A cell may still be empty.
        return [one.cell_contents for one in layer.__closure__ or () if one != types.CellType()]
    attributes = get_attribute(layer, "__dict__")
    return list(attributes.values()) if isinstance(attributes, dict) else []
