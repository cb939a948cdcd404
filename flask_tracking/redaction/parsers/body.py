"""Find the secrets in a body, by its content type, and in a string that may be another text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from ...runtime.text import trim
from ..budget import WORK_FOR_TEXT
from ..detection.names import Strength
from ..detection.values import MIN_OPAQUE, is_inherited_secret
from ..engines.base import Range
from ..findings import Finding, merge
from .context import Context, Find, MalformedError
from .form import find_in_fields, make_form, may_be_form
from .json_text import find_in_json
from .multipart import find_field_names, split_multipart
from .text import find_in_text

_NUMBER = re.compile(rb"[0-9.eE+-]+")
MAX_AGAIN = 16
"""Values that are looked for in all of a text: each costs a reading of it."""
_FILE_MARK = re.compile(rb"\[file, [0-9]+ bytes\]")


def find_in_body(
    data: bytes, content_type: str, hits: Sequence[Range] | None, context: Context
) -> list[Finding]:
    """Find the secrets in a body by its content type.

    `hits` are those of a text without NULs and long runs of base64; without them it is scanned first.
    Raises MalformedError or TooLongError where it cannot be read, and there may be a secret in it.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        return _find_in_multipart(data, content_type, context)
    if hits is None and b"\0" in data:
        # UTF-16, UTF-32, or no text at all: letters with NULs between them are still letters.
        if context.detector.scan(data.replace(b"\0", b"")):
            raise MalformedError
        return []

    if hits is None:
        return find_apart(data, lambda text, _: _find_by_kind(text, kind, None, context), context)
    return _find_again(data, _find_by_kind(data, kind, hits, context))


def find_apart(data: bytes, find: Find, context: Context) -> list[Finding]:
    """Find the secrets in a text without its long runs of base64, and in the text these decode to."""
    apart = context.detector.set_aside(data)
    if apart is None:
        return _find_again(data, find(data, context))
    found = [apart.lift(one) for one in find(apart.text, context)]
    for run in apart.runs:
        if run.text and find_in_string(run.text, context):
            found.append(Finding(run.start, run.end, "base64"))
    return _find_again(data, merge(found))


def _find_again(data: bytes, found: list[Finding]) -> list[Finding]:
    """Find the values of secrets wherever else they stand: in a link, in a message that shows them."""
    values = dict.fromkeys([data[one.start : one.end] for one in found if one.rule == "name"])
    more = []
    for value in islice(values, MAX_AGAIN):
        if data.count(value) > 1 and _is_mixed(value):
            # A short one may be a part of a word.
            around = b"%b" if len(value) >= MIN_OPAQUE else rb"(?<![0-9A-Za-z])%b(?![0-9A-Za-z])"
            places = re.finditer(around % re.escape(value), data)
            more += [Finding(*place.span(), "name") for place in places]
    return merge([*found, *more]) if more else found


def _is_mixed(value: bytes) -> bool:
    """Tell whether a value is no word and no number: in JSON a number has no quotes."""
    return not _NUMBER.fullmatch(value) and is_inherited_secret(Strength.STRONG, value)


def _find_by_kind(
    data: bytes, kind: str, hits: Sequence[Range] | None, context: Context
) -> list[Finding]:
    hits = context.detector.scan(data) if hits is None else hits
    if not hits:
        return []
    if "json" in kind:
        return find_in_json(data, hits, find_in_string, context)
    if kind == "application/x-www-form-urlencoded":
        return find_in_form(data, context, hits, is_form=True)
    if _may_be_json(data) and (found := _try_json(data, hits, context)) is not None:
        return found
    if kind == "text/css":
        return context.find(data)  # its names are those of elements
    if not kind and may_be_form(data):
        return find_in_form(data, context, hits)
    is_markup = "html" in kind or "xml" in kind or data.lstrip()[:1] == b"<"
    return find_in_string(data, context, hits, is_markup=is_markup)


def _may_be_json(data: bytes) -> bool:
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _try_json(data: bytes, hits: Sequence[Range], context: Context) -> list[Finding] | None:
    """Find the secrets in JSON; None if it is invalid."""
    try:
        return find_in_json(data, hits, find_in_string, context)
    except MalformedError:
        return None


def find_in_tree(data: bytes, context: Context) -> list[Finding]:
    """Find the secrets in a tree of plain values that was written as JSON."""
    return find_in_json(data, context.detector.scan(data), find_in_string, context)


def find_in_form(
    data: bytes, context: Context, hits: Sequence[Range] | None = None, *, is_form: bool = False
) -> list[Finding]:
    """Find the secrets in ``name=value&name=value``, percent-encoded or not; it may be no form."""
    hits = context.detector.scan(data) if hits is None else hits
    fields = find_in_fields(data, hits, find_in_string, context, is_form=is_form) if hits else ()
    return merge([*fields, *find_in_string(data, context, hits)])


def find_in_string(
    data: bytes, context: Context, hits: Sequence[Range] | None = None, *, is_markup: bool = False
) -> list[Finding]:
    """Find the secrets in a text; it may itself be JSON, one level deep."""
    context.budget.spend(len(data) + WORK_FOR_TEXT)
    scan = context.detector.scan
    hits = scan(data) if hits is None else hits
    if b"\0" in data and scan(data.replace(b"\0", b"")):
        return [Finding(0, len(data), "unreadable")]
    if not hits:
        return []
    is_json = not context.is_inner and _may_be_json(data)
    found = _try_json(data, hits, context.inside()) if is_json else None
    return find_in_text(data, hits, context, is_markup=is_markup) if found is None else found


def _find_in_multipart(data: bytes, content_type: str, context: Context) -> list[Finding]:
    found: list[Finding] = []
    parts = list(split_multipart(data, content_type))
    heads = [data[part.start : part.begin] for part in parts]
    form = make_form([name + b"=" for head in heads for name in find_field_names(head)], is_body=True)
    for part, head in zip(parts, heads, strict=True):
        content = data[part.begin : part.end]
        if head.strip():
            found += [one.moved(part.start) for one in find_in_string(head, context)]
        if part.is_file:
            size = b"[file, %d bytes]" % len(content)
            if not _FILE_MARK.fullmatch(content):
                found.append(Finding(part.begin, part.end, "file", instead=size))
        elif any(form.is_secret(name, content, context) for name in find_field_names(head)):
            found.append(Finding(part.begin, part.end, "name"))
        else:
            inner = find_apart(content, find_in_string, context.within(head))
            found += [one.moved(part.begin) for one in inner]
    return merge(found)


def trim_cut(data: bytes) -> bytes:
    """Remove a possible beginning of a secret from the end of a cut text."""
    return trim(data.decode("latin-1")).encode("latin-1")
