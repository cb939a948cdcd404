"""Plays every scene on a server, and keeps all that was seen."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest import mock

from flask_tracking.testing.observation import Observation
from flask_tracking.testing.watch import freeze_signatures

from . import gates, journal
from .apps import FACTORIES
from .client import Client
from .exchange import PROBE, Scene, get
from .inprocess import TestClient
from .servers import Server
from .site import Site, journalled_log
from .tracks import make_track

_one_at_a_time = threading.Lock()
"""The journal and the log of this process are one."""


@dataclass
class Run:
    """All that was seen of one server in one variant."""

    seen: dict[str, Observation] = field(default_factory=dict)
    """By scene."""
    output: tuple[str, ...] = ()
    """What the server printed, entry by entry."""
    called: Counter[str] = field(default_factory=Counter)
    """How often tracked apps were called, by scene."""
    said: tuple[str, ...] = ()
    """What flask_tracking itself logged."""


def play_on(server: Server, variant: str, uri: str, scenes: list[Scene]) -> Run:
    """Start a server, play all scenes in their order, and end it."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        folder = Path(name)
        written = folder / "journal"
        (folder / "gates").mkdir()
        environ = {
            "CONFORMANCE_APPS": ",".join(apps_of(scenes)),
            "CONFORMANCE_VARIANT": variant,
            "CONFORMANCE_URI": uri,
            "CONFORMANCE_JOURNAL": str(written),
            "CONFORMANCE_GATES": str(folder / "gates"),
            "WERKZEUG_DEBUG_PIN": "off",
        }
        run = Run()
        with server.run(environ, folder) as port:
            for scene in scenes:
                release = _opener(scene, folder / "gates")
                answers, fate = Client(port, scene, release).play()
                run.seen[scene.name] = Observation(answers, fate)
            # A worker that was ended is replaced before the server is asked to end.
            Client(port, LAST, lambda: None).play()
        # Now that the server has ended, the journal is whole.
        _add_journal(run, journal.read(written))
        printed = (folder / "output").read_text(errors="replace").replace(name, "<folder>")
        run.output = tuple(split_entries(printed))
        return run


def play_in_process(variant: str, uri: str, scenes: list[Scene]) -> Run:
    """Play all scenes through the test client."""
    notes = journal.Journal()
    run = Run()
    with _one_at_a_time, tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        environ = {"CONFORMANCE_URI": uri, "CONFORMANCE_GATES": folder}
        with mock.patch.dict(os.environ, environ), freeze_signatures():
            with journalled_log(), journal.used(notes):
                track = make_track(variant)
                site = Site({name: FACTORIES[name] for name in apps_of(scenes)}, track)
                for scene in scenes:
                    release = _opener(scene, Path(folder))
                    run.seen[scene.name] = TestClient(site, scene, release).play()
                journal.current_scene.set("")
                close = getattr(track, "close", None)
                if close is not None:
                    close()
    _add_journal(run, notes.entries)
    return run


def apps_of(scenes: Iterable[Scene]) -> list[str]:
    """Return the apps that these scenes are played with; to import others takes time."""
    return list(dict.fromkeys(scene.app for scene in scenes))


LAST = Scene("", "", (get(PROBE),))


def _opener(scene: Scene, folder: Path) -> Callable[[], None]:
    return lambda: gates.open_gate(folder, scene.name)


def split_entries(output: str) -> list[str]:
    """Split what a server printed into entries; a traceback is one of its own."""
    # Between a traceback and the line that announces it, another thread may print. The exception
    # stands at the beginning of a line, and belongs to its traceback.
    ends = r"\w+(?:\.\w+)*(?:Error|Exception|Exit|Interrupt)\b"
    entries = re.split(rf"\n(?=\S)(?!{ends})", output.strip("\n"))
    return [entry for entry in entries if PROBE not in entry]


def _add_journal(run: Run, entries: list[journal.Entry]) -> None:
    noted, logged = journal.by_scene(entries, "journal"), journal.by_scene(entries, "log")
    for scene, seen in run.seen.items():
        log = tuple(text for text in logged.get(scene, ()) if PROBE not in text)
        run.seen[scene] = replace(seen, journal=noted.get(scene, ()), log=seen.log + log)
    run.called.update(entry.scene for entry in entries if entry.kind == "call")
    run.said = tuple(entry.text for entry in entries if entry.kind == "own")
