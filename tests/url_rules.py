"""Werkzeug's builders of URLs, compiled once for each rule and not for each of the apps with it.

Tests make thousands of apps, and most with the same rules. Werkzeug compiles two functions for each of
them: 6 ms for an app with the dashboard, most of what it takes to set one up.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]


def share_builders() -> None:
    """Let rules that are written alike share their builders, as long as this process lives."""
    compile_builder = Rule._compile_builder
    builders: dict[tuple[Any, ...], Builder] = {}

    @functools.wraps(compile_builder)
    def compile_once(self: Rule, append_unknown: bool = True) -> Builder:
        if self.defaults:  # they are part of the code, as the rule's converters write them
            return compile_builder(self, append_unknown)
        key = (self.rule, *self._trace, append_unknown)
        if key not in builders:
            builders[key] = compile_builder(self, append_unknown)
        return builders[key]

    Rule._compile_builder = compile_once  # type: ignore[method-assign]
