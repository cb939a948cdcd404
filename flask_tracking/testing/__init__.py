"""Prove on your own app that tracking changes nothing."""
