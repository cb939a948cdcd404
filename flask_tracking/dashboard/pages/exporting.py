"""Export of the list as a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from time import monotonic

from flask import Response, abort

from ...errors import StoreTimeoutError
from ...exporters.store import Store
from ...filters import Filter
from ...interchange import write_records
from ...queries import read_matching
from ...record import Record
from ..page import Page
from ..record.languages import FILE_FORMATS

BUDGET_S = 10.0
"""The time limit of an export, which may occupy a worker."""
MAX_RECORDS = 10_000
MAX_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
IN_MEMORY_BYTES = 1024 * 1024
"""Longer files are written to disk."""


def send_export(page: Page, name: str) -> Response:
    """Send the newest requests of the list. The file name says whether it is complete.

    An invalid filter is an error: a file of all requests could be mistaken for the result.
    """
    if name not in FILE_FORMATS:
        abort(404)
    if page.filter_error:
        return Response(page.filter_error, 400, content_type="text/plain; charset=utf-8")
    file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - the response closes it
    reading = _Reading(page.store, page.wanted, file)
    try:
        written, _ = write_records(reading.records(), file, name)
    except BaseException:
        file.close()
        raise
    size = file.tell()
    file.seek(0)
    response = Response(_send(file), content_type="application/octet-stream")
    response.call_on_close(file.close)
    response.content_length = size
    which = "requests" if reading.is_complete else "newest-requests"
    response.headers["Content-Disposition"] = f'attachment; filename="{which}-{written}.{name}"'
    return response


def _send(file: tempfile.SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


class _Reading:
    """Reads records up to the limits of time, number and size."""

    def __init__(
        self, store: Store, wanted: Filter, file: tempfile.SpooledTemporaryFile[bytes]
    ) -> None:
        self.is_complete = True
        self._store = store
        self._wanted = wanted
        self._file = file

    def records(self) -> Iterator[Record]:
        ends_at, count = monotonic() + BUDGET_S, 0
        try:
            for record in read_matching(self._store, self._wanted):
                if count == MAX_RECORDS or self._file.tell() > MAX_BYTES or monotonic() >= ends_at:
                    self.is_complete = False
                    return
                count += 1
                yield record
        except StoreTimeoutError:
            if not count:
                raise
            self.is_complete = False
