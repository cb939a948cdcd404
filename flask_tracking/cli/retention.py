"""The lifetime of records: ``capacity`` shows it, ``resize`` and ``migrate`` change it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone, tzinfo
from typing import Any

import click
from flask.cli import with_appcontext

from ..config.settings import check_setting
from ..errors import ConfigError, TrackingError
from ..exporters.retention import DAY_S, FILLED, Bounds, Rebuilt, Resized, Usage
from ..exporters.store import Store
from ..runtime.sizes import format_bound, format_size
from ..runtime.text import count_of, visible
from .common import Choice, get_current, get_store, reports_errors
from .questions import ask_for_age, ask_for_room, find_bounds, find_usage, format_days, round_count
from .sizes import parse_size
from .terminal import bar_width, say
from .text_table import Column, render_columns, show_time, takes_zone

INTERRUPTED = 130
"""The exit code of what Ctrl-C has ended."""
FACTORS = (0.5, 1, 2, 5, 10)
"""The other sizes to show, as multiples of the present one."""
ORDINARY_SIZES = (100e6, 1e9, 10e9)
"""The sizes to show if no size limits the records."""


# Capacity


@click.command()
@takes_zone
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print a JSON array with an object for each collection, in bytes and days.",
)
@with_appcontext
@reports_errors
def capacity(as_json: bool, utc: bool) -> None:
    """Say how many days of records fit, now and with other sizes.

    The rate is the average since the oldest record.
    """
    now = datetime.now(timezone.utc)
    usages = get_store().measure()
    if as_json:
        click.echo(json.dumps([_to_json(usage, now) for usage in usages], indent=2))
        return
    if not usages:
        say("Nothing is stored.")
    for usage in usages:
        say(visible(usage.name), bold=True)
        say("\n".join(_describe(usage, now, timezone.utc if utc else None)))
        if sizes := _choose_sizes(usage):
            click.echo(_render_sizes(usage, sizes, now))
            if any(usage.reaches(size) for size in sizes):
                say(f"  * {_name_records_bound(usage)} is reached first. To store more raise it, too.")


def _to_json(usage: Usage, now: datetime) -> dict[str, Any]:
    return {
        "name": usage.name,
        "records": usage.records,
        "stored_bytes": usage.stored_bytes,
        "index_bytes": usage.index_bytes,
        "max_bytes": usage.max_bytes,
        "max_records": usage.max_records,
        "ttl_s": usage.ttl_s,
        "oldest": usage.oldest and usage.oldest.isoformat(),
        "bytes_per_record": usage.record_bytes,
        "records_per_day": usage.records_per_day(now),
        "days": usage.days_at(usage.max_bytes, now),
        "sizes": [
            {
                "bytes": round(size),
                "records": int(usage.records_at(size) or 0),
                "days": usage.days_at(size, now),
                "is_limited_by_records": usage.reaches(size) is not None,
            }
            for size in _choose_sizes(usage)
        ],
    }


def _choose_sizes(usage: Usage) -> Sequence[float]:
    if usage.record_bytes is None or usage.ttl_s is not None:
        return ()
    if usage.max_bytes is None:
        return ORDINARY_SIZES
    return [factor * usage.max_bytes for factor in FACTORS]


def _describe(usage: Usage, now: datetime, zone: tzinfo | None) -> Iterator[str]:
    yield f"  {count_of(usage.records, 'record')}{_describe_bytes(usage)}"
    if usage.records:
        yield _describe_rate(usage, now, zone)
    yield from _describe_future(usage, now)


def _describe_rate(usage: Usage, now: datetime, zone: tzinfo | None) -> str:
    rate = usage.records_per_day(now)
    if rate is None or usage.oldest is None:
        return "  The records span less than ten minutes, too little for a rate."
    since = show_time(usage.oldest, zone, "%Y-%m-%d %H:%M")
    return f"  {round_count(rate)} records per day, since {since}"


def _describe_bytes(usage: Usage) -> str:
    if usage.record_bytes is None or usage.stored_bytes is None:
        return ""
    indexes = f", {format_size(usage.index_bytes)} of indexes" if usage.index_bytes else ""
    return f", {format_size(usage.stored_bytes)}: {usage.record_bytes:,.0f} bytes per record{indexes}"


def _describe_future(usage: Usage, now: datetime) -> Iterator[str]:
    rate = usage.records_per_day(now)
    days = usage.days_at(usage.max_bytes, now)
    if usage.ttl_s is not None:
        ttl_days = usage.ttl_s / DAY_S
        room = format_size(rate * ttl_days * usage.record_bytes) if rate and usage.record_bytes else ""
        takes = f", which takes about {room} at this rate" if room else ""
        yield f"  Records expire after {format_days(ttl_days)}{takes}."
    elif days is not None:
        yield f"  Holds about {format_days(days)} at this rate."
    elif usage.max_bytes is None and usage.max_records is None:
        yield "  It has no limit."


def _render_sizes(usage: Usage, sizes: Sequence[float], now: datetime) -> str:
    records = [usage.records_at(size) or 0 for size in sizes]
    days = [usage.days_at(size, now) for size in sizes]
    columns = [
        Column("  SIZE", [f"  {format_size(size)}" for size in sizes], is_number=True),
        Column("RECORDS", [round_count(one) for one in records], is_number=True),
        Column("HOLDS", ["" if one is None else format_days(one) for one in days], is_number=True),
    ]
    marks = ["*" if usage.reaches(size) else "" for size in sizes]
    return render_columns([*columns, Column("", marks)] if any(marks) else columns)


def _name_records_bound(usage: Usage) -> str:
    return f"{usage.max_records_key or 'The maximum number of records'}, {usage.max_records:,},"


# Another size


@click.command()
@click.argument("size", required=False)
@click.option("--kept", "is_kept", is_flag=True, help="Resize the collection of kept records.")
@click.option("--rebuild", is_flag=True, help="Copy the records, if the server cannot resize in place.")
@click.option("--yes", is_flag=True, help="Do not ask before records are dropped.")
@with_appcontext
@reports_errors
def resize(size: str | None, is_kept: bool, rebuild: bool, yes: bool) -> None:
    """Resize the capped collection.

    SIZE is one like 500MB, 512MiB or 2GB; without it the size of the settings. The app goes on
    recording. With --rebuild some records cannot be found until it is done; it is safe to interrupt
    and repeat.
    """
    key = "TRACKING_KEPT_SIZE" if is_kept else "TRACKING_TABLE_SIZE"
    max_bytes = None if size is None else check_setting(key, parse_size(size), shown_as="SIZE")
    if max_bytes == 0:
        raise ConfigError(
            "SIZE is 0. To keep no records longer than others set TRACKING_KEPT_SIZE = 0."
        )
    store = get_store()
    usage, bounds = find_usage(store, is_kept=is_kept), find_bounds(max_bytes, is_kept)
    filled = _find_filled(store, usage, bounds, rebuild)
    is_asked = yes or ask_for_room(usage, bounds, filled)
    resized = store.resize(max_bytes, is_kept=is_kept)
    if resized is None:
        raise TrackingError(f"{type(store).__name__} has no size in bytes.")
    if rebuild:
        if not resized.is_done and not is_asked:
            ask_for_room(usage, bounds, FILLED)
        # Also where it has its size: an earlier run may have been interrupted after that.
        _rebuild(store.rebuild(None, max_bytes, is_kept=is_kept))
        now = store.resize(max_bytes, is_kept=is_kept) or resized
        resized = now._replace(old_bytes=resized.old_bytes, old_records=resized.old_records)
    _report(resized, key, size is not None)
    _warn_of_records_bound(find_usage(store, is_kept=is_kept))


def _find_filled(store: Store, usage: Usage | None, bounds: Bounds, rebuild: bool) -> float:
    """Return the share of the bounds that will be filled if not all records have room.

    Raises:
        TrackingError: that takes a copy, which was not asked for.
    """
    if usage is None or not usage.excess(bounds):
        return 1.0
    if usage.max_bytes is not None and store.resizes_in_place():
        return 1.0
    if not rebuild:
        raise _make_refusal(usage.name)
    return FILLED


def _name_bounds(max_bytes: int | None, max_records: int | None) -> str:
    size = "" if max_bytes is None else format_bound(max_bytes)
    records = "" if max_records is None else f"{max_records:,} documents"
    return " and ".join(filter(None, (size, records)))


def _report(resized: Resized, key: str, is_given: bool) -> None:
    name, found = visible(resized.name), resized.new_bytes
    old, new = (resized.old_bytes, resized.old_records), (found, resized.new_records)
    if not resized.exists:
        raise TrackingError(
            f"{name} does not exist yet. Set {key}, and run `flask tracking init`. If a rebuild was "
            "interrupted, add --rebuild."
        )
    if not resized.is_done:
        raise _make_refusal(resized.name, resized.refusal)
    if old == new:
        say(f"{name} is capped at {_name_bounds(*new)}.")
    else:
        before = f"was {_name_bounds(*old)}" if resized.old_bytes else "was not capped"
        say(f"{name} is capped at {_name_bounds(*new)} now, it {before}.")
    if is_given:
        say(f"Set {key} = {found} as well, or each start logs the difference.")


def _make_refusal(name: str, reason: str = "") -> TrackingError:
    says = f" It says: {visible(reason)}." if reason else ""
    return TrackingError(
        f"The server does not resize {visible(name)} in place.{says} To copy its records into a new "
        "collection, while the app goes on recording, add --rebuild."
    )


def _warn_of_records_bound(usage: Usage | None) -> None:
    if usage is not None and (size := usage.reaches(usage.max_bytes)):
        say(
            f"{_name_records_bound(usage)} is reached at about {format_size(size)}. To use the whole "
            "size raise it, restart the app, and run this again."
        )


# Another kind


@click.command()
@click.option("--to", "retention", required=True, type=Choice(["capped", "ttl"]))
@click.option("--yes", is_flag=True, help="Do not ask before records are dropped.")
@with_appcontext
@reports_errors
def migrate(retention: str, yes: bool) -> None:
    """Convert the collection: records expire, or are overwritten.

    Set TRACKING_RETENTION and restart the app first. Safe to interrupt and repeat; until it is done
    some records cannot be found.
    """
    store = get_store()
    if not yes:
        _ask_to_migrate(find_usage(store), retention)
    if not _rebuild(store.rebuild(retention)):
        say(f"Nothing to do: the records are stored as {retention} requires.")
        return
    say(f"Set TRACKING_RETENTION = {retention!r}, if it is not set.")


def _ask_to_migrate(usage: Usage | None, retention: str) -> None:
    bounds = find_bounds(None, is_kept=False)
    if usage is None:
        return
    ttl_s = get_current().settings.ttl_s
    if retention == "ttl" and usage.ttl_s != ttl_s:
        ask_for_age(usage, ttl_s)
    elif retention == "capped" and not _has_bounds(usage, bounds):
        ask_for_room(usage, bounds, FILLED)


def _has_bounds(usage: Usage, bounds: Bounds) -> bool:
    """Return True for a place that a migration does not copy: a missing bound of records is as good."""
    is_sized = usage.max_bytes == bounds.max_bytes
    return is_sized and usage.max_records in (None, bounds.max_records)


def _rebuild(steps: Iterator[Rebuilt]) -> bool:
    """Follow a rebuild with a bar; False where there was nothing to do."""
    step = next(steps, None)
    if step is None:
        return False
    try:
        with click.progressbar(length=step.stored, label=visible(step.name), width=bar_width()) as bar:
            last = step
            for last in steps:
                bar.update(last.looked_at - bar.pos)
    except KeyboardInterrupt:
        say("\nInterrupted. Run it again to copy the rest.", err=True)
        raise SystemExit(INTERRUPTED) from None
    say(f"Copied: {count_of(last.copied, 'record')}.")
    if last.skipped:
        say(
            f"{last.skipped:,} of the oldest had no room. A copy fills {FILLED:.0%} of the collection: "
            "the rest is for records that are written meanwhile."
        )
    if last.left:
        raise TrackingError(
            f"Refused, and still in {visible(step.name)}_rebuild_…: {count_of(last.left, 'record')}. "
            "Inspect them there, then drop that collection."
        )
    return True


COMMANDS = (capacity, migrate, resize)
