"""Run the tests on other Pythons, and with the lowest versions that pyproject.toml declares."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
RUNS = {
    "3.10, lowest versions": ("3.10", ("--resolution", "lowest-direct")),
    "3.13": ("3.13", ()),
}
TESTS = (
    "--ignore=tests/test_demo.py",
    "--ignore=tests/test_docs.py",
    "--ignore=tests/browser",
    "--ignore=tests/conformance",
    "--ignore=tests/e2e",
    "-mnot hostile and not thorough",
    "-q",
    "-pno:cacheprovider",  # two write at a time
)
"""What tells nothing new on another Python."""


def main() -> int:
    """Make an environment for each run, and test in it; return the exit status."""
    print(f"Python {'; '.join(RUNS)}: side by side, each printed when it is done ...", flush=True)
    failed = []
    with ThreadPoolExecutor() as pool:
        running = {name: pool.submit(test_on, *run) for name, run in RUNS.items()}
        for name, run in running.items():
            has_passed, printed = run.result()
            print(f"=== Python {name}\n{printed}", flush=True)
            if not has_passed:
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


def test_on(version: str, resolution: tuple[str, ...]) -> tuple[bool, str]:
    """Install into an environment of its own, and run the tests there; return what was printed, too."""
    if not has_python(version):
        return not os.environ.get("CI"), f"not tested: Python {version} is not installed"
    venv = ROOT / f".venv-{version}{'-lowest' if resolution else ''}"
    python = str(venv / "bin" / "python")
    for step in (
        ("venv", "--clear", "--python", version, str(venv)),
        ("pip", "install", "--python", python, *resolution, "--editable", ".[dev]"),
    ):
        done = uv(*step)
        if done.returncode:
            return False, done.stderr
    tested = subprocess.run(
        [python, "-m", "pytest", *TESTS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return tested.returncode == 0, tested.stdout


if __name__ == "__main__":
    sys.exit(main())
