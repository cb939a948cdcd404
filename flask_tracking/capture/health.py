"""Recognise health checks by path or user agent, without asking the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ["USER_AGENTS", "PATHS", "is_health_check"]

PATHS = frozenset(
    {
        "/health",
        "/healthz",
        "/health/live",
        "/health/ready",
        "/health/startup",
        "/healthcheck",
        "/health-check",
        "/health_check",
        "/livez",
        "/readyz",
        "/startupz",
        "/liveness",
        "/readiness",
        "/ping",
        "/_health",
        "/_healthz",
        "/_ah/health",
        "/__heartbeat__",
        "/__lbheartbeat__",
    }
)
"""Exact paths. ``/status``, ``/live`` and ``/up`` are left out: they are pages in some apps."""

USER_AGENTS = (
    "kube-probe/",
    "GoogleHC/",
    "ELB-HealthChecker/",
    "Amazon-Route53-Health-Check-Service",
    "Azure Traffic Manager Endpoint Monitor",
    "Load Balancer Agent",
    "Edge Health Probe",
    "Envoy/HC",
    "Consul Health Check",
    "Mozilla/5.0 (compatible;Cloudflare-Healthchecks/",
    "Mozilla/5.0 (compatible; Cloudflare-Traffic-Manager/",
)
"""The beginnings of the user agents of programs that only check health."""


def is_health_check(path: str, environ: WSGIEnvironment) -> bool:
    """Tell whether the request of `environ` to `path` is a health check."""
    return path in PATHS or environ.get("HTTP_USER_AGENT", "").startswith(USER_AGENTS)
