"""Queries for any store: small, indexed ranges of time, never the whole collection.

- `newest` finds the newest records.
- `statistics` counts and measures requests: by rollups where they can answer, else by records; `spans`
  chooses the rollups.
"""

from .newest import find_newest
from .statistics import (
    Answer,
    Group,
    Statistics,
    error_rates,
    measure,
    percentiles,
    rates,
    top_routes,
    top_users,
    versions,
)

__all__ = [
    "Answer",
    "Group",
    "Statistics",
    "error_rates",
    "find_newest",
    "measure",
    "percentiles",
    "rates",
    "top_routes",
    "top_users",
    "versions",
]
