"""A test that fails, to show what its failure says."""

from __future__ import annotations

from flask.testing import FlaskClient

from flask_tracking.testing import RecordedRequests


def test_share_among_guests(client: FlaskClient, tracking_records: RecordedRequests) -> None:
    """A pot is shared, however many guests there are."""
    for guests in (2, 1, 0):
        client.get(f"/share/{guests}")
    tracking_records.assert_status(200)
