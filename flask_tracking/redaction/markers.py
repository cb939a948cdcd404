"""Markers of removed secrets: ours, and those of other tools."""

from __future__ import annotations

import re

MARKER = "[redacted]"
"""Replaces a secret; always the same, so that it tells nothing about it."""
MARKS = re.compile(
    rb"\[redacted (?:#[0-9a-f]{8}|\.\.\.[0-9A-Za-z]{0,4})\]|"
    rb"\[(?:redacted|filtered|removed|scrubbed|hidden|masked|secret)\]|<(?:redacted|filtered|masked)>|\*{3,}",
    re.I,
)
"""Our marker and those of other tools: ``[redacted ...1111]``, ``[Filtered]``, ``***``."""
LONGEST_MARK = 40
"""Bytes; no marker is longer, of other tools either."""
SCHEMES = frozenset(
    """
    apikey aws4-hmac-sha256 basic bearer digest dpop gnap hawk hoba jwt mutual negotiate ntlm
    oauth privatetoken scram-sha-1 scram-sha-256 token vapid
    """.split()
)
"""Schemes of ``Authorization``: they stay in front of the marker."""


def is_marked(value: bytes) -> bool:
    """Tell whether a value is a marker already, or a scheme of ``Authorization`` and a marker."""
    if value[-1:] not in b"]>*":
        return False
    scheme, space, rest = value.partition(b" ")
    is_scheme = bool(space) and scheme.decode("latin-1").lower() in SCHEMES
    return MARKS.fullmatch(rest.strip() if is_scheme else value) is not None
