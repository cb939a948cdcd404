"""The page about the recorder itself."""

from __future__ import annotations

from unittest import mock

import pytest

from flask_tracking import ExportError, MemoryExporter
from flask_tracking.dashboard.pages import health

from .conftest import Make
from .test_pages import check

PAGE = "/_tracking/health"


def test_health(make: Make) -> None:
    """It shows each check but the slow ones, and what this process did."""
    client = make().test_client()
    client.get("/tea/green")
    page = check(client.get(PAGE).text)
    for name in ("store", "settings", "capture", "records", "speed"):
        assert f'<th scope="row">{name}</th>' in page
    assert '<th scope="row">secrets</th>' not in page
    assert "<dt>Requests received</dt><dd>1</dd>" in page


def test_checks_run_once_a_minute(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many look, the store is asked once in a while."""
    client = make().test_client()
    calls: list[float] = []
    now = [1000.0]
    monkeypatch.setattr(health, "monotonic", lambda: now[0])

    def examine(*_: object) -> list[object]:
        calls.append(now[0])
        return []

    monkeypatch.setattr(health, "examine", examine)
    for now[0] in (1000.0, 1030.0, 1059.0, 1061.0):
        assert client.get(PAGE).status_code == 200
    assert calls == [1000.0, 1061.0]


def test_store_that_is_away(make: Make, memory: MemoryExporter) -> None:
    """A store that does not answer is a finding, and the page is there."""
    client = make().test_client()
    error = ExportError("MongoDB at db.example cannot be reached")
    with (
        mock.patch.object(memory, "_find", side_effect=error),
        mock.patch.object(memory, "_check", side_effect=error),
    ):
        response = client.get(PAGE)
    assert response.status_code == 200
    assert "MongoDB at db.example cannot be reached" in check(response.text)


def test_without_recording(make: Make) -> None:
    """An app that does not record says so."""
    page = check(make(TRACKING_ENABLED=False).test_client().get(PAGE).text)
    assert "off: TRACKING_ENABLED is False" in page
