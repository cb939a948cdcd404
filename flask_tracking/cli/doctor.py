"""``doctor`` looks for what keeps records from being stored, found or safe."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from ..doctor import CHECKS, Checked, Subject, examine
from ..exporters.store import find_store
from ..runtime.text import visible
from .common import get_current, get_exporter, reports_errors

COLORS = {"ok": "green", "warning": "yellow", "error": "red", "skipped": "bright_black"}
FAILURES = {"error": ("error",), "warning": ("error", "warning")}
"""The levels that make the command fail, by the value of ``--fail-level``."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--fail-level",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="Exit with status 1 if there is a problem of this level or a worse one.",
)
@with_appcontext
@reports_errors
def doctor(as_json: bool, fail_level: str) -> None:
    """Check the app, its store and its newest records.

    Prints each problem with its fix, and changes nothing.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    checked = []
    for one in examine(Subject(app, get_current(), find_store(get_exporter()))):
        checked.append(one)
        if not as_json:
            click.echo("\n".join(_render(one)))
    click.echo(json.dumps(_to_json(checked), indent=2) if as_json else _summarize(checked))
    if any(one.level in FAILURES[fail_level] for one in checked):
        raise SystemExit(1)


def _render(checked: Checked) -> Iterator[str]:
    width = max(len(check.name) for check in CHECKS)
    level = click.style(f"{checked.level:7}", fg=COLORS[checked.level])
    lines = [visible(fact) for fact in checked.facts]
    for problem in checked.problems:
        what, fix = problem._replace(fix="", command=""), problem._replace(what="")
        said = [str(what), str(fix)]
        lines += [click.style(visible(text), fg=COLORS[problem.level]) for text in filter(None, said)]
    first, *others = lines or [""]
    yield f"{level}  {checked.name:{width}}  {first}".rstrip()
    for line in others:
        yield " " * (len("skipped") + width + 4) + line


def _summarize(checked: Iterable[Checked]) -> str:
    counts = Counter(problem.level for one in checked for problem in one.problems)
    if not counts:
        return "No problems found."
    parts = [f"{counts[level]} {level}{'s' * (counts[level] != 1)}" for level in ("error", "warning")]
    return f"{parts[0]}, {parts[1]}."


def _to_json(checked: Iterable[Checked]) -> dict[str, Any]:
    checks = [
        {
            "name": one.name,
            "level": one.level,
            "problems": [problem._asdict() for problem in one.problems],
            "facts": list(one.facts),
        }
        for one in checked
    ]
    levels = [one["level"] for one in checks]
    worst = next((level for level in ("error", "warning") if level in levels), "ok")
    return {"level": worst, "checks": checks}


COMMANDS = (doctor,)
