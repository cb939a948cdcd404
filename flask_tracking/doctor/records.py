"""Checks of a sample of the newest records."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone

from ..exporters.store import Problem
from ..record import Record
from ..registry import literals_of
from .subject import Findings, Subject, describe_age


def check_records(subject: Subject) -> Findings:
    """Report the age of the newest record."""
    if not subject.sample:
        yield "no records yet"
        return
    age_s = (datetime.now(timezone.utc) - subject.sample[0].date_created).total_seconds()
    yield f"the newest record is {describe_age(age_s)} old"


def check_proxy(subject: Subject) -> Findings:
    """Records with the address of a proxy in the place of the client's."""
    wrong = [one for one in subject.sample if _has_proxy_as_ip(one)]
    # A client may send the header as well: that is rarely most of the traffic.
    if wrong and len(wrong) * 2 >= len(subject.sample):
        yield Problem(
            "warning",
            f"{len(wrong)} of {len(subject.sample)} records have X-Forwarded-For, and in `ip` another "
            "address: that of a proxy",
            "If a proxy of yours sets the header, wrap the app in Werkzeug's ProxyFix",
            "app.wsgi_app = ProxyFix(app.wsgi_app)",
        )


def _has_proxy_as_ip(record: Record) -> bool:
    values = [value for name, value in record.request_headers if name == "X-Forwarded-For"]
    hops = [hop.strip() for value in values for hop in value.split(",")]
    addresses = [hop for hop in hops if _is_address(hop)]
    return bool(addresses) and record.ip not in addresses


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_secrets(subject: Subject) -> Findings:
    """Secrets in records that were stored by other rules, or without any."""
    if not subject.settings.redact:
        yield Problem(
            "warning", "TRACKING_REDACT is False: secrets are stored as they are", "Set it to True"
        )
        return
    from ..redaction.redactor import make_redactor_for_stored  # it compiles all formats

    tracked = subject.tracked
    redactor = make_redactor_for_stored(tracked.settings, literals_of(subject.app), tracked.redact)
    older = [one for one in subject.sample if one.redaction_version != redactor.version]
    found = _count_secrets(older, redactor.redact(older))
    if found:
        rules = ", ".join(f"{rule} in {count}" for rule, count in sorted(found.items()))
        yield Problem(
            "warning",
            f"Of the last {len(subject.sample)} records, {len(older)} were redacted by other rules or "
            f"none, and today's find secrets there: {rules}",
            "To redact all stored records",
            "flask tracking scrub",
        )


def _count_secrets(before: Sequence[Record], after: Sequence[Record]) -> Counter[str]:
    """Return in how many records each rule finds what had stayed."""
    found: Counter[str] = Counter()
    for old, new in zip(before, after, strict=True):
        remarks = Counter(one.rule for one in new.redacted)
        remarks.subtract(one.rule for one in old.redacted)
        found.update(set(+remarks))
    return found
