"""Where secrets may stand in a record: each field that strangers or the app filled, by its grammar."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from bson import Decimal128

from ...record import Headers, Record, Remark
from .bodies import WHOLE, Readers, Redacted
from .checks import TooLongError
from .engine import Span
from .headers import SECRET_HEADERS
from .look import TEXT_FIELDS, UNDECODABLE, Sight, is_cut
from .text import replace
from .values import MARKER, MARKS, Finding

LONGEST_MARK = 40
"""At least the bytes of any marker, also of other tools'."""
MAX_REMARKS = 200
"""Remarks that are kept for each record; the values are removed all the same."""
_SAFE_KEY = re.compile(r"[A-Za-z_][0-9A-Za-z_-]{0,39}")
_HARMLESS_VALUES = frozenset({"", "true", "false", "True", "False", "None", "null", "*", "?0", "?1"})
_LINE_ENDS = str.maketrans("\r\n", "  ")

PARSED_OF_AGENT = ("browser", "version", "platform", "browser_name", "platform_name")
"""What of a `UserAgent` was read from its string."""
_WORD = re.compile(r"[^\W_]+")


def safe_key(key: str, readers: Readers) -> str:
    """Return `key` as a remark may name it: nothing that could itself be a secret."""
    is_safe = _SAFE_KEY.fullmatch(key) and not readers.finder.find(key.encode())
    return key if is_safe else "*"


class RecordRedaction:
    """Goes through one record."""

    def __init__(self, record: Record, readers: Readers, version: str, max_body_bytes: int) -> None:
        self._readers = readers
        self._values = dict(vars(record))
        self._values["rules_version"] = version
        self._remarks: list[Remark] = list(record.redacted)
        self._is_cut = {side: is_cut(record, side) for side in ("request", "response")}
        self._max_body_bytes = max_body_bytes
        self._last_read: tuple[tuple[Any, ...], Redacted] | None = None

    def redact(self, sight: Sight) -> Record:
        """Return the record without its secrets, and with a remark for each.

        Args:
            sight: which parts of it are worth reading.
        """
        if sight.head:
            self._head()
        for side in ("request", "response"):
            spans = getattr(sight, f"{side}_body")
            if spans is None or spans:
                self._body(side, spans)
        self._values["redacted"] = tuple(self._remarks[:MAX_REMARKS])
        return Record.from_values(self._values)

    def _head(self) -> None:
        values = self._values
        for name in TEXT_FIELDS:
            values[name] = self._text(name, values[name])
        for name in ("request_headers", "response_headers"):
            values[name] = self._headers(name, values[name])
        values["query_params"] = self._form("query_params", values["query_params"])
        values["target"] = self._target(values["target"])
        self._view_args()
        self._agent()
        self._exception()
        values["custom_data"] = self._walk("custom_data", values["custom_data"])
        values["children"] = tuple(
            child._replace(
                name=self._text("children", child.name), error=self._text("children", child.error)
            )
            for child in values["children"]
        )

    def _remark(self, path: str, found: list[Finding], at: int = 0) -> None:
        self._remarks += [Remark(path, one.rule, at + one.start, one.end - one.start) for one in found]

    def _text(self, path: str, text: Any) -> Any:
        if not text:
            return text
        data = text.encode("utf-8", "surrogatepass")
        if not self._readers.finder.scan(data):
            return text
        try:
            found = self._readers.find_text(data)
        except TooLongError:
            found = [Finding(0, len(data), "unreadable")]
        return self._replaced(path, text, data, found)

    def _replaced(self, path: str, text: str, data: bytes, found: list[Finding], at: int = 0) -> str:
        if not found:
            return text
        self._readers.path = path
        found = self._readers.settle(data, found)
        self._remark(path, found, at)
        return replace(data, found).decode("utf-8", "replace")

    def _form(self, path: str, text: str | None, at: int = 0) -> str | None:
        """Redact a form; `at` is where it begins in the value at `path`."""
        if not text:
            return text
        data = text.encode("utf-8", "surrogatepass")
        try:
            found = self._readers.find_form(data)
        except TooLongError:
            found = [Finding(0, len(data), "unreadable")]
        return self._replaced(path, text, data, found, at)

    def _target(self, target: str | None) -> str | None:
        if not target:
            return target
        path, mark, query = target.partition("?")
        at = len(f"{path}?".encode("utf-8", "surrogatepass"))
        return f"{self._form('target', path)}{mark}{self._form('target', query, at) or ''}"

    def _hide(self, path: str, value: str) -> str:
        data = value.encode("utf-8", "surrogatepass")
        if value in _HARMLESS_VALUES or MARKS.fullmatch(data):
            return value
        return self._replaced(path, value, data, [Finding(0, len(data), "name")])

    def _headers(self, headers: str, pairs: Headers) -> Headers:
        redacted = []
        for name, value in pairs:
            path = f"{headers}.{safe_key(name, self._readers)}"
            if name.title() in SECRET_HEADERS:
                redacted.append((name, value))
                continue
            value = self._hide(path, value) if self._is_secret(name) else self._text(path, value)
            redacted.append((self._text(headers, name), value))
        return tuple(redacted)

    def _is_secret(self, name: str) -> bool:
        return self._readers.names.is_sensitive(name)

    def _view_args(self) -> None:
        """Hide sensitive arguments of the view, and where they stand in the path."""
        values = self._values
        if not values["view_args"]:
            return
        hidden = {}
        for key, value in values["view_args"].items():
            path = f"view_args.{safe_key(key, self._readers)}"
            hidden[key] = self._hide(path, value) if self._is_secret(key) else self._text(path, value)
            if hidden[key] != value:
                values["path"] = self._without_argument(values["path"], value)
                values["target"] = self._without_argument(values["target"], value)
                for name in ("request_headers", "response_headers"):
                    values[name] = _without_link(values[name], value)
        values["view_args"] = hidden

    def _without_argument(self, path: str | None, value: str) -> str | None:
        """Hide an argument of the view in a path; a path that says it in another way is left out."""
        if not path:
            return path
        shorter = _without_segment(path, value)
        if shorter != path or MARKER in path:
            return shorter
        rule, (_, mark, query) = self._values["url_rule"] or MARKER, path.partition("?")
        return f"{rule}{mark}{query}"

    def _agent(self) -> None:
        agent = self._values["user_agent"]
        if agent is None:
            return
        changed = {
            "string": self._text("user_agent.string", agent.string),
            "language": self._text("user_agent.language", agent.language),
        }
        if changed["string"] != agent.string:
            # Names and version were read from it, and may be what was removed.
            for name in PARSED_OF_AGENT:
                value = getattr(agent, name)
                if value is not None and _is_removed(value, agent.string, changed["string"]):
                    changed[name] = self._hide(f"user_agent.{name}", value)
        self._values["user_agent"] = agent._replace(**changed)

    def _exception(self) -> None:
        error = self._values["exception"]
        if error is not None:
            self._values["exception"] = error._replace(
                **{
                    name: self._text(f"exception.{name}", getattr(error, name))
                    for name in error._fields
                }
            )

    def _walk(self, path: str, value: Any) -> Any:
        """Redact custom data at any depth."""
        if isinstance(value, dict):
            return {self._text(path, key): self._item(path, key, item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._walk(f"{path}[{at}]", item) for at, item in enumerate(value)]
        if isinstance(value, str):
            return self._text(path, value)
        if isinstance(value, bytes):
            self._readers.path = path
            redacted = self._readers.redact_body(value, "", False)
            self._remark(path, redacted.found)
            return redacted.body
        if isinstance(value, (int, float, Decimal128)) and not isinstance(value, bool):
            text = str(value)
            hidden = self._text(path, text)
            return value if hidden == text else hidden
        return value

    def _item(self, path: str, key: str, item: Any) -> Any:
        path = f"{path}.{safe_key(key, self._readers)}"
        if (
            not self._is_secret(key)
            or item is None
            or isinstance(item, bool)
            or item in ("", {}, [], b"")
        ):
            return self._walk(path, item)
        return self._hide(path, item if isinstance(item, str) else repr(item))

    def _read_body(self, name: str, *read: Any) -> Redacted:
        """Read a body once where the response is what was sent."""
        if self._last_read is None or self._last_read[0] != read or not self._readers.are_plain:
            self._readers.path = name
            self._last_read = (read, self._readers.redact_body(*read))
        return self._last_read[1]

    def _body(self, side: str, spans: Sequence[Span] | None) -> None:
        values = self._values
        name, note = f"{side}_body", f"{side}_body_note"
        if values[note] == UNDECODABLE:
            self._remarks.append(Remark(name, "unreadable", 0, len(values[name])))
            values[name] = b""
            return
        kind = _find_content_type(values[f"{side}_headers"])
        redacted = self._read_body(name, values[name], kind, self._is_cut[side], spans)
        self._remark(name, redacted.found)
        values[name] = cut_body(redacted.body, self._max_body_bytes)
        if redacted.note == WHOLE:
            values[note] = WHOLE
        elif len(values[name]) < len(redacted.body):
            values[note] = values[note] or "truncated"


def _is_removed(value: str, before: str, after: str) -> bool:
    """Tell whether a part of `value` was read from the text `before`, and is not in it `after`."""
    return any(part in before and part not in after for part in _WORD.findall(value))


def _find_content_type(headers: Headers) -> str:
    for name, value in headers:
        if len(name) == 12 and name.lower() == "content-type":
            return value
    return ""


def cut_body(body: bytes, limit: int) -> bytes:
    """Cut a redacted body, and no marker in two."""
    if len(body) <= limit:
        return body
    around = max(0, limit - LONGEST_MARK)
    split = next((mark for mark in MARKS.finditer(body, around) if mark.end() > limit), None)
    return body[: limit if split is None else min(limit, split.start())]


def _ways_to_write(value: str) -> set[str]:
    """Return how the value of an argument may stand in a path."""
    return {value, quote(value, safe=""), quote(value)}


def _without_link(headers: Headers, value: str) -> Headers:
    """Hide an argument of the view where a header links to it: ``Referer`` and ``Location`` do."""
    ways = "|".join(re.escape(way) for way in _ways_to_write(value) if way)
    segment = re.compile(rf"(?<=/)(?:{ways})(?=[/?#;,>\"' ]|\Z)")
    return tuple((name, segment.sub(MARKER, text) if "/" in text else text) for name, text in headers)


def _without_segment(path: str, value: str) -> str:
    for way in _ways_to_write(value):
        if len(way) >= 4:
            path = path.replace(way, MARKER)
    return "/".join(
        MARKER if segment and segment in (value, quote(value)) else segment
        for segment in path.split("/")
    )
