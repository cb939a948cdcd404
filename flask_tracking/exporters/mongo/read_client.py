"""Options of the client with which pages inside the app read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo import ReadPreference
from pymongo.uri_parser import parse_uri

APP_NAME = "flask-tracking reader"
"""The name of the client in the logs and statistics of the server."""
POOL_SIZE = 4
"""Maximum number of connections: a process with many viewers must not take those of the app."""
IDLE_MS = 30_000
"""After this time without a question a connection is closed."""
PREFERENCE = "secondaryPreferred"


def make_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return options in addition to the app's own.

    Args:
        settings: the arguments of the client; a read preference among them, or in the URI, stays.
    """
    options: dict[str, Any] = {"appname": APP_NAME, "maxpoolsize": POOL_SIZE, "maxidletimems": IDLE_MS}
    return options if _has_preference(settings) else options | {"readpreference": PREFERENCE}


def _has_preference(settings: Mapping[str, Any]) -> bool:
    # MongoEngine fills in the primary where the app says nothing.
    if settings.get("read_preference", ReadPreference.PRIMARY) != ReadPreference.PRIMARY:
        return True
    host = settings["host"]
    uris = [one for one in ([host] if isinstance(host, str) else host) if "://" in one]
    return any("readpreference" in _lower(parse_uri(uri)["options"]) for uri in uris)


def _lower(options: Mapping[str, Any]) -> set[str]:
    return {key.lower() for key in options}
