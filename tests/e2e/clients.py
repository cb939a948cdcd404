"""Many clients at once, each with a list of what it sent and how long it took."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

DEADLINE_S = 180.0
"""How long to wait for what must happen: only a failing test waits so long."""


@dataclass
class Load:
    """What the clients of one run saw."""

    sent: list[int] = field(default_factory=list)
    """The numbers that were sent and answered rightly."""
    wrong: list[str] = field(default_factory=list)
    """What went otherwise."""
    durations_s: list[float] = field(default_factory=list)


def wait_for(is_so: Callable[[], bool]) -> None:
    """Return when `is_so` says so; fail when it does not in time.

    It is asked less and less often: a question may keep the database from what is waited for.
    """
    deadline, pause_s = time.monotonic() + DEADLINE_S, 0.05
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(pause_s)
        pause_s = min(1.3 * pause_s, 2.0)


def send_echoes(
    url: str,
    *,
    clients: int,
    count: int | None = None,
    until: threading.Event | None = None,
    load: Load | None = None,
    pause_s: float = 0,
    first: int = 0,
) -> Load:
    """Send numbered requests to ``/echo/<number>`` and check each answer.

    Args:
        url: the server's.
        clients: how many send at the same time, each over connections of its own.
        count: how many are sent in all; None goes on until `until` is set.
        until: ends the run.
        load: what is filled while they send, and returned; None makes one.
        pause_s: how long each client rests between two requests.
        first: the number of the first request.
    """
    load = load or Load()
    numbers = iter(range(first, first + (count if count is not None else 10**9)))
    lock = threading.Lock()
    address = url.removeprefix("http://")

    def run() -> None:
        connection = http.client.HTTPConnection(address, timeout=30)
        while not (until is not None and until.is_set()):
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            body = f'{{"number": {number}}}'.encode()
            started = time.perf_counter()
            try:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", f"/echo/{number}", body, headers)
                response = connection.getresponse()
                answer = response.read()
            except OSError as error:
                load.wrong.append(f"{number}: {error!r}")
                connection.close()
                continue
            load.durations_s.append(time.perf_counter() - started)
            if response.status == 200 and answer == body:
                load.sent.append(number)
            else:
                load.wrong.append(f"{number}: {response.status} {answer!r}")
            if pause_s:
                time.sleep(pause_s)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load
