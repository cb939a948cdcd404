"""The engines: what they find, and that they leave the process alone."""

from __future__ import annotations

import subprocess
import sys
from unittest import mock

import pytest

from flask_tracking.pipeline.redaction import engine
from flask_tracking.pipeline.redaction.names import Names
from flask_tracking.pipeline.redaction.scans import scan_all
from flask_tracking.pipeline.redaction.values import Finder

from .examples import OUTLINES, make_examples

SCANNING = """
import sys, threading
from flask_tracking.pipeline.redaction.engine import Re2Engine
from flask_tracking.pipeline import batch
from flask_tracking import MemoryExporter, Settings

keep = batch.BatchWorker(Settings(), MemoryExporter())
data, began = b"abc1" * 50_000, threading.Event()

def scan():
    while True:
        list(Re2Engine().compile("abc[0-9]+x").finditer(data))
        began.set()

for _ in range(20):
    threading.Thread(target=scan, daemon=True).start()
began.wait()
sys.exit(7)
"""


def test_a_scan_at_the_end_of_the_process_does_not_take_it_down() -> None:
    """The exit code is the app's, also where a thread is inside RE2 when the process ends."""
    pytest.importorskip("re2")
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", SCANNING], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (7, "")


def test_a_scan_without_patience_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where RE2 takes too long, Python's engine goes on from there, and nothing is found otherwise."""
    pytest.importorskip("re2")
    finder = Finder(engine.Re2Engine(), Names())
    lines = [
        f"token {hit} password: {hit}, {hit}" for one in OUTLINES for hit in make_examples(one).hits
    ]
    data = "\n".join(lines).encode()
    patient = finder.scan(data)
    assert len(patient) > 2 * engine.MATCHES_OF_A_SCAN

    monkeypatch.setattr(engine, "PATIENCE_S", 0)
    monkeypatch.setattr(engine, "PATIENCE_FOR_BYTE_S", 0)
    with mock.patch(f"{engine.__name__}.scan_all", wraps=scan_all) as went_on:
        assert finder.scan(data) == patient
    went_on.assert_called_once()
