"""Where secrets may stand in a record: each field that strangers or the app filled, by its grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from ...record import Headers, Record, Remark
from .bodies import WHOLE, Readers
from .headers import SECRET_HEADERS
from .names import Names
from .text import replace
from .values import MARKER, MARKS, Finding

MAX_REMARKS = 200
"""Remarks that are kept for each record; the values are removed all the same."""
UNDECODABLE = "undecodable"
_TEXT_FIELDS = ("host", "path", "request_id", "user_id", "user_repr", "http_version", "method")
_SAFE_KEY = re.compile(r"[A-Za-z_][0-9A-Za-z_-]{0,39}")
_HARMLESS_VALUES = frozenset({"", "true", "false", "True", "False", "None", "null", "*", "?0", "?1"})
_LINE_ENDS = str.maketrans("\r\n", "  ")


def gather(record: Record, names: Names) -> bytes | None:
    """Return all text of a record in which there may be a secret; None where one is by its name."""
    for headers in (record.request_headers, record.response_headers):
        if any(names.is_sensitive(name) and name.title() not in SECRET_HEADERS for name, _ in headers):
            return None
    notes = (record.request_body_note, record.response_body_note)
    if UNDECODABLE in notes or ("truncated" in notes and record.rules_version is None):
        return None
    texts = [value for name in _TEXT_FIELDS if (value := getattr(record, name))]
    for headers in (record.request_headers, record.response_headers):
        # What is left of these are names of cookies and schemes.
        texts += [value for name, value in headers if name.title() not in SECRET_HEADERS]
    texts += filter(None, (record.query_params, record.target))
    texts += [f"{key}={value}" for key, value in (record.view_args or {}).items()]
    if record.exception is not None:
        texts += record.exception
    if record.custom_data is not None:
        texts += _flatten(record.custom_data)
    texts += [f"{child.name}\n{child.error}" for child in record.children]
    text = "\n".join(texts).encode("utf-8", "surrogatepass")
    if (
        "multipart/" in text[:10_000].decode("latin-1")
        or b"\0" in record.request_body + record.response_body
    ):
        return None
    return b"\n".join((text, record.request_body, record.response_body))


def _flatten(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{key}="
            yield from _flatten(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _flatten(item)
    elif isinstance(value, bytes):
        yield value.decode("latin-1")
    elif value is not None:
        yield str(value)


def safe_key(key: str, readers: Readers) -> str:
    """Return `key` as a remark may name it: nothing that could itself be a secret."""
    is_safe = _SAFE_KEY.fullmatch(key) and not readers.finder.find(key.encode())
    return key if is_safe else "*"


class RecordRedaction:
    """Goes through one record."""

    def __init__(self, record: Record, readers: Readers, version: str) -> None:
        self._record = record
        self._readers = readers
        self._values = dict(vars(record))
        self._values["rules_version"] = version
        self._remarks: list[Remark] = list(record.redacted)
        self._is_first = record.rules_version is None

    def redact(self) -> Record:
        """Return the record without its secrets, and with a remark for each."""
        values = self._values
        for name in _TEXT_FIELDS:
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
        for side in ("request", "response"):
            self._body(side)
        values["redacted"] = tuple(self._remarks[:MAX_REMARKS])
        return Record.from_values(values)

    def _remark(self, path: str, found: list[Finding]) -> None:
        self._remarks += [Remark(path, one.rule, one.start, one.end - one.start) for one in found]

    def _text(self, path: str, text: Any) -> Any:
        if not text:
            return text
        data = text.encode("utf-8", "surrogatepass")
        if not self._readers.finder.scan(data):
            return text
        return self._replaced(path, text, data, self._readers.find_text(data))

    def _replaced(self, path: str, text: str, data: bytes, found: list[Finding]) -> str:
        if not found:
            return text
        self._remark(path, found)
        return replace(data, found).decode("utf-8", "replace")

    def _form(self, path: str, text: str | None) -> str | None:
        if not text:
            return text
        data = text.encode("utf-8", "surrogatepass")
        return self._replaced(path, text, data, self._readers.find_form(data))

    def _target(self, target: str | None) -> str | None:
        if not target:
            return target
        path, mark, query = target.partition("?")
        return f"{self._form('target', path)}{mark}{self._form('target', query) or ''}"

    def _hide(self, path: str, value: str) -> str:
        if value in _HARMLESS_VALUES or MARKS.fullmatch(value.encode("utf-8", "surrogatepass")):
            return value
        self._remarks.append(Remark(path, "name", 0, len(value)))
        return MARKER

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
                values["path"] = _without_segment(values["path"], value)
                values["target"] = _without_segment(values["target"], value)
        values["view_args"] = hidden

    def _agent(self) -> None:
        agent = self._values["user_agent"]
        if agent is not None:
            self._values["user_agent"] = agent._replace(
                string=self._text("user_agent.string", agent.string),
                language=self._text("user_agent.language", agent.language),
            )

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
            redacted = self._readers.redact_body(value, "", False)
            self._remark(path, redacted.found)
            return redacted.body
        if isinstance(value, (int, float)) and not isinstance(value, bool):
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

    def _body(self, side: str) -> None:
        values = self._values
        name, note = f"{side}_body", f"{side}_body_note"
        body = values[name]
        if not body:
            return
        if values[note] == UNDECODABLE:
            self._remarks.append(Remark(name, "unreadable", 0, len(body)))
            values[name] = b""
            return
        headers = values[f"{side}_headers"]
        kind = next((value for key, value in headers if key.lower() == "content-type"), "")
        is_cut = self._is_first and values[note] in ("truncated", "not read")
        redacted = self._readers.redact_body(body, kind, is_cut)
        values[name] = redacted.body
        self._remark(name, redacted.found)
        if redacted.note == WHOLE:
            values[note] = WHOLE


def _without_segment(path: str | None, value: str) -> str | None:
    if not path:
        return path
    for way in {value, quote(value, safe=""), quote(value)}:
        if len(way) >= 4:
            path = path.replace(way, MARKER)
    return "/".join(
        MARKER if segment and segment in (value, quote(value)) else segment
        for segment in path.split("/")
    )
