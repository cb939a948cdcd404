"""Prove on your own app that tracking changes nothing: `assert_harmless`."""

from .harmless import assert_harmless

__all__ = ["assert_harmless"]
