"""A request as a script for PowerShell, 5.1 and newer, on any system that has cURL.

PowerShell changes bytes that it pipes, and quotes in what it passes on. So cURL reads its options and
the body from two files that the script writes, byte by byte, and removes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ..record import Record
from .curl_options import Option, has_body, read_options
from .request import Gap, Part, Parts, RequestParts, read_request

__all__ = ["powershell"]

_PIECES = re.compile(rb"[\x20-\x7e]{1,200}|[^\x20-\x7e]")
"""Text for single quotes, where PowerShell obeys nothing, and bytes one by one."""


def powershell(record: Record) -> str:
    """Return a script that sends the request of `record` with cURL from PowerShell.

    Redacted values are variables at its top; it sends nothing before they are set.

    Args:
        record: of a request.

    Raises:
        TrackingError: it has no request that could be sent.

    .. versionadded:: 2.0
    """
    request = read_request(record)
    variables = [f"${gap.variable} = ''" for gap in request.gaps]
    return "\n".join([*variables, "& {", *(f"  {line}" for line in _make_block(request)), "}"])


def _make_block(request: RequestParts) -> Iterator[str]:
    yield "$ErrorActionPreference = 'Stop'"
    for gap in request.gaps:
        yield f"if (-not ${gap.variable}) {{ throw '{gap.variable} {gap.demand}' }}"
    yield "$latin1 = [Text.Encoding]::GetEncoding(28591)"
    yield "function Encode($text) { $latin1.GetString([Text.Encoding]::UTF8.GetBytes($text)) }"
    yield "function Quote($text) { (Encode $text).Replace('\\', '\\\\').Replace('\"', '\\\"') }"
    yield "$options, $body = (New-TemporaryFile).FullName, (New-TemporaryFile).FullName"
    yield "try {"
    yield "  [IO.File]::WriteAllText($options, (@("
    yield from (f"    {option}" for option in _make_options(request))
    yield '  ) -join "`n"), $latin1)'
    yield "  [IO.File]::WriteAllText($body, (-join @("
    yield from (f"    {piece}" for piece in _make_body(request.body))
    yield "  )), $latin1)"
    yield "  & (Get-Command curl -CommandType Application)[0] --config $options"
    yield "} finally { Remove-Item $options, $body }"


def _make_options(request: RequestParts) -> Iterator[str]:
    yield from map(_make_option, read_options(request))
    if has_body(request):
        yield "-join @('data-binary = \"@', (Quote $body), '\"')"


def _make_option(option: Option) -> str:
    """Return a line of cURL's options, as an expression."""
    if option.value is None:
        return f"'{option.name}'"
    pieces = _list_pieces((option.name.encode() + b' = "', *map(_quote, option.value), b'"'))
    return f"-join @({', '.join(pieces)})"


def _quote(part: Part) -> Part:
    return part if isinstance(part, Gap) else re.sub(rb'[\\"]', rb"\\\g<0>", part)


def _list_pieces(parts: Parts) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Gap):
            yield f"(Quote ${part.variable})"
        else:
            yield from _list_literals(part)


def _make_body(body: Parts) -> Iterable[str]:
    for part in body:
        if not isinstance(part, Gap):
            yield from _list_literals(part)
        elif part.is_file:
            yield f"$latin1.GetString([IO.File]::ReadAllBytes((Resolve-Path ${part.variable})))"
        else:
            yield f"(Encode ${part.variable})"


def _list_literals(data: bytes) -> Iterator[str]:
    for piece in _PIECES.findall(data):
        text = piece.decode("latin-1")
        yield f"[char]{ord(text)}" if len(text) == 1 else "'" + text.replace("'", "''") + "'"
