"""The page about the recorder: the findings of `doctor`, the processes, and how long records stay."""

from __future__ import annotations

import contextlib
import weakref
from time import monotonic
from typing import NamedTuple

from flask import Flask, Response, current_app

from ...doctor import CHECKS, Checked, Subject, examine
from ...errors import ExportError, TrackingError
from ...exporters.store import Problem
from ...registry import TrackedApp
from ..page import Page
from ..security.boundary import find_policies
from ..security.policy import find_blocked, has_nonces
from ..tables.process_rows import ProcessRow, make_process_rows
from ..tables.storage_rows import StorageRow, make_storage_rows
from ..templating import html, render
from ..text.numbers import count, duration, size

SLOW = frozenset({"secrets"})
"""Expensive checks, which only `flask tracking doctor` runs."""
MAX_AGE_S = 60.0


class Examined(NamedTuple):
    """What was found out about an app, and when by the monotonic clock."""

    at_s: float
    checked: list[Checked]
    processes: list[ProcessRow]
    storage: list[StorageRow]


_examined: weakref.WeakKeyDictionary[TrackedApp, Examined]
_examined = weakref.WeakKeyDictionary()


def show_health(page: Page) -> Response:
    """Show problems of recording, storing and reading, each with a fix."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    found = _examine(app, page)
    return html(
        render(
            "health.html",
            page=page,
            checked=[*found.checked, _check_policy(page)],
            processes=found.processes,
            storage=found.storage,
            process=_describe_process(page),
        )
    )


def _examine(app: Flask, page: Page) -> Examined:
    """Return the findings, at most a minute old."""
    known = _examined.get(page.tracked)
    if known is not None and monotonic() - known.at_s < MAX_AGE_S:
        return known
    subject = Subject(app, page.tracked, page.writer)
    checks = [check for check in CHECKS if check.name not in SLOW]
    checked = list(examine(subject, checks))
    found = Examined(monotonic(), checked, _list_processes(subject), _list_storage(page))
    _examined[page.tracked] = found
    return found


def _list_processes(subject: Subject) -> list[ProcessRow]:
    """Return the processes of the last hours; none if the store does not answer, as a check says."""
    with contextlib.suppress(ExportError):
        return make_process_rows(subject.minutes.rollups) if subject.minutes is not None else []
    return []


def _list_storage(page: Page) -> list[StorageRow]:
    """Return the places of records, likewise."""
    with contextlib.suppress(TrackingError):
        return make_storage_rows(page.writer.measure(), page.now)
    return []


def _check_policy(page: Page) -> Checked:
    """Check whether the app's own policy allows our scripts and styles."""
    policies = find_policies(page.request.environ)
    if policies is None:
        return Checked("policy", facts=("the app's policy is known after the first page",))
    blocked = find_blocked(policies, page.request.host, has_nonce=bool(page.nonce_attribute))
    if not blocked:
        return Checked("policy", facts=("the app's policy allows the dashboard's scripts and styles",))
    fix = f"Add 'self' to its {' and '.join(f'{kind}-src' for kind in blocked)}"
    if has_nonces(policies) and not page.nonce_attribute:
        fix = "Pass Tracking(dashboard_nonce=...), a function that returns the nonce of the response"
    what = " and ".join(f"{kind}s" for kind in blocked)
    problem = (
        f"The app's content security policy blocks the dashboard's {what}; pages work without them"
    )
    return Checked("policy", (Problem("warning", problem, fix),))


def _describe_process(page: Page) -> list[tuple[str, str]]:
    """Return the counters of this process as names and values."""
    worker = page.tracked.worker
    if worker is None:
        return [("Recording", "off: TRACKING_ENABLED is False")]
    stats = worker.stats
    age = stats.last_export_age_s
    lost = ", ".join(f"{number:,} {reason}" for reason, number in sorted(stats.dropped.items()))
    return [
        ("Requests received", count(stats.received)),
        ("Records stored", count(stats.exported)),
        ("Waiting", f"{count(stats.queue_records)} records, {size(stats.queue_bytes)}"),
        ("Last stored", "never" if age is None else f"{duration(age * 1000)} ago"),
        ("Dropped", lost or "nothing"),
        ("Failed exports and hooks", count(stats.failed)),
    ]
