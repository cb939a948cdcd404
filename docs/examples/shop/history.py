"""Two hours of invented history, so that the dashboard has something to find.

Half an hour ago version 2.4.1 came. Since then orders of one tenant, the teahouse, wait for the payment
service, and some orders fail with an exception that was not there before. The sales report has failed
for ever. There are streams and uploads, too.
"""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

from bson import ObjectId

from flask_tracking import Record, Settings
from flask_tracking.exporters.mongo import MongoExporter
from flask_tracking.record import ChildTiming, ExceptionInfo, UserAgent
from flask_tracking.rollups.counts import Counts
from flask_tracking.rollups.rollup import Example, FailureKey, Failures, Rollup, RouteKey

__all__ = ["write_history"]

SEED = 2012
MINUTES = 120
NEW_SINCE = 29
"""So many minutes ago the new version came."""
OLD, NEW = "2.4.0", "2.4.1"
SLOW_MS = 1_000.0
TENANTS = {"hotel": 3, "kiosk": 2, "museum": 2, "office": 3, "teahouse": 5}
"""How often each asks for something."""
SLOW_TENANT = "teahouse"
USERS = ("ada", "alan", "grace", *(f"guest-{number}" for number in range(40)))
BROWSERS = (("Firefox", "Linux"), ("Chrome", "Windows"), ("Mobile Safari", "iOS"), ("curl", None))
STEPS = (("read the cart", 0.02), ("reserve", 0.05), ("charge", 0.85), ("tell the warehouse", 0.05))
"""What an order does, and its share of the time."""
BATCH = 500


class Visit(NamedTuple):
    """What is asked for, and how often."""

    per_minute: float
    method: str
    rule: str
    endpoint: str
    median_ms: float
    response_type: str = "text/html; charset=utf-8"
    failing: float = 0.0
    """The share that fails, in any version."""


ORDERS = Visit(10, "POST", "/api/orders", "api.create_order", 45, "application/json", 0.02)
SALES = Visit(2, "GET", "/reports/sales", "report_sales", 8, "application/json", 0.45)
UPLOADS = Visit(1, "POST", "/photos", "upload_photo", 60, "application/json")
VISITS = (
    Visit(6, "GET", "/", "home", 6),
    Visit(6, "GET", "/api/products", "api.list_products", 5, "application/json"),
    Visit(5, "GET", "/api/products/<tea>", "api.show_product", 5, "application/json"),
    Visit(2, "GET", "/feedback", "feedback", 6),
    Visit(2, "GET", "/reports/stock", "report_stock", 355, "application/json"),
    Visit(3, "GET", "/offers", "stream_offers", 60, "text/event-stream"),
    ORDERS,
    SALES,
    UPLOADS,
)
SOURCE = Path(__file__).with_name("app.py").read_text(encoding="utf-8").splitlines()
"""The lines of the shop, which tracebacks quote with their numbers."""
FRAME = '  File "shop/app.py", line {line}, in {function}\n    {source}\n'
TRACEBACK = """Traceback (most recent call last):
  File "/usr/lib/python3/site-packages/flask/app.py", line 917, in full_dispatch_request
    rv = self.dispatch_request()
{frames}{error}
"""


class Failure(NamedTuple):
    """An exception of the history."""

    type: str
    calls: tuple[tuple[str, str], ...]
    """The functions of the shop that were running, the outer ones first, each with a part of a line."""


GIFT_CARD = Failure(
    "shop.gift_cards.GiftCardError", (("create_order", 'charge(cents, order["pay_by"])'),)
)
PAYMENT = Failure(
    "shop.app.PaymentError",
    (("create_order", 'charge(cents, order["pay_by"])'), ("charge", "raise PaymentError")),
)
DIVISION = Failure("ZeroDivisionError", (("report_sales", "sum(sales) / len(sales)"),))


def write_history(uri: str, now: datetime | None = None) -> int:
    """Store the records of two hours, and the rollups that count them.

    Args:
        uri: of the database.
        now: where the two hours end; the present by default.

    Returns:
        How many records there are.
    """
    now = now or datetime.now(timezone.utc)
    store = MongoExporter(Settings(mongodb_uri=uri))
    try:
        minutes = list(_make_minutes(now.replace(second=0, microsecond=0)))
        records = [record for _, of_minute in minutes for record in of_minute]
        for at in range(0, len(records), BATCH):
            store.export(records[at : at + BATCH])
        if store.rollups is not None:
            store.rollups.store([_count(start, of_minute) for start, of_minute in minutes])
            store.rollups.merge("history")
    finally:
        store.close()
    return len(records)


def _make_minutes(end: datetime) -> Iterator[tuple[datetime, list[Record]]]:
    """Yield each minute with its records, the oldest first."""
    dice = random.Random(SEED)
    for ago in range(MINUTES, 0, -1):
        start = end - timedelta(minutes=ago)
        version = NEW if ago <= NEW_SINCE else OLD
        records = []
        for visit in VISITS:
            for _ in range(int(visit.per_minute + dice.random())):
                arrived = start + timedelta(milliseconds=dice.randrange(60_000))
                records.append(_make_record(dice, visit, arrived, version))
        yield start, sorted(records, key=lambda one: one.date_created)


def _make_record(dice: random.Random, visit: Visit, arrived: datetime, version: str) -> Record:
    (tenant,), user = dice.choices(list(TENANTS), list(TENANTS.values())), dice.choice(USERS)
    browser, platform = dice.choice(BROWSERS)
    took_ms = visit.median_ms * dice.lognormvariate(0, 0.25)
    is_new = version == NEW and visit is ORDERS
    is_stuck = is_new and tenant == SLOW_TENANT and dice.random() < 0.9
    if is_stuck or dice.random() < 0.001:
        took_ms += 1_500 * dice.lognormvariate(0, 0.1)
    error = _choose_error(dice, visit, is_new=is_new)
    status = 200 if error is None else 503 if error is PAYMENT else 500
    kept = "error" if error is not None else "slow" if took_ms >= SLOW_MS else None
    request_type, request_body = _make_request_body(visit, tenant)
    response_body = b"{}" if "json" in visit.response_type else b"<!doctype html>"
    number = dice.getrandbits(64)
    return Record(
        id=ObjectId(struct.pack(">IQ", int(arrived.timestamp()), number)),
        date_created=arrived,
        method=visit.method,
        scheme="http",
        host="shop.example",
        path=visit.rule.replace("<tea>", "sencha"),
        http_version="HTTP/1.1",
        ip=f"192.0.2.{dice.randrange(1, 250)}",
        user_id=user,
        user_agent=UserAgent(browser, None, platform, "en", browser, browser, platform),
        request_headers=(("Host", "shop.example"), *request_type),
        request_body=request_body,
        request_body_size=len(request_body),
        status_code=status,
        response_headers=(("Content-Type", visit.response_type),),
        response_body=response_body,
        response_body_size=len(response_body),
        execution_time=round(took_ms, 3),
        time_to_first_byte=round(took_ms * 0.9, 3),
        outcome="error" if status == 500 else "ok",
        endpoint=visit.endpoint,
        url_rule=visit.rule,
        blueprint=visit.endpoint.partition(".")[0] if "." in visit.endpoint else None,
        exception=None if error is None else _make_exception(dice, error),
        trace_id=f"{dice.getrandbits(128):032x}",
        span_id=f"{number:016x}",
        request_id=f"{number:016x}",
        hostname=(hostname := dice.choice(("web-1", "web-2"))),
        process=f"{hostname}:{4_100 if version == OLD else 5_200}:h{version[-1]}",
        app="shop",
        version=version,
        custom_data={"tenant": tenant, "cents": dice.randrange(500, 9_000)},
        children=_make_children(took_ms) if visit is ORDERS else (),
        kept=kept is not None,
        kept_reason=kept,
    )


def _choose_error(dice: random.Random, visit: Visit, *, is_new: bool) -> Failure | None:
    if is_new and dice.random() < 0.12:
        return GIFT_CARD
    if dice.random() < visit.failing:
        return PAYMENT if visit is ORDERS else DIVISION
    return None


def _make_exception(dice: random.Random, error: Failure) -> ExceptionInfo:
    message = {GIFT_CARD: f"no card {dice.randrange(10_000)}", DIVISION: "division by zero"}.get(
        error, "the invoice service is down for maintenance"
    )
    frames = "".join(_write_frame(function, part) for function, part in error.calls)
    traceback = TRACEBACK.format(frames=frames, error=f"{error.type}: {message}")
    return ExceptionInfo(error.type, message, traceback)


def _write_frame(function: str, part: str) -> str:
    """Return a line of the shop as tracebacks show it."""
    line = next(at for at, text in enumerate(SOURCE) if part in text and "def " not in text)
    return FRAME.format(line=line + 1, function=function, source=SOURCE[line].strip())


def _make_request_body(visit: Visit, tenant: str) -> tuple[tuple[tuple[str, str], ...], bytes]:
    if visit is ORDERS:
        lines = [{"tea": "sencha", "quantity": 2}, {"tea": "assam", "quantity": 1}]
        order = {"tenant": tenant, "lines": lines, "pay_by": "card"}
        return (("Content-Type", "application/json"),), json.dumps(order).encode()
    if visit is UPLOADS:
        form = (
            '--tea\r\nContent-Disposition: form-data; name="photo"; filename="cup.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n(a photo)\r\n--tea--\r\n"
        )
        return (("Content-Type", "multipart/form-data; boundary=tea"),), form.encode()
    return (), b""


def _make_children(took_ms: float) -> tuple[ChildTiming, ...]:
    """Name where the time of an order went: the payment service takes what is left."""
    shares = (
        ("read the cart", 0.02),
        ("reserve the stock", 0.05),
        ("charge", 0.85),
        ("tell the warehouse", 0.05),
    )
    start, children = 0.5, []
    for name, share in shares:
        children.append(ChildTiming(name, round(start, 3), round(took_ms * share, 3), None))
        start += took_ms * share
    return tuple(children)


def _count(start: datetime, records: Sequence[Record]) -> Rollup:
    """Return what a worker would have counted of a minute."""
    version = records[0].version
    rollup = Rollup(
        width_s=60,
        start=start,
        source=f"web-1:1:{version}.{start:%H%M}",
        version=version,
        stored=len(records),
    )
    for one in records:
        took_ms, failed = one.execution_time or 0.0, (one.status_code or 0) >= 500
        counts = rollup.routes.setdefault(RouteKey(one.url_rule, one.method or ""), Counts())
        bucket = counts.add_request(
            one.status_code, failed, took_ms, one.request_body_size, one.response_body_size
        )
        example = Example(one.kept, one.id)
        half = math.floor(bucket / 16)
        rollup.examples[half] = max(example, rollup.examples.get(half, example))
        if one.exception is not None:
            function = one.exception.traceback.splitlines()[-3].rpartition(" in ")[2]
            key = FailureKey(one.exception.type, "shop/app.py", function, one.url_rule)
            rollup.failures.setdefault(key, Failures()).add(1, example)
    return rollup
