"""The engines: what they find, and that they leave the process alone."""

from __future__ import annotations

import functools
import subprocess
import sys

import pytest

from flask_tracking.redaction.detection.detector import Detector
from flask_tracking.redaction.detection.names import Names
from flask_tracking.redaction.engines.base import Engine

make_detector = functools.cache(lambda engine: Detector(engine, Names()))


@pytest.mark.parametrize("scheme", ["Bearer", "BEARER", "BeareR", "ntlm", "NEGOTIATE", "bASIC"])
def test_schemes_are_found_in_any_case(engine: Engine, scheme: str) -> None:
    """Both engines find what stands behind a scheme, however it is written."""
    (found,) = make_detector(engine).find(f"got {scheme} A7xQ29ZmPr4KfW81".encode())
    assert found.rule == "bearer"


@pytest.mark.parametrize("end", ["/", "?id="])
@pytest.mark.parametrize(
    "step",
    "activate confirmation hooks invite join magic reset session share token unsubscribe verify "
    "webhook with/key".split(),
)
def test_links_are_found_with_their_secret_in_path_or_query(
    engine: Engine, step: str, end: str
) -> None:
    """Python's engine looks for hints, which have to be in a link of either kind."""
    link = f"see https://app.example.org/{step}{end}q7ZkP3mN8xRt2VbW9sLd4F now".encode()
    detector = make_detector(engine)
    assert [one.rule for one in detector.find(link)] == ["link"]
    assert detector.scan(link)


SCANNING = """
import sys, threading
from flask_tracking.redaction.engines.re2 import Re2Engine
from flask_tracking.pipeline import batch
from flask_tracking import MemoryExporter, Settings

keep = batch.BatchWorker(Settings(), MemoryExporter())
data, began = b"abc1" * 50_000, threading.Event()

def scan():
    while True:
        list(Re2Engine().compile("abc[0-9]+x").finditer(data))
        began.set()

for _ in range(20):
    threading.Thread(target=scan, daemon=True).start()
began.wait()
sys.exit(7)
"""


@pytest.mark.integration
def test_a_scan_at_the_end_of_the_process_does_not_take_it_down() -> None:
    """The exit code is the app's, also where a thread is inside RE2 when the process ends."""
    pytest.importorskip("re2")
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", SCANNING], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (7, "")


def test_what_goes_on_for_ever_is_no_part_of_a_hit(engine: Engine) -> None:
    """RE2 looks for the head of a match from its end back: a key may end with any text."""
    head = b"-----BEGIN PRIVATE KEY-----"
    assert Detector(engine, Names()).scan(head + b" tea" * 1000) == [(0, len(head))]


def test_any_run_is_no_part_of_a_hit(engine: Engine) -> None:
    """A signed value begins with any run: Python's engine would look for it from every place."""
    signed = b"tea" * 60 + b":" + b"Xy1" * 9
    assert Detector(engine, Names()).scan(b"a " + signed) == [(2 + 180, 2 + len(signed))]
