"""Counts of a range of time, compared with those of another: what changed, since when."""
