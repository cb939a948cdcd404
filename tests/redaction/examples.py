"""Hits and near misses for every rule, made from a seed when a test wants them.

A row is a rule's id, what it is to find, and what it is to leave alone, each as outlines (see
`shapes.draw`). Bars are taken out, so that no line here looks like a secret to a scanner. In a miss one
thing is wrong: it is too short, of the wrong alphabet, has no boundary before its prefix, or its
checksum does not add up.
"""

from __future__ import annotations

import random
import re
from typing import NamedTuple

from itsdangerous import Signer, TimestampSigner, URLSafeSerializer

from flask_tracking.redaction.detection.vendors import ALPHABETS, VENDORS, Vendor

from .listed import luhn_digit, make_card, make_iban, make_listed
from .shapes import BASE62, DIGITS, Maker, draw

SEED = 20_261_126


class Examples(NamedTuple):
    """What one rule is held to."""

    hits: tuple[str, ...]
    misses: tuple[str, ...]


OUTLINES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "aws": (
        ("AK|IA{216}", "key AS|IA{216}, next", "A3|TX{u16}", "AK|IA{216}: {b40}"),
        ("AK|IA{215}", "xAK|IA{216}", "AK|IA{o16}", "AKI|B{216}"),
    ),
    "aws-bedrock": (
        ("AB|SK{b109}", "AB|SK{b109}=", '"AB|SK{b60}"'),
        ("AB|SK{b20}", "AB|SK{_30}-{_30}", "xAB|SK{a109}"),
    ),
    "google": (
        ("AI|za{w35}", "GOC|SPX-{w28}", "1/|/0{w40}"),
        ("AI|za{w20}", "xAI|za{w35}", "1/|/0{a10}", "AI|zb{a35}"),
    ),
    "google-oauth": (
        ("ya2|9.{w60}", "ya2|9.a0{w20}", "token ya2|9.{w10}"),
        ("ya2|9.{w5}", "xya2|9.{w60}", "ya2|8.{w60}"),
    ),
    "azure-storage": (
        ("Account|Key={b86}==", "Shared|AccessKey={b43}=", "account|key={b86}=="),
        ("Account|Key={b10}", "AccountName={a86}", "Account|Key: {b86}"),
    ),
    "azure-ad": (
        ("{a3}7Q~{w31}", "{a3}8Q~{w33}", '"{a3}1Q~{w34}"'),
        ("{a3}7Q~{w20}", "{a3}xQ~{w31}", "{a3}7Q-{w31}"),
    ),
    "github": (
        ("gh|p_{a36}", "gh|s_{w260}.{w130}.{w128}", "github|_pat_{a22}_{a59}"),
        ("gh|p_{a10}", "xgh|p_{a36}", "gh|x_{a36}", "github|_pat_{a8}"),
    ),
    "gitlab": (
        ("gl|pat-{w20}", "gl|ptt-{h40}", "glc|bt-{a5}_{w20}", "GR1|348941{w20}"),
        ("gl|pat-{a8}", "xgl|pat-{w20}", "gl|pot-{a20}"),
    ),
    "slack": (
        ("xox|b-{d12}-{d12}-{a24}", "xox|p-{d11}-{d12}-{h32}", "xoxe|.xoxp-1-{u166}"),
        ("xox|b-{a5}", "xxox|b-{d12}-{d12}-{a24}", "xox|B-{d12}-{a24}"),
    ),
    "slack-app": (
        ("xa|pp-1-{u11}-{d13}-{h64}", "xa|pp-2-{u30}", '"xa|pp-1-{u40}"'),
        ("xa|pp-1-{u10}", "xxa|pp-1-{u40}", "xa|pp-a-{u40}"),
    ),
    "webhook": (
        (
            "https://hooks.|slack.com/services/{u9}/{u11}/{a24}",
            "https://discord|.com/api/webhooks/{d18}/{w68}",
            "https://acme.webhook|.office.com/webhookb2/{h8}-{h4}-{h4}@{h8}",
            "/services/T{u9}/B{u11}/{a24}",
            "/webhookb2/{h8}@{h8}/IncomingWebhook/{h32}",
        ),
        (
            "https://hooks.|slack.com/services/{u5}",
            "https://hooks.example.org/services/{u9}x/{u11}/{a24}",
            "/webhooks2/{h8}@{h8}/Incoming/{h32}",
            "https://discord|.com/api/users/{d18}/{a30}",
        ),
    ),
    "telegram": (
        ("{d10}:A|A{w33}", "bot{d9}:A|A{w33}/getMe", '"{d8}:A|E{w34}"'),
        ("{d10}:A|A{w20}", "{d3}:A|A{w33}", "{d10}:B|A{w33}"),
    ),
    "stripe": (
        ("sk|_live_{a24}", "rk|_test_{a99}", "wh|sec_{b32}"),
        ("pk|_live_{a24}", "sk|_live_{a5}", "xsk|_live_{a24}", "sk|_dev_{a24}"),
    ),
    "openai": (
        ("s|k-{a20}T3Blbk|FJ{a20}", "sk-|proj-{w74}T3Blbk|FJ{w74}", "sk-|ant-api03-{w93}AA"),
        ("s|k-{o12}", "ris|k-{a40}", "sk_{a40}", "sk-|proj-{o8}"),
    ),
    "huggingface": (
        ("h|f_{L34}", "api|_org_{L34}", "use h|f_{a30} here"),
        ("h|f_{L20}", "xh|f_{L34}", "h|f-{L34}"),
    ),
    "npm": (
        ("np|m_{a36}", "_authToken np|m_{l36}", "'np|m_{a30}'"),
        ("np|m_config_{o20}", "xnp|m_{a36}", "np|m-{a36}"),
    ),
    "pypi": (
        ("py|pi-AgEIcHlwaS5vcmc{w60}", "py|pi-AgEN{w80}", "'py|pi-AgEI{w40}'"),
        ("py|pi-AgEI{w20}", "py|pi-{o70}", "xpy|pi-AgEIcHlwaS5vcmc{w60}"),
    ),
    "sendgrid": (
        ("S|G.{w22}.{w43}", "key S|G.{w16}.{w16}", '"S|G.{w66}.{w20}"'),
        ("S|G.{w10}.{w10}", "xS|G.{w22}.{w43}", "S|G.{a66}"),
    ),
    "brevo": (
        ("xkey|sib-{h64}-{a16}", "xsmtp|sib-{h64}-{a16}", "'xkey|sib-{h40}-{a10}'"),
        ("xkey|sib-{h64}", "xkey|sib-{h20}-{a16}", "axkey|sib-{h64}-{a16}"),
    ),
    "twilio": (
        ("S|K{h32}", "sid=S|K{h32}", "'S|K{d32}'"),
        ("A|C{h32}", "S|K{h20}", "TAS|K{h32}", "S|K{C32}"),
    ),
    "mailgun": (
        ("ke|y-{h32}", "api ke|y-{h32}", "'ke|y-{d32}'"),
        ("ke|y-{h12}", "primary-ke|y-{h32}", "ke|y-value"),
    ),
    "shopify": (
        ("shp|at_{h32}", "shp|ss_{h32}", "'shp|pa_{h32}'"),
        ("shp|at_{h16}", "xshp|at_{h32}", "shp|xx_{h32}"),
    ),
    "vault": (
        ("hv|s.{w95}", "hv|b.{w140}", "'hv|r.{w24}'"),
        ("hv|s.{w10}", "xhv|s.{w95}", "hv|x.{w95}"),
    ),
    "databricks": (
        ("da|pi{h32}", "token da|pi{h36}", "'da|pi{d32}'"),
        ("da|pi{h16}", "xda|pi{h32}", "da|pi{C32}"),
    ),
    "digitalocean": (
        ("dop|_v1_{h64}", "doo|_v1_{h64}", "dor|_v1_{h40}"),
        ("dop|_v1_{h20}", "xdop|_v1_{h64}", "dox|_v1_{h64}", "dop|_v2_{h64}"),
    ),
    "grafana": (
        ("gl|sa_{a32}_{h8}", "gl|c_{b44}", "gl|c_{b60}=="),
        ("gl|sa_{a12}", "xgl|sa_{a32}_{h8}", "gl|sb_{a40}"),
    ),
    "sentry": (
        ("sntry|u_{h64}", "sntry|s_eyJ{b120}_{b43}", "'sntry|u_{h20}'"),
        ("sntry|u_{h10}", "xsntry|u_{h64}", "sntry|x_{h64}"),
    ),
    "atlassian": (
        ("AT|ATT3{w186}", "AT|CTT3{w30}", "AT|BB{a24}{u8}"),
        ("AT|ATT3{w10}", "xAT|ATT3{w186}", "AT|XTT3{w186}", "ATBB|{o10}"),
    ),
    "heroku": (
        ("HRKU|-AA{w58}", "key HRKU|-{w36}", "'HRKU|-{w30}'"),
        ("HRKU|-{w10}", "xHRKU|-AA{w58}", "HRKU|_AA{w58}"),
    ),
    "linear": (
        ("lin|_api_{a40}", "lin|_oauth_{h64}", "'lin|_api_{a30}'"),
        ("lin|_api_{a10}", "xlin|_api_{a40}", "lin|_app_{a40}"),
    ),
    "notion": (
        ("nt|n_{d11}{a35}", "secret|_{a43}", "'nt|n_{a40}'"),
        ("nt|n_{a20}", "xnt|n_{d11}{a35}", "secret|_{o12}_{o12}_{o20}"),
    ),
    "postman": (
        ("PM|AK-{h24}-{h34}", "key PM|AK-{h24}-{h34}", "'PM|AK-{h20}-{h30}'"),
        ("PM|AK-{h24}", "PM|AK-{h10}-{h34}", "xPM|AK-{h24}-{h34}"),
    ),
    "pulumi": (
        ("pu|l-{h40}", "key pu|l-{h40}", "'pu|l-{h44}'"),
        ("pu|l-{h20}", "xpu|l-{h40}", "pu|l-{C40}"),
    ),
    "planetscale": (
        ("pscale|_pw_{w43}", "pscale|_tkn_{w43}", "pscale|_oauth_{w40}"),
        ("pscale|_pw_{w10}", "xpscale|_pw_{w43}", "pscale|_id_{w43}"),
    ),
    "supabase": (
        ("sb|p_{h40}", "sb|_secret_{a31}", "'sb|s_{a20}'"),
        ("sb|p_{h10}", "xsb|p_{h40}", "sb|_publishable_{a31}"),
    ),
    "fly": (
        ("fm|2_{b120}", "fo|1_{w43}", "fm|1r_{b60}"),
        ("fm|2_{b20}", "xfm|2_{b120}", "fm|3_{b120}"),
    ),
    "doppler": (
        ("dp|.pt.{a43}", "dp|.st.dev.{a43}", "'dp|.ct.{a40}'"),
        ("dp|.pt.{a20}", "xdp|.pt.{a43}", "dp|.xx.{a43}"),
    ),
    "onepassword": (
        ("ops|_eyJ{b250}", "A|3-{u6}-{u11}-{u5}-{u5}-{u5}", "A|3-{u6}-{u6}-{u5}-{u5}-{u5}-{u5}"),
        ("ops|_eyJ{b30}", "A|3-{u6}-{u11}", "xA|3-{u6}-{u11}-{u5}-{u5}-{u5}", "A|4-{u6}-{u11}-{u5}-{u5}-{u5}"),
    ),
    "age": (
        ("AGE-SECRET|-KEY-1{u58}", "AGE-SECRET|-KEY-1{u40}", "'AGE-SECRET|-KEY-1{u58}'"),
        ("AGE-SECRET|-KEY-1{u20}", "AGE-SECRET|-KEY-1{o58}", "xAGE-SECRET|-KEY-1{u58}", "age1{l58}"),
    ),
    "jwt-base64": (
        ("ZX|lK{b60}", "t=ZX|lK{b30}==", "'ZX|lKaGJHY2lPaUp{b80}'"),
        ("ZX|lK{b10}", "xZX|lK{b60}", "ZX|lL{b60}"),
    ),
    "remember": (
        ("1|%7C{h128}", "99999%7c{h128}", "17%7C{h140}"),
        ("1%7C{h64}", "1-{h128}", "1%7C{C128}"),
    ),
    "expo": (
        ("Exponent|PushToken[{a22}]", "Expo|PushToken[{a22}]", "to Exponent|PushToken[{w22}]."),
        ("Exponent|PushToken[{a10}]", "xExpo|PushToken[{a22}]", "Expo|PushToken {a22}"),
    ),
    "firebase": (
        ("{w22}:AP|A91{w134}", "{a11}:AP|A91b{w40}", '"{w22}:AP|A91{w134}"'),
        ("{w22}:AP|A81{w134}", "{a5}:AP|A91{w134}", "{w22}:AP|A91{w10}"),
    ),
    "openweather": (
        ("appid={h32}", "https://api.openweathermap.org/data/2.5?q=London&appid={h32}", '"?appid={h32}&q=x"'),
        ("appid=wx{h16}", "xappid={h32}", "appid: {h32}"),
    ),
    "query-password": (
        ("u=ada&p={a12}", "https://example.org/query?db=shop&u=ada&p={a12}", '"?u=ada&p={a9}&v=1"'),
        ("u=ada&p=2", "menu=ada&p={a12}", "u=ada&page={a12}"),
    ),
    "telegram-login": (
        (
            "auth_date=1{d9}&hash={h64}",
            "id=17&auth_date=1{d9}&first_name=Ada&hash={h64}",
            '"?auth_date=1{d9}&hash={h64}"',
        ),
        ("auth_date=1{d9}&hash={h40}", "date=1{d9}&hash={h64}", "auth_date=1{d9} hash={h64}"),
    ),
    "wifi": (
        ("WI|FI:T:WPA;S:Home;P:{a9};;", "WI|FI:P:{a12};S:Home;;", 'qr "WI|FI:S:Home;T:WPA2;P:{a12};H:false;;"'),
        ("WI|FI:T:nopass;S:Home;;", "WI|FI:S:Home;P:;;", "xWI|FI:S:Home;P:{a12};;"),
    ),
    "putty": (
        ("Private-|Lines: 1\n{b48}\n", "Private-|Lines: 2\r\n{b64}\r\n{b32}", "Private-|Lines: 12\\n{b64}"),
        ("Public-|Lines: 1\n{b48}", "Private-|Lines: 1\n{b8}", "Private-|Lines: none {b48}"),
    ),
    "password-hash": (
        ("$2|b$12${a53}", "$ar|gon2id$v=19$m=65536,t=3,p=4${b22}${b43}", "scr|ypt:32768:8:1${a16}${h128}",
         "pbk|df2:sha256:600000${a16}${h64}"),
        ("$2|b$12${a20}", "$2|b$x${a53}", "scr|ypt:32768:8:1${a16}${o20}", "$12.50 for {o20}"),
    ),
    "url-credentials": (
        ("postgresql://shop:{a20}@db.example.org/a", "https://{a20}@example.org", "redis://:{a16}@localhost:6379",
         "postgresql://shop:{o5}#{a12}/{a5}@db/a", "mysql://shop:7{o5}?{a9}@db/a"),
        ("https://example.org/a@{a20}", "https://example.org?mail={o8}@example.org", "{o8}@example.org",
         "https://example.org#{o9}@b", "http://localhost:5000/@{o9}", "http://[::1]:5000/a?b={o9}@c"),
    ),
    "shell-credentials": (
        ("curl -u ada:{a12} https://example.org", "curl --user 'ada:{w16}'", "['curl', '-u', 'ada:{a12}']"),
        ("sort -u {o9}", "docker-u ada:{a12}", "date -u +%H:%M:%S", "curl --url http://{o9}"),
    ),
    "sql-password": (
        ("CREATE USER a IDENTIFIED BY '{a12}'", "alter user a with password '{o9}'",
         "IDENTIFIED WITH caching_sha2_password BY '{a16}'"),
        ("identified by {o9}", "with password {o9}", "log in with passwords '{o9}'"),
    ),
    "bearer": (
        ("Basic {b39}7", "Bearer {w39}7", "BEARER%20{w30}7"),
        ("Basic {o20}", "Bearer {w5}7", "Forbearer:{w40}7", "the bearer of this"),
    ),
    "vendor-point": (
        ("pa|t{a14}.{h64}", "dt0|c01.{u24}.{u64}", "{a14}.atlasv1.{w64}"),
        ("pa|t{a14}.{h10}", "sl|.{w40}", "xdt0|c01.{u24}.{u64}", "v1.|0-{h24}"),
    ),
    "fernet": (
        ("gAAA|AA{w114}", "'gAAA|AA{w160}=='", "x gAAA|AA{w94}=="),
        ("gAAA|AA{w20}", "xgAAA|AA{w114}", "gAAA|AB{w114}"),
    ),
    "paseto": (
        ("v4.lo|cal.{w100}", "v2.pub|lic.{w200}.{w20}", '"v3.lo|cal.{w60}"'),
        ("v4.lo|cal.{w10}", "v5.lo|cal.{w100}", "xv4.lo|cal.{w100}", "v4.glo|bal.{w100}"),
    ),
    "azure-key": (
        ("{a52}JQ|QJ99{a6}ACAAAAA{a8}AZ|DO{a4}", "{a52}JQ|QJ99{a26}", "key {a52}JQ|QJ98{a26}"),
        ("{a20}JQ|QJ99{a26}", "{a52}JQ|QJ99{a5}", "{a52}JQ|Q199{a26}", "{o52}-JQ|QJ99{a26}"),
    ),
    "link": (
        ("https://example.org/password/reset/{a24}1a", "/share/{a24}1a", "/verify/{a12}7{a12}", "/reset/MQ/{l6}-{h31}7"),
        ("/password/reset/{a8}", "/reset/{o30}", "/verify-{a30}", "/docs/{a30}", "/join/{o30}"),
    ),
    "resend": (
        ("re|_{a8}_{a24}", "re|_{a8}_{a30}", "'re|_{a8}_{a24}'"),
        ("re|_{a8}_{a10}", "xre|_{a8}_{a24}", "re|_{a24}", "re|_{o8}_{o24}"),
    ),
    "salesforce": (
        ("00|D{a12}!{a60}.{a20}", "00|D{a15}!AQ{a90}", "sid 00|D{a12}!{a50}"),
        ("00|D{a12}!{a10}", "x00|D{a12}!{a60}", "00|E{a12}!{a60}", "00|D{a12}:{a60}"),
    ),
    "stripe-link": (
        (
            "https://connect.stri|pe.com/setup/c/acct_{a16}/{a24}",
            "connect.stri|pe.com/setup/s/acct_{a16}/{a12}",
            '"https://connect.stri|pe.com/setup/e/acct_1{a15}/{a20}"',
        ),
        (
            "https://connect.stri|pe.com/setup/c/acct_{a16}",
            "https://connect.stri|pe.com/login/c/acct_{a16}/{a24}",
            "https://example.org/setup/c/acct_{a16}/{a24}",
        ),
    ),
    "beamer": (
        ("b|_{l40}g7{l2}", "key b|_{l44}", "'b|_7g{l42}'"),
        ("b|_{l20}", "b|_{h64}", "sub|_{l44}", "b|_{o44}", "b|_{o12}_{o12}_{o20}"),
    ),
    "mailchimp": (
        ("{h32}-us|12", "key={h32}-us|1", "'{h32}-us|20'"),
        ("{h20}-us|12", "{h32}-eu|12", "x{h32}-us|12", "{h32}-us"),
    ),
    "asana": (
        ("1/{d16}:{h32}", "0/{d14}:{h32}", "'2/{d16}:{h32}'"),
        ("3/{d16}:{h32}", "11/{d16}:{h32}", "1/{d8}:{h32}", "1/{d16}:{h20}"),
    ),
    "jdbc": (
        ("jdbc:oracle:thin:scott/{a12}@//db", "jdbc:oracle:oci:scott/{a12}@db", "'jdbc:oracle:thin:a/{a12}@b'"),
        ("jdbc:oracle:thin:@//db:1521/{a12}", "jdbc:oracle:thin:scott@db/{a12}", "xjdbc:oracle:thin:scott/{a12}@db"),
    ),
    "maxmind": (
        ("{a6}_{a29}_m|mk", "key={a6}_{a29}_m|mk", "'{a6}_{a29}_m|mk'"),
        ("{a6}_{a20}_m|mk", "{a6}_{a29}_m|mx", "{a7}_{a29}_m|mk"),
    ),
}  # fmt: skip
"""Hits and misses that an outline describes."""


def _listed(name: str) -> Maker:
    return lambda random_: make_listed(name, random_).text


def _wrong_card(random_: random.Random) -> str:
    """Make a number that passes for a card but for its last digit."""
    digits = "4" + "".join(random_.choice(DIGITS) for _ in range(14))
    return digits + str((int(luhn_digit(digits)) + random_.randint(1, 9)) % 10)


def _plain_card(random_: random.Random) -> str:
    digits = "4" + "".join(random_.choice(DIGITS) for _ in range(14))
    return digits + luhn_digit(digits)


def _odd_card(random_: random.Random) -> str:
    digits = _plain_card(random_)
    return f"{digits[:3]}-{digits[3:9]}-{digits[9:]}"


def _unknown_card(random_: random.Random) -> str:
    digits = "20" + "".join(random_.choice(DIGITS) for _ in range(13))
    return digits + luhn_digit(digits)


def _wrong_iban(random_: random.Random) -> str:
    iban = make_iban(random_)
    digit = str((int(iban[-1]) + random_.randint(1, 9)) % 10)
    return iban[:-1] + digit


def _dashes(kind: str, lines: str) -> Maker:
    rule = "-" * 5
    return lambda random_: f"{rule}BEGIN {kind}{rule}\n" + draw(lines, random_)


class _SignerOfOneTime(TimestampSigner):
    """Signs with the same time whenever it is asked."""

    def get_timestamp(self) -> int:
        return 1_790_000_000


MADE: dict[str, tuple[tuple[Maker, ...], tuple[Maker, ...]]] = {
    "jwt": (
        (_listed("jwt"), _listed("jwt-unsigned"), lambda r: draw("e|yJ{a30}.{w20}.{w20}.{w60}.{w22}", r)),
        (
            lambda r: draw("e|yJ{a5}.e|yJ{a40}.{w43}", r),
            lambda r: draw("monk-e|yJ{a30}.{a20}", r),
            lambda r: draw("e|yJ{a40}", r),
            lambda r: "x" + _listed("jwt")(r),
        ),
    ),
    "itsdangerous": (
        (_listed("flask-session"), _listed("csrf"), lambda r: draw("M{a23}.X{w5}.{w38}", r)),
        (
            lambda r: draw("e|yJ{a20}.{w6}.{w20}", r),
            lambda r: draw("e|yJ{a20}.{w4}.{w27}", r),
            lambda r: draw("x.e|Jw{a20}.{o6}.{o12}", r),
            lambda r: "a.b.c.flask_tracking.redaction",
        ),
    ),
    "signed": (
        (
            lambda r: Signer("k").sign("42").decode(),
            lambda r: _SignerOfOneTime("k").sign("17").decode(),
            lambda r: URLSafeSerializer("k").dumps([r.random()]),
        ),
        (
            lambda r: "Network.errors.connectionTimedOutPleaseTryAgain",
            lambda r: "a.b:" + "Customer" + "Notification" * 2,
            lambda r: draw("{a4}.{h27}", r),
            lambda r: draw("{a4}.{w30}", r),
        ),
    ),
    "private-key": (
        (
            _listed("pem"),
            _listed("pem-cut"),
            _dashes("OPENSSH PRIV" + "ATE KEY", "{b64}\n{b64}"),
            _dashes("OpenVPN Static key V1", "{h32}\n{h32}"),
        ),
        (
            _dashes("PUBLIC KEY", "{b64}"),
            _dashes("CERTIFICATE", "{b64}"),
            lambda r: "the PRIVATE KEY of " + draw("{o20}", r),
        ),
    ),
    "card": (
        (make_card, _plain_card, lambda r: f"paid with {make_card(r)}."),
        (_wrong_card, _odd_card, _unknown_card, lambda r: f"0.{_plain_card(r)}",
         lambda r: f"-{_plain_card(r)}", lambda r: f"id{_plain_card(r)}"),
    ),
    "iban": (
        (make_iban, make_iban, lambda r: f"to {make_iban(r)}, please"),
        (_wrong_iban, lambda r: "x" + make_iban(r), lambda r: make_iban(r)[:12],
         lambda r: "ZZ" + make_iban(r)[2:]),
    ),
}  # fmt: skip
"""Hits and misses that a program makes."""


BY_VENDOR = {vendor.id: vendor for vendor in VENDORS}


def _make_vendor_examples(vendor: Vendor, random_: random.Random) -> Examples:
    """Make what follows from a line of the table: a new vendor needs no examples of its own."""
    letters = [one for one in BASE62 if re.match(f"[{ALPHABETS[vendor.alphabet]}]", one)]

    def token(prefix: str, length: int) -> str:
        run = "".join(random_.choice(letters) for _ in range(length))
        return prefix + "7" + run[:4] + "A5" + run[4:]

    prefixes = vendor.prefixes * 3
    hits = [token(prefix, vendor.least + at) for at, prefix in enumerate(prefixes)]
    words = "order_number_or_name-of-an-icon-2024-and-more-words"
    misses = [
        vendor.prefixes[0] + token("", vendor.least)[: vendor.least - 1],
        "x" + token(vendor.prefixes[0], vendor.least),
        vendor.prefixes[0] + words,
    ]
    return Examples(tuple(hits), tuple(misses))


def make_examples(rule_id: str) -> Examples:
    """Make the examples of one rule; the same ones each time.

    Raises:
        KeyError: the rule has none.
    """
    random_ = random.Random(f"{SEED} {rule_id}")
    if rule_id in BY_VENDOR:
        return _make_vendor_examples(BY_VENDOR[rule_id], random_)
    if rule_id in MADE:
        hits, misses = MADE[rule_id]
        return Examples(tuple(make(random_) for make in hits), tuple(make(random_) for make in misses))
    outlines = OUTLINES[rule_id]
    drawn = [tuple(draw(outline, random_) for outline in side) for side in outlines]
    return Examples(*drawn)
