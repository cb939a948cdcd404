"""Lists read summaries: what a row shows, and nothing of headers and bodies."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from flask_tracking import Filter, Record, Settings, Store
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.queries import find_newest
from flask_tracking.record import ExceptionInfo
from flask_tracking.record_summary import RecordSummary, summarize

from ..captures import make_record
from .conftest import Make

ROWS = 500
MOST_BYTES = 2_000_000


def make_large(number: int = 0) -> Record:
    """Make a record with long bodies, headers, custom data and a traceback."""
    return dataclasses.replace(
        make_record(path=f"/orders/{number}"),
        request_body=b"q" * 16_000,
        response_body=b"r" * 16_000,
        request_headers=(("X-Long", "h" * 8_000),),
        response_headers=(("X-Long", "h" * 8_000),),
        custom_data={"a": "c" * 10_000},
        exception=ExceptionInfo("shop.OutOfStock", "none left", "t" * 10_000),
        kept=number % 2 == 1,
        kept_reason="error" if number % 2 else None,
    )


def test_summary_has_the_record_s_values() -> None:
    """Each field of a summary is that of the record; of an exception the type alone."""
    record = make_large(7)
    summary = summarize(record)
    same = set(RecordSummary._fields) - {"exception_type"}
    assert {name: getattr(summary, name) for name in same} == {
        name: getattr(record, name) for name in same
    }
    assert summary.exception_type == "shop.OutOfStock"
    assert summarize(make_record()).exception_type is None


def test_summary_has_the_record_s_defaults() -> None:
    """What a record has where nothing was given, its summary has as well."""
    record = make_record()
    bare = Record(id=record.id, date_created=record.date_created)
    assert summarize(bare) == RecordSummary(bare.id, bare.date_created)


@pytest.mark.parametrize("text", ["", "is:kept", "path:/orders/3", "status:5xx"])
def test_summaries_are_those_of_the_records(store: Store, text: str) -> None:
    """Every store finds the same by summaries, in the same order."""
    records = [
        dataclasses.replace(make_large(number), status_code=500 if number % 3 else 200)
        for number in range(7)
    ]
    store.export(records)
    assert store.keep(records[0].id, "for the talk") and store.unkeep(records[1].id)
    wanted = Filter.parse(text)
    for limit in (1, 3, 10):
        expected = [summarize(record) for record in store.find(wanted, limit=limit)]
        assert store.find(wanted, limit=limit, fields="summary") == expected
        assert find_newest(store, wanted, limit, fields="summary") == expected


class CountingProxy:
    """Passes connections on to a server, and counts the bytes of its answers."""

    def __init__(self, port: int) -> None:
        self.received = 0
        self._port = port
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self._sockets += [client, server]
                for source, target, is_answer in ((client, server, False), (server, client, True)):
                    arguments = (source, target, is_answer)
                    threading.Thread(target=self._pass_on, args=arguments, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self.received += len(data) if is_answer else 0
                target.sendall(data)

    def close(self) -> None:
        """Close all connections."""
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def proxy(mongodb: str) -> Iterator[CountingProxy]:
    """A proxy in front of the server."""
    host, _, port = mongodb.removeprefix("mongodb://").rstrip("/").partition(":")
    if host not in ("127.0.0.1", "localhost") or not port.isdecimal():
        pytest.skip("the server is not on this machine")
    counting = CountingProxy(int(port))
    yield counting
    counting.close()


def test_list_of_large_records_transfers_little(
    make: Make, proxy: CountingProxy, database: Any
) -> None:
    """500 rows of records of 70 kB each arrive in less than 2 MB."""
    exporter = make(table_size_bytes=2**28, kept_size_bytes=2**28)
    for start in range(0, ROWS, 50):
        exporter.export([make_large(number) for number in range(start, start + 50)])
    uri = f"mongodb://127.0.0.1:{proxy.port}/{database.name}?directConnection=true"
    reading = MongoExporter(
        Settings(mongodb_uri=uri, table_size_bytes=2**28, kept_size_bytes=2**28, export_timeout_s=60.0)
    )
    try:
        rows = find_newest(reading, Filter(), ROWS, fields="summary")
        print(f"{len(rows)} rows, {proxy.received:,} bytes")
        assert [row.path for row in rows] == [f"/orders/{number}" for number in range(ROWS)][::-1]
        assert proxy.received < MOST_BYTES
    finally:
        reading.close()
