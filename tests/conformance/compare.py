"""What two runs have in common, and where they first differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from flask_tracking.testing.observation import Observation, first_difference

from .runner import Run

OUTPUT = "what the server printed"
RECORDS = "what was recorded"


@dataclass
class Verdict:
    """How one server did."""

    server: str
    played: set[str] = field(default_factory=set)
    """Scenes whose runs were compared."""
    differences: dict[str, str] = field(default_factory=dict)
    """By scene, or by `OUTPUT` and `RECORDS`: what differs, readably."""


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
    # Entries that no scene owns; as one observation they are masked as all logs are.
    difference = first_difference(_printed(off), _printed(on))
    if difference is not None:
        verdict.differences.setdefault(OUTPUT, f"{what}: {difference}")


def _printed(run: Run) -> Observation:
    return Observation(log=run.output)


def compare_records(verdict: Verdict, run: Run, recorded: Counter[str], *, is_faulty: bool) -> None:
    """Add to `verdict` whether tracking was really on: a record for every call of a tracked app.

    Args:
        verdict: of the server.
        run: the run with tracking on.
        recorded: the records by scene.
        is_faulty: True where records are to be missing: else the fault was none.
    """
    missing, surplus = run.called - recorded, recorded - run.called
    if is_faulty and not missing:
        verdict.differences[RECORDS] = "the fault was planted, and yet everything was recorded"
    elif not is_faulty and (missing or surplus):
        verdict.differences[RECORDS] = f"missing {dict(missing)}, too many {dict(surplus)}"
    elif not is_faulty and run.said:
        verdict.differences[RECORDS] = f"flask_tracking logged: {run.said[0]}"
