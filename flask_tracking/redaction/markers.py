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
SCHEME = re.compile(
    rb"(?:apikey|aws4-hmac-sha256|basic|bearer|digest|dpop|gnap|hawk|hoba|jwt|mutual|negotiate|ntlm|"
    rb"oauth|privatetoken|scram-sha-(?:1|256)|splunk|ssws|token|vapid) ",
    re.I,
)
"""A scheme of ``Authorization``, which stays in front of the marker: ``Bearer X``."""
_MARKED = re.compile(
    rb"(?:%b\s*)?(?:%b)(?:[&;,\s]+(?:%b))*" % (SCHEME.pattern, *[MARKS.pattern] * 2), re.I
)


def is_marked(value: bytes) -> bool:
    """Tell whether a value is nothing but markers, maybe behind a scheme, or ending a sentence."""
    value = value.strip().rstrip(b".,;:!?")
    return value[-1:] in b"]>*" and _MARKED.fullmatch(value) is not None
