"""Overrides: how people write them, and what they make of the settings."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from flask_tracking import ConfigError, Filter, Settings
from flask_tracking.config import overrides
from flask_tracking.config.overrides import (
    NAMES,
    Override,
    alive,
    change_settings,
    parse_lifetime,
    parse_overrides,
    setting_of,
)

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock."""
    monkeypatch.setattr(overrides, "utc_now", lambda: NOON)


def make_rule(name: str, value: Any) -> Override:
    """Make a rule that holds for a minute."""
    return Override(name, value, NOON, NOON + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("term", "value", "setting"),
    [
        ("slow_ms=200", 200.0, 200.0),
        ("slow_ms=0.5", 0.5, 0.5),
        ("sample_rate=0", 0.0, 0.0),
        ("sample_rate=1", 1.0, 1.0),
        ("sample_rate=.01", 0.01, 0.01),
        ("min_execution_time=0", 0.0, 0.0),
        ("exclude_methods=head,OPTIONS", ["HEAD", "OPTIONS"], frozenset({"HEAD", "OPTIONS"})),
        ("exclude_methods=", [], frozenset()),
        (
            "drop=Status:404 or method:head",
            ["status:404 or method:HEAD"],
            (Filter.parse("status:404 or method:head"),),
        ),
        ("keep=slow:>=1s", ["slow:>=1s"], (Filter.parse("slow:>=1s"),)),
        ("keep=", [], ()),
        ("exclude_status_codes=404, 304,404", [304, 404], frozenset({304, 404})),
        ("exclude_status_codes=", [], frozenset()),
    ],
)
def test_overrides_as_people_write_them(term: str, value: Any, setting: Any) -> None:
    """A term becomes a value that a store can hold, and that value the setting."""
    (rule,) = parse_overrides([term], "10m")
    name = term.partition("=")[0]
    assert rule == (name, value, NOON, NOON + timedelta(minutes=10))
    changed = change_settings(Settings(), [rule])
    assert getattr(changed, setting_of(name)) == setting


def test_many_overrides_at_once() -> None:
    """All overrides of one call expire together, and change nothing else."""
    parsed = parse_overrides(["slow_ms=200", "sample_rate=0.1"], "1d")
    assert {one.expires_at for one in parsed} == {NOON + timedelta(days=1)}
    changed = change_settings(Settings(app_version="7"), parsed)
    assert changed == Settings(app_version="7", slow_ms=200.0, sample_rate=0.1)


def test_every_rule_is_a_setting() -> None:
    """What can be changed are settings, under their classic names in small letters."""
    assert {name.upper() for name in NAMES} == {key.removeprefix("TRACKING_") for key in NAMES.values()}
    assert {setting_of(name) for name in NAMES} <= set(Settings.__dataclass_fields__)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (
            "slow=200",
            "'slow' cannot be overridden. These settings can: sample_rate, slow",
        ),
        ("SLOW_MS=200", "'SLOW_MS' cannot be overridden."),
        ("mongodb_uri=x", "'mongodb_uri' cannot be overridden."),
        ("=200", "'' cannot be overridden."),
        ("slow_ms", "Invalid override 'slow_ms': expected name=value, like slow_ms=200."),
        ("", "Invalid override ''"),
        ("slow_ms=", "slow_ms is '', but it wants a number above 0."),
        ("slow_ms=200ms", "slow_ms is '200ms', but it wants a number above 0."),
        ("slow_ms=0", "slow_ms is 0.0, but it wants a number above 0."),
        ("slow_ms=nan", "slow_ms is nan, but it wants a number above 0."),
        ("slow_ms=inf", "slow_ms is inf, but it wants a number above 0, and no more than 1e+15."),
        ("sample_rate=10%", "sample_rate is '10%', but it wants a number from 0 to 1."),
        ("sample_rate=1.1", "sample_rate is 1.1, but it wants a number from 0 to 1."),
        ("min_execution_time=-1", "min_execution_time is -1.0, but it wants a number of 0 or more."),
        (
            "keep=path:/a",
            "keep is ['path:/a'], but it wants a list of filters, like ['route:/payments/*",
        ),
        ("exclude_methods=G ET", "exclude_methods is ['G ET'], but it wants a list of HTTP methods"),
        ("exclude_methods=GET,", "exclude_methods is ['GET', ''], but it wants a list of HTTP methods"),
        ("exclude_status_codes=5xx", "exclude_status_codes is ['5xx'], but it wants a list of status"),
        ("exclude_status_codes=99", "exclude_status_codes is [99], but it wants a list of status"),
    ],
)
def test_wrong_overrides(term: str, message: str) -> None:
    """What is wrong is named, with what is wanted."""
    with pytest.raises(ConfigError) as raised:
        parse_overrides([term], "10m")
    assert str(raised.value).startswith(message)


def test_rule_that_is_given_twice() -> None:
    """It is not clear which one is meant."""
    with pytest.raises(ConfigError, match="slow_ms is given twice. Give each override once."):
        parse_overrides(["slow_ms=200", "slow_ms=300"], "10m")


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [
        ("1s", timedelta(seconds=1)),
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("30d", timedelta(days=30)),
        ("007m", timedelta(minutes=7)),
        ("1.5h", timedelta(minutes=90)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_durations(text: str, lifetime: timedelta) -> None:
    """A number and a unit, up to 30 days."""
    assert parse_lifetime(text) == lifetime


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "--for is missing: expected a duration like 30s, 10m, 2h or 1d."),
        ("", "--for is missing"),
        *[
            (text, f"Invalid duration {text!r}: expected one like 30s, 10m, 2h or 1d.")
            for text in (
                "10",
                "m",
                "0s",
                "-5m",
                "10 m",
                "10M",
                "١m",
                "10m\n",
            )
        ],
        ("31d", "31d is longer than 30d, the longest duration of an override."),
        ("9999999d", "9999999d is longer than 30d"),
        ("10w", "10w is longer than 30d"),
        ("99999999s", "99999999s is longer than 30d"),
    ],
)
def test_wrong_durations(text: str | None, message: str) -> None:
    """A missing, odd or endless duration is refused."""
    with pytest.raises(ConfigError) as raised:
        parse_lifetime(text)
    assert str(raised.value).startswith(message)


def test_stored_rule_that_is_wrong(caplog: pytest.LogCaptureFixture) -> None:
    """What somebody else put into the store is checked like a setting: it is left out, and said."""
    wrong = [make_rule("slow_ms", "soon"), make_rule("sample_rate", 7), make_rule("exclude_methods", 1)]
    with caplog.at_level(logging.WARNING, "flask_tracking"):
        changed = change_settings(Settings(), [*wrong, make_rule("min_execution_time", 5)])
    assert changed == Settings(min_execution_time_ms=5.0)
    assert [record.getMessage() for record in caplog.records] == [
        "An override is ignored: slow_ms is 'soon', but it wants a number above 0.",
        "An override is ignored: sample_rate is 7, but it wants a number from 0 to 1.",
        "An override is ignored: exclude_methods is 1, but it wants a list of HTTP methods, like "
        "['OPTIONS', 'HEAD'].",
    ]


def test_rule_of_a_newer_version(caplog: pytest.LogCaptureFixture) -> None:
    """A name that is not known here is left alone in silence; nothing else may be changed by it."""
    settings = Settings()
    assert change_settings(settings, [make_rule("enabled", False), make_rule("new", 1)]) is settings
    assert caplog.records == []


def test_expired_overrides() -> None:
    """From its last millisecond on a rule does not hold."""
    rule = make_rule("slow_ms", 1)
    assert alive([rule], rule.expires_at - timedelta(milliseconds=1)) == [rule]
    assert alive([rule], rule.expires_at) == []


def test_time_is_that_of_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is aware, in UTC, and as exact as MongoDB stores it."""
    monkeypatch.undo()
    now = overrides.utc_now()
    assert now.tzinfo is timezone.utc
    assert now.microsecond % 1000 == 0
    assert abs(datetime.now(timezone.utc) - now) < timedelta(minutes=1)
