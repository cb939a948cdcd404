"""What the server of the app lets a background thread do."""

from __future__ import annotations

import sys

__all__ = ["threads_can_run"]


def threads_can_run() -> bool:
    """Tell whether a thread of ours would run: uWSGI gives its lock away only where it is told to."""
    # Only the server's own module has options: a folder named uwsgi can be imported as well.
    options = getattr(sys.modules.get("uwsgi"), "opt", None)
    if not isinstance(options, dict):
        return True
    names = {key.decode("latin-1") if isinstance(key, bytes) else key for key in options}
    return bool(names & {"enable-threads", "threads"})
