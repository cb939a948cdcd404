"""``stats`` shows how many requests there were, how long they took and how many failed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import timezone, tzinfo
from time import monotonic, sleep
from typing import Any

import click
from flask.cli import with_appcontext

from ..errors import ExportError
from ..filters import Filter
from ..queries import Group, Statistics, measure
from ..queries.statistics import NO_ROUTE
from ..rollups.rollup import FailureKey, Failures
from ..runtime.text import count_of, visible
from .common import Choice, get_store, reports_errors
from .filtering import takes_filter
from .terminal import cut_to_height, say, stylize, terminal_width, wrap
from .text_table import PLAIN, Column, Style, render_columns, show_time, takes_zone

SHARES = {"P50": 0.5, "P95": 0.95, "P99": 0.99}
RANKS = {"PER S": 1, "MAX MS": 1, "P50 MS": 2, "P99 MS": 3, "P95 MS": 4, "%": 5, "FAILED": 6}
"""In 40 cells there is room for the failures. The durations come back first, where there is more."""
NOUNS = {
    "route": "routes",
    "url_rule": "routes",
    "method": "methods",
    "status": "status codes",
    "version": "versions",
    "user": "users",
    "host": "hosts",
    "hostname": "machines",
}
"""What the groups are, by the value of ``--by``."""
UNKNOWN_BY_STATUS = (
    "Rollups have no durations by status code. A filter by status reads them from the newest "
    "records: `flask tracking stats status:5xx`."
)
WATCH_INTERVAL_S = 2.0
MAX_FAILURES = 10
LEAST_KEY = 14


@click.command()
@click.option(
    "--by",
    # The list of all would leave too little room beside it in a narrow terminal.
    metavar="KEY",
    type=Choice(list(NOUNS)),
    default="route",
    show_default=True,
    help=f"What the rows are: {', '.join(NOUNS)}.",
)
@click.option(
    "--limit",
    metavar="NUMBER",
    default=20,
    show_default=True,
    type=click.IntRange(1),
    help="How many groups to show.",
)
@click.option("--watch", "is_watching", is_flag=True, help="Show it again every 2 seconds.")
@takes_zone
@click.option("--json", "is_json", is_flag=True, help="Print JSON, all groups on one line.")
@with_appcontext
@reports_errors
@takes_filter
def stats(wanted: Filter, by: str, limit: int, is_watching: bool, is_json: bool, utc: bool) -> None:
    """Count requests, their durations and their failures.

    By default of the last 24 hours. Rollups count every request for a year; they know time, method,
    route and version. Other terms of a filter, users and hosts are asked of the records.
    """
    store, zone = get_store(), timezone.utc if utc else None

    def make_text() -> str:
        found = measure(store, wanted, by=by)
        if is_json:
            return render_json(found, by)
        return render_stats(found, by, limit, terminal_width(), zone)

    if is_watching:
        watch(make_text, is_cleared=not is_json)
    else:
        click.echo(make_text())


def watch(make_text: Callable[[], str], *, is_cleared: bool) -> None:
    """Print a text again and again until Ctrl-C; of one that is higher than the terminal the beginning.

    Once there was one, the last text stays while the store does not answer.

    Args:
        make_text: returns the text; the time that this takes is part of the interval.
        is_cleared: clear the screen before each text.

    Raises:
        ExportError: there is no text at all.
    """
    is_away = None
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            due_at = monotonic() + WATCH_INTERVAL_S
            try:
                _show(make_text(), is_cleared=is_cleared)
            except ExportError as error:
                if is_away is None:
                    raise
                if not is_away:
                    say(visible(f"{error}. Trying again every 2 seconds."), fg="yellow", err=True)
                is_away = True
            else:
                is_away = False
            sleep(max(0.0, due_at - monotonic()))


def _show(text: str, *, is_cleared: bool) -> None:
    if is_cleared:
        click.clear()
        text = cut_to_height(text)
    click.echo(text)


# For people


def render_stats(
    found: Statistics,
    by: str,
    limit: int,
    width: int | None,
    zone: tzinfo | None = timezone.utc,
) -> str:
    """Return all of it as tables.

    Args:
        found: what was counted.
        by: what the groups have in common.
        limit: how many groups to show.
        width: the terminal's, in cells; None cuts nothing and leaves nothing out.
        zone: the zone of the times; None for that of this machine.
    """
    lines = wrap(_name_range(found, zone), width)
    if not found.total.requests:
        return "\n".join([*lines, "No requests."])
    lines += ["", _render_groups(found, by, limit, width)]
    if (rest := len(found.groups) - limit) > 0:
        noun = NOUNS[by].removesuffix("s") if rest == 1 else NOUNS[by]
        lines.append(f"and {rest:,} more {noun}; --limit shows all")
    if found.failures:
        lines += ["", _render_failures(found.failures[:MAX_FAILURES], width)]
    for text, style in _explain(found):
        lines += ["", *(stylize(line, **style) for line in wrap(text, width))]
    return "\n".join(lines)


def _name_range(found: Statistics, zone: tzinfo | None) -> str:
    source = found.source + (f", because {found.reason}" if found.reason else "")
    return f"{show_time(found.since, zone)} to {show_time(found.until, zone)}, from {source}"


def _render_groups(found: Statistics, by: str, limit: int, width: int | None) -> str:
    groups = found.groups[:limit]
    rows = [*groups, found.total]
    none = NO_ROUTE if by == "url_rule" else "(none)"
    keys = [*(visible(group.key or none) for group in groups), "all"]
    columns = [
        Column(by.upper().replace("_", " "), keys, least=LEAST_KEY),
        Column("REQUESTS", [f"{row.requests:,}" for row in rows], is_number=True),
        _number("PER S", [_rate(row.rate) for row in rows]),
        _number("FAILED", [f"{row.failed:,}" for row in rows]),
        _number("%", [f"{row.error_rate:.1%}" for row in rows]),
        *(
            _number(f"{name} MS", [_ms(row.percentile_ms(share)) for row in rows])
            for name, share in SHARES.items()
        ),
        _number("MAX MS", [_ms(row.max_ms) for row in rows]),
    ]
    return render_columns(columns, width, [_style(row) for row in rows])


def _number(title: str, cells: list[str]) -> Column:
    return Column(title, cells, is_number=True, rank=RANKS[title])


def _style(row: Group) -> Style:
    return {"fg": "red"} if row.failed and row.key is not None else PLAIN


def _rate(rate: float) -> str:
    return f"{rate:,.2f}" if rate >= 0.005 or not rate else "<0.01"


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}"


def _render_failures(failures: Sequence[tuple[FailureKey, Failures]], width: int | None) -> str:
    examples = [group.example for _, group in failures]
    columns = [
        Column("FAILURES", [f"{group.count:,}" for _, group in failures], is_number=True),
        Column("ERROR", [visible(key.error) for key, _ in failures], least=LEAST_KEY),
        Column("ROUTE", [visible(key.url_rule or NO_ROUTE) for key, _ in failures], least=LEAST_KEY),
        Column("IN", [visible(_name_place(key)) for key, _ in failures], least=LEAST_KEY, rank=2),
        Column("FOR EXAMPLE", [str(one.record_id) if one else "" for one in examples], rank=1),
    ]
    return render_columns(columns, width)


def _name_place(key: FailureKey) -> str:
    return f"{key.function} in {key.file}" if key.file else ""


def _explain(found: Statistics) -> Iterator[tuple[str, Style]]:
    """Yield sentences below the tables, each with its style."""
    if text := _explain_durations(found):
        yield text, PLAIN
    if found.source == "records":
        text = "Only stored records are counted, as far as they are not overwritten."
        if not found.is_complete:
            text += " There are more records in this range: only the newest were read."
        yield text, PLAIN
    if found.not_stored:
        yield f"Not stored by the rules: {found.not_stored:,} of these requests.", PLAIN
    if found.dropped:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(found.dropped.items()))
        yield f"Records that were lost: {reasons}.", {"fg": "red"}


def _explain_durations(found: Statistics) -> str:
    """Say why durations are missing; empty where all are known."""
    if found.source == "rollups":
        # Those by any other key are known.
        is_missing = any(group.max_ms is None for group in found.groups)
        return UNKNOWN_BY_STATUS if is_missing else ""
    missing = found.total.requests - sum(found.total.counts.buckets.values())
    verb = "has" if missing == 1 else "have"
    return f"{count_of(missing, 'record')} {verb} no duration." if missing else ""


# For programs


def render_json(found: Statistics, by: str) -> str:
    """Return all of it as one line of JSON."""
    return json.dumps(
        {
            "since": found.since.isoformat(),
            "until": found.until.isoformat(),
            "source": found.source,
            "reason": found.reason,
            "is_complete": found.is_complete,
            "by": by,
            "total": _group_to_dict(found.total),
            "groups": [{"key": group.key, **_group_to_dict(group)} for group in found.groups],
            "failures": [_failure_to_dict(*failure) for failure in found.failures],
            "stored": found.stored,
            "not_stored": found.not_stored,
            "dropped": found.dropped,
        }
    )


def _group_to_dict(group: Group) -> dict[str, Any]:
    return {
        "requests": group.requests,
        "per_second": group.rate,
        "failed": group.failed,
        "error_rate": group.error_rate,
        **{f"{name.lower()}_ms": group.percentile_ms(share) for name, share in SHARES.items()},
        "mean_ms": group.mean_ms,
        "max_ms": group.max_ms,
        "request_bytes": group.request_bytes,
        "response_bytes": group.response_bytes,
        "statuses": {str(status or "none"): count for status, count in group.counts.statuses.items()},
    }


def _failure_to_dict(key: FailureKey, group: Failures) -> dict[str, Any]:
    example = None if group.example is None else str(group.example.record_id)
    return {**key._asdict(), "count": group.count, "example": example}


COMMANDS = (stats,)
