"""Objects that query a database when they are read: their library and their loaded values.

Reading an expired attribute, a relationship or a reference sends a statement in the middle of the
app's own transaction. This module knows the attributes in which such objects hold loaded values. It
imports no ORM: the base classes of an object show its library.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, NamedTuple, NoReturn, Protocol

from bson import DBRef

from ..runtime.guard import try_foreign


class UnloadedError(Exception):
    """A value cannot be read without querying a database."""


is_asking: ContextVar[bool] = ContextVar("flask_tracking.is_asking", default=False)
"""True while a copy is asked for its id or text in this context."""


class Unloaded:
    """Stands for a value that is not loaded: every use of it raises.

    Its class and special attributes can be read unless a copy is being asked, because gevent reads them
    of every object of the process, and so do debuggers and profilers.
    """

    def _fail(self, *_: object) -> NoReturn:
        raise UnloadedError

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__") and not is_asking.get():
            raise AttributeError(name)
        raise UnloadedError

    __repr__ = __bool__ = __eq__ = __hash__ = _fail

    def _find_class(self) -> type[Unloaded]:
        if is_asking.get():
            raise UnloadedError
        return Unloaded

    __class__ = property(_find_class)  # isinstance() reads it


UNLOADED: Any = Unloaded()


class Copier(Protocol):
    """Copies the parts of an object, see `flask_tracking.capture.detached`."""

    def copy_values(self, values: dict[str, Any], depth: int) -> dict[str, Any]:
        """Copy values, with `UNLOADED` for those that query a database."""

    def copy_document_values(self, values: dict[str, Any], depth: int) -> dict[str, Any]:
        """Copy values, with `UNLOADED` also for references, which documents resolve when read."""


class Library(NamedTuple):
    """How to read the objects of one library without querying its database."""

    find_key: Callable[[Any], Any]
    """Return the primary key: one value, a tuple, or None."""
    replace: Callable[[Copier, Any, int], dict[str, Any]] | None = None
    """Return the attributes that differ in a copy; None if objects of this library are never copied."""


def find_library(kind: type) -> Library | None:
    """Return the library of the instances of `kind`; None for ordinary classes."""
    for base in kind.__mro__:
        # Not cached: a class may be mapped long after its first instance was seen.
        if "_sa_class_manager" in base.__dict__:
            return _SQLALCHEMY
    if kind not in _known:
        names = [(base.__dict__.get("__module__"), base.__name__) for base in kind.__mro__]
        _known[kind] = next((_LIBRARIES[name] for name in names if name in _LIBRARIES), None)
    return _known[kind]


def find_key(value: object) -> str | None:
    """Return the primary key of an ORM object as text, composite keys joined by ``,``."""
    return try_foreign(_find_key, value, default=None)


def name_object(value: object) -> str:
    """Return ``<User 17>``: the class and, for an ORM object, the primary key."""
    key = find_key(value)
    name = type(value).__name__
    return f"<{name}>" if key is None else f"<{name} {key}>"


def _find_key(value: object) -> str | None:
    library = find_library(type(value))
    key = None if library is None else library.find_key(value)
    parts = key if isinstance(key, tuple) else (key,)
    texts = [_find_key(part) if find_library(type(part)) else _part_text(part) for part in parts]
    return None if None in texts else ",".join(texts)  # type: ignore[arg-type]


def _part_text(part: object) -> str | None:
    return None if part is None else str(part.id if isinstance(part, DBRef) else part)


def _sqlalchemy_key(row: Any) -> Any:
    key = object.__getattribute__(row, "_sa_instance_state").key
    return None if key is None else key[1]


def _without_state(copier: Copier, row: object, depth: int) -> dict[str, Any]:
    if len(object.__getattribute__(row, "__dict__")) == 1:
        raise UnloadedError  # all attributes have expired: the copy would be empty
    # Every statement needs the state: it leads to the session, and to the loaders of attributes.
    return {"_sa_instance_state": UNLOADED}


def _document_key(document: Any) -> Any:
    name = document._meta.get("id_field")
    return None if name is None else document._data.get(name)


def _document_data(copier: Copier, document: Any, depth: int) -> dict[str, Any]:
    return {
        "_data": copier.copy_document_values(document._data, depth),
        "_db_field_map": document._db_field_map,
        "_changed_fields": [],
    }


def _peewee_key(row: Any) -> Any:
    key = row._meta.primary_key
    names: Iterable[str] = getattr(key, "field_names", None) or (key.name,)
    return tuple([row.__data__.get(name) for name in names])


def _peewee_data(copier: Copier, row: Any, depth: int) -> dict[str, Any]:
    if row._meta.backrefs:  # these are queries that the copy could also send
        raise UnloadedError
    related = copier.copy_values(row.__rel__, depth)
    unloaded = dict.fromkeys([field.name for field in row._meta.refs], UNLOADED)
    return {"__data__": dict(row.__data__), "__rel__": {**unloaded, **related}, "_dirty": set()}


_known: weakref.WeakKeyDictionary[type, Library | None] = weakref.WeakKeyDictionary()
_SQLALCHEMY = Library(_sqlalchemy_key, _without_state)
_UNREADABLE = (
    # Collections and queries: reading them sends a query, or flushes pending changes.
    ("sqlalchemy.ext.associationproxy", "_AssociationCollection"),
    ("sqlalchemy.orm.query", "Query"),
    ("mongoengine.queryset.base", "BaseQuerySet"),
    ("django.db.models.query", "QuerySet"),
    ("pony.orm.core", "Query"),
    ("pony.orm.core", "QueryResult"),
    ("pony.orm.core", "SetInstance"),
    ("peewee", "BaseQuery"),
    # An object that holds one of these can send any query.
    ("sqlalchemy.orm.session", "Session"),
    ("sqlalchemy.orm.scoping", "scoped_session"),
    ("sqlalchemy.ext.asyncio.session", "AsyncSession"),
    ("sqlalchemy.ext.asyncio.scoping", "async_scoped_session"),
    ("sqlalchemy.engine.base", "Connection"),
    ("sqlalchemy.engine.base", "Engine"),
)
"""Objects of which nothing can be read without a query."""
_LIBRARIES: dict[tuple[Any, str], Library] = {
    ("mongoengine.base.document", "BaseDocument"): Library(_document_key, _document_data),
    ("peewee", "Model"): Library(_peewee_key, _peewee_data),
    ("django.db.models.base", "Model"): Library(lambda row: vars(row).get(row._meta.pk.attname)),
    ("pony.orm.core", "Entity"): Library(lambda row: row._pkval_),
    ("sqlobject.main", "SQLObject"): Library(lambda row: vars(row).get("id")),
    ("mongoengine.fields", "GridFSProxy"): Library(lambda file: vars(file).get("grid_id")),
    **dict.fromkeys(_UNREADABLE, Library(lambda _: None)),
}
