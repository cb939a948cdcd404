"""The page of one group of failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from flask import Response

from ...filters import Filter
from ...queries import find_newest
from ...record import Record
from ...record_summary import summarize
from ...rollups.rollup import FailureKey
from ..charts.chart import make_bars
from ..messages import show_message
from ..page import Page
from ..record.tracebacks import split_traceback
from ..statistics.failures import (
    LOOKBACK,
    Group,
    Moments,
    Occurrences,
    generalise,
    make_error_term,
    make_id,
    make_route_term,
    make_terms,
    read_groups,
    read_moments,
    read_occurrences,
    stored_failures,
)
from ..statistics.periods import Columns, Periods, read_chart, read_periods
from ..tables.error_rows import name_place
from ..tables.request_rows import make_rows
from ..templating import html, render

NEWEST = 10
MAX_RECORDS = 200
MAX_MESSAGES = 10


class Message(NamedTuple):
    """A message without its variable parts, and its frequency."""

    text: str
    times: int


def show_error(page: Page, group: str) -> Response:
    """Show a group of failures."""
    periods = read_periods(page, Filter(), by=None)
    columns = read_chart(page, periods)
    groups = read_groups(page, periods, columns)
    found = next((one for one in groups if one.id == group), None)
    seen = _read_seen(page, periods)
    key = found.key if found is not None else next((one for one in seen if make_id(one) == group), None)
    if key is None:
        return _explain_missing(page)
    records, alike = _read_records(page, key), _count_alike(seen, key)
    example = _read_example(page, found, seen.get(key), records)
    return html(
        render(
            "error.html",
            page=page,
            key=key,
            name=key.error.rpartition(".")[2],
            place=name_place(key.file, key.function),
            tag=found.tag if found is not None else "",
            facts=_make_facts(periods, found, seen.get(key), records),
            seen=seen.get(key),
            moments=_read_moments(page, key, seen.get(key), alike),
            trend=_make_trend(found, columns),
            messages=_count_messages(records),
            message_count=len(records),
            example=example,
            traceback=split_traceback(example.exception.traceback)
            if example and example.exception
            else [],
            rows=make_rows(page, [summarize(record) for record in records[:NEWEST]]),
            requests=page.add(make_terms(key)),
            error_term=make_error_term(key),
            route_term=make_route_term(key),
            alike=alike,
        )
    )


def _explain_missing(page: Page) -> Response:
    lines = [
        "No such group of errors was seen within 30 days.",
        "A group is named by its exception, the function that raised it, and the route.",
    ]
    return show_message(page, "Error not found", lines, [("All errors", page.link_to("errors"))], 404)


def _read_seen(page: Page, periods: Periods) -> dict[FailureKey, Occurrences]:
    table = page.store.rollups
    if table is None:
        return {}
    return read_occurrences(table, periods.until - LOOKBACK, periods.until, page.now)


def _read_moments(page: Page, key: FailureKey, seen: Occurrences | None, alike: int) -> Moments | None:
    if seen is None or alike:
        return None
    return page.attempt("when it was seen first and last", lambda: read_moments(page, key, seen), None)


def _read_records(page: Page, key: FailureKey) -> list[Record]:
    """Return the newest records with this exception and route that match the filter, without bodies."""
    wanted = page.wanted & Filter.parse(make_terms(key)) & stored_failures(page)
    return find_newest(page.store, wanted, MAX_RECORDS, fields="facts")


def _read_example(
    page: Page, group: Group | None, seen: Occurrences | None, records: list[Record]
) -> Record | None:
    """Return a record with a traceback: the example of the group, else the newest similar one."""
    examples = [one.failures.example for one in [group] if one is not None]
    examples += [one.example for one in [seen] if one is not None]
    ids = [one.record_id for one in examples if one is not None] + [one.id for one in records[:1]]
    found = (page.store.get(record_id) for record_id in dict.fromkeys(ids))
    return next((record for record in found if record is not None), None)


def _make_facts(
    periods: Periods, group: Group | None, seen: Occurrences | None, records: list[Record]
) -> dict[str, Any]:
    """Return the figures of a group: for the range, and for the 30 days up to its end."""
    before = {key: failures.count for key, failures in periods.before.failures}
    users = {record.user_id or record.user_repr for record in records} - {None}
    return {
        "times": group.failures.count if group is not None else 0,
        "before": before.get(group.key, 0) if group is not None and periods.words else None,
        "words": periods.words,
        "users": len(users),
        "versions": seen.versions if seen is not None else (),
        "times_in_all": seen.times if seen is not None else None,
    }


def _make_trend(group: Group | None, columns: Columns) -> Any:
    return make_bars(group.trend) if group is not None and columns.now else None


def _count_messages(records: list[Record]) -> list[Message]:
    counts = Counter(
        generalise(record.exception.message) for record in records if record.exception is not None
    )
    return [Message(*one) for one in counts.most_common(MAX_MESSAGES)]


def _count_alike(seen: Iterable[FailureKey], key: FailureKey) -> int:
    """Count other groups with the same exception and route, which filters cannot tell apart."""
    same = [one for one in seen if (one.error, one.url_rule) == (key.error, key.url_rule)]
    return sum(one != key for one in same)
