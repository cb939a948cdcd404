"""The processes of the demo: started, waited for, and stopped whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, ``kill``, and a terminal that is closed."""


class DemoError(Exception):
    """The demo cannot go on; says why and what helps."""


def interrupt_in_order() -> None:
    """Let each of `INTERRUPTS` raise a ``KeyboardInterrupt``, and the first one only."""
    for number in INTERRUPTS:
        signal.signal(number, _interrupt)


def _interrupt(*_: object) -> None:
    # A second one would interrupt the cleaning up, and leave behind what is being stopped.
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens at."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


@contextlib.contextmanager
def running(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, is_up: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends, which begins when `is_up` says so.

    Args:
        command: the program and its arguments.
        cwd: where it runs.
        env: its environment.
        log: the file that takes what it says.
        is_up: tells whether it answers; asked again and again.

    Raises:
        DemoError: it does not come up.
    """
    with log.open("wb") as output:
        # In a session of its own: Ctrl-C reaches only the demo, which ends the others in order, so
        # that the shop can still store what it has in memory.
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_up(process, is_up, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_up(process: subprocess.Popen[bytes], is_up: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_up():
        if process.poll() is not None:
            raise DemoError(f"{log.stem} ended as soon as it was started.\n{read_ends([log])}")
        if time.monotonic() > deadline:
            raise DemoError(
                f"{log.stem} does not answer within {START_TIMEOUT_S:g} s.\n{read_ends([log])}"
            )
        time.sleep(0.05)


def read_ends(logs: Sequence[Path], lines: int = 20) -> str:
    """Return the last lines of some logs."""
    ends = []
    for log in logs:
        text = log.read_text(errors="replace").splitlines()[-lines:]
        ends += [f"The end of {log.name}:", *[f"  {line}" for line in text or ["(nothing)"]]]
    return "\n".join(ends)


def is_database_up(client: MongoClient[dict[str, Any]]) -> bool:
    """Ask the database for a sign of life."""
    try:
        client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def is_shop_up(url: str) -> bool:
    """Ask the shop for a file that `TRACKING_EXCLUDE` leaves out: it must not be recorded."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(f"{url}/static/style.css", timeout=1).close()
    except OSError:
        return False
    return True
