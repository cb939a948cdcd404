"""The command line: ``python -m tests.conformance``."""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings

from .apps import SCENES
from .faults import FAULTS
from .matrix import ALL_SERVERS, NO_HARM, Matrix, find_mutants
from .table import print_mutants, print_verdicts

FAULTY_SERVERS = ("werkzeug", "gunicorn gthread", "gunicorn gevent")


def names(text: str) -> list[str]:
    """Split names at commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description="Play every scene with tracking off, off again and on, and compare.",
    )
    parser.add_argument(
        "--servers", type=names, default=list(ALL_SERVERS), help=f"some of: {', '.join(ALL_SERVERS)}"
    )
    parser.add_argument(
        "--faults", type=names, default=[], help=f"'all', or some of: {', '.join(FAULTS)}"
    )
    parser.add_argument(
        "--faulty-servers", type=names, default=list(FAULTY_SERVERS), help="where faults are planted"
    )
    parser.add_argument("--mutants", action="store_true", help="plant harms; each must be found")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run it; return the exit status."""
    options = make_parser().parse_args(arguments)
    warnings.filterwarnings("ignore", "Current server name")  # a scene asks for another domain
    started = time.monotonic()
    if options.mutants:
        found = find_mutants()
        print_mutants(found)
        return int(any(bool(found[name]) == (name == NO_HARM) for name in found))
    faults = list(FAULTS) if options.faults == ["all"] else options.faults
    matrix = Matrix(options.servers, faults, options.faulty_servers)
    verdicts = matrix.run()
    print_verdicts(verdicts, SCENES, matrix.missing)
    played = sum(len(verdict.played) for verdict in verdicts)
    different = sum(len(verdict.differences) for verdict in verdicts)
    print(
        f"{len(SCENES)} scenes, {len(verdicts)} columns: {played} comparisons, "
        f"{different} differences, {time.monotonic() - started:.0f} s"
    )
    if matrix.missing and os.environ.get("CI"):
        print("Under CI every server must be there.", file=sys.stderr)
        return 1
    return int(different > 0)
