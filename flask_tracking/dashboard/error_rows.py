"""Lines of the table of errors."""

from __future__ import annotations

from typing import NamedTuple

from ..rollups.rollup import FailureKey, Failures
from . import filtering
from .measured import Periods
from .page import Page


class ErrorRow(NamedTuple):
    """A group of failures."""

    error: str
    place: str
    route: str
    times: int
    is_new: bool
    address: str
    example: str | None
    """The address of a request."""


def make_error_rows(page: Page, periods: Periods) -> list[ErrorRow]:
    """Return the groups of failures, the largest first."""
    known = {key for key, _ in periods.before.failures}
    is_comparable = periods.before.total.requests > 0
    return [
        _make_error(page, key, failures, is_new=is_comparable and key not in known)
        for key, failures in periods.now.failures
    ]


def _make_error(page: Page, key: FailureKey, failures: Failures, *, is_new: bool) -> ErrorRow:
    if key.error.startswith("status "):
        terms = [filtering.term("status", key.error.removeprefix("status "))]
    else:
        terms = [filtering.term("error", key.error)]
    if key.url_rule is not None:
        terms.append(filtering.term("route", key.url_rule))
    example = failures.example
    return ErrorRow(
        key.error.rpartition(".")[2],
        f"{key.file.rpartition('/')[2]} in {key.function}" if key.file else "",
        key.url_rule or "(no route)",
        failures.count,
        is_new,
        page.narrow_to(" ".join(terms)),
        None if example is None else page.link_to("request", id=example.record_id),
    )
