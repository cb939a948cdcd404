"""Which names say that what they name is a secret: whatever the case, ``-``, ``_``, brackets or camelCase.

A name is taken apart into words, and the words decide: ``user[newPassword]`` is ``user new password``. RE2
cannot look ahead, and ``author`` is not ``auth``: so no pattern does it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence

from ...memo import Memo

WORDS = frozenset(
    [
        "auth",
        "authorization",
        "bearer",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "csc",
        "csrf",
        "csrfmiddlewaretoken",
        "cvc",
        "cvc2",
        "cvn",
        "cvv",
        "cvv2",
        "dsn",
        "iban",
        "jwt",
        "otp",
        "pass",
        "passcode",
        "passcodes",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "passwort",
        "contraseña",
        "creds",
        "dbpass",
        "kennwort",
        "mdp",
        "passwrd",
        "privkey",
        "pswd",
        "pw",
        "pwhash",
        "samlresponse",
        "senha",
        "wachtwoord",
        "пароль",
        "密码",
        "パスワード",
        "pin",
        "pwd",
        "sess",
        "sessid",
        "session",
        "sid",
        "sig",
        "signature",
        "ssn",
        "token",
        "tokens",
        "totp",
        "xsrf",
        "secret",
        "secrets",
        "mfa",
    ]
)
"""A name with one of these among its words is sensitive."""
PHRASES = tuple(
    tuple(phrase.split())
    for phrase in [
        "api key",
        "api keys",
        "apikey",
        "apikeys",
        "access key",
        "access keys",
        "secret key",
        "private key",
        "private keys",
        "encryption key",
        "signing key",
        "master key",
        "auth key",
        "account key",
        "shared key",
        "shared access key",
        "storage key",
        "ssh key",
        "session key",
        "consumer key",
        "app key",
        "application key",
        "client key",
        "service key",
        "webhook key",
        "subscription key",
        "functions key",
        "license key",
        "decryption key",
        "hmac key",
        "server key",
        "connection string",
        "connection uri",
        "database url",
        "database uri",
        "db url",
        "db uri",
        "mongodb uri",
        "redis url",
        "broker url",
        "card number",
        "card no",
        "cc number",
        "credit card",
        "security code",
        "security answer",
        "verification code",
        "recovery code",
        "recovery codes",
        "backup code",
        "backup codes",
        "one time code",
        "mfa code",
        "login code",
        "auth code",
        "aws access key id",
        "access key id",
        "goog signature",
        "amz signature",
        "oauth verifier",
        "social security number",
        "account number",
        "webhook url",
        "magic link",
        "client assertion",
        "code verifier",
        "tfa code",
        "factor code",
        "sms code",
        "confirm code",
        "confirmation code",
        "verify code",
        "reset code",
        "access code",
        "activation code",
        "priv key",
        "mashape key",
        "rapidapi key",
        "mongo url",
        "mongo uri",
        "redis uri",
        "amqp url",
        "recovery phrase",
        "seed phrase",
        "saml response",
        "mot de passe",
        "auth header",
        "cc num",
        "conn str",
        "reset link",
    ]
)
"""So is one with these words in a row."""
STEMS = [
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "encryptionkey",
    "sessionid",
    "sessid",
    "credential",
    "cardnumber",
    "connectionstring",
    "csrf",
    "xsrf",
]
"""So is one with such a stem inside a word that has no seams, like ``phpsessid`` or ``dbpassword``."""
HARMLESS_WORDS = frozenset(
    [
        "tokenizer",
        "tokenizers",
        "tokenize",
        "tokenized",
        "tokenization",
        "tokenise",
        "tokenised",
        "secretary",
        "secretaries",
        "secretariat",
        "passwordless",
        "secretion",
        "etoken",
    ]
)
HARMLESS_ENDS = frozenset(
    [
        "age",
        "algorithm",
        "at",
        "allow",
        "allowed",
        "allowlist",
        "accepted",
        "balance",
        "banner",
        "country",
        "date",
        "location",
        "symbol",
        "time",
        "title",
        "attempts",
        "available",
        "budget",
        "changed",
        "chars",
        "class",
        "column",
        "configured",
        "count",
        "counts",
        "created",
        "cost",
        "created_at",
        "days",
        "description",
        "disabled",
        "domain",
        "duration",
        "enabled",
        "end",
        "endpoint",
        "error",
        "errors",
        "exists",
        "expired",
        "expires",
        "expiration",
        "expiry",
        "expire",
        "field",
        "fields",
        "format",
        "from",
        "header",
        "headers",
        "in",
        "issued",
        "kind",
        "label",
        "len",
        "length",
        "lifetime",
        "limit",
        "limits",
        "max",
        "method",
        "methods",
        "min",
        "minutes",
        "mode",
        "name",
        "names",
        "needed",
        "ok",
        "order",
        "param",
        "parameter",
        "path",
        "per",
        "policy",
        "position",
        "price",
        "prompt",
        "provider",
        "providers",
        "rate",
        "ratio",
        "remaining",
        "required",
        "requirement",
        "requirements",
        "reset",
        "rotated",
        "score",
        "seconds",
        "size",
        "start",
        "state",
        "status",
        "strength",
        "supported",
        "total",
        "ttl",
        "type",
        "types",
        "unit",
        "updated",
        "url",
        "urls",
        "usage",
        "used",
        "valid",
        "validity",
        "version",
        "consent",
        "preferences",
        "preference",
        "samesite",
        "secure",
        "httponly",
        "lax",
    ]
)
"""After a sensitive word these say something about the secret, and are not it: ``token_count``."""
HARMLESS_COUNTERS = frozenset(
    [
        "max",
        "min",
        "total",
        "prompt",
        "completion",
        "input",
        "output",
        "num",
        "number",
        "used",
        "remaining",
        "cached",
        "reasoning",
        "audio",
        "count",
    ]
)
"""Before ``tokens`` these count them."""
EXCEPT = frozenset(
    {
        "access control allow credentials",
        "access control expose headers",
        "public key",
        "key id",
        "auth mode",
    }
)
_UPPER, _LOWER = "A-Z\u00c0-\u00d6\u00d8-\u00de", "a-z\u00df-\u00f6\u00f8-\u024f"
"""Latin letters, those with accents too; letters of other alphabets make words of their own."""
_SEAMS = re.compile(
    rf"[{_UPPER}]+(?![{_LOWER}])|[{_UPPER}]?[{_LOWER}]+|[0-9]+|[^\W\d_{_UPPER}{_LOWER}]+"
)
_LEFT_OUT = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\0]"
)
MAX_NAME = 256


def split_words(name: str) -> tuple[str, ...]:
    """Take a name apart into lower-case words."""
    if not name.isascii():
        name = _LEFT_OUT.sub("", unicodedata.normalize("NFKC", name))
    words: list[str] = []
    for word in _SEAMS.findall(name.replace("\0", "")):
        # cvv2 and oauth2 are words of their own.
        if word.isdigit() and words and words[-1] + word in WORDS:
            words[-1] += word
        else:
            words.append(word.lower())
    return tuple(words)


class Names:
    """Tells sensitive names, with what the settings add and free."""

    def __init__(self, more: Iterable[str] = (), allowed: Iterable[str] = ()) -> None:
        """Take the names of ``TRACKING_REDACT_NAMES`` and ``TRACKING_REDACT_ALLOW``."""
        self.more = tuple(words for words in map(split_words, more) if words)
        self.are_ascii = all(word.isascii() for words in self.more for word in words)
        """Whether no name that was added has a letter that JSON escapes."""
        self._more, self._phrases = _Rows(self.more), _Rows(PHRASES)
        self._allowed = frozenset("".join(split_words(name)) for name in allowed)
        self._verdicts = Memo(self._decide)

    def is_sensitive(self, name: str) -> bool:
        """Tell whether what `name` names is a secret; an endless name is taken for one."""
        return len(name) > MAX_NAME or self._verdicts[name]

    def _decide(self, name: str) -> bool:
        words = split_words(name)
        glued = "".join(words)
        if glued in self._allowed:
            return False
        if glued in WORDS:
            return True
        if self._more.are_in(words, glued):
            return True
        if " ".join(words) in EXCEPT:
            return False
        return self._phrases.are_in(words, glued) or any(
            _is_secret_word(words, at) for at in range(len(words))
        )


class _Rows:
    """Rows of words, to be found in names by their first."""

    def __init__(self, rows: Sequence[tuple[str, ...]]) -> None:
        self._glued = {"".join(row) for row in rows}
        self._by_first: dict[str, list[tuple[str, ...]]] = {}
        for row in rows:
            self._by_first.setdefault(row[0], []).append(row)

    def are_in(self, words: tuple[str, ...], glued: str) -> bool:
        """Tell whether one of the rows is in a name, or is the name without its seams."""
        return glued in self._glued or any(
            words[at : at + len(row)] == row
            for at, word in enumerate(words)
            for row in self._by_first.get(word, ())
        )


def _is_secret_word(words: tuple[str, ...], at: int) -> bool:
    word = words[at]
    if word in HARMLESS_WORDS:
        return False
    follows = words[at + 1 :]
    if word in WORDS:
        if word == "tokens" and HARMLESS_COUNTERS & set(words[:at]):
            return False
        if follows and follows[-1] == "id":
            return (
                word in ("session", "sess", "csrf", "token", "tokens", "secret") and len(follows) == 1
            )
        return not (follows and follows[-1] in HARMLESS_ENDS)
    for stem in STEMS:
        if stem in word:
            head, _, tail = word.partition(stem)
            counts = stem == "token" and tail == "s" and (head in HARMLESS_COUNTERS)
            rest = follows[-1] if follows else tail
            return not (counts or rest in HARMLESS_ENDS)
    return False


def _in_any_case(letter: str) -> str:
    upper = letter.upper()
    if letter.isascii() or upper == letter:
        return re.escape(letter)
    return f"(?:{letter}|{upper})"


def _spellings(word: str) -> set[str]:
    """Return how a word may stand in a text whose letters of ASCII are in lower case, or in JSON."""
    if word.isascii():
        return {word}
    cases = {word, word.capitalize(), word.upper()}
    written = [*cases, *(json.dumps(one)[1:-1] for one in cases)]
    return {one.encode().lower().decode() for one in written}


def trigger_patterns(names: Names) -> tuple[tuple[str, str], ...]:
    """Return patterns one of which is in every sensitive name, each with the literal that it begins with.

    They are in lower case, and only a first look: what they find is taken apart into words.
    """
    words = {word for word in WORDS if not any(other != word and other in word for other in WORDS)}
    words |= {stem for stem in STEMS if not any(word in stem for word in words)}
    rows = {row for row in (*PHRASES, *names.more) if not words & set(row)}
    patterns = {(spelling, re.escape(spelling)) for word in words for spelling in _spellings(word)}
    for row in rows:
        pattern = "[^0-9a-z]{0,3}".join("".join(map(_in_any_case, word)) for word in row)
        # Only letters of ASCII are in lower case where it is looked for.
        patterns.add((row[0] if row[0].isascii() else "", pattern))
    return tuple(sorted(patterns))
