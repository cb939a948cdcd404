"""Sensitive names: how strongly a name says that its value is a secret.

A name is split into words, whatever the case, ``-``, ``_``, brackets or camelCase, and the words
decide: ``user[newPassword]`` is ``user new password``. A new name is one more word or phrase in a table.
"""

from __future__ import annotations

import enum
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence

from ...runtime.cache import BoundedCache
from ..engines.base import NOT_ASCII, ScanPattern


class Strength(enum.IntEnum):
    """How strongly a name says that its value is a secret; `values.is_secret` looks at the value."""

    NONE = 0
    VAGUE = 1
    """The value goes where it looks like a secret, and names nothing: ``key``, ``code``."""
    WEAK = 2
    """The value goes where it looks like a secret: ``session``, ``auth``, ``signature``."""
    CODE = 3
    """The value goes where it is a short number, too: a code that was sent to log in."""
    TOKEN = 4
    """The value goes unless it is a word or a sentence: parts of a text are called tokens, too."""
    STRONG = 5
    """The value goes unless it is a label or a sentence about the secret: ``password``."""
    OWN = 6
    """The app said so: the value goes whatever it is."""


def _phrases(table: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(phrase.split()) for phrase in re.split(r"[|\n]", table) if phrase.strip())


STRONG_WORDS = frozenset(
    """
    password passwords passwd passwrd passphrase passcode passcodes pwd pswd pw pwhash dbpass
    passwort kennwort contraseña contrasena senha mdp wachtwoord lösenord losenord adgangskode kodeord
    passord salasana heslo hasło haslo jelszó jelszo parolă şifre sifre geslo lozinka slaptažodis parool
    пароль лозинка парола κωδικός סיסמה סיסמא گذرواژه پسورد 密码 密碼 口令 パスワード 暗証番号
    비밀번호 암호 पासवर्ड कूटशब्द รหัสผ่าน পাসওয়ার্ড கடவுச்சொல் գաղտնաբառ პაროლი fjalëkalimi lykilorð pasahitza
    contrasenya contrasinal wagwoord nenosiri pswrd psw passw
    secret secrets credential credentials creds privkey
    keyphrase mnemonic bearer csc cvc cvc2 cvn cvv cvv2 dsn iban otp totp ssn jwt samlresponse
    csrf csrfmiddlewaretoken xsrf
    """.split()
)
TOKEN_WORDS = frozenset("token clave parola sandi geslu gesla geslom".split())
"""These mean other things, too: a part of a text, a key, a word, a slogan."""
WEAK_WORDS = frozenset(
    """
    auth authorization authentication session sess sessid sid sig signature pass pin cookie
    tokens cookies nonce wpnonce ticket zak assertion hmac psk crumb mfa plaintext
    """.split()
)
WEAK_ENDS = {"key": Strength.VAGUE, "sign": Strength.WEAK}
"""Sensitive only as the last word of a name: ``STRIPE_KEY``, and not ``key_count``."""
WEAK_NAMES = dict.fromkeys(
    ["code", "invite", "magic", "seed", "access", "refresh", "key1", "key2", "keys"], Strength.VAGUE
)
"""Sensitive only as the whole name: any other code is one of an error, a country, a product."""
PARTS = frozenset(["id", "_id", "key", "code"])
"""Keys that mean what the name around them says: ``{"session": {"id": X}}``, ``{"cache": {"key": X}}``."""
STRONG_PHRASES = _phrases(
    """
    api key|api keys|apikey|apikeys|access key|access keys|secret key|private key|private keys|priv key
    encryption key|decryption key|signing key|master key|auth key|account key|shared key|shared access key
    storage key|ssh key|session key|consumer key|app key|application key|client key|service key|webhook key
    subscription key|functions key|license key|hmac key|server key|mashape key|rapidapi key|key material
    primary key material|connection string|connection uri|conn str|database url|database uri|db url|db uri
    mongodb uri|mongo url|mongo uri|redis url|redis uri|broker url|amqp url
    card number|card no|cc number|cc num|credit card|account number|social security number
    security code|security answer|verification code|recovery code|recovery codes|backup code|backup codes
    one time code|one time password|mfa code|fa code|challenge code|login code|auth code|tfa code|factor code|sms code|confirm code
    confirmation code|verify code|reset code|access code|activation code|device code|user code|oob code
    key phrase|web hook url|data base url|recovery phrase|seed phrase|authr key|aws access key id|access key id|goog signature|amz signature
    oauth verifier|code verifier|client assertion|saml response|webhook url|magic link|reset link|auth header
    jfrog art api|j frog art api|oidc data|client principal|request uri|encrypted value|user hash|access sign
    phpsessid|mot de passe|kata sandi|kata laluan|mật khẩu|mat khau|codice segreto|parola d ordine|dpop
    palabra clave|palavra passe|password di accesso|κωδικός πρόσβασης|كلمة المرور|كلمة السر|رمز عبور|کلمه عبور
    kata sandi anda|mật khẩu của bạn|كلمة المرور الخاصة بك|رمز عبور شما|құпия сөз|нууц үг|סיסמה שלך|הסיסמה שלך|הסיסמא שלך
    id token hint|login hint token
    """
)
TOKEN_PHRASES = _phrases(
    "new pass|old pass|current pass|confirm pass|user pass|db pass|admin pass|root pass|smtp pass|mail pass|pass 1|pass 2"
)
WEAK_PHRASES = _phrases(
    "recaptcha response|captcha response|turnstile response|websocket protocol|web socket protocol|auth user|session id|session ids|authorization code|auth req id|two factor|key value|resource key|keys base 64"
)
CODE_PHRASES = _phrases(
    "your code|this code|dein code|ihr code|votre code|su código|kode verifikasi|código de verificación"
    "|code de vérification|bestätigungscode|код подтверждения|验证码|驗證碼|認証コード|인증번호|mã xác nhận|mã otp"
    "|kod pin|code pin|use code|enter code|tu código|tu code|código pin|pin kodu|verification code|login code|security code|one time code"
    "|confirmation code|access code|sms code|otp code|passcode|otp|kod weryfikacyjny|doğrulama kodu|codice di verifica"
    "|verificatiecode|engangskode|engångskod|rəmzi kod|رمز التحقق|קוד אימות|सत्यापन कोड|รหัสยืนยัน|code de sécurité"
)
BEGINNINGS = """
    парол лозинк гасл κωδικ סיסמ salasan hasł hasl hesl jelsz lozink slaptažod parool parol senha
    wachtwoord adgangskod passord lösenord losenord kennwort kennwört passwört contraseñ şifre sifre fjalëkalim
    lykilorð pasahitz kodeord
    """.split()
"""A word is likely sensitive that begins like this: languages have cases, ``hasła``, ``salasanasi``."""
STEMS = """
    password passwd passphrase passwort secret token apikey accesskey secretkey privatekey
    encryptionkey sessionid sessid credential cardnumber connectionstring csrf xsrf
    """.split()
"""A word that has no seams is sensitive with one of these in it, like ``phpsessid`` or ``dbpassword``."""
HARMLESS_WORDS = (
    "tokeni",
    "secretar",
    "secretion",
    "passwordless",
    "etoken",
    "secretsman",
    "secretman",
)
"""Beginnings of words that have a sensitive one in them and mean something else: ``tokenizer``."""
HARMLESS_ENDS = frozenset(
    """
    accepted address age alerts alg algorithm allow allowed allowlist at attempts available banner
    bin bucket change changed chars check class column company configured consent contract count
    country counts created css date days description digits disabled domain duration email enabled
    end endpoint error errors exists expiration expire expired expires expiry field fields file
    fingerprint format found from go header headers hint holder httponly in issued java js kind
    label language last4 length level lifetime limit limits logprobs match max message method
    methods min minutes mode month name names order param parameter path placeholder policy
    preference preferences prevention price provider providers py question questions rate refill
    remaining required requirement requirements reset result results rotated rs rules samesite
    scanning score second secure set size start state status strength supported symbol time timeout
    title total ts ttl type types updated uri url urls usage used user valid validity version year
    """.split()
)
"""After a sensitive word these say something about the secret, and are not it: ``token_count``."""
HARMLESS_NAMES = frozenset(
    _phrases(
        """
    access control allow credentials|access control expose headers|auth mode|key id|public key|foreign key
    |publishable key|site key|sort key|partition key|cache key|routing key|idempotency key|secret santa
    |socket key
    """
    )
)
_UPPER, _LOWER = "A-Z\u00c0-\u00d6\u00d8-\u00de", "a-z\u00df-\u00f6\u00f8-\u024f\u1e00-\u1eff"
"""Latin letters, those with accents too; letters of other alphabets make words of their own."""
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff\u0e30-\u0e4e"
"""Vowels and accents that are written as characters of their own."""
_SEAMS = re.compile(
    rf"[{_UPPER}]+(?![{_LOWER}])|[{_UPPER}]?[{_LOWER}]+|[0-9]+|(?:[^\W\d_{_UPPER}{_LOWER}]|[{_MARKS}])+"
)
_LEFT_OUT = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\0]"
)
MAX_NAME = 256
MAX_PHRASE = 5
"""Words of the longest name with blanks in it."""
_WITH_DIGITS = frozenset(["cvc2", "cvv2"])


def count_names() -> int:
    """Return how many sensitive words and phrases are known."""
    words = (STRONG_WORDS, TOKEN_WORDS, WEAK_WORDS, WEAK_ENDS, WEAK_NAMES)
    return sum(map(len, (*words, STRONG_PHRASES, CODE_PHRASES, TOKEN_PHRASES, WEAK_PHRASES, STEMS)))


def split_words(name: str) -> tuple[str, ...]:
    """Take a name apart into lower-case words."""
    if not name.isascii():
        name = _LEFT_OUT.sub("", unicodedata.normalize("NFKC", name))
    words: list[str] = []
    for word in _SEAMS.findall(name.replace("\0", "")):
        if word.isdigit() and words and words[-1] + word in _WITH_DIGITS:
            words[-1] += word
        else:
            words.append(word.lower())
    return tuple(words)


class Names:
    """Tells how sensitive a name is, with what the settings add and free."""

    def __init__(self, more: Iterable[str] = (), allowed: Iterable[str] = ()) -> None:
        """Take the names of ``TRACKING_REDACT_NAMES`` and ``TRACKING_REDACT_ALLOW``."""
        self.more = tuple(words for words in map(split_words, more) if words)
        self.are_ascii = all(word.isascii() for words in self.more for word in words)
        """Whether no name that was added has a letter that JSON escapes."""
        self._more = _Rows(self.more)
        self._allowed = frozenset("".join(split_words(name)) for name in allowed)
        self._strengths = BoundedCache(self._decide)

    def strength(self, name: str) -> Strength:
        """Return how strongly `name` says that it names a secret; an endless name says it."""
        return self._strengths[name] if len(name) <= MAX_NAME else Strength.STRONG

    def strength_within(self, around: str, key: str) -> Strength:
        """Return the strength of a key in a structure under the name `around`."""
        own = self.strength(key)
        if not around or key.lower() not in PARTS:
            return own
        both = self.strength(f"{around} {key}")
        if both is Strength.NONE and key.lower() == "key":
            return both  # of a cache, of a sort
        return max(own, min(both, Strength.CODE))

    def is_about(self, key: str) -> bool:
        """Tell whether a key in the structure of a secret says something about it: ``keyId``."""
        last = split_words(key)[-1:]
        return last == ("id",) or not HARMLESS_ENDS.isdisjoint(last)

    def strength_of_bytes(self, name: bytes) -> Strength:
        """Return the same for a name in UTF-8."""
        return self.strength(name.decode("utf-8", "replace"))

    def strength_of_phrase(self, words: Sequence[str]) -> Strength:
        """Return the strength of a name with blanks in it: only known phrases are one."""
        glued = "".join(split_words(" ".join(words)))
        if glued in self._allowed:
            return Strength.NONE
        if self._more.has(glued):
            return Strength.OWN
        known = [strength for rows, strength in _PHRASES if rows.has(glued)]
        if len(words) == 1 and glued in STRONG_WORDS:
            known.append(Strength.STRONG)
        return max(known, default=Strength.NONE)

    def strength_of_ending(self, words: Sequence[str], *, least: int = 1) -> Strength:
        """Return the strength of the name that the last words of a text are, `least` of them or more."""
        words = words[-MAX_PHRASE:]
        strengths = [self.strength_of_phrase(words[at:]) for at in range(len(words) - least + 1)]
        if any(self.is_code((first, words[-1])) for first in words[:-2]):
            strengths.append(Strength.CODE)  # ``your Shop code``
        return max(strengths, default=Strength.NONE)

    def is_code(self, words: Sequence[str]) -> bool:
        """Tell whether a short number behind these words is a code to log in: ``your Shop code``."""
        rows, _ = _PHRASES[1]
        return rows.has("".join(split_words(" ".join(words))))

    def _decide(self, name: str) -> Strength:
        words = split_words(name)
        glued = "".join(words)
        if glued in self._allowed:
            return Strength.NONE
        if self._more.find(words, glued):
            return Strength.OWN
        ends = words[-2:] if words[-1:] == ("key",) else ()
        if "/" in name or words in HARMLESS_NAMES or ends in HARMLESS_NAMES:  # a path is no name
            return Strength.NONE
        if glued in STRONG_WORDS:
            return Strength.STRONG
        strengths = [_weigh_word(words, at) for at in range(len(words))]
        strengths += [_weigh_rows(words, glued, rows, strength) for rows, strength in _PHRASES]
        strengths.append(WEAK_NAMES.get(glued, Strength.NONE))
        strengths.append(WEAK_ENDS.get(words[-1], Strength.NONE) if words else Strength.NONE)
        return max(strengths, default=Strength.NONE)


class _Rows:
    """Rows of words, to be found in names by their first."""

    def __init__(self, rows: Sequence[tuple[str, ...]]) -> None:
        self._glued = {"".join(row) for row in rows}
        self._by_first: dict[str, list[tuple[str, ...]]] = {}
        for row in rows:
            self._by_first.setdefault(row[0], []).append(row)

    def has(self, glued: str) -> bool:
        """Tell whether one of the rows is a name without its seams."""
        return glued in self._glued

    def find(self, words: tuple[str, ...], glued: str) -> list[int]:
        """Return behind which words of a name one of the rows ends; the name may have no seams."""
        if glued in self._glued:
            return [len(words)]
        return [
            at + len(row)
            for at, word in enumerate(words)
            for row in self._by_first.get(word, ())
            if words[at : at + len(row)] == row
        ]


_PHRASES = (
    (_Rows(STRONG_PHRASES), Strength.STRONG),
    (_Rows(CODE_PHRASES), Strength.CODE),
    (_Rows(TOKEN_PHRASES), Strength.TOKEN),
    (_Rows(WEAK_PHRASES), Strength.WEAK),
)


_ALL_PHRASES = _Rows([*STRONG_PHRASES, *CODE_PHRASES, *TOKEN_PHRASES, *WEAK_PHRASES])


def is_known_phrase(words: Sequence[str]) -> bool:
    """Tell whether these words are a name as the tables have it: ``api_key``."""
    return _ALL_PHRASES.has("".join(words))


def is_mentioned(words: Sequence[str]) -> bool:
    """Tell whether a text names a secret, like ``Confirm password`` and ``Clé d'API``."""
    return any(map(_is_mention, words)) or bool(_ALL_PHRASES.find(tuple(words), "".join(words)))


def _is_mention(word: str) -> bool:
    if word in _MENTIONS or (word[:3] in _FIRST_THREE and word.startswith(_BEGINNINGS)):
        return True
    return not word.isascii() and len(word) >= 4 and any(known in word for known in _FOREIGN)


_MENTIONS = STRONG_WORDS | TOKEN_WORDS | WEAK_WORDS | {"api", "key", "code"}
_INFLECTED = tuple(BEGINNINGS)
_BEGINNINGS = ("api", *BEGINNINGS, *(word for word in STRONG_WORDS if len(word) > 5))
_FIRST_THREE = frozenset(beginning[:3] for beginning in _BEGINNINGS)
_FOREIGN = tuple(word for word in STRONG_WORDS if not word.isascii())


def _weigh_rows(words: tuple[str, ...], glued: str, rows: _Rows, strength: Strength) -> Strength:
    return max(
        (_weigh_end(strength, words[end:]) for end in rows.find(words, glued)), default=Strength.NONE
    )


def _weigh_word(words: tuple[str, ...], at: int) -> Strength:
    strength, rest = _strength_of_word(words[at])
    if strength is Strength.NONE or words[at].startswith(HARMLESS_WORDS):
        return Strength.NONE
    return _weigh_end(strength, words[at + 1 :] or (rest,))


def _weigh_end(strength: Strength, follows: Sequence[str]) -> Strength:
    """Weigh a secret's name by the words behind it: they may make it the name of something else."""
    last = follows[-1] if follows else ""
    if last in HARMLESS_ENDS or "result" in follows or last == "ids":
        return Strength.NONE
    if last == "id":
        # A secret's id is none, but a token's may be one.
        return Strength.WEAK if len(follows) == 1 and strength > Strength.WEAK else Strength.NONE
    return strength


def _strength_of_word(word: str) -> tuple[Strength, str]:
    """Return the strength of a word, and what stands behind the stem in a word without seams."""
    for words, strength in (
        (STRONG_WORDS, Strength.STRONG),
        (TOKEN_WORDS, Strength.TOKEN),
        (WEAK_WORDS, Strength.WEAK),
    ):
        if word in words:
            return strength, ""
    if word.startswith(_INFLECTED) or not word.isascii() and any(known in word for known in _FOREIGN):
        return Strength.TOKEN, ""  # not every language has blanks
    for stem in STEMS:
        _, found, rest = word.partition(stem)
        if found:
            if stem == "token":
                return Strength.WEAK if rest == "s" else Strength.TOKEN, rest
            return Strength.STRONG, rest
    return Strength.NONE, ""


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


_REST = r"[0-9a-z_.\[\]\- $@#%&*+'\x80-\xff]{0,40}"
_SEPARATOR = (
    r"""[\s"'\\\]`!?~*]{0,20}(?:[-+/]?[:=>|\t]|\xe2(?:[\x86\x87]\x92|\x80[\x93\x94])|</|%3[ad]|\\(?:u00|x)3[ad]|\xef\xbc\x9a|&(?:quot|gt|\#[0-9a-z]{1,5});|"""
    r"""["']\s{0,9}[,}\]/]|["']?\s{1,9}[a-z-]{1,20}\s?=|["'](?:\s{1,9}[a-z]|[a-z-]{1,20}=|;s:)|"""
    r"""[,;]?[\s"'\\]{0,20}value|[ +]?(?:eq|ne|in|like)[ +]\(?[\\"']|"""
    r"""(?:\([^()\r\n]{0,60}\)|is|was|are|provided|supplied|given)["']?[ \t]?[:=])"""
)
"""What stands behind a weak name where it names something."""
_NO_AUTHOR = r"(?:[^o]|o[^r]|or[^is_-]|ori[^t])"
"""Behind ``auth``, without ``author`` and ``authority``, which are everywhere."""


def trigger_patterns(names: Names) -> list[ScanPattern]:
    """Return patterns one of which is in every sensitive name, in lower case.

    They are only a first look: what they find is taken apart into words.
    """
    strong = {*STRONG_WORDS, *TOKEN_WORDS, *STEMS, *BEGINNINGS}
    strong = {word for word in strong if not any(other != word and other in word for other in strong)}
    rows = {
        row
        for row in (*STRONG_PHRASES, *CODE_PHRASES, *TOKEN_PHRASES, *WEAK_PHRASES, *names.more)
        if not strong & set(row)
    }
    patterns = [
        ScanPattern(re.escape(spelling), (spelling,), any_case=True)
        for word in strong
        for spelling in _spellings(word)
    ]
    for row in rows:
        pattern = "[^0-9a-z]{0,3}".join("".join(map(_in_any_case, word)) for word in row)
        # Only letters of ASCII are in lower case where it is looked for.
        hints, needs = ((row[0],), "") if row[0].isascii() else ((), NOT_ASCII)
        patterns.append(ScanPattern(pattern, hints, any_case=True, needs=needs))
    weak = {
        word for word in WEAK_WORDS if not any(other != word and other in word for other in WEAK_WORDS)
    }
    for word in weak:
        start = f"{word}{_NO_AUTHOR}" if word == "auth" else word
        patterns.append(ScanPattern(start, (word,), any_case=True, after=_REST + _SEPARATOR))
        if word == "auth":
            patterns.append(ScanPattern(word, (word,), any_case=True, after=_SEPARATOR))
    for word in WEAK_ENDS | WEAK_NAMES:
        start = "(?:^|[^0-9a-z_.-])" if word in WEAK_NAMES else ""
        patterns.append(ScanPattern(word, (word,), start, any_case=True, after=_SEPARATOR))
    return sorted(patterns, key=lambda one: (one.after, one.before, one))
