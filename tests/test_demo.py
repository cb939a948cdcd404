"""The demo, as a user runs it: a real database, gunicorn, and real requests."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from .servers import program

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parent.parent
DEMO = "docs/examples/shop/demo.py"
TIMEOUT_S = 120.0


@pytest.fixture(autouse=True)
def needs_secantus() -> None:
    """Skip where the embedded database is not installed; fail there under ``CI``."""
    if program("secantusd-py") is None:
        reason = "no SecantusDB: pip install 'flask-tracking[embedded]'"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The demo's environment, with a folder for temporary files that must be empty in the end."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    others = {name: value for name, value in os.environ.items() if not name.startswith("FLASK_")}
    yield {**others, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), "COLUMNS": "80"}
    assert list(temporary.iterdir()) == []


def run_demo(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, DEMO], cwd=ROOT, env=env, capture_output=True, text=True, timeout=TIMEOUT_S
    )


def test_all_requests_of_the_demo_are_recorded(env: dict[str, str]) -> None:
    """The demo ends well, says what it recorded, fits 80 columns and warns of nothing."""
    done = run_demo(env)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "   300 requests sent, 9 of them to paths in TRACKING_EXCLUDE" in lines
    assert "   291 requests recorded" in lines
    assert "       179 x 2xx, 52 x 3xx, 49 x 4xx, 11 x 5xx" in lines
    assert re.search(r"^  and \d+ more routes, with \d+ requests", done.stdout, re.MULTILINE)
    workers = re.findall(r"^ +(\d+) by worker process \d+$", done.stdout, re.MULTILINE)
    assert len(workers) == 2 and sum(map(int, workers)) == 291
    assert "     4 x 500  GET /reports/sales?month=2026-10" in lines
    assert "             ZeroDivisionError: division by zero" in lines
    assert "     7 x 503  POST /api/orders" in lines
    assert "The requests of ada: the newest 10 of 55" in lines
    assert "All is there" in lines
    percentiles = lines[lines.index("Percentiles by route, in ms") + 1 :]
    assert percentiles[0].split() == ["COUNT", "FAILED", "P50", "P95", "P99", "REQUEST"]
    assert re.fullmatch(r" +55 +7( +[0-9.]+){3}  POST /api/orders", percentiles[1])
    assert max(map(len, lines)) <= 80 + len(str(Path(sys.executable).parent))


def test_a_piped_demo_is_not_cut(env: dict[str, str]) -> None:
    """Without a terminal lines have any length, and under make the demo is kept by make."""
    del env["COLUMNS"]
    done = run_demo({**env, "MAKELEVEL": "1"})
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "..." not in done.stdout.partition("What was recorded")[2]
    assert "    make demo ARGS=--keep" in done.stdout.splitlines()


def test_the_demo_fails_when_nothing_is_recorded(env: dict[str, str]) -> None:
    """With the exporter switched off the demo fails and says what is missing."""
    done = run_demo({**env, "FLASK_TRACKING_ENABLED": "false"})
    assert (done.returncode, done.stderr) == (1, ""), done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "     0 requests recorded" in lines
    assert "   291 requests were sent but not recorded:" in lines
    assert "   291 requests were not counted by the rollups, or twice:" in lines
    assert "All is there" not in lines


def test_a_kept_demo_can_be_asked_until_it_is_interrupted(env: dict[str, str]) -> None:
    """The commands that it prints work as they stand; Ctrl-C ends every server."""
    demo = subprocess.Popen(
        [sys.executable, DEMO, "--keep"], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
    )
    try:
        assert demo.stdout is not None
        output = ""
        while "Its log" not in output and (line := demo.stdout.readline()):
            output += line
        commands = re.findall(r"^    (export .*|.*flask tracking .*)$", output, re.MULTILINE)
        assert len(commands) == 8, output
        asked = subprocess.run(
            ["sh", "-e", "-c", "\n".join(commands)], cwd=ROOT, env=env, capture_output=True, text=True
        )
        ends = "Only the newest 20 are listed. More may match: use a higher --limit."
        assert (asked.returncode, set(asked.stderr.splitlines()) - {ends}) == (0, set())
        assert "PaymentError" in asked.stdout
        (dashboard,) = re.findall(r"Its dashboard +(\S+)", output)
        for page in ("", "requests", "routes", "errors", "health"):
            with urlopen(dashboard + page, timeout=TIMEOUT_S) as response:
                text = response.read().decode()
            assert "PaymentError" in text or page in ("routes", "health"), page
    finally:
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=TIMEOUT_S)
    assert demo.returncode == 0
    ports = set(re.findall(r"127\.0\.0\.1:(\d+)", output))
    assert len(ports) == 2
    for port in ports:
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", int(port))):
            pass
