"""A body of ``multipart/form-data`` as the test client writes one, if the app gets the same of it."""

from __future__ import annotations

from io import BytesIO
from typing import Any, NamedTuple

from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder
from werkzeug.test import EnvironBuilder

from .literals import Bracketed, Expression, call, literal
from .python_body import Body, Placeholders
from .request import RequestParts

__all__ = ["read_multipart"]

MULTIPART = "multipart/form-data"
_HEADERS = {"content-disposition", "content-type"}


class _Part(NamedTuple):
    """A field of a form, or a file, which has a name and a type."""

    name: str
    data: bytes = b""
    filename: str | None = None
    content_type: str | None = None


_Grouped = list[tuple[tuple[bool, str], list[_Part]]]


def read_multipart(request: RequestParts) -> Body | None:
    """Return the fields and files of `request`; None where a test client would send others."""
    if request.content_type != MULTIPART:
        return None
    placeholders = Placeholders(request.body)
    try:
        parts = _read_parts(placeholders.data, request.get_header("content-type"))
        if _group(_send(parts)) != _group(parts):
            return None
        fields = literal(_merge([(one.name, _write(one, placeholders)) for one in parts]))
    except ValueError:
        return None
    has_files = any(part.filename is not None for part in parts)
    # Without a file the client would send another kind of form.
    return Body("data", fields, True, None if has_files else MULTIPART)


def _read_parts(body: bytes, content_type: str) -> list[_Part]:
    """Return the parts of a body, at least one.

    Raises:
        ValueError: it is not whole, or a part has headers that a test client does not send.
    """
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    decoder = MultipartDecoder(boundary.encode())
    decoder.receive_data(body)
    decoder.receive_data(None)
    parts: list[_Part] = []
    while not isinstance(event := decoder.next_event(), Epilogue):
        if isinstance(event, Field | File):
            parts.append(_read_head(event))
        elif isinstance(event, Data):
            parts[-1] = parts[-1]._replace(data=parts[-1].data + event.data)
    if not (boundary and parts):
        raise ValueError("there is no part")
    return parts


def _read_head(head: Field | File) -> _Part:
    if head.name is None or {name.lower() for name, _ in head.headers} - _HEADERS:
        raise ValueError("a part has no name, or more headers")
    filename = head.filename if isinstance(head, File) else None
    return _Part(head.name, b"", filename, head.headers.get("content-type"))


def _send(parts: list[_Part]) -> list[_Part]:
    """Return the parts as a test client would send them."""
    pairs: list[tuple[str, Any]] = []
    for part in parts:
        if part.filename is None:
            pairs.append((part.name, part.data.decode()))
        else:
            pairs.append((part.name, (BytesIO(part.data), part.filename, part.content_type)))
    builder = EnvironBuilder(method="POST", data=_merge(pairs), content_type=MULTIPART)
    try:
        environ = builder.get_environ()
        return _read_parts(environ["wsgi.input"].read(), environ["CONTENT_TYPE"])
    finally:
        builder.close()


def _group(parts: list[_Part]) -> _Grouped:
    """Return fields and files by their names. An app does not see which of them came first."""
    grouped: dict[tuple[bool, str], list[_Part]] = {}
    for part in parts:
        grouped.setdefault((part.filename is not None, part.name), []).append(part)
    return sorted(grouped.items(), key=lambda pair: pair[0][0])


def _merge(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return values by name; several of one name are a list."""
    found: dict[str, list[Any]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _write(part: _Part, placeholders: Placeholders) -> Expression:
    """Return the value of a part.

    Raises:
        ValueError: something is missing where a test client wants text.
    """
    heads = [part.name, part.filename or "", part.content_type or ""]
    if any(map(placeholders.stand_in, heads)):
        raise ValueError("a name is not known")
    if part.filename is None:
        return literal(placeholders.fill(part.data.decode()))
    content = call("BytesIO", [("", placeholders.fill_bytes(part.data))])
    items: list[Expression] = [content, literal(part.filename), literal(part.content_type)]
    return Bracketed("(", [("", item) for item in items], ")")
