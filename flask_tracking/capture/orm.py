"""Objects that ask a database when they are read: whose they are, and what of them is there.

Reading an expired attribute, a relationship or a reference sends a statement, in the middle of the
app's own transaction. This module knows by which attributes such objects hold what is loaded. No
library is imported for that: an object's class tells by its bases where it comes from.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, NamedTuple, NoReturn, Protocol

from bson import DBRef

from ..runtime.guard import try_foreign


class UnloadedError(Exception):
    """A value is not there without asking a database for it."""


is_asking: ContextVar[bool] = ContextVar("flask_tracking.is_asking", default=False)
"""Whether a copy is being asked for its id or text in this context."""


class Unloaded:
    """Stands where a value would have to be fetched: whatever is done with it raises.

    Its class and its special attributes can be looked at unless a copy is being asked: gevent does that
    with every object of the process, and so do debuggers and profilers.
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

    __class__ = property(_find_class)  # isinstance() asks for it


UNLOADED: Any = Unloaded()


class Copier(Protocol):
    """What copies the parts of an object, see `flask_tracking.capture.detached`."""

    def copy_values(self, values: dict[str, Any], depth: int) -> dict[str, Any]:
        """Copy values, with `UNLOADED` for those that ask a database."""

    def copy_document_values(self, values: dict[str, Any], depth: int) -> dict[str, Any]:
        """Do the same, with `UNLOADED` also for references, which documents resolve when read."""


class Library(NamedTuple):
    """How to read the objects of one library without asking its database."""

    find_key: Callable[[Any], Any]
    """Return the primary key: one value, a tuple, or None."""
    replace: Callable[[Copier, Any, int], dict[str, Any]] | None = None
    """Return the attributes that a copy has in place of the original's; None: it is never copied."""


def find_library(kind: type) -> Library | None:
    """Return the library that the instances of `kind` belong to; None for ordinary classes."""
    for base in kind.__mro__:
        # Looked for each time: a class may be mapped long after its first instance was seen.
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
    """Return ``<User 17>``: the class and, of an ORM object, the primary key."""
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
        raise UnloadedError  # expired altogether: what a copy would say is empty
    # Every way to a statement leads over the state: to the session, to what loads an attribute.
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
    if row._meta.backrefs:  # they are queries that the copy could send as well
        raise UnloadedError
    related = copier.copy_values(row.__rel__, depth)
    unloaded = dict.fromkeys([field.name for field in row._meta.refs], UNLOADED)
    return {"__data__": dict(row.__data__), "__rel__": {**unloaded, **related}, "_dirty": set()}


_known: weakref.WeakKeyDictionary[type, Library | None] = weakref.WeakKeyDictionary()
_SQLALCHEMY = Library(_sqlalchemy_key, _without_state)
_UNREADABLE = (
    # Collections and queries that are sent when they are looked at, or that flush what is pending.
    ("sqlalchemy.ext.associationproxy", "_AssociationCollection"),
    ("sqlalchemy.orm.query", "Query"),
    ("mongoengine.queryset.base", "BaseQuerySet"),
    ("django.db.models.query", "QuerySet"),
    ("pony.orm.core", "Query"),
    ("pony.orm.core", "QueryResult"),
    ("pony.orm.core", "SetInstance"),
    ("peewee", "BaseQuery"),
    # Whoever holds one of these may ask for anything.
    ("sqlalchemy.orm.session", "Session"),
    ("sqlalchemy.orm.scoping", "scoped_session"),
    ("sqlalchemy.ext.asyncio.session", "AsyncSession"),
    ("sqlalchemy.ext.asyncio.scoping", "async_scoped_session"),
    ("sqlalchemy.engine.base", "Connection"),
    ("sqlalchemy.engine.base", "Engine"),
)
"""Objects of which nothing can be read without asking."""
_LIBRARIES: dict[tuple[Any, str], Library] = {
    ("mongoengine.base.document", "BaseDocument"): Library(_document_key, _document_data),
    ("peewee", "Model"): Library(_peewee_key, _peewee_data),
    ("django.db.models.base", "Model"): Library(lambda row: vars(row).get(row._meta.pk.attname)),
    ("pony.orm.core", "Entity"): Library(lambda row: row._pkval_),
    ("sqlobject.main", "SQLObject"): Library(lambda row: vars(row).get("id")),
    ("mongoengine.fields", "GridFSProxy"): Library(lambda file: vars(file).get("grid_id")),
    **dict.fromkeys(_UNREADABLE, Library(lambda _: None)),
}
