"""Who asked, without asking more than the app has already been asked.

A user that the view did not load is not loaded: Flask-Login's session names it, and reading that costs
nothing. ``TRACKING_LOAD_USER`` and ``user_loader=`` are for those who want more.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from flask import g
from werkzeug.local import LocalProxy

from ..guard import call_foreign
from ..record import UserRef
from ..text import cut
from .snapshot import MAX_REPR, clean_text, foreign_text

if TYPE_CHECKING:
    from ..registry import TrackedApp

UserDescription = tuple[str | None, str | None, UserRef | None]


def describe_user(user: Any) -> UserDescription:
    """Return the id, the text and, for a MongoEngine document, the reference of a user.

    Args:
        user: None, an id (text or number), or an object with ``get_id()``, ``id`` or ``pk``.
    """
    if isinstance(user, LocalProxy):  # Flask-Login's current_user
        user = user._get_current_object()
    if user is None:
        return None, None, None
    if isinstance(user, (str, int)):
        plain = clean_text(cut(str(user), MAX_REPR))
        return plain, plain, None
    user_id = call_foreign("asking a user for its id", _find_id, user, default=None)
    reference = call_foreign("making a reference to a user", _refer_to, user, default=None)
    if user_id is None and getattr(user, "is_anonymous", False):
        return None, None, None
    text: str | None = foreign_text(str, user) if _has_own_text(user) else None
    if text is None or (user_id and text.startswith("<unreadable ")):
        text = user_id
    return user_id, text, reference


def find_user(tracked: TrackedApp, session: Any, *, may_load: bool) -> Any:
    """Find the user of the running request: an object, an id, or None.

    Args:
        tracked: what tracks it.
        session: the request's session object, reached past the proxy that marks it as accessed.
        may_load: True once the response is made: from here on a query changes nothing in it.
    """
    if tracked.user_loader is not None:
        if not may_load:
            return None
        return call_foreign("user_loader", tracked.user_loader, default=None)
    user = g.get("_login_user")
    if user is not None:
        return user
    if may_load and tracked.settings.load_user:
        return call_foreign("loading the Flask-Login user", _load_user, default=None)
    # dict.get and not session.get: a session of somebody else's class may note that it was read.
    return dict.get(session, "_user_id") if isinstance(session, dict) else None


def _load_user() -> Any:
    from flask_login import current_user

    return current_user._get_current_object()


def _find_id(user: Any) -> str | None:
    get_id = getattr(user, "get_id", None)
    found = get_id() if callable(get_id) else getattr(user, "id", getattr(user, "pk", None))
    return None if found is None else clean_text(cut(str(found), MAX_REPR))


def _has_own_text(user: Any) -> bool:
    """Tell whether the user's class says more of it than ``<User object at 0x7f…>``."""
    kind: Any = type(user)
    if kind.__str__ is object.__str__:
        return kind.__repr__ is not object.__repr__
    document: Any = getattr(sys.modules.get("mongoengine.base"), "BaseDocument", None)
    return document is None or kind.__str__ is not document.__str__


def _refer_to(user: Any) -> UserRef | None:
    # Looked up and not imported: where no document class was made, no user is a document.
    mongoengine = sys.modules.get("mongoengine")
    if mongoengine is None or not isinstance(user, mongoengine.Document) or user.pk is None:
        return None
    field = type(user)._fields[type(user)._meta["id_field"]]
    return UserRef(user._class_name, user._get_collection_name(), field.to_mongo(user.pk))
