"""What the memory store does beyond the contract."""

from __future__ import annotations

import dataclasses

from flask_tracking import Filter, MemoryExporter

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
    record = dataclasses.replace(make_record(), kept=True, kept_reason="slow")
    exporter.export([record])
    exporter.clear()
    assert exporter.records == []
    assert exporter.get(record.id) is None


def test_kept_ones_are_not_pushed_out() -> None:
    """Kept records outlive the others, up to a bound of their own; then the oldest make room."""
    exporter = MemoryExporter(max_records=2, max_kept=3)
    kept = [dataclasses.replace(make_record(), kept=True, kept_reason="error") for _ in range(4)]
    others = [make_record() for _ in range(5)]
    exporter.export(kept)
    exporter.export(others)
    assert exporter.records == others[-2:]
    assert exporter.find(Filter(), limit=10) == [*others[:-3:-1], *kept[:0:-1]]
    assert exporter.get(kept[0].id) is None


def test_records_say_whether_they_are_kept_now() -> None:
    """The list of records follows what is kept now."""
    exporter = MemoryExporter()
    records = [make_record(), dataclasses.replace(make_record(), kept=True, kept_reason="error")]
    exporter.export(records)
    assert exporter.keep(records[0].id, "why") and exporter.unkeep(records[1].id)
    assert [record.kept_reason for record in exporter.records] == ["why", None]
