"""The user of the request, without queries that the app has not made itself.

A user that the view did not load is not loaded, and one that a commit or a rollback has expired is not
refreshed: then the id comes from the session or is the object's primary key. ``TRACKING_LOAD_USER`` and
``user_loader=`` allow queries.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from werkzeug.local import LocalProxy

from ..record import UserRef
from ..runtime.guard import call_foreign, try_foreign
from ..runtime.text import clean_text, cut
from .detached import ask, detach
from .logins import is_logged_in, resolve, session_user_id
from .orm import find_key
from .snapshot import MAX_REPR, has_own_text, own_text

_ID_KEYS = ("id", "sub", "username")
"""The keys under which a user that is a dict may have its id."""


class UserDescription(NamedTuple):
    """The user as a record describes it."""

    user_id: str | None
    text: str | None
    reference: UserRef | None


NOBODY = UserDescription(None, None, None)


def describe_user(user: Any, known: UserDescription = NOBODY) -> UserDescription:
    """Return the id, the text and, for a MongoEngine document, the reference of a user.

    Args:
        user: None, an id (text or number), a dict, or an object with ``get_id()``, ``id`` or ``pk``.
        known: an earlier description of the same object, which may have expired since.
    """
    if isinstance(user, LocalProxy):  # Flask-Login's current_user
        user = resolve(user)
    if user is None:
        return NOBODY
    if isinstance(user, (str, int)):
        plain = _clean(user)
        return UserDescription(plain, plain, None)
    copy = detach(user)
    if copy is user:
        user_id = call_foreign("asking a user for its id", _find_id, user, default=None)
    else:
        user_id = ask(_find_id, copy)
    if user_id is None and _is_anonymous(user, copy):
        return NOBODY
    if user_id is None:
        user_id = known.user_id or _find_stored_id(user)
    reference = call_foreign("making a reference to a user", _refer_to, user, default=None)
    return UserDescription(user_id, _find_text(user, copy, user_id, known), reference)


def _find_id(user: Any) -> str | None:
    if isinstance(user, dict):
        found = next((user[key] for key in _ID_KEYS if user.get(key) is not None), None)
    else:
        get_id = getattr(user, "get_id", None)
        found = get_id() if callable(get_id) else getattr(user, "id", getattr(user, "pk", None))
    return None if found is None else _clean(found)


def _is_anonymous(user: Any, copy: Any) -> bool:
    if copy is user:
        return bool(try_foreign(getattr, user, "is_anonymous", False, default=False))
    return bool(ask(getattr, copy, "is_anonymous", False))


def _find_stored_id(user: Any) -> str | None:
    """Return the id in the session if it belongs to this user, otherwise the primary key."""
    stored = session_user_id() if is_logged_in(user) else None
    if stored is None:
        stored = find_key(user)
    return None if stored is None else _clean(stored)


def _find_text(user: Any, copy: Any, user_id: str | None, known: UserDescription) -> str | None:
    if not _has_own_text(user) or (isinstance(user, dict) and user_id):
        return user_id
    if copy is not user:
        text = ask(str, copy)
        if isinstance(text, str) and text:
            return _clean(text)
        return known.text if known.user_id == user_id and known.text else user_id
    text = own_text(str, user)
    return user_id if user_id and text.startswith("<unreadable ") else text


def _clean(value: object) -> str:
    return clean_text(cut(str(value), MAX_REPR))


def _has_own_text(user: Any) -> bool:
    kind: Any = type(user)
    document: Any = getattr(sys.modules.get("mongoengine.base"), "BaseDocument", None)
    return has_own_text(kind) and (document is None or kind.__str__ is not document.__str__)


def _refer_to(user: Any) -> UserRef | None:
    # Looked up, not imported: without a document class no user is a document.
    mongoengine = sys.modules.get("mongoengine")
    if mongoengine is None or not isinstance(user, mongoengine.Document):
        return None
    name = type(user)._meta["id_field"]
    # Not through the attribute: if the key is a reference, reading it would load the document.
    key = user._data.get(name)
    if key is None:
        return None
    stored = type(user)._fields[name].to_mongo(key)
    return UserRef(user._class_name, user._get_collection_name(), stored)
