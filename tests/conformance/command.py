"""The command line."""

from __future__ import annotations

import argparse

from .apps import SCENES
from .matrix import ALL_SERVERS, Matrix


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--servers", help="names, with commas between them")
    arguments = parser.parse_args()
    servers = arguments.servers.split(",") if arguments.servers else ALL_SERVERS
    matrix = Matrix(servers)
    verdicts = matrix.run()
    for scene in SCENES:
        print(
            f"{scene.name:50}",
            *[
                "-" if scene.reason_against(v.server) else "x" if scene.name in v.differences else "ok"
                for v in verdicts
            ],
        )
    for v in verdicts:
        for scene, d in v.differences.items():
            print(f"{v.server}, {scene}: {d}")
    return bool(any(v.differences for v in verdicts))
