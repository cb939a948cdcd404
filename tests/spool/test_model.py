"""Some of the random sequences of the model; ``python -m tests.spool.model`` runs thousands."""

from __future__ import annotations

import logging

import pytest

from .model import run_sequence

SEQUENCES = 100


@pytest.mark.thorough
def test_random_sequences() -> None:
    """Nothing crashes, nothing comes twice, and what is lost is counted."""
    logging.disable()
    try:
        for seed in range(SEQUENCES):
            run_sequence(seed)
    finally:
        logging.disable(logging.NOTSET)
