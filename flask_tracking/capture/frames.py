"""The frame by which failures are grouped: the innermost one of the app in a traceback."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache
from types import TracebackType

__all__ = ["find_frame"]

MAX_FRAMES = 1000
"""Maximum number of frames to inspect, the outermost first: a recursion has more."""
INSTALLED = ("site-packages", "dist-packages")
_STANDARD = tuple(os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib"))


def find_frame(error: BaseException) -> tuple[str, str] | None:
    """Return the file and the function of the innermost frame of the app.

    Code belongs to the app unless it was installed in site-packages or is part of the standard library.

    Returns:
        Without a frame of the app, the innermost of all; None for an exception that was never raised.
    """
    innermost = found = None
    trace: TracebackType | None = error.__traceback__
    for _ in range(MAX_FRAMES):
        if trace is None:
            break
        innermost = trace.tb_frame.f_code
        if is_app(innermost.co_filename):
            found = innermost
        trace = trace.tb_next
    code = found or innermost
    return None if code is None else (shorten(code.co_filename), code.co_name)


@lru_cache(1024)
def is_app(file: str) -> bool:
    """Tell whether a file belongs to the app."""
    if file.startswith("<frozen") or file.startswith(_OWN):
        return False
    return not file.startswith(_STANDARD) and not any(name in file for name in INSTALLED)


@lru_cache(1024)
def shorten(file: str) -> str:
    """Return a path as it is below the folder from which it was imported: the same on every host."""
    roots = [root for root in map(os.path.abspath, sys.path) if file.startswith(os.path.join(root, ""))]
    return os.path.relpath(file, max(roots, key=len)) if roots else file


_OWN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
