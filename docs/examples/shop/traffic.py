"""A few hundred requests to the shop, always the same ones, and what must be recorded of them.

`plan_visits` makes them, `send` sends them over HTTP and returns what came back, `expected_records`
says what the database must hold afterwards. Nothing here asks flask-tracking.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import requests

SEED = 2012
VISITORS = 24
USERS = ("ada", "alan", "grace")
"""Each of them visits four times; all others are guests."""
TIMEOUT_S = 30.0

AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1",
    "curl/8.14.1",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
)
ENCODINGS = ("gzip, deflate, br, zstd", "gzip", "identity")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request, and what the shop must answer."""

    method: str
    target: str
    """Path and query, as they are sent."""
    status: int
    guest_status: int | None = None
    """What a visitor who is not logged in gets, where that is another one."""
    exception: str | None = None
    """The exception behind the answer: ``type: message``."""
    is_excluded: bool = False
    """True for what ``TRACKING_EXCLUDE`` leaves out."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    """``json=`` or ``data=``, as ``requests`` wants it."""


@dataclass(frozen=True)
class Visit:
    """What one client does, one request after the other, with its own cookies."""

    user: str | None
    headers: Mapping[str, str]
    requests: Sequence[Request]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    request: Request
    user: str | None
    status: int

    @property
    def planned_status(self) -> int:
        """The status that should have come back."""
        guest_status = self.request.guest_status if self.user is None else None
        return guest_status or self.request.status


class Facts(NamedTuple):
    """What a client knows of a request and a record must agree with."""

    method: str
    path: str
    query: str
    status: int
    user: str | None
    exception: str | None

    def __str__(self) -> str:
        """Return them on one line."""
        query = f"?{self.query}" if self.query else ""
        user = f" by {self.user}" if self.user else ""
        exception = f", {self.exception}" if self.exception else ""
        return f"{self.method} {self.path}{query} {self.status}{user}{exception}"


def _get(target: str, status: int = 200, **more: Any) -> Request:
    return Request(method="GET", target=target, status=status, **more)


def _post(target: str, status: int, **more: Any) -> Request:
    return Request(method="POST", target=target, status=status, **more)


def _order(status: int, order: Any, **more: Any) -> Request:
    return _post("/api/orders", status, body={"json": order}, **more)


def _feedback(status: int, stars: str, message: str) -> Request:
    return _post("/feedback", status, body={"data": {"stars": stars, "message": message}})


def _login(name: str, password: str, status: int) -> Request:
    return _post("/login", status, body={"data": {"name": name, "password": password}})


DIVISION = "ZeroDivisionError: division by zero"
PAYMENT = "shop.app.PaymentError: the invoice service is down for maintenance"

MENU: tuple[tuple[int, Request], ...] = (
    (21, _get("/")),
    (20, _get("/api/products")),
    (12, _get("/api/products?name=grey&max_cents=900")),
    (8, _get("/api/products?name=th%C3%A9")),
    (14, _get("/api/products/sencha")),
    (10, _get("/api/products/earl%20grey")),
    (8, _get("/api/products/coffee", 404)),
    (22, _order(201, {"tea": "oolong", "quantity": 2, "pay_by": "card"})),
    (10, _order(201, {"tea": "assam", "quantity": 12, "pay_by": "card", "note": "für Grace 🍵"})),
    (7, _order(503, {"tea": "sencha", "quantity": 1, "pay_by": "invoice"}, exception=PAYMENT)),
    (6, _order(422, {"tea": "coffee", "quantity": 0, "pay_by": "shells"})),
    (3, _order(422, ["sencha"])),
    (4, _post("/api/orders", 400, headers={"Content-Type": "application/json"}, body={"data": "{tea"})),
    (3, _post("/api/orders", 415, body={"data": "tea=sencha"})),
    (12, _get("/feedback")),
    (9, _feedback(303, "5", "Lovely tea, quick parcel.")),
    (4, _feedback(422, "3", " ")),
    (6, _get("/login")),
    (5, _login("ada", "sencha", 422)),
    (10, _get("/brewing-guide.txt")),
    (4, _get("/brewing-guide.txt", 206, headers={"Range": "bytes=0-99"})),
    (4, _get("/brewing-guide.txt", 304, headers={"If-None-Match": "*"})),
    (9, _get("/offers")),
    (12, _get("/reports/stock", guest_status=302)),
    (8, _get("/reports/sales?month=2026-09", guest_status=302)),
    (11, _get("/reports/sales?month=2026-10", 500, guest_status=302, exception=DIVISION)),
    (6, _get("/gr%C3%BCner-tee", 404)),
    (5, _get("/wp-login.php?action=register", 404)),
    (3, Request(method="DELETE", target="/api/products", status=405)),
    (2, _post("/", 405)),
    (5, Request(method="HEAD", target="/", status=200)),
    (2, Request(method="HEAD", target="/brewing-guide.txt", status=200)),
    (2, Request(method="OPTIONS", target="/api/orders", status=200)),
    (6, _get("/static/style.css", is_excluded=True)),
    (3, _get("/favicon.ico", 404, is_excluded=True)),
)
"""How often, and what."""


def plan_visits() -> list[Visit]:
    """Deal the menu out to the visitors, at random and always alike."""
    dice = random.Random(SEED)
    dealt = [request for count, request in MENU for _ in range(count)]
    dice.shuffle(dealt)
    users = (*USERS * 4, *[None] * VISITORS)[:VISITORS]
    visits = []
    for number, user in enumerate(users):
        steps = dealt[number::VISITORS]
        if user is not None:
            log_in, log_out = _login(user, "darjeeling", 303), _post("/logout", 303)
            steps = [log_in, *steps, log_out]
        headers = {"User-Agent": dice.choice(AGENTS), "Accept-Encoding": dice.choice(ENCODINGS)}
        visits.append(Visit(user, headers, steps))
    return visits


def send(base_url: str, visits: Sequence[Visit], threads: int = 8) -> list[Answer]:
    """Send all requests, so many visits at a time, and return what came back.

    Raises:
        requests.RequestException: the shop does not answer.
    """
    with ThreadPoolExecutor(threads) as pool:
        visited = pool.map(lambda visit: _make_visit(base_url, visit), visits)
        return [answer for answers in visited for answer in answers]


def _make_visit(base_url: str, visit: Visit) -> list[Answer]:
    answers = []
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between us and this machine
        session.headers.update(visit.headers)
        for request in visit.requests:
            response = session.request(
                request.method,
                base_url + request.target,
                headers=dict(request.headers),
                allow_redirects=False,
                timeout=TIMEOUT_S,
                **request.body,
            )
            answers.append(Answer(request, visit.user, response.status_code))
    return answers


def expected_records(answers: Iterable[Answer]) -> Counter[Facts]:
    """Say what must be recorded of these requests, and how often."""
    return Counter(_facts(answer) for answer in answers if not answer.request.is_excluded)


def _facts(answer: Answer) -> Facts:
    request = answer.request
    target = urlsplit(request.target)
    exception = request.exception if answer.status >= 500 else None
    path = unquote(target.path)
    return Facts(request.method, path, target.query, answer.status, answer.user, exception)
