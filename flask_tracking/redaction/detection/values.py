"""Values under sensitive names: whether one could be a secret at all.

The meaning of a name depends on the value: ``session: "Morning track"`` is a talk,
``session: "eyJ…"`` a login. Validation errors, schemas and translations name secrets without one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..markers import SCHEME, is_marked
from .names import (
    STRONG_WORDS,
    TOKEN_WORDS,
    VOWEL_SIGNS,
    Names,
    Strength,
    is_known_phrase,
    is_mentioned,
)

MIN_OPAQUE = 16
_NOTHING = {"", *"true false null none nil undefined nan yes no on off * ? %s ?0 ?1 [] {}".split()}
_LABELS = _NOTHING.union(
    STRONG_WORDS,
    TOKEN_WORDS,
    """
    read write required optional enabled disabled string number integer boolean object array hidden text
    missing preferred invalid expired valid incorrect wrong unknown default unset any all empty basic
    bearer digest oauth2 apikey openidconnect http https header query body email auto secretstr str
    bytes self list create update delete manage reset change revoke rotate verify approved include omit
    inherit ok done owner maintainer editor contributor member viewer show hide copy paste edit generate
    regenerate reveal get watch patch changed added removed never csrftoken current-password
    new-password
    """.split(),
)
"""Words that say something about a secret, are its name, or stand for none."""
_OPAQUE = re.compile(
    r"(?:[0-9A-Za-z_.~+/=|%:$@!*-]|,(?=\w{1,8}=)|(?<=^v[0-9]),)" + rf"{{{MIN_OPAQUE},}}"
)
"""One run, or ``t=1700000000,v1=X``."""
_PLAIN = re.compile(rf"(?!XXXX)(?=[A-Za-z_-]*[0-9])(?=[0-9_-]*[A-Za-z])[0-9A-Za-z_-]{{{MIN_OPAQUE},}}")
"""Most secrets: with digits, and so no label, sentence or placeholder."""
_SEED_PHRASE = re.compile("(?:[a-z]{3,8} ){11}(?:(?:[a-z]{3,8} ){3}){0,4}[a-z]{3,8}")  # of BIP 39
_NO_TOKEN = re.compile(r"#[0-9A-Fa-f]{3,8}|[0-9]{1,5}")
"""A colour or a short number."""
_LENGTH = re.compile(
    r"[0-9][ \u00a0]?(?=[^\W\d_])(?:char|digit|letter|symbol|zeichen|ziffer|car[aá]c|caratter|cifr|"
    r"d[ií]gito|tekens|tecken|tegn|merk|znak|симв|знак|букв|karakter|ký tự|文字|字符|个字|個字|位|자|"
    r"أحرف|חרפים|תווים|अक्षर|ตัวอักษร)",
    re.I,
)
"""``mindestens 8 Zeichen``: how long a secret has to be."""
_STEP = "(?:/(?-i:[A-Z]?[a-z_-]+|[A-Z_]+)|/v?[0-9]{1,8})"
"""Of a path that may hold no secret."""
_PLACEHOLDER = re.compile(
    r"\$?\{{1,3}[a-z_. ]{1,60}(?::?[-?])?\}{1,3}|\$[0-9]{1,3}|<[a-z_ -]{1,40}>|%\([a-z_]{1,40}\)s|"
    r"(?-i:\$[A-Z_][0-9A-Z_]*)|(?:[a-z]+ )?end(?:s|ing)(?: in| with)? [0-9]{2,4}|"
    r"[*•x]{3,}[ *•x-]*[0-9]{1,4}|"
    rf"(?:https?://[\w.-]+(?::[0-9]{{1,5}})?{_STEP}*|{_STEP}+)(?:/|\.[a-z]{{2,4}})?|arn:aws[\w:/.*-]+|"
    r"your[ _-][a-z_ -]{1,40}|\S{0,60}\[[^]\s]{1,60}\](?:[+*]|\{[0-9,]+\})\S*|\^\S{0,60}\[\S{0,60}\$|"
    r"[a-z_]+\([0-9]*\)|[a-z_-]{1,10}\.{3}[0-9a-z]{1,4}|(?:[a-z_]+(?::[0-9a-z,]+)?\|)+[a-z_]+(?::[0-9a-z,]+)?|"
    r"\+[0-9]{8,15}|[~^<>=]{0,2}[0-9]+\.[0-9x*]+(?:\.[0-9x*]+)?(?:-[a-z]+[.0-9]*)?",
    re.I,
)
"""``${TOKEN}``, ``$1``, ``ends in 1111``, ``***11``, ``/a/reset``, ``text|min:8``, ``now()``,
``sk-...1111``, ``+49…``."""
_IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SENTENCE_END = re.compile("[.!?…\u061f\u06d4\u0964\u104b\u17d4]$")
_ORIGIN = re.compile("https?://[^/]*", re.I)
_HARMLESS_RUN = re.compile(
    r"""
    [0-9]{4}-[0-9]{2}-[0-9]{2} (?:[T\x20][0-9:.]+(?:Z|[+-][0-9:]+)?)? \Z  # a date
    | (?:[a-z]{2,12}_1[0-9A-Za-z]{13,23} | cus_\w+ | pk_(?:live|test)_\w+) \Z # a typed id
    | (?!SK) [A-Z]{2} [0-9a-f]{32} \Z                                    # the same of Twilio, no key
    | sha(?:256|384|512)-[0-9A-Za-z+/]{43,}={0,2} \Z                     # the digest of a package
    | (?:.*/)? [a-z]{4,} (?:/|\Z) | .*:// | /(?!.*=\Z) | arn:aws         # a path, read for itself
    """,
    re.X,
)
_NOTICE = re.compile(
    "必須|必填|必需|不能为空|不能為空|错误|錯誤|无效|無効|無效|过期|期限切れ|필수|잘못|올바르지|만료|अनिवार्य|अमान्य|"
    "مطلوب|غير صالح|נדרש|שגוי|กรุณา|ไม่ถูกต้อง"
)
"""``必須項目です``: of messages about a secret in languages without blanks; not ``密碼``."""
_REFERENCE = re.compile(r"(?<=\s)(?:#[0-9]+\b|\{[0-9]\})")
"""``see #12``, ``at least {0} characters``."""
_SLUG = re.compile(r"[A-Za-z]*[0-9]{0,4}(?:[-_./:][A-Za-z]*[0-9]{0,4})+")
"""``errors.tokenExpired2``, ``photo-12``."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)  # not one in braces
_DIGEST = re.compile(
    r"(?<=[-_:/.])(?:[0-9a-f]{7,12}|[0-9a-f]{32,64})\Z"
)  # views/‹digest›; not k‹digest›
_NAME_PARTS = re.compile("[A-Za-z]+|[0-9]+")
_NAME_WORD = re.compile("(?=.{0,3}[aeiouyAEIOUY])(?:[A-Z]?[a-z]{2,}(?:[A-Z][a-z]{2,})*|[A-Z]{3,})")
"""``summer``, ``checkoutPage``, ``SUMMER``; not ``aXbYc``."""
MAX_ID = 200
_MODES = frozenset("live test prod".split())
"""Words before a digest that tell the environment of a token."""
_EXPRESSION = re.compile(
    r"""\$?[A-Za-z_]+(?:(?:\.|->|::)[A-Za-z_]+[0-9]?|\[["']?[A-Za-z_]+["']?\])+|\$[A-Za-z_]+"""
)
"""``req.body.password``, ``$password``."""
_COOKIES = re.compile(r"[\w.-]{1,40}=[^\s;=]{4,}(?:;\s?[\w.-]{1,40}(?:=[^\s;]*)?)*")
"""``session=X; theme=dark``."""
_CODE = re.compile(r"[0-9]{4,8}|[0-9]{3}[ -][0-9]{3}")  # 367591, 367 591; not 367-59
_MIXED = re.compile(r"[^\s:/#]{6,64}")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")  # d'Ada; not 7up
_JOINTS = re.compile(rf"(?:(?![{VOWEL_SIGNS}])[\W_])+")  # at a blank, not in a word of Hindi
_CONSONANTS = re.compile(r"[b-df-hj-np-tv-xz]{5}", re.I)  # qkxzt; not backs
_VOWEL = re.compile(r"[AEIOU]")
_FUNCTION_WORDS = frozenset(
    """
    a an and are at be been but by can cannot contain could do does don't for from has have in is
    how if isn't it its may more must never none not of on only or our please see should than that the
    their this to too use was we what when where who why will with you your
    das dem den der die ein eine für ist mit muss nicht sein und wird au avec ce doit est et la le les
    ne pas pour un une votre debe del el en es está los para por su che deve di il non per può è é do em
    não ser sua um uma een het moet niet van jest nie się в и на не bir için är inte je není har være må
    """.split()
)
_REQUIREMENTS = frozenset(
    """
    at blank cannot characters choose contain didn't doesn't enter expired expires field forgot
    incorrect invalid least letters match matches minimum missing must needs once please required reset
    rotated should too wrong erforderlich leer ungültig abgelaufen kurz falsch mindestens benötigt
    ausgefüllt obligatoire vide invalide expiré court requis valide obligatorio obligatoria obrigatório
    obrigatória obbligatorio obbligatoria vacío vacía vazio vuoto vuota inválido inválida requerido
    corto corta curto curta branco expirado scaduto valida valido verplicht leeg ongeldig verlopen
    wymagane wymagany puste nieprawidłowe zorunlu geçersiz boş krävs ogiltig tomt påkrævet påkrevd
    pakollinen povinné обязательное обязательно неверный недействителен пустым нужно обов'язкове
    """.split()
)
"""Words of messages about a secret."""
MAX_WORD, MAX_ACRONYM = 24, 6

VALUE_KEYS = frozenset(
    "value values val content default input raw plain current new old text data".split()
)
"""Keys of values whose name stands elsewhere."""
SCHEMA_KEYS = frozenset(
    """
    example examples enum pattern minlength maxlength summary detail details msg help reason code loc
    href docs hash
    """.split()
)
"""Keys of text about a secret in schemas, errors and configurations, beside harmless ends of names."""


class Around(NamedTuple):
    """The nearest name around a value."""

    name: str = ""
    strength: Strength = Strength.NONE
    is_far: bool = False
    """Whether the strength is that of a name further out: the value's own key says nothing."""

    def is_secret(self, value: bytes, *, is_loose: bool = False) -> bool:
        """Tell whether a decoded value under this name is taken for a secret."""
        judge = is_inherited_secret if self.is_far else is_secret
        return judge(self.strength, value, is_loose=is_loose)


def weigh_key(names: Names, key: str, around: Around) -> Around:
    """Weigh the key of a value in a structure that stands under another name."""
    own, lowered = names.strength_within(around.name, key), key.lower()
    if lowered == "code" and around.strength > Strength.NONE:
        return Around(key, Strength.CODE)
    if own > Strength.NONE or around.strength <= Strength.VAGUE:
        return Around(key, own)
    if lowered == "result":  # of a generated password, or of a check: then it is a word
        return Around(key, min(around.strength, Strength.TOKEN))
    if lowered in SCHEMA_KEYS or names.is_about(key):
        return Around(key)
    return Around(key, around.strength, lowered not in VALUE_KEYS)


def is_secret(
    strength: Strength, value: bytes, *, is_loose: bool = False, is_prose: bool = False
) -> bool:
    """Tell whether a decoded value under a name of this strength is taken for a secret.

    A text is more likely about the secret where it is loose: in a list. In prose, which is any text, a
    sentence may go on behind the name.
    """
    text = value.decode("utf-8", "replace").strip()
    if strength >= Strength.TOKEN and not is_loose and _PLAIN.fullmatch(text):
        return _LENGTH.search(text) is None or not is_about(text, is_loose=False, is_prose=is_prose)
    lowered = text.lower()
    if strength is Strength.NONE or lowered in _NOTHING or is_marked(value):
        return False
    if strength is Strength.OWN or _SEED_PHRASE.fullmatch(text):
        return True
    if scheme := SCHEME.match(value.strip()):
        rest = scheme.string[scheme.end() :]
        return is_secret(max(strength, Strength.TOKEN), rest, is_loose=is_loose, is_prose=is_prose)
    if strength is Strength.VAGUE:
        return is_opaque(text) and not _names_something(text)
    if strength is Strength.WEAK or strength is Strength.CODE:
        return is_opaque(text) or (strength is Strength.CODE and _CODE.fullmatch(text) is not None)
    if not is_prose and any(_PLAIN.fullmatch(word.strip(".,:;\"'")) for word in text.split()):
        return True  # a sentence that quotes one: ``x7Kq2mW9pLz4Tb8v is not a valid token``
    if _is_label(lowered.strip("\"'`.:;()")) or _is_placeholder(text):
        return False
    if strength <= Strength.MADE:
        is_about_it = is_about(text, is_loose=is_loose, is_prose=True)  # a token has no blanks
        is_short = strength is Strength.TOKEN and _NO_TOKEN.fullmatch(text)
        return not (is_short or is_wordy(text) or is_about_it)
    return not is_about(text, is_loose=is_loose, is_prose=is_prose)


def is_inherited_secret(strength: Strength, value: bytes, *, is_loose: bool = False) -> bool:
    """Tell whether a value in a structure under such a name is a secret: its own key says nothing."""
    if strength <= Strength.WEAK or strength is Strength.OWN:
        return is_secret(Strength.VAGUE if strength is Strength.WEAK else strength, value)
    text = value.decode("utf-8", "replace").strip()
    if _is_placeholder(text):
        return False
    is_mixed = strength >= Strength.MADE and _MIXED.fullmatch(text) and not _LENGTH.search(text)
    return is_opaque(text) or (
        bool(is_mixed) and any(map(str.isdigit, text)) and any(map(str.isalpha, text))
    )


def is_opaque(text: str) -> bool:
    """Tell whether a text is one run of at least 16 characters with letters and digits."""
    text = text.strip("\"'")
    if _COOKIES.fullmatch(text):
        return any(has_random_letters(one) for one in re.split("[;=]", text) if len(one) > 7)
    parts = text.split(", ")
    if len(parts) > 1 and any(map(is_opaque, parts)):
        return True
    if _OPAQUE.fullmatch(text) is None or _HARMLESS_RUN.match(text):
        return False
    is_slug = _SLUG.fullmatch(text) is not None and is_wordy(re.sub("[0-9]", "", text))
    return has_random_letters(text) and not is_slug


def _names_something(text: str) -> bool:
    """Tell ids from secrets: a UUID, ``SUMMER2024SALE50``, ``views/products/1-`` and a digest."""
    if len(text) > MAX_ID:
        return False
    if _UUID.fullmatch(text):
        return True
    parts = _NAME_PARTS.findall(_DIGEST.sub("", text))
    words = [part for part in parts if part.isalpha()]
    is_of_words = bool(words) and len(parts) - len(words) <= 3
    is_of_words = is_of_words and all(_NAME_WORD.fullmatch(word) and _is_word(word) for word in words)
    lowered = [word.lower() for word in words]
    return is_of_words and _MODES.isdisjoint(lowered) and not is_mentioned(lowered)


def _is_label(text: str) -> bool:
    """Tell whether a text is about a secret: ``required``, ``secreto``, ``api_key``."""
    is_inflected = text.isalpha() and any(
        text.startswith(word) and len(text) <= len(word) + 2 for word in STRONG_WORDS if len(word) > 5
    )
    is_nothing = not any(map(str.isalnum, text))  # ``••••••••``, ``[^&]+``
    return is_nothing or text in _LABELS or is_inflected or is_known_phrase(_JOINTS.split(text))


def _is_placeholder(text: str) -> bool:
    """Recognise a placeholder: ``${TOKEN}``, ``/password/reset``, ``req.body.password``."""
    if _PLACEHOLDER.fullmatch(text):
        path = _ORIGIN.sub("", text)
        return "/" not in path or is_wordy(re.sub("[0-9]", "", path))
    is_expression = _EXPRESSION.fullmatch(text.rstrip(";,")) is not None
    return is_expression and is_mentioned([word.lower() for word in _JOINTS.split(text) if word])


def has_random_letters(text: str) -> bool:
    """Tell letters and digits, or as many capitals as in random letters, from words."""
    letters, capitals = sum(map(str.isalpha, text)), sum(map(str.isupper, text))
    if any(map(str.isdigit, text)):
        return letters > 0
    return letters > capitals >= letters / 3 and not is_wordy(text)  # aXbYcZ; not CFBundleURLTypes


def is_wordy(text: str) -> bool:
    """Tell whether a text is made of words: no digits, and nothing that cannot be pronounced."""
    if any(map(str.isdigit, text)):
        return False
    words = _WORD.findall(text)
    if not words:
        return len(text) < 8
    return all(map(_is_word, words))


def _is_word(word: str) -> bool:
    if not word.isascii():
        return True
    if word.isupper():
        is_random = len(word) > MAX_ACRONYM and len(_VOWEL.findall(word)) < len(word) / 4
    else:
        is_random = len(word) > 9 and sum(map(str.isupper, word)) > len(word) * 0.45
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+", word)
    is_short = len(word) <= MAX_WORD and len(parts) <= 3 + (len(word) > 12)
    return is_short and not is_random and not any(map(_CONSONANTS.search, parts))


def is_about(text: str, *, is_loose: bool, is_prose: bool) -> bool:
    """Tell whether a text says something about a secret, as messages, schemas and translations do."""
    has_blanks, has_digits = re.search(r"\s", text) is not None, any(map(str.isdigit, text))
    if _IDEOGRAPHS.search(text) and not has_digits:
        return True  # a field for a password takes no input method
    is_length = _LENGTH.search(text) is not None
    if has_digits and not (is_loose or has_blanks or is_length):
        return False  # one run with digits says nothing
    words = [word.lower() for word in _JOINTS.split(text) if word]
    is_named, is_ascii = is_mentioned(words), text.isascii()
    if is_ascii and not (is_loose or is_prose or is_named) and _REQUIREMENTS.isdisjoint(words):
        return False  # ``I love my dog`` is a passphrase
    if is_length or _NOTICE.search(text) or is_loose and is_named and _SLUG.fullmatch(text):
        return True
    has_blanks = len(words) > 1 and has_blanks
    ends = _SENTENCE_END.search(text) is not None
    known = sum(word in _FUNCTION_WORDS or word in _REQUIREMENTS for word in words)
    is_sentence = (
        len(words) > 4 and text[0].isupper() and text.endswith("."),
        has_blanks and ends and not has_digits and text.upper() == text.lower(),  # without capitals
        has_blanks and len(words) > 2 and (known > 1 or known and ends),
    )
    is_phrase = (
        has_blanks and (ends or known or is_loose and len(words) > 2),
        (has_blanks or not is_ascii) and (is_named or len(text) < 3),
    )
    return any(is_sentence) or any(is_phrase) and is_wordy(_REFERENCE.sub("", text))
