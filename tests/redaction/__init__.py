"""Tests of redaction: what is never stored, and what stays as it came."""
