"""What the memory store does beyond the contract."""

from __future__ import annotations

from flask_tracking import MemoryExporter

from ..captures import make_record


def test_oldest_make_room() -> None:
    """Past its bound the oldest records go."""
    exporter = MemoryExporter(max_records=2)
    records = [make_record() for _ in range(3)]
    exporter.export(records)
    assert exporter.records == records[1:]


def test_clear() -> None:
    """clear forgets everything."""
    exporter = MemoryExporter()
    exporter.export([make_record()])
    exporter.clear()
    assert exporter.records == []
