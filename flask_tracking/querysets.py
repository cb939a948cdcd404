"""Querysets in which the names of record fields take precedence over MongoEngine's operators.

MongoEngine reads the last part of ``exception__type`` as the operator ``$type``, unless two more
underscores follow. Here a keyword that names a field of the document, or of an embedded one, means
that field. Operators after it remain operators: ``exception__type__in``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from mongoengine import EmbeddedDocument, StringField
from mongoengine.queryset import QuerySet, QuerySetNoCache
from mongoengine.queryset.base import BaseQuerySet
from mongoengine.queryset.transform import MATCH_OPERATORS
from mongoengine.queryset.visitor import Q, QCombination, QNode

DocumentClass = Any
"""A class derived from MongoEngine's ``Document`` or ``EmbeddedDocument``, which have no types."""
EQUALITY_OPERATORS = (None, "not", "in", "nin", "exact", "iexact")
"""Operators that compare a whole value; None stands for a keyword without an operator."""
UPDATE_PREFIX = "set"
"""The operator that MongoEngine uses if an update names none."""


class QualifiedNameField(StringField):
    """A dotted name that also equals its last part: ``OutOfStock`` is ``shop.OutOfStock``."""

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        """Return the value with which MongoDB compares."""
        if op not in EQUALITY_OPERATORS or not isinstance(value, str) or not value or "." in value:
            return super().prepare_query_value(op, value)
        flags = re.IGNORECASE if op == "iexact" else 0
        return re.compile(rf"(^|\.){re.escape(value)}$", flags)


class _FieldNames(BaseQuerySet):
    """Reads keywords as names of fields first."""

    def __call__(self, q_obj: QNode | None = None, **query: Any) -> Any:
        """Filter as MongoEngine does."""
        return super().__call__(_escape_node(self._document, q_obj), **_escape(self._document, query))

    def update(self, *args: Any, **update: Any) -> Any:
        """Update as MongoEngine does."""
        return super().update(*args, **_escape_update(self._document, update))

    def modify(self, *args: Any, **update: Any) -> Any:
        """Modify as MongoEngine does."""
        return super().modify(*args, **_escape_update(self._document, update))


class TrackingQuerySet(_FieldNames, QuerySet):
    """The queryset of ``Tracking.objects``."""

    def no_cache(self) -> UncachedTrackingQuerySet:
        """Return a queryset that caches no results."""
        uncached = UncachedTrackingQuerySet(self._document, self._collection)
        return super().no_cache()._clone_into(uncached)  # type: ignore[no-any-return]


class UncachedTrackingQuerySet(_FieldNames, QuerySetNoCache):
    """The queryset of ``Tracking.objects.no_cache()``."""

    def cache(self) -> TrackingQuerySet:
        """Return a queryset that caches its results."""
        cached = TrackingQuerySet(self._document, self._collection)
        return super().cache()._clone_into(cached)  # type: ignore[no-any-return]


@cache
def get_clashes(document_class: DocumentClass) -> frozenset[str]:
    """Return the keywords that name a field and that MongoEngine would read as an operator."""
    return frozenset(
        path for path in get_paths(document_class) if path.rpartition("__")[2] in MATCH_OPERATORS
    )


@cache
def get_paths(document_class: DocumentClass) -> Mapping[str, Any]:
    """Return the fields of a document and of its embedded documents, by their keywords."""
    paths: dict[str, Any] = {}
    for name, field in document_class._fields.items():
        paths[name] = field
        inner = getattr(field, "field", None) or field
        embedded = getattr(inner, "document_type", None)
        if isinstance(embedded, type) and issubclass(embedded, EmbeddedDocument):
            paths |= {f"{name}__{path}": one for path, one in get_paths(embedded).items()}
    return paths


def _escape(document_class: DocumentClass, query: Mapping[str, Any]) -> dict[str, Any]:
    escaped = {}
    for keyword, value in query.items():
        path, _, operator = keyword.rpartition("__")
        if _is_clash(document_class, keyword):
            keyword = f"{keyword}__"
        elif operator == "ne" and isinstance(_get_field(document_class, path), QualifiedNameField):
            # `$ne` does not accept a pattern.
            keyword, value = f"{path}__not__in", [value]
        escaped[keyword] = value
    return escaped


def _escape_update(document_class: DocumentClass, update: Mapping[str, Any]) -> dict[str, Any]:
    escaped = {}
    for keyword, value in update.items():
        operator, _, path = keyword.partition("__")
        if _is_clash(document_class, keyword):
            keyword = f"{UPDATE_PREFIX}__{keyword}__"
        elif _is_clash(document_class, path):
            keyword = f"{operator}__{path}__"
        escaped[keyword] = value
    return escaped


def _escape_node(document_class: DocumentClass, node: Any) -> Any:
    """Return a copy of a tree of `Q` objects with escaped keywords; the original may be in use."""
    if isinstance(node, QCombination):
        children = [_escape_node(document_class, child) for child in node.children]
        return QCombination(node.operation, children)
    return Q(**_escape(document_class, node.query)) if isinstance(node, Q) else node


def _is_clash(document_class: DocumentClass, keyword: str) -> bool:
    return _without_places(keyword) in get_clashes(document_class)


def _get_field(document_class: DocumentClass, keyword: str) -> Any:
    return get_paths(document_class).get(_without_places(keyword))


def _without_places(keyword: str) -> str:
    """Leave out list positions: ``redacted__0__rule`` is the field ``redacted__rule``."""
    return "__".join(part for part in keyword.split("__") if not part.isdigit())
