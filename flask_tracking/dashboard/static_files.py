"""Static files. Their URLs contain a hash of all of them, so that browsers may cache them for ever."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from flask import url_for

ENDPOINT = "tracking_dashboard.static"
CACHE = "private, max-age=31536000, immutable"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class StaticFile(NamedTuple):
    """A static file."""

    content: bytes
    media_type: str


@lru_cache(maxsize=1)
def load_files() -> dict[str, StaticFile]:
    """Return all files by name. They are read once per process."""
    found = {}
    for file in sorted(files(__package__).joinpath("static").iterdir(), key=lambda one: one.name):
        suffix = "." + file.name.rpartition(".")[2]
        if suffix in MEDIA_TYPES:
            found[file.name] = StaticFile(file.read_bytes(), MEDIA_TYPES[suffix])
    return found


@lru_cache(maxsize=1)
def hash_files() -> str:
    """Return a hash of the names and contents of all files: 16 hex digits."""
    digest = hashlib.sha256()
    for name, file in load_files().items():
        digest.update(f"{name}\0{len(file.content)}\0".encode() + file.content)
    return digest.hexdigest()[:16]


def address_of(name: str) -> str:
    """Return the URL of a file."""
    return url_for(ENDPOINT, version=hash_files(), name=name)
