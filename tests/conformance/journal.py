"""What the apps note, each entry under the scene that is being played."""

from __future__ import annotations

import contextlib
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["journal", "log", "call", "own"]
"""Of the app, of a logger, a call of a tracked app, a log entry of flask_tracking itself."""


class Entry(NamedTuple):
    """One line of the journal."""

    kind: Kind
    scene: str
    text: str


current_scene: ContextVar[str] = ContextVar("current_scene", default="")
"""Set when an app is called and left set: what the server does afterwards belongs to it."""


class Journal:
    """Entries, in memory or appended to a file that many processes share."""

    def __init__(self, path: str | None = None) -> None:
        self.path = path
        self.entries: list[Entry] = []

    def add(self, kind: Kind, text: str, scene: str | None = None) -> None:
        """Append an entry for `scene`, or for the one that is being played."""
        entry = Entry(kind, current_scene.get() if scene is None else scene, text)
        if self.path is None:
            self.entries.append(entry)
            return
        # One write to a file opened for appending is one piece, whoever else writes.
        descriptor = os.open(self.path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        try:
            os.write(descriptor, json.dumps(entry).encode() + b"\n")
        finally:
            os.close(descriptor)


_current = Journal()


def use(journal: Journal) -> Journal:
    """Let `note` write into `journal`; return what it wrote into before."""
    global _current
    before, _current = _current, journal
    return before


@contextlib.contextmanager
def used(journal: Journal) -> Iterator[None]:
    """Let `note` write into `journal` for a while."""
    before = use(journal)
    try:
        yield
    finally:
        use(before)


def add(kind: Kind, text: str) -> None:
    """Append an entry to the journal in use."""
    _current.add(kind, text)


def note(text: str, scene: str | None = None) -> None:
    """Note what happens in an app; a thread of the app's own has to say in which scene."""
    _current.add("journal", text, scene)


def noting(text: str) -> Callable[[], None]:
    """Return a function that notes `text` when it is called."""
    return lambda: note(text)


def read(path: Path) -> list[Entry]:
    """Read the entries of a file."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [Entry(*json.loads(line)) for line in lines]


def by_scene(entries: list[Entry], kind: Kind) -> dict[str, tuple[str, ...]]:
    """Return the texts of one kind for each scene, in their order."""
    found: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if entry.kind == kind:
            found[entry.scene].append(entry.text)
    return {scene: tuple(texts) for scene, texts in found.items()}
