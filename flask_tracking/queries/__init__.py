"""Queries for any store: small, indexed ranges of time, never the whole collection.

- `newest` finds the newest records, and searches bodies for a limited time.
- `statistics` counts and measures requests: by rollups where they can answer, else by records; `spans`
  chooses the rollups.
- `sampling` takes some records of a range, spread evenly, and those of two sides.
- `dicts` makes rows of records.
"""

from .dicts import to_dicts
from .newest import (
    BodySearch,
    NewestSearch,
    find_newest,
    read_back,
    read_matching,
    search_bodies,
    search_newest,
)
from .sampling import (
    Density,
    Sample,
    SampleSide,
    Stretch,
    find_reach,
    read_density,
    sample,
    sample_pair,
)
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
    "BodySearch",
    "Density",
    "Group",
    "NewestSearch",
    "Sample",
    "SampleSide",
    "Statistics",
    "Stretch",
    "error_rates",
    "find_newest",
    "find_reach",
    "measure",
    "percentiles",
    "rates",
    "read_back",
    "read_density",
    "read_matching",
    "sample",
    "sample_pair",
    "search_bodies",
    "search_newest",
    "to_dicts",
    "top_routes",
    "top_users",
    "versions",
]
