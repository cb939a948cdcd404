"""Two corpora of secrets and one of harmless values, made anew from a seed whenever a test wants them.

The second corpus was committed before the rules were. What is drawn at random and not a secret is in
`harmless_values`: what real traffic is full of, and what naive rules take for a secret.
"""

from __future__ import annotations

import base64
import hashlib
import random
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from flask_tracking.redaction.detection.names import Names, Strength
from flask_tracking.redaction.detection.values import MIN_OPAQUE

from .listed import NAMES, luhn_digit, make_listed
from .published import PUBLISHED
from .shapes import BASE62, DIGITS, HEX, LOWER, UPPER, Maker, Secret, make_secret

SEED = 20_261_125


def listed_secrets(each: int = 5) -> list[Secret]:
    """Make `each` secrets of every listed format."""
    random_ = random.Random(SEED)
    return [make_listed(name, random_) for name in NAMES for _ in range(each)]


def published_secrets(each: int = 4) -> list[Secret]:
    """Make `each` secrets of every shape of the second corpus."""
    random_ = random.Random(SEED + 1)
    return [make_secret(shape, random_) for shape in PUBLISHED for _ in range(each)]


SENSITIVE_NAMES = (
    "password", "Password", "PASSWORD", "user[password]", "user.password", "userPassword", "new-password",
    "db_pass", "passwd", "pwd", "passphrase", "secret", "client_secret", "clientSecret", "SECRET_KEY",
    "apiKey", "X-API-KEY", "api_key", "apikey", "access_token", "accessToken", "refresh-token", "id_token",
    "token", "authToken", "auth", "session_id", "sessionId", "PHPSESSID", "csrf_token", "csrfmiddlewaretoken",
    "X-CSRFToken", "private_key", "privateKey", "secretAccessKey", "credentials", "otp", "pin", "cvv", "cvc",
    "card_number", "cardNumber", "ssn", "signature", "sig", "X-Amz-Signature", "jwt", "encryption_key",
    "connectionString", "remember_token", "password_hash", "passwordConfirmation", "security_code",
)  # fmt: skip
_NAMES = Names()


def fit(name: str, secret: str) -> str:
    """Return `secret`, made to look like one where the name alone says little: opaque, and long enough."""
    if _NAMES.strength(name) > Strength.CODE:
        return secret
    return secret * (MIN_OPAQUE // len(secret) + 1) + "QZ79"


HARMLESS_NAMES = (
    "author", "authority", "authors", "monkey", "keyword", "keyboard", "passenger", "compass", "tokenizer",
    "token_count", "tokenCount", "max_tokens", "total_tokens", "public_key", "publicKey", "primary_key",
    "sort_key", "key_id", "secret_name", "session_count", "csrf_enabled", "api_version", "token_type",
    "password_length", "password_policy", "passport_country", "secretary", "key", "keys", "hotkey", "turkey",
    "design", "assign", "signal", "significant", "spin", "pinned", "opinion", "shipping", "designation",
    "bypass", "passing", "sessions_total", "authenticated", "foreign_key", "idempotency_key", "cookie_policy",
    "id", "name", "email", "title", "price", "quantity", "address", "city", "phone", "notes", "status",
)  # fmt: skip


def _pick(alphabet: str, least: int, most: int, random_: random.Random) -> str:
    return "".join(random_.choice(alphabet) for _ in range(random_.randint(least, most)))


def _moment(random_: random.Random) -> datetime:
    return datetime(2020, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=random_.randrange(200_000_000))


def _imei(random_: random.Random) -> str:
    digits = "35" + _pick(DIGITS, 12, 12, random_)
    return digits + luhn_digit(digits)


def _isbn(random_: random.Random) -> str:
    digits = "978" + _pick(DIGITS, 9, 9, random_)
    check = -sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10
    return f"{digits}{check}"


def _words(random_: random.Random) -> str:
    words = (
        "the quick brown tea order was sent to Berlin and will arrive on Friday password secret token"
    )
    return " ".join(random_.sample(words.split(), 7))


HARMLESS: dict[str, Maker] = {
    "name": lambda r: r.choice(["Ada Lovelace", "Grace Hopper", "José Núñez", "渡辺 謙", "O'Brien-Smith"]),
    "order number": lambda r: f"ORD-{r.randint(2020, 2026)}-{r.randint(1, 999_999):06}",
    "price": lambda r: f"{r.randint(0, 99_999)}.{r.randint(0, 99):02} EUR",
    "uuid": lambda r: str(uuid.UUID(int=r.getrandbits(128), version=4)),
    "phone": lambda r: f"+49 {r.randint(30, 999)} {r.randint(100_000, 99_999_999)}",
    "us phone": lambda r: f"({r.randint(201, 989)}) {r.randint(200, 999)}-{r.randint(0, 9999):04}",
    "epoch seconds": lambda r: str(int(_moment(r).timestamp())),
    "epoch ms": lambda r: str(int(_moment(r).timestamp() * 1e3)),
    "epoch µs": lambda r: str(int(_moment(r).timestamp() * 1e6)),
    "epoch ns": lambda r: str(int(_moment(r).timestamp() * 1e9)),
    "iso time": lambda r: _moment(r).isoformat(),
    "http date": lambda r: _moment(r).strftime("%a, %d %b %Y %H:%M:%S GMT"),
    "float": lambda r: repr(r.random() * 10 ** r.randint(-3, 3)),
    "sha1": lambda r: hashlib.sha1(r.randbytes(8), usedforsecurity=False).hexdigest(),
    "sha256": lambda r: hashlib.sha256(r.randbytes(8)).hexdigest(),
    "digest": lambda r: "sha256:" + hashlib.sha256(r.randbytes(8)).hexdigest(),
    "etag": lambda r: f'W/"{_pick(HEX, 32, 32, r)}"',
    "object id": lambda r: _pick(HEX, 24, 24, r),
    "trace": lambda r: f"00-{_pick(HEX, 32, 32, r)}-{_pick(HEX, 16, 16, r)}-01",
    "isbn": _isbn,
    "imei": _imei,
    "snowflake": lambda r: "1" + _pick(DIGITS, 17, 17, r),
    "host": lambda r: f"api-{r.randint(1, 99)}.eu-central.example.org",
    "url": lambda r: f"https://shop.example.org/items/{r.randint(1, 9999)}?page={r.randint(1, 9)}&sort=price",
    "e-mail": lambda r: f"{_pick(LOWER, 4, 10, r)}@example.org",
    "path": lambda r: f"/static/{_pick(LOWER, 3, 8, r)}.{_pick(HEX, 8, 8, r)}.js",
    "sku": lambda r: f"{_pick(UPPER, 3, 4, r)}-{_pick(DIGITS, 4, 6, r)}-{_pick(UPPER, 2, 2, r)}",
    "slug": lambda r: "-".join(_pick(LOWER, 3, 8, r) for _ in range(4)),
    "dotted name": lambda r: "flask_tracking.pipeline." + r.choice(["worker", "assemble", "decoding"]),
    "version": lambda r: f"{r.randint(0, 9)}.{r.randint(0, 30)}.{r.randint(0, 30)}",
    "coordinates": lambda r: f"{r.uniform(-90, 90):.12f},{r.uniform(-180, 180):.12f}",
    "publishable": lambda r: "pk" + "_live_" + _pick(BASE62, 24, 24, r),
    "base64 image": lambda r: "data:image/png;base64," + base64.b64encode(r.randbytes(60)).decode(),
    "sentence": _words,
    "label": lambda r: r.choice(["password", "secret", "token", "api_key"]),
    "placeholder": lambda r: r.choice(["[Filtered]", "[REDACTED]", "[redacted]"]),
    "locale": lambda r: r.choice(["sk-SK", "key-value", "ey", "SKU", "AKIA", "pat", "npm_config"]),
    "colour": lambda r: "#" + _pick(HEX, 6, 6, r),
    "ip": lambda r: ".".join(str(r.randint(1, 254)) for _ in range(4)),
    "id starting with 7": lambda r: "7" + _pick(DIGITS, 15, 15, r),
}  # fmt: skip


def harmless_values(each: int = 10) -> Iterator[tuple[str, str]]:
    """Make `each` values of every harmless kind: pairs of kind and value."""
    random_ = random.Random(SEED + 2)
    for kind, make in HARMLESS.items():
        for _ in range(each):
            yield kind, make(random_)
