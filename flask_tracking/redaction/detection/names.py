"""Sensitive names: how strongly a name says that its value is a secret.

A name is split into words, whatever the case, ``-``, ``_``, brackets or camelCase, and the words
decide: ``user[newPassword]`` is ``user new password``. A new name is one more word or phrase in a table.
"""

from __future__ import annotations

import enum
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache

from ...runtime.cache import BoundedCache
from ..engines.base import ScanPattern


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
    MADE = 5
    """The value goes unless it is words: it is made by a machine, and a number may be short: ``cvv``."""
    STRONG = 6
    """The value goes unless it is a label or a sentence about the secret: ``password``."""
    OWN = 7
    """The app said so: the value goes whatever it is."""


TABLE = {
    Strength.STRONG: """
        password passwords passwd passwrd passphrase passcode passcodes pwd pswd pw pwhash dbpass
        passwort kennwort contraseña contrasena senha mdp wachtwoord lösenord losenord adgangskode
        kodeord passord salasana heslo hasło haslo jelszó jelszo parolă şifre sifre geslo lozinka
        slaptažodis parool пароль лозинка парола κωδικός סיסמה סיסמא گذرواژه پسورد 密码 密碼 口令 パスワード
        暗証番号 비밀번호 암호 पासवर्ड कूटशब्द รหัสผ่าน পাসওয়ার্ড கடவுச்சொல் գաղտնաբառ პაროლი fjalëkalimi
        lykilorð pasahitza contrasenya contrasinal wagwoord nenosiri unseal_key unseal_keys pswrd psw passw secret secrets
        privkey keyphrase mnemonic api_key api_keys apikey
        apikeys access_key access_keys secret_key priv_key encryption_key
        decryption_key signing_key master_key auth_key account_key shared_key shared_access_key
        storage_key ssh_key session_key consumer_key app_key application_key client_key service_key
        webhook_key stream_key subscription_key functions_key license_key hmac_key server_key mashape_key
        rapidapi_key primary_key_material connection_string connection_uri conn_str
        database_url database_uri db_url db_uri mongodb_uri mongo_url mongo_uri redis_url redis_uri
        broker_url amqp_url security_code security_answer verification_code recovery_code
        recovery_codes backup_code backup_codes scratch_code scratch_codes binding_code one_time_code one_time_password mfa_code fa_code
        challenge_code setup_key manual_entry_key transaction_key login_code auth_code
        tfa_code factor_code sms_code confirm_code
        confirmation_code verify_code reset_code access_code activation_code device_code user_code
        oob_code bypass_code revocation_code key_phrase web_hook_url data_base_url recovery_phrase seed_phrase authr_key
        aws_access_key_id access_key_id goog_signature amz_signature oauth_verifier code_verifier
        client_assertion saml_response webhook_url magic_link reset_link auth_header jfrog_art_api
        j_frog_art_api oidc_data client_principal request_uri encrypted_value user_hash access_sign
        phpsessid mot_de_passe kata_sandi kata_laluan mật_khẩu mat_khau codice_segreto
        parola_d_ordine dpop palabra_clave palavra_passe password_di_accesso κωδικός_πρόσβασης
        كلمة_المرور كلمة_السر رمز_عبور کلمه_عبور kata_sandi_anda mật_khẩu_của_bạn
        كلمة_المرور_الخاصة_بك رمز_عبور_شما құпия_сөз нууц_үг סיסמה_שלך הסיסמה_שלך הסיסמא_שלך
        id_token_hint login_hint_token rpcauth zaporka пароль_пользователя пароль_користувача
        api_schlüssel clé_api cle_api clé_d_api cle_d_api clave_api clave_de_api chave_api chave_de_api chiave_api
        ключ_api api_ключ api_キー api_金鑰 api_키 api_nyckel api_nøgle api_nøkkel klucz_api klíč_api api_klíč api_kulcs
        api_anahtarı api_avain api_sleutel cheie_api κλειδί_api مفتاح_api khóa_api kunci_api geheimer_schlüssel
        privater_schlüssel clé_secrète clé_privée clave_secreta clave_privada chave_secreta chave_privada
        chiave_segreta chiave_privata секретный_ключ закрытый_ключ приватный_ключ tajny_klucz gizli_anahtar
        geheime_sleutel jeton_d_accès jeton_d_acces token_d_accès token_de_acceso token_de_acesso
        token_di_accesso
    """,
    Strength.MADE: """
        credential credentials creds bearer csc ccv cvc cvc2 cvn cvv cvv2 dsn iban otp totp ssn jwt samlresponse
        csrf csrfmiddlewaretoken xsrf sca_authentication_data private_key private_keys key_material kontonummer cv_number card_number card_no cc_number
        cc_num credit_card account_number social_security_number card_code
    """,
    Strength.TOKEN: """
        token puk requirepass clave parola sandi geslu gesla geslom
        pairing_code setup_code wifi_psk wpa_psk clave_temporal storepass keypass pass_1 pass_2 losen wpnonce wp_nonce jeton
        токен 令牌 トークン 토큰 密钥 密鑰 秘密鍵 私钥 私鑰 비밀키 개인키 秘密 секрет geheimnis segredo segreto
        hemlighet hemmelighed tajemství geheim sekret salaisuus μυστικό bí_mật tajný_klíč snmp_community zugangscode freischaltcode aktivierungscode
        codice_di_accesso código_de_acceso código_de_acesso code_d_accès kod_dostępu код_доступа
    """,
    Strength.CODE: """
        door_code gate_code alarm_code unlock_code entry_code your_code authentication_code your_pin your_tan login_pin ihr_tan ihre_tan deine_tan this_code dein_code anmeldecode код_для_входа ihr_code votre_code su_código kode_verifikasi
        código_de_verificación code_de_vérification bestätigungscode код_подтверждения 验证码 驗證碼 認証コード
        인증번호 mã_xác_nhận mã_otp kod_pin code_pin use_code enter_code tu_código tu_code código_pin
        pin_kodu verify_code verification_code login_code security_code one_time_code confirmation_code
        codigo_de_verificacion codigo_verificacion código_de_verificação codigo_de_verificacao jouw_code
        doğrulama_kodunuz verifieringskod bekreftelseskode vahvistuskoodi mã_xác_minh geheimzahl
        ověřovací_kód ellenőrző_kód cod_de_verificare κωδικός_επαλήθευσης код_перевірки
        access_code sms_code otp_code passcode otp kod_weryfikacyjny doğrulama_kodu
        codice_di_verifica verificatiecode engangskode engångskod rəmzi_kod رمز_التحقق קוד_אימות
        सत्यापन_कोड รหัสยืนยัน code_de_sécurité código_de_acceso código_de_acesso código_de_seguridad
        código_de_segurança code_d_accès codice_di_accesso codice_di_sicurezza zugangscode sicherheitscode
    """,
    Strength.WEAK: """
        auth authorization authentication session sess sessid sid sig signature pass pin cookie
        tokens cookies nonce ticket zak assertion hmac psk crumb mfa plaintext
        recaptcha_response captcha_response turnstile_response websocket_protocol
        web_socket_protocol auth_user session_id session_ids authorization_code auth_req_id
        session_state opaque_data seed_hex secure_hash trello_webhook protection_bypass honeycomb_team ovh_consumer jit_config pfx two_factor key_value resource_key keys_base_64 push_key link_code
        cavv cryptogram authentication_value invite_code invitation_code join_code js_code kubeconfig login_hash
        reset_hash security_stamp signed_request challenge_response challenge_verifier access_license_number
        client_state identity_header otc twofa bewit xoauth2 pkcs12 passkey aspxauth devkey hdnts hdnea samlart wresult
    """,
}
"""Sensitive words, and phrases whose words are joined by ``_``, by their strength.

Words for a token mean other things, too: a part of a text, a key, a slogan. Before a short number a
phrase of the strength CODE is one in a message: ``your code is 367591``.
"""
WEAK_ENDS = {"key": Strength.VAGUE, "sign": Strength.WEAK, "pin": Strength.CODE, "pass": Strength.TOKEN}
"""Sensitive only as the last word of several: ``STRIPE_KEY``, and not ``key_count``."""
WEAK_NAMES = {"pin": Strength.CODE, "tan": Strength.CODE, "pass": Strength.WEAK} | dict.fromkeys(
    ["code", "invite", "magic", "seed", "wif", "verifier", "access", "refresh", "key1", "key2", "keys"],
    Strength.VAGUE,
)
"""Sensitive only as the whole name: any other code is one of an error, a country, a product."""
PARTS = frozenset(["id", "_id", "key", "code"])
"""Keys whose meaning depends on the name around them: ``{"session": {"id": X}}``, ``{"cache": {"key": X}}``."""
BEGINNINGS = """
    парол лозинк гасл κωδικ סיסמ salasan hasł hasl hesl jelsz lozink slaptažod parool parol senha şifrə
    wachtwoord adgangskod passord lösenord losenord kennwort kennwört passwört contraseñ şifre sifre fjalëkalim
    lykilorð pasahitz kodeord
    """.split()
"""A word is likely sensitive that begins like this: languages have cases, ``hasła``, ``salasanasi``."""
STEMS = """
    password passwd passphrase passwort secret token apikey accesskey secretkey privatekey
    encryptionkey sessionid sessid credential cardnumber connectionstring csrf xsrf pwd
    """.split()
"""A word that has no seams is sensitive with one of these in it, like ``phpsessid`` or ``dbpassword``."""
HARMLESS_WORDS = ("tokeni", "secretar", "passwordless", "secretsman", "webcredential")
"""Beginnings of words that have a sensitive one in them and mean something else: ``tokenizer``."""
HARMLESS_ENDS = frozenset(
    """
    accepted address age alerts certhash alg algorithm allow allowlist at attempts bin brand bucket change changed
    chars check claim class column company configured consent count country created css date days description
    digits domain duration email enabled end endpoint error event exception expiration expire expired expiring expiry
    field file fingerprint format found from header hint hook html ids iin in issuer java js kind label
    language last4 len length less level lifetime limit logprobs match max message method min minutes mode
    month name network order owner param parameter path placeholder policy prevention price png provider question rate
    refill remaining reminder required requirement reset result rs rules scanning second secure set size skew
    state status step strength supported symbol time timeout title total ts ttl type updated uri url usage
    used user valid validity verification version window year letters mixed numbers uncompromised
    """.split()
)
"""After a sensitive word these say something about the secret, and are not it: ``token_count``."""
HARMLESS_NAMES = frozenset(
    tuple(name.split("_"))
    for name in """
    access_control_allow_credentials public_key foreign_key
    application_server_key incident_key aggreg_key dedup_key object_key publishable_key site_key sort_key partition_key cache_key idempotency_key secret_santa
    gpg_key socket_key websocket_key verify_key verification_key vapid_key pin_sha_256 sync_token page_token next_token continuation_token pagination_token
    boarding_pass day_pass season_pass ski_pass bus_pass travel_pass test_pass first_pass last_pass band_pass
    """.split()
)
_HARMLESS_WITHIN = frozenset(["result", "endpoint"])
"""The same, with more words behind them: ``credentials_endpoint_draft``."""
_IDS_OF = frozenset(["credential", "credentials"])
"""The id of one of these is public, as passkeys have one; that of a session is not."""
_UPPER, _LOWER = "A-Z\u00c0-\u00d6\u00d8-\u00de", "a-z\u00df-\u00f6\u00f8-\u024f\u1e00-\u1eff"
"""Latin letters, those with accents too; letters of other alphabets make words of their own."""
VOWEL_SIGNS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff\u0e30-\u0e4e"
"""Vowels and accents that are written as characters of their own."""
_SEAMS = re.compile(
    rf"[{_UPPER}]+(?![{_LOWER}])|[{_UPPER}]?[{_LOWER}]+|[0-9]+|(?:[^\W\d_{_UPPER}{_LOWER}]|[{VOWEL_SIGNS}])+"
)
_LEFT_OUT = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\0]"
)
MAX_NAME = 256
MAX_PHRASE = 5
"""Words of the longest name with blanks in it."""


def count_names() -> int:
    """Return how many sensitive words and phrases are known."""
    return sum(map(len, (ROWS, WEAK_ENDS, WEAK_NAMES, STEMS)))


def split_words(name: str) -> tuple[str, ...]:
    """Take a name apart into lower-case words."""
    if not name.isascii():
        name = _LEFT_OUT.sub("", unicodedata.normalize("NFKC", name))
    return tuple(word.lower() for word in _SEAMS.findall(name.replace("\0", "")))


class _Phrases:
    """Rows of words with their strengths, to be found in names by their first word."""

    def __init__(self, rows: Iterable[tuple[tuple[str, ...], Strength]]) -> None:
        self._glued: dict[str, Strength] = {}
        self._by_first: dict[str, list[tuple[tuple[str, ...], Strength]]] = {}
        for row, strength in rows:
            glued = "".join(row)
            self._glued[glued] = max(strength, self.strength(glued))
            self._by_first.setdefault(row[0], []).append((row, strength))

    def strength(self, glued: str) -> Strength:
        """Return the strength of a name without its seams."""
        return self._glued.get(glued, Strength.NONE)

    def find(self, words: Sequence[str]) -> Iterator[tuple[int, Strength]]:
        """Return behind which words of a name a row ends; the name may have no seams."""
        yield len(words), self.strength("".join(words))
        for at, word in enumerate(words):
            for row, strength in self._by_first.get(word, ()):
                if tuple(words[at : at + len(row)]) == row:
                    yield at + len(row), strength


ROWS = [
    (tuple(name.split("_")), strength) for strength, names in TABLE.items() for name in names.split()
]
_PHRASES = _Phrases(ROWS)
_CODES = _Phrases(row for row in ROWS if row[1] is Strength.CODE)
STRONG_WORDS, TOKEN_WORDS, WEAK_WORDS = (
    frozenset(row[0] for row, of in ROWS if len(row) == 1 and of in strengths)
    for strengths in ((Strength.STRONG, Strength.MADE), (Strength.TOKEN,), (Strength.WEAK,))
)


class Names:
    """Weighs names, with those that the settings add and free."""

    def __init__(self, more: Iterable[str] = (), allowed: Iterable[str] = ()) -> None:
        """Take the names of ``TRACKING_REDACT_NAMES`` and ``TRACKING_REDACT_ALLOW``."""
        self.more = tuple(words for words in map(split_words, more) if words)
        self.are_ascii = all(word.isascii() for words in self.more for word in words)
        """Whether no name that was added has a letter that JSON escapes."""
        self._more = _Phrases((words, Strength.OWN) for words in self.more)
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
        words = split_words(key)
        last = words[-1] if words else ""
        return last in ("id", "sid") or _is_harmless_end(last) or _is_harmless(words)

    def strength_of_ending(self, words: Sequence[str]) -> Strength:
        """Return the strength of the last word of a text, or of the phrase that its last words are."""
        words = words[-MAX_PHRASE:]
        strengths = [self._strength_of_phrase(words[at:]) for at in range(len(words) - 1)]
        if any(self.is_code((first, words[-1])) for first in words[:-2]):
            strengths.append(Strength.CODE)  # ``your Shop code``
        return max([*strengths, *map(self.strength, words[-1:])], default=Strength.NONE)

    def _strength_of_phrase(self, words: Sequence[str]) -> Strength:
        glued = "".join(split_words(" ".join(words)))
        if glued in self._allowed:
            return Strength.NONE
        return max(self._more.strength(glued), _PHRASES.strength(glued))

    def is_code(self, words: Sequence[str]) -> bool:
        """Tell whether a short number behind these words is a code to log in: ``your code``."""
        return _CODES.strength("".join(split_words(" ".join(words)))) > Strength.NONE

    def _decide(self, name: str) -> Strength:
        words = split_words(name)
        if "".join(words) in self._allowed:
            return Strength.NONE
        if any(strength for _, strength in self._more.find(words)):
            return Strength.OWN
        if not words or "/" in name or _is_harmless(words):
            return Strength.NONE  # a path is not a name
        whole = "".join(words[words[0] == "x" :])  # X-Pin
        last = WEAK_NAMES.get(whole) or WEAK_ENDS.get(words[-1]) or Strength.NONE
        strengths = [_weigh_end(strength, words, end) for end, strength in _PHRASES.find(words)]
        strengths += [_weigh_stem(words, at) for at in range(len(words))]
        return max(last, *strengths)


def is_known_phrase(words: Sequence[str]) -> bool:
    """Tell whether these words are a name as the tables have it: ``api_key``."""
    return _PHRASES.strength("".join(words)) > Strength.NONE


def is_mentioned(words: Sequence[str]) -> bool:
    """Tell whether a text names a secret, like ``Confirm password`` and ``Clé d'API``."""
    return any(map(_is_mention, words)) or any(strength for _, strength in _PHRASES.find(words))


def _is_mention(word: str) -> bool:
    if word in ("api", "key", "code") or word.startswith(_BEGINNINGS):
        return True
    return not word.isascii() and len(word) >= 4 and any(known in word for known in _FOREIGN)


_WORDS = STRONG_WORDS | TOKEN_WORDS | WEAK_WORDS
_INFLECTED = tuple(BEGINNINGS)
_MENTIONS = "secrèt secret segret hemmelig hemlig geheim tajn секрет gizli nøgle nyckel nøkkel".split()
"""In labels a word that begins like this means a secret, or a key."""
_BEGINNINGS = ("api", *BEGINNINGS, *_MENTIONS, *(word for word in STRONG_WORDS if len(word) > 5))
_FOREIGN = tuple(word for word in STRONG_WORDS | TOKEN_WORDS if not word.isascii())


def _is_harmless_end(word: str) -> bool:
    """Tell whether a word, or the one of which it is the plural, says something about a secret."""
    singular = f"{word[:-3]}y" if word.endswith("ies") else word.removesuffix("s")
    return word in HARMLESS_ENDS or singular in HARMLESS_ENDS


def _is_harmless(words: tuple[str, ...]) -> bool:
    ends = words[-2:] if words[-1:] in (("key",), ("token",), ("pass",)) else ()
    return words in HARMLESS_NAMES or ends in HARMLESS_NAMES


def _weigh_end(strength: Strength, words: Sequence[str], end: int) -> Strength:
    """Weigh a secret's name, which ends at `end`, by the words behind it: they may make it another."""
    follows = words[end:]
    if not follows:
        return strength
    last, two = follows[-1].replace("uuid", "id"), "".join(follows[-2:])  # last_4 is one word
    if _is_harmless_end(last) or _is_harmless_end(two) or not _HARMLESS_WITHIN.isdisjoint(follows):
        return Strength.NONE
    if last in ("id", "sid"):
        # The id of a secret is harmless, but the id of a token may be one.
        is_id = len(follows) == 1 and strength > Strength.WEAK and words[end - 1] not in _IDS_OF
        return Strength.WEAK if is_id else Strength.NONE
    return strength


def _weigh_stem(words: tuple[str, ...], at: int) -> Strength:
    """Weigh a word that begins like a sensitive one, or has one in it: ``hasła``, ``dbpassword``."""
    word = words[at]
    if word in _WORDS or word.startswith(HARMLESS_WORDS):
        return Strength.NONE
    if word.startswith(_INFLECTED) or not word.isascii() and any(known in word for known in _FOREIGN):
        return _weigh_end(Strength.TOKEN, words, at + 1)  # not every language has blanks
    for stem in STEMS:
        _, found, rest = word.partition(stem)
        if found:
            strength = Strength.TOKEN if stem == "token" else Strength.STRONG
            return _weigh_end(strength, words if words[at + 1 :] else (*words, rest), at + 1)
    return Strength.NONE


def _spellings(word: str) -> list[str]:
    """Return how a word may stand in a text whose letters of ASCII are in lower case, or in JSON."""
    if word.isascii():
        return [word]
    cases = {word, word.capitalize(), word.upper()}
    written = [*cases, *(json.dumps(one)[1:-1] for one in cases)]
    return sorted({one.encode().lower().decode() for one in written})


def _make_pattern(row: tuple[str, ...]) -> ScanPattern:
    ways = [_spellings(word) for word in row]
    words = ["|".join(map(re.escape, one)) for one in ways]
    words = [f"(?:{one})" if "|" in one else one for one in words]
    return ScanPattern("[^0-9a-z]{0,3}".join(words), tuple(ways[0]), any_case=True)


_REST = r"[0-9a-z_.\[\]\- $@#%&*+'\x80-\xff]{0,40}"
_SEPARATOR = (
    r"""[\s"'\\\]`!?~*]{0,20}(?:[-+/]?[:=>|\t]|\xe2(?:[\x86\x87]\x92|\x80[\x93\x94])|</|%3[ad]|\\(?:u00|x)3[ad]|\xef\xbc\x9a|&(?:quot|gt|\#[0-9a-z]{1,5});|"""
    r"""["']\s{0,9}[,}\]/]|["']?\s{1,9}[a-z-]{1,20}\s?=|["'](?:\s{1,9}[a-z]|[a-z-]{1,20}=|;s:)|"""
    r"""[,;]?[\s"'\\]{0,20}value|[ +]?(?:eq|ne|in|like)[ +]\(?[\\"']|"""
    r"""(?:\([^()\r\n]{0,60}\)|is|was|are|provided|supplied|given)["']?[ \t]?[:=])"""
)
"""Behind a weak name that names a value."""
_NO_AUTHOR = r"(?:[^o]|o[^r]|or[^is_-]|ori[^t])"
"""Behind ``auth``, without ``author`` and ``authority``, which are everywhere."""


@lru_cache(maxsize=8)
def trigger_patterns(more: tuple[tuple[str, ...], ...]) -> tuple[ScanPattern, ...]:
    """Return patterns one of which is in every sensitive name, in lower case; `more` are `Names.more`.

    They are only a first look: names are then taken apart into words.
    """
    strong = _shortest({*STRONG_WORDS, *TOKEN_WORDS, *STEMS, *BEGINNINGS})
    known = [row for row, _ in ROWS if len(row) > 1 or row[0] not in WEAK_WORDS]
    rows = {(word,) for word in strong} | {row for row in (*known, *more) if strong.isdisjoint(row)}
    patterns = [_make_pattern(row) for row in rows]
    for word in _shortest(WEAK_WORDS):
        start = f"{word}{_NO_AUTHOR}" if word == "auth" else word
        patterns.append(ScanPattern(start, (word,), any_case=True, after=_REST + _SEPARATOR))
    for word in {*WEAK_ENDS, *WEAK_NAMES} - WEAK_WORDS | {"auth"}:
        start = "(?:^|[^0-9a-z_.-])" if word in WEAK_NAMES else ""
        patterns.append(ScanPattern(word, (word,), start, any_case=True, after=_SEPARATOR))
    return tuple(sorted(patterns, key=lambda one: (one.after, one.before, one)))


def _shortest(words: Collection[str]) -> set[str]:
    """Return the words that have none of the others in them."""
    return {word for word in words if not any(other != word and other in word for other in words)}
