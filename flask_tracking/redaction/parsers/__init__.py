"""Parsers: functions of bytes that return findings."""
