"""A recorded request, to make it happen again: as a command, a script, a test, or an HTTP archive.

All are functions of a record, and read nothing else.
"""

from __future__ import annotations

from .curl import curl
from .http_archive import har
from .httpie import httpie
from .powershell import powershell
from .pytest_source import pytest_function
from .requests_source import python

__all__ = ["curl", "har", "httpie", "powershell", "pytest_function", "python"]
