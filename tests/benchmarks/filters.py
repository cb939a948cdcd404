"""What a filter costs: to parse, to print, to match in memory, and to translate for MongoDB.

python -m tests.benchmarks.filters
"""

from __future__ import annotations

import statistics
import sys
import timeit
from collections.abc import Callable, Iterator
from functools import partial

from flask_tracking import Filter
from flask_tracking.exporters.mongo.query import to_queries
from flask_tracking.filters.terms import TERMS
from tests.filters.cases import make_records

PARSE_US = 100
"""A usual filter is parsed in less."""
MATCH_US = 5
"""A term is matched in less, in the mean over the records."""
USUAL = "status:5xx path:/api/* method:post slow:>500ms user:42 not is:kept since:15m"
ROUNDS = 5


def measure_us(function: Callable[[], object], number: int = 1000) -> float:
    """Return how long a call takes, in µs: the best of some rounds."""
    return min(timeit.repeat(function, number=number, repeat=ROUNDS)) / number * 1e6


def measure_terms() -> Iterator[tuple[str, float, float]]:
    """Yield each example of a term with the time to parse it, and to match it with a record."""
    records = list(make_records().values())
    for text in [text for row in TERMS.values() for text in row.example_terms] + ["orders"]:
        wanted = Filter.parse(text)

        def match(wanted: Filter = wanted) -> None:
            for record in records:
                wanted.matches(record)

        yield text, measure_us(partial(Filter.parse, text)), measure_us(match) / len(records)


def main() -> int:
    """Print a table; return 1 where a bound is missed."""
    rows = list(measure_terms())
    print(f"{'term':<45}{'parse, µs':>10}{'match, µs':>10}")
    for text, parse_us, match_us in rows:
        print(f"{text:<45}{parse_us:>10.1f}{match_us:>10.2f}")
    usual_us = measure_us(lambda: Filter.parse(USUAL))
    wanted = Filter.parse(USUAL)
    print(f"\nparse  {USUAL}\n       {usual_us:.0f} µs (at most {PARSE_US})")
    print(f"print  {measure_us(lambda: str(wanted)):.0f} µs")
    print(f"translate for MongoDB  {measure_us(lambda: to_queries(wanted)):.0f} µs")
    slowest = max(match_us for _, _, match_us in rows)
    median = statistics.median(match_us for _, _, match_us in rows)
    print(f"match  a term {median:.2f} µs in the median, {slowest:.2f} at most (at most {MATCH_US})")
    return int(usual_us > PARSE_US or slowest > MATCH_US)


if __name__ == "__main__":
    sys.exit(main())
