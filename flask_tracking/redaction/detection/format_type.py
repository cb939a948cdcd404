"""The type of a format, and boundaries before a token.

Patterns use the common syntax of Python's ``re`` and RE2, with one open repeat in each part, so that no
input makes either slow. Least lengths are below what vendors hand out today, and no length has an
upper end: tokens grow.
"""

from __future__ import annotations

from typing import NamedTuple

START = r"(?:^|[^0-9A-Za-z]|\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})"
"""Before a token: no letter or digit, except the end of a JSON or percent escape."""
LONE = r"(?:^|[^0-9A-Za-z_-]|\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})"
"""The same for tokens that begin like a part of an ordinary name."""
UNSIGNED = r"(?:^|[^0-9A-Za-z.+-]|[0-9A-Za-z]\+|\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})"
"""The same for numbers: no card follows a point or a sign, but a plus may be a blank."""
ANYWHERE = ""
OWN = "TRACKING_REDACT_PATTERNS"
"""The source of the app's own rules."""


class Format(NamedTuple):
    """One format."""

    id: str
    """Its name in ``TRACKING_REDACT_OFF`` and in remarks."""
    pattern: str
    """Of the token; if it has a group ``s``, only that is removed."""
    hints: tuple[str, ...]
    """Literals, one of which is in every token; empty if there are none."""
    sources: str
    before: str = START
    check: str = ""
    """The name of a check that a match has to pass, for formats made of digits or words."""
    version: int = 1
    """Goes up whenever the format finds something else than before."""
    any_case: bool = False
    """Whether the pattern matches any case; its hints are lower case then."""
    finds: str = ""
    """The secrets it finds, in a few words."""
