"""The app's own policy, and what it means for our scripts and styles."""

from __future__ import annotations

import pytest
from flask import Response

from flask_tracking.dashboard.security.policy import find_blocked

from .conftest import Make
from .test_pages import check

HEALTH = "/_tracking/health"
STRICT = "script-src 'nonce-abc' 'strict-dynamic'; object-src 'none'"


@pytest.mark.parametrize(
    ("policy", "blocked"),
    [
        ("", []),
        ("object-src 'none'", []),
        ("default-src 'self'", []),
        ("default-src *", []),
        ("default-src https:", []),
        ("default-src shop.example", []),
        ("default-src https://shop.example:8000/", []),
        ("default-src 'none'", ["script", "style"]),
        ("default-src cdn.example", ["script", "style"]),
        ("default-src 'none'; script-src 'self'", ["style"]),
        ("script-src cdn.example; script-src 'self'", ["script"]),
        ("SCRIPT-SRC 'SELF'", []),
        ("script-src-elem 'none'; script-src 'self'", ["script"]),
        ("default-src 'self', script-src 'none'", ["script"]),
        (STRICT, ["script"]),
        ("script-src 'self' 'strict-dynamic' 'nonce-abc'", ["script"]),
        ("style-src 'nonce-abc'", ["style"]),
        (";;; ,", []),
    ],
)
def test_blocked(policy: str, blocked: list[str]) -> None:
    """As browsers read a policy, without a nonce on our tags."""
    assert find_blocked([policy], "shop.example:8000", has_nonce=False) == blocked


def test_nonce_allows() -> None:
    """A nonce on our tags lets them through a policy with nonces, and no other."""
    assert find_blocked([STRICT, "style-src 'nonce-abc'"], "shop.example", has_nonce=True) == []
    assert find_blocked(["script-src 'none'"], "shop.example", has_nonce=True) == ["script"]


@pytest.mark.parametrize(
    ("policy", "nonce", "said"),
    [
        (None, None, "allows the dashboard&#39;s scripts and styles"),
        ("default-src 'self'", None, "allows the dashboard&#39;s scripts and styles"),
        (STRICT, None, "blocks the dashboard&#39;s scripts; pages work without them"),
        (STRICT, None, "Pass Tracking(dashboard_nonce=...), a function that returns the nonce"),
        (STRICT, lambda: "abc", "allows the dashboard&#39;s scripts and styles"),
        ("default-src 'none'", None, "Add &#39;self&#39; to its script-src and style-src"),
    ],
)
def test_health(make: Make, policy: str | None, nonce: object, said: str) -> None:
    """Health says it of the policy that the app set on the page before."""
    app = make(nonce=nonce)

    @app.after_request
    def add_policy(response: Response) -> Response:
        if policy is not None:
            response.headers["Content-Security-Policy"] = policy
        return response

    client = app.test_client()
    assert "is known after the first page" in client.get(HEALTH).text
    assert said in check(client.get(HEALTH).text)
