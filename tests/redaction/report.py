"""Print how many secrets of the corpora are found, which are not, and what is wrongly taken for one."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable

from flask_tracking import Settings
from flask_tracking.redaction.engines import best_engine
from flask_tracking.redaction.redactor import Redactor

from .corpora import (
    HARMLESS_NAMES,
    SENSITIVE_NAMES,
    harmless_values,
    listed_secrets,
    published_secrets,
)
from .documented import documented_payloads
from .harmless_payloads import harmless_payloads
from .planting import find_leak, plant
from .shapes import BASE62, Secret


def find_missed(redactor: Redactor, cases: Iterable[tuple[str, Secret]]) -> tuple[int, list[str]]:
    """Plant each secret everywhere; return how many were planted and where parts of one were stored."""
    count, missed = 0, []
    for name, secret in cases:
        for place, record in plant(name, secret.text):
            count += 1
            (redacted,) = redactor.redact([record])
            if find_leak(redacted, secret.secret):
                missed.append(f"{secret.shape} in {place}")
    return count, missed


def find_alarms(redactor: Redactor) -> tuple[int, list[str]]:
    """Plant what is harmless everywhere; return how much was planted and what was changed."""
    cases = [(kind, "note", value) for kind, value in harmless_values()]
    cases += [(name, name, "some value 17") for name in HARMLESS_NAMES]
    count, alarms = 0, []
    for kind, name, value in cases:
        for place, record in plant(name, value):
            count += 1
            if redactor.redact([record])[0].redacted:
                alarms.append(f"{kind} in {place}")
    return count, alarms


def find_documented(redactor: Redactor) -> tuple[int, list[str]]:
    """Redact the documented payloads; return how many secrets are in them and which are stored."""
    count, missed = 0, []
    for case in documented_payloads():
        (redacted,) = redactor.redact([case.record])
        count += len(case.secrets)
        leaks = [secret for secret in case.secrets if find_leak(redacted, secret)]
        missed += [f"{case.kind} in {case.place}: {case.template}"] * len(leaks)
    return count, missed


def find_blanked(redactor: Redactor) -> tuple[int, list[str]]:
    """Redact the harmless payloads; return how many values are in them and which were removed."""
    count, blanked = 0, []
    for one in harmless_payloads():
        (redacted,) = redactor.redact([one.record])
        count += one.leaves
        blanked += [f"{one.kind}: {one.text}"] * len(redacted.redacted)
    return count, blanked


def main() -> int:
    """Print the report; return the exit status."""
    redactor, random_ = Redactor(Settings(), engine=best_engine()), random.Random(7)
    values = ["".join(random_.choice(BASE62) for _ in range(16)) for _ in SENSITIVE_NAMES]
    named = [
        (name, Secret(name, value, value)) for name, value in zip(SENSITIVE_NAMES, values, strict=True)
    ]
    rows = {
        "sensitive names": (find_missed(redactor, named), 1.0),
        "listed formats": (find_missed(redactor, (("note", one) for one in listed_secrets(2))), 1.0),
        "second corpus": (find_missed(redactor, (("note", one) for one in published_secrets(2))), 0.95),
        "harmless values and names": (find_alarms(redactor), 1.0),
        "documented payloads": (find_documented(redactor), 0.97),
        "harmless payloads": (find_blanked(redactor), 0.998),
    }
    is_good = True
    for title, ((count, wrong), least) in rows.items():
        share = 1 - len(wrong) / count
        is_good = is_good and share >= least
        print(f"{title}: {share:.1%} of {count} (at least {least:.1%})")
        for line in sorted(set(wrong)):
            print(f"    {line}")
    count, blanked = rows["harmless payloads"][0]
    print(f"blanked values per 1,000 leaves: {1000 * len(blanked) / count:.1f} (at most 2)")
    return not is_good


if __name__ == "__main__":
    sys.exit(main())
