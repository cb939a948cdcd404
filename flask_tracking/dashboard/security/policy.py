"""Evaluation of the app's content security policies for our scripts and styles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

KINDS = {"script": ("script-src-elem", "script-src"), "style": ("style-src-elem", "style-src")}
"""The directives for each kind of file; the first one present applies."""


def find_blocked(policies: Iterable[str], host: str, *, has_nonce: bool) -> list[str]:
    """Return the kinds of our files that a policy blocks: ``script``, ``style``.

    Args:
        policies: the values of the app's headers; a browser enforces each of them.
        host: the host of the request, perhaps with a port; our files are loaded from it.
        has_nonce: whether our tags carry the app's nonce.
    """
    read = [_read(one) for value in policies for one in value.split(",")]
    return [kind for kind in KINDS if any(_blocks(one, kind, host, has_nonce) for one in read)]


def has_nonces(policies: Iterable[str]) -> bool:
    """Tell whether a policy contains a nonce."""
    return any("'nonce-" in one for one in policies)


def _read(policy: str) -> dict[str, list[str]]:
    directives: dict[str, list[str]] = {}
    for part in policy.split(";"):
        name, *sources = part.split() or [""]
        directives.setdefault(name.lower(), sources)  # the first one counts
    return directives


def _blocks(policy: Mapping[str, list[str]], kind: str, host: str, has_nonce: bool) -> bool:
    name = next((one for one in (*KINDS[kind], "default-src") if one in policy), None)
    if name is None:
        return False
    sources = [one.lower() for one in policy[name]]
    if has_nonce and any(one.startswith("'nonce-") for one in sources):
        return False
    if "'strict-dynamic'" in sources and kind == "script":
        return True  # then hosts do not count
    return not any(_allows(one, host.lower()) for one in sources)


def _allows(source: str, host: str) -> bool:
    if source in ("'self'", "*", "https:", "http:"):
        return True
    place = source.partition("://")[2] or source
    return place.partition("/")[0] in (host, host.partition(":")[0])
