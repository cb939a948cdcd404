"""Run the tests on other Pythons, and with the lowest versions that pyproject.toml declares."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
RUNS = {
    "3.10, lowest versions": ("3.10", ("--resolution", "lowest-direct")),
    "3.13": ("3.13", ()),
}
TESTS = (
    "--ignore=tests/test_demo.py",
    "--ignore=tests/test_docs.py",
    "--ignore=tests/conformance",
    "--ignore=tests/e2e",
    "--ignore=tests/redaction/test_bad_input.py",
    "--ignore=tests/redaction/test_properties.py",
    "-q",
)
"""What tells nothing new on another Python."""


def main() -> int:
    """Make an environment for each run, and test in it; return the exit status."""
    failed = []
    for name, (version, resolution) in RUNS.items():
        print(f"Python {name} ...", flush=True)
        if not has_python(version):
            print(f"  Python {version} is not installed", flush=True)
            if os.environ.get("CI"):
                failed.append(name)
            continue
        if not run_tests(version, resolution):
            failed.append(name)
    if failed:
        print("Failed: " + "; ".join(failed))
    return bool(failed)


def uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run uv, which knows how to resolve to the lowest versions."""
    command = [sys.executable, "-m", "uv", "--quiet", "--no-python-downloads", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def has_python(version: str) -> bool:
    """Tell whether there is an interpreter of this version."""
    return uv("python", "find", "--system", version).returncode == 0


def run_tests(version: str, resolution: tuple[str, ...]) -> bool:
    """Install into an environment of its own, and run the tests there."""
    venv = ROOT / f".venv-{version}{'-lowest' if resolution else ''}"
    python = str(venv / "bin" / "python")
    for step in (
        ("venv", "--clear", "--python", version, str(venv)),
        ("pip", "install", "--python", python, *resolution, "--editable", ".[dev]"),
    ):
        done = uv(*step)
        if done.returncode:
            print(done.stderr, flush=True)
            return False
    tested = subprocess.run([python, "-m", "pytest", *TESTS], cwd=ROOT, check=False)
    return tested.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
