"""What the pytest plugin costs: ``python tests/benchmarks/plugin.py``.

A test that uses `tracking_records` is measured from its setup to its teardown, in turns with one that
does not, on an app that is tracked in both. A run that uses no fixture of the plugin is measured as a
process, in turns with one that loads an empty plugin. All times are CPU times of the quietest tests and
runs, which other processes change least. The exit status is 1 when one is beyond its target.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEST_TARGET_MS = 0.3
RUN_TARGET_MS = 5.0
PLUGIN, EMPTY = "flask_tracking.pytest_plugin", "empty_plugin"
WARM_UP = 20
CONFTEST = """
import pytest
from flask import Flask
from flask_tracking import MemoryExporter, Tracking

@pytest.fixture(scope="{scope}")
def app():
    app = Flask("shop")
    app.config["TRACKING_WORKER"] = "sync"
    app.add_url_rule("/", "home", lambda: "hello")
    Tracking(app, exporter=MemoryExporter())
    return app

@pytest.fixture
def client(app):
    return app.test_client()
"""
PLAIN = "def test_plain_{number}(client): client.get('/')\n"
RECORDED = "def test_recorded_{number}(client, tracking_records): client.get('/')\n"


class Stopwatch:
    """Takes the CPU time of each test, in milliseconds."""

    def __init__(self) -> None:
        """Begin with no test."""
        self.taken: dict[str, list[float]] = {"plain": [], "recorded": []}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Measure one test with its setup and teardown."""
        began = time.thread_time()
        result = yield
        self.taken[item.name.split("_")[1]].append((time.thread_time() - began) * 1000)
        return result

    def quiet_ms(self, kind: str) -> float:
        """Return the time that a tenth of a kind stays below; the first tests load and compile."""
        return statistics.quantiles(self.taken[kind][WARM_UP:], n=10)[0]


def measure_tests(scope: str, count: int) -> tuple[float, float]:
    """Return the times of tests without and with the fixture, in milliseconds."""
    stopwatch = Stopwatch()
    with tempfile.TemporaryDirectory() as directory:
        conftest, tests = Path(directory, "conftest.py"), Path(directory, "test_shop.py")
        conftest.write_text(CONFTEST.format(scope=scope))
        pairs = (PLAIN.format(number=n) + RECORDED.format(number=n) for n in range(count))
        tests.write_text("".join(pairs))
        arguments = ["-q", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", PLUGIN]
        code = pytest.main([*arguments, f"--rootdir={directory}", directory], [stopwatch])
    for name in ("conftest", "test_shop"):
        sys.modules.pop(name, None)
    if code:
        raise SystemExit(f"The measured tests failed: {code}.")
    return stopwatch.quiet_ms("plain"), stopwatch.quiet_ms("recorded")


def run_cpu_ms(directory: str, *arguments: str) -> float:
    """Run pytest in a directory, and return the CPU time of its process."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), directory]),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPYCACHEPREFIX": directory,  # as it is installed, with bytecode
    }
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen(command, cwd=directory, env=environ, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"The measured run failed: {process.returncode}.")
    return (usage.ru_utime + usage.ru_stime) * 1000


def measure_runs(rounds: int) -> tuple[float, float]:
    """Return the shortest runs without and with the plugin, which they do not use."""
    without, loaded = [], []
    with tempfile.TemporaryDirectory() as directory:
        tests = "".join(f"def test_{number}(): pass\n" for number in range(100))
        Path(directory, "test_plain.py").write_text(tests)
        Path(directory, f"{EMPTY}.py").touch()
        for _ in range(rounds + 1):
            without.append(run_cpu_ms(directory, "-p", EMPTY))
            loaded.append(run_cpu_ms(directory, "-p", PLUGIN))
    return min(without[1:]), min(loaded[1:])


def report(title: str, without_ms: float, with_ms: float, target_ms: float) -> bool:
    """Print a line, and tell whether the target is met."""
    added_ms = with_ms - without_ms
    verdict = "met" if added_ms <= target_ms else "MISSED"
    print(
        f"{title:40}{without_ms:9.3f}{with_ms:9.3f}{with_ms / without_ms:7.2f}{added_ms:9.3f}"
        f"   target {target_ms:g}: {verdict}"
    )
    return added_ms <= target_ms


def main() -> int:
    """Measure, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))  # for those who run this file by its path
    times = {scope: measure_tests(scope, arguments.tests) for scope in ("function", "session")}
    runs = measure_runs(arguments.rounds)
    print(f"\n{'ms':40}{'without':>9}{'with':>9}{'ratio':>7}{'added':>9}")
    verdicts = [
        report("a test, with an app of its own", *times["function"], TEST_TARGET_MS),
        report("a test, with the app of the session", *times["session"], TEST_TARGET_MS),
        report("a run that does not use it", *runs, RUN_TARGET_MS),
    ]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
