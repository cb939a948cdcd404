"""The corpora themselves: as large as promised, always the same, and no alarm for scanners of ours."""

from __future__ import annotations

from pathlib import Path

from .corpora import HARMLESS, harmless_values, listed_secrets, published_secrets
from .published import PUBLISHED

HERE = Path(__file__).parent


def test_corpora_are_large_enough() -> None:
    """There are at least 300 secrets of published shapes and 300 harmless values, each of them once."""
    assert len({secret.text for secret in published_secrets()}) >= 300
    assert len(list(harmless_values())) >= 300
    assert all(shape.source for shape in PUBLISHED)
    assert len(HARMLESS) >= 30


def test_corpora_are_made_from_a_seed() -> None:
    """Making a corpus twice makes the same one."""
    assert published_secrets() == published_secrets()
    assert list(harmless_values()) == list(harmless_values())


def test_no_secret_stands_in_a_file() -> None:
    """None of the secrets, nor what follows its prefix, is written anywhere in these sources."""
    sources = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("*.py"))
    for secret in [*listed_secrets(1), *published_secrets(1)]:
        assert secret.text not in sources
