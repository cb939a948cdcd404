"""The command line: ``python -m tests.conformance``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

from .apps import SCENES
from .faults import FAULTS
from .matrix import (
    ALL_SERVERS,
    NO_HARM,
    Matrix,
    find_mutants,
    ignore_warnings,
    missing_packages,
)
from .mutants import MUTANTS
from .table import print_mutants, print_verdicts

ALL = "all"
FAULTY_SERVERS = ("werkzeug", "gunicorn gthread", "gunicorn gevent")


def some_of(*known: str) -> Callable[[str], list[str]]:
    """Return what splits names at commas, and takes those that are known."""

    def split(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown} not among: {', '.join(known)}")
        return names

    return split


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description="Play every scene with tracking off, off again and on, and compare.",
    )
    parser.add_argument(
        "--servers",
        type=some_of(*ALL_SERVERS),
        default=list(ALL_SERVERS),
        help=f"some of: {', '.join(ALL_SERVERS)}",
    )
    parser.add_argument(
        "--faults",
        type=some_of(ALL, *FAULTS),
        default=[],
        help=f"'{ALL}', or some of: {', '.join(FAULTS)}",
    )
    parser.add_argument(
        "--faulty-servers",
        type=some_of(*ALL_SERVERS),
        default=list(FAULTY_SERVERS),
        help="where faults are planted",
    )
    parser.add_argument(
        "--mutants",
        type=some_of(*MUTANTS),
        nargs="?",
        const=list(MUTANTS),
        help=f"plant harms, each must be found: all, or some of: {', '.join(MUTANTS)}",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run it; return the exit status."""
    options = make_parser().parse_args(arguments)
    ignore_warnings()
    started = time.monotonic()
    if options.mutants:
        found = find_mutants(options.mutants)
        print_mutants(found)
        return int(any(bool(found[name]) == (name == NO_HARM) for name in found))
    faults = list(FAULTS) if ALL in options.faults else options.faults
    matrix = Matrix(options.servers, faults, options.faulty_servers)
    verdicts = matrix.run()
    missing = [*matrix.missing, *missing_packages()]
    print_verdicts(verdicts, SCENES, missing)
    played = sum(len(verdict.played) for verdict in verdicts)
    different = sum(len(verdict.differences) for verdict in verdicts)
    print(
        f"{len(SCENES)} scenes, {len(verdicts)} columns: {played} comparisons, "
        f"{different} differences, {time.monotonic() - started:.0f} s"
    )
    if missing and os.environ.get("CI"):
        print("Under CI every server and every package must be there.", file=sys.stderr)
        return 1
    return int(different > 0)
