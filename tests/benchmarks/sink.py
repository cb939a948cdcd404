"""Where OpenTelemetry's spans go: a process of its own that takes them as a collector does.

``POST`` takes a batch and answers at once; ``GET`` tells how many spans there are and forgets them.
They are decoded only then, so that counting takes no time from what is measured.
"""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.servers import port_of

BATCHES: list[bytes] = []


class Handler(BaseHTTPRequestHandler):
    """Speaks as much OTLP over HTTP as an exporter needs."""

    protocol_version = "HTTP/1.1"
    # Without it an answer waits 40 ms for the acknowledgement of its head.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Take one batch of spans."""
        BATCHES.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(b"")

    def do_GET(self) -> None:
        """Tell how many spans came since the last time."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        count = 0
        while BATCHES:
            batch = ExportTraceServiceRequest.FromString(BATCHES.pop())
            count += sum(len(scope.spans) for one in batch.resource_spans for scope in one.scope_spans)
        self._answer(str(count).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def span_sink() -> Iterator[str]:
    """Run the sink; yields its URL."""
    with port_of(__name__) as port:
        yield f"http://127.0.0.1:{port}"


def take_span_count(url: str) -> int:
    """Return how many spans have come to the sink since the last time."""
    with urllib.request.urlopen(url) as answer:
        return int(answer.read())


def main() -> None:
    """Serve until terminated; the first line of the output is the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
