"""The report of ``--tracking-report``: the slowest routes, and the requests of a failed test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..cli.text_table import Column, render_columns
from ..errors import TrackingError
from ..record import Record
from ..reproduce import curl
from ..runtime.text import visible
from .recorded import list_requests, name_request

__all__ = ["RouteTimes", "RunReport", "describe_requests"]

MAX_ROUTES = 10
"""Routes that are shown."""
MAX_DESCRIBED = 5
"""The newest requests of a failed test, of which more than a line is shown."""
MAX_CURL_LENGTH = 4000
"""Characters; a longer command is not shown."""
TRACEBACK_LINES = 12
"""Lines at the end of a traceback that are shown."""
LEAST_ROUTE = 18
"""The minimum width of a route, in cells."""
NO_ROUTE = "(no route)"


class RouteTimes(NamedTuple):
    """Durations of the requests to one route, in milliseconds."""

    requests: int
    total_ms: float
    slowest_ms: float

    def merged(self, other: RouteTimes) -> RouteTimes:
        """Return the times of both."""
        slowest_ms = max(self.slowest_ms, other.slowest_ms)
        return RouteTimes(self.requests + other.requests, self.total_ms + other.total_ms, slowest_ms)

    @property
    def mean_ms(self) -> float:
        """The mean."""
        return self.total_ms / self.requests


class RunReport:
    """The times of all routes of a run; those of other processes are merged into it."""

    def __init__(self) -> None:
        """Begin with no request."""
        self._routes: dict[str, RouteTimes] = {}

    def add(self, records: Iterable[Record]) -> None:
        """Count the requests of a test."""
        for one in records:
            if one.execution_time is not None:
                route = f"{one.method} {one.url_rule or NO_ROUTE}"
                self.merge({route: (1, one.execution_time, one.execution_time)})

    def merge(self, routes: Mapping[str, Sequence[float]]) -> None:
        """Add what `as_plain` returned in another process."""
        for route, (requests, total_ms, slowest_ms) in routes.items():
            times = RouteTimes(int(requests), total_ms, slowest_ms)
            known = self._routes.get(route)
            self._routes[route] = times if known is None else known.merged(times)

    def as_plain(self) -> dict[str, tuple[float, ...]]:
        """Return all times in a form that any channel between processes takes."""
        return {route: tuple(times) for route, times in self._routes.items()}

    def render(self, width: int | None = None) -> list[str]:
        """Return the lines of the report: the slowest routes by their mean.

        Args:
            width: the width of the terminal in cells; None for no limit.
        """
        if not self._routes:
            return ["No request was recorded: no test uses the fixture app, or none sent a request."]
        slowest = sorted(self._routes.items(), key=lambda item: (-item[1].mean_ms, item[0]))
        lines = render_columns(_make_columns(slowest[:MAX_ROUTES]), width).splitlines()
        left_out = len(slowest) - MAX_ROUTES
        return [*lines, f"({left_out} faster routes)"] if left_out > 0 else lines


def _make_columns(routes: Sequence[tuple[str, RouteTimes]]) -> list[Column]:
    return [
        Column("mean ms", [f"{times.mean_ms:,.1f}" for _, times in routes], is_number=True),
        Column(
            "slowest ms",
            [f"{times.slowest_ms:,.1f}" for _, times in routes],
            is_number=True,
            rank=1,
        ),
        Column("requests", [str(times.requests) for _, times in routes], is_number=True),
        Column("route", [visible(route) for route, _ in routes], least=LEAST_ROUTE),
    ]


def describe_requests(records: Sequence[Record]) -> str:
    """Return the requests of a failed test: a table, and for the newest what sends them again."""
    if not records:
        return "none"
    newest = [line for one in records[-MAX_DESCRIBED:] for line in _describe(one)]
    return "\n".join([list_requests(records), *newest])


def _describe(record: Record) -> list[str]:
    traceback = "" if record.exception is None else record.exception.traceback
    lines = traceback.splitlines()[-TRACEBACK_LINES:]
    return ["", f"{name_request(record)}:", *map(visible, lines), _make_curl(record)]


def _make_curl(record: Record) -> str:
    try:
        command = curl(record)
    except TrackingError as error:
        return f"No cURL: {error}"
    if len(command) > MAX_CURL_LENGTH:
        return f"No cURL: it has {len(command):,} characters."
    return command
