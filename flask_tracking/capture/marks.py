"""The marks on views and blueprints, and their effect on a span.

A mark is an attribute of the marked object, which stays the same object; `functools.wraps` copies the
mark to wrappers. The mark of a class applies to views made by `as_view`, and to views that are its
methods, as in Flask-Admin. The marks of an endpoint are determined once, at its first request.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from flask import Blueprint
from flask.app import Flask

from ..errors import ConfigError
from ..registry import tracked_apps
from ..runtime.guard import call_foreign
from ..runtime.weak_registry import WeakRegistry

if TYPE_CHECKING:
    from .span import Span

__all__ = ["Mark", "apply_marks", "mark"]

ATTRIBUTE = "_flask_tracking_mark"
MAX_WRAPPERS = 100
ANY_METHOD = ""
HANDLED = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
"""The HTTP methods for which a `MethodView` can have handlers."""
UNKNOWN: Mapping[str, Mark] = {}
"""Stands for an endpoint whose marks have not been determined yet."""

T = TypeVar("T")

marked: WeakRegistry[Any] = WeakRegistry()
"""The marked functions and classes."""


class Mark(NamedTuple):
    """The marking of a view or a blueprint."""

    is_excluded: bool = False
    excludes_body: bool = False
    keep_reason: str | None = None

    def followed_by(self, later: Mark) -> Mark:
        """Return the result of applying `later` after this mark, or nearer to the view."""
        body = self.excludes_body or later.excludes_body
        if later.is_excluded or later.keep_reason is not None:
            return later._replace(excludes_body=body)
        return self._replace(excludes_body=body)


NO_MARK = Mark()


def mark(target: T, name: str, added: Mark) -> T:
    """Mark a view, a class of views or a blueprint; return it, the same object.

    Args:
        target: the object to mark.
        name: the name of the mark, for the error.
        added: the mark, applied after any existing one.

    Raises:
        ConfigError: `target` is something else, or takes no attribute.
    """
    if isinstance(target, Flask) or not (isinstance(target, Blueprint) or callable(target)):
        raise ConfigError(
            f"{name} marks a view or a blueprint, and this is a {type(target).__name__}. "
            "For paths there are TRACKING_EXCLUDE and TRACKING_EXCLUDE_BODY."
        )
    # A bound method takes no attribute, but its function does. A function that the view wraps is not
    # marked, because it may be a view itself.
    owner = getattr(target, "__func__", target)
    try:
        setattr(owner, ATTRIBUTE, (_own_mark(owner) or NO_MARK).followed_by(added))
    except (AttributeError, TypeError):
        raise ConfigError(
            f"{name} cannot mark a {type(owner).__name__}, which takes no attribute. "
            "Wrap it in a function, and mark that."
        ) from None
    if isinstance(owner, types.FunctionType | type):
        marked.add(owner)
    for tracked in tracked_apps():
        # Replaced, not cleared: a thread that is determining marks stores them in the old dict.
        tracked.marks = {}
    return target


def apply_marks(app: Flask, span: Span, endpoint: str, method: str) -> None:
    """Apply the marks of an endpoint when Flask has routed a request to it."""
    known = span.owner.marks
    marks = known.get(endpoint, UNKNOWN)
    if marks is UNKNOWN:
        marks = known[endpoint] = find_marks(app, endpoint)
    if marks is None:
        return
    found: Mark = marks.get(method) or marks[ANY_METHOD]
    if found.keep_reason is not None:
        span.keep(found.keep_reason)
    if found.is_excluded:
        span.is_excluded = True
    if span.exchange is not None and (found.is_excluded or found.excludes_body):
        span.exchange.exclude_bodies()


def find_marks(app: Flask, endpoint: str) -> dict[str, Mark] | None:
    """Return the mark of an endpoint by HTTP method, and under `ANY_METHOD` for all others.

    Returns:
        None if there is no mark.
    """
    view = app.view_functions.get(endpoint)
    view_class = _view_class(view)
    outer = [*_blueprint_marks(app, endpoint), *_owner_marks(view), *_class_marks(view_class)]
    outer += [
        *_marks_of(view_class),
        *_marks_of(get_attribute(view_class, "dispatch_request")),
        *_marks_of(view),
    ]
    general = functools.reduce(Mark.followed_by, outer, NO_MARK)
    found = {ANY_METHOD: general}
    for method in HANDLED if view_class is not None else ():
        handler = get_attribute(view_class, method.lower())
        if handler is None and method == "HEAD":  # as in Flask
            handler = get_attribute(view_class, "get")
        found[method] = functools.reduce(Mark.followed_by, _marks_of(handler), general)
    return found if any(one != NO_MARK for one in found.values()) else None


def _blueprint_marks(app: Flask, endpoint: str) -> Iterator[Mark]:
    """Yield the marks of the blueprints around an endpoint, the outermost first."""
    parts = endpoint.split(".")[:-1]
    for count in range(1, len(parts) + 1):
        found = _own_mark(app.blueprints.get(".".join(parts[:count])))
        if found is not None:
            yield found


def _view_class(view: object) -> Any:
    """Return the class whose `as_view` made a view, or a function that it wraps."""
    found = (get_attribute(layer, "view_class") for layer in unwrap(view))
    return next((one for one in found if one is not None), None)


def _owner_marks(view: object) -> Iterator[Mark]:
    """Yield the marks of the classes of which a view, or a function that it wraps, is a method."""
    for layer in reversed(list(unwrap(view))):
        for owner in owners(layer):
            yield from _class_marks(owner)


def owners(layer: object) -> Iterator[type]:
    """Yield the class that a method is bound to, or the marked class that defines a static one."""
    bound_to = get_attribute(layer, "__self__")
    if bound_to is not None:
        yield bound_to if isinstance(bound_to, type) else type(bound_to)
    elif isinstance(layer, types.FunctionType):
        for one in marked:
            if isinstance(one, type) and any(layer is defined for defined in functions_of(one)):
                yield one


def functions_of(owner: type) -> list[object]:
    """Return the attributes in the body of a class, static and class methods as functions."""
    values = tuple(vars(owner).values())
    return [one.__func__ if type(one) in (staticmethod, classmethod) else one for one in values]


def _class_marks(view_class: object) -> Iterator[Mark]:
    """Yield the marks of a class and of its bases, the bases first."""
    for one in reversed(view_class.__mro__ if isinstance(view_class, type) else ()):
        found = vars(one).get(ATTRIBUTE)
        if isinstance(found, Mark):
            yield found


def _marks_of(view: object) -> list[Mark]:
    """Return the marks of a view and of the functions that it wraps, the innermost first."""
    found = [_own_mark(wrapped) for wrapped in unwrap(view)]
    return [one for one in reversed(found) if one is not None]


def _own_mark(target: object) -> Mark | None:
    found = get_attribute(target, ATTRIBUTE)
    return found if isinstance(found, Mark) else None


def unwrap(view: object) -> Iterator[object]:
    """Yield `view`, the function that it wraps, the function that this one wraps, and so on."""
    for _ in range(MAX_WRAPPERS):  # a function may wrap itself
        if view is None:
            return
        yield view
        view = view.func if isinstance(view, functools.partial) else get_attribute(view, "__wrapped__")


def get_attribute(target: object, name: str) -> Any:
    """Return an attribute of a foreign object; None if it is missing or raises."""
    return call_foreign("looking at a view", getattr, target, name, None, default=None)
