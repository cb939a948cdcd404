"""Text that would harm whoever opens a page, for every field in which a client can put it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection
from typing import Any

from flask_tracking import Record
from flask_tracking.record import ChildTiming, ExceptionInfo

HOSTILE = '"><script>alert(1)</script>\u202e\x00<img src=x onerror=alert(1)>{{7*7}}'

FIELDS: dict[str, Callable[[str], Any]] = {
    "path": lambda text: f"/{text}",
    "method": str,
    "host": str,
    "query_params": str,
    "user_id": str,
    "user_repr": str,
    "ip": str,
    "version": str,
    "url_rule": str,
    "endpoint": str,
    "process": str,
    "request_id": str,
    "kept_reason": str,
    "http_version": str,
    "notes": lambda text: (text,),
    "request_headers": lambda text: ((text, text), ("Content-Type", text)),
    "response_headers": lambda text: ((text, text),),
    "request_body": lambda text: text.encode("utf-8", "replace"),
    "response_body": lambda text: json.dumps({"kkk": [text]}).encode(),
    "custom_data": lambda text: {text: text, "deep": {text: [text]}},
    "children": lambda text: (ChildTiming(text, 0.0, 1.0, text),),
    "exception": lambda text: ExceptionInfo(
        text, text, f'  File "{text}", line 1, in {text}\n    {text}'
    ),
}
"""What a field holds, made of the text."""

FIRED = "(window.fired = 1)"
"""A script that leaves a trace."""
PAYLOADS = {
    "script": f"</title></textarea></script><script>{FIRED}</script>",
    "handler": f"\"'><img src=x onerror={FIRED}><svg onload={FIRED}><details open ontoggle={FIRED}>",
    "attribute": f"\" onmouseover={FIRED} onfocus={FIRED} autofocus x=\"' onclick={FIRED} style='x",
    "address": f"javascript:{FIRED}//",
    "data": f"data:text/html,<script>{FIRED}</script>",
    "frame": "<iframe srcdoc='<script>parent.fired=1</script>'></iframe><base href=//x><a id=q>",
    "template": "{{constructor.constructor('window.fired=1')()}}${window.fired=1}{% raw %}<%= 1 %>",
    "bidi": "\u202egpj.exe\u2066\u200b\ufeff\x00\x1b[2J\x7f\ud800",
    "wide": "W" * 3000 + "\U0001f375" * 500,
}
"""What pages are given in every field at once; with a script wherever one could stand."""


def fill(record: Record, text: str, *, leave: Collection[str] = ()) -> Record:
    """Return `record` with `text` in every field in which it can stand, but those to be left."""
    filled = {field: make(text) for field, make in FIELDS.items() if field not in leave}
    return dataclasses.replace(record, kept=True, **filled)
