"""Health checks cost nothing where the settings say so."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, request

from flask_tracking import MemoryExporter, Tracking
from flask_tracking.capture.health import PATHS, USER_AGENTS

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"


def answer_any(app: Flask) -> list[dict[str, Any]]:
    """Let `app` answer every path; return the list of the environs that its views see."""
    seen: list[dict[str, Any]] = []

    @app.route("/", defaults={"path": ""})
    @app.route("/<path:path>", methods=["GET", "POST"])
    def answer(path: str) -> bytes:
        seen.append(dict(request.environ))
        return b"up " + request.get_data()

    return seen


@pytest.mark.parametrize("path", sorted(PATHS))
def test_paths(app: Flask, memory: MemoryExporter, path: str) -> None:
    """A well-known path is not recorded, whoever asks for it."""
    app.config["TRACKING_EXCLUDE_HEALTH_CHECKS"] = True
    Tracking(app, exporter=memory)
    answer_any(app)
    assert app.test_client().get(path, headers={"User-Agent": BROWSER}).data == b"up "
    assert memory.records == []


@pytest.mark.parametrize(
    "agent",
    [
        "kube-probe/1.31",
        "GoogleHC/1.0",
        "ELB-HealthChecker/2.0",
        "Amazon-Route53-Health-Check-Service (ref 1; report http://amzn.to/1vsZADi)",
        "Azure Traffic Manager Endpoint Monitor",
        "Load Balancer Agent",
        "Edge Health Probe",
        "Envoy/HC",
        "Consul Health Check",
        "Mozilla/5.0 (compatible;Cloudflare-Healthchecks/1.0;+https://www.cloudflare.com/; x)",
        "Mozilla/5.0 (compatible; Cloudflare-Traffic-Manager/1.0; +https://www.cloudflare.com/)",
    ],
)
def test_agents(app: Flask, memory: MemoryExporter, agent: str) -> None:
    """A program that only checks health is not recorded, wherever it looks."""
    assert agent.startswith(USER_AGENTS)
    app.config["TRACKING_EXCLUDE_HEALTH_CHECKS"] = True
    Tracking(app, exporter=memory)
    answer_any(app)
    assert app.test_client().get("/orders", headers={"User-Agent": agent}).data == b"up "
    assert memory.records == []


@pytest.mark.parametrize(
    ("path", "agent"),
    [
        ("/", BROWSER),
        ("/health/", BROWSER),
        ("/healthy", BROWSER),
        ("/api/health", BROWSER),
        ("/status", BROWSER),
        ("/orders", "x kube-probe/1.31"),
        ("/orders", "Mozilla/5.0 (compatible; Googlebot/2.1)"),
        ("/orders", ""),
    ],
)
def test_everything_else_is_recorded(app: Flask, memory: MemoryExporter, path: str, agent: str) -> None:
    """A path or an agent that only looks like one is recorded."""
    app.config["TRACKING_EXCLUDE_HEALTH_CHECKS"] = True
    Tracking(app, exporter=memory)
    answer_any(app)
    assert app.test_client().get(path, headers={"User-Agent": agent}).status_code == 200
    assert [record.path for record in memory.records] == [path]


def test_off_by_default(app: Flask, memory: MemoryExporter, tracking: Tracking) -> None:
    """Without the setting health checks are recorded like anything else."""
    answer_any(app)
    headers = {"User-Agent": "kube-probe/1.31"}
    assert app.test_client().get("/healthz", headers=headers).data == b"up "
    assert [record.path for record in memory.records] == ["/healthz"]


@pytest.mark.parametrize(
    "config",
    [{"TRACKING_EXCLUDE_HEALTH_CHECKS": True}, {"TRACKING_EXCLUDE": ["^/healthz$"]}],
)
def test_excluded_request_is_left_alone(
    app: Flask, memory: MemoryExporter, config: dict[str, Any]
) -> None:
    """No span is opened, nothing is teed: the app sees the server's environ and nothing else."""
    app.config.update(config)
    tracking = Tracking(app, exporter=memory)
    seen = answer_any(app)
    spans: list[bool] = []
    app.before_request(lambda: spans.append(tracking.span.is_recording))
    bare = Flask("bare")
    expected = answer_any(bare)
    for one in (app, bare):
        response = one.test_client().post("/healthz", data=b"body", buffered=False)
        assert response.data == b"up body"
    (ours,), (theirs,) = seen, expected
    assert ours.keys() == theirs.keys()
    assert type(ours["wsgi.input"]) is type(theirs["wsgi.input"])
    assert spans == [False]
    assert memory.records == []
    assert tracking.stats.received == 0
