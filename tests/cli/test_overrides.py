"""``overrides set``, ``show`` and ``clear``."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from click.testing import Result
from flask import Flask

from flask_tracking import Exporter, MemoryExporter, Settings, Tracking
from flask_tracking.cli.overrides import render_overrides
from flask_tracking.config.overrides import Override
from flask_tracking.filters import Filter
from flask_tracking.record import Record

Invoke = Callable[..., Result]
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)

UNCHANGED = """\
SETTING               NOW
sample_rate           1
slow_ms               1,000 ms
exclude_methods       none
exclude_status_codes  none
min_execution_time    never
drop                  none
keep                  none
"""


@pytest.fixture
def invoke(app: Flask) -> Invoke:
    """Run ``flask tracking overrides ...``."""
    runner = app.test_cli_runner()

    def run(*arguments: str) -> Result:
        return runner.invoke(args=["tracking", "overrides", *arguments])

    return run


def without_times(output: str) -> str:
    """Replace times of day, and what is left until then."""
    return re.sub(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\dZ, in (9m 59s|10m)\n", "<time>\n", output)


def test_set_show_and_clear(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """Rules are set, shown and cleared, each with what holds then."""
    assert invoke("show").output == UNCHANGED
    table = (
        "SETTING               NOW     OTHERWISE  UNTIL\n"
        "sample_rate           0.1     1          <time>\n"
        "slow_ms               200 ms  1,000 ms   <time>\n"
        "exclude_methods       none\n"
        "exclude_status_codes  none\n"
        "min_execution_time    never\n"
        "drop                  none\n"
        "keep                  none\n"
    )
    result = invoke("set", "slow_ms=200", "sample_rate=0.1", "--for", "10m")
    follows = "No other process follows: MemoryExporter belongs to this one alone.\n\n"
    assert without_times(result.output) == f"Set for 10m: sample_rate, slow_ms. {follows}{table}"
    assert without_times(invoke("show").output) == table
    assert [rule.name for rule in memory.load_overrides()] == ["sample_rate", "slow_ms"]
    assert invoke("clear", "slow_ms").output.startswith(f"Cleared: slow_ms. {follows}SETTING")
    assert [rule.name for rule in memory.load_overrides()] == ["sample_rate"]
    assert invoke("clear", "slow_ms").output.startswith(
        "No override with such a name is set.\n\nSETTING"
    )
    assert invoke("clear").output == f"Cleared: sample_rate. {follows}{UNCHANGED}"
    assert invoke("clear").output == f"No overrides are set.\n\n{UNCHANGED}"


def test_who_follows(invoke: Invoke, app: Flask) -> None:
    """Only a store that other processes share changes their settings."""

    class Shared(MemoryExporter):
        is_shared = True

    Tracking(app, exporter=Shared())
    output = invoke("set", "slow_ms=200", "--for", "10m").output
    assert output.startswith("Set for 10m: slow_ms. Every process follows within 1 s.\n")


def make_override(name: str, value: object, lifetime: timedelta) -> Override:
    """Make a rule that expires so long after noon."""
    return Override(name, value, NOON, NOON + lifetime)


@pytest.mark.parametrize(
    ("lifetime", "until"),
    [
        (timedelta(seconds=1), "12:00:01Z, in 1s"),
        (timedelta(seconds=59.6), "12:00:59Z, in 1m"),
        (timedelta(minutes=10, seconds=2), "12:10:02Z, in 10m 2s"),
        (timedelta(hours=2, seconds=3), "14:00:03Z, in 2h 3s"),
        (timedelta(hours=12), "2026-11-25 00:00:00Z, in 12h"),
        (timedelta(days=1, hours=2, minutes=3), "2026-11-25 14:03:00Z, in 1d 2h"),
        (timedelta(0), "12:00:00Z, in 0s"),
    ],
)
def test_until(lifetime: timedelta, until: str) -> None:
    """When a rule expires is said in UTC and in words, with the day where it is another."""
    table = render_overrides(Settings(), [make_override("slow_ms", 200.0, lifetime)], NOON)
    (line,) = [line for line in table.splitlines() if "slow_ms" in line]
    assert until in line


def test_values_are_readable() -> None:
    """Every kind of value is shown as people write it, whatever its size; what is set is coloured."""
    settings = Settings(
        sample_rate=0.123456789,
        slow_ms=1234567.5,
        exclude_methods=frozenset({"OPTIONS", "HEAD"}),
        exclude_status_codes=frozenset({404, 304}),
        min_execution_time_ms=500.0,
        drop=(Filter.parse("is:error"), Filter.parse("a")),
    )
    hour = timedelta(hours=1)
    active = [
        make_override("exclude_methods", [], hour),
        make_override("min_execution_time", 0.0, hour),
        make_override("keep", ["status:404"], hour),
    ]
    assert render_overrides(settings, active, NOON).splitlines() == [
        "SETTING               NOW             OTHERWISE      UNTIL",
        "sample_rate           0.123456789",
        "slow_ms               1,234,567.5 ms",
        "\x1b[33mexclude_methods       none            HEAD, OPTIONS  13:00:00Z, in 1h\x1b[0m",
        "exclude_status_codes  304, 404",
        "\x1b[33mmin_execution_time    never           500 ms         13:00:00Z, in 1h\x1b[0m",
        "drop                  is:error or a",
        "\x1b[33mkeep                  status:404      none           13:00:00Z, in 1h\x1b[0m",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", "slow=200", "--for", "10m"], "'slow' cannot be overridden."),
        (["set", "slow_ms=soon", "--for", "10m"], "slow_ms is 'soon', but it wants a number above 0."),
        (["set", "slow_ms=200"], "--for is missing: expected a duration like 30s, 10m, 2h or 1d."),
        (["set", "slow_ms=200", "--for", "10"], "Invalid duration '10'"),
        (["set", "slow_ms=\x1b[31m", "--for", "10m"], "slow_ms is '\\x1b[31m', but it wants"),
        (["set", "slow_ms=1", "slow_ms=2", "--for", "10m"], "slow_ms is given twice."),
        (["clear", "slow"], "'slow' cannot be overridden."),
    ],
)
def test_wrong_arguments(
    invoke: Invoke, memory: MemoryExporter, tracking: Tracking, arguments: list[str], message: str
) -> None:
    """What is wrong is one line that names the fix, and nothing is set."""
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {message}")
    assert memory.load_overrides() == []


def test_one_wrong_rule_sets_none(invoke: Invoke, memory: MemoryExporter, tracking: Tracking) -> None:
    """Of several overrides either all are set or none."""
    assert invoke("set", "slow_ms=200", "sample_rate=7", "--for", "10m").exit_code == 2
    assert memory.load_overrides() == []


def test_store_without_a_place_for_overrides(invoke: Invoke, app: Flask) -> None:
    """A store that takes no overrides says so; the current values can be shown."""

    class Other(Exporter):
        def _store(self, records: object) -> int:
            return len([record for record in [records] if isinstance(record, Record)])

    Tracking(app, exporter=Other())
    assert invoke("show").output == UNCHANGED
    result = invoke("set", "slow_ms=200", "--for", "10m")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: Other is not a store: it takes records but returns none.\n",
    )
    assert invoke("clear").output == f"No overrides are set.\n\n{UNCHANGED}"


def test_help_names_every_rule(invoke: Invoke, tracking: Tracking) -> None:
    """Each rule stands in the help with an example."""
    output = invoke("set", "--help").output
    for name in re.findall(r"^(\w+) ", UNCHANGED.partition("\n")[2], re.MULTILINE):
        assert f"{name}=" in output
