"""Utilities for the process and for Python, independent of requests and records."""
