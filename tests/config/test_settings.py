"""Every setting: its default, what it takes, and what it says of what it does not take."""

from __future__ import annotations

import dataclasses
import re
import traceback
import warnings
from pathlib import PurePosixPath
from typing import Any

import pytest
from flask import Flask

from flask_tracking import ConfigError, Filter, MemoryExporter, Settings, Tracking
from flask_tracking.config import TEXT_CONTENT_TYPES, tracking_keys

TRUTH = "wants True or False"
TEXT = "wants a string that is not empty"
COLLECTION = "wants the name of a MongoDB collection, like 'tracking'"
PATTERNS = "wants a list of regular expressions, like ['^/static/']"
METHODS = "wants a list of HTTP methods, like ['OPTIONS', 'HEAD']"
CODES = "wants a list of status codes from 100 to 599, like [304, 404]"
TYPES = "wants a list of media types, like ['application/json', 'text/*']"
RULES = "wants a list of filters, like ['route:/payments/* status:4xx']"
MORE = "asks for more than a rule knows: only status, method, route, slow, outcome and is:error"
FILTERS = "wants a dict of filters by name, like {'mine': 'user:42 since:1d'}"
INDEXES = "wants a list of index specs, like ['user_id', ['status_code', '-date_created']]"
ACTIONS = "wants a dict of 'remove', 'tail' or 'hash' by the id of a format, like {'card': 'tail'}"
OWN_PATTERNS = "wants a dict of regular expressions as strings, by id, like {'badge': 'B-[0-9]{8}'}"
LITERALS = "wants a list of strings of 16 characters or more, 10 of them different"
SECRET = ("TRACKING_REDACT_LITERALS", "TRACKING_REDACT_HASH_KEY")
NOT_NEGATIVE = "wants a number of 0 or more"
POSITIVE = "wants a number above 0"
SHARE = "wants a number from 0 to 1"

DEFAULTS: dict[str, tuple[str, Any]] = {
    "TRACKING_ENABLED": ("enabled", True),
    "TRACKING_MONGODB_URI": ("mongodb_uri", None),
    "TRACKING_DB_ALIAS": ("db_alias", "default"),
    "TRACKING_COLLECTION": ("collection", "tracking"),
    "TRACKING_EXCLUDE": ("exclude", ()),
    "TRACKING_EXCLUDE_BODY": ("exclude_body", ()),
    "TRACKING_EXCLUDE_HEALTH_CHECKS": ("exclude_health_checks", False),
    "TRACKING_EXCLUDE_METHODS": ("exclude_methods", frozenset()),
    "TRACKING_EXCLUDE_STATUS_CODES": ("exclude_status_codes", frozenset()),
    "TRACKING_MIN_EXECUTION_TIME": ("min_execution_time_ms", 0.0),
    "TRACKING_SAMPLE_RATE": ("sample_rate", 1.0),
    "TRACKING_SAMPLE_PARENT": ("sample_parent", False),
    "TRACKING_SLOW_MS": ("slow_ms", 1000.0),
    "TRACKING_MAX_BODY_LENGTH": ("max_body_bytes", 65_536),
    "TRACKING_BODY_CONTENT_TYPES": ("body_content_types", TEXT_CONTENT_TYPES),
    "TRACKING_REDACT": ("redact", True),
    "TRACKING_REDACT_NAMES": ("redact_names", ()),
    "TRACKING_REDACT_ALLOW": ("redact_allow", ()),
    "TRACKING_REDACT_OFF": ("redact_off", ()),
    "TRACKING_REDACT_PATTERNS": ("redact_patterns", ()),
    "TRACKING_REDACT_LITERALS": ("redact_literals", ()),
    "TRACKING_REDACT_CARDS": ("redact_cards", "checked"),
    "TRACKING_REDACT_ACTIONS": ("redact_actions", ()),
    "TRACKING_REDACT_HASH_KEY": ("redact_hash_key", None),
    "TRACKING_LOAD_USER": ("load_user", False),
    "TRACKING_RETENTION": ("retention", "capped"),
    "TRACKING_TABLE_SIZE": ("table_size_bytes", 104_857_600),
    "TRACKING_KEPT_SIZE": ("kept_size_bytes", 20_971_520),
    "TRACKING_MAX_DOCUMENTS": ("max_documents", 1_000_000),
    "TRACKING_TTL_S": ("ttl_s", 604_800),
    "TRACKING_ROLLUP_DAYS": ("rollup_days", 400),
    "TRACKING_INDEXES": ("indexes", ()),
    "TRACKING_DROP": ("drop", ()),
    "TRACKING_KEEP": ("keep", ()),
    "TRACKING_FILTERS": ("filters", ()),
    "TRACKING_WORKER": ("worker", "batch"),
    "TRACKING_QUEUE_RECORDS": ("queue_records", 10_000),
    "TRACKING_QUEUE_BYTES": ("queue_bytes", 67_108_864),
    "TRACKING_BATCH_RECORDS": ("batch_records", 100),
    "TRACKING_FLUSH_INTERVAL_S": ("flush_interval_s", 1.0),
    "TRACKING_EXPORT_TIMEOUT_S": ("export_timeout_s", 5.0),
    "TRACKING_SHUTDOWN_TIMEOUT_S": ("shutdown_timeout_s", 2.0),
    "TRACKING_SPOOL_DIR": ("spool_dir", None),
    "TRACKING_SPOOL_BYTES": ("spool_bytes", 268_435_456),
    "TRACKING_DASHBOARD": ("dashboard", False),
    "TRACKING_DASHBOARD_URL_PREFIX": ("dashboard_url_prefix", "/_tracking"),
    "TRACKING_APP_VERSION": ("app_version", None),
}

GOOD: list[tuple[str, Any, Any]] = [
    ("TRACKING_ENABLED", False, False),
    ("TRACKING_MONGODB_URI", None, None),
    ("TRACKING_MONGODB_URI", "mongodb://127.0.0.1:27017/shop", "mongodb://127.0.0.1:27017/shop"),
    ("TRACKING_MONGODB_URI", "mongodb+srv://db.example.com", "mongodb+srv://db.example.com"),
    ("TRACKING_DB_ALIAS", "logs", "logs"),
    ("TRACKING_COLLECTION", "web.requests", "web.requests"),
    ("TRACKING_COLLECTION", "system_requests", "system_requests"),
    ("TRACKING_EXCLUDE", (), ()),
    ("TRACKING_EXCLUDE", ["^/static/", "^/f"], (re.compile("^/static/"), re.compile("^/f"))),
    ("TRACKING_EXCLUDE", ("^/static/",), (re.compile("^/static/"),)),
    ("TRACKING_EXCLUDE", {"^/static/"}, (re.compile("^/static/"),)),
    ("TRACKING_EXCLUDE", iter(["^/static/"]), (re.compile("^/static/"),)),
    ("TRACKING_EXCLUDE", [re.compile("^/S", re.IGNORECASE)], (re.compile("^/S", re.IGNORECASE),)),
    ("TRACKING_EXCLUDE_BODY", ["^/auth/login/$"], (re.compile("^/auth/login/$"),)),
    ("TRACKING_EXCLUDE_HEALTH_CHECKS", True, True),
    ("TRACKING_EXCLUDE_METHODS", ["options", "HEAD"], frozenset({"OPTIONS", "HEAD"})),
    ("TRACKING_EXCLUDE_METHODS", (), frozenset()),
    ("TRACKING_EXCLUDE_METHODS", ["M-SEARCH"], frozenset({"M-SEARCH"})),
    ("TRACKING_EXCLUDE_STATUS_CODES", [304, 404, 404], frozenset({304, 404})),
    ("TRACKING_EXCLUDE_STATUS_CODES", range(100, 600), frozenset(range(100, 600))),
    ("TRACKING_MIN_EXECUTION_TIME", 1000, 1000.0),
    ("TRACKING_MIN_EXECUTION_TIME", 0.5, 0.5),
    ("TRACKING_SAMPLE_RATE", 0, 0.0),
    ("TRACKING_SAMPLE_RATE", 0.01, 0.01),
    ("TRACKING_SAMPLE_RATE", 1, 1.0),
    ("TRACKING_SAMPLE_PARENT", True, True),
    ("TRACKING_SLOW_MS", 0.5, 0.5),
    ("TRACKING_MAX_BODY_LENGTH", 0, 0),
    ("TRACKING_MAX_BODY_LENGTH", 8_388_608, 8_388_608),
    ("TRACKING_BODY_CONTENT_TYPES", ["Application/JSON", "*/*"], ("application/json", "*/*")),
    ("TRACKING_BODY_CONTENT_TYPES", [], ()),
    ("TRACKING_REDACT", False, False),
    ("TRACKING_REDACT_NAMES", ["tax id", "PIN2"], ("tax id", "PIN2")),
    ("TRACKING_REDACT_ALLOW", ("session_id",), ("session_id",)),
    ("TRACKING_REDACT_OFF", ["card"], ("card",)),
    ("TRACKING_REDACT_PATTERNS", {"badge": "B-[0-9]{8}"}, (("badge", "B-[0-9]{8}"),)),
    ("TRACKING_REDACT_LITERALS", ["a secret of ours, 17"], ("a secret of ours, 17",)),
    ("TRACKING_REDACT_CARDS", "strict", "strict"),
    ("TRACKING_REDACT_ACTIONS", {"card": "tail", "*": "hash"}, (("card", "tail"), ("*", "hash"))),
    ("TRACKING_REDACT_HASH_KEY", "0123456789abcdef", "0123456789abcdef"),
    ("TRACKING_REDACT_HASH_KEY", None, None),
    ("TRACKING_LOAD_USER", True, True),
    ("TRACKING_RETENTION", "ttl", "ttl"),
    ("TRACKING_TABLE_SIZE", 4096, 4096),
    ("TRACKING_TABLE_SIZE", 2**50, 2**50),
    ("TRACKING_KEPT_SIZE", 4096, 4096),
    ("TRACKING_KEPT_SIZE", 0, 0),
    ("TRACKING_MAX_DOCUMENTS", 2**31 - 1, 2**31 - 1),
    ("TRACKING_TTL_S", 1, 1),
    ("TRACKING_ROLLUP_DAYS", 0, 0),
    ("TRACKING_ROLLUP_DAYS", 36_500, 36_500),
    (
        "TRACKING_DROP",
        ["route:/poll", "method:head"],
        (Filter.parse("route:/poll"), Filter.parse("method:HEAD")),
    ),
    (
        "TRACKING_KEEP",
        ("not (is:error or outcome:ok) slow:>1s status:4xx",),
        (Filter.parse("not (is:error or outcome:ok) slow:>1s status:4xx"),),
    ),
    (
        "TRACKING_FILTERS",
        {"mine": "user:42", "all": "()"},
        (("mine", Filter.parse("user:42")), ("all", Filter.all)),
    ),
    ("TRACKING_INDEXES", ["user_id"], ((("user_id", 1),),)),
    ("TRACKING_INDEXES", ["-user_id", "+path"], ((("user_id", -1),), (("path", 1),))),
    (
        "TRACKING_INDEXES",
        [["status_code", "-date_created"], ("ip",)],
        ((("status_code", 1), ("date_created", -1)), (("ip", 1),)),
    ),
    ("TRACKING_WORKER", "sync", "sync"),
    ("TRACKING_QUEUE_RECORDS", 1, 1),
    ("TRACKING_QUEUE_BYTES", 1024, 1024),
    ("TRACKING_BATCH_RECORDS", 10_000, 10_000),
    ("TRACKING_FLUSH_INTERVAL_S", 0.01, 0.01),
    ("TRACKING_EXPORT_TIMEOUT_S", 30, 30.0),
    ("TRACKING_SHUTDOWN_TIMEOUT_S", 0, 0.0),
    ("TRACKING_SPOOL_DIR", None, None),
    ("TRACKING_SPOOL_DIR", "/var/spool/shop", "/var/spool/shop"),
    ("TRACKING_SPOOL_DIR", PurePosixPath("/var/spool/shop"), "/var/spool/shop"),
    ("TRACKING_SPOOL_BYTES", 1_048_576, 1_048_576),
    ("TRACKING_DASHBOARD", True, True),
    ("TRACKING_DASHBOARD_URL_PREFIX", "/ops/requests.log", "/ops/requests.log"),
    ("TRACKING_APP_VERSION", "2026.11", "2026.11"),
    ("TRACKING_APP_VERSION", None, None),
]

WRONG: list[tuple[str, Any, str]] = [
    # A truth is a bool: "false" from an environment variable would be true.
    *[("TRACKING_ENABLED", value, TRUTH) for value in (None, 0, 1, "false", "", ["yes"])],
    *[("TRACKING_REDACT", value, TRUTH) for value in (None, 0, "no")],
    *[
        (f"TRACKING_REDACT_{key}", value, f"wants a list of {wants}{reason}")
        for key, wants in (
            ("NAMES", "names, like ['tax_id']"),
            ("ALLOW", "names, like ['session_id']"),
            ("OFF", "ids of formats, like ['card']"),
        )
        for value, reason in (
            (None, ""),
            ("tax_id", ""),
            ([""], "; '' has no letter or digit"),
            (["a", "--"], "; '--' has no letter or digit"),
            ([1], "; 1 is not a string"),
            (["tax*"], "; 'tax*' has a '*', which stands for nothing there"),
        )
    ],
    *[
        (
            "TRACKING_REDACT_PATTERNS",
            value,
            OWN_PATTERNS,
        )
        for value in (None, ["B-[0-9]{8}"], {"badge": ""}, {"": "a"}, {"badge": 1})
    ],
    *[
        ("TRACKING_REDACT_LITERALS", value, f"{LITERALS}{reason}")
        for value, reason in (
            (None, ""),
            ("a secret of ours, 17", ""),
            ([1], "; item 0 is not a string"),
            (["a secret of ours, 17", b"a secret of ours, 17"], "; item 1 is not a string"),
        )
    ],
    *[
        (
            "TRACKING_REDACT_CARDS",
            value,
            "wants 'checked' or 'strict'; TRACKING_REDACT_OFF=['card'] turns the format off",
        )
        for value in (None, True, "loose")
    ],
    *[
        ("TRACKING_REDACT_ACTIONS", value, ACTIONS)
        for value in (None, "hash", {"card": "keep"}, {"card": None})
    ],
    *[
        ("TRACKING_REDACT_HASH_KEY", value, "wants a string of 16 characters or more")
        for value in ("", "0123456789abcde", b"0123456789abcdef", 7)
    ],
    *[
        (key, value, TRUTH)
        for key in (
            "TRACKING_LOAD_USER",
            "TRACKING_SAMPLE_PARENT",
            "TRACKING_EXCLUDE_HEALTH_CHECKS",
        )
        for value in (None, 1, "yes")
    ],
    *[("TRACKING_DB_ALIAS", value, TEXT) for value in (None, "", 7, b"default", ["default"])],
    *[
        ("TRACKING_SPOOL_DIR", value, "wants the absolute path of a directory, like '/var/spool/shop'")
        for value in ("", "spool", "~/spool", PurePosixPath("spool"), "/var/\0", b"/var", 7, True)
    ],
    *[
        ("TRACKING_SPOOL_BYTES", value, "wants a whole number of 1048576 or more")
        for value in (None, "1", True, 0, 1_048_575)
    ],
    *[("TRACKING_DASHBOARD", value, "wants True or False") for value in (None, "yes", 1)],
    *[
        (
            "TRACKING_DASHBOARD_URL_PREFIX",
            value,
            "wants a path like '/_tracking', without a slash at its end",
        )
        for value in (None, "", "/", "x", "/x/", "//x", "/<id>", "/x y", 7)
    ],
    *[("TRACKING_APP_VERSION", value, TEXT) for value in ("", 2, 2.0, b"1")],
    *[("TRACKING_COLLECTION", value, TEXT) for value in (None, "", 7, ["tracking"])],
    *[
        ("TRACKING_COLLECTION", value, COLLECTION)
        for value in ("a$b", "a\0b", ".tracking", "system.tracking", "tracking.")
    ],
    *[
        (key, value, PATTERNS)
        for key in ("TRACKING_EXCLUDE", "TRACKING_EXCLUDE_BODY")
        for value in (None, "^/static/", b"^/static/", {"^/static/": True}, 7, re.compile("^/"))
    ],
    ("TRACKING_EXCLUDE", ["^/", 7], f"{PATTERNS}; 7 is not one"),
    ("TRACKING_EXCLUDE", [None], f"{PATTERNS}; None is not one"),
    ("TRACKING_EXCLUDE", [["^/"]], f"{PATTERNS}; ['^/'] is not one"),
    ("TRACKING_EXCLUDE", [b"^/"], f"{PATTERNS}; b'^/' is not one"),
    ("TRACKING_EXCLUDE", [re.compile(b"^/")], f"{PATTERNS}; re.compile(b'^/') is not one"),
    (
        "TRACKING_EXCLUDE",
        ["^/[a-"],
        f"{PATTERNS}; '^/[a-' does not compile: unterminated character set at position 2",
    ),
    (
        "TRACKING_EXCLUDE_BODY",
        ["^/a{99999999999}"],
        f"{PATTERNS}; '^/a{{99999999999}}' does not compile: the repetition number is too large",
    ),
    *[
        ("TRACKING_EXCLUDE_METHODS", value, METHODS)
        for value in (None, "OPTIONS", b"OPTIONS", {"GET": 1}, 7, [7], [""], ["GET POST"], [["GET"]])
    ],
    *[
        ("TRACKING_EXCLUDE_STATUS_CODES", value, CODES)
        for value in (None, "404", b"404", 404, {404: True})
    ],
    *[
        ("TRACKING_EXCLUDE_STATUS_CODES", [304, item], f"{CODES}; {item!r} is not one")
        for item in (99, 600, -404, True, "404", 404.0, None)
    ],
    *[
        ("TRACKING_MIN_EXECUTION_TIME", value, NOT_NEGATIVE)
        for value in (None, "1000", True, -1, -0.001, float("-inf"), float("nan"))
    ],
    *[
        ("TRACKING_SAMPLE_RATE", value, SHARE)
        for value in (None, "0.1", True, -0.01, 1.01, 100, float("inf"), float("nan"))
    ],
    *[("TRACKING_SLOW_MS", value, POSITIVE) for value in (None, "200", True, 0, -1, float("nan"))],
    *[
        ("TRACKING_MAX_BODY_LENGTH", value, "wants a whole number from 0 to 8388608")
        for value in (None, "65536", True, False, -1, 8_388_609, 65536.0, 1e3)
    ],
    *[
        ("TRACKING_BODY_CONTENT_TYPES", value, TYPES)
        for value in (None, "text/*", b"text/*", 7, {"text/*": 1}, ["text"], [7], ["text/*", None])
    ],
    *[
        ("TRACKING_RETENTION", value, "wants 'capped' or 'ttl'")
        for value in (None, "", "TTL", "forever", ["ttl"], 1)
    ],
    *[
        ("TRACKING_TABLE_SIZE", value, "wants a whole number of 4096 or more")
        for value in (None, "1048576", True, 0, 4095, 1e9)
    ],
    *[
        ("TRACKING_KEPT_SIZE", value, "wants a whole number of 4096 or more, or 0")
        for value in (None, "0", False, 0.0, -1, 1, 4095, 1e9)
    ],
    *[
        ("TRACKING_MAX_DOCUMENTS", value, "wants a whole number from 1 to 2147483647")
        for value in (None, "1000", True, 0, 2**31)
    ],
    *[
        ("TRACKING_TTL_S", value, "wants a whole number from 1 to 2147483647")
        for value in (None, "3600", True, 0, 2**31, 3600.0)
    ],
    *[
        ("TRACKING_ROLLUP_DAYS", value, "wants a whole number from 0 to 36500")
        for value in (None, "400", True, -1, 36_501, 30.0)
    ],
    *[
        (key, value, RULES)
        for key in ("TRACKING_DROP", "TRACKING_KEEP")
        for value in (None, "status:404", dict[str, str](), 7)
    ],
    *[("TRACKING_KEEP", [item], f"{RULES}; {item!r} is not one") for item in ("", " ", None, 7)],
    (
        "TRACKING_KEEP",
        ["method:7"],
        f"{RULES}; 'method:7' is wrong: Invalid HTTP method '7': expected one like POST",
    ),
    *[
        (
            "TRACKING_DROP",
            [item],
            f"{RULES}; {item!r} {MORE}",
        )
        for item in (
            "path:/a",
            "is:kept",
            "since:1h",
            "word",
            "not body:x",
            "status:404 header.a:b",
            "custom.a:1",
        )
    ],
    *[("TRACKING_FILTERS", value, FILTERS) for value in (None, "a", ["a"], {"": "a"}, {"a": 1})],
    ("TRACKING_FILTERS", {"a": "b'c '"}, f"{FILTERS}; 'a' is wrong: A quote is not closed"),
    *[
        ("TRACKING_INDEXES", value, INDEXES)
        for value in (None, "user_id", b"user_id", {"user_id": 1}, 7, [7], [None], [{"user_id": 1}])
    ],
    *[
        ("TRACKING_INDEXES", [item], f"{INDEXES}; {item!r} is not one")
        for item in ("", "-", "+-", [], [""], ["user_id", "-"], [("user_id", -1)])
    ],
    *[
        ("TRACKING_WORKER", value, "wants 'batch' or 'sync'")
        for value in (None, "", "thread", ["sync"], True)
    ],
    *[
        ("TRACKING_QUEUE_RECORDS", value, "wants a whole number of 1 or more")
        for value in (None, "100", True, 0, -1, 1.5)
    ],
    *[
        ("TRACKING_QUEUE_BYTES", value, "wants a whole number of 1024 or more")
        for value in (None, "64MB", True, 0, 1023)
    ],
    *[
        ("TRACKING_BATCH_RECORDS", value, "wants a whole number from 1 to 10000")
        for value in (None, "100", True, 0, 10_001)
    ],
    *[
        (key, value, POSITIVE)
        for key in ("TRACKING_FLUSH_INTERVAL_S", "TRACKING_EXPORT_TIMEOUT_S")
        for value in (None, "1", True, 0, 0.0, -1, float("nan"))
    ],
    *[
        ("TRACKING_SHUTDOWN_TIMEOUT_S", value, NOT_NEGATIVE)
        for value in (None, "2", True, -1, float("nan"))
    ],
    *[
        (f"TRACKING_{key}", value, f"{wants}, and no more than 1e+15")
        for key, wants in (
            ("MIN_EXECUTION_TIME", NOT_NEGATIVE),
            ("SLOW_MS", POSITIVE),
            ("FLUSH_INTERVAL_S", POSITIVE),
            ("EXPORT_TIMEOUT_S", POSITIVE),
            ("SHUTDOWN_TIMEOUT_S", NOT_NEGATIVE),
        )
        for value in (float("inf"), 1e20)
    ],
    *[
        (key, 2**50 + 1, "wants 2**50 bytes or less, the most that MongoDB takes")
        for key in ("TRACKING_TABLE_SIZE", "TRACKING_KEPT_SIZE")
    ],
]


@pytest.mark.parametrize(
    ("key", "text"), [("TRACKING_REDACT", "False"), ("TRACKING_REDACT_NAMES", "['tax_id']")]
)
def test_python_from_the_environment(key: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who writes a value in the environment as Python does is told to write JSON."""
    monkeypatch.setenv(f"FLASK_{key}", text)
    app = Flask(__name__)
    app.config.from_prefixed_env()
    with pytest.raises(ConfigError, match=r"; in an environment variable write it as JSON, like true"):
        Tracking(app)


def test_every_setting_is_tested() -> None:
    """Every field of `Settings` is one of the keys below, and most keys have wrong values, too."""
    keys = {field.metadata["key"]: field.name for field in dataclasses.fields(Settings)}

    assert keys == {key: name for key, (name, _) in DEFAULTS.items()}
    assert {key for key, _, _ in GOOD} == set(keys)
    assert {key for key, _, _ in WRONG} == set(keys) - {"TRACKING_MONGODB_URI"}


@pytest.mark.parametrize(("key", "name", "default"), [(k, n, d) for k, (n, d) in DEFAULTS.items()])
def test_default(key: str, name: str, default: object) -> None:
    """A key that is not given has its documented default."""
    assert getattr(Settings.from_mapping({}), name) == default
    assert getattr(Settings(), name) == default


@pytest.mark.parametrize(("key", "value", "stored"), GOOD)
def test_good_value(key: str, value: object, stored: object) -> None:
    """A good value is taken, in its canonical form, and touches no other setting."""
    settings = Settings.from_mapping({key: value})

    name, _ = DEFAULTS[key]
    assert getattr(settings, name) == stored
    assert type(getattr(settings, name)) is type(stored)
    others = {field.name for field in dataclasses.fields(Settings)} - {name}
    assert all(getattr(settings, other) == getattr(Settings(), other) for other in others)


@pytest.mark.parametrize(("key", "value", "wants"), WRONG)
def test_wrong_value(key: str, value: object, wants: str) -> None:
    """A wrong value is an error that names the key, shows it unless secret, and says what is wanted."""
    with pytest.raises(ConfigError) as caught:
        Settings.from_mapping({key: value})

    shown = repr(value)
    if key in SECRET:
        shown = f"of type {type(value).__name__}"
        if isinstance(value, str):
            shown = f"a string of {len(value)} characters"
    if len(shown) > 200:
        shown = shown[:200] + "…"
    assert str(caught.value) == f"{key} is {shown}, but it {wants}."


def test_error_reads_as_a_sentence() -> None:
    """The error of a bare string, the most common slip, says all that is needed to mend it."""
    with pytest.raises(ConfigError) as caught:
        Settings.from_mapping({"TRACKING_EXCLUDE": "^/static/"})

    assert str(caught.value) == (
        "TRACKING_EXCLUDE is '^/static/', but it wants a list of regular expressions, "
        "like ['^/static/']."
    )


@pytest.mark.parametrize(
    "key",
    [
        "TRACKING_EXCLUDE",
        "TRACKING_EXCLUDE_BODY",
        "TRACKING_EXCLUDE_METHODS",
        "TRACKING_EXCLUDE_STATUS_CODES",
        "TRACKING_BODY_CONTENT_TYPES",
        "TRACKING_INDEXES",
    ],
)
def test_bare_string_is_no_list(key: str) -> None:
    """A string where a list is wanted is refused, and not taken for a list of its characters."""
    with pytest.raises(ConfigError, match=rf"^{key} is 'GET', but it wants a list of "):
        Settings.from_mapping({key: "GET"})


def test_long_value_is_shown_in_part() -> None:
    """Of a value that is very long the error shows the beginning."""
    with pytest.raises(ConfigError) as caught:
        Settings.from_mapping({"TRACKING_RETENTION": "x" * 5000})

    assert str(caught.value) == f"TRACKING_RETENTION is '{'x' * 199}…, but it wants 'capped' or 'ttl'."


@pytest.mark.parametrize("power", [400, 5000])
@pytest.mark.parametrize("key", ["TRACKING_MAX_BODY_LENGTH", "TRACKING_MIN_EXECUTION_TIME"])
def test_number_past_all_bounds_is_refused(key: str, power: int) -> None:
    """A number past what a float holds, or past what Python prints, is refused like any wrong one."""
    with pytest.raises(ConfigError, match=rf"^{key} is .+, but it wants a (whole )?number "):
        Settings.from_mapping({key: 10**power})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("mongo://worker:hunter2@db.example.com/shop", "str"),
        ("worker:hunter2@db.example.com", "str"),
        ("hunter2", "str"),
        ("", "str"),
        (b"mongodb://worker:hunter2@db.example.com", "bytes"),
        (["mongodb://worker:hunter2@db.example.com"], "list"),
        ({"host": "db", "password": "hunter2"}, "dict"),
        (False, "bool"),
    ],
)
def test_wrong_uri_is_never_quoted(value: object, kind: str) -> None:
    """The error of a wrong URI says what it got without showing the password, traceback included."""
    with pytest.raises(ConfigError) as caught:
        Settings.from_mapping({"TRACKING_MONGODB_URI": value})

    assert str(caught.value) == (
        f"TRACKING_MONGODB_URI is a {kind} that is no MongoDB URI, "
        "but it wants a URI like 'mongodb://127.0.0.1:27017/tracking'."
    )
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("TRACKING_EXCLUDES", "TRACKING_EXCLUDE"),
        ("TRACKING_EXCLUDE_METHOD", "TRACKING_EXCLUDE_METHODS"),
        ("TRACKING_MAX_BODY_SIZE", "TRACKING_MAX_BODY_LENGTH"),
        ("TRACKING_MONGO_URI", "TRACKING_MONGODB_URI"),
        ("TRACKING_ENABLE", "TRACKING_ENABLED"),
        ("TRACKING_TTL", "TRACKING_TTL_S"),
        ("TRACKING_SIZE", "TRACKING_TABLE_SIZE"),
        ("TRACKING_URI", "TRACKING_MONGODB_URI"),
        ("TRACKING_VERSION", "TRACKING_APP_VERSION"),
    ],
)
def test_unknown_key_warns_with_the_nearest_known_one(key: str, nearest: str) -> None:
    """A key that is not known is a warning that names the nearest known one and quotes no value."""
    with pytest.warns(UserWarning) as caught:
        settings = Settings.from_mapping({key: "hunter2", "TRACKING_COLLECTION": "web"})

    assert [str(warning.message) for warning in caught] == [
        f"{key} is not a setting of flask-tracking. Did you mean {nearest}?"
    ]
    assert settings == Settings(collection="web")


def test_unknown_key_like_no_other_points_to_the_docs() -> None:
    """A key that resembles no known one is a warning that says where all are listed."""
    key = "TRACKING_QUITE_SOMETHING_THAT_IS_UNLIKE_ANYTHING"
    with pytest.warns(UserWarning) as caught:
        Settings.from_mapping({key: 1})

    assert [str(warning.message) for warning in caught] == [
        f"{key} is not a setting of flask-tracking. The settings page of the docs lists all."
    ]


def test_warning_points_at_the_line_that_tracks() -> None:
    """The warning of an unknown key names the line that wrote ``Tracking(app)``."""
    app = Flask("shop")
    app.config.update(TRACKING_WORKER="sync", TRACKING_EXCLUDES=[])

    with pytest.warns(UserWarning, match="TRACKING_EXCLUDES") as caught:
        Tracking(app, exporter=MemoryExporter())

    assert caught[0].filename == __file__


def test_keys_without_the_prefix_are_left_alone() -> None:
    """Keys of others, Flask's own among them, neither warn nor matter."""
    config = {"DEBUG": True, "MAX_CONTENT_LENGTH": 1, "tracking_enabled": False, "MY_TRACKING_X": 1}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Settings.from_mapping(config) == Settings()
        assert Settings.from_mapping(Flask("shop").config) == Settings()


def test_environment_gives_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flask's own ``from_prefixed_env`` makes settings of environment variables."""
    monkeypatch.setenv("FLASK_TRACKING_ENABLED", "false")
    monkeypatch.setenv("FLASK_TRACKING_EXCLUDE", '["^/static/"]')
    monkeypatch.setenv("FLASK_TRACKING_FLUSH_INTERVAL_S", "0.5")
    app = Flask("shop")
    app.config.from_prefixed_env()

    settings = Settings.from_mapping(app.config)

    assert settings == Settings(enabled=False, exclude=(re.compile("^/static/"),), flush_interval_s=0.5)


def test_settings_are_frozen() -> None:
    """No setting can be changed or taken away, and none can be added."""
    settings = Settings()

    for field in dataclasses.fields(Settings):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(settings, field.name, None)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(settings, field.name)
    with pytest.raises((AttributeError, TypeError)):
        settings.colour = "red"  # type: ignore[attr-defined]


def test_settings_hold_nothing_that_can_change() -> None:
    """A list that is changed after it was read changes no setting."""
    patterns = ["^/static/"]
    settings = Settings.from_mapping({"TRACKING_EXCLUDE": patterns})

    patterns.append("^/")

    assert settings.exclude == (re.compile("^/static/"),)
    assert hash(settings) == hash(Settings.from_mapping({"TRACKING_EXCLUDE": ["^/static/"]}))


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda field: str(field.name))
def test_setting_explains_itself(field: dataclasses.Field[Any]) -> None:
    """Every setting has a key, a unit and a sentence for the reference page."""
    assert field.metadata["key"].startswith("TRACKING_")
    assert field.metadata["unit"]
    assert field.metadata["meaning"].endswith(".")
    assert field.metadata["check"](field.metadata["default"]) == field.default


def test_tracking_keys_are_ours_as_they_were() -> None:
    """The part of a config that is compared later has our keys, known or not, and no others."""
    config = {"TRACKING_ENABLED": True, "TRACKING_TYPO": 1, "DEBUG": True}

    ours = tracking_keys(config)
    config["TRACKING_ENABLED"] = False

    assert ours == {"TRACKING_ENABLED": True, "TRACKING_TYPO": 1}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("REDACT_LITERALS", "hunter2", "is a string of 7 characters, but it wants a list of strings"),
        ("REDACT_LITERALS", [5], "item 0 is not a string"),
        ("REDACT_HASH_KEY", "short", "is a string of 5 characters, but it wants a string of 16"),
        ("REDACT_NAMES", ["a", " "], "' ' has no letter or digit"),
        ("REDACT_ALLOW", ["pass*"], r"'pass\*' has a '\*'"),
        ("REDACT_CARDS", "off", r"TRACKING_REDACT_OFF=\['card'\]"),
    ],
)
def test_redaction_settings_say_what_is_wrong(key: str, value: Any, message: str) -> None:
    """A message names the entry and the reason, and no secret."""
    with pytest.raises(ConfigError, match=message) as raised:
        Settings.from_mapping({f"TRACKING_{key}": value})
    assert "hunter2" not in str(raised.value)


def test_an_argument_is_not_a_setting() -> None:
    """A key for the callback is pointed at the argument."""
    with pytest.warns(UserWarning, match=r"Pass it as Tracking\(app, redact=\.\.\.\)"):
        Settings.from_mapping({"TRACKING_REDACT_CALLBACK": print})


def test_secret_settings_are_not_shown() -> None:
    """What is secret of the settings is not in their repr."""
    settings = Settings.from_mapping(
        {
            "TRACKING_MONGODB_URI": "mongodb://ada:hunter2@db.example.com/shop",
            "TRACKING_REDACT_LITERALS": ["hunter2 is not a good one"],
            "TRACKING_REDACT_HASH_KEY": "hunter2 is not a good one",
        }
    )

    assert "hunter2" not in repr(settings)
