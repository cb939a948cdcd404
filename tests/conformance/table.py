"""The results, printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .compare import Verdict
from .exchange import Scene
from .matrix import NO_HARM, reason_against

EQUAL, DIFFERENT, NOT_PLAYED = "✓", "✗", "–"


def print_verdicts(verdicts: list[Verdict], scenes: Iterable[Scene], missing: Iterable[str]) -> None:
    """Print a row for each scene, a column for each server, and below all differences."""
    for number, verdict in enumerate(verdicts):
        print("  " + "│ " * number + "┌ " + verdict.name)
    reasons: dict[str, set[str]] = {}
    for scene in scenes:
        cells = [_cell(scene, verdict) for verdict in verdicts]
        print("  " + " ".join(cells) + "  " + scene.name)
        for verdict in verdicts:
            if why := reason_against(verdict.server, scene):
                reasons.setdefault(why, set()).add(scene.name)
    for name in missing:
        print(f"  not installed: {name}")
    print(f"\n{EQUAL} equal, {DIFFERENT} different, {NOT_PLAYED} cannot be played there:")
    for why, names in sorted(reasons.items()):
        print(f"  {why} ({len(names)})")
    for verdict in verdicts:
        for scene_name, difference in verdict.differences.items():
            print(f"\n{DIFFERENT} {scene_name}, on {verdict.name}: {difference}")


def _cell(scene: Scene, verdict: Verdict) -> str:
    if scene.name in verdict.differences:
        return DIFFERENT
    return EQUAL if scene.name in verdict.played else NOT_PLAYED


def print_mutants(found: Mapping[str, Mapping[str, str]]) -> None:
    """Print for each harm the scenes that found it, and the first difference."""
    for harm, differences in found.items():
        if harm == NO_HARM:
            print(
                f"{DIFFERENT if differences else EQUAL} {harm}: {dict(differences) or 'nothing found'}"
            )
        elif not differences:
            print(f"{DIFFERENT} {harm}: NOT FOUND")
        else:
            scene, difference = next(iter(differences.items()))
            print(f"{EQUAL} {harm}: found by {len(differences)} scenes, first by {scene!r}:")
            print("    " + difference.replace("\n", "\n    "))
