"""Durations over time and their distribution, as drawings with the same numbers in a table."""
