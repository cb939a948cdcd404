"""A view that waits for its client: it goes on when the client has seen what came before."""

from __future__ import annotations

import os
import time
import urllib.parse
from pathlib import Path

from .journal import current_scene, note

PATIENCE_S = 2.0
"""How long a view waits for a client whose server holds back what it should have sent."""


def _gate(folder: str | Path, scene: str) -> Path:
    return Path(folder, urllib.parse.quote(scene, ""))


def open_gate(folder: Path, scene: str) -> None:
    """Let the view of `scene` go on."""
    _gate(folder, scene).touch()


def wait_at_gate() -> None:
    """Wait until the client has let this scene go on, and note when it did not."""
    gate = _gate(os.environ["CONFORMANCE_GATES"], current_scene.get())
    deadline = time.monotonic() + PATIENCE_S
    while not gate.exists():
        if time.monotonic() > deadline:
            note("waited in vain for the client")
            return
        time.sleep(0.002)
    note("the client went on")
