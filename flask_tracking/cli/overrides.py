"""``overrides`` changes settings of running processes temporarily, without a restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone, tzinfo
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext

from ..config import Settings
from ..config.overrides import (
    NAMES,
    Override,
    change_settings,
    check_name,
    parse_overrides,
    setting_of,
    utc_now,
)
from ..exporters.base import Exporter
from ..exporters.store import Store, find_store
from ..runtime.durations import format_duration
from ..runtime.text import visible
from .common import get_current, get_exporter, get_store, reports_errors
from .json_output import render_values, takes_json
from .terminal import say, terminal_width
from .text_table import PLAIN, Column, render_columns, show_time, takes_zone

LEAST_VALUE = 8
"""The minimum width of the values of a setting, in cells."""

overrides = AppGroup("overrides", help="Change settings of running processes temporarily.")


@overrides.command("set")
@click.argument("terms", metavar="NAME=VALUE...", nargs=-1, required=True)
@click.option("--for", "lifetime", metavar="TIME", help="How long: 30s, 10m, 2h or 1d.")
@with_appcontext
@reports_errors
def set_overrides(terms: tuple[str, ...], lifetime: str | None) -> None:
    """Override settings in all processes that write to this app's store.

    Overrides expire automatically.

    \b
    sample_rate=0.1
      Store a tenth of routine requests.
    slow_ms=200
      Keep requests of 200 ms or more.
    exclude_methods=OPTIONS,HEAD
      Drop requests with these methods.
    exclude_status_codes=304
      Drop these, too; empty for none.
    min_execution_time=500
      But store those of 500 ms or more.
    'drop=route:/poll'
      Drop what a filter selects.
    'keep=route:/pay/* slow:>1s'
      Keep what a filter selects.
    """
    wanted = parse_overrides(terms, lifetime)
    store, settings = get_store(), get_current().settings
    store.store_overrides(wanted)
    names = ", ".join(sorted(override.name for override in wanted))
    say(f"Set for {lifetime}: {names}. {_when(store, settings)}\n")
    _show(store, settings)


@overrides.command("show")
@takes_zone
@takes_json("an object for each setting that is overridden, one per line")
@with_appcontext
@reports_errors
def show_overrides(as_json: bool, utc: bool) -> None:
    """Show the current values, and when overrides expire."""
    exporter = get_exporter()
    if as_json:
        for one in _load_overrides(exporter):
            click.echo(render_values(one._asdict()))
    else:
        _show(exporter, get_current().settings, timezone.utc if utc else None)


@overrides.command("clear")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@with_appcontext
@reports_errors
def clear_overrides(names: tuple[str, ...]) -> None:
    """Remove the overrides with the given names, or all."""
    wanted = {check_name(name) for name in names} or set(NAMES)
    exporter, settings = get_exporter(), get_current().settings
    cleared = [one.name for one in _load_overrides(exporter) if one.name in wanted]
    if not cleared:
        say("No override with such a name is set.\n" if names else "No overrides are set.\n")
    else:
        store = get_store()
        store.clear_overrides(cleared)
        say(f"Cleared: {', '.join(cleared)}. {_when(store, settings)}\n")
    _show(exporter, settings)


def _when(store: Store, settings: Settings) -> str:
    if not store.is_shared:
        return f"No other process follows: {type(store).__name__} belongs to this one alone."
    return f"Every process follows within {settings.flush_interval_s:g} s."


def _show(exporter: Exporter, settings: Settings, zone: tzinfo | None = None) -> None:
    active = _load_overrides(exporter)
    click.echo(render_overrides(settings, active, utc_now(), terminal_width(), zone))


def _load_overrides(exporter: Exporter) -> Sequence[Override]:
    store = find_store(exporter)
    return () if store is None else store.load_overrides()


def render_overrides(
    settings: Settings,
    active: Sequence[Override],
    now: datetime,
    width: int | None = None,
    zone: tzinfo | None = timezone.utc,
) -> str:
    """Return a table of the settings that can be overridden, with the overridden ones in colour.

    Args:
        settings: the settings of the app.
        active: its overrides.
        now: the current time, in UTC.
        width: the width of the terminal in cells; None for no limit.
        zone: the zone of the times; None for that of this machine.
    """
    changed = change_settings(settings, active)
    until = {override.name: override.expires_at for override in active}
    fields = {name: setting_of(name) for name in NAMES}
    columns = [
        Column("SETTING", list(NAMES)),
        Column(
            "NOW",
            [_value(name, getattr(changed, field)) for name, field in fields.items()],
            least=LEAST_VALUE,
        ),
        Column(
            "OTHERWISE",
            [
                _value(name, getattr(settings, field)) if name in until else ""
                for name, field in fields.items()
            ],
            least=LEAST_VALUE,
            rank=1,
        ),
        Column(
            "UNTIL",
            [_until(until[name], now, zone) if name in until else "" for name in NAMES],
            least=LEAST_VALUE,
        ),
    ]
    styles = [{"fg": "yellow"} if name in until else PLAIN for name in NAMES]
    return render_columns(columns, width, styles)


def _value(name: str, value: Any) -> str:
    if isinstance(value, frozenset):
        return ", ".join(map(str, sorted(value))) or "none"
    if isinstance(value, tuple):
        return visible(" or ".join(map(str, value))) or "none"
    if name == "min_execution_time" and not value:
        return "never"
    return f"{value:.15g}" if name == "sample_rate" else f"{value:,.15g} ms"


def _until(expires_at: datetime, now: datetime, zone: tzinfo | None) -> str:
    is_today = expires_at.astimezone(zone).date() == now.astimezone(zone).date()
    form = "%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S"
    return f"{show_time(expires_at, zone, form)}, in {format_duration(expires_at - now)}"


COMMANDS = (overrides,)
