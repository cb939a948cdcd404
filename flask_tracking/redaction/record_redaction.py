"""Redact one record: each field by its kind, and each secret by the path of its field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from ..record import ExceptionInfo, Headers, Holds, Record, Remark, find_header
from ..record_fields import FIELDS, fields_holding
from ..runtime.cache import BoundedCache, HashedCache
from .budget import Budget, TooLongError
from .detection.detector import Detector
from .detection.values import is_secret
from .engines.base import Range
from .findings import Finding, merge
from .headers import CREDENTIAL_HEADERS, find_credentials
from .markers import LONGEST_MARK, MARKER, MARKS
from .parsers.body import find_apart, find_in_body, find_in_form, find_in_string, find_in_tree, trim_cut
from .parsers.context import Context, MalformedError
from .prefilter import UNDECODABLE, Hits, is_cut
from .removed_arguments import NOTHING_REMOVED, RemovedArguments
from .replacement import Actions, apply
from .tree import read_leaves, write_tree

WHOLE = "redacted whole"
"""The note of a body that was dropped because it could not be read."""
FAILED = "redaction failed"
"""The note of a record whose redaction failed: only our own fields are stored."""
MAX_REMARKS = 200
"""Remarks stored for each record; values beyond it are removed without one."""
PARSED_OF_USER_AGENT = ("browser", "version", "platform", "browser_name", "platform_name")
"""Fields of a `UserAgent` that were parsed from its string."""
_WORD = re.compile(r"[^\W_]+")
_SAFE_KEY = re.compile(r"[A-Za-z_][0-9A-Za-z_-]{0,39}")
_TITLES: BoundedCache[str, str] = BoundedCache(str.title)
_PLACES: BoundedCache[tuple[str, ...], Sequence[int]] = BoundedCache(
    lambda names: [at for at, name in enumerate(names) if _TITLES[name] in CREDENTIAL_HEADERS]
)
"""Where the credentials are among headers with these names: a client sends them in the same order."""
_get_name = itemgetter(0)
_HEADER_FIELDS = fields_holding(Holds.HEADERS)
Strip = Callable[[tuple[str, ...]], tuple[tuple[str, str], tuple[Remark, ...]]]
"""``strip((field, name, value))``: returns the header as it may be stored, and the remarks on it."""
_BY_KIND = {holds: fields_holding(holds) for holds in Holds}


def make_strip(actions: Actions) -> Strip:
    """Return the function that takes the credentials out of one header; it remembers what it did.

    Not the values, but their hashes: even a value that is taken for another leaves no credentials.
    """

    def strip(key: tuple[str, ...]) -> tuple[tuple[str, str], tuple[Remark, ...]]:
        field, name, value = key
        data, title, remarks = _encode(value), _TITLES[name], list[Remark]()
        found = find_credentials(title, data)
        stored = _decode(apply(data, found, f"{field}.{title}", actions, remarks))
        return (name, stored), tuple(remarks)

    stripped = HashedCache(strip)
    return strip if actions.ask else lambda key: stripped.get(hash(key)) or stripped.add(key)


def strip_credentials(values: dict[str, Any], strip: Strip) -> None:
    """Take the credentials out of the headers of a record's `values`, with a remark for each."""
    for field in _HEADER_FIELDS:
        pairs: Headers = values[field]
        places = _PLACES[tuple(map(_get_name, pairs))]
        if places:
            stripped = list(pairs)
            for at in places:
                stripped[at], remarks = strip((field, *pairs[at]))
                values["redacted"] = (*values["redacted"], *remarks)
            values[field] = tuple(stripped)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "replace")


class RecordRedaction:
    """The redaction of one record."""

    def __init__(
        self,
        record: Record,
        values: dict[str, Any],
        detector: Detector,
        actions: Actions,
        max_body_bytes: int,
    ) -> None:
        """Take the record and the tools of its redaction.

        Args:
            record: as it came, without the credentials in its headers.
            values: of the record that it becomes; they are changed.
            detector: finds the secrets.
            actions: decide on the replacement of each of them.
            max_body_bytes: the stored length of a body.
        """
        size = len(record.request_body) + len(record.response_body)
        self._context = Context(detector, Budget(size))
        self._actions = actions
        self._values = values
        self._remarks: list[Remark] = list(values["redacted"])
        self._record = record
        self._max_body_bytes = max_body_bytes
        self._removed = NOTHING_REMOVED
        self._last: tuple[tuple[bytes, str], list[Finding]] | None = None
        """A body and its type, with the findings: a response often repeats the request."""

    def redact(self, hits: Hits) -> Record:
        """Return the record without its secrets, with a remark for each; parts without hits stay."""
        values = self._values
        if hits.head:
            for holds, redact in _REDACT.items():
                for name in _BY_KIND[holds]:
                    if values[name]:
                        values[name] = redact(self, name, values[name])
        for side in ("request", "response"):
            ranges = getattr(hits, f"{side}_body")
            if ranges is None or ranges:
                self._body(side, ranges)
        values["redacted"] = tuple(self._remarks[:MAX_REMARKS])
        return Record.from_values(values)

    def _replaced(self, path: str, data: bytes, found: Iterable[Finding]) -> str:
        return _decode(apply(data, found, path, self._actions, self._remarks))

    def _find(
        self, find: Callable[[bytes, Context], list[Finding]], data: bytes, around: bytes = b""
    ) -> list[Finding]:
        context = self._context.within(around)
        try:
            return find_apart(data, find, context)
        except (MalformedError, TooLongError):
            return [Finding(0, len(data), "unreadable")]

    def _text(self, path: str, text: Any) -> Any:
        return self._store(path, text, self._find(find_in_string, _encode(text))) if text else text

    def _store(self, path: str, text: str, found: Iterable[Finding]) -> str:
        found = merge(found)
        return self._replaced(path, _encode(text), found) if found else text

    def _path(self, field: str, text: str) -> str:
        data = _encode(text)
        found = [*self._find(find_in_string, data), *self._removed.find_in_path(data)]
        return self._store(field, text, found)

    def _form(self, field: str, text: str) -> str:
        around = _encode(self._record.path or "")
        return self._store(field, text, self._find(find_in_form, _encode(text), around))

    def _target(self, field: str, target: str) -> str:
        path, _, query = _encode(target).partition(b"?")
        found = [*self._find(find_in_form, path), *self._removed.find_in_path(path)]
        found += [one.moved(len(path) + 1) for one in self._find(find_in_form, query, path)]
        return self._store(field, target, found)

    def _hide(self, path: str, value: str) -> str:
        """Remove a value whose name says that it is a secret."""
        data = _encode(value)
        return self._replaced(path, data, [Finding(0, len(data), "name")])

    def _safe_key(self, key: str) -> str:
        """Return `key` as a remark may name it: nothing that could itself be a secret."""
        is_safe = _SAFE_KEY.fullmatch(key) and not self._context.detector.find(key.encode())
        return key if is_safe else "*"

    def _headers(self, field: str, pairs: Headers) -> Headers:
        return tuple(
            (name, value) if _TITLES[name] in CREDENTIAL_HEADERS else self._header(field, name, value)
            for name, value in pairs
        )

    def _header(self, field: str, name: str, value: str) -> tuple[str, str]:
        path = f"{field}.{self._safe_key(name)}"
        data = _encode(value)
        if is_secret(self._context.detector.names.strength(name), data):
            value = self._hide(path, value)
        elif value:
            found = [*self._find(find_in_string, data), *self._removed.find_in_link(data)]
            value = self._store(path, value, found)
        return self._text(field, name), value

    def _args(self, field: str, args: dict[str, str]) -> dict[str, str]:
        """Redact the arguments of the view, and remember which of them must not stand elsewhere."""
        redacted: dict[str, str] = self._tree(field, args)
        removed = [(args[key], redacted[key]) for key in args if redacted[key] != args[key]]
        self._removed = RemovedArguments(removed, self._values["url_rule"])
        return redacted

    def _user_agent(self, field: str, agent: Any) -> Any:
        redacted = self._named_tuple(field, agent)
        if redacted.string == agent.string:
            return redacted
        # Names and version were parsed from it, and may be the secret.
        hidden = {
            name: self._hide(f"{field}.{name}", value)
            for name in PARSED_OF_USER_AGENT
            if (value := getattr(redacted, name)) is not None
            and _is_removed(value, agent.string, redacted.string)
        }
        return redacted._replace(**hidden)

    def _named_tuple(self, field: str, value: Any) -> Any:
        redacted = {name: self._text(f"{field}.{name}", part) for name, part in value._asdict().items()}
        return value._replace(**redacted)

    def _timings(self, field: str, timings: Any) -> Any:
        return tuple(
            one._replace(name=self._text(field, one.name), error=self._text(field, one.error))
            for one in timings
        )

    def _tree(self, field: str, tree: Any) -> Any:
        """Redact plain values at any depth, by the rules of a JSON body."""
        data = _encode(write_tree(tree))
        found = self._find(find_in_tree, data)
        return self._rebuild(field, tree, read_leaves(data, found)) if found else tree

    def _rebuild(self, path: str, value: Any, leaves: Iterator[list[Finding]]) -> Any:
        """Return a value without the findings in its leaves, which come in their order."""
        if isinstance(value, dict):
            return {
                self._leaf(path, key, next(leaves)): self._rebuild(
                    f"{path}.{self._safe_key(key)}", item, leaves
                )
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._rebuild(f"{path}[{at}]", item, leaves) for at, item in enumerate(value)]
        return self._leaf(path, value, next(leaves))

    def _leaf(self, path: str, value: Any, found: list[Finding]) -> Any:
        if isinstance(value, bytes):
            is_named = found and found[0].rule == "name" and _covers(found[0], value)
            if not is_named:
                return self._bytes(path, value)
            return apply(value, [Finding(0, len(value), "name")], path, self._actions, self._remarks)
        if not found or value is None or isinstance(value, bool):
            return value
        text = str(value)
        redacted = self._replaced(path, _encode(text), found)
        return value if redacted == text else redacted

    def _bytes(
        self, path: str, data: bytes, kind: str = "", ranges: Sequence[Range] | None = None
    ) -> bytes:
        """Redact a body, or bytes of custom data; unreadable ones become empty."""
        if self._last is None or self._last[0] != (data, kind):
            try:
                self._last = (data, kind), find_in_body(data, kind, ranges, self._context)
            except (MalformedError, TooLongError):
                self._remarks.append(Remark(path, "unreadable", 0, len(data), 0, 0))
                return b""
        return apply(data, self._last[1], path, self._actions, self._remarks)

    def _body(self, side: str, ranges: Sequence[Range] | None) -> None:
        values = self._values
        name, note = f"{side}_body", f"{side}_body_note"
        data = values[name]
        if ranges is None and values[note] == UNDECODABLE:  # others have their ranges
            self._remarks.append(Remark(name, "unreadable", 0, len(data), 0, 0))
            values[name] = b""
            return
        if ranges is None and is_cut(vars(self._record), side):
            data = trim_cut(data)
        kind = find_header(values[f"{side}_headers"], "content-type") or ""
        redacted = self._bytes(name, data, kind, ranges)
        values[name] = cut_body(redacted, self._max_body_bytes)
        if data and not redacted:
            values[note] = WHOLE
        elif len(values[name]) < len(redacted):
            values[note] = values[note] or "truncated"
            self._remarks = [_cut_remark(one, name, len(values[name])) for one in self._remarks]


_REDACT: dict[Holds, Callable[[RecordRedaction, str, Any], Any]] = {
    Holds.ARGS: RecordRedaction._args,
    Holds.TEXT: RecordRedaction._text,
    Holds.PATH: RecordRedaction._path,
    Holds.FORM: RecordRedaction._form,
    Holds.TARGET: RecordRedaction._target,
    Holds.HEADERS: RecordRedaction._headers,
    Holds.USER_AGENT: RecordRedaction._user_agent,
    Holds.ERROR: RecordRedaction._named_tuple,
    Holds.TREE: RecordRedaction._tree,
    Holds.TIMINGS: RecordRedaction._timings,
}
"""Arguments of the view first: other fields are searched for the removed ones."""


def _cut_remark(remark: Remark, name: str, size: int) -> Remark:
    """Clear the stored place of a marker that was cut off."""
    is_there = remark.path != name or remark.stored_offset is None or remark.stored_offset < size
    return remark if is_there else remark._replace(stored_offset=None, stored_length=None)


def _covers(one: Finding, value: bytes) -> bool:
    return one.end - one.start >= len(value.decode("utf-8", "replace").encode())


def _is_removed(value: str, before: str, after: str) -> bool:
    """Tell whether a part of `value` was read from the text `before`, and is not in it `after`."""
    return any(part in before and part not in after for part in _WORD.findall(value))


def cut_body(body: bytes, limit: int) -> bytes:
    """Cut a redacted body, but not within a marker."""
    if len(body) <= limit:
        return body
    around = max(0, limit - LONGEST_MARK)
    split = next((mark for mark in MARKS.finditer(body, around) if mark.end() > limit), None)
    return body[: limit if split is None else min(limit, split.start())]


def blank(record: Record, version: str) -> Record:
    """Blank every field that a stranger may have written: the record could not be redacted."""
    values = dict(vars(record))
    for name, holds in FIELDS.items():
        if holds is Holds.BODY and values[name]:
            values[f"{name}_note"] = WHOLE
        if holds is not Holds.OURS and values[name]:
            values[name] = _BLANK[holds](values[name]) if holds in _BLANK else None
    values["path"] = record.url_rule or MARKER
    values["request_id"] = str(record.id)
    values["redaction_version"] = version
    values["notes"] = (*record.notes, FAILED)
    return Record.from_values(values)


_BLANK: dict[Holds, Callable[[Any], Any]] = {
    Holds.FORM: lambda _: "",
    Holds.HEADERS: lambda pairs: tuple((MARKER, MARKER) for _ in pairs),
    Holds.BODY: lambda _: b"",
    Holds.ERROR: lambda _: ExceptionInfo(MARKER, MARKER, MARKER),
    Holds.TIMINGS: lambda _: (),
}
"""Fields that hold anything else become None."""
