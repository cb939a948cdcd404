"""`Redactor`: remove the secrets from records, before any exporter sees them.

The prefilter decides which parts of a record are read. Unreadable parts are not stored.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from ..config import MAX_BODY_BYTES, Settings
from ..record import Record
from ..runtime.guard import call_foreign
from .configuration import is_strong
from .detection.custom_patterns import own_rules
from .detection.detector import Detector
from .detection.formats import VERSION
from .detection.names import Names
from .engines import best_engine
from .engines.base import Engine
from .prefilter import CLEAN, READ_ALL, Hits, Prefilter
from .record_redaction import RecordRedaction, blank, make_strip, strip_credentials
from .replacement import Actions, Redact


class Redactor:
    """Redacts the records of one app."""

    def __init__(
        self,
        settings: Settings,
        find_literals: Callable[[], Iterable[str]] = tuple,
        engine: Engine | None = None,
        callback: Redact | None = None,
    ) -> None:
        """Take the configuration; patterns are compiled by `prepare`, or else with the first record.

        Args:
            settings: the names and formats of the app, which `check_rules` has checked.
            find_literals: returns known secrets, like the app's ``SECRET_KEY``; weak ones are ignored.
            engine: runs the patterns; None takes the best one that is installed.
            callback: asked exactly once for each value that is to be removed.
        """
        self._settings = settings
        self._find_literals = find_literals
        self._engine = engine
        self._found_literals: tuple[str, ...] = ()
        self._detector: Detector | None = None
        self._prefilter: Prefilter | None = None
        self._actions = Actions(dict(settings.redact_actions), settings.redact_hash_key, callback)
        self._strip_header = make_strip(self._actions)
        self.version = _name_version(settings)
        """The ``redaction_version`` of its records."""

    def prepare(self) -> None:
        """Compile the patterns now, so that the first record does not wait for it."""
        if self._settings.redact:
            self._get_detector()

    def redact(self, records: Sequence[Record]) -> list[Record]:
        """Return `records` without their secrets, in their order.

        With ``TRACKING_REDACT`` off only credentials in headers are removed.
        """
        stripped = self._guard(records, self._strip)
        if not self._settings.redact:
            return stripped
        hits = call_foreign("scanning records for secrets", self._scan, stripped, default=None)
        return self._guard(stripped, self._redact, hits or [READ_ALL] * len(stripped))

    def _guard(
        self, records: Sequence[Record], redact: Callable[..., Record], *more: Sequence[Hits]
    ) -> list[Record]:
        """Redact each record, and blank those for which that fails."""
        done: list[Record] = []
        left = zip(records, *more, strict=True)

        def redact_next() -> None:
            for one in left:
                done.append(redact(*one))

        while len(done) < len(records):
            call_foreign("redacting a record", redact_next, default=None)
            if len(done) < len(records):
                done.append(blank(records[len(done)], self.version))
        return done

    def _scan(self, records: Sequence[Record]) -> list[Hits]:
        self._get_detector()
        assert self._prefilter is not None  # noqa: S101 - it is made with the detector
        return self._prefilter.scan(records)

    def _strip(self, record: Record) -> Record:
        """Return a copy without the credentials in its headers."""
        values = dict(record.__dict__)
        strip_credentials(values, self._strip_header)
        return Record.from_values(values)

    def _redact(self, record: Record, hits: Hits) -> Record:
        """Redact the copy that `_strip` made: in place if it is clean, else into a new record."""
        values = record.__dict__ if hits is CLEAN else dict(record.__dict__)
        values["redaction_version"] = self.version
        if hits is CLEAN:
            return record
        # A scan that failed may have made no detector.
        detector = self._detector or self._get_detector()
        limit = self._settings.max_body_bytes
        return RecordRedaction(record, values, detector, self._actions, limit).redact(hits)

    def _get_detector(self) -> Detector:
        """Return the detector, with the literals that are known now."""
        found = tuple(self._find_literals())
        if self._detector is None or found != self._found_literals:
            settings = self._settings
            detector = _compile(
                self._engine or best_engine(),
                settings.redact_names,
                settings.redact_allow,
                settings.redact_patterns,
                settings.redact_off,
                settings.redact_cards,
            )
            self._detector = detector.knowing(filter(is_strong, (*settings.redact_literals, *found)))
            self._prefilter = Prefilter(self._detector, settings.max_body_bytes)
            self._found_literals = found
        return self._detector


def make_redactor_for_stored(
    settings: Settings, find_literals: Callable[[], Iterable[str]], callback: Redact | None = None
) -> Redactor:
    """Return a redactor of records that are stored already, by today's formats and names.

    It cuts no body, even where less of it would be stored today. Arguments are those of `Redactor`.
    """
    uncut = dataclasses.replace(settings, max_body_bytes=MAX_BODY_BYTES)
    return Redactor(uncut, find_literals, callback=callback)


@lru_cache(maxsize=8)
def _compile(
    engine: Engine,
    names: tuple[str, ...],
    allowed: tuple[str, ...],
    patterns: tuple[tuple[str, str], ...],
    off: tuple[str, ...],
    cards: str,
) -> Detector:
    """Compile once for all apps of a process with the same rules: tests make hundreds."""
    return Detector(engine, Names(names, allowed), own_rules(dict(patterns)), off, cards=cards)


def _name_version(settings: Settings) -> str:
    # Records redacted with other names, formats or literals get another version and are scrubbed anew.
    # Actions do not count: a value that was removed cannot be replaced in another way.
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
