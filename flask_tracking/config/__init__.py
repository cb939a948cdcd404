"""The settings of an app, and what changes them for a while."""

from __future__ import annotations

from .settings import (
    MAX_BODY_BYTES,
    TEXT_CONTENT_TYPES,
    Settings,
    check_setting,
    find_changed_keys,
    tracking_keys,
)

__all__ = [
    "MAX_BODY_BYTES",
    "TEXT_CONTENT_TYPES",
    "Settings",
    "check_setting",
    "find_changed_keys",
    "tracking_keys",
]
