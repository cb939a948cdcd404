"""`Redactor`: takes the secrets out of records, before any exporter sees them.

One scan over all texts of a chunk of records decides; only a record in which it found something is
looked at place by place. Where anything of it fails, what could not be looked at is not stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from ...config import Settings
from ...guard import call_foreign
from ...record import Record
from ..callback import Redact
from .actions import Actions
from .bodies import WHOLE, Budget, Readers
from .configured import is_strong
from .engine import Engine, best_engine
from .look import CLEAN, Looker, Sight
from .names import Names
from .patterns import own_rules
from .places import RecordRedaction
from .rules import VERSION
from .values import MARKER, Finder

READ_ALL = Sight(True, None, None)
FAILED = "redaction failed"
"""The note of a record that was stored without what could not be redacted."""


class Redactor:
    """Redacts the records of one app."""

    def __init__(
        self,
        settings: Settings,
        find_literals: Callable[[], Iterable[str]] = tuple,
        engine: Engine | None = None,
        callback: Redact | None = None,
    ) -> None:
        """Take what is wanted; patterns are compiled by `prepare`, or else with the first record.

        Args:
            settings: the names and rules of the app, which `check_rules` has checked.
            find_literals: returns secrets that are known, like the app's ``SECRET_KEY``; weak ones are
                left alone.
            engine: the engine to use; None takes the best that is installed.
            callback: asked for each value that is to be removed.
        """
        self._settings = settings
        self._find_literals = find_literals
        self._engine = engine
        self._literals: tuple[str, ...] = ()
        self._finder: Finder | None = None
        self._looker: Looker | None = None
        self._actions = Actions(dict(settings.redact_actions), settings.redact_hash_key, callback)
        self.version = _name_version(settings)
        """What is stored as ``rules_version``."""

    def prepare(self) -> None:
        """Compile the patterns now: with the first record it would hold up whoever waits for it."""
        if self._settings.redact:
            self._find_finder()

    def redact(self, records: Sequence[Record]) -> list[Record]:
        """Return `records` without their secrets, in their order."""
        if not self._settings.redact:
            return list(records)
        sights = call_foreign("scanning records for secrets", self._look, records, default=None)
        redacted = []
        for record, sight in zip(records, sights or [READ_ALL] * len(records), strict=True):
            if sight is CLEAN:
                redacted.append(Record.from_values({**vars(record), "rules_version": self.version}))
                continue
            done = call_foreign("redacting a record", self._redact, record, sight, default=None)
            redacted.append(strip(record, self.version) if done is None else done)
        return redacted

    def _look(self, records: Sequence[Record]) -> list[Sight]:
        self._find_finder()
        assert self._looker is not None  # noqa: S101 - it is made with the finder
        return self._looker.look(records)

    def _redact(self, record: Record, sight: Sight) -> Record:
        finder = self._find_finder()
        limit = self._settings.max_body_bytes
        readers = Readers(finder, self._actions, Budget(_size(record)))
        return RecordRedaction(record, readers, self.version, limit).redact(sight)

    def _find_finder(self) -> Finder:
        """Return the finder, which knows the literals of this moment."""
        settings = self._settings
        candidates = (*settings.redact_literals, *self._find_literals())
        literals = tuple(one for one in candidates if is_strong(one))
        if self._finder is None or literals != self._literals:
            rules = _compile_rules(
                self._engine or best_engine(),
                settings.redact_names,
                settings.redact_allow,
                settings.redact_patterns,
                settings.redact_off,
                settings.redact_cards,
            )
            self._finder = rules.knowing(literals)
            self._looker = Looker(self._finder, settings.max_body_bytes)
            self._literals = literals
        return self._finder


@lru_cache(maxsize=8)
def _compile_rules(
    engine: Engine,
    names: tuple[str, ...],
    allowed: tuple[str, ...],
    patterns: tuple[tuple[str, str], ...],
    off: tuple[str, ...],
    cards: str,
) -> Finder:
    """Compile once what the apps of a process share: tests make an app each, by the hundred."""
    return Finder(engine, Names(names, allowed), own_rules(dict(patterns)), off, cards=cards)


def _size(record: Record) -> int:
    return len(record.request_body) + len(record.response_body)


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
        "kept_reason": None,
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
    own = (
        sorted(settings.redact_names),
        sorted(settings.redact_allow),
        sorted(settings.redact_off),
        sorted(settings.redact_patterns),
        [hashlib.sha256(one.encode()).hexdigest() for one in settings.redact_literals],
        [] if settings.redact_cards == "checked" else [settings.redact_cards],
    )
    if not any(own):
        return VERSION
    return f"{VERSION}-{hashlib.sha256(repr(own).encode()).hexdigest()[:8]}"
