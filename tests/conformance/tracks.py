"""What stands where an app says ``Tracking(app)``: nothing, tracking, a fault or a harm."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from unittest import mock

from flask import Flask

from flask_tracking import Exporter, Record, Settings, Tracking
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.pipeline.assemble import Assembler
from flask_tracking.redaction.prefilter import Prefilter
from flask_tracking.redaction.record_redaction import RecordRedaction

from .faults import LOSSLESS
from .mutants import MUTANTS

if TYPE_CHECKING:
    from .site import Track


class RaisingExporter(Exporter):
    """Fails at everything."""

    def open(self) -> None:
        """Fail."""
        raise RuntimeError("planted in open()")

    def _store(self, records: Sequence[Record]) -> int:
        raise RuntimeError("planted in export()")


def fail(*_: object) -> Any:
    """Fail, whatever is asked."""
    raise RuntimeError("planted in a callback")


def do_not_track(app: Flask) -> None:
    """Leave `app` as it is."""


def make_track(variant: str) -> Track:
    """Return what is to be done with each app.

    Args:
        variant: ``off``, ``on``, ``on+`` and the name of a fault, or the name of a mutant.
    """
    if variant.startswith("off"):
        return do_not_track
    if variant in MUTANTS:
        return MUTANTS[variant].track
    return TrackInto(os.environ["CONFORMANCE_URI"], variant.partition("+")[2])


class TrackInto:
    """Tracks apps into one database."""

    def __init__(self, uri: str, fault: str = "") -> None:
        """Take the database's URI, and what is to go wrong in this process: "" for nothing."""
        # On a busy machine the end takes its time, and that is not what is compared.
        self._config: dict[str, Any] = {"TRACKING_MONGODB_URI": uri, "TRACKING_SHUTDOWN_TIMEOUT_S": 20}
        if fault and fault not in LOSSLESS:
            self._config |= {"TRACKING_SHUTDOWN_TIMEOUT_S": 0.2, "TRACKING_EXPORT_TIMEOUT_S": 1.0}
        if fault == "queue full":
            self._config["TRACKING_QUEUE_RECORDS"] = 1
        if fault == "out of memory":
            mock.patch.object(Assembler, "assemble", side_effect=MemoryError).start()
        if fault == "raising redactor":
            mock.patch.object(Prefilter, "scan", side_effect=RuntimeError("planted in scan()")).start()
            mock.patch.object(RecordRedaction, "redact", side_effect=RuntimeError("planted")).start()
        is_raising = fault == "raising exporter"
        # One client for all apps.
        settings = Settings.from_mapping(self._config)
        callback = fail if fault == "raising callbacks" else None
        self._tracking = Tracking(
            exporter=RaisingExporter() if is_raising else MongoExporter(settings),
            redact=callback,
            on_record=callback,
        )

    def __call__(self, app: Flask) -> None:
        """Do what an app does with ``Tracking(app)``."""
        app.config.update(self._config)
        self._tracking.init_app(app)

    def close(self) -> None:
        """Store what is queued."""
        assert self._tracking.close(20)
