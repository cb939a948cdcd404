"""Apply today's rules to records that are stored already, and to what a person wants to try."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from ...config import MAX_BODY_BYTES, Settings
from ...record import Headers, Record, Remark
from ..callback import Redact
from .actions import Actions
from .headers import SECRET_HEADERS, hide_header, remark_header
from .redactor import Redactor


class Revision:
    """Today's rules, for stored records."""

    def __init__(
        self,
        settings: Settings,
        find_literals: Callable[[], list[str]],
        callback: Redact | None = None,
    ) -> None:
        """Take the app's settings, what `literals_of` returned for it, and its ``redact``."""
        # What is stored is not cut where less of a body would be stored today.
        uncut = dataclasses.replace(settings, max_body_bytes=MAX_BODY_BYTES)
        self._redactor = Redactor(uncut, find_literals, callback=callback)
        self._actions = Actions(dict(settings.redact_actions), settings.redact_hash_key)
        self.version = self._redactor.version
        """What is stored as ``rules_version``."""

    def revise(self, records: Sequence[Record]) -> list[Record]:
        """Return `records` as they may be stored today, in their order."""
        return self._redactor.redact([self._hide_headers(record) for record in records])

    def _hide_headers(self, record: Record) -> Record:
        """Hide what is hidden while a record is made: the first flask-tracking stored it as it came."""
        if record.rules_version is not None:
            return record
        remarks: list[Remark] = []
        request_headers = self._hidden("request_headers", record.request_headers, remarks)
        response_headers = self._hidden("response_headers", record.response_headers, remarks)
        if not remarks:
            return record
        return dataclasses.replace(
            record,
            request_headers=request_headers,
            response_headers=response_headers,
            redacted=(*record.redacted, *remarks),
        )

    def _hidden(self, field: str, headers: Headers, remarks: list[Remark]) -> Headers:
        pairs = []
        for name, value in headers:
            title = name.title()
            if (
                title in SECRET_HEADERS
                and (hidden := hide_header(title, value, self._actions)) != value
            ):
                remarks.append(remark_header(field, title, value))
                value = hidden
            pairs.append((name, value))
        return tuple(pairs)
