"""What runs in CI is what was reviewed, and may do no more than it must."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .servers import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned(workflow: Path) -> None:
    """Every action is named by a commit, for a tag may come to mean another, and by its version."""
    used = re.findall(r"uses: *(.*)", workflow.read_text())
    assert used
    pinned = re.compile(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [action for action in used if not pinned.fullmatch(action)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_jobs_ask_for_what_they_may(workflow: Path) -> None:
    """The token of a workflow may do nothing, and that of a job only what is written there."""
    text = workflow.read_text()
    assert re.search(r"^permissions: \{\}$", text, re.MULTILINE)
    assert set(re.findall(r"\b(\w+: (?:read|write)\b.*)", text)) == {"contents: read"}
