"""Harms, planted where tracking would be: the suite must find every one and name a view."""

from __future__ import annotations

MUTANTS: dict[str, object] = {}
