"""Copies of objects that cannot query a database, whatever their ``repr``, ``str`` or ``get_id`` do.

An ORM object itself is never converted to text. `detach` copies its loaded attributes into an object of
the same class without a session; reading any other attribute raises there. Objects that contain ORM
objects are treated alike: a user that wraps a row, an exception with a row as argument.
"""

from __future__ import annotations

import contextvars
import itertools
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.local import LocalProxy

from ..runtime.guard import try_foreign
from .logins import is_current_user, resolve
from .orm import UNLOADED, Library, UnloadedError, find_library, is_asking, name_object
from .reach import (
    LINKS,
    MAX_DEPTH,
    MAX_NODES,
    PLAIN,
    SEQUENCES,
    arguments_of,
    attributes_of,
    chain_of,
    find_shape,
    is_orm,
    is_reference,
    is_row,
    search,
    slots_of,
)

MAX_SEARCHED = 1000
"""Maximum number of objects searched for one copy, in all searches together."""


def detach(value: object) -> Any:
    """Return `value` if converting it to text sends no query, otherwise a copy that cannot.

    Returns:
        `value` itself, a copy to be used with `ask`, or `UNLOADED` if no copy is possible.
    """
    if type(value) in PLAIN:
        return value
    return try_foreign(_detach, value, default=UNLOADED)


def ask(convert: Callable[..., Any], copy: object, *args: object) -> Any:
    """Call `convert` on the result of `detach`.

    It runs outside the request's contexts, so it cannot reach sessions that belong to them.

    Returns:
        The result; None if it raised, because an attribute is not loaded or for another reason.
    """
    if copy is UNLOADED:
        return None
    return try_foreign(contextvars.Context().run, _ask, convert, copy, *args, default=None)


def _ask(convert: Callable[..., Any], copy: object, *args: object) -> Any:
    is_asking.set(True)
    return convert(copy, *args)


def _detach(value: object) -> Any:
    return _Detacher().copy(value, 0) if search(value, is_orm)[0] else value


class _Name:
    """Stands for an object whose own ``repr`` is not available."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


class _Detacher:
    """Copies an object, and the objects around it that its ``repr`` may need."""

    def __init__(self) -> None:
        self._left = MAX_NODES
        self._left_to_search = MAX_SEARCHED
        self._copies: dict[int, Any] = {}

    def copy(self, value: Any, depth: int) -> Any:
        """Return `value` if it sends no query, otherwise a copy; raise if there can be none."""
        kind = type(value)
        if kind in PLAIN:
            return value
        if id(value) in self._copies:
            return self._copies[id(value)]
        self._left -= 1
        # A weak proxy would lead from the copy to the original.
        if self._left < 0 or depth > MAX_DEPTH or kind in weakref.ProxyTypes:
            raise UnloadedError
        if issubclass(kind, LocalProxy):
            return self.copy(resolve(value), depth) if is_current_user(value) else value
        library = find_library(kind)
        if library is not None:
            return self._copy_object(value, depth, library)
        if not self._reaches(value, is_orm):
            return value
        container = self._copy_container(value, kind, depth)
        return self._copy_object(value, depth, None) if container is None else container

    def _reaches(self, value: object, is_wanted: Callable[[type], bool]) -> bool:
        if self._left_to_search <= 0:
            raise UnloadedError
        found, looked_at = search(value, is_wanted)
        self._left_to_search -= looked_at
        return found

    def copy_values(self, values: dict[str, Any], depth: int) -> dict[str, Any]:
        """Copy values, with `UNLOADED` for those that query a database."""
        return {name: self._copy_part(part, depth) for name, part in list(values.items())}

    def copy_document_values(self, values: dict[str, Any], depth: int) -> dict[str, Any]:
        """Copy values, with `UNLOADED` also for references, which documents resolve when read."""
        return {
            name: part if type(part) in PLAIN else self._copy_document_part(part, depth)
            for name, part in list(values.items())
        }

    def _copy_part(self, part: Any, depth: int) -> Any:
        if type(part) in PLAIN:
            return part
        return try_foreign(self.copy, part, depth + 1, default=UNLOADED)

    def _copy_document_part(self, part: Any, depth: int) -> Any:
        # Reading the copy's attribute would resolve a whole list of references.
        asks = try_foreign(self._reaches, part, is_reference, default=True)
        return UNLOADED if asks else self._copy_part(part, depth)

    def _copy_all(self, items: Iterable[Any], depth: int) -> list[Any]:
        parts = list(itertools.islice(items, MAX_NODES + 1))
        if len(parts) > MAX_NODES:
            raise UnloadedError
        return [self._copy_part(part, depth) for part in parts]

    def _copy_container(self, value: Any, kind: Any, depth: int) -> Any:
        """Return a plain container of copies; None if `value` is not a container."""
        if issubclass(kind, dict):
            keys = self._copy_all(dict.keys(value), depth)
            return dict(zip(keys, self._copy_all(dict.values(value), depth), strict=True))
        if issubclass(kind, SEQUENCES):
            base = find_shape(kind).builtin
            items = self._copy_all(base.__iter__(value), depth)
            return base.__new__(kind, items) if base is tuple else base(items)
        return tuple(self._copy_all(value, depth)) if is_row(kind) else None

    def _copy_object(self, value: Any, depth: int, library: Library | None) -> Any:
        kind = type(value)
        shape = find_shape(kind)
        if shape.has_finalizer:
            raise UnloadedError  # the finalizer would run for the copy as well
        is_error = issubclass(kind, BaseException)
        args = self._copy_arguments(value, depth) if is_error else ()
        # Registered before it is filled, because related objects refer back to it.
        copy = self._copies[id(value)] = shape.builtin.__new__(kind, *args)
        try:
            instead = {} if library is None else self._replace(library, value, depth)
            self._fill(copy, value, instead, depth)
        except Exception:
            self._copies[id(value)] = UNLOADED
            raise
        if is_error:
            self._copy_chain(value, copy, depth)
        return copy

    def _fill(self, copy: Any, value: Any, instead: dict[str, Any], depth: int) -> None:
        kind = type(value)
        attributes = attributes_of(value, kind)
        if attributes:
            others = {name: part for name, part in list(attributes.items()) if name not in instead}
            attributes_of(copy, kind).update({**self.copy_values(others, depth), **instead})
        for name, part in slots_of(value, find_shape(kind)).items():
            held = instead[name] if name in instead else self._copy_part(part, depth)
            object.__setattr__(copy, name, held)

    def _copy_arguments(self, error: BaseException, depth: int) -> list[Any]:
        # The text of an exception contains their reprs: one that fails must not hide the others.
        arguments = arguments_of(error)
        pairs = zip(arguments, self._copy_all(arguments, depth), strict=True)
        return [
            copy if copy is part or ask(repr, copy) is not None else _Name(name_object(part))
            for part, copy in pairs
        ]

    def _replace(self, library: Library, value: Any, depth: int) -> dict[str, Any]:
        if library.replace is None:
            raise UnloadedError
        return library.replace(self, value, depth)

    def _copy_chain(self, error: BaseException, copy: BaseException, depth: int) -> None:
        for link, other in zip(LINKS, chain_of(error), strict=True):
            link.__set__(copy, try_foreign(self.copy, other, depth, default=None))
        copy.__suppress_context__ = error.__suppress_context__
        copy.__traceback__ = error.__traceback__
