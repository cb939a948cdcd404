"""`assert_exporter` and `assert_store` pass what is right, and name the promise that is broken."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from flask_tracking import Exporter, ExportError, Filter, MemoryExporter, Record, TeeExporter
from flask_tracking.exporters.store import Place, Problem, Tail
from flask_tracking.testing import assert_exporter, assert_store, contract


class Lines(Exporter):
    """The exporter of ten lines."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _store(self, records: Sequence[Record]) -> int:
        rows = [[record.path, record.status_code, record.execution_time] for record in records]
        with self.path.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        return 0


def test_exporters_that_keep_their_promises(tmp_path: Path) -> None:
    """The smallest exporter passes, a tee passes, and a store is an exporter."""
    for make in (
        lambda: Lines(tmp_path / "lines"),
        lambda: TeeExporter(Lines(tmp_path / "more"), MemoryExporter()),
        MemoryExporter,
    ):
        assert_exporter(make)


def break_exporter(**methods: Any) -> Callable[[], MemoryExporter]:
    """Make stores in memory of which some methods are others."""
    return type("Broken", (MemoryExporter,), methods)


@pytest.mark.parametrize(
    ("methods", "promise"),
    [
        ({"export": lambda self, records: "all"}, "export() must return a number or None: 'all'"),
        ({"export": lambda self, records: True}, "export() must return a number or None: True"),
        ({"_store": lambda self, records: 1}, "must store all of these records, and it rejected 1"),
    ],
)
def test_broken_exporters(methods: dict[str, Any], promise: str) -> None:
    """The message says which promise is broken."""
    with pytest.raises(AssertionError) as caught:
        assert_exporter(break_exporter(**methods))
    assert promise in str(caught.value)


def test_exporter_that_closes_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exporter that takes no heed of the time breaks a promise, too."""
    monkeypatch.setattr(contract, "CLOSE_S", 0.01)
    monkeypatch.setattr(contract, "SLACK_S", 0.01)
    with pytest.raises(AssertionError, match=r"close\(timeout_s\) must end in time"):
        assert_exporter(break_exporter(close=lambda self, timeout_s=2.0: time.sleep(0.05)))


def test_exporter_that_answers_nothing(tmp_path: Path) -> None:
    """None means that nothing was rejected, here as for the worker."""

    class Silent(Lines):
        def export(self, records: Sequence[Record]) -> Any:
            super().export(records)

    assert_exporter(lambda: Silent(tmp_path / "lines"))


def test_exporter_that_raises() -> None:
    """What an exporter raises is seen as it is."""

    class Raising(Lines):
        def _store(self, records: Sequence[Record]) -> int:
            raise ExportError("away")

    with pytest.raises(ExportError, match="away"):
        assert_exporter(lambda: Raising(Path("none")))


class Doubling(MemoryExporter):
    """Finds each record twice."""

    def _find(self, wanted: Filter, limit: int) -> list[Record]:
        return [one for found in super()._find(wanted, limit) for one in (found, found)]


class Oldest(MemoryExporter):
    """Finds the oldest first."""

    def _find(self, wanted: Filter, limit: int) -> list[Record]:
        return super()._find(wanted, limit)[::-1]


class Cutting(MemoryExporter):
    """Loses bodies."""

    def _store(self, records: Sequence[Record]) -> int:
        return super()._store([dataclasses.replace(one, request_body=b"") for one in records])


class Repeating(MemoryExporter):
    """Never moves on."""

    def _tail(self, wanted: Filter, after: Any, limit: int) -> Tail:
        return super()._tail(wanted, after, limit)._replace(position=after)


class Hasty(MemoryExporter):
    """Rewrites in a dry run."""

    def rewrite(self, revise: Any, version: str, *, is_dry_run: bool = False) -> Any:
        return super().rewrite(revise, version)


@pytest.mark.parametrize(
    ("store", "promise"),
    [
        (Doubling, "a record that is exported twice must be found once"),
        (Oldest, "find() must return the newest first"),
        (Cutting, "get() must return a record as it was stored"),
        (Repeating, "tail() must return"),
        (Hasty, "a dry run of rewrite() must change nothing"),
        (break_exporter(_keep=lambda self, *_: False), "keep() must return True for what is stored"),
        (break_exporter(unkeep=lambda self, _: True), "a record that is kept no longer must say so"),
        (break_exporter(_load_overrides=lambda self: ()), "load_overrides() must return"),
        (break_exporter(clear_overrides=lambda self, _: None), "clear_overrides() must remove"),
        (break_exporter(check=lambda self: [Problem("error", "")]), "must say what is wrong"),
        (break_exporter(prepare=lambda self: [Place(name="")]), "a place must have a name"),
    ],
)
def test_broken_stores(store: Callable[[], MemoryExporter], promise: str) -> None:
    """Each promise of a store is checked."""
    with pytest.raises(AssertionError) as caught:
        assert_store(store)
    assert promise in str(caught.value)
