"""Counts and durations of all requests by route and time, which outlive the records.

Plain values: `histogram` counts durations, `counts` sums the requests of a route, `rollup` is a span of
time with all its routes, `widths` says how long each width lives, `codec` makes a dict of a rollup.
Merging is addition, in any order.
"""
