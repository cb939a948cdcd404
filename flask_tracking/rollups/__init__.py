"""Counts and durations of all requests by route and time. They outlive the records.

Plain values: `histogram` counts durations, `counts` sums the requests of a route, `rollup` has all
routes of a span of time, `widths` defines how long each width is stored, `codec` makes dicts.
Merging is addition, in any order.
"""
