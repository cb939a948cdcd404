"""A request as a command for a POSIX shell: dash, bash and zsh, pasted or run from a file.

Whatever clients wrote stands in single quotes, where a shell obeys nothing, or in octal escapes of
``printf``, which exist for every byte. Nothing of it is in a comment: some shells read these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ..errors import TrackingError
from ..record import Record
from .curl_options import Option, has_body, read_options, size
from .request import Gap, Part, Parts, RequestParts, check_target, is_plain, merge, read_request

__all__ = ["curl", "httpie"]

_PLAIN = re.compile(rb"[\x20-\x7e]*")
_PLAIN_LINES = re.compile(rb"[\x20-\x7e\n]*")
_HTTPIE_ESCAPE = rb"%(?!2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)[0-9A-F]{2}"
_HTTPIE_CHARACTER = rb"(?:[0-9A-Za-z/&=._~:@!$'()*+,;-]|" + _HTTPIE_ESCAPE + rb")"
_HTTPIE_TARGET = re.compile(
    rb"(?!//|.*/\.)/" + _HTTPIE_CHARACTER + rb"*(?:\?(?:\?|" + _HTTPIE_CHARACTER + rb")+)?"
)
"""Targets that HTTPie sends unchanged. It decodes escapes of letters, digits and ``-._~``, writes the
others in capitals, escapes a ``%`` that begins none, leaves out a ``?`` without a query, and shortens
``/../`` and, with some versions of Requests, a ``//`` at the beginning."""
_METHOD = re.compile(r"[A-Z]+")
"""Methods that HTTPie sends unchanged. It would take others for a URL, or write them in capitals."""
_BARE = re.compile(rb"[0-9A-Za-z]+")
_PRINTF_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b"!%'\\`")
"""Bytes that a format of ``printf`` shows unchanged. Some shells expand ``!`` in double quotes."""
LONGEST_ARGUMENT = 2000
"""Bytes of a body that is an argument; a longer one is piped."""
PRINTF_BYTES = 250
"""Bytes that one ``printf`` writes: its line has room in every terminal."""


def curl(record: Record) -> str:
    """Return a command that sends the request of `record` with cURL: every byte of it, in any shell.

    Redacted values are variables at its top; it sends nothing before they are set. Headers that
    describe the connection are left to cURL, ``Host`` and ``Content-Length`` follow from URL and body,
    and the body is sent without its ``Content-Encoding``, as it was stored.

    Args:
        record: of a request.

    Raises:
        TrackingError: it has no request that could be sent.

    .. versionadded:: 2.0
    """
    request = read_request(record)
    *options, url = map(_render, read_options(request))
    is_piped = bool(request.body) and not _is_argument(request.body)
    if is_piped:
        options.append("--data-binary @-")
    elif has_body(request):
        options.append(f"--data-raw {_word(request.body)}")  # reads no file, whatever it begins with
    return _make_script(request, "curl", [*options, url.removeprefix("--url ")], is_piped)


def _render(option: Option) -> str:
    if option.value is None:
        return f"--{option.name}"
    return f"--{option.name} {_word(option.value)}"


def _is_argument(body: Parts) -> bool:
    return size(body) <= LONGEST_ARGUMENT and is_plain(body, _PLAIN_LINES)


def httpie(record: Record) -> str:
    """Return a command that sends the request of `record` with HTTPie.

    Redacted values are variables at its top; it sends nothing before they are set.

    Args:
        record: of a request.

    Raises:
        TrackingError: it has no request that could be sent, or one that HTTPie cannot write.

    .. versionadded:: 2.0
    """
    request = read_request(record)
    check_target(request, _HTTPIE_TARGET, "HTTPie")
    if not _METHOD.fullmatch(request.method):
        raise TrackingError(f"HTTPie cannot send the method {request.method}. Use `curl` instead.")
    url = merge(f"{request.scheme}://{request.host}".encode(), *request.target)
    # Behind the dashes nothing is an option, whatever a client has named its headers.
    arguments = [f"--path-as-is -- {request.method} {_word(url)}"]
    arguments += map(_word, _httpie_headers(request))
    if not request.body:
        arguments.insert(0, "--ignore-stdin")
    return _make_script(request, "http", arguments, bool(request.body))


def _httpie_headers(request: RequestParts) -> Iterator[Parts]:
    for name, value in request.headers:
        yield (
            merge(f"{name}:".encode(), *_escape_item(name, value)) if value else (f"{name};".encode(),)
        )
    sent = {name.lower() for name, _ in request.headers}
    own = ("User-Agent", "Accept", "Accept-Encoding", *(["Content-Type"] if request.body else []))
    yield from ((f"{name}:".encode(),) for name in own if name.lower() not in sent)


def _escape_item(name: str, value: Parts) -> Iterator[Part]:
    """Escape what HTTPie would read as an item of another kind: ``:=`` is JSON, ``:@`` a file."""
    for part in value:
        if isinstance(part, bytes):
            if not _PLAIN.fullmatch(part) or re.search(rb"\\[:=@;\\]", part):
                raise TrackingError(f"HTTPie cannot send the header {name}. Use `curl` instead.")
            part = re.sub(rb"\A[=@:]", rb"\\\g<0>", part) if part is value[0] else part
        yield part


def _make_script(request: RequestParts, program: str, arguments: Sequence[str], is_piped: bool) -> str:
    # The environment comes first, and the value between the quotes only without it.
    lines = [f"{gap.variable}=${{{gap.variable}:-''}}" for gap in request.gaps]
    # One command: a shell that runs line by line runs nothing after a missing value.
    lines += [f': "${{{gap.variable}:?{gap.demand}}}" &&' for gap in request.gaps]
    if is_piped:
        lines += _pipe(request.body)
    lines.append(" \\\n  ".join([program, *arguments]))
    # A shell of its own forgets the values: else those of one pasted script would go out with the next.
    return "\n".join(["(", *lines, ")"] if request.gaps else lines)


def _pipe(body: Parts) -> list[str]:
    commands = list(_write(body))
    if len(commands) == 1:
        return [f"{commands[0]} |"]
    return ["{", *(f"  {command}" for command in commands), "} |"]


def _write(body: Parts) -> Iterable[str]:
    for part in body:
        if isinstance(part, Gap):
            yield f'cat -- "${part.variable}"' if part.is_file else f'printf %s "${part.variable}"'
        else:
            for at in range(0, len(part), PRINTF_BYTES):
                yield f"printf '{_escape(part[at : at + PRINTF_BYTES])}'"


def _word(parts: Parts) -> str:
    """Return one word of a command, whatever bytes it has."""
    return "".join(map(_quote, parts)) or "''"


def _quote(part: Part) -> str:
    if isinstance(part, Gap):
        return f'"${part.variable}"'
    if _BARE.fullmatch(part):
        return part.decode()
    if _PLAIN_LINES.fullmatch(part):
        return "'" + part.decode().replace("'", "'\\''") + "'"
    return f"\"$(printf '{_escape(part)}')\""


def _escape(data: bytes) -> str:
    """Return a format of ``printf`` that writes `data`. It begins with no dash, which is an option."""
    shown = [chr(byte) if byte in _PRINTF_PLAIN else f"\\{byte:03o}" for byte in data]
    if shown and shown[0] == "-":
        shown[0] = "\\055"
    return "".join(shown)
