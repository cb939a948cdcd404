"""The routes of the dashboard.

Views are given by name, so that their modules are imported on the first request to one.
"""

from __future__ import annotations

import dataclasses

__all__ = ["ROUTES", "Route"]


BUDGET_S = 2.0
"""The time limit of a page, and so of a query whose tab was closed."""
SEARCH_S = 4.0
"""A list may search bodies for two seconds, and then has to explain an empty result."""
POLL_S = 1.0
"""Tabs poll by themselves, so a poll may keep a worker for less time than a page."""
DOCTOR_S = 10.0
EXPORT_S = 20.0


@dataclasses.dataclass(frozen=True)
class Route:
    """A route below the prefix."""

    path: str
    name: str
    view: str
    """The module in `pages` and its function, as ``module.function``."""
    methods: tuple[str, ...] = ("GET", "HEAD")
    is_download: bool = False
    budget_s: float = BUDGET_S
    """The time limit for all reads of one request, in seconds."""


ROUTES = (
    Route("/", "overview", "overview.show_overview"),
    Route("/requests", "requests", "requests.show_requests", budget_s=SEARCH_S),
    Route("/routes", "routes", "routes.show_routes"),
    Route("/route", "route", "route.show_route"),
    Route("/errors", "errors", "errors.show_errors"),
    Route("/errors/<group>", "error", "error.show_error"),
    Route("/compare", "compare", "compare.show_compare"),
    Route("/shared", "shared", "shared.show_shared"),
    Route("/data/shared", "shared_panel", "shared.send_panel"),
    Route("/health", "health", "health.show_health", budget_s=DOCTOR_S),
    Route(
        "/export/<name>",
        "export",
        "exporting.send_export",
        is_download=True,
        budget_s=EXPORT_S,
    ),
    Route("/data/complete", "complete", "completion.show_completions", budget_s=1.0),
    Route("/data/new-errors", "new_errors", "errors.send_new", budget_s=POLL_S),
    Route("/data/users", "users", "errors.send_users"),
    Route("/data/rows", "rows", "live.show_rows", budget_s=POLL_S),
    Route("/requests/<id>", "request", "request.show_request"),
    Route("/requests/<id>/related", "related", "related.show_related"),
    Route("/data/requests/<id>/related", "related_panel", "related.send_related"),
    Route("/newer/<cursor>", "newer", "neighbours.go_newer", budget_s=SEARCH_S),
    Route("/older/<cursor>", "older", "neighbours.go_older", budget_s=SEARCH_S),
    Route("/requests/<id>/body/<side>", "body", "downloads.send_body", is_download=True),
    Route("/requests/<id>/as/<language>", "reproduce", "downloads.reproduce"),
    Route("/requests/<id>/keep", "keep", "keeping.keep", ("POST",)),
    Route("/requests/<id>/unkeep", "unkeep", "keeping.unkeep", ("POST",)),
    Route("/static/<version>/<name>", "static", "downloads.send_static"),
)
