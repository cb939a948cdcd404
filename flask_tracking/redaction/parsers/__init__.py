"""Parsers: functions of bytes that return findings.

Each takes a text, mostly with the `hits` of its scan (where there may be a secret), and a `Context`.
"""
