"""``rules``: change by which rules records are kept, for a while and without a restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext

from ..config import Settings
from ..config.overrides import (
    NAMES,
    TemporaryRule,
    change_settings,
    check_name,
    parse_rules,
    setting_of,
    utc_now,
)
from ..exporters.base import Exporter
from ..exporters.store import find_store
from .common import get_current, get_exporter, get_store, reports_errors
from .table import PLAIN, Column, render_columns

_UNITS_S = {"d": 86_400, "h": 3600, "m": 60, "s": 1}

rules = AppGroup("rules", help="Change the rules of running processes, for a while.")


@rules.command("set")
@click.argument("terms", metavar="NAME=VALUE...", nargs=-1, required=True)
@click.option("--for", "lifetime", metavar="TIME", help="How long: 30s, 10m, 2h or 1d.")
@with_appcontext
@reports_errors
def set_rules(terms: tuple[str, ...], lifetime: str | None) -> None:
    """Set rules for all processes that write to this app's store.

    They hold instead of the settings, and expire by themselves.

    \b
    sample_rate=0.1               keep a tenth of the routine requests
    slow_ms=200                   from 200 ms on a request is slow, and kept
    exclude_methods=OPTIONS,HEAD  do not keep these
    exclude_status_codes=304      nor these; with nothing behind = keep all
    min_execution_time=500        keep them all the same from 500 ms on
    """
    wanted = parse_rules(terms, lifetime)
    store, settings = get_store(), get_current().settings
    store.store_overrides(wanted)
    names = ", ".join(sorted(rule.name for rule in wanted))
    click.echo(f"Set for {lifetime}: {names}. {_when(settings)}\n")
    _show(store, settings)


@rules.command("show")
@with_appcontext
@reports_errors
def show_rules() -> None:
    """Show the rules that hold now, and until when."""
    _show(get_exporter(), get_current().settings)


@rules.command("clear")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@with_appcontext
@reports_errors
def clear_rules(names: tuple[str, ...]) -> None:
    """Let the settings hold again.

    Instead of all rules, or of those that are named.
    """
    wanted = {check_name(name) for name in names} or set(NAMES)
    exporter, settings = get_exporter(), get_current().settings
    cleared = [rule.name for rule in _load_overrides(exporter) if rule.name in wanted]
    if not cleared:
        click.echo("There is no such rule to clear.\n" if names else "There is no rule to clear.\n")
    else:
        get_store().clear_overrides(cleared)
        click.echo(f"Cleared: {', '.join(cleared)}. {_when(settings)}\n")
    _show(exporter, settings)


def _when(settings: Settings) -> str:
    return f"Every process follows within {settings.flush_interval_s:g} s."


def _show(exporter: Exporter, settings: Settings) -> None:
    click.echo(render_rules(settings, _load_overrides(exporter), utc_now()))


def _load_overrides(exporter: Exporter) -> Sequence[TemporaryRule]:
    store = find_store(exporter)
    return () if store is None else store.load_overrides()


def render_rules(settings: Settings, temporary: Sequence[TemporaryRule], now: datetime) -> str:
    """Return a table of all rules, those that are set coloured.

    Args:
        settings: what holds where no rule is set.
        temporary: the rules that are set.
        now: in UTC.
    """
    changed = change_settings(settings, temporary)
    until = {rule.name: rule.expires_at for rule in temporary}
    fields = {name: setting_of(name) for name in NAMES}
    columns = [
        Column("RULE", list(NAMES)),
        Column("NOW", [_value(name, getattr(changed, field)) for name, field in fields.items()]),
        Column(
            "OTHERWISE",
            [
                _value(name, getattr(settings, field)) if name in until else ""
                for name, field in fields.items()
            ],
        ),
        Column("UNTIL", [_until(until[name], now) if name in until else "" for name in NAMES]),
    ]
    styles = [{"fg": "yellow"} if name in until else PLAIN for name in NAMES]
    return render_columns(columns, styles=styles)


def _value(name: str, value: Any) -> str:
    if isinstance(value, frozenset):
        return ", ".join(map(str, sorted(value))) or "none"
    if name == "min_execution_time" and not value:
        return "never"
    return f"{value:.15g}" if name == "sample_rate" else f"{value:,.15g} ms"


def _until(expires_at: datetime, now: datetime) -> str:
    day = "" if expires_at.date() == now.date() else f"{expires_at:%Y-%m-%d} "
    return f"{day}{expires_at:%H:%M:%S}Z, in {_in_words(expires_at - now)}"


def _in_words(left: timedelta) -> str:
    """Return a duration by its two largest units, like ``1h 59m``."""
    seconds = max(0, round(left.total_seconds()))
    parts = []
    for unit, length_s in _UNITS_S.items():
        count, seconds = divmod(seconds, length_s)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


COMMANDS = (rules,)
