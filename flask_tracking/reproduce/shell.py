"""Words and scripts for a POSIX shell: dash, bash and zsh, pasted or run from a file.

Whatever clients wrote stands in single quotes, where a shell obeys nothing, or in octal escapes of
``printf``, which exist for every byte. Nothing of it is in a comment: some shells read these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .request import Gap, Part, Parts, RequestParts

__all__ = ["PLAIN_LINES", "make_script", "make_word"]

PLAIN_LINES = re.compile(rb"[\x20-\x7e\n]*")
"""What single quotes show unchanged, on a terminal as well."""
_BARE = re.compile(rb"[0-9A-Za-z]+")
_PRINTF_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b"!%'\\`")
"""Bytes that a format of ``printf`` shows unchanged. Some shells expand ``!`` in double quotes."""
PRINTF_BYTES = 250
"""Bytes that one ``printf`` writes: its line has room in every terminal."""


def make_script(request: RequestParts, program: str, arguments: Sequence[str], is_piped: bool) -> str:
    """Return a script that asks for redacted values, then runs `program`, and may pipe the body."""
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


def make_word(parts: Parts) -> str:
    """Return one word of a command, whatever bytes it has."""
    return "".join(map(_quote, parts)) or "''"


def _quote(part: Part) -> str:
    if isinstance(part, Gap):
        return f'"${part.variable}"'
    if _BARE.fullmatch(part):
        return part.decode()
    if PLAIN_LINES.fullmatch(part):
        return "'" + part.decode().replace("'", "'\\''") + "'"
    return f"\"$(printf '{_escape(part)}')\""


def _escape(data: bytes) -> str:
    """Return a format of ``printf`` that writes `data`. It begins with no dash, which is an option."""
    shown = [chr(byte) if byte in _PRINTF_PLAIN else f"\\{byte:03o}" for byte in data]
    if shown and shown[0] == "-":
        shown[0] = "\\055"
    return "".join(shown)
