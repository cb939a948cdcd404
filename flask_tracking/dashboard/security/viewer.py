"""Identification of the user who views the dashboard."""

from __future__ import annotations

from flask import Flask, current_app

from ...capture.logins import find_logins, may_know_users
from ...capture.users import describe_user
from ...registry import TrackedApp
from ...runtime.guard import call_foreign


def find_viewer(tracked: TrackedApp) -> str | None:
    """Return the user id of the current request, as records have it; None if unknown.

    Args:
        tracked: the app; its ``user_loader`` comes first, then the login extensions.
    """
    return call_foreign("finding the user of the dashboard", _find, tracked, default=None)


def _find(tracked: TrackedApp) -> str | None:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    if not may_know_users(app, tracked):
        return None
    for login in find_logins(app, tracked, may_load=True):
        user_id = login.verified_id or describe_user(login.user).user_id
        if user_id is not None:
            return user_id
    return None
