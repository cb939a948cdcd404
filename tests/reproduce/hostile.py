"""Requests that clients would send to harm whoever sends them again, and random ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from flask_tracking import Record, Settings

from ..captures import make_record

PLANTED = [
    "@canary",
    "@/etc/hostname",
    "=@canary",
    "`touch pwned`",
    "$(touch pwned)",
    "'; touch pwned; '",
    '"; touch pwned; "',
    "\\'; touch pwned #",
    "-o pwned",
    "--output=pwned",
    "!!",
    "!touch",
    "%s%n%%",
    "\\101\\x41\\n",
    "~/canary",
    "{canary,pwned}",
    "[1-3]",
    "> pwned",
    "#",
    "file:///etc/hostname",
    "<canary",
    "\x1b[2J",
    "\x7f\x01",
    "é€😀",
]
"""Text that a shell, cURL or HTTPie would read as more than text."""

_bytes = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([one.encode() for one in PLANTED]),
    st.tuples(st.sampled_from([one.encode() for one in PLANTED]), st.binary(max_size=20)).map(b"".join),
)
_names = st.from_regex(r"[A-Z][A-Za-z0-9]{0,8}(-[A-Z0-9][A-Za-z0-9]{0,8}){0,2}", fullmatch=True)


def _as_header(data: bytes) -> str:
    """Return a value as a server passes it to the app."""
    text = data.decode("latin-1")
    for sign in "\r\n\0":
        text = text.replace(sign, "")
    return text.strip(" \t") if text.strip(" \t\v\f") else ""  # cURL sends no value of blanks alone


def _as_target(data: bytes) -> str:
    return "/" + bytes(byte for byte in data if byte > 0x20 and byte != 0x7F).decode("latin-1")


def _as_path(data: bytes) -> str:
    # WSGI hands a path over as the bytes of its UTF-8.
    return "/" + data.decode("utf-8", "ignore").encode().decode("latin-1").lstrip("/")


@st.composite
def requests(draw: st.DrawFn, host: str) -> Record:
    """Draw the record of a request that a server at `host` has received."""
    environ: dict[str, Any] = {
        f"HTTP_X_{name.upper().replace('-', '_')}": _as_header(value)
        for name, value in draw(st.dictionaries(_names, _bytes, max_size=4)).items()
    }
    kind = draw(
        st.sampled_from([None, "application/json", "application/x-www-form-urlencoded", "x/y; q"])
    )
    body = draw(st.one_of(st.just(b""), _bytes, st.binary(min_size=2001, max_size=2100)))
    method = draw(
        st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PURGE"])
    )
    path = _as_path(draw(_bytes))
    raw = draw(st.none() | _bytes.map(_as_target))
    environ |= {"HTTP_HOST": host, "QUERY_STRING": draw(st.sampled_from(["", "a=1", "q=%20+'&x[]={}"]))}
    environ |= {"CONTENT_TYPE": kind} if kind else {}
    environ |= {"CONTENT_LENGTH": str(len(body))} if body else {}
    environ |= {"RAW_URI": raw} if raw else {"RAW_URI": ""}
    environ |= {"QUERY_STRING": ""} if raw and "?" not in raw else {}
    environ |= draw(st.sampled_from([{}, {"HTTP_ACCEPT": "*/*"}, {"HTTP_ACCEPT_ENCODING": "gzip"}]))
    chunks = (body,) if body else ()
    return make_record(
        Settings(),
        method=method,
        path=path,
        environ=environ,
        request_chunks=chunks,
        request_size=len(body),
    )
