"""Clients that go on whatever happens, and note what they saw."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from types import TracebackType
from typing import NamedTuple

TIMEOUT_S = 30.0


class Answer(NamedTuple):
    """A request that was answered rightly."""

    number: int
    process: int
    """Which one has answered."""
    answered_at: float
    """In monotonic time."""
    duration_s: float


class Clients:
    """Threads that send numbered requests at a steady rate."""

    def __init__(self, url: str, count: int, pause_s: float, first: int = 0) -> None:
        self._address = url.removeprefix("http://")
        self._pause_s = pause_s
        self._numbers = itertools.count(first)
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        self.answers: list[Answer] = []
        self.errors: list[tuple[float, str]] = []
        """When something went wrong, and what."""

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(self._pause_s):
            number = next(self._numbers)
            started = time.monotonic()
            try:
                self.answers.append(self._send(number, started))
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.errors.append((time.monotonic(), f"{number}: {error!r}"))

    def _send(self, number: int, started: float) -> Answer:
        body = f'{{"number": {number}}}'.encode()
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_S)
        try:
            connection.request("POST", f"/echo/{number}", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != 200 or answer != body:
            raise ValueError(f"{response.status} {answer!r}")
        ended = time.monotonic()
        return Answer(number, int(response.headers["X-Process"]), ended, ended - started)
