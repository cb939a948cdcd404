"""The settings: read and checked once, from ``app.config``.

Each setting is a field of `Settings`, which holds everything about it: the key, the unit, the default,
the check, and the text for the reference page.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import ConfigError, FilterError
from ..filters import Filter
from ..filters.summaries import is_rule

__all__ = ["Settings"]

PREFIX = "TRACKING_"
MAX_NUMBER = 1e15
"""The largest time in seconds or milliseconds. More would be thousands of years, so it is an error."""
MAX_SIZE_BYTES = 2**50
"""The largest capped collection that MongoDB creates."""
MAX_BODY_BYTES = 8 * 1024 * 1024
REDACTION_MARGIN = 4096
"""Bytes of a body that the redactor reads beyond the stored part."""
_PYTHON = re.compile(r"(?:True|False|None)$|[\[{(]")
"""A Python literal in a string: the value comes from the environment."""
_AS_JSON = """in an environment variable write it as JSON, like true or ["a", "b"]"""
METHOD = re.compile(r"[A-Za-z][A-Za-z_-]{0,39}")

TEXT_CONTENT_TYPES = (
    "text/*",
    "application/json",
    "application/*+json",
    "application/x-ndjson",
    "application/xml",
    "application/*+xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/graphql",
    "application/javascript",
    "application/yaml",
)
"""Media types of text, whose bodies are stored by default."""


class _Wrong(ValueError):
    """A failed check; the message says what the setting expects instead."""


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("wants True or False")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _Wrong("wants a string that is not empty")
    return value


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _mongodb_uri(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.startswith(("mongodb://", "mongodb+srv://")):
        raise _Wrong("wants a URI like 'mongodb://127.0.0.1:27017/tracking'")
    return value


def _collection_name(value: Any) -> str:
    name = _text(value)
    if "$" in name or "\0" in name or name.startswith((".", "system.")) or name.endswith("."):
        raise _Wrong("wants the name of a MongoDB collection, like 'tracking'")
    return name


def _url_prefix(value: Any) -> str:
    is_path = isinstance(value, str) and re.fullmatch(r"(?:/[A-Za-z0-9._~-]+)+", value) is not None
    if not is_path:
        raise _Wrong("wants a path like '/_tracking', without a slash at its end")
    return str(value)


def _integer(least: int, most: int | None = None, *, or_zero: bool = False) -> Callable[[Any], int]:
    bounds = f"of {least} or more" if most is None else f"from {least} to {most}"
    if or_zero:
        bounds += ", or 0"

    def check(value: Any) -> int:
        if or_zero and value == 0 and isinstance(value, int) and not isinstance(value, bool):
            return 0
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise _Wrong(f"wants a whole number {bounds}")
        if most is not None and value > most:
            raise _Wrong(f"wants a whole number {bounds}")
        return value

    return check


def _directory(value: Any) -> str | None:
    if value is None:
        return None
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str) or not os.path.isabs(path) or "\0" in path:
        # Commands and servers may be started in different folders.
        raise _Wrong("wants the absolute path of a directory, like '/var/spool/shop'")
    return path


def _collection_size(*, or_zero: bool = False) -> Callable[[Any], int]:
    check = _integer(4096, or_zero=or_zero)

    def check_size(value: Any) -> int:
        size = check(value)
        if size > MAX_SIZE_BYTES:
            raise _Wrong("wants 2**50 bytes or less, the most that MongoDB takes")
        return size

    return check_size


def _number(least: float, most: float = MAX_NUMBER, *, above: bool = False) -> Callable[[Any], float]:
    bounds = f"above {least:g}" if above else f"of {least:g} or more"
    if most < MAX_NUMBER:
        bounds = f"from {least:g} to {most:g}"

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _Wrong(f"wants a number {bounds}")
        if value > most == MAX_NUMBER:
            raise _Wrong(f"wants a number {bounds}, and no more than {most:g}")
        if not least <= value <= most or (above and value == least):
            raise _Wrong(f"wants a number {bounds}")
        return float(value)

    return check


def _one_of(*choices: str, hint: str = "") -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise _Wrong("wants " + " or ".join(repr(choice) for choice in choices) + hint)
        return str(value)

    return check


def _items(value: Any, wants: str) -> Iterable[Any]:
    # A bare string is iterable too: '^/static/' would become nine patterns of one character.
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise _Wrong(wants)
    return value


def _patterns(value: Any) -> tuple[re.Pattern[str], ...]:
    wants = "wants a list of regular expressions, like ['^/static/']"
    patterns = []
    for item in _items(value, wants):
        if isinstance(item, re.Pattern) and isinstance(item.pattern, str):
            patterns.append(item)
            continue
        if not isinstance(item, str):
            raise _Wrong(f"{wants}; {item!r} is not one")
        try:
            patterns.append(re.compile(item))
        except (re.error, OverflowError) as error:
            raise _Wrong(f"{wants}; {item!r} does not compile: {error}") from None
    return tuple(patterns)


def _methods(value: Any) -> frozenset[str]:
    wants = "wants a list of HTTP methods, like ['OPTIONS', 'HEAD']"
    methods = list(_items(value, wants))
    if not all(isinstance(item, str) and METHOD.fullmatch(item) for item in methods):
        raise _Wrong(wants)
    return frozenset(item.upper() for item in methods)


def _status_codes(value: Any) -> frozenset[int]:
    wants = "wants a list of status codes from 100 to 599, like [304, 404]"
    codes = list(_items(value, wants))
    for item in codes:
        if isinstance(item, bool) or not isinstance(item, int) or not 100 <= item <= 599:
            raise _Wrong(f"{wants}; {item!r} is not one")
    return frozenset(codes)


def _content_types(value: Any) -> tuple[str, ...]:
    wants = "wants a list of media types, like ['application/json', 'text/*']"
    types = list(_items(value, wants))
    if not all(isinstance(item, str) and "/" in item for item in types):
        raise _Wrong(wants)
    return tuple(item.lower() for item in types)


def _list_of(what: str, example: str) -> Callable[[Any], tuple[str, ...]]:
    wants = f"wants a list of {what}, like ['{example}']"

    def check(value: Any) -> tuple[str, ...]:
        names = list(_items(value, wants))
        for item in names:
            if not isinstance(item, str):
                raise _Wrong(f"{wants}; {item!r} is not a string")
            # A name without a letter or digit would match every name.
            if not any(map(str.isalnum, item)):
                raise _Wrong(f"{wants}; {item!r} has no letter or digit")
            if "*" in item:
                raise _Wrong(f"{wants}; {item!r} has a '*', which stands for nothing there")
        return tuple(names)

    return check


def _indexes(value: Any) -> tuple[tuple[tuple[str, int], ...], ...]:
    wants = "wants a list of index specs, like ['user_id', ['status_code', '-date_created']]"
    specs = []
    for item in _items(value, wants):
        keys = [item] if isinstance(item, str) else list(_items(item, wants))
        if not keys or not all(isinstance(key, str) and key.lstrip("+-") for key in keys):
            raise _Wrong(f"{wants}; {item!r} is not one")
        specs.append(tuple((key.lstrip("+-"), -1 if key[0] == "-" else 1) for key in keys))
    return tuple(specs)


def _literals(value: Any) -> tuple[str, ...]:
    wants = "wants a list of strings of 16 characters or more, 10 of them different"
    literals = list(_items(value, wants))
    for at, item in enumerate(literals):
        if not isinstance(item, str):
            raise _Wrong(f"{wants}; item {at} is not a string")
    return tuple(literals)


def _mapping(value: Any, wants: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        raise _Wrong(wants)
    if not all(isinstance(item, str) and item for pair in value.items() for item in pair):
        raise _Wrong(wants)
    return tuple(value.items())


def _redact_patterns(value: Any) -> tuple[tuple[str, str], ...]:
    wants = "wants a dict of regular expressions as strings, by id, like {'badge': 'B-[0-9]{8}'}"
    return _mapping(value, wants)


def _redact_actions(value: Any) -> tuple[tuple[str, str], ...]:
    wants = "wants a dict of 'remove', 'tail' or 'hash' by the id of a format, like {'card': 'tail'}"
    actions = _mapping(value, wants)
    if not {action for _, action in actions} <= {"remove", "tail", "hash"}:
        raise _Wrong(wants)
    return actions


def _filters(value: Any) -> tuple[tuple[str, Filter], ...]:
    wants = "wants a dict of filters by name, like {'mine': 'user:42 since:1d'}"
    texts = _mapping(value, wants)
    return tuple((name, _filter(text, f"{wants}; {name!r} is wrong")) for name, text in texts)


def _filter(text: str, wants: str) -> Filter:
    try:
        return Filter.parse(text)
    except FilterError as error:
        raise _Wrong(f"{wants}: {error.message.removesuffix('.')}") from None


def _rules(value: Any) -> tuple[Filter, ...]:
    wants = "wants a list of filters, like ['route:/payments/* status:4xx']"
    rules = []
    for item in _items(value, wants):
        if not isinstance(item, str) or not item.strip():
            raise _Wrong(f"{wants}; {item!r} is not one")
        rule = _filter(item, f"{wants}; {item!r} is wrong")
        if not is_rule(rule.condition):
            raise _Wrong(
                f"{wants}; {item!r} asks for more than a rule knows: only status, method, route, slow, "
                "outcome and is:error"
            )
        rules.append(rule)
    return tuple(rules)


def _hash_key(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value) < 16):
        raise _Wrong("wants a string of 16 characters or more")
    return value


ARGUMENTS = frozenset(
    {
        "exporter",
        "user_repr",
        "user_loader",
        "redact",
        "on_record",
        "dashboard_access",
        "dashboard_nonce",
    }
)
"""Arguments of `Tracking` that are not settings."""
SECRET_KEYS = frozenset({"MONGODB_URI", "REDACT_LITERALS", "REDACT_HASH_KEY"})
"""Settings that are or contain secrets. They are never printed."""


def _setting(key: str, check: Callable[[Any], Any], default: Any, unit: str, meaning: str) -> Any:
    """Make the field of one setting; `default` is written as a user would write it."""
    metadata = {
        "key": PREFIX + key,
        "check": check,
        "default": default,
        "unit": unit,
        "meaning": meaning,
    }
    return dataclasses.field(default=check(default), repr=key not in SECRET_KEYS, metadata=metadata)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one app, checked and immutable.

    The fields are named with their units; the keys in ``app.config`` keep the classic names. The
    reference page lists every key with its unit, default and meaning.

    .. versionadded:: 2.0
    """

    enabled: bool = _setting(
        "ENABLED",
        _boolean,
        True,
        "bool",
        "False records nothing. The commands still work, and `tracking.span` does nothing.",
    )
    mongodb_uri: str | None = _setting(
        "MONGODB_URI",
        _mongodb_uri,
        None,
        "str",
        "The MongoDB to write to. None uses the settings of the app's own MongoEngine connection. A "
        "URI without a database means the database `tracking`.",
    )
    db_alias: str = _setting(
        "DB_ALIAS",
        _text,
        "default",
        "str",
        "The MongoEngine connection whose settings are used if no URI is set.",
    )
    collection: str = _setting(
        "COLLECTION",
        _collection_name,
        "tracking",
        "str",
        "The name of the collection; with `_kept` appended, that of the kept records, with `_rollup` "
        "that of the rollups.",
    )
    exclude: tuple[re.Pattern[str], ...] = _setting(
        "EXCLUDE",
        _patterns,
        [],
        "list of regex",
        "Paths that are not tracked at all, matched with `re.match` against the request's path.",
    )
    exclude_body: tuple[re.Pattern[str], ...] = _setting(
        "EXCLUDE_BODY",
        _patterns,
        [],
        "list of regex",
        "Paths whose request and response bodies are never copied, for paths with sensitive data.",
    )
    exclude_health_checks: bool = _setting(
        "EXCLUDE_HEALTH_CHECKS",
        _boolean,
        False,
        "bool",
        "True tracks no requests to well-known health check paths, like `/healthz`, and none from "
        "health check programs, like `kube-probe`.",
    )
    exclude_methods: frozenset[str] = _setting(
        "EXCLUDE_METHODS", _methods, [], "list of str", "HTTP methods whose requests are dropped."
    )
    exclude_status_codes: frozenset[int] = _setting(
        "EXCLUDE_STATUS_CODES",
        _status_codes,
        [],
        "list of int",
        "Status codes whose requests are dropped, unless they took `TRACKING_MIN_EXECUTION_TIME` or "
        "longer.",
    )
    min_execution_time_ms: float = _setting(
        "MIN_EXECUTION_TIME",
        _number(0),
        0,
        "ms",
        "A request with an excluded status code is stored if it took this long or longer; 0 = never.",
    )
    drop: tuple[Filter, ...] = _setting(
        "DROP",
        _rules,
        [],
        "list of filters",
        "Requests that one of these filters selects are dropped. The terms `status`, `method`, "
        "`route`, `slow`, `outcome` and `is:error` are possible.",
    )
    keep: tuple[Filter, ...] = _setting(
        "KEEP",
        _rules,
        [],
        "list of filters",
        "Requests that one of these filters selects are stored whatever `TRACKING_SAMPLE_RATE` says, "
        "and kept. The same terms are possible as in `TRACKING_DROP`.",
    )
    sample_rate: float = _setting(
        "SAMPLE_RATE",
        _number(0, 1),
        1.0,
        "0 to 1",
        "The share of routine requests that is stored. Failed, slow and disconnected requests, and "
        "those that your code keeps, are always stored. The trace id decides, as in OpenTelemetry's "
        "`TraceIdRatioBased`.",
    )
    sample_parent: bool = _setting(
        "SAMPLE_PARENT",
        _boolean,
        False,
        "bool",
        "True lets the sampled flag of an incoming `traceparent` header decide instead of "
        "`TRACKING_SAMPLE_RATE`. Any client can set this flag: use it only if all callers are "
        "trusted.",
    )
    slow_ms: float = _setting(
        "SLOW_MS",
        _number(0, above=True),
        1000,
        "ms",
        "A request that takes this long or longer is slow: it is stored whatever "
        "`TRACKING_SAMPLE_RATE` says, and kept longer than routine ones.",
    )
    max_body_bytes: int = _setting(
        "MAX_BODY_LENGTH",
        _integer(0, MAX_BODY_BYTES),
        65_536,
        "bytes",
        "The part of each body that is stored; 0 = no bodies.",
    )
    body_content_types: tuple[str, ...] = _setting(
        "BODY_CONTENT_TYPES",
        _content_types,
        list(TEXT_CONTENT_TYPES),
        "list of str",
        "Media types whose bodies are stored; `*` matches anything. For other types only the size "
        "is stored. A body without a type is stored.",
    )
    redact: bool = _setting(
        "REDACT",
        _boolean,
        True,
        "bool",
        "False stores secrets unchanged, except the values of `Authorization`, "
        "`Proxy-Authorization`, `Cookie` and `Set-Cookie`.",
    )
    redact_names: tuple[str, ...] = _setting(
        "REDACT_NAMES",
        _list_of("names", "tax_id"),
        [],
        "list of str",
        "Additional names whose values are removed, like `tax id`; true, false, null and empty "
        "values stay. Names match word by word, regardless of case, `-`, `_` or camelCase.",
    )
    redact_allow: tuple[str, ...] = _setting(
        "REDACT_ALLOW",
        _list_of("names", "session_id"),
        [],
        "list of str",
        "Names whose values stay, each the whole name, like `session_id`. A value with the format "
        "of a secret is removed anyway.",
    )
    redact_off: tuple[str, ...] = _setting(
        "REDACT_OFF",
        _list_of("ids of formats", "card"),
        [],
        "list of str",
        "Ids of formats to turn off, like `card`; `flask tracking redact formats` lists them.",
    )
    redact_patterns: tuple[tuple[str, str], ...] = _setting(
        "REDACT_PATTERNS",
        _redact_patterns,
        {},
        "dict of regex by id",
        "Additional formats. The match is removed, or its group `s` if there is one. Use only "
        "syntax that both `re` and RE2 support.",
    )
    redact_literals: tuple[str, ...] = _setting(
        "REDACT_LITERALS",
        _literals,
        [],
        "list of str",
        "Known secrets, removed wherever they appear; the app's `SECRET_KEY` is added "
        "automatically. Each needs 16 characters or more, 10 of them different.",
    )
    redact_cards: str = _setting(
        "REDACT_CARDS",
        _one_of("checked", "strict", hint="; TRACKING_REDACT_OFF=['card'] turns the format off"),
        "checked",
        "'checked' or 'strict'",
        "`checked` recognises a card number by its issuer, length and checksum; `strict` also "
        "requires a word like `card` near it.",
    )
    redact_actions: tuple[tuple[str, str], ...] = _setting(
        "REDACT_ACTIONS",
        _redact_actions,
        {},
        "dict of str by id",
        "The replacement of a secret, by the id of a format or pattern, by `name` (sensitive "
        "names), `header` (cookies and credentials), `literal` (known secrets) or `*` (the rest): "
        "`remove`, `tail` (keeps the last 4 characters) or `hash` (the same secret gives the same 8 "
        "characters).",
    )
    redact_hash_key: str | None = _setting(
        "REDACT_HASH_KEY",
        _hash_key,
        None,
        "str",
        "The key for `hash`, a secret of this installation with 16 characters or more. Without it, "
        "`hash` removes.",
    )
    load_user: bool = _setting(
        "LOAD_USER",
        _boolean,
        False,
        "bool",
        "True loads the Flask-Login user after the response was made, if the view did not load it; "
        "this may cost a query per request.",
    )
    retention: str = _setting(
        "RETENTION",
        _one_of("capped", "ttl"),
        "capped",
        "'capped' or 'ttl'",
        "`capped` = a collection of fixed maximum size; `ttl` = an ordinary, shardable collection "
        "with an index that expires records.",
    )
    table_size_bytes: int = _setting(
        "TABLE_SIZE",
        _collection_size(),
        104_857_600,
        "bytes",
        "The size of the capped collection; the default holds about 46,000 typical records.",
    )
    max_documents: int = _setting(
        "MAX_DOCUMENTS",
        _integer(1, 2**31 - 1),
        1_000_000,
        "int",
        "The maximum number of records in the capped collection. With the default size and ordinary "
        "records, the size is reached first; for sizes of 2 GB and more raise it.",
    )
    kept_size_bytes: int = _setting(
        "KEPT_SIZE",
        _collection_size(or_zero=True),
        20_971_520,
        "bytes",
        "The size of the second capped collection, with a copy of each record that failed, was slow "
        "or was kept by code; the default holds about 9,000 typical records. 0 = no second "
        "collection.",
    )
    ttl_s: int = _setting(
        "TTL_S",
        _integer(1, 2**31 - 1),
        604_800,
        "s",
        "The lifetime of a record with `ttl`. A change is applied to the existing index.",
    )
    rollup_days: int = _setting(
        "ROLLUP_DAYS",
        _integer(0, 36_500),
        400,
        "days",
        "The lifetime of the daily rollups: the counts and durations of all requests by route. 0 = no "
        "rollups.",
    )
    indexes: tuple[tuple[tuple[str, int], ...], ...] = _setting(
        "INDEXES",
        _indexes,
        [],
        "list of index specs",
        "Indexes in addition to `date_created` and `date_stored`, each a field or a list of fields, "
        "`-` for descending. Each makes writing slower.",
    )
    filters: tuple[tuple[str, Filter], ...] = _setting(
        "FILTERS",
        _filters,
        {},
        "dict of filters by name",
        "Saved filters, for the option `--saved NAME` of the commands and a menu of the dashboard.",
    )
    worker: str = _setting(
        "WORKER",
        _one_of("batch", "sync"),
        "batch",
        "'batch' or 'sync'",
        "`batch` stores from a background thread; `sync` stores inside the request, for tests, "
        "scripts and servers that allow no threads.",
    )
    queue_records: int = _setting(
        "QUEUE_RECORDS",
        _integer(1),
        10_000,
        "int",
        "The maximum number of records waiting in memory; beyond that the oldest is dropped and "
        "counted.",
    )
    queue_bytes: int = _setting(
        "QUEUE_BYTES",
        _integer(1024),
        67_108_864,
        "bytes",
        "The maximum memory of the waiting records; beyond that the oldest is dropped and counted.",
    )
    batch_records: int = _setting(
        "BATCH_RECORDS",
        _integer(1, 10_000),
        100,
        "int",
        "The number of records sent at once; a full batch wakes the worker.",
    )
    flush_interval_s: float = _setting(
        "FLUSH_INTERVAL_S",
        _number(0, above=True),
        1.0,
        "s",
        "The maximum time a record waits before it is sent.",
    )
    export_timeout_s: float = _setting(
        "EXPORT_TIMEOUT_S",
        _number(0, above=True),
        5.0,
        "s",
        "The time limit of each call to the database. With the `batch` worker no request waits for it.",
    )
    shutdown_timeout_s: float = _setting(
        "SHUTDOWN_TIMEOUT_S",
        _number(0),
        2.0,
        "s",
        "The maximum time that the exit of the process waits for the records still in memory.",
    )
    spool_dir: str | None = _setting(
        "SPOOL_DIR",
        _directory,
        None,
        "path",
        "The directory where records wait on disk that the database does not take now, and those left "
        "when the process ends. It is created when it is needed. None = they wait in memory.",
    )
    spool_bytes: int = _setting(
        "SPOOL_BYTES",
        _integer(1_048_576),
        268_435_456,
        "bytes",
        "The maximum size of an app's files in the spool, for all its processes together; beyond that "
        "the oldest routine records are dropped and counted, kept ones last.",
    )
    dashboard: bool = _setting(
        "DASHBOARD",
        _boolean,
        False,
        "bool",
        "True adds the [dashboard](dashboard.md) to the app. It is closed unless "
        "`Tracking(dashboard_access=...)` lets someone in, or the app runs in debug mode on your own "
        "machine.",
    )
    dashboard_url_prefix: str = _setting(
        "DASHBOARD_URL_PREFIX",
        _url_prefix,
        "/_tracking",
        "str",
        "The path of the dashboard. Requests to it are not recorded.",
    )
    app_version: str | None = _setting(
        "APP_VERSION",
        _optional_text,
        None,
        "str",
        "Stored in each record, so that you can compare releases.",
    )

    @property
    def copied_body_bytes(self) -> int:
        """Maximum bytes of each body to copy.

        With redaction this is more than the stored part: whether the text at the cut is a secret may
        only be clear from the text after it.
        """
        return self.max_body_bytes + REDACTION_MARGIN * (self.redact and self.max_body_bytes > 0)

    @property
    def excluded_paths(self) -> tuple[re.Pattern[str], ...]:
        """`exclude`, and the dashboard's own paths."""
        if not self.dashboard:
            return self.exclude
        return (*self.exclude, re.compile(re.escape(self.dashboard_url_prefix) + "(?:/|$)"))

    @property
    def kept_collection(self) -> str:
        """The name of the collection of kept records."""
        return f"{self.collection}_kept"

    @property
    def rollup_collection(self) -> str:
        """The name of the collection of rollups."""
        return f"{self.collection}_rollup"

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> Settings:
        """Read and check the ``TRACKING_*`` keys of `config`.

        Args:
            config: ``app.config`` or any mapping. Keys without the prefix are ignored.

        Raises:
            ConfigError: a value is invalid; the message names the key, the value and what is expected.

        Warns:
            UserWarning: a ``TRACKING_*`` key is unknown; the message names the nearest known one.
        """
        fields = {field.metadata["key"]: field for field in dataclasses.fields(cls)}
        values = {}
        for key, value in config.items():
            if not key.startswith(PREFIX):
                continue
            if key not in fields:
                _warn_unknown(key, fields)
                continue
            values[fields[key].name] = check_setting(key, value)
        return cls(**values)


def check_setting(key: str, value: Any, *, shown_as: str | None = None) -> Any:
    """Check `value` and return the setting for a known `key`.

    Args:
        key: a known ``TRACKING_*`` key.
        value: as a user writes it.
        shown_as: a name for the key in the error, by default the key itself.

    Raises:
        ConfigError: the value is invalid; the message names the key, the value and what is expected.
    """
    try:
        return _CHECKS[key](value)
    except _Wrong as wrong:
        is_python = isinstance(value, str) and _PYTHON.match(value)
        wants = f"{wrong}; {_AS_JSON}" if is_python else wrong
        raise ConfigError(f"{shown_as or key} is {_shown(key, value)}, but it {wants}.") from None


_CHECKS: dict[str, Callable[[Any], Any]] = {
    field.metadata["key"]: field.metadata["check"] for field in dataclasses.fields(Settings)
}


def tracking_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``TRACKING_*`` part of `config`, for a later comparison."""
    return {key: value for key, value in config.items() if key.startswith(PREFIX)}


def find_changed_keys(before: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Return the ``TRACKING_*`` keys of `config` that are not as they were, sorted.

    Args:
        before: what `tracking_keys` returned.
        config: ``app.config`` as it is now.
    """
    now = tracking_keys(config)
    return sorted(key for key in now.keys() | before.keys() if now.get(key) != before.get(key))


def _shown(key: str, value: Any) -> str:
    # A URI may contain a password, so the message does not quote it.
    if key == "TRACKING_MONGODB_URI":
        return f"a {type(value).__name__} that is no MongoDB URI"
    if key.removeprefix(PREFIX) in SECRET_KEYS:
        is_text = isinstance(value, str)
        return f"a string of {len(value)} characters" if is_text else f"of type {type(value).__name__}"
    try:
        text = repr(value)
    except ValueError:  # Python prints no integers of more than 4,300 digits
        return f"a {type(value).__name__} without end"
    return text if len(text) <= 200 else text[:200] + "…"


def _warn_unknown(key: str, known: Iterable[str]) -> None:
    # Compare without the prefix, which makes all keys similar.
    names, name = [one.removeprefix(PREFIX) for one in known], key.removeprefix(PREFIX)
    nearest = [one for one in names if one.endswith(f"_{name}")]
    nearest = nearest or difflib.get_close_matches(name, names, n=1)
    argument = name.lower().removesuffix("_callback")
    if argument in ARGUMENTS:
        hint = f"Pass it as Tracking(app, {argument}=...)."
    elif nearest:
        hint = f"Did you mean {PREFIX}{nearest[0]}?"
    else:
        hint = "The settings page of the docs lists all."
    warnings.warn(f"{key} is not a setting of flask-tracking. {hint}", UserWarning, stacklevel=5)
