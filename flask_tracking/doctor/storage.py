"""Whether the store is as the settings say."""

from __future__ import annotations

from .subject import Findings, Subject


def check_store(subject: Subject) -> Findings:
    """The connection, rights and clocks; kinds, sizes and indexes of the collections."""
    yield from subject.store.describe()
    yield from subject.store.check()
