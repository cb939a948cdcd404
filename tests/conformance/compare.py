"""What two runs have in common, and where they first differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_tracking.testing.observation import Observation, first_difference, normalise

from .exchange import Scene
from .faults import LOSSLESS
from .runner import Run

OUTPUT = "what the server printed"
RECORDS = "what was recorded"
PLAYED = "what was played"


MAY_BE_SAID = re.compile(
    "flask_tracking WARNING: (copying a response body failed"
    r"|Record \w+ was stored with a note: objects in custom data were stored as their repr)"
)
"""Log lines about an app that returns text instead of bytes, and about rows of a database that are set
as custom data."""

LATE_END = "was sent SIGKILL! Perhaps out of memory?"
"""Gunicorn gives a worker that exceeds its timeout a second to exit. Here it may store records for 20 s
instead of 2, and on a busy machine it needs more than that second."""

MUST_BE_SAID = {
    "connexion uvicorn": (
        "flask_tracking WARNING: Nothing is recorded: "
        "the server calls an app.wsgi_app of the app 'connexion'"
    )
}
"""What flask_tracking says, once, of an app that its server calls by a callable that it took before."""


@dataclass
class Verdict:
    """How one server did."""

    server: str
    fault: str = ""
    played: set[str] = field(default_factory=set)
    """Scenes whose runs were compared."""
    differences: dict[str, str] = field(default_factory=dict)
    """By scene, or by `OUTPUT`, `RECORDS` and `PLAYED`: what differs, readably."""

    @property
    def name(self) -> str:
        """The column's name."""
        return f"{self.server}, {self.fault}" if self.fault else self.server

    def check_never_noted(self, scenes: Iterable[Scene], run: Run) -> None:
        """Add scenes whose journal holds what it must not, as a file that was read by a program."""
        for scene in scenes:
            for server, text in scene.never_noted.items():
                seen = run.seen.get(scene.name)
                if seen and self.server.startswith(server) and text in seen.journal:
                    self.differences.setdefault(scene.name, f"the app noted: {text}")

    def check_recorded(
        self, scenes: Iterable[Scene], records: Mapping[str, list[dict[str, Any]]]
    ) -> None:
        """Add scenes whose records do not say what the scene expects of them."""
        for scene in scenes:
            of_scene = records.get(scene.name, [])
            expected = scene.recorded * len(of_scene) if len(scene.recorded) == 1 else scene.recorded
            for number, (record, fields) in enumerate(zip(of_scene, expected, strict=False), 1):
                for path, value in fields.items():
                    if (found := value_at(record, path)) != value:
                        text = f"record {number}: {path} is {str(found)[:200]!r}, not {value!r}"
                        self.differences.setdefault(scene.name, text)

    def check_complete(self, scenes: Iterable[str]) -> None:
        """Add that scenes were not played which should have been."""
        missing = sorted(set(scenes) - self.played)
        if missing:
            self.differences[PLAYED] = f"not played: {missing}"


def value_at(record: Mapping[str, Any], path: str) -> Any:
    """Return what a stored record has at a dotted path, None where it has nothing."""
    value: Any = record
    for name in path.split("."):
        value = (value or {}).get(name)
    return value


def compare(verdict: Verdict, off: Run, on: Run, what: str) -> None:
    """Add to `verdict` where two runs differ, each scene once.

    Args:
        verdict: of their server.
        off: the run without tracking.
        on: the run that is to be equal.
        what: what the second one was, for whoever reads it.
    """
    for scene in off.seen.keys() | on.seen.keys():
        verdict.played.add(scene)
        left, right = off.seen.get(scene), on.seen.get(scene)
        missing = Observation(fate="not played")
        difference = first_difference(left or missing, right or missing)
        if difference is not None:
            verdict.differences.setdefault(scene, f"{what}: {difference}")
    left_entries, right_entries = _printed(off), _printed(on)
    if left_entries != right_entries:
        fewer, more = left_entries - right_entries, right_entries - left_entries
        verdict.differences.setdefault(OUTPUT, f"{what}:\n  off  {dict(fewer)}\n  on   {dict(more)}")


def _printed(run: Run) -> Counter[str]:
    """Return the entries with their numbers: who prints first is chance."""
    log = normalise(Observation(log=run.output)).log
    return Counter(entry for entry in log if LATE_END not in entry)


def compare_records(verdict: Verdict, run: Run, recorded: Counter[str]) -> None:
    """Add to `verdict` whether tracking was really on: a record for every call of a tracked app.

    Args:
        verdict: of the column; with a fault records must be missing, or the log must say that
            something failed, else the fault was none.
        run: the run with tracking on.
        recorded: the records by scene.
    """
    missing, surplus = run.called - recorded, recorded - run.called
    expected = MUST_BE_SAID.get(verdict.server)
    if expected and sum(text.startswith(expected) for text in run.said) != 1:
        verdict.differences[RECORDS] = f"not logged once: {expected}"
        return
    said = [text for text in run.said if not MAY_BE_SAID.match(text)]
    said = [text for text in said if not expected or not text.startswith(expected)]
    if verdict.fault in LOSSLESS:
        # A record that could not be redacted does not tell its scene any more.
        if not said or run.called.total() != recorded.total():
            counts = f"{recorded.total()} of {run.called.total()} recorded"
            verdict.differences[RECORDS] = f"{counts}, logged {said[:1]}"
    elif verdict.fault:
        if not missing:
            verdict.differences[RECORDS] = "the fault was planted, and yet everything was recorded"
    elif missing or surplus:
        verdict.differences[RECORDS] = f"missing {dict(missing)}, too many {dict(surplus)}"
    elif said:
        verdict.differences[RECORDS] = f"flask_tracking logged: {said[0]}"
