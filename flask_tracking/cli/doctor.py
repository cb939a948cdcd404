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
from .common import Choice, get_current, get_exporter, reports_errors
from .terminal import stylize, terminal_width, wrap
from .text_table import PLAIN, Style

COLORS = {"ok": "green", "warning": "yellow", "error": "red", "skipped": "bright_black"}
WIDE = 60
"""In less cells there is no room for what was found beside the name of a check."""
FAILURES = {"error": ("error",), "warning": ("error", "warning")}
"""The levels that make the command fail, by the value of ``--fail-level``."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--fail-level",
    metavar="LEVEL",
    type=Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="Exit with status 1 if there is a problem of this level or a worse one: error or warning.",
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
            click.echo("\n".join(_render(one, terminal_width())))
    click.echo(json.dumps(_to_json(checked), indent=2) if as_json else _summarize(checked))
    if any(one.level in FAILURES[fail_level] for one in checked):
        raise SystemExit(1)


def _render(checked: Checked, width: int | None = None) -> Iterator[str]:
    names = max(len(check.name) for check in CHECKS)
    head = f"{checked.level:{len('skipped')}}  {checked.name:{names}}  "
    # In a narrow terminal all that was found stands below the name.
    indent = 2 if width is not None and width < WIDE else len(head)
    found = [stylize(line, **style) for line, style in _list_found(checked, indent, width)]
    level = click.style(head[: len("skipped")], fg=COLORS[checked.level])
    first = found.pop(0) if found and indent == len(head) else ""
    yield f"{level}{head[len('skipped') :]}{first}".rstrip()
    yield from (" " * indent + line for line in found)


def _list_found(checked: Checked, indent: int, width: int | None) -> Iterator[tuple[str, Style]]:
    """Yield the lines of facts and problems, without their indent, and their styles."""
    room = None if width is None else width - indent
    for fact in checked.facts:
        yield from ((line, PLAIN) for line in wrap(visible(fact), room))
    for problem in checked.problems:
        style = {"fg": COLORS[problem.level]}
        what, fix = problem._replace(fix="", command=""), problem._replace(what="")
        for text in filter(None, map(str, (what, fix))):
            yield from ((line, style) for line in wrap(visible(text), room))


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
