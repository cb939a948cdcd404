"""A request as a script for PowerShell, 5.1 and newer, on any system that has cURL.

PowerShell changes bytes that it pipes, and quotes in what it passes on. So cURL reads its options and
the body from two files that the script writes, byte by byte, and removes. It reads them by their bare
names: a cURL without Unicode cannot open a path through the home of a user called Jörg.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator

from ..record import Record
from .curl_options import Option, has_body, read_options
from .request import Gap, Part, Parts, RequestParts, read_request

__all__ = ["powershell"]

_PIECES = re.compile(rb"[\x20-\x7e]{1,200}|[^\x20-\x7e]")
"""Text for single quotes, where PowerShell obeys nothing, and bytes one by one."""
MOST_SINGLE_BYTES = 0.25
"""The share of bytes that are written one by one. Data with more of them is written in base64."""
BASE64_BYTES = 300
"""Bytes that one line of base64 holds."""


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
    yield from _check_values(request.gaps)
    yield "$latin1 = [Text.Encoding]::GetEncoding(28591)"
    yield "function Encode($text) { $latin1.GetString([Text.Encoding]::UTF8.GetBytes($text)) }"
    yield "function Decode($text) { $latin1.GetString([Convert]::FromBase64String($text)) }"
    yield "function Quote($text) { (Encode $text).Replace('\\', '\\\\').Replace('\"', '\\\"') }"
    yield "$curl = (Get-Command curl -CommandType Application)[0]"
    yield "$options, $body = (New-TemporaryFile).FullName, (New-TemporaryFile).FullName"
    yield "Push-Location -LiteralPath ([IO.Path]::GetDirectoryName($options))"
    yield "try {"
    yield "  [IO.File]::WriteAllText($options, (@("
    yield from (f"    {option}" for option in _make_options(request))
    yield '  ) -join "`n"), $latin1)'
    yield "  [IO.File]::WriteAllText($body, (-join @("
    yield from (f"    {piece}" for piece in _make_body(request.body))
    yield "  )), $latin1)"
    # PowerShell 5.1 would take cURL's progress for an error, where its output is redirected.
    yield "  $ErrorActionPreference = 'Continue'"
    yield "  & $curl --config ([IO.Path]::GetFileName($options))"
    yield "} finally {"
    yield "  Pop-Location"
    yield "  Remove-Item -LiteralPath $options, $body"
    yield "}"


def _check_values(gaps: Iterable[Gap]) -> Iterator[str]:
    for gap in gaps:
        yield f"if (-not ${gap.variable}) {{ throw '{gap.variable} {gap.demand}' }}"
    for gap in gaps:
        if gap.is_file:
            # Before the folder is left that a relative path begins at.
            yield f"${gap.variable} = (Resolve-Path -LiteralPath ${gap.variable}).ProviderPath"


def _make_options(request: RequestParts) -> Iterator[str]:
    yield from map(_make_option, read_options(request))
    if has_body(request):
        yield "-join @('data-binary = \"@', [IO.Path]::GetFileName($body), '\"')"


def _make_option(option: Option) -> str:
    """Return a line of cURL's options, as an expression."""
    if option.name == "compressed":
        # The cURL of Windows 10 stops at this option: it cannot decode.
        return "if ((& $curl --version) -match '\\blibz\\b') { 'compressed' }"
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
            yield f"$latin1.GetString([IO.File]::ReadAllBytes(${part.variable}))"
        else:
            yield f"(Encode ${part.variable})"


def _list_literals(data: bytes) -> Iterator[str]:
    pieces = _PIECES.findall(data)
    if sum(len(piece) == 1 for piece in pieces) > len(data) * MOST_SINGLE_BYTES + 1:
        for at in range(0, len(data), BASE64_BYTES):
            yield f"(Decode '{b64encode(data[at : at + BASE64_BYTES]).decode()}')"
        return
    for piece in pieces:
        text = piece.decode("latin-1")
        yield f"[char]{ord(text)}" if len(text) == 1 else "'" + text.replace("'", "''") + "'"
