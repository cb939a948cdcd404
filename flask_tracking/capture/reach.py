"""The objects that the text of an object may show: its attributes and items, their own, and so on.

The search runs no code of the object's class: it reads attributes without properties, and items without
a custom ``__iter__``.
"""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import itertools
import types
import uuid
import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from bson import DBRef, ObjectId
from werkzeug.local import LocalProxy

from ..runtime.guard import try_foreign
from .logins import is_current_user
from .orm import UNLOADED, find_library

MAX_DEPTH = 4
"""Maximum number of levels to search."""
MAX_NODES = 200
"""Maximum number of objects to search; others are not found."""

PLAIN = frozenset((
    type(None), bool, int, float, complex, str, bytes, bytearray, ObjectId, decimal.Decimal, uuid.UUID,
    dt.datetime, dt.date, dt.time, dt.timedelta, types.FunctionType, types.BuiltinFunctionType,
    types.ModuleType, type,
))  # fmt: skip
"""Instances of exactly these classes hold no other objects that matter here."""
SEQUENCES = (list, tuple, set, frozenset, collections.deque)
LINKS: Any = [vars(BaseException)[name] for name in ("__cause__", "__context__")]
"""The links from an exception to another, even if a class overrides the attributes."""
_ROW = ("sqlalchemy.engine.row", "Row")
_HEAP_TYPE = 1 << 9
"""The flag of classes created at run time: all Python classes, and more and more C classes."""


class Shape(NamedTuple):
    """The facts about a class that are needed to search and copy its instances."""

    builtin: Any
    """The C class from which it is derived."""
    slots: tuple[str, ...]
    """Names, because the slots themselves would keep their class alive."""
    items: Callable[[Any], Iterable[Any]] | None
    """Return the objects that an instance holds in addition to its attributes."""
    is_opaque: bool
    """True for metaclasses and proxies, which are not searched."""
    has_finalizer: bool


_shapes: weakref.WeakKeyDictionary[type, Shape] = weakref.WeakKeyDictionary()


def find_shape(kind: type) -> Shape:
    """Return the cached shape of a class."""
    shape = _shapes.get(kind)
    return _make_shape(kind) if shape is None else shape


def _make_shape(kind: type) -> Shape:
    builtin = next(base for base in kind.__mro__ if _is_in_c(base))
    slots = [
        name
        for base in kind.__mro__
        if "__slots__" in vars(base)
        for name, slot in vars(base).items()
        if type(slot) is types.MemberDescriptorType and _find_attribute(kind, name) is slot
    ]
    shape = _shapes[kind] = Shape(
        builtin=builtin,
        slots=tuple(slots),
        items=_choose_items(kind, builtin),
        is_opaque=issubclass(kind, (type, LocalProxy)),
        has_finalizer=any("__del__" in vars(base) for base in kind.__mro__),
    )
    return shape


def _is_in_c(kind: type) -> bool:
    # Only C classes bind __new__ to themselves.
    return (
        not kind.__flags__ & _HEAP_TYPE or getattr(vars(kind).get("__new__"), "__self__", None) is kind
    )


def _find_attribute(kind: type, name: str) -> object:
    return next(vars(base)[name] for base in kind.__mro__ if name in vars(base))


def _choose_items(kind: type, builtin: Any) -> Callable[[Any], Iterable[Any]] | None:
    if issubclass(kind, dict):
        return _keys_and_values
    if issubclass(kind, SEQUENCES):
        iterate: Callable[[Any], Iterable[Any]] = builtin.__iter__  # not the class's own
        return iterate
    if issubclass(kind, BaseException):
        return arguments_of
    if issubclass(kind, types.MethodType):  # its repr contains the repr of the object
        return lambda method: [method.__self__]
    return iter if is_row(kind) else None


def _keys_and_values(value: dict[Any, Any]) -> Iterable[Any]:
    return [*_first(dict.keys(value)), *_first(dict.values(value))]


def is_orm(kind: type) -> bool:
    """Tell whether reading instances of `kind` may query a database."""
    return find_library(kind) is not None


def is_reference(kind: type) -> bool:
    """Tell whether a document resolves instances of `kind` when its attribute is read."""
    return issubclass(kind, DBRef)


def search(value: object, is_wanted: Callable[[type], bool]) -> tuple[bool, int]:
    """Search the objects that a ``repr`` can reach for a wanted class, without entering ORM objects.

    Returns:
        Whether there is one, and the number of objects searched.
    """
    seen: set[int] = set()
    level, deeper = [value], list[Any]()
    for _ in range(MAX_DEPTH + 1):  # nearest first: a user may hold its row and its whole database
        for part in level:
            kind = type(part)
            if kind in PLAIN or id(part) in seen:
                continue
            if is_wanted(kind):
                return True, len(seen)
            seen.add(id(part))
            if len(seen) > MAX_NODES:
                return False, MAX_NODES
            shape = find_shape(kind)
            if shape.is_opaque:
                if is_current_user(part):
                    return True, len(seen)
            elif not is_orm(kind):
                deeper += _parts(part, kind, shape)
                if issubclass(kind, BaseException):
                    level += chain_of(part)
        level, deeper = deeper, []
    return False, len(seen)


def arguments_of(error: object) -> tuple[Any, ...]:
    """Return ``error.args``, even if the class overrides it."""
    return vars(BaseException)["args"].__get__(error)  # type: ignore[no-any-return]


def chain_of(error: object) -> list[Any]:
    """Return the exceptions linked by `LINKS`."""
    return [link.__get__(error) for link in LINKS]


def _parts(value: object, kind: type, shape: Shape) -> list[Any]:
    """Return the objects in `value` that its text may show."""
    if shape.items is not None and not issubclass(kind, BaseException):
        return _first(shape.items(value))
    parts = _first(attributes_of(value, kind).values())
    if shape.slots:
        parts += slots_of(value, shape).values()
    return parts if shape.items is None else parts + _first(shape.items(value))


def is_row(kind: type) -> bool:
    """Tell whether `kind` is SQLAlchemy's result row, which prints like a tuple."""
    return (kind.__module__, kind.__name__) == _ROW


def _first(items: Iterable[Any]) -> list[Any]:
    # Copied immediately, because another thread may be changing the container.
    return list(itertools.islice(items, MAX_NODES))


def attributes_of(value: object, kind: type) -> dict[str, Any]:
    """Return the ``__dict__`` of `value`, even if a property or proxy overrides it."""
    return object.__getattribute__(value, "__dict__") if kind.__dictoffset__ else {}


def slots_of(value: object, shape: Shape) -> dict[str, Any]:
    """Return the values of the slots of `value` that are set."""
    parts = {
        name: try_foreign(object.__getattribute__, value, name, default=UNLOADED)
        for name in shape.slots
    }
    return {name: part for name, part in parts.items() if part is not UNLOADED}
