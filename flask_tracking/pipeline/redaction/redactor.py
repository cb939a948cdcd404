"""`Redactor`: takes the secrets out of records, before any exporter sees them.

One scan over all texts of a chunk of records decides; only a record in which it found something is
looked at place by place. Where anything of it fails, what could not be looked at is not stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...config import Settings
from ...errors import ConfigError
from ...guard import call_foreign
from ...record import Record
from .bodies import WHOLE, Readers
from .engine import Engine, best_engine
from .names import Names
from .places import RecordRedaction, gather
from .rules import RULES, VERSION
from .values import MARKER, Finder, Spans, is_strong

FAILED = "redaction failed"
"""The note of a record that was stored without what could not be redacted."""


class Redactor:
    """Redacts the records of one app, in one process: after a fork a new one is needed."""

    def __init__(
        self,
        settings: Settings,
        find_literals: Callable[[], Iterable[str]] = tuple,
        engine: Engine | None = None,
    ) -> None:
        """Check the settings; patterns are compiled with the first record.

        Args:
            settings: the names and rules of the app.
            find_literals: returns secrets that are known, like the app's ``SECRET_KEY``; weak ones are
                left alone.
            engine: the engine to use; None takes the best that is installed.

        Raises:
            ConfigError: ``TRACKING_REDACT_OFF`` names a rule that there is not.
        """
        self._settings = settings
        self._find_literals = find_literals
        self._engine = engine
        self._names = Names(settings.redact_names, settings.redact_allow)
        self._literals: tuple[str, ...] = ()
        self._readers: Readers | None = None
        self.version = _name_version(settings)
        """What is stored as ``rules_version``."""
        _check_off(settings.redact_off)

    def redact(self, records: Sequence[Record]) -> list[Record]:
        """Return `records` without their secrets, in their order."""
        if not self._settings.redact:
            return list(records)
        touched = call_foreign("scanning records for secrets", self._scan, records, default=None)
        redacted = []
        for at, record in enumerate(records):
            if touched is not None and not touched[at]:
                values = {**vars(record), "rules_version": self.version}
                redacted.append(Record.from_values(values))
                continue
            done = call_foreign("redacting a record", self._redact, record, default=None)
            redacted.append(strip(record, self.version) if done is None else done)
        return redacted

    def _scan(self, records: Sequence[Record]) -> list[bool]:
        """Tell of each record whether it has to be looked at."""
        readers = self._find_readers()
        texts = [gather(record, self._names) for record in records]
        spans = readers.finder.scan(b"\n".join(text for text in texts if text is not None))
        touched, at, ordered = [], 0, Spans(spans)
        for text in texts:
            if text is None:
                touched.append(True)
                continue
            touched.append(bool(spans) and ordered.touch(at, at + len(text)))
            at += len(text) + 1
        return touched

    def _redact(self, record: Record) -> Record:
        return RecordRedaction(record, self._find_readers(), self.version).redact()

    def _find_readers(self) -> Readers:
        literals = tuple(one for one in self._find_literals() if is_strong(one))
        if self._readers is None or literals != self._literals:
            self._engine = self._engine or best_engine()
            finder = Finder(self._engine, self._names, self._settings.redact_off, literals)
            self._readers, self._literals = Readers(finder, self._names), literals
        return self._readers


def strip(record: Record, version: str) -> Record:
    """Return what may be stored of a record that could not be redacted: nothing strangers wrote."""
    values: dict[str, Any] = {
        **vars(record),
        "path": record.url_rule or MARKER,
        "query_params": "",
        "target": None,
        "host": None,
        "request_id": str(record.id),
        "view_args": None,
        "user_agent": None,
        "custom_data": None,
        "children": (),
        "user_repr": None,
        "rules_version": version,
        "notes": (*record.notes, FAILED),
    }
    for side in ("request", "response"):
        values[f"{side}_headers"] = tuple((MARKER, MARKER) for _ in values[f"{side}_headers"])
        if values[f"{side}_body"]:
            values[f"{side}_body"], values[f"{side}_body_note"] = b"", WHOLE
    if record.exception is not None:
        values["exception"] = record.exception._replace(message=MARKER, traceback=MARKER)
    return Record.from_values(values)


def _name_version(settings: Settings) -> str:
    # What the app adds, frees and switches off makes other rules of them.
    own = (sorted(settings.redact_names), sorted(settings.redact_allow), sorted(settings.redact_off))
    if not any(own):
        return VERSION
    import hashlib

    return f"{VERSION}-{hashlib.sha256(repr(own).encode()).hexdigest()[:8]}"


def _check_off(off: Iterable[str]) -> None:
    known = {rule.id for rule in RULES}
    for rule_id in off:
        if rule_id not in known:
            raise ConfigError(
                f"TRACKING_REDACT_OFF has {rule_id!r}, which is no rule. The rules are: "
                f"{', '.join(sorted(known))}."
            )
