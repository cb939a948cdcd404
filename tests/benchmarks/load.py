"""Load over real HTTP, from a process of its own: ``python -m tests.benchmarks.load``, prints JSON.

Each client is one connection that is kept open. Without a rate each sends as soon as it has its answer;
with one they send at independent times, and latency counts from the time that was planned.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import gc
import json
import random
import statistics
import time


class LoadError(RuntimeError):
    """An answer was not what it should be."""


@dataclasses.dataclass(frozen=True)
class Load:
    """What the clients saw."""

    requests: int
    rate: float
    """Answers per second."""
    p50_ms: float
    p99_ms: float


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    """Send one request and read the answer to its end.

    Raises:
        LoadError: it is no 200, or the connection is not kept.
    """
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: bench.example.org\r\nUser-Agent: load/1.0\r\n"
        "Accept: application/json\r\nAccept-Language: en\r\nX-Request-ID: r-17\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    status, _, rest = head.partition(b"\r\n")
    headers = rest.lower()
    if b" 200 " not in status or b"connection: close" in headers:
        raise LoadError(f"{path} was answered {head!r}")
    if b"transfer-encoding: chunked" in headers:
        while (size := int(await reader.readline(), 16)) > 0:
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        length = headers.partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))


async def run_client(
    port: int, path: str, rate: float | None, until: float, begin: float, seed: int
) -> list[float]:
    """Send until the time is over; return the latencies in ms, those of the warm-up left out."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    generator = random.Random(seed)
    latencies_ms = []
    due = time.perf_counter()
    while True:
        due = due + generator.expovariate(rate) if rate else time.perf_counter()
        if due >= until:
            break
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await ask(reader, writer, path)
        if due >= begin:
            latencies_ms.append((time.perf_counter() - due) * 1000)
    writer.close()
    await writer.wait_closed()
    return latencies_ms


async def run(
    port: int, path: str, clients: int, rate: float | None, warm_up_s: float, seconds: float
) -> Load:
    """Let the clients send for a time, and say what they saw."""
    begin = time.perf_counter() + warm_up_s
    until = begin + seconds
    each = rate / clients if rate else None
    gc.freeze()
    jobs = [run_client(port, path, each, until, begin, number) for number in range(clients)]
    latencies_ms = [one for latencies in await asyncio.gather(*jobs) for one in latencies]
    took_s = max(seconds, time.perf_counter() - begin)
    percentiles = statistics.quantiles(latencies_ms, n=100)
    return Load(len(latencies_ms), len(latencies_ms) / took_s, percentiles[49], percentiles[98])


def main() -> None:
    """Read the options and do what they say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rate", type=float, help="requests per second of all clients together")
    parser.add_argument("--warm-up", type=float, default=1.0, help="seconds that do not count")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    done = asyncio.run(
        run(
            options.port, options.path, options.clients, options.rate, options.warm_up, options.seconds
        )
    )  # fmt: skip
    print(json.dumps(dataclasses.asdict(done)))


if __name__ == "__main__":
    main()
