"""`Filter`, a value that selects records, and its grammar.

::

    status:5xx path:/api/* not user:42
    (is:error or slow:>500ms) since:15m
    header.accept:*json* custom.order_id:17 "two words"

`terms` is the table of everything that can be asked for. `conditions` is what a store translates;
`predicate` does it for records in memory.
"""

from __future__ import annotations

from .bounds import FIRST
from .filter import Filter
from .term_values import FIRST_FAILURE

__all__ = ["FIRST", "FIRST_FAILURE", "Filter"]
