"""``flask tracking doctor``: small checks of an app, its store and its records, in one table."""

from .subject import Subject
from .table import CHECKS, Check, Checked, examine

__all__ = ["CHECKS", "Check", "Checked", "Subject", "examine"]
