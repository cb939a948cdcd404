"""What the text of an object may show: its attributes and items, what these hold, and so on.

Looking runs no code of the object's class: attributes are read past properties, items past an
``__iter__`` of its own.
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
"""How many levels within an object are looked at."""
MAX_NODES = 200
"""How many objects are looked at; what is beyond is not found."""

PLAIN = frozenset((
    type(None), bool, int, float, complex, str, bytes, bytearray, ObjectId, decimal.Decimal, uuid.UUID,
    dt.datetime, dt.date, dt.time, dt.timedelta, types.FunctionType, types.BuiltinFunctionType,
    types.ModuleType, type,
))  # fmt: skip
"""Objects of these classes, and of no derived one, hold nothing that matters here."""
SEQUENCES = (list, tuple, set, frozenset, collections.deque)
LINKS: Any = [vars(BaseException)[name] for name in ("__cause__", "__context__")]
"""What leads from an exception to another, past what a class may have in their place."""
_ROW = ("sqlalchemy.engine.row", "Row")
_HEAP_TYPE = 1 << 9
"""The flag of classes that are made at run time: all those in Python, and ever more of those in C."""


class Shape(NamedTuple):
    """What has to be known of a class, to look into its instances and to copy them."""

    builtin: Any
    """The class in C that it is derived from."""
    slots: tuple[str, ...]
    """Names, because the slots themselves would keep their class alive."""
    items: Callable[[Any], Iterable[Any]] | None
    """Return what an instance holds beside its attributes."""
    is_opaque: bool
    """True for classes of classes and of proxies, which are not looked into."""
    has_finalizer: bool


_shapes: weakref.WeakKeyDictionary[type, Shape] = weakref.WeakKeyDictionary()


def find_shape(kind: type) -> Shape:
    """Return what is known of a class."""
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
    # Only C binds a __new__ to its own class.
    return (
        not kind.__flags__ & _HEAP_TYPE or getattr(vars(kind).get("__new__"), "__self__", None) is kind
    )


def _find_attribute(kind: type, name: str) -> object:
    return next(vars(base)[name] for base in kind.__mro__ if name in vars(base))


def _choose_items(kind: type, builtin: Any) -> Callable[[Any], Iterable[Any]] | None:
    if issubclass(kind, dict):
        return _keys_and_values
    if issubclass(kind, SEQUENCES):
        iterate: Callable[[Any], Iterable[Any]] = builtin.__iter__  # not that of the class itself
        return iterate
    if issubclass(kind, BaseException):
        return arguments_of
    if issubclass(kind, types.MethodType):  # its repr has the repr of the object
        return lambda method: [method.__self__]
    return iter if is_row(kind) else None


def _keys_and_values(value: dict[Any, Any]) -> Iterable[Any]:
    return [*_first(dict.keys(value)), *_first(dict.values(value))]


def is_orm(kind: type) -> bool:
    """Tell whether reading the instances of `kind` may ask a database."""
    return find_library(kind) is not None


def is_reference(kind: type) -> bool:
    """Tell whether a document resolves the instances of `kind` when its attribute is read."""
    return issubclass(kind, DBRef)


def search(value: object, is_wanted: Callable[[type], bool]) -> tuple[bool, int]:
    """Look for an object of a wanted class within reach of a ``repr``; ORM objects are not entered.

    Returns:
        Whether there is one, and how many objects were looked at.
    """
    seen: set[int] = set()
    level, deeper = [value], list[Any]()
    for _ in range(MAX_DEPTH + 1):  # near ones first: a user's row stands beside its whole database
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
    """Return ``error.args``, past what a class may have in its place."""
    return vars(BaseException)["args"].__get__(error)  # type: ignore[no-any-return]


def chain_of(error: object) -> list[Any]:
    """Return what `LINKS` hold of an exception."""
    return [link.__get__(error) for link in LINKS]


def _parts(value: object, kind: type, shape: Shape) -> list[Any]:
    """Return what `value` holds, as far as a text of it may show that."""
    if shape.items is not None and not issubclass(kind, BaseException):
        return _first(shape.items(value))
    parts = _first(attributes_of(value, kind).values())
    if shape.slots:
        parts += slots_of(value, shape).values()
    return parts if shape.items is None else parts + _first(shape.items(value))


def is_row(kind: type) -> bool:
    """Tell whether `kind` is SQLAlchemy's row of a result, which prints itself like a tuple."""
    return (kind.__module__, kind.__name__) == _ROW


def _first(items: Iterable[Any]) -> list[Any]:
    # At once: another thread may be changing the container.
    return list(itertools.islice(items, MAX_NODES))


def attributes_of(value: object, kind: type) -> dict[str, Any]:
    """Return the ``__dict__`` of `value`, past a property or a proxy's lookup in its place."""
    return object.__getattribute__(value, "__dict__") if kind.__dictoffset__ else {}


def slots_of(value: object, shape: Shape) -> dict[str, Any]:
    """Return the slots of `value` that are set, with what they hold."""
    parts = {
        name: try_foreign(object.__getattribute__, value, name, default=UNLOADED)
        for name in shape.slots
    }
    return {name: part for name, part in parts.items() if part is not UNLOADED}
