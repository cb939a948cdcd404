"""The formats that redaction promises to find wherever they stand, in the order of the documentation."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Callable

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer

from .shapes import BASE62, BASE64, DIGITS, HEX, UPPER, URL64, Maker, Secret, draw, read_table

LISTED = read_table("""
aws-key-id          AK|IA            {216}                       GL aws-access-token
aws-bedrock         AB|SK            {b109}                      GL aws-amazon-bedrock-api-key-long-lived
google-api-key      AI|za            {w35}                       GL gcp-api-key
google-oauth        ya|29.           {w60}                       TH googleoauth2
azure-storage       Account|Key=     {b86}==                     DS azure_storage_key
azure-ad            -                {a3}7Q~{w31}                GL azure-ad-client-secret
github-classic      gh|p_            {a36}                       GL github-pat
github-oauth        gh|o_            {a36}                       GL github-oauth
github-app          gh|s_            {a36}                       GL github-app-token
github-app-long     gh|s_            {w260}.{w130}.{w128}        SL secretlint issue 1518
github-fine         github|_pat_     {a22}_{a59}                 GL github-fine-grained-pat
gitlab-pat          gl|pat-          {w20}                       GL gitlab-pat
gitlab-trigger      gl|ptt-          {h40}                       GL gitlab-ptt
slack-bot           xox|b-           {d12}-{d12}-{a24}           GL slack-bot-token
slack-user          xox|p-           {d11}-{d12}-{d12}-{h32}     GL slack-user-token
slack-app           xa|pp-           1-{u11}-{d13}-{h64}         GL slack-app-token
slack-webhook       https://hooks.|slack.com/services/  {u9}/{u11}/{a24}         GL slack-webhook-url
discord-webhook     https://discord|.com/api/webhooks/  {d18}/{w68}              TH discordwebhook
teams-webhook       https://acme.webhook|.office.com/webhookb2/  {h8}-{h4}-{h4}-{h4}-{h12}@{h8}-{h4}-{h4}-{h4}-{h12}/In/{h32}/{h8}-{h4}-{h4}-{h4}-{h12}  GL microsoft-teams-webhook
discord-bot         -                M{a23}.X{w5}.{w38}          TH discordbottoken
telegram            -                {d10}:AA{w33}               GL telegram-bot-api-token
stripe-live         sk|_live_        {a24}                       GL stripe-access-token
stripe-restricted   rk|_test_        {a99}                       GL stripe-access-token
openai              s|k-             {a20}T3Blbk|FJ{a20}         GL openai-api-key
openai-project      sk-|proj-        {w74}T3Blbk|FJ{w74}         GL openai-api-key
anthropic           sk-|ant-api03-   {w93}AA                     GL anthropic-api-key
anthropic-admin     sk-|ant-admin01- {w93}AA                     GL anthropic-admin-api-key
huggingface         h|f_             {L34}                       GL huggingface-access-token
npm                 np|m_            {a36}                       GL npm-access-token
pypi                pypi-|AgEIcHlwaS5vcmc  {w60}                 GL pypi-upload-token
sendgrid            S|G.             {w22}.{w43}                 GL sendgrid-api-token
brevo               xkey|sib-        {h64}-{a16}                 GL sendinblue-api-token
twilio              S|K              {h32}                       GL twilio-api-key
mailgun             ke|y-            {h32}                       GL mailgun-private-api-token
shopify             shp|at_          {h32}                       GL shopify-access-token
vault-service       hv|s.            {w95}                       GL vault-service-token
databricks          da|pi            {h32}                       GL databricks-api-token
digitalocean        dop|_v1_         {h64}                       GL digitalocean-pat
grafana-service     gl|sa_           {a32}_{h8}                  GL grafana-service-account-token
grafana-cloud       gl|c_            {b44}                       GL grafana-cloud-api-token
sentry-user         sntry|u_         {h64}                       GL sentry-user-token
sentry-org          sntry|s_eyJ      {b120}_{b43}                GL sentry-org-token
atlassian           AT|ATT3          {w186}                      GL atlassian-api-token
heroku              HRKU|-AA         {w58}                       GL heroku-api-key-v2
linear              lin|_api_        {a40}                       GL linear-api-key
notion              nt|n_            {d11}{a35}                  GL notion-api-token
postman             PM|AK-           {h24}-{h34}                 GL postman-api-token
pulumi              pu|l-            {h40}                       GL pulumi-api-token
planetscale-pw      pscale|_pw_      {w43}                       GL planetscale-password
planetscale-token   pscale|_tkn_     {w43}                       GL planetscale-api-token
supabase            sb|p_            {h40}                       TH supabasetoken
fly-macaroon        fm|2_            {b120}                      GL flyio-access-token
doppler             dp|.pt.          {a43}                       GL doppler-api-token
onepassword         ops|_eyJ         {b250}                      GL 1password-service-account-token
age                 AGE-SECRET|-KEY-1  {u58}                     GL age-secret-key
bcrypt              $2|b$            12${a53}                    Werkzeug's and passlib's pages
argon2              $ar|gon2id$v=19$m=65536,t=3,p=4$  {b22}${b43}              argon2-cffi
scrypt              scr|ypt:         32768:8:1${a16}${h128}      werkzeug.security
pbkdf2              pbk|df2:sha256:  600000${a16}${h64}          werkzeug.security
basic               Basic|           {b40}                       RL bearer and basic
bearer              Bearer|          {w40}                       RL bearer and basic
""")  # fmt: skip


def _pick(alphabet: str, count: int, random_: random.Random) -> str:
    return "".join(random_.choice(alphabet) for _ in range(count))


def _encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _jwt(random_: random.Random) -> str:
    claims = {"sub": _pick(BASE62, 12, random_), "iat": 1_760_000_000}
    return f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}.{_pick(URL64, 43, random_)}"


def _unsigned_jwt(random_: random.Random) -> str:
    return f"{_encode({'alg': 'none'})}.{_encode({'sub': _pick(BASE62, 20, random_)})}."


def _jwt_in_base64(random_: random.Random) -> str:
    return base64.b64encode(_jwt(random_).encode()).decode()


def _flask_session(random_: random.Random) -> str:
    app = Flask("shop")
    app.secret_key = _pick(BASE62, 24, random_)
    session = {"user": _pick(BASE62, 20, random_), "cart": [1, 2] * random_.choice([1, 60])}
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    return str(serializer.dumps(session))


def _csrf(random_: random.Random) -> str:
    digest = hashlib.sha256(_pick(BASE62, 20, random_).encode()).hexdigest()[:40]
    return str(URLSafeTimedSerializer(_pick(BASE62, 20, random_), salt="wtf-csrf-token").dumps(digest))


def _remember(random_: random.Random) -> str:
    return f"{random_.randint(1, 99_999)}|{_pick(HEX, 128, random_)}"


def _pem(random_: random.Random) -> str:
    lines = "\n".join(_pick(BASE64, 64, random_) for _ in range(8))
    dashes = "-" * 5
    return (
        f"{dashes}BEGIN RSA PRIV"
        + f"ATE KEY{dashes}\n{lines}\n{dashes}END RSA PRIV"
        + f"ATE KEY{dashes}"
    )


def _cut_pem(random_: random.Random) -> str:
    return _pem(random_)[:300]


def _credentials(random_: random.Random) -> str:
    return _pick(BASE62, 20, random_)


def luhn_digit(digits: str) -> str:
    """Return the check digit that belongs behind `digits`."""
    doubled = [int(d) * 2 if i % 2 == 0 else int(d) for i, d in enumerate(reversed(digits))]
    return str(-sum(d - 9 if d > 9 else d for d in doubled) % 10)


def make_card(random_: random.Random) -> str:
    """Make a card number of a big issuer, printed in one of the usual ways."""
    prefix, length = random_.choice([("4", 16), ("51", 16), ("2221", 16), ("37", 15), ("6011", 16)])
    digits = prefix + _pick(DIGITS, length - len(prefix) - 1, random_)
    digits += luhn_digit(digits)
    separator = random_.choice(["", " ", "-"])
    sizes = (4, 6, 5) if length == 15 else (4, 4, 4, 4)
    groups, at = [], 0
    for size in sizes:
        groups.append(digits[at : at + size])
        at += size
    return separator.join(groups)


def make_iban(random_: random.Random) -> str:
    """Make an IBAN whose checksum is right, in one run or in groups of four."""
    country, length = random_.choice([("DE", 22), ("NL", 18), ("GB", 22), ("FR", 27), ("CH", 21)])
    letters = _pick(UPPER[:26], 4, random_) if country in ("NL", "GB") else ""
    account = letters + _pick(DIGITS, length - 4 - len(letters), random_)
    number = "".join(str(int(character, 36)) for character in account + country + "00")
    iban = f"{country}{98 - int(number) % 97:02}{account}"
    if random_.random() < 0.5:
        return iban
    return " ".join(iban[at : at + 4] for at in range(0, length, 4))


MADE: dict[str, tuple[str, Maker]] = {
    "jwt": ("GL jwt", _jwt),
    "jwt-unsigned": ("GL jwt", _unsigned_jwt),
    "jwt-base64": ("GL jwt-base64", _jwt_in_base64),
    "flask-session": ("itsdangerous", _flask_session),
    "csrf": ("Flask-WTF", _csrf),
    "remember": ("Flask-Login", _remember),
    "pem": ("GL private-key", _pem),
    "pem-cut": ("GL private-key", _cut_pem),
    "card": ("RL creditcard", make_card),
    "iban": ("RL iban", make_iban),
}
"""Formats that are made by a program: name, then source and maker."""

AROUND: dict[str, tuple[str, str, str, Maker]] = {
    "url-credentials": ("RL url_auth", "postgresql://shop:", "@db.example.org:5432/shop", _credentials),
    "s3-signature": (
        "OpenTelemetry",
        "https://s3.example.org/a?X-Amz-Signature=",
        "&v=1",
        _credentials,
    ),
    "s3-token": ("AWS", "https://s3.example.org/a?X-Amz-Security-Token=", "&v=1", _credentials),
    "gcs-signature": (
        "OpenTelemetry",
        "https://gcs.example.org/a?X-Goog-Signature=",
        "&v=1",
        _credentials,
    ),
    "azure-sas": (
        "TH azuresastoken",
        "https://b.example.org/a?sv=2024-11-04&sp=r&sig=",
        "&v=1",
        _credentials,
    ),
    "aws-key-in-query": (
        "OpenTelemetry",
        "https://s3.example.org/a?AWSAccessKeyId=",
        "&v=1",
        _credentials,
    ),
}
"""Formats where what stands around makes the secret: name, then source, before, behind, and maker."""

PUBLIC_PART: dict[str, Callable[[str], str]] = {
    "remember": lambda text: text.partition("|")[2],
    "pem": lambda text: text.split("-----")[2],
    "pem-cut": lambda text: text.split("-----")[2],
}
"""What is secret of those that begin with something public."""


def make_listed(name: str, random_: random.Random) -> Secret:
    """Make one secret of a listed format."""
    if name in MADE:
        text = MADE[name][1](random_)
        return Secret(name, text, PUBLIC_PART[name](text) if name in PUBLIC_PART else text)
    if name in AROUND:
        _, before, behind, maker = AROUND[name]
        secret = maker(random_)
        return Secret(name, before + secret + behind, secret)
    shape = next(shape for shape in LISTED if shape.name == name)
    secret, space = draw(shape.outline, random_), " " if name in ("basic", "bearer") else ""
    return Secret(name, shape.prefix.replace("|", "") + space + secret, secret)


NAMES = tuple([shape.name for shape in LISTED] + list(MADE) + list(AROUND))
