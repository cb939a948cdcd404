"""Payloads with secrets as public documentation prints them, made anew from a seed.

A line is a place and a payload. What stands between ``«`` and ``»`` is the outline of the secret (see
`shapes.draw`; ``a24`` stands for ``{a24}``): no six characters of it may be stored. Bars in an outline
are taken out, so that no line here looks like a secret to a scanner.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote_plus

from flask_tracking import Record

from .planting import make_record
from .shapes import draw

SEED = 20_261_129
KINDS = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "text": "text/plain",
    "html": "text/html; charset=utf-8",
    "xml": "application/xml",
    "css": "text/css",
    "js": "text/javascript",
    "md": "text/markdown",
    "yaml": "application/yaml",
    "csv": "text/csv",
}
"""Content types of the places that are bodies."""

PAYLOADS: dict[str, str] = {
    "OAuth and OIDC": """
        header | Referer: https://app.example.org/callback?code=«a24»&state=af0ifjsldkj
        header | Location: https://app.example.org/cb?state=xyz&code=«w32»
        header | Location: https://app.example.org/cb#access_token=«a24»&token_type=Bearer&expires_in=3600
        header | Location: https://app.example.org/cb#id_token=«a30»&state=1
        header | DPoP: «a40»
        header | Authentication: «a24»
        header | Authentication-Info: nextnonce="«h32»"
        json | {"device_code": "«a40»", "verification_uri": "https://example.org/device", "interval": 5}
        json | {"user_code": "«{C4}-{C4}»", "verification_uri": "https://example.org/device", "expires_in": 900}
        json | {"user_code": "«{C4}{d4}»", "verification_uri": "https://example.org/device"}
        json | {"request_uri": "urn:ietf:params:oauth:request_uri:«a24»", "expires_in": 90}
        json | {"request_uri": "urn:example:bwc4JK-ESC0w8acc191e-«w20»", "expires_in": 60}
        json | {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "d": "«w43»"}
        json | {"keys": [{"kty": "oct", "alg": "HS256", "k": "«w43»", "kid": "one"}]}
        json | {"kty": "RSA", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWh", "e": "AQAB", "d": "«w86»", "p": "«w43»", "qi": "«w43»"}
        json | {"auth_req_id": "«{h8}-{h4}-{h4}-{h12}»", "expires_in": 120}
        json | {"registration_access_token": "«a32»", "client_id": "s6BhdRkqt3"}
        json | {"refresh_token": "«a24»", "token_type": "Bearer", "expires_in": 3600}
        json | {"client_id": "s6BhdRkqt3", "client_secret": "«a40»", "client_secret_expires_at": 0}
        json | {"logout_token": "«a40»"}
        form | grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=«a24»
        form | grant_type=authorization_code&code=«a20»&redirect_uri=https%3A%2F%2Fapp.example.org%2Fcb
        form | grant_type=authorization_code&code=«{a4}/{a24}»&code_verifier=«a43»&client_id=web
        form | grant_type=password&username=ada&password=«a10»
        form | grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=«a32»&client_id=tv
        form | client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=«a32»
        form | grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=«a24»&actor_token=«a24»
        form | token=«a28»&token_type_hint=refresh_token
        form | grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Auma-ticket&ticket=«{h8}-{h4}-{h4}-{h12}»
        form | SAMLResponse=«a60»&RelayState=home
        form | wresult=%3Ct%3ARequestSecurityToken%3E«a30»%3C%2Ft%3ARequestSecurityToken%3E&wctx=1
        query | oauth_token=«a24»&oauth_verifier=«a24»
        query | code=«d6»&state=xyz
        query | q=tea&code=«a24»&page=2
        query | response_type=code&client_id=web&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A«a24»
        query | response_type=code&login_hint_token=«a24»&nonce=«a24»
        query | id_token_hint=«a30»&post_logout_redirect_uri=https%3A%2F%2Fapp.example.org
        query | service=https%3A%2F%2Fapp.example.org%2F&ticket=ST-«{d7}-{a20}-cas»
        query | openid.sig=«{b26}%3D»&openid.mode=id_res
        query | mode=resetPassword&oobCode=«w54»&lang=en
        query | q=tea&nonce=«a24»&page=2
        text | The authorization code is «a24».
        text | GET /callback?code=«a24»&state=abc HTTP/1.1
        text | oauth2: "invalid_grant" for code=«a24» at 12:30
    """,
    "headers": """
        header | X-Ms-Client-Principal: «a24»
        header | X-Ms-Token-Aad-Access-Token: «a24»
        header | X-Amzn-Oidc-Data: «a24»
        header | X-Amzn-Oidc-Accesstoken: «a24»
        header | X-Amz-Security-Token: «a24»
        header | X-Jfrog-Art-Api: «a24»
        header | X-Jenkins-Crumb: «a24»
        header | Jenkins-Crumb: «h64»
        header | Fastly-Key: «a24»
        header | X-Insert-Key: «a24»
        header | X-Query-Key: «a24»
        header | X-License-Key: «a24»
        header | Sec-Websocket-Protocol: base64url.bearer.authorization.k8s.io.«a24»
        header | Sec-Websocket-Protocol: «a24»
        header | Cb-Access-Sign: «a24»
        header | Cb-Access-Passphrase: «a12»
        header | X-Vault-Token: «a24»
        header | X-Consul-Token: «{h8}-{h4}-{h4}-{h12}»
        header | X-Figma-Token: «a24»
        header | X-Shopify-Access-Token: «a24»
        header | X-Shopify-Hmac-Sha256: «{b43}=»
        header | X-Hub-Signature-256: sha256=«h64»
        header | Stripe-Signature: t=1492774577,v1=«h64»
        header | X-Slack-Signature: v0=«h64»
        header | X-Twilio-Signature: «{b27}=»
        header | X-Api-Key: «a16»
        header | Api-Key: «a16»
        header | Apikey: «a16»
        header | X-Functions-Key: «a24»
        header | Ocp-Apim-Subscription-Key: «h32»
        header | X-Rapidapi-Key: «a24»
        header | X-Goog-Api-Key: «a24»
        header | X-Goog-Iap-Jwt-Assertion: «a24»
        header | Cf-Access-Jwt-Assertion: «a24»
        header | Cf-Access-Client-Secret: «h64»
        header | X-Forwarded-Access-Token: «a24»
        header | X-Auth-Token: «h32»
        header | X-Auth-Key: «h37»
        header | X-Csrf-Token: «a24»
        header | X-Xsrf-Token: «a24»
        header | X-Gitlab-Token: «a12»
        header | X-Plex-Token: «a20»
        header | X-Mbx-Apikey: «a64»
        header | Bm-Access-Key: «a24»
        header | X-Amz-Cf-Token: «a24»
        header | X-Session-Id: «a24»
        header | X-Otp: «d6»
        header | X-Github-Otp: «d6»
        header | X-Amz-Sso-Bearer-Token: «a24»
        header | X-Line-Signature: «{b43}=»
        header | Linear-Signature: «h64»
        header | Svix-Signature: v1,«{b43}=»
        header | Www-Authenticate: Digest realm="x", nonce="«h32»"
        header | X-Original-Url: /login?token=«a24»
        header | Refresh: 0; url=https://example.org/login?session_token=«a24»
        header | Link: <https://example.org/items?access_token=«a24»&page=2>; rel="next"
        header | X-Cookie: sessionid=«a24»; theme=dark
    """,
    "queries": """
        query | q=tea&zak=«a40»
        query | resourcekey=0-«w22»&usp=sharing
        query | a=1&resource_key=«w22»
        query | q=tea&_wpnonce=«a24»&page=2
        query | X-Amz-Signature=«h64»&X-Amz-Date=20260101T000000Z
        query | sv=2022-11-02&sr=b&sig=«{b43}%3D»&se=2026-01-01
        query | sp=r&st=2026-01-01T00:00:00Z&sv=2022-11-02&sr=c&sig=«b40»%3D
        query | X-Goog-Signature=«h64»&X-Goog-Expires=900
        query | Signature=«a40»&Key-Pair-Id=APKAEXAMPLE&Expires=1700000000
        query | hmac=«h64»&shop=tea.myshopify.com&timestamp=1700000000
        query | a=1&hub.verify_token=«a16»&hub.mode=subscribe
        query | magic_link_token=«a24»&x=1
        query | invite_token=«a16»
        query | unsubscribe_token=«a16»
        query | reset_password_token=«a20»
        query | confirmation_token=«a20»
        query | authuser=0&sid=«a24»
        query | PHPSESSID=«l26»
        query | jsessionid=«u32»
        query | ASP.NET_SessionId=«l24»
        query | api_key=«h32»&format=json
        query | key=AI|za«w35»&address=Berlin
        query | appid=7&apikey=«h32»
        query | user%5Bpassword%5D=«a12»&user%5Bname%5D=ada
        query | pass=«a16»&user=ada
        query | body=«=5105+1051+0510+5100»
        query | cmd=mysql+--password+«a12»
        query | note=API+key%3A+«a16»
        query | q=password%3A+«a12»
        query | password+=«a12»
        query | msg=my+password+is+«a12»
        path | /reset-password/token=«a24»
        path | /x/ghp_«a36»/y
        path | /bot«{d9}:AA{w33}»/sendMessage
        path | /callback;jsessionid=«u32»
        path | /services/hooks?token=«a24»
    """,
    "errors of databases": """
        text | DETAIL:  Key (user_id, token)=(5, «a24») already exists.
        text | DETAIL:  Key (token)=(«a24») already exists.
        text | DETAIL:  Key (email, reset_token)=(ada@example.org, «a24») already exists.
        text | DETAIL:  Key (lower(api_key::text))=(«a24») already exists.
        text | DETAIL:  Key (api_key)=(«a24») is not present in table "keys".
        text | DETAIL:  Failing row contains (7, ada@example.org, null, «a24»).
        text | psycopg2.errors.UniqueViolation: duplicate key value violates unique constraint "users_token_key"\\nDETAIL:  Key (token)=(«a24») already exists.\\n
        text | (1062, "Duplicate entry '«a24»' for key 'users.api_token'")
        text | Duplicate entry '«a24»' for key 'api_token'
        text | Duplicate entry '«a24»' for key 'users_session_key_unique'
        text | E11000 duplicate key error collection: app.users index: token_1 dup key: { token: "«a24»" }
        text | E11000 duplicate key error collection: app.keys index: apiKey_1 dup key: { apiKey: \\"«a24»\\" }
        text | Violation of UNIQUE KEY constraint 'UQ_token'. Cannot insert duplicate key in object 'dbo.tokens'. The duplicate key value is («a24»).
        text | [SQL: INSERT INTO users (name, password) VALUES (?, ?)]\\n[parameters: ('ada', '«a12»')]
        text | [SQL: SELECT * FROM users WHERE api_token = %(t)s]\\n[parameters: {'t': '«a24»'}]
        text | INSERT INTO users (name, password) VALUES ('ada', '«a12»');
        text | UPDATE users SET password = '«a12»' WHERE id = 5
        text | SELECT * FROM sessions WHERE session_token = '«a24»'
        text | could not connect: postgres://ada:«a12»@db.example.org/app
        text | OperationalError: (2003, "connect failed", {'user': 'ada', 'password': '«a12»'})
        text | redis.exceptions.AuthenticationError for redis://:«a16»@cache:6379/0
        text | Server=tcp:db.example.org;Database=app;User ID=ada;Password=«a14»;Encrypt=True;
        json | {"detail": "Key (token)=(«a24») already exists."}
        json | {"error": "Duplicate entry '«a24»' for key 'users.api_token'"}
        json | {"code": 11000, "keyPattern": {"token": 1}, "keyValue": {"token": "«a24»"}}
        json | {"code": "23505", "detail": "Key (session_token)=(«a24») already exists.", "table": "sessions"}
    """,
    "errors of validators": """
        json | {"detail": [{"type": "string_too_short", "loc": ["body", "password"], "msg": "String should have at least 30 characters", "input": "«a24»", "ctx": {"min_length": 30}}]}
        json | {"detail": [{"type": "missing", "loc": ["body", "email"], "msg": "Field required", "input": {"password": "«a12»", "name": "ada"}}]}
        json | {"errors": [{"field": "password", "message": "is too short", "rejectedValue": "«a12»"}]}
        json | {"errors": [{"type": "field", "value": "«a12»", "msg": "Invalid value", "path": "password", "location": "body"}]}
        json | {"errors": [{"msg": "too short", "param": "password", "value": "«a12»"}]}
        json | {"errors": [{"instancePath": "/password", "keyword": "minLength", "message": "must NOT have fewer than 20 characters", "data": "«a12»"}]}
        json | [{"target": {"email": "a", "password": "«a12»"}, "value": "«a12»", "property": "password", "constraints": {"minLength": "password is too short"}}]
        json | {"details": [{"message": "\\"password\\" length must be at least 20", "path": ["password"], "type": "string.min", "context": {"limit": 20, "value": "«a12»", "label": "password"}}]}
        json | {"issues": [{"code": "invalid_string", "path": ["api_key"], "message": "Invalid", "received": "«a16»"}]}
        json | {"extensions": {"argumentName": "token", "value": "«a16»"}}
        text | 1 validation error for Login\\npassword\\n  String should have at least 20 characters [type=string_too_short, input_value='«a12»', input_type=str]\\n
        text | 2 validation errors for Settings\\nusers.0.api_key\\n  String should match pattern [type=string_pattern_mismatch, input_value='«a16»', input_type=str]\\n
        text | 1 validation error for Login\\nemail\\n  Field required [type=missing, input_value={'password': '«a12»'}, input_type=dict]\\n
        text | ValueError: invalid password '«a12»'
        text | ValueError: invalid token: '«a24»'
        text | KeyError: 'password=«a12»'
        text | User(id=5, name='ada', password_hash='«a24»')
        text | LoginForm(username='ada', password='«a12»')
        text | Login { user: "ada", password: "«a12»" }
        text | {'username': 'ada', 'password': '«a12»'}
        text | <QueryDict: {'username': ['ada'], 'password': ['«a12»']}>
        text | ImmutableMultiDict([('username', 'ada'), ('password', '«a12»')])
        text | user=ada password=«a12» host=db.example.org
        text | time=2026-01-01T00:00:00Z level=info msg="login" token=«a24» user=ada
    """,
    "names of two words": """
        any | API key: «a16»
        any | API Key : «a16»
        any | Secret key: «a16»
        any | Access key: «a16»
        any | Access code: «a16»
        any | Access token: «a16»
        any | Private key: «a16»
        any | Mot de passe : «a16»
        any | Session ID: «a16»
        any | Session token: «a16»
        any | Recovery code: «a16»
        any | Backup code: «{d4}-{d4}»
        any | Security answer: «a16»
        any | Security code: «d6»
        any | Connection string: «a16»
        any | Encryption key: «a16»
        any | Seed phrase: «a16»
        any | Client secret: «a16»
        any | Signing secret: «a16»
        any | Webhook secret: «a16»
        any | License key: «a16»
        any | Temporary password: «a12»
        any | New password: «a12»
        any | One-time password: «d6»
        any | Verification code: «d6»
        any | Login code: «d6»
        any | Card number: «d12»
        any | Card verification code: «d6»
        any | Social Security number: «{d3}-{d2}-{d4}»
        any | Activation code: «a16»
        any | Confirmation code: «a12»
        any | Master password: «a12»
        any | Bot token: «a24»
        any | Bearer token: «a24»
        any | Personal access token: «a24»
        any | Secret access key: «b40»
        any | Database password: «a12»
        any | Account key: «a24»
        any | Storage key: «a24»
        any | Shared secret: «a16»
        any | Auth code: «a12»
        any | Reset link: https://example.org/reset/«a24»
        text | Your one-time code is «d6»
        text | Your verification code: «d6»
        text | Use «d6» as your verification code.
        text | «d6» is your login code. Do not share it.
        text | Your OTP is «d6». It is valid for 10 minutes.
        text | G-«d6» is your verification code.
        text | Your password is «a12».
        text | The API key is «a16».
        text | Your temporary password is: «a12»
        text | Password = «a12»
        text | Passwort: «a12»\\nBenutzer: ada
        text | Username: ada\\nPassword: «a12»\\nHost: db
        text | username:ada password:«a12»
        html | <p>Your verification code is <b>«d6»</b></p>
        html | <p>Your temporary password: <code>«a12»</code></p>
        html | <dl><dt>API key</dt><dd>«a16»</dd></dl>
        html | <table><tr><th>Secret key</th><td>«a16»</td></tr></table>
        html | <b>Password:</b> «a12»<br>
    """,
    "password words": """
        text | wachtwoord: «a24»
        text | şifre: «a24»
        text | parola: «a24»
        text | heslo: «a24»
        text | hasło: «a24»
        text | salasana: «a24»
        text | lösenord: «a24»
        text | adgangskode: «a24»
        text | passord: «a24»
        text | jelszó: «a24»
        text | parolă: «a24»
        text | contraseña: «a24»
        text | contrasena: «a24»
        text | clave: «a24»
        text | senha: «a24»
        text | palavra-passe: «a24»
        text | mot de passe: «a24»
        text | Passwort: «a24»
        text | Kennwort: «a24»
        text | password di accesso: «a24»
        text | пароль: «a24»
        text | Пароль: «a24»
        text | гасло: «a24»
        text | κωδικός πρόσβασης: «a24»
        text | κωδικός: «a24»
        text | סיסמה: «a24»
        text | كلمة المرور: «a24»
        text | كلمة السر: «a24»
        text | رمز عبور: «a24»
        text | گذرواژه: «a24»
        text | 密码：«a24»
        text | 密碼：«a24»
        text | 口令：«a24»
        text | パスワード：«a24»
        text | 暗証番号: «d6»
        text | 비밀번호: «a24»
        text | 암호: «a24»
        text | mật khẩu: «a24»
        text | kata sandi: «a24»
        text | kata laluan: «a24»
        text | รหัสผ่าน: «a24»
        text | पासवर्ड: «a24»
        text | geslo: «a24»
        text | lozinka: «a24»
        text | slaptažodis: «a24»
        text | parool: «a24»
        json | {"usuario": "ada", "contraseña": "«a12»"}
        json | {"\\u043f\\u0430\\u0440\\u043e\\u043b\\u044c": "«a12»"}
        json | {"用户名": "ada", "密码": "«a12»"}
        json | {"mot_de_passe": "«a12»"}
        json | {"motDePasse": "«a12»"}
        json | {"kata_sandi": "«a12»"}
        json | {"mat_khau": "«a12»"}
        json | {"matKhau": "«a12»"}
        json | {"palavra_passe": "«a12»"}
        form | email=a%40b.c&clave=«a24»
        form | email=a%40b.c&losenord=«a24»
        form | email=a%40b.c&codice_segreto=«a24»
        form | email=a%40b.c&heslo=«a12»
        form | email=a%40b.c&mdp=«a12»
        form | email=a%40b.c&motdepasse=«a12»
        form | email=a%40b.c&haslo=«a12»
        form | email=a%40b.c&sifre=«a12»
        form | email=a%40b.c&contrase%C3%B1a=«a12»
        form | email=a%40b.c&%E5%AF%86%E7%A0%81=«a12»
        form | email=a%40b.c&%D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C=«a12»
        form | email=a%40b.c&wachtwoord=«a12»
        form | email=a%40b.c&passwort=«a12»
        form | email=a%40b.c&passord=«a12»
        form | email=a%40b.c&lozinka=«a12»
        form | email=a%40b.c&jelszo=«a12»
    """,
    "signed values and tokens": """
        any | «{d2}.{w27}»
        any | «v4.local.{w120}»
        any | v2.public.«w120»
        any | gAAAAA«w90»
        any | ada:1tX4pQ:«w43»
        any | ImFkYSI.«w27»
        any | ImFkYSI.ZqzZ9w.«w27»
        any | $apr1$«{a8}${a22}»
        any | $8$«{a14}${a43}»
        any | $y$j9T$«{a22}${a43}»
        any | $krb5tgs$23$*svc$EXAMPLE.ORG$http/web*$«{h32}${h64}»
        any | {SSHA}«{b38}==»
        any | 00D«{a12}!{a60}»
        any | tskey-auth-«{a16}-{a32}»
        any | eyJrIjoi«b60»
        any | glsa_«{a32}_{h8}»
        any | sha256~«w43»
        any | shltm_«w24»
        any | vcp_«a24»
        any | vck_«a56»
        any | cfk_«a40»
        any | tvly-«a32»
        any | tvly-dev-«a32»
        any | jina_«{h32}{w27}»
        any | fc-«h32»
        any | pat-na1-«{h8}-{h4}-{h4}-{h4}-{h12}»
        any | CFPAT-«w43»
        any | NRAK-«u27»
        any | NRAA-«h27»
        any | da2-«l26»
        any | mdb_sa_sk_«w40»
        any | slk_«h64»
        any | odt_«a43»
        any | hawk.«{w20}.{w20}»
        any | https://hooks.slack.com/commands/T0AAAA/123456/«a24»
        any | https://hooks.slack.com/actions/T0AAAA/123456/«a24»
        any | https://outlook.office.com/webhook/«{h8}-{h4}-{h4}@{h8}»/IncomingWebhook/«h32»
        any | https://prod-12.westus.logic.azure.com/workflows/abc/triggers/manual/paths/invoke?sig=«w43»
        any | «{a52}JQQJ99{a6}ACAAAAA{a8}AZDO{a4}»
        any | re_«{a8}_{a24}»
        any | nvapi-«w64»
        any | sk-lf-«{h8}-{h4}-{h4}-{h12}»
        any | ls__«h32»
        any | phx_«a43»
        any | xoxe-1-«a40»
        any | ATCTT3xFfG«w60»
        any | rpa_«a40»
        any | e2b_«h40»
        any | sk_«h48»
        any | AGE-SECRET-KEY-1«u58»
        any | pypi-AgEIcHlwaS5vcmc«w60»
        any | glpat-«{w27}.01.{a9}»
        any | SK«h32»
        any | https://ada:«a12»@example.org/
        any | amqps://ada:«a12»@mq.example.org/vhost
        any | Bearer «a24»
        any | Basic YWRhOm«a24»
        text | -----BEGIN RSA PRIVATE KEY-----\\n«b64»\\n«b64»\\n-----END RSA PRIVATE KEY-----
        text | -----BEGIN OPENSSH PRIVATE KEY-----\\n«b64»\\n-----END OPENSSH PRIVATE KEY-----
        json | {"private_key": "-----BEGIN PRIVATE KEY-----\\n«b64»\\n-----END PRIVATE KEY-----\\n"}
    """,
    "one-time passwords": """
        text | Use «d6» to sign in to Tea.
        json | {"Body": "Use «d6» to log in. It expires in 10 minutes."}
        json | {"tf_authr_key": "«232»"}
        form | tf_authr_key=«216»&tf_primary_method=authenticator
        form | email=a%40b.c&otp=«d6»
        form | username=ada&code=«d6»
        form | code=«d8»
        form | phone=%2B49151&sms_code=«d6»
        form | mfa_code=«d6»
        form | otp_attempt=«d6»
        form | totp=«d6»
        form | pin=«d6»&account=1
        form | csrfmiddlewaretoken=«a64»&otp_token=«d6»
        form | password1=«a12»&password2=«a12»
        form | old_password=«a12»&new_password1=«a12»
        form | j_username=ada&j_password=«a12»
        json | {"phone": "+49151", "code": "«d6»"}
        json | {"email": "a@b.c", "code": "«d6»"}
        json | {"otp": «d6»}
        json | {"two_factor": "«a24»"}
        json | {"two_factor_code": "«d6»"}
        json | {"mfa": {"code": "«d6»"}}
        json | {"totp_secret": "«216»", "qr": "data:image/png;base64,iVBORw0KGgo="}
        json | {"secret": "«232»", "otpauth_url": "otpauth://totp/Tea:ada?secret=«232»&issuer=Tea"}
        json | {"url": "otpauth://totp/Tea:ada%40example.org?secret=«232»&issuer=Tea&digits=6"}
        json | {"provisioning_uri": "otpauth://hotp/Tea?secret=«216»&counter=1"}
        json | {"backup_codes": ["«{h5}-{h5}»", "«{h5}-{h5}»"]}
        json | {"recovery_codes": ["«{a4}-{a4}-{a4}»", "«{a4}-{a4}-{a4}»"]}
        json | {"recoveryCodes": ["«d8»", "«d8»"]}
        json | {"pin": "«a16»"}
        text | otpauth://totp/Tea:ada?secret=«232»&issuer=Tea
        html | <img src="/qr?data=otpauth%3A%2F%2Ftotp%2FTea%3Fsecret%3D«232»%26issuer%3DTea">
        html | <p>Or enter this key by hand:</p><p>Secret key: «216»</p>
        html | <img alt="QR" src="https://chart.googleapis.com/chart?chs=200&chl=otpauth://totp/Tea?secret=«232»">
        query | data=otpauth%3A%2F%2Ftotp%2FTea%3Fsecret%3D«232»
    """,
    "forms and pages": """
        html | <form><input type="password" name="field_7" value="«a24»"></form>
        html | <input value="«a12»" type=password>
        html | <input name="password" value="«a12»">
        html | <input type="hidden" name="csrf_token" value="«w40»">
        html | <input type='hidden' name='csrfmiddlewaretoken' value='«a64»'>
        html | <meta name="csrf-token" content="«a40»">
        html | <script>window.config = {apiKey: "«a32»", region: "eu"};</script>
        html | <script>var csrfToken = '«a32»';</script>
        html | <a href="/reset?token=«a24»">Reset</a>
        html | <form action="/login?session_token=«a24»" method="post"></form>
        html | <div data-csrf-token="«a24»"></div>
        html | <div data-api-key='«a24»'></div>
        html | <textarea name="private_key">«a40»</textarea>
        html | <button value="«a24»" name="token">Go</button>
        html | <script type="application/json">{"accessToken": "«a24»"}</script>
        xml | <login><user>ada</user><password>«a12»</password></login>
        xml | <wsse:Password Type="PasswordText">«a12»</wsse:Password>
        xml | <ns1:sessionId>«a24»</ns1:sessionId>
        xml | <add key="ApiKey" value="«a24»"/>
        xml | <property name="connection.password">«a12»</property>
        xml | <param><name>password</name><value><string>«a12»</string></value></param>
        xml | <dict><key>apiToken</key><string>«a24»</string></dict>
        xml | <user name="ada" password="«a12»"/>
        xml | <token>«a24»
        md | \\| user \\| password \\|\\n\\| --- \\| --- \\|\\n\\| ada \\| «a24» \\|\\n
        md | \\| Key \\| Value \\|\\n\\|---\\|---\\|\\n\\| API_KEY \\| «a24» \\|\\n
        md | Use `api_key=«a24»` here.
        md | **Password:** «a12»
        form | password=«a12»+«a6»&x=1
        form | note=Password%3A+«a12»%0AThanks
        form | about_me=My+API+key%3A+«a16»
        form | message=my+password+is+«a12»
        form | card=«=5105+1051+0510+5100»
        form | config=%7B%22password%22%3A%22«a12»%22%7D
        form | csrf_token=«w40»&name=ada
        form | authenticity_token=«b64»&commit=Go
        form | __RequestVerificationToken=«w80»
        form | _token=«a40»
        form | _csrf=«a36»
        form | credential=«a40»&g_csrf_token=«h16»
        form | token=«a24»&team_id=T0001&command=%2Fweather
    """,
    "names and values apart": """
        json | {"keys": ["«h64»", "«h64»"], "keys_base64": ["«{b43}=»"], "sealed": true}
        json | {"Operations": [{"op": "replace", "path": "password", "value": "«a24»"}]}
        json | [{"op": "replace", "path": "/password", "value": "«a24»"}]
        json | [{"op": "add", "path": "/users/5/apiKey", "value": "«a24»"}]
        json | [{"value": "«a24»", "path": "/client_secret", "op": "replace"}]
        json | [{"op": "add", "path": "/credentials", "value": {"password": "«a12»"}}]
        json | ["password", "«a12»"]
        json | [["user", "ada"], ["password", "«a12»"]]
        json | {"headers": [["Authorization", "Bearer «a24»"], ["Accept", "*/*"]]}
        json | {"headers": [{"name": "X-Api-Key", "value": "«a24»"}]}
        json | {"headers": {"authorization": "Bearer «a24»", "cookie": "session=«a24»"}}
        json | {"headers": {"Set-Cookie": ["sid=«a24»; Path=/; HttpOnly"]}}
        json | {"env": [{"name": "DB_PASSWORD", "value": "«a12»"}]}
        json | {"variables": [{"key": "API_TOKEN", "value": "«a24»", "protected": true}]}
        json | {"parameters": [{"ParameterKey": "DBPassword", "ParameterValue": "«a12»"}]}
        json | {"fields": [{"id": "password", "type": "CONCEALED", "value": "«a12»"}]}
        json | {"Name": "/prod/db/password", "Type": "SecureString", "Value": "«a12»"}
        json | {"settings": [{"label": "Client secret", "value": "«a24»"}]}
        json | {"attributes": [{"Name": "password", "Value": "«a12»"}]}
        json | {"password": {"value": "«a10»"}}
        json | {"password": ["«a12»"]}
        json | {"password": {"new": "«a12»", "old": "«a12»"}}
        json | {"secrets": {"stripe": "«a24»", "db": {"x": "«a24»"}}}
        json | {"credentials": {"username": "ada", "password": "«a12»"}}
        json | {"auth": {"username": "ada", "password": "«a12»"}}
        json | {"auth": "«a24»"}
        json | {"session": "«a24»"}
        json | {"cookies": {"sid": "«a24»"}}
        json | {"cookies": [{"name": "sessionid", "value": "«a24»", "domain": "example.org"}]}
        json | {"tokens": {"access": "«a24»", "refresh": "«a24»"}}
        json | {"token": {"id": "x", "value": "«a24»"}}
        json | {"tokens": ["«a24»"]}
        json | {"args": ["--token", "«a24»"]}
        json | {"query": "mutation { login(user: \\"ada\\", password: \\"«a12»\\") { id } }"}
        json | {"query": "mutation($p: String!) { x }", "variables": {"p": 1, "password": "«a12»"}}
        json | {"payload": "{\\"user\\": \\"ada\\", \\"password\\": \\"«a12»\\"}"}
        json | {"log": "POST /login user=ada password=«a12» 200"}
        json | {"curl": "curl -H 'Authorization: Bearer «a24»' https://example.org"}
        yaml | password: «a12»\\nuser: ada\\n
        yaml | password: >\\n  «a12»\\nuser: ada\\n
        yaml | api_key: "«a24»"\\n
        yaml | env:\\n  - name: DB_PASSWORD\\n    value: «a12»\\n
    """,
    "vendors' payloads": """
        json | {"object": "account_link", "url": "https://connect.stripe.com/setup/c/acct_1/«a20»", "expires_at": 1680578033}
        json | {"id": "pi_1", "object": "payment_intent", "client_secret": "pi_1_secret_«a25»"}
        json | {"id": "seti_1", "client_secret": "seti_1_secret_«a25»"}
        json | {"object": "checkout.session", "client_secret": "cs_test_a1«a40»_secret_«a30»"}
        json | {"object": "ephemeral_key", "secret": "ek_test_«a40»"}
        json | {"object": "webhook_endpoint", "secret": "whsec_«a32»"}
        json | {"encrypted_value": "«b40»", "key_id": "568250167242549743"}
        json | {"token": "gh|s_«a36»", "expires_at": "2026-07-11T22:14:10Z", "permissions": {"issues": "write"}}
        json | {"client_id": "Iv1.8a61f9b3a7aba766", "client_secret": "«h40»", "webhook_secret": "«h40»", "pem": "-----BEGIN RSA PRIVATE KEY-----\\n«b64»\\n-----END RSA PRIVATE KEY-----\\n"}
        json | {"response_url": "https://hooks.slack.com/commands/T0000/123456/«a24»"}
        json | {"response_url": "https://hooks.slack.com/actions/T0000/123456/«a24»"}
        json | {"token": "«a24»", "team_id": "T061EG9R6", "type": "event_callback"}
        json | {"ok": true, "access_token": "xox|b-«{d11}-{d11}-{a24}»", "bot_user_id": "U1"}
        json | {"trigger_id": "13345224609.738474920.x", "token": "«a24»"}
        json | {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}, "type": "Opaque", "data": {"config.yaml": "«a24»"}}
        json | {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "stringData": {"value": "«a24»"}}
        json | {"data": {"tls.key": "«b60»"}, "kind": "Secret"}
        json | {"kind": "List", "items": [{"kind": "Secret", "data": {"a": "«b24»"}}]}
        json | {"kind": "TokenRequest", "status": {"token": "«a24»", "expirationTimestamp": "2026-01-01T00:00:00Z"}}
        json | {"kind": "Config", "users": [{"name": "a", "user": {"token": "«a24»", "client-key-data": "«b40»"}}]}
        yaml | apiVersion: v1\\nkind: Secret\\nmetadata:\\n  name: x\\ndata:\\n  config.yaml: «b40»\\n
        yaml | apiVersion: v1\\nkind: Secret\\nstringData:\\n  value: «a24»\\n
        json | {"CiphertextBlob": "x", "Plaintext": "«b40»", "KeyId": "arn:aws:kms:eu:1:key/1"}
        json | {"KeyFingerprint": "x", "KeyMaterial": "«a24»", "KeyName": "y"}
        json | {"Credentials": {"AccessKeyId": "AS|IA«u16»", "SecretAccessKey": "«b40»", "SessionToken": "«b60»"}}
        json | {"SecretString": "{\\"username\\":\\"ada\\",\\"password\\":\\"«a12»\\"}", "Name": "prod/db"}
        json | {"authorizationData": [{"authorizationToken": "«b60»", "proxyEndpoint": "https://1.dkr.ecr"}]}
        json | {"AuthenticationResult": {"AccessToken": "«a24»", "IdToken": "«a24»", "RefreshToken": "«a24»", "TokenType": "Bearer"}}
        json | {"ChallengeName": "SMS_MFA", "Session": "«w60»", "ChallengeResponses": {"SMS_MFA_CODE": "«d6»"}}
        json | {"primaryKey": "«b40»", "secondaryKey": "«b40»"}
        json | {"primaryConnectionString": "Endpoint=sb://x.example.org/;SharedAccessKeyName=Root;SharedAccessKey=«b43»="}
        json | {"passwordCredentials": [{"secretText": "«a40»", "hint": "abc"}]}
        json | {"ticket": "https://login.auth0.com/lo/reset?ticket=«a24»#"}
        json | {"ticket": "https://tenant.auth0.com/lo/verify_email?ticket=«a32»#"}
        json | {"privateKeyData": "«b60»", "keyAlgorithm": "KEY_ALG_RSA_2048"}
        json | {"idToken": "«a40»", "localId": "x", "refreshToken": "«a40»", "expiresIn": "3600"}
        json | {"oobCode": "«w54»", "newPassword": "«a12»"}
        json | {"user_id": "9876", "user_hash": "«h64»"}
        json | {"sessionToken": "«w40»", "status": "SUCCESS", "stateToken": "«w40»"}
        json | {"status": "MFA_REQUIRED", "stateToken": "«w42»", "factorType": "token:software:totp"}
        json | {"link_token": "link-sandbox-«{h8}-{h4}-{h4}-{h12}»", "expiration": "2026-01-01T00:00:00Z"}
        json | {"public_token": "public-sandbox-«{h8}-{h4}-{h12}»"}
        json | {"STRIPE_KEY": "«a24»"}
        json | {"OPENAI_API_KEY": "«a24»", "DEBUG": "1"}
        json | {"keyphrase": "«a24»"}
        json | {"mnemonic": "legal winner thank year wave sausage worth useful legal winner «o8» yellow"}
        json | {"auth": "{\\"x\\":1}", "auths": {"ghcr.io": {"auth": "«b40»"}}}
        json | {"auth_token": "«h32»", "account_sid": "ACxxxx"}
        json | {"update_id": 1, "webhook": "https://api.telegram.org/bot«{d9}:AA{w33}»/x"}
        json | {"p256dh": "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA", "auth": "«w22»"}
        json | {"subscription": {"endpoint": "https://push.example.org/x", "keys": {"p256dh": "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA", "auth": "«w22»"}}}
        json | {"iceServers": [{"urls": "turn:turn.example.org", "username": "x", "credential": "«b27»="}]}
        json | {"room": "x", "participantToken": "«a40»"}
        json | {"upload_url": "https://s3.example.org/x?X-Amz-Signature=«h64»"}
        json | {"download": "https://storage.googleapis.com/b/o?GoogleAccessId=x&Signature=«a40»&Expires=1"}
        json | {"sasUrl": "https://x.blob.core.windows.net/c?sv=2022-11-02&sig=«a43»%3D"}
        json | {"card": {"number": "«=5105 1051 0510 5100»", "cvc": "«d3»"}}
        json | {"payment_method": {"card_number": "«d12»", "cvv": "«d3»"}}
        json | {"iban": "«a20»"}
        json | {"hashed_password": "«h64»"}
        json | {"passwordHash": "«a40»"}
    """,
    "mixed payloads": """
        json | {"error":"invalid_request","error_description":"Invalid code_verifier «a43»"}
        json | {"login":{"user":"ada","pass":"«a24»"}}
        json | {"data":{"createToken":{"token":"«a24»","expiresAt":"2026"}}}
        json | {"data": {"login": {"accessToken": "«a24»", "user": {"id": 1}}}}
        json | {"jsonrpc":"2.0","method":"personal_unlockAccount","params":{"passphrase":"«a12»"}}
        json | {"transaction": {"signedTx": "0x1", "privateKey": "0x«h64»"}}
        json | {"wallet":{"mnemonic":"«a24»"}}
        json | {"db":{"uri":"mongodb+srv://ada:«a12»@cluster0.example.net/app"}}
        json | {"DATABASE_URL":"postgres://ada:«a12»@db/app"}
        json | {"smtp": {"user": "ada", "pass": "«a16»"}}
        json | {"ssid": "home", "psk": "«a16»"}
        json | {"wifi": {"password": "«a10»"}}
        json | {"sessionId":"«a24»"}
        json | {"session": {"access_token": "«a24»"}}
        json | {"sid":"«a24»"}
        json | {"nonce":"«a24»"}
        json | {"X-Amz-Credential":"AK|IA«u16»/20260101/eu/s3/aws4_request"}
        json | {"fields":{"policy":"x","x-amz-signature":"«h64»"}}
        json | {"key":"«a32»"}
        json | {"api":{"key":"«a24»"}}
        json | {"apiKeys":[{"name":"ci","value":"«a24»"}]}
        json | {"api_keys": {"stripe": "«a24»"}}
        json | {"jwt": "«a24»"}
        json | {"authToken":"«a24»"}
        json | {"user":{"authentication_token":"«a20»"}}
        json | {"user":{"encrypted_password":"$2a$11$«a53»"}}
        json | {"reset_url":"https://example.org/password/reset/«a24»"}
        json | {"magic_link_token": "https://example.org/login/«=kHgTrEw|QzXcVbNsD»"}
        json | {"magic_link_token": "/login/«=qwkjhrtzx|cvbnmlkd»"}
        json | {"url":"https://example.org/accept-invite?token=«a24»"}
        json | {"verification_link": "https://example.org/verify/«a32»"}
        json | {"magicLink":"https://example.org/m/«a32»"}
        json | {"otp_code":"«d6»"}
        json | {"verificationCode":"«d6»"}
        json | {"smsCode": "«d6»"}
        json | {"confirmation_code": "«d6»", "username": "ada"}
        json | {"username":"ada","confirmationCode":"«d6»"}
        json | {"mfaCode":"«d6»"}
        json | {"passcode":"«d6»"}
        json | {"securityAnswer":"«a12»"}
        json | {"cardNumber":"=","cvv":"«d3»","pan":"«=4111111111111111»"}
        json | {"account_number":"«d10»","routing_number":"110000000"}
        json | {"ssn":"«{d3}-{d2}-{d4}»"}
        json | {"tls":{"privateKey":"-----BEGIN EC PRIVATE KEY-----\\n«b64»\\n-----END EC PRIVATE KEY-----"}}
        json | {"client_email":"x@y.iam.gserviceaccount.com","private_key_id":"«h40»","private_key":"-----BEGIN PRIVATE KEY-----\\n«b64»\\n-----END PRIVATE KEY-----\\n"}
        json | {"message":"login failed for token «a24»"}
        json | {"message":"Invalid API key provided: sk-«a8»«a24»"}
        json | {"message":"password=«a12» is wrong"}
        json | {"error":"Wrong password \\"«a12»\\" for ada"}
        json | {"error":"Invalid session id: «a24»"}
        json | {"text":"Your Tea verification code is: «d6»"}
        json | {"body":"<#> Your code is: «d6»\\nabcdefghijk"}
        json | {"Body":"«d6» is your Tea verification code."}
        json | {"content":"My password is «a12», please help"}
        json | {"op":"add","path":"/auth/token","value":"«a24»"}
        json | [{"op":"test","path":"/apiKey","value":"«a24»"},{"op":"copy","from":"/a","path":"/b"}]
        json | {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada","password":"«a10»"}
        json | {"Operations":[{"op":"Replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:password","value":"«a12»"}]}
        json | {"Operations":[{"op":"replace","value":{"password":"«a12»"}}]}
        json | {"kind":"Secret","apiVersion":"v1","data":{"a":"«b24»","b":"«b24»"},"type":"kubernetes.io/tls"}
        json | {"apiVersion":"v1","kind":"Secret","metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\\"apiVersion\\":\\"v1\\",\\"data\\":{\\"x\\":\\"«a24»\\"},\\"kind\\":\\"Secret\\"}"}}}
        json | {"spec":{"containers":[{"env":[{"name":"API_KEY","value":"«a24»"}]}]}}
        json | {"Environment":{"Variables":{"DB_PASSWORD":"«a12»","STAGE":"prod"}}}
        json | {"Parameters":[{"Name":"/app/token","Value":"«a24»"}]}
        json | {"environment":["DB_PASSWORD=«a12»","STAGE=prod"]}
        json | {"Env":["API_TOKEN=«a24»"]}
        json | {"auths":{"registry.example.org":{"username":"ada","password":"«a12»"}}}
        json | {"registration_token":"«w60»"}
        json | {"deviceToken":"«h64»"}
        json | {"fcm_token":"«w60»"}
        json | {"push":{"auth":"«w22»"}}
        json | {"stun":{"iceCredential":"«b27»="}}
        json | {"livekit":{"token":"«a40»"}}
        json | {"signedUrl":"https://x.example.org/a?Policy=1&Signature=«a40»&Key-Pair-Id=K1"}
        json | {"next":"https://graph.facebook.com/v1/me?access_token=«a60»&limit=25"}
        json | {"sas_token":"?sv=2022&sig=«a43»"}
        json | {"connectionString":"DefaultEndpointsProtocol=https;AccountName=x;AccountKey=«b86»==;EndpointSuffix=core.windows.net"}
        json | {"webhookUrl":"https://hooks.slack.com/services/T0/B0/«a24»"}
        json | {"webhook":"https://discord.com/api/webhooks/«d18»/«w68»"}
        json | {"ctx":{"input":{"password":"«a12»"}}}
        json | {"detail":[{"loc":["body","user","api_key"],"input":"«a16»","type":"x"}]}
        json | {"detail":[{"type":"int_parsing","loc":["body","pin"],"msg":"x","input":"«a16»"}]}
        json | {"errors":{"password":{"message":"too short","value":"«a12»"}}}
        json | {"errors":[{"message":"x","value":"«a12»","path":"password","type":"Validation error","instance":{"password":"«a12»"}}]}
        json | {"cause":{"token":"«a24»"},"causes":["x"]}
        json | ["access_token","«a24»"]
        json | [["Cookie","session=«a24»"]]
        json | {"headers":["Authorization: Bearer «a24»","Accept: */*"]}
        json | {"postData":{"params":[{"name":"password","value":"«a12»"}]}}
        json | {"postData":{"text":"user=ada&password=«a12»"}}
        json | {"queryString":[{"name":"token","value":"«a24»"}]}
        json | {"cookie":"session=«a24»; a=b"}
        json | {"request":{"cookies":{"csrftoken":"«a32»","sessionid":"«a32»"}}}
        form | utf8=%E2%9C%93&user%5Bemail%5D=a&user%5Bpassword%5D=«a12»&user%5Bpassword_confirmation%5D=«a12»
        form | log=ada&pwd=«a12»&wp-submit=Log+In
        form | csrf=«a32»&_csrf_token=«a32»
        form | login_code=«d6»
        form | verification_code=«d6»&phone=1
        form | otp%5B0%5D=«d6»
        form | username=ada&pass=«d6»
        form | two_factor_code=«d6»
        form | auth_code=«d6»
        form | recovery_code=«{a5}-{a5}»
        form | payload=%7B%22token%22%3A%22«a24»%22%7D
        form | q=mysql+-u+root+--password+«a12»
        form | cc_number=«=4111+1111+1111+1111»&exp=12
        form | note=iban+«=DE89+3704+0044+0532+0130+00»
        form | body=card+«=4111+1111+1111+1111»+please
        query | body=«=4111+1111+1111+1111»
        query | text=«=DE89370400440532013000»
        query | q=Session+ID%3A+«a16»
        query | q=API+key+«a32»
        query | code=«a30»&scope=email&authuser=0&prompt=none
        query | apiVersion=1&code=«w54»%3D%3D
        query | token=«d8»
        query | X-Plex-Token=«a20»
        query | signature=«h40»&timestamp=1
        query | sig=«h32»&v=1
        query | auth_key=«a16»
        query | h=1&hash=x&key=«a39»
        header | Referer: https://example.org/s?body=«=4111+1111+1111+1111»
        header | Referer: https://example.org/reset?cmd=x+--password+«a12»
        header | Referer: https://example.org/?q=API+key%3A+«a16»
        header | Referer: https://app.example.org/auth/callback#code=«a24»
        header | Referer: https://example.org/__/auth/action?mode=signIn&oobCode=«w54»&apiKey=AI|za«w35»
        header | Location: /login?ticket=ST-«{d4}-{a20}»
        header | X-Webhook-Signature: «h64»
        header | X-Signature-Ed25519: «h128»
        header | X-Line-Signature: «b43»=
        header | X-Amz-Date-Signature: «h64»
        header | Token: «a24»
        header | Secret: «a24»
        header | X-Token: «a24»
        header | Private-Token: «a20»
        header | Job-Token: «a20»
        header | X-User-Token: «a24»
        header | X-Client-Secret: «a24»
        header | X-Device-Token: «a24»
        header | Xero-Signature: «b43»=
        header | X-Parse-Session-Token: r:«h32»
        header | X-Parse-REST-API-Key: «a40»
        header | X-Parse-Master-Key: «a40»
        header | X-Algolia-API-Key: «h32»
        header | X-Cmc_pro_api_key: «{h8}-{h4}-{h4}-{h12}»
        header | X-Redmine-Api-Key: «h40»
        header | X-Emby-Token: «h32»
        header | X-Transmission-Session-Id: «a48»
        header | Mcp-Session-Id: «{h8}-{h4}-{h4}-{h12}»
        header | X-Kibana-Auth: «a24»
        header | X-Sentry-Auth: Sentry sentry_key=«h32», sentry_secret=«h32»
        header | X-Wsse: UsernameToken Username="ada", PasswordDigest="«b27»=", Nonce="«b22»", Created="2026"
        header | X-Authorization: Bearer «a24»
        header | X-Auth: «a24»
        header | X-Pin: «a24»
        header | Via-Token: «a24»
        header | X-Goog-Authenticated-User-Jwt: «a24»
        header | X-Requested-Token: «a24»
        header | Grpc-Metadata-Authorization: bearer «a24»
        header | Sec-Websocket-Protocol: graphql-ws, bearer, «a24»
        header | Sec-Websocket-Protocol: token, «a24»
        header | X-Ms-Client-Principal-Id-Token: «a24»
        header | Oauth-Token: «a24»
        header | X-Oauth-Client-Secret: «a24»
        header | X-Authy-Api-Key: «a24»
        header | X-Twitter-Webhooks-Signature: sha256=«b43»=
        header | Paypal-Transmission-Sig: «b80»
        header | Paddle-Signature: ts=1671552777;h1=«h64»
        header | X-Zm-Signature: v0=«h64»
        header | Stripe-Signature: t=1492774577,v1=«h64»,v0=«h64»
        text | HTTP Basic: Authorization: Basic «b24»
        text | Authorization: Digest username="a", realm="b", nonce="c", uri="/", response="«h32»", cnonce="d"
        text | Proxy-Authorization: Basic «b24»
        text | Wrong password "«a12»" for user ada
        text | Session ID: «a24» expired
        text | Failed: token '«a24»' not found
        text | token «a32» not found
        text | jwt=«a32»
        text | [debug] session_id=«a24» user=5
        text | [debug] sid=«a24»
        text | Set-Cookie: session=«a24»; HttpOnly
        text | config: {password: «a12», user: ada}
        text | "password" => "«a12»"
        text | Parameters: {"utf8"=>"x", "user"=>{"password"=>"«a12»"}}
        text | :password => '«a12»'
        text | Array\\n(\\n    [password] => «a12»\\n    [user] => ada\\n)\\n
        text | MultiDict([('token', '«a24»')])
        text | password='«a12»', user='ada'
        text | Bind for parameter :password = '«a12»'
        text | PG::UniqueViolation: ERROR:  duplicate key value violates unique constraint "index_users_on_reset_password_token"\\nDETAIL:  Key (reset_password_token)=(«a24») already exists.\\n
        text | UNIQUE constraint failed: users.token: «a24»
        text | MongoServerError: E11000 duplicate key error collection: db.users index: session_token_1 dup key: { session_token: "«a24»" }
        text | Failing row contains (1, «a24», null, 2026-01-01).
        text | api_key\\n  Value error, bad key [type=value_error, input_value='«a16»', input_type=str]\\n    For further information\\n
        text | {"loc": ["password"], "input": "«a12»"}
        text | otp: «d6»
        text | Your OTP: «d6»
        text | code: «d6» is your one-time code
        text | PIN: «a16»
        text | Your security code is: «d6». It expires in 10 minutes.
        text | Enter this code: «d6»
        text | Passwort: «a12» (bitte ändern)
        text | Neues Passwort: «a12»
        text | Votre mot de passe est «a12».
        text | Ваш пароль: «a12»
        text | Su contraseña es: «a12»
        text | 您的密码是：«a12»
        text | パスワード: «a12»
        text | Sua senha: «a12»
        text | La tua password: «a12»
        text | Uw wachtwoord: «a12»
        text | Ditt lösenord: «a12»
        text | Din adgangskode er: «a12»
        text | Mật khẩu: «a12»
        text | Kata sandi: «a12»
        text | Vaše heslo: «a12»
        text | Şifreniz: «a12»
        html | <input type="hidden" name="session" value="«a24»">
        html | <input name=token value=«a24»>
        html | <meta name="sid" content="«a24»">
        html | <td>API key</td><td><code>«a16»</code></td>
        html | <li>Password: <strong>«a12»</strong></li>
        html | <input id="id_otp" name="otp" type="text" value="«d6»">
        html | <script>window.__STATE__={"csrfToken":"«a32»","user":null}</script>
        html | <script nonce="«a24»">x()</script>
        html | <body data-session="«a32»">
        html | <img src="otpauth://totp/x?secret=«232»">
        html | <p>Your secret: <code>«216»</code></p>
        xml | <soap:Header><wsse:Nonce>«b24»</wsse:Nonce><wsse:Password>«a12»</wsse:Password></soap:Header>
        xml | <value name="apiKey">«a24»</value>
        xml | <methodCall><params><param><value><string>login</string></value></param></params></methodCall><member><name>password</name><value>«a12»</value></member>
        xml | <connectionString>Server=x;Password=«a12»;</connectionString>
        xml | <auth token="«a24»"/>
        yaml | secret:\\n  value: «a24»\\n
        yaml | users:\\n- name: a\\n  user:\\n    token: «a24»\\n
        yaml | api_key: «a24» # for tests\\n
        yaml | private_key: |\\n  -----BEGIN PRIVATE KEY-----\\n  «b64»\\n  -----END PRIVATE KEY-----\\n
        yaml | password: |\\n  «a12»\\n
        path | /reset/ey|J«a24».ey|J«a24».«a24»
    """,
    "text of protocols": """
        text | Authorization: Digest username="Mufasa", realm="x", nonce="y", uri="/", response="«a24»", opaque="z"
        text | authorization: Bearer «a24»
        text | > Authorization: Basic «b24»\\n> Accept: */*
        text | Cookie: sessionid=«a24»; theme=dark
        text | Set-Cookie: sid=«a24»; Path=/; HttpOnly
        text | X-Api-Key: «a24»
        text | "X-Auth-Token": "«a24»",
        text | -H 'X-Api-Key: «a24»'
        text | curl -u ada:«a12» https://example.org
        text | mysql --password «a12»
        text | export API_TOKEN=«a24»
        text | API_KEY='«a24»'
        text | {"level":"info","headers":{"authorization":"Bearer «a24»"}}
        text | 127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET /reset?token=«a24» HTTP/1.1" 200 12 "-" "curl/8"
        text | GET /reset?token=«a24» resets it.
        text | Visit https://example.org/verify?token=«a24» to go on.
        text | <https://example.org/verify?token=«a24»|Verify>
        text | sessionid=«a24»
        text | session_id: «a24»
        text | key=«a24»
        text | Signature: «a40»
    """,
    "names around": r"""
        json | {"session": {"id": "«h32»", "user": "ada"}}
        json | {"data": {"session": {"_id": "«w32»", "expires": "2024-05-01"}}}
        json | {"auth": {"token": {"id": "«h32»", "methods": ["password"]}}}
        json | {"verify": {"code": "«d6»", "channel": "sms"}}
        json | {"api": {"key": "«a24»"}}
    """,
    "tables": r"""
        csv | user,password,token\nada,«a12»,«a32»\nbob,«a12»,«a32»\n
        csv | "user";"password"\n"ada";"«a12»"\n
        csv | id,email,password_hash,api_key\r\n1,a@b.c,«h40»,«a32»\r\n
        csv | email,password\na@b.c,"«{a6}, {a6}»"\n
        json | {"file": "user\tAPI key\nada\t«a32»\n"}
        html | <table><tr><th>User</th><th>Password</th></tr><tr><td>ada</td><td><code>«a12»</code></td></tr></table>
        md | User | Token\n---|---\nada | «a24»
    """,
    "separators": r"""
        text | Password -> «a12»
        text | password → «a12»
        text | token ⇒ «a24»
        json | {"note": "User\tada\nPassword\t«a12»\n"}
        query | $filter=token%20eq%20'«a24»'
        text | パスワードは「«a12»」です
        text | 비밀번호는 «a12»입니다
        text | 密码是«a12»
        text | Ihr Passwort lautet: «a12»
        text | La tua password è: «a12»
        text | Twoje hasło to: «a12»
        text | Ditt lösenord är: «a12»
        text | Ваш новый пароль — «a12»
        text | รหัสผ่านของคุณคือ «a12»
        text | Parola ta este: «a12»
        text | Ο κωδικός σας: «a12»
        json | {"message": "Incorrect API key provided: «a24». You can find your API key at https://a.b."}
        json | {"error": "Invalid value '«a12»' for field 'password'"}
        json | {"sql": "SELECT * FROM users WHERE token IN ('«a24»', '«a24»') AND api_key LIKE '«a24»%'"}
        xml | <entry><string>password</string><string>«a12»</string></entry>
        header | Www-Authenticate: Negotiate «b64»
        query | invite=«a24»&x=1
        json | {"2fa_code": "«d6»", "challenge": {"code": "«d6»"}}
        json | {"headers": {"Sec-WebSocket-Protocol": "«a24»", "X-JFrog-Art-Api": "«a24»"}}
    """,
    "dumps of PHP": r"""
        text | array(2) {\n  ["user"]=>\n  string(3) "ada"\n  ["password"]=>\n  string(12) "«a12»"\n}\n
        text | array(1) { ["token"]=> string(24) "«a24»" }
        html | <pre>object(User)#3 (2) {\n  ["name":protected]=>\n  string(3) "ada"\n  ["password":protected]=>\n  string(12) "«a12»"\n  ["token":"User":private]=>\n  string(24) "«a24»"\n}</pre>
        text | Array\n(\n    [user] => ada\n    [password] => «a12»\n    [apiKey:User:private] => «a24»\n)\n
        text | array (\n  'user' => 'ada',\n  'password' => '«a12»',\n)\n
        text | a:2:{s:4:"user";s:3:"ada";s:8:"password";s:12:"«a12»";}
    """,
    "password words with endings": r"""
        text | Nie podano hasła: «a12»
        text | Введите пароля: «a12»
        text | salasanasi: «a12»
        text | Vaše hesla: «a12»
        text | A jelszavad: «a12»
        text | parolanız: «a12»
        text | Adgangskoden: «a12»
        text | Lozinku: «a12»
        text | slaptažodžio: «a12»
        text | parooli: «a12»
        text | κωδικού: «a12»
        text | wachtwoorden: «a12»
        text | Pasahitza: «a12»
        text | পাসওয়ার্ড: «a12»
        text | كلمة المرور الخاصة بك: «a12»
        text | mật khẩu của bạn: «a12»
        json | {"hasla": "«a12»", "nota": 1}
        form | salasanasi=«a12»&x=1
    """,
    "codes in messages": r"""
        json | {"Body": "Your Shop verification code is: «d6»", "To": "+491511234567"}
        json | {"text": "Dein Bestätigungscode lautet: «d6»"}
        json | {"text": "Votre code de vérification est «d6»"}
        json | {"text": "Tu código de verificación es «d6»"}
        json | {"Message": "Use code «d6» to log in"}
        json | {"text": "Your Shop code: «d4». Never share it."}
        text | 您的验证码是«d6»，请勿泄露
        text | 【Shop】验证码：«d6»，5分钟内有效
        text | 인증번호 [«d6»]를 입력하세요
    """,
    "tokens of letters": r"""
        text | key gsk_|«L52» used
        text | figd_|«L40»
        text | LTAI|«L20»
        json | {"key": "rnd_|«L28»"}
        text | gsk_|«o52»
        text | apify_api_|«L36»
    """,
    "paths": r"""
        path | /api/token/«a32»
        path | /users/password/edit/«w20»
        path | /verify-email/«a40»
        path | /invite/«a32»
        path | /join/«a24»
        path | /unsubscribe/x/«h40»
        path | /webhooks/incoming/«a32»
        path | /session/«h32»
        header | Sec-WebSocket-Protocol: bearer, «a32»
    """,
    "what a blind look missed": r"""
        form | note=Use+«d6»+to+verify+your+account&b=1
        form | note=Your+security+code+is%3A+«d6».+It+expires+in+10+minutes.&b=1
        text | OTP for your transaction of INR 4,500.00 is «d6». Do not share.
        json | {"clientState": "«a24»", "changeType": "updated"}
        json | {"scaAuthenticationData": "«d6»"}
        json | {"activationLockBypassCode": "«a4»-«a5»-«a5»"}
        json | {"revocation_code": "R«d5»"}
        json | {"sessionInfo": "x", "code": "«d6»"}
        json | {"note": "Authorization: Splunk «h8»-«h4»-«h4»-«h12»"}
        text | Authorization: SSWS «w42»
        text | jdbc:oracle:thin:scott/«a12»@//db:1521/ORCL
        text | The token is 1/1200000000000001:«h32»
        text | snyk_uat.h.«{w20}7{w30}»
        path | /services/T0123456A/B0123456A/«a24»
        path | /webhookb2/«h8»-«h12»@«h8»/IncomingWebhook/«h32»/x
        path | /share/«{a20}7{a12}»
    """,
    "logins and vaults": r"""
        form | user=ada&pass=«a12»
        form | username=ada&pass=«=sunshine»
        form | email=ada%40example.org&pass=«=letmein»
        json | {"username": "ada", "pass": "«=sunshine»"}
        form | current_pass=«a12»&new_pass=«a12»
        form | username=ada&password=«a12»&g-recaptcha-response=«w100»
        json | {"login": "ada", "pass": "«a12»"}
        json | {"PIN": "«d4»", "phone": "+491511"}
        json | {"rawHeaders": ["Host", "a.b", "X-Auth-Token", "«a24»", "Accept", "*/*"]}
        json | {"args": ["--token", "«a24»", "--verbose"]}
        json | {"domain": [["password", "=", "«a12»"]]}
        json | {"answers": [{"question": "Password", "answer": "«a12»"}]}
        json | {"name": "projects/1/secrets/db/versions/1", "payload": {"data": "«b40»"}}
        json | {"value": "«a24»", "id": "https://myvault.vault.azure.net/secrets/db/4387e9f3d6e14c459867679a90fd0f79"}
    """,
    "words between a name and its value": r"""
        text | Client secret value: «{a20}7{a11}»
        text | Mot de passe temporaire : «{a5}7{a6}»
        text | Пароль доступу: «{a5}7{a6}»
        text | Use this API key to sign in: «{a20}7{a11}»
        text | Password of the account: "«{a5}7{a6}»".
        text | Guest password: «{a5}7{a6}» (for visitors only)
        text | mysqldump -u root --password=«{a5}7{a6}» --databases shop
    """,
    "names that end with pass or pin": r"""
        json | {"ftp_user": "ada", "ftp_pass": "«{a5}7{a6}»", "host_pin": "«d6»"}
        json | {"backup": {"storagePass": "«{a5}7{a6}»"}, "current_pass": "«{a5}7{a6}»"}
        form | cardPin=«d4»&ccv=«=3217»&voicemail_pin=«d6»
    """,
    "values in fields, blocks and links": r"""
        html | <tr><td>Secret key</td><td><input type="text" readonly value="«{a20}7{a9}»"></td></tr>
        html | <label for="k">API token</label> <input id="k" value="«{a20}7{a9}»">
        yaml | registry:\n  token: >-\n    «{a20}7{a9}»\n  host: example.org\n
        json | {"track2": "«=4111111111111111=27121010000012300000»"}
        path | /password_resets/«{a12}7{a12}»/edit
        path | /webhook/«{a12}7{a12}»
        header | Location: https://app.example.org/set-password/«{a12}7{a12}»
        text | Set the password for ada to «{a5}7{a6}».
        json | {"detail": "Could not verify code «d6» of ada@example.org"}
        json | {"errors": [{"dataPath": ".password", "data": "«{a5}7{a3}»", "message": "should NOT be shorter"}]}
    """,
    "names in other words": r"""
        json | {"userpwd": "«{a5}7{a6}»", "unseal_keys_b64": ["«{a20}7{a22}»="], "vnp_SecureHash": "«h64»"}
        json | {"text": "Hallo, dein Anmeldecode ist «d6»."}
        json | {"text": "Код для входа: «d6». Никому его не сообщайте"}
        json | {"message": "User ada tried password «{a5}7{a6}» and failed"}
        text | connecting with {user: 'ada', pass: '«{a5}7{a6}»', host: 'db'}
        text | Das Passwort lautet «{a5}7{a6}»
        text | La contraseña es «{a5}7{a6}»
        form | amount=20&tan=«d6»
        json | {"labels": {"token": "«{a20}7{a9}»"}, "errors": {"password": "«{a5}7{a6}»"}}
    """,
    "keys with blanks and structures in text": r"""
        json | {"Recovery Code": "«{a5}7{a6}»", "Secret Key": "«{a20}7{a9}»", "Setup key": "«{C4}7{C4}»"}
        text | user = {'password': {'first': '«{a5}7{a6}»', 'old': '«{a5}7{a6}»'}}
        json | {"card_pass": "«{a5}7{a6}»", "current_password": "Open the door 7 times please«a6»"}
    """,
    "quoted in a sentence": r"""
        json | {"errors": {"token": ["«{a20}7{a9}» is not a valid token"]}}
        json | {"api_key": "The key «{a20}7{a9}» is wrong."}
        text | The password for ada is «{a5}7{a6}»
        query | AWSAccessKeyId=7&Expires=1141889120&Signature=/«{a20}7{a5}»%3D
    """,
    "phrases of words": r"""
        text | Seed phrase: «=lamp orbit velvet tunnel pepper garden ripple anchor mango quiz hover least»
        json | {"mnemonic": "«=about lamp orbit velvet tunnel pepper garden ripple anchor mango quiz must»", "network": "test"}
        json | {"wallet": {"seed": "«=lamp orbit velvet tunnel pepper garden ripple anchor mango quiz hover open again only this»"}}
    """,
    "told by the keys beside": r"""
        json | {"errors": [{"source": {"pointer": "/data/attributes/password"}, "title": "Invalid", "meta": {"value": "«{a5}7{a3}»"}}]}
        json | {"violations": [{"propertyPath": "plainPassword", "title": "Too short.", "parameters": {"{{ value }}": "\"«{a5}7{a3}»\"", "{{ limit }}": "8"}}]}
        json | {"card": {"number": "4111111111111111", "exp_month": 8, "exp_year": 2027, "code": "«d3»"}}
        json | {"number": "4242 4242 4242 4242", "expiry": "12/27", "code": "«d3»", "holder": "Ada"}
        json | {"gift_card": {"code": "«{u4}-{u4}-{u4}-{u4}»", "pin": "«d6»", "balance": 50}}
        json | {"wifi": {"ssid": "Home", "psk": "«a12»", "security": "wpa2"}}
        json | {"outputs": {"connection": {"value": "«a24»", "type": "string", "sensitive": true}}}
        json | {"key": "MY_THING", "value": "«a12»", "variable_type": "env_var", "masked": true}
        json | {"name": "MY_THING", "value": "«a12»", "isSecret": true}
        json | {"credentials": [{"type": "password", "value": "«a14»", "temporary": false}]}
        json | {"type": "secret_text", "name": "MY_THING", "text": "«a24»"}
        json | {"resources": [{"type": "random_password", "name": "db", "values": {"length": 16, "result": "«a16»"}}]}
        json | {"type": "random_password", "name": "db", "instances": [{"attributes": {"id": "none", "result": "«a16»"}}]}
        json | {"violations": [{"propertyPath": "plainPassword", "invalidValue": "«a10»", "message": "This value is too short."}]}
        json | {"errors": [{"propertyName": "Password", "attemptedValue": "«a10»", "errorMessage": "Too short."}]}
        json | {"scratch_codes": [«d8», «d8»]}
        json | {"key": "DEPLOY", "value": "«a14»", "secured": true}
        json | {"object": "challenge", "code": "«d6»", "authentication_factor": {"type": "totp"}}
    """,
    "names and queries of services": r"""
        query | state=af0ifjsldkj&session_state=«h40»
        json | {"token_type": "Bearer", "session_state": "«{h8}-{h4}-{h4}-{h4}-{h12}»"}
        json | {"source_id": "«cn|on:{a18}»", "amount_money": {"amount": 1000}}
        json | {"stream_key": "«{h8}-{h4}-{h4}-{h4}-{h12}»", "status": "idle"}
        json | {"encoded_jit_config": "«a40»"}
        json | {"Cmd": ["redis-server", "--requirepass", "«a14»"]}
        json | {"reset_url": "https://app.example.org/reset?t=«w43»"}
        header | X-Honeycomb-Team: «a22»
        header | X-Vercel-Protection-Bypass: «a32»
        header | X-Trello-Webhook: «b27»=
        json | {"opaqueData": {"dataDescriptor": "COMMON.ACCEPT.INAPP.PAYMENT", "dataValue": "«b80»"}}
        json | {"pfx": "«b120»", "alias": "web"}
        json | {"rpcauth": "ada:«h32»$«h64»"}
        json | {"wif": "«5K{a49}»"}
        json | {"seed_hex": "«h64»"}
        json | {"puk1": "«d8»"}
        json | {"salt": "b2f9", "verifier": "«h256»"}
        header | X-Ovh-Consumer: «a32»
        query | appid=«h32»&q=London
        query | db=shop&u=ada&p=«a12»
        query | id=17&first_name=Ada&auth_date=1662771648&hash=«h64»
    """,
    "said in a sentence": r"""
        text | Please log in with password «{a6}7{a5}» and change it.
        text | Use the name ada and the password «{a6}7{a5}» to sign in.
        text | Use «d6» to verify your account
        text | Your authentication code is «{d3} {d3}»
        text | Your login PIN: «d6»\nValid for 10 minutes.
        json | {"message": "The session «{a20}7{a11}» has expired"}
        text | Cannot insert duplicate key row in object 'dbo.ApiKeys' with unique index 'IX_ApiKeys_Key'. The duplicate key value is («a32»).
        text | Código de acceso: «d6»
        text | Ihr Sicherheitscode: «d6»
        json | {"username": "ada", "mfa": "«d6»"}
        form | username=ada&password=«a10»&mfa=«d6»
        text | Ihre TAN lautet «d6»
    """,
    "rows of tables in JSON": r"""
        json | {"columns": ["user", "password"], "rows": [["ann", "«{a6}7k»"], ["bob", "«{a9}2x»"]], "total": 2}
        json | {"rows": [[1, "«{a6}7k»"], [2, "«{a9}2x»"]], "columns": ["id", "api_token"]}
        json | {"fields": ["id", "api_token", "name"], "data": [[1, "«a20»", "x"], [2, "«a20»", "y"]]}
        json | [["user", "password"], ["ann", "«{a6}7k»"], ["bob", "«{a9}2x»"]]
        json | {"results": [{"columns": ["u.name", "u.password"], "data": [{"row": ["ann", "«{a9}2x»"], "meta": [null, null]}]}]}
        json | {"series": [{"name": "logins", "columns": ["time", "session_id"], "values": [[1, "«a20»"]]}]}
    """,
    "keys of clouds": r"""
        json | {"keys": [{"keyName": "key1", "value": "«{b43}=»", "permissions": "FULL"}, {"keyName": "key2", "value": "«{b43}=»"}]}
        json | {"key1": "«h32»", "key2": "«h32»"}
        json | {"keyName": "primary", "keyValue": "«{b43}=»"}
        query | Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-west-2:123456789012:orders&Token=«h40»
        json | {"SubscribeURL": "https://sns.example.com/?Action=Confirm&TopicArn=arn:aws:sns:us-west-2:1:orders&Token=«h40»"}
    """,
    "keys in files and QR codes": r"""
        any | WIFI:T:WPA;S:Guests;P:«a9»;;
        json | {"qr": "WIFI:S:Home;T:WPA2;P:«a12»;H:false;;"}
        text | x|prv«a107»
        json | {"root": "x|prv«a107»", "path": "m/44'/0'"}
        text | PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\n«b48»\nPrivate-MAC: «h64»\n
    """,
    "push messages": r"""
        json | {"endpoint": "https://fcm.googleapis.com/fcm/send/«{w11}:{w60}»", "expirationTime": null}
        json | {"endpoint": "https://updates.push.services.mozilla.com/wpush/v2/«w80»"}
        json | {"endpoint": "https://web.push.apple.com/«w60»"}
        json | {"to": "ExponentPushToken[«a22»]", "title": "hello", "body": "world"}
        json | {"registration_ids": ["«{w22}:APA91{w134}»"]}
    """,
    "elements within elements": r"""
        xml | <auth><token>«a16»</token><expires>2026-01-01</expires></auth>
        xml | <Credentials><UserName>ann</UserName><Password>«a8»</Password></Credentials>
        xml | <AssumeRoleResult><Credentials><SessionToken>«a40»</SessionToken><Expiration>2026-07-15T23:28:33Z</Expiration></Credentials></AssumeRoleResult>
        xml | <wsse:UsernameToken><wsse:Username>ann</wsse:Username><wsse:Password Type="PasswordText">«a8»</wsse:Password></wsse:UsernameToken>
        xml | <password><value>«a8»</value><hint>of your dog</hint></password>
    """,
    "shown a second time": r"""
        json | {"node": {"text": "«=Q7KD2|MWZ9XLP4TBN8V»", "context": {"secret": "«=Q7KD2|MWZ9XLP4TBN8V»"}}, "kind": "totp"}
        json | {"checkout_token": "«=4f1c9a|7be03d52e8»", "page": "https://shop.example.org/orders/«=4f1c9a|7be03d52e8»/thanks"}
        json | {"variables": {"newPassword": "«=kx7|Tr2»", "confirm": "«=kx7|Tr2»"}, "operationName": "Change"}
        form | reset_token=«=q7Kd2m|Wz9xLp4TbN8v»&back=%2Freset%2F«=q7Kd2m|Wz9xLp4TbN8v»
        text | session_id=«=q7Kd2m|Wz9xLp4TbN8v» opened\nrow «=q7Kd2m|Wz9xLp4TbN8v» was written
    """,
    "keys typed by hand": r"""
        json | {"qr": "data:,", "manual_entry_key": "«{24} {24} {24} {24}»"}
        json | {"setupKey": "«{216}»"}
        json | {"pushers": [{"app": "mail", "pushkey": "«b44»"}]}
        form | To=%2B4930901820&Code=«d6»
        json | {"creditCard": {"expirationDate": "2030-12", "cardCode": "«d3»"}}
        xml | <merchantAuthentication><name>shop</name><transactionKey>«a16»</transactionKey></merchantAuthentication>
        json | {"webhook_url": "https://flows.example.org/webhook/«h32»/run"}
        json | {"linkCode": "«w43»", "preAuthSessionId": "«w43»"}
        html | <p>Use this code to sign in: <b>«d6»</b></p>
        json | {"message": "\\"password\\" with value \\"«a7»\\" fails to match the required pattern"}
        text | "user.pin_password" with value "«a7»" is too short
        path | /bot«{d9}:AA{w32}»/getUpdates
    """,
    "keys and tokens in other languages": r"""
        any | Clé d'API : «a32»
        any | API-Schlüssel: «a32»
        any | Clave de API: «a32»
        any | Chave de API: «a32»
        any | Chiave API: «a32»
        any | Klucz API: «a32»
        any | Ключ API: «a32»
        any | APIキー: «a32»
        any | Секретный ключ: «a32»
        any | Jeton d'accès : «a32»
        text | Пароль користувача: «=tea|Pot42»
        text | Токен: «a32»
        text | 访问令牌：«a32»
        text | 密钥: «a32»
        text | 秘密鍵: «a32»
        text | アクセストークン: «a32»
        text | 토큰: «a32»
        text | Geheimnis: «a24»
        text | Zugangscode: «a8»
        text | Codice di accesso: «a8»
        form | korisnik=ada&zaporka=«=tea|Pot42»
        json | {"jeton": "«a24»"}
    """,
    "names of a service": r"""
        json | {"cavv": "«{b27}=»", "eci": "05"}
        json | {"invite_code": "«a24»"}
        json | {"securityStamp": "«u32»"}
        json | {"signed_request": "«{w43}.{w80}»"}
        xml | <AccessRequest><AccessLicenseNumber>«h16»</AccessLicenseNumber></AccessRequest>
        header | X-Wp-Nonce: «=6b4af3|903f»
        query | _wpnonce=«=6b4af3|903f»&action=edit
        query | hdnts=exp=1700000000~acl=/*~hmac=«h64»
        json | {"ical": "https://calendar.example.org/ical/ada/private-«h32»/basic.ics"}
        json | {"hook": "https://maker.example.org/trigger/door/with/key/«w22»"}
        html | <tr><th>Client secret</th><td>«a40»</td></tr><tr><th>Created</th><td>2024-06-01</td></tr>
        path | /users/confirmation/«a32»
        path | /auth/magic-link/«w43»
        path | /api/v1/invitations/«h40»/accept
    """,
    "codes in other languages": r"""
        text | Seu código de verificação é «d6»
        text | Doğrulama kodunuz: «d6»
        text | Din verifieringskod är «d6»
        text | Mã xác minh của bạn là «d6»
        text | Jouw code is «d6»
        text | Vahvistuskoodi: «d6»
        json | {"codigo_verificacion": "«d6»", "codigo_postal": "28001"}
        json | {"Geheimzahl": "«=48|21»", "Kontonummer": "«d10»"}
        form | wifi_ssid=Home&wifi_psk=«=tea|Pot42»
    """,
    "codes of devices": r"""
        json | {"pairing": {"setupCode": "«{d3}-{d2}-{d3}»", "manualPairingCode": "«d11»"}}
        json | {"unlock_code": "«d8»", "imei": "490154203237518"}
        json | {"alarm_code": "«d4»", "zone": "garage"}
        json | {"appid": "wx1", "js_code": "«a32»"}
        header | X-Pin: «d6»
        query | bewit=«w80»&name=report
    """,
    "changes": r"""
        json | {"changes": [{"field": "password", "old": "«=old|Pw123»", "new": "«=new|Pw456»"}, {"field": "email", "old": "a@b.c"}]}
        json | {"attribute": "x", "name": "api_token", "oldValue": "«a24»", "newValue": "«a24»"}
        json | {"routing_key": "«h32»", "event_action": "trigger"}
        json | {"storepass": "«=tea|Pot42»", "alias": "web"}
    """,
    "for whom a secret is": r"""
        text | generated a temporary password for ada: «=Kx7|pQ9z»
        text | API key for Stripe: «a24»
        text | SET PASSWORD FOR 'ada'@'localhost' = '«=tea|Pot42»';
        text | Passwort für den Gast: «=Kx7|pQ9z»
    """,
    "quoted in messages": r"""
        text | User validation failed: password: Path `password` (`«=tea|Pot42»`) is shorter than 12.
        text | user: ada, pass: «=tea|Pot42»
        text | Subject: «d6» is your Shop code
        text | Dial-in PIN: «d6»
        text | Door code: «d4»
        text | ansible_become_pass: «=tea|Pot42»
        json | {"access": "«a40»", "refresh": "«a40»"}
        json | {"totp": {"type": "totp", "seed": "«224»"}}
        text | invalid token '«=x9k2»' for user ann
        text | bad password "«=7hu2»"
    """,
}


class Case(NamedTuple):
    """One payload."""

    kind: str
    place: str
    template: str
    record: Record
    secrets: tuple[str, ...]


_OUTLINE = re.compile("«([^»]*)»")
_BAR = re.compile(r"(?<=\w)\|(?=[\w«])")
_ANY = {
    "text": "At noon {}\nAll is well.",
    "json": '{{"note": "{}"}}',
    "form": "note={}&b=1",
    "query": "note={}&b=1",
    "header": "X-Note: {}",
}
_QUOTE: dict[str, Callable[[str], str]] = {
    "text": str, "header": str, "json": lambda text: json.dumps(text)[1:-1], "form": quote_plus, "query": quote_plus,
}  # fmt: skip


def plant_payload(place: str, payload: str) -> Record:
    """Return a record with a payload in its place."""
    if place == "query":
        return make_record(query_params=payload)
    if place == "path":
        return make_record(path=payload)
    if place == "header":
        name, _, value = payload.partition(": ")
        return make_record(request_headers=((name, value),))
    kind = KINDS[place]
    return make_record(request_body=payload.encode(), request_headers=(("Content-Type", kind),))


def split_lines(table: str) -> Iterator[tuple[str, str]]:
    """Split a table into places and payloads."""
    for line in table.strip().splitlines():
        place, _, payload = line.strip().partition(" | ")
        yield place, payload if place == "json" else _undo(payload)


def _undo(payload: str) -> str:
    return payload.replace(r"\|", "|").replace(r"\n", "\n").replace(r"\r", "\r").replace(r"\"", '"')


def documented_payloads() -> Iterator[Case]:
    """Make each payload with secrets of its own."""
    for kind, table in PAYLOADS.items():
        for place, template in split_lines(table):
            secrets: list[str] = []
            payload = _OUTLINE.sub(_make_filler(f"{kind} {template}", secrets), _BAR.sub("", template))
            for where, around in (_ANY if place == "any" else {place: ""}).items():
                text = around.format(_QUOTE[where](payload)) if around else payload
                yield Case(kind, where, template, plant_payload(where, text), tuple(secrets))


def _make_filler(seed: str, secrets: list[str]) -> Callable[[re.Match[str]], str]:
    random_ = random.Random(f"{SEED} {seed}")

    def fill(match: re.Match[str]) -> str:
        outline = match[1]
        if outline.startswith("="):
            secrets.append(outline[1:])
        else:
            secrets.append(draw(outline if "{" in outline else f"{{{outline}}}", random_))
        return secrets[-1]

    return fill
