"""Payloads without secrets as public documentation prints them: what people open a record for.

A line is a place and a payload, as in `documented`; ``‹n›``, ``‹w›``, ``‹d›``, ``‹i›`` and ``‹h›`` stand for
a number, a word, a date, an id and a digest, which differ from one variation to the next.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from flask_tracking import Record

from .documented import SEED, plant_payload, split_lines
from .shapes import draw

PAYLOADS: dict[str, str] = {
    "validation errors": """
        json | {"password": ["This password is too short. It must contain at least ‹n› characters.", "This password is too common."], "email": ["Enter a valid email address."]}
        json | {"errors": {"password": ["Field must be at least ‹n› characters long."], "csrf_token": ["The CSRF token is missing."], "pin": ["Not a valid integer value."]}}
        json | {"errors": {"password_confirmation": ["doesn't match Password"], "password": ["can't be blank", "is too short (minimum is ‹n› characters)"]}}
        json | {"errors": {"password": ["The password field is required."], "api_token": ["The api token has already been taken."]}, "message": "The given data was invalid."}
        json | {"detail": [{"type": "missing", "loc": ["body", "password"], "msg": "Field required", "input": null, "url": "https://errors.pydantic.dev/2.5/v/missing"}]}
        json | {"detail": [{"loc": ["header", "x-token"], "msg": "field required", "type": "value_error.missing"}, {"loc": ["query", "code"], "msg": "none is not an allowed value"}]}
        json | {"non_field_errors": ["Unable to log in with provided credentials."]}
        json | {"token": ["This field is required."], "detail": "Authentication credentials were not provided."}
        json | {"code": "token_not_valid", "detail": "Given token not valid for any token type", "messages": [{"token_class": "AccessToken", "token_type": "access", "message": "Token is invalid or expired"}]}
        json | {"error": "invalid_grant", "error_description": "The provided authorization code is invalid, expired or revoked"}
        json | {"error": "invalid_client", "error_description": "Client authentication failed: unknown client_secret"}
        json | {"message": "Bad credentials", "documentation_url": "https://docs.example.org/rest", "status": "401"}
        json | {"error": {"code": 401, "message": "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.", "status": "UNAUTHENTICATED"}}
        json | {"error": {"code": "invalid_api_key", "message": "Incorrect API key provided.", "type": "invalid_request_error", "param": null}}
        json | {"errors": [{"field": "password", "code": "too_short", "message": "Password must have at least ‹n› characters"}, {"field": "token", "code": "required", "message": "is required"}]}
        json | {"title": "Invalid token", "type": "about:blank", "status": 401, "detail": "The access token expired", "instance": "/orders/‹n›"}
        json | {"errors": [{"instancePath": "/password", "schemaPath": "#/properties/password/minLength", "keyword": "minLength", "params": {"limit": ‹n›}, "message": "must NOT have fewer than ‹n› characters"}]}
        json | {"error": "CSRF token missing or incorrect.", "csrf": "The CSRF session token is missing."}
        json | {"violations": [{"propertyPath": "plainPassword", "message": "This value should not be blank.", "code": "c1051bb4-d103-4f74-8988-acbcafc7fdc3"}]}
        json | {"errors": {"Password": ["Passwords must have at least one non alphanumeric character.", "Passwords must have at least one digit ('0'-'9')."]}, "traceId": "00-‹h›-1"}
        json | {"success": false, "error-codes": ["missing-input-secret", "invalid-input-response"]}
        json | {"auth": {"error": "Session expired", "retry": true}, "session": null, "token": null, "otp": false}
    """,
    "near a secret": """
        text | Passwords of old accounts: removed. Secret Garden hotel: room ‹n›.\\nPassword reset code sent to: ada7@example.org\\nAPI key limit: ‹n›
        json | {"errors": [{"source": {"pointer": "/data/attributes/password"}, "title": "Invalid", "meta": {"limit": "‹n›", "hint": "‹w›7‹w›"}}]}
        json | {"violations": [{"propertyPath": "email", "parameters": {"{{ value }}": "ada7@example.org", "{{ limit }}": "‹n›"}}]}
        json | {"key": "please enter your name and then press the button below"}
        json | {"secrets": [{"ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:Shop-a1b2c3", "Name": "Shop"}]}
        json | {"boarding_pass": "A12", "day_pass": "T100", "gpio_pin": 13, "tests_pass": ‹n›, "first_pass": "2024a", "bypass": "x1"}
        json | {"tags": ["password", "2fa"], "secrets": ["list", "get"], "config": {"Env": ["GPG_KEY=‹h›"]}}
        html | <label>Show password</label> <input type="checkbox" value="1"> <label>Password</label><input type="submit" value="Log in now">
        text | Settings > API key: Show\\nSet the password option to true\\nif (form.password.value !== form.password2.value)
        md | \\| Name \\| Meaning \\|\\n\\| --- \\| --- \\|\\n\\| secret \\| shown once \\|\\n
        json | {"labels": {"password": "Kennwort", "secret_answer": "Geheime Antwort"}, "placeholders": {"api_key": "sk-..."}}
        json | {"rules": {"password": ["required", "min:8"], "api_key": "nullable"}, "types": {"password": "varchar(255)", "token": "char(36)"}}
        json | {"validators": [{"password": "min:‹n›|max:64|confirmed"}], "regex": {"password": "^(?=.*[A-Z])(?=.*[0-9]).{8,}$", "token": "[a-f0-9]{32}"}}
        json | {"diff": {"password": "changed", "secret": "removed"}, "example": {"api_key": "YOUR_API_KEY"}, "api_key_expiring": "weekly", "tan": 12}
        js | export default {props:{password:{type:String,required:true}},data(){return{secret:"",pin:null}}}
        html | <td>Token</td><td>expires in ‹n› days</td><td>Secret</td><td>rotated yesterday</td>
        json | {"Recovery Code": "Pemulihan Kod", "Show Recovery Codes": "Tunjuk kod", "password.letters": "Deve contenere almeno una lettera."}
        json | {"password": "Rhaid i'r maes gynnwys un llythyren.", "Confirm Password": "Ndrysho fjalën", "current_password": "বর্তমান পাসওয়ার্ড"}
        yaml | bn:\\n  password: পাসওয়ার্ড\\n  new_password: নতুন পাসওয়ার্ড\\naz:\\n  password: Şifrə\\n  confirm_password: Şifrənin təsdiqi\\n
        json | {"payment_details": {"credit_card_number": "XXXX-XXXX-XXXX-4242"}, "card": {"card_number": "•••• •••• •••• 1"}}
        json | {"billing.session": {"customer": "cus_QXg1o8vcGmoR32", "created": ‹n›}, "session_uuid": "bc0a20bb-9f09-4116-b3f8-709def3a89df"}
        json | {"tokenWindow": "P30D", "lastPasswordVerification": "2025-09-22T07:00:55.000Z"}
        md | The answer:\\n```\\n"token": {"bank_account": {"ifsc": "HDFC0001233", "beneficiary_mobile": "9123456780"}, "form": "https://example.org/i/exdIzYN"}\\n```\\n
        text | Public-Key-Pins: pin-sha256="r5EfzZxQVvQpKo3AgYRaT7X2bDO/kj3ACwmxfdT2zt8="; max-age=60
        header | Sec-Websocket-Key: dGhlIHNhbXBsZSBub25jZQ==
    """,
    "schemas": """
        json | {"components": {"schemas": {"User": {"type": "object", "required": ["email", "password"], "properties": {"email": {"type": "string", "format": "email"}, "password": {"type": "string", "format": "password", "minLength": ‹n›, "description": "At least ‹n› characters"}, "token": {"type": "string", "readOnly": true, "example": "string"}}}}}}
        json | {"components": {"securitySchemes": {"api_key": {"type": "apiKey", "name": "api_key", "in": "header"}, "bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}, "shop_auth": {"type": "oauth2", "flows": {"implicit": {"authorizationUrl": "https://shop.example.org/oauth/authorize", "tokenUrl": "https://shop.example.org/oauth/token", "scopes": {"write:pets": "modify pets in your account", "read:pets": "read your pets"}}}}}}, "security": [{"api_key": []}, {"shop_auth": ["write:pets"]}]}
        json | {"openapi": "3.1.0", "paths": {"/token": {"post": {"summary": "Get a token", "operationId": "login_for_access_token_token_post", "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/Body_login_token_post"}}}}, "responses": {"200": {"description": "Successful Response"}}}}, "/users/{user_id}/password": {"put": {"tags": ["password"], "parameters": [{"name": "session_id", "in": "cookie", "required": false, "schema": {"type": "string", "title": "Session Id"}}]}}}}
        json | {"Body_login_token_post": {"properties": {"grant_type": {"anyOf": [{"type": "string", "pattern": "password"}, {"type": "null"}], "title": "Grant Type"}, "username": {"type": "string", "title": "Username"}, "password": {"type": "string", "title": "Password"}, "client_secret": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Client Secret"}}, "type": "object", "required": ["username", "password"], "title": "Body_login_token_post"}}
        json | {"swagger": "2.0", "securityDefinitions": {"Bearer": {"type": "apiKey", "name": "Authorization", "in": "header", "description": "JWT Authorization header using the Bearer scheme"}, "basicAuth": {"type": "basic"}}}
        json | {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"apiKey": {"type": "string", "pattern": "^[a-z0-9]{32}$"}, "secret": {"$ref": "#/definitions/secretRef"}, "tokens": {"type": "array", "items": {"type": "string"}}}}
        json | {"data": {"__schema": {"types": [{"kind": "OBJECT", "name": "AuthPayload", "fields": [{"name": "token", "type": {"kind": "SCALAR", "name": "String"}}, {"name": "password", "description": "The password of the user", "defaultValue": null}]}]}}}
        json | {"fields": [{"name": "password", "type": "password", "label": "Password", "required": true, "placeholder": "Enter your password"}, {"name": "pin", "type": "number", "label": "PIN", "maxLength": ‹n›}]}
        json | {"actions": {"POST": {"password": {"type": "string", "required": true, "read_only": false, "label": "Password", "max_length": 128}, "token": {"type": "field", "required": false, "read_only": true, "label": "Token"}}}}
        json | {"type": "record", "name": "Login", "fields": [{"name": "session", "type": "string"}, {"name": "auth_method", "type": {"type": "enum", "symbols": ["PASSWORD", "OTP", "SSO"]}}]}
        json | {"mappings": {"properties": {"password": {"type": "keyword", "index": false}, "session": {"type": "keyword"}, "token": {"type": "text", "analyzer": "standard"}}}}
        json | {"columns": [{"name": "password", "type": "VARCHAR(255)", "nullable": false}, {"name": "api_token", "type": "VARCHAR(80)", "default": null}], "indexes": [{"name": "users_api_token_unique", "columns": ["api_token"]}]}
        yaml | paths:\\n  /login:\\n    post:\\n      parameters:\\n        - name: password\\n          in: formData\\n          required: true\\n          type: string\\n          description: The password for login in clear text\\n
        yaml | components:\\n  securitySchemes:\\n    apiKey:\\n      type: apiKey\\n      in: header\\n      name: X-API-Key\\n
        yaml | type: object\\nproperties:\\n  password:\\n    type: string\\n    description: Must have a digit.\\n  token:\\n    type: string\\n
        text | type Query { me(token: String!): User }\\ntype Mutation { login(email: String!, password: String!): AuthPayload }\\n
        text | message LoginRequest { string user = 1; string password = 2; string token = 3; }\\n
        text | CREATE TABLE users (id SERIAL PRIMARY KEY, email TEXT NOT NULL, password VARCHAR(128) NOT NULL, session_key CHAR(40));
    """,
    "API answers": """
        json | {"id": "cs_test_a1‹i›", "object": "checkout.session", "amount_total": ‹n›, "currency": "eur", "customer": "cus_‹i›", "payment_status": "unpaid", "status": "open", "success_url": "https://shop.example.org/success?session_id={CHECKOUT_SESSION_ID}"}
        json | {"id": "evt_1‹i›", "object": "event", "api_version": "2024-04-10", "data": {"object": {"id": "ch_3‹i›", "object": "charge", "payment_method_details": {"card": {"brand": "visa", "checks": {"address_line1_check": null, "cvc_check": "pass"}, "exp_month": 8, "last4": "4242", "network_token": {"used": false}, "authorization_code": null}}}}, "request": {"id": "req_‹i›", "idempotency_key": "‹w›-‹n›"}, "type": "charge.succeeded"}
        json | {"id": "pm_1‹i›", "card": {"brand": "visa", "fingerprint": "‹i›", "wallet": {"type": "apple_pay"}}, "sepa_debit": {"last4": "3000"}, "setup_intent": "seti_1‹i›", "authorization": "iauth_1‹i›", "verification_session": "vs_1‹i›"}
        json | {"session": {"browser": "Chrome", "device": "Mobile", "platform": "iOS", "version": "1"}, "ip_address_location": {"city": "Berlin"}}
        json | {"action": "opened", "number": ‹n›, "pull_request": {"id": ‹n›, "node_id": "PR_kwDO‹i›", "title": "Rotate the session token: part ‹n›", "head": {"ref": "fix-token-refresh", "sha": "‹h›"}, "body": "Fixes the password reset. See the secret scanning docs."}, "sender": {"login": "ada", "id": ‹n›}}
        json | {"permissions": {"secrets": "read", "organization_secrets": "read", "secret_scanning_alerts": "write", "contents": "read", "pull_requests": "write"}, "events": ["push", "secret_scanning_alert"]}
        json | {"total_count": 1, "secrets": [{"name": "DEPLOY_KEY", "created_at": "‹d›", "updated_at": "‹d›", "visibility": "all"}]}
        json | {"security_and_analysis": {"secret_scanning": {"status": "enabled"}, "secret_scanning_push_protection": {"status": "disabled"}}, "allow_auto_merge": false}
        json | {"number": ‹n›, "state": "open", "secret_type": "github_personal_access_token", "secret_type_display_name": "GitHub Personal Access Token", "push_protection_bypassed": false}
        json | {"sha": "‹h›", "commit": {"message": "Fix token: refresh it before it expires (#‹n›)", "verification": {"verified": false, "reason": "unsigned", "signature": null, "payload": null}}}
        json | {"hook": {"type": "Repository", "events": ["push"], "config": {"content_type": "json", "insecure_ssl": "0", "secret": "********"}}}
        json | {"order": {"id": ‹n›, "name": "#‹n›", "token": null, "payment_details": {"credit_card_bin": "424242", "avs_result_code": "Y", "cvv_result_code": "M", "credit_card_company": "Visa", "credit_card_expiration_month": 12, "credit_card_name": "Ada"}, "source_name": "web", "discount_codes": [{"code": "SPRING‹n›", "amount": "5.00"}], "total_price": "12.50"}}
        json | {"products": [{"sku": "A-‹n›", "gtin": "4907521779605", "variant": 39072891339644, "price": "12.50"}]}
        json | {"ok": false, "error": "invalid_auth", "warning": "missing_charset", "response_metadata": {"next_cursor": "dXNlcjpVMDYxTkZUVDI=", "messages": ["[ERROR] token not found"]}}
        json | {"ok": true, "channel": "C012AB3CD", "ts": "1405894322.002768", "message": {"text": "Reset my password: how does that work?", "type": "message", "bot_id": "B1", "client_msg_id": "‹w›"}}
        json | {"type": "view_submission", "view": {"state": {"values": {"pin_block": {"pin": {"type": "plain_text_input", "value": "Vienna"}}}}, "private_metadata": "", "title": {"type": "plain_text", "text": "Password help"}}}
        json | {"id": "chatcmpl-‹i›", "model": "gpt-4o", "choices": [{"index": 0, "logprobs": {"content": [{"token": "Hello", "logprob": -0.31, "bytes": [72], "top_logprobs": [{"token": "Hi", "logprob": -1.31}, {"token": " secret", "logprob": -2.5}, {"token": "123", "logprob": -5.5}]}]}, "message": {"role": "assistant", "content": "A password: should be long."}}], "usage": {"prompt_tokens": ‹n›, "completion_tokens": ‹n›, "total_tokens": ‹n›, "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0}, "prompt_tokens_details": {"cached_tokens": ‹n›}}}
        json | {"model": "x", "max_tokens": ‹n›, "max_output_tokens": 99, "max_completion_tokens": 77, "n_tokens": 5, "eos_token": "</s>", "pad_token": "<pad>", "pad_token_id": 50256, "stop_token": "END", "budget_tokens": 10000, "bos_token": "<s>", "unk_token": "[UNK]", "mask_token": "[MASK]"}
        json | {"usage": {"input_tokens": ‹n›, "cache_creation_input_tokens": 0, "cache_read_input_tokens": ‹n›, "output_tokens": ‹n›, "output_tokens_details": {"reasoning_tokens": 3}}, "thinking": {"type": "enabled", "budget_tokens": 2048}, "stop_reason": "max_tokens"}
        json | {"tokens": ["Hello", "world", "##ing", "2024"], "token_ids": [15496, 995], "token_type_ids": [0, 0], "special_tokens_mask": [1, 0]}
        json | {"sentences": [{"tokens": [{"index": 1, "word": "the", "originalText": "the", "lemma": "the", "pos": "DET", "ner": "O"}, {"token": "tea", "lemma": "tea"}]}]}
        json | {"tokens": [{"token": "brown", "start_offset": 4, "end_offset": 9, "type": "<ALPHANUM>", "position": 1}]}
        json | {"tokens_remaining": ‹n›, "token_bucket": {"capacity": 100}, "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-limit-tokens": 150000, "rate_limit": {"key": "ip", "limit": 60}}
        json | {"token": "USDC", "tokens": [{"symbol": "WETH", "decimals": 18, "address": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "tokenSymbol": "WETH", "tokenName": "Wrapped Ether"}], "token_price": "1.00"}
        json | {"rows": [{"session": ‹n›, "pageviews": 5}], "session_duration": 55, "sessions_per_user": 1.2, "sessionDefaultChannelGroup": "Organic Search", "sessionSource": "google", "bounceRate": 0.3}
        json | {"session": "Keynote", "sessions": [{"title": "Morning track", "speaker": "Ada", "room": "B‹n›", "start": "‹d›"}], "session_type": "talk"}
        json | {"pass": "completed", "pass_yards": ‹n›, "passes": 3, "passing": {"attempts": 30}, "key_passes": 4}
        json | {"pass": {"name": "Day pass", "price": 55, "valid_from": "‹d›"}, "boarding_pass": {"gate": "A12", "seat": "14C"}, "season_pass": "none"}
        json | {"pin": {"lat": 48.2, "lng": 16.3, "label": "Vienna"}, "pins": [{"id": ‹n›, "title": "Teapot"}], "pinned": true, "pin_color": "red"}
        json | {"pin": 13, "mode": "OUTPUT", "pins": {"sda": 21, "scl": 22}, "pinout": "GPIO13"}
        json | {"signature": "def add(a: int, b: int) -> int", "docstring": "Add", "email_signature": "Best regards, Ada Lovelace", "signature_required": true, "signatures": 3}
        json | {"signatures": [{"label": "add(a, b)", "parameters": [{"label": "a"}], "activeParameter": 0}], "sign": "Leo", "zodiac_sign": "Aries", "road_sign": "stop"}
        json | {"auth": {"enabled": true, "type": "oauth2", "realm": "internal", "title": "Sign in", "provider": "google"}, "auth_mode": "sso", "auth_provider": "okta"}
        json | {"auth_results": {"spf": "pass", "dkim": "fail", "dmarc": "pass"}, "authentication_results": "mx.example.org; spf=pass; dkim=fail"}
        json | {"authorization_status": "approved", "preauthorization": "none", "prior_authorization": "required", "authorization": "pending", "authorizations": ["read", "write"]}
        json | {"tokens": {"color": {"primary": {"$value": "#336699", "$type": "color"}, "accent": "#ff00aa"}, "space": {"small": "4px"}}, "design-token": "color.primary"}
        json | {"password_policy": {"min_length": ‹n›, "require_symbols": true, "max_age_days": 90, "history": 5}, "password_strength": 3, "password_last_changed": "2024-05-01T00:00:00Z", "password_changed_at": "2024-05-02", "last_password_change": "2024-05-03", "pwd_last_set": "2024-05-03T10:00:00Z"}
        json | {"PasswordPolicy": {"MinimumPasswordLength": ‹n›, "RequireSymbols": true, "ExpirePasswords": false, "PasswordReusePrevention": 24, "HardExpiry": false}}
        json | {"has_password": true, "password_set": "yes", "password_hint": "pet name", "password_reset_required": false, "password_enabled": "on", "must_change_password": false, "two_factor_enabled": true, "two_factor_authentication": false, "otp_required_for_login": true, "mfa_enabled": true, "mfa": "optional"}
        json | {"Version": "2012-10-17", "Statement": [{"Sid": "AllowPublicRead", "Effect": "Allow", "Action": ["s3:GetObject", "secretsmanager:GetSecretValue", "kms:Decrypt"], "Resource": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}]}
        json | {"UserId": "AIDA‹i›", "Arn": "arn:aws:iam::123456789012:user/ada", "PasswordLastUsed": "‹d›", "AccessKeyMetadata": [{"UserName": "ada", "Status": "Active", "CreateDate": "‹d›"}]}
        json | {"ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf", "Name": "prod/db/password", "SecretVersionsToStages": {"‹w›": ["AWSCURRENT"]}, "RotationEnabled": true, "Description": "The database password"}
        json | {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "‹w›", "labels": {"app": "tea"}}, "spec": {"automountServiceAccountToken": false, "serviceAccountName": "default", "sessionAffinity": "ClientIP", "imagePullSecrets": [{"name": "registry"}], "volumes": [{"name": "creds", "secret": {"secretName": "db-credentials", "defaultMode": 420}}], "containers": [{"env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}], "envFrom": [{"secretRef": {"name": "x‹n›-secret"}}], "volumeMounts": [{"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "name": "kube-api-access-‹w›"}]}]}}
        json | {"kind": "Status", "status": "Failure", "message": "secrets \\"db\\" is forbidden: User \\"ada\\" cannot get resource \\"secrets\\" in API group \\"\\" in the namespace \\"default\\"", "reason": "Forbidden", "details": {"name": "db", "kind": "secrets"}, "code": 403}
        json | {"rules": [{"apiGroups": [""], "resources": ["secrets", "serviceaccounts/token"], "verbs": ["get", "list"]}]}
        json | {"issuer": "https://id.example.org", "authorization_endpoint": "https://id.example.org/connect/authorize", "token_endpoint": "https://id.example.org/connect/token", "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"], "check_session_iframe": "https://id.example.org/connect/check_session", "end_session_endpoint": "https://id.example.org/connect/end_session", "id_token_signing_alg_values_supported": ["RS256", "ES256"], "response_types_supported": ["code", "code id_token", "id_token token"], "code_challenge_methods_supported": ["S256"], "dpop_signing_alg_values_supported": ["ES256"], "grant_types_supported": ["authorization_code", "refresh_token", "password"], "pushed_authorization_request_endpoint": "https://id.example.org/par"}
        json | {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "‹w›", "e": "AQAB", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"}]}
        json | {"credit_card": {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030}, "card_type": "credit", "cvv_match": "M", "payment_token_type": "network"}
        json | {"token_id": 17, "scope": "read", "token_type": "Bearer", "expires_in": 3600, "refresh_expires_in": 0, "not-before-policy": 0}
        json | {"active": true, "scope": "read write", "client_id": "web", "username": "ada", "token_type": "Bearer", "exp": 1419356238, "sub": "Z5O3upPC88QrAjx00dis", "aud": "https://api.example.org"}
        json | {"sessionStorage": {"theme": "dark"}, "cookieConsent": "all", "cookie_policy_version": "3", "cookies": {"necessary": true, "marketing": false}, "cookies_accepted": "2024-05-01", "cookie": "chocolate chip"}
        json | {"key": "name", "value": "Ada", "keys": ["name", "email"], "sort_key": "created_at", "cache_key": "users/‹n›-20240501", "keyboard": "qwerty", "s3_key": "uploads/2024/05/photo‹n›.jpg", "key_signature": "C major"}
        json | {"Records": [{"s3": {"bucket": {"name": "photos", "arn": "arn:aws:s3:::photos"}, "object": {"key": "uploads/2024/05/photo‹n›.jpg", "size": ‹n›, "eTag": "‹h›", "sequencer": "0055AED6DCD90281E5"}}}]}
        json | {"issues": [{"id": "10‹n›", "key": "TEA-‹n›", "fields": {"summary": "Password reset mail is late", "status": {"name": "Open"}, "labels": ["auth", "session"]}}]}
        json | {"code": ‹n›, "message": "Not found", "codes": [404, 500], "error_code": "E‹n›", "country_code": "DE", "postal_code": "10115", "currency_code": "EUR", "status_code": 200, "zip_code": "94107", "promo_code": "SPRING25"}
        json | {"code": "print('hello')", "language": "python", "source_code": "def f(): pass", "barcode": "4006381333931", "qr_code": "https://example.org/q/‹n›", "code": "ABC-123"}
        json | {"ticket": {"id": ‹n›, "subject": "Cannot log in: password rejected", "status": "open", "priority": "high"}, "tickets": 5, "ticket_url": "https://help.example.org/tickets/‹n›", "ticket_form": "Password help"}
        json | {"nonce": 42, "difficulty": "0x1", "blockHash": "0x‹h›", "gas": "21000"}
        json | {"assertion": "x equals 5", "assertions": [{"name": "status is 200", "passed": true}], "hmac": "sha256", "psk": false}
        json | {"secret_santa": {"name": "Ada"}, "top_secret": false, "secrets_count": ‹n›, "secret_name": "db-main"}
        json | {"credentials": "include", "mode": "cors", "withCredentials": true, "credentialsMode": "same-origin", "credential_type": "password"}
        json | {"credentials": [{"type": "password", "createdDate": ‹n›, "userLabel": "My password", "temporary": false}], "requiredActions": ["UPDATE_PASSWORD", "CONFIGURE_TOTP"], "otpPolicyType": "totp", "otpPolicyAlgorithm": "HmacSHA1", "otpPolicyDigits": 6, "passwordPolicy": "length(8) and digits(1)"}
        json | {"grants": [{"authorization": "arn:aws:iam::123456789012:role/admin", "auth_type": "IAM"}], "api_key_required": true, "apiKeySource": "HEADER"}
        json | {"data": {"type": "tokens", "id": "‹n›", "attributes": {"name": "CI token", "last_used_at": null, "expires_at": "‹d›", "abilities": ["read"]}}}
        json | {"invoice": {"id": "in_1‹i›", "number": "F-‹n›", "lines": [{"description": "API key management", "amount": ‹n›}], "payment_intent": "pi_3‹i›", "hosted_invoice_url": null}}
        json | {"event": "message", "data": {"user_id": ‹n›, "text": "The token: it is in my mail", "sentiment": "neutral"}}
        json | {"features": {"password_login": true, "magic_link": false, "sso": {"saml": true}, "otp": true, "passkeys": "beta", "api_keys": "enabled"}, "plan": "pro"}
        json | {"traces": [{"traceId": "‹h›", "spanId": "b7ad6b7169203331", "name": "POST /login", "attributes": {"http.route": "/token", "session.id": "‹n›", "enduser.auth": "basic"}}]}
        json | {"menu": [{"label": "Change password", "url": "/account/password", "icon": "ico-key-‹n›"}, {"label": "API tokens", "url": "/account/tokens"}]}
        json | {"emails": [{"template": "password_reset", "subject": "Reset your password", "opened": true}, {"template": "verification_code", "subject": "Your code"}]}
        json | {"audit": [{"action": "user.password.changed", "actor": "ada", "at": "‹d›"}, {"action": "token.revoked", "target": "token ‹n›"}, {"action": "secret.rotated", "target": "db-main"}]}
        json | {"workflow": {"name": "Deploy", "inputs": {"token": {"description": "The GitHub token", "required": true, "default": "${{ github.token }}"}}, "secrets": "inherit"}}
        json | {"variables": [{"key": "region", "value": "eu-central-1"}, {"key": "replicas", "value": "3"}], "env": [{"name": "PORT", "value": "8080"}, {"name": "PASSWORD_FILE", "value": "/run/secrets/db"}]}
        json | {"parameters": [{"name": "token", "in": "query", "description": "A page token"}, {"name": "key", "value": "sort"}], "nextPageToken": null, "pageToken": ""}
        json | [["name", "value"], ["session", "keynote"], ["token", "USDC"], ["password", "required"]]
        json | [{"op": "replace", "path": "/title", "value": "Password help"}, {"op": "remove", "path": "/token"}, {"op": "test", "path": "/password/required", "value": true}]
    """,
    "translations": """
        json | {"login": {"password": "Passwort", "passwordPlaceholder": "Passwort eingeben", "forgotPassword": "Passwort vergessen?", "token": "Zugangsschlüssel"}}
        json | {"auth.login.title": "Welcome back", "session.expired.message": "Your session has expired", "password.reset.success": "Your password was changed.", "auth.failed": "Wrong user name or password"}
        json | {"password": "Password", "confirm_password": "Confirm password", "new_password": "New password", "api_key": "API key", "secret": "Secret", "token": "Token", "otp": "One-time code", "pin": "PIN"}
        json | {"password": "Mot de passe", "confirm_password": "Confirmer le mot de passe", "api_key": "Clé d'API", "token": "Jeton", "secret": "Secret partagé"}
        json | {"password": "Contraseña", "confirm_password": "Confirmar contraseña", "api_key": "Clave de API", "token": "Ficha", "palabras_clave": "té verde"}
        json | {"password": "パスワード", "confirm_password": "パスワードの確認", "token": "トークン", "api_key": "APIキー"}
        json | {"password": "密码", "confirm_password": "确认密码", "token": "令牌", "secret": "密钥"}
        json | {"password": "Пароль", "confirm_password": "Подтвердите пароль", "token": "Токен", "forgot_password": "Забыли пароль?"}
        json | {"password": "كلمة المرور", "confirm_password": "تأكيد كلمة المرور", "token": "رمز"}
        json | {"password": "Wachtwoord", "password_confirmation": "Wachtwoord bevestigen", "password_mismatch": "De wachtwoorden komen niet overeen"}
        json | {"en": {"errors": {"password_too_short": "Password is too short", "invalid_token": "Invalid token", "secret_required": "Enter the secret"}}, "de": {"errors": {"password_too_short": "Das Passwort ist zu kurz", "invalid_token": "Ungültiges Token"}}}
        json | {"passwordRules": ["At least ‹n› characters", "One digit", "One symbol"], "passwordHelp": {"title": "Password help", "body": "Use a long password: three words are better than one."}}
        json | {"settings": {"tokens": {"heading": "Access tokens", "create": "Create token", "empty": "You have no tokens yet."}, "secrets": {"heading": "Secrets"}}}
        text | login.password=Password\\nlogin.password.hint=Enter your password\\nlogin.token=Token\\nsession.title=Session ‹n›\\n
        text | msgid "Password"\\nmsgstr "Passwort"\\n\\nmsgid "Invalid token"\\nmsgstr "Ungültiges Token"\\n
        text | Missing translation: Network.errors.connectionTimedOutPleaseTryAgain
        xml | <resources><string name="password">Password</string><string name="password_hint">Enter your password</string><string name="token">Token</string></resources>
        yaml | en:\\n  devise:\\n    passwords:\\n      no_token: You can't access this page without coming from a password reset email.\\n      updated: Your password has been changed successfully.\\n
        yaml | en:\\n  activerecord:\\n    attributes:\\n      user:\\n        password: Password\\n        password_confirmation: Confirm password\\n
        yaml | de:\\n  login:\\n    password: Passwort\\n    forgot_password: Passwort vergessen?\\n    token: Token\\n
    """,
    "pages": """
        html | <!doctype html><html><head><title>Sign in</title></head><body><form method="post"><label for="password">Password</label><input type="password" id="password" name="password" autocomplete="current-password" placeholder="Your password" required><input type="hidden" name="next" value="/orders/‹n›"><button>Sign in</button></form><p>Forgot your password?</p></body></html>
        html | <i class="ico-arrow-right-24px"></i><svg class="ico-shopping-cart-2"></svg><span class="icon-key-‹n›"></span>
        html | <p>Cookies: we use cookies to improve your experience.</p><p>Session: Morning track, room ‹n›</p>
        html | <label>Password: <input type="password" name="password" minlength="‹n›"></label><small>Password: at least ‹n› characters.</small>
        html | <ul class="errorlist"><li>password<ul><li>This password is too common.</li></ul></li></ul>
        html | <table><tr><th>Token</th><td>USDC</td></tr><tr><th>Session</th><td>Keynote</td></tr></table>
        html | <h2 id="password-reset">Password reset</h2><p>We sent you a link. The token: it is valid for ‹n› hours.</p>
        html | <nav><a href="/account/password">Change password</a> <a href="/docs/api-keys">API keys</a> <a href="/auth/login?next=/cart">Sign in</a></nav>
        html | <script>const { token, user } = useSession(); if (!token) location = "/login";</script>
        html | <script src="/static/auth.‹n›.js"></script><link href="/static/session.css" rel="stylesheet"><meta name="keywords" content="password, token, secret">
        html | <p>Usage: login &lt;user&gt; &lt;password&gt;</p><p>It says my password: is that case-sensitive?</p>
        html | <details><summary>Secret: how we make tea</summary><p>With care.</p></details>
        html | <input type="password" name="password" value=""><input name="csrf_token" type="hidden" value=""><select name="auth"><option value="ldap">LDAP</option></select>
        css | .ico-chevron-left-16{width:16px}.password-field{color:#336699}.token:hover{color:red}.auth-form__input--error:before{content:"!"}
        css | :root{--token-color-primary:#336699;--session-gap:4px}.secret::after{content:"hidden"}input[type=password]{letter-spacing:2px}
        css | .pln{color:#000}.token.comment,.token.prolog{color:slategray}.token.string{color:#690}
        js | const { token, user } = useSession();\\nif (token === undefined) return redirect('/login');\\n
        js | export const PASSWORD_MIN_LENGTH = ‹n›;\\nexport function validatePassword(password) { return password.length >= PASSWORD_MIN_LENGTH; }\\n
        js | const schema = z.object({ email: z.string().email(), password: z.string().min(‹n›), token: z.string().optional() });\\n
        js | fetch(url, { credentials: "include", headers: { "X-CSRFToken": getCookie("csrftoken") } });\\n
        js | this.password = password;\\nthis.session = new Session();\\nlet token = await getToken();\\n
        md | ## Authentication\\n\\nSend your token: it goes into the `Authorization` header.\\n\\nPasswords: use at least ‹n› characters.\\n
        md | \\| Option \\| Default \\|\\n\\|---\\|---\\|\\n\\| password \\| none \\|\\n\\| session \\| required \\|\\n
        md | Set `API_KEY` to your API key. The `token` parameter is optional.\\n
        xml | <entry><summary>The secret: practice</summary><title>Session ‹n›: tea</title></entry>
        xml | <rss><channel><item><title>How to choose a password</title><description>Your password: long, unique.</description></item></channel></rss>
        xml | <xs:element name="password" type="xs:string"/><xs:element name="token" type="xs:token"/>
        xml | <fault><faultcode>Client</faultcode><faultstring>Invalid session: please log in</faultstring></fault>
    """,
    "logs and tracebacks": """
        text | Error: session: expired, please log in again
        text | Can't log in, it says my password: is that case-sensitive?
        text | origin\\tssh://git@gitlab.com/group/project.git (fetch)\\n
        text | System.TypeLoadException: Could not load type 'Windows.System.ConnectionManagerFactoryProvider'
        text | InvalidOperationException: Unable to resolve service for type 'WebApp.Models.CustomerNotificationPreferencesRepository'
        text | Caused by: Warehouse.orders.InsufficientInventoryForOrderException\\n\\tat com.example.auth.TokenService.refresh(TokenService.java:‹n›)\\n
        text | aio_connection_timeout_seconds=30\\nnfp_change_employment_2024.csv\\n/docs/REST-API-versioning-2024\\nSee API-reference-v2-guide
        text | class Login(BaseModel):\\n    username: str\\n    password: SecretStr = Field(min_length=8)\\n    token: str | None = None\\n
        text | Traceback (most recent call last):\\n  File "/app/auth.py", line ‹n›, in login\\n    user = check(username=username, password=password)\\n  File "/app/tokens.py", line ‹n›, in check\\n    token = session.get("token")\\nKeyError: 'token'\\n
        text | sqlalchemy.orm.exc.DetachedInstanceError: Instance <Session at 0x7f3a5c1b2d90> is not bound to a Session; attribute refresh operation cannot proceed
        text | error: no matching function for call to 'parse(std::vector<Token>&)'\\n
        text | SyntaxError: Unexpected token < in JSON at position 0
        text | SyntaxError: Unexpected token '}', "{"a": 1}}" is not valid JSON
        text | Usage: login <user> <password>\\n  --password  ask for the password\\n  --token TOKEN  the token to use\\n
        text | jwt.exceptions.ExpiredSignatureError: Signature has expired\\n
        text | django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.\\n
        text | werkzeug.exceptions.BadRequest: 400 Bad Request: The CSRF token is missing.\\n
        text | ValueError: invalid literal for int() with base 10: 'password'\\n
        text | TypeError: login() missing 1 required positional argument: 'password'\\n
        text | AttributeError: 'NoneType' object has no attribute 'token'\\n
        text | pydantic_core._pydantic_core.ValidationError: 1 validation error for Login\\npassword\\n  Field required [type=missing, input_value={'name': 'ada'}, input_type=dict]\\n
        text | FATAL:  password authentication failed for user "ada"\\n
        text | ERROR 1045 (28000): Access denied for user 'ada'@'localhost' (using password: YES)\\n
        text | psycopg2.errors.UndefinedColumn: column users.session_token does not exist\\nLINE 1: SELECT users.session_token FROM users WHERE id = ‹n›\\n
        text | DETAIL:  Key (email)=(ada@example.org) already exists.
        text | Duplicate entry 'ada@example.org' for key 'users.email'
        text | ‹d› INFO auth: login ok user=ada session=new method=password duration=12ms\\n‹d› WARN token: refresh failed, retrying in 5s\\n
        text | time=‹d› level=info msg="token refreshed" tokens=‹n› session_count=3 auth=ldap\\n
        text | 127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "POST /password/reset HTTP/1.1" 302 ‹n› "-" "Mozilla/5.0"\\n
        text | 127.0.0.1 "GET /static/js/auth.token.‹n›.js HTTP/1.1" 200\\n10.0.0.2 "GET /search?q=password+manager&page=2 HTTP/1.1" 200
        text | Deprecated: use session.key() instead of session.get_key(): see README
        text | nginx: [error] *‹n› access forbidden by rule, client: 10.0.0.1, server: example.org, request: "GET /auth HTTP/1.1"
        text | BEGIN:VEVENT\\nUID:19970610T172345Z-AF23B2@example.com\\nSUMMARY:Planning session: budget\\nEND:VEVENT\\n
        text | Fix token: refresh it before it expires (#‹n›)\\n\\nThe secret: do it early. Passwords: never logged.\\n
        text | Dear Ada,\\n\\nyou asked for a new password. If that was not you: ignore this mail.\\nYour password: it stays as it is.\\n\\nBest regards\\n
        text | To reset your password, use the link in the mail. Your code is valid for ‹n› minutes.
        text | The token is invalid or has expired. The password is required. Your session is over.
        text | diff --git a/auth.py b/auth.py\\nindex 83db48f..bf269f4 100644\\n-    token: str\\n+    token: str | None\\n
        text | Template: <b>password</b> <token> {token} {{ password }} ${TOKEN} %(password)s\\n
        text | panic: runtime error: token.Pos(‹n›) out of range\\nauth::session::Session::new at src/session.rs:‹n›\\n
        text | Key (id)=(5) is not present in table "sessions".
        text | name;role\\nada;admin\\n\\nsession;room\\nKeynote;B‹n›\\n
        text | password: \\nuser: ada\\n
        text | Secret sharing: see Shamir. Token ring: see IEEE 802.5. Session musician: see band.
        text | PASS tests/auth.test.js\\n  ✓ rejects an expired token (5 ms)\\nTests: ‹n› passed, ‹n› total\\n
        text | Name: Ada\\nPassword protected: yes\\nKey: C major\\nPin: red\\nSession: 3 of 5\\nCode: E‹n›\\n
    """,
    "mixed payloads": """
        json | {"roles": {"api_key": "owner", "password": "viewer"}, "members": {"secret": "editor"}}
        json | {"keys": [{"kty": "RSA", "n": "‹h›‹h›", "e": "AQAB", "kid": "‹h›"}, {"kty": "EC", "x": "‹h›", "y": "‹h›"}]}
        json | {"keys": ["tea", "sugar", "first-name", "‹w›_‹n›"], "total": ‹n›}
        text | Since 2024 to sign in you need ‹n› minutes. Use your mail to sign in, or ‹n› cups of tea to log in.
        json | {"user":{"id":5,"password_updated_at":"2024-01-01","tokenVersion":3,"sessionTimeout":3600,"authLevel":"basic","pinCode":"110001"}}
        json | {"passwordResetEmailSent":true,"secretQuestion":"What is your pet's name?","credentialsExpired":false}
        json | {"message":"Password reset link sent","tokenSent":true}
        json | {"message":"If the address is known, a reset link is on its way","status":"ok"}
        json | {"error":"Password must contain at least one number and one symbol"}
        json | {"errors":[{"code":"auth/wrong-password","message":"The password is invalid or the user does not have a password."}]}
        json | {"error":{"errors":[{"domain":"global","reason":"authError","message":"Invalid Credentials","locationType":"header","location":"Authorization"}],"code":401}}
        json | {"__type":"NotAuthorizedException","message":"Incorrect username or password."}
        json | {"Error":{"Code":"InvalidClientTokenId","Message":"The security token included in the request is invalid."}}
        json | {"Code":"SignatureDoesNotMatch","Message":"The request signature we calculated does not match the signature you provided. Check your key and signing method."}
        json | {"errorCode":"E0000004","errorSummary":"Authentication failed","errorLink":"E0000004","errorId":"oaeHiKHyQ7-TVSIP0tSEqfGkQ","errorCauses":[]}
        json | {"type":"https://example.org/probs/token-expired","title":"Token expired"}
        json | {"name":"TokenExpiredError","message":"jwt expired","expiredAt":1408621000}
        json | {"name":"JsonWebTokenError","message":"jwt malformed"}
        json | {"loginUrl":"/auth/login","logoutUrl":"/auth/logout","sessionCookieName":"sid","csrfHeaderName":"X-CSRF-Token","csrfCookieName":"csrftoken"}
        json | {"cookieName":"session","secretKeyRef":{"key":"token","name":"api"}}
        json | {"auth":{"type":"bearer","bearer":[{"key":"token","value":"{{token}}","type":"string"}]}}
        json | {"info":{"name":"Tea API"},"item":[{"name":"Get token","request":{"method":"POST","header":[{"key":"Content-Type","value":"application/json"}],"url":{"raw":"{{baseUrl}}/token","path":["token"]}}}],"variable":[{"key":"baseUrl","value":"https://example.org"}]}
        json | {"resource":"secrets","action":"read","effect":"allow","policy":"path \\"secret/*\\" { capabilities = [\\"read\\"] }"}
        json | {"policies":["default"],"token_policies":["default"],"token_ttl":3600,"token_max_ttl":0,"secret_id_ttl":0,"token_num_uses":0,"bind_secret_id":true}
        json | {"data":{"keys":["db","api/"]},"wrap_info":null,"warnings":null,"auth":null}
        json | {"passport":{"country":"DE","number":"C01X00T47"},"key_facts":["a","b"],"keyword":"tea"}
        json | {"hotkeys":{"save":"ctrl+s"},"shortcutKey":"ctrl+shift+p","primaryKey":"id","foreignKey":"user_id"}
        json | {"keyframes":[{"t":0}],"keyPath":"a.b","keyCode":13,"key":"Enter","code":"KeyA"}
        json | {"key":"Enter","code":"Digit1","altKey":false,"metaKey":true}
        json | {"event":"keydown","key":"ArrowLeft","pinchZoom":1.5}
        json | {"session_replay":{"sample_rate":0.1},"session":{"id":12,"started":"2024-01-01T10:00:00Z","errors":1},"sessions":{"total":12}}
        json | {"ticket":{"key":"TEA-12","url":"https://jira.example.org/browse/TEA-12"},"ticket_id":"INC0010023"}
        json | {"coupon":{"code":"SUMMER2024","percent":10},"gift_card":{"last_characters":"0d8d","balance":"5.00"}}
        json | {"airport":{"code":"BER"},"flight":{"code":"LH123","seat_code":"12A"},"boarding_pass_code":"M1LOVELACE/ADA"}
        json | {"code":"P2002","clientVersion":"5.0.0","meta":{"target":["token"]}}
        json | {"errors":[{"extensions":{"code":"UNAUTHENTICATED"},"message":"You must be logged in","path":["me","token"]}]}
        json | {"user":"ada","code":404,"message":"user not found"}
        json | {"email":"a@b.c","code":"user_not_found"}
        json | {"phone":"+49","country_code":49,"code":"DE"}
        json | {"state":"open","code":"E1234"}
        json | {"name":"pass","type":"boolean","value":true}
        json | {"name":"token","value":5}
        json | {"label":"API key","value":"none"}
        json | {"label":"Password","value":"","help":"Leave empty to keep the old one"}
        json | {"label":"Session","value":"Morning track"}
        json | {"id":"token","label":"Token","content":"Copy it now"}
        json | {"field":"signature","value":"required"}
        json | {"key":"session_id","value":"text","op":"exists"}
        json | [{"key":"password_min_length","value":"8"},{"key":"session_timeout","value":"3600"},{"key":"token_ttl","value":"60"}]
        json | {"filters":[{"field":"token","operator":"eq","value":"USDC"}]}
        json | {"question":"What does a password manager do?","answers":["It stores passwords","Nothing"]}
        json | {"title":"Secret Garden","subtitle":"A key to happiness","tags":["secret","key"],"isbn":"9780451524935"}
        json | {"artist":"Tokens","song":"The Lion Sleeps Tonight","label":"RCA","genre":"Doo-wop"}
        json | {"game":{"pins":10,"keys":2,"secret_level":true,"password_level":"3"}}
        json | {"word":"password","translation":"Passwort","lang":"de"}
        json | {"q":"secret","suggestions":["secret santa","secret garden","victoria's secret"]}
        json | {"search":{"query":"token ring","tokens":["token","ring"],"highlight":"<em>token</em> ring"}}
        json | {"description":"Use the X-API-Key header: it holds your key."}
        json | {"text":"Password: must be 8+ characters. Token: optional."}
        json | {"summary":"Secret rotation: 3 of 5 done; token cleanup: pending"}
        json | {"body":"## Steps\\n1. Set password: see docs\\n2. Get token: POST /token\\n"}
        json | {"notes":"Auth: OK, session: fine, key: G major"}
        json | {"comment":"my pin: Vienna; signature: Ada"}
        json | {"log":"auth: user ada logged in, session=none, token=missing"}
        json | {"sql":"SELECT token, password FROM users WHERE session = ?"}
        json | {"query":"query { viewer { login token: id } }"}
        json | {"query":"mutation Login($password: String!, $token: ID) { login(password: $password, token: $token) { id } }"}
        json | {"cron":"token-cleanup","args":["--token-ttl","3600"],"command":"python manage.py clearsessions"}
        json | {"image":"registry.example.org/auth:1.2.3","digest":"sha256:‹h›‹h›"}
        json | {"commit":"‹h›","tree":"‹h›","signature_status":"unsigned","key":"‹w›"}
        json | {"etag":"‹h›","checksum":"‹h›","md5":"‹h›","trace":"‹h›"}
        json | {"cache":{"key":"v1-npm-linux-‹h›","hit":true}}
        json | {"s3":{"key":"backups/2024/05/01/db-‹n›.tar.gz"},"blob_key":"a/b/c.png"}
        json | {"translations":{"key":"auth.login.password.label"},"i18nKey":"session.expired.title","translationKey":"errors.tokenExpired2"}
        json | {"selector":"input[name=password]","action":"type","xpath":"//input[@type='password']"}
        json | {"steps":[{"uses":"actions/checkout@v4","with":{"token":"${{ secrets.GITHUB_TOKEN }}","fetch-depth":0}}]}
        json | {"connectionString":"${DB_URL}","password":"${DB_PASSWORD}","apiKey":"<your-api-key>","secret":"{{ vault.secret }}"}
        json | {"password":"********","token":"[FILTERED]","secret":"<redacted>"}
        json | {"password":null,"secret":"","token":false,"apiKey":{}}
        json | {"type":"password","grant_type":"password","method":"token","mode":"secret"}
        json | {"provider":"credentials","strategy":"jwt","session":{"strategy":"database","maxAge":2592000}}
        json | {"csp":"script-src 'nonce-{NONCE}'","nonce_enabled":true}
        json | {"nft":{"token_id":"1234","tokenURI":"ipfs://QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPBdG/1","contract":"0x‹h›"}}
        json | {"gtin":"4719669523657","ean":"4606904632437","upc":"036000291452","imei":"356938035643809"}
        json | {"line_items":[{"id":39072891339644,"variant_id":39072856113212,"product_id":6575417860156}]}
        json | {"fingerprint":"SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8","key_type":"ssh-ed25519","ssh_key_fingerprint":"aa:bb:cc:dd"}
        json | {"public_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsABgH5C9okWi0dh2l9GKJl ada","publicKey":"0x04abc"}
        json | {"signature":{"algorithm":"RS256","status":"valid"},"signed_by":"Ada","signature_date":"2024-05-01"}
        json | {"certificate":{"serial":"04:e1:1b","issuer":"CN=Tea CA","not_after":"2030-01-01","signature_algorithm":"ecdsa-with-SHA256"}}
        json | {"scope":"openid profile offline_access","acr":"1","amr":["pwd","otp","mfa"],"auth_time":1700000000,"nonce":null}
        json | {"amr":["pwd","otp"],"acr_values":["urn:mace:incommon:iap:silver"]}
        json | {"claims":{"id_token":{"auth_time":{"essential":true},"acr":{"values":["urn:x"]}}}}
        json | {"tokenization":"NONE","detokenize":false,"tokenizer":"cl100k_base","tokenized_text":"hello world"}
        json | {"completion":{"token_logprobs":[-0.5,-1.2],"tokens":["a"," b"],"top_logprobs":[{"a":-0.5}],"text_offset":[0,1]}}
        json | {"stop":["</s>","[INST]"],"stopping_word":"END","token_healing":true,"token_usage":{"total":5}}
        json | {"bucket":{"tokens":100,"tokensPerSecond":5,"tokenRefill":"10s"}}
        json | {"sessions":[{"id":"s1","device":"iPhone 15","lastSeen":"2024-05-01T10:00:00Z","current":true}]}
        json | {"devices":[{"id":"‹w›","pin":4,"label":"LED"}],"pinout":{"pin1":"VCC","pin2":"GND"}}
        json | {"pass_rate":0.98,"passed":12,"passes":["compile","link"],"pass":true,"passthrough":"on","bypass":"none"}
        json | {"compass":"N","passenger":{"name":"Ada","seat":"12A"},"passport_required":false}
        json | {"assertion":{"expected":"200","actual":"404"},"assertions":2}
        json | {"authors":["Ada"],"authority":"example.org","authored":"2024","co_author":"Grace"}
        json | {"design":"v2","signal":"SIGTERM","signup":"open","sign_in_count":5,"current_sign_in_ip":"10.0.0.1","last_sign_in_at":"2024-05-01"}
        json | {"access_level":40,"access":"public","access_type":"offline","access_control":"private"}
        json | {"deploy_keys":[{"id":1,"title":"CI","can_push":false}],"key_count":2}
        json | {"webhook":{"url":"https://example.org/hooks/github","secret_configured":true,"events":["push"]}}
        json | {"reset":{"password":"/password/reset","token":"/token/refresh"},"links":{"verify":"/verify/email","confirm":"/confirm/email-address-of-user"}}
        json | {"cvc_check":"pass","cvv_result":"M","cvvCode":"required","cvv_required":true,"pin_required":false,"pin_verified":"yes"}
        json | {"card":{"name":"Birthday card","number":12},"cardNumberRequired":true}
        json | {"account":{"number":"4","type":"savings"},"account_number_format":"10 digits"}
        json | {"iban_required":true,"iban":"","bic":"COBADEFFXXX"}
        json | {"seed":42,"seed_phrase_length":12,"mnemonic_language":"english"}
        json | {"recovery_codes_remaining":8,"backup_codes_count":10,"recovery":{"email":"a@b.c"}}
        json | {"captcha":{"sitekey":"10000000-ffff-ffff-ffff-000000000001","type":"hcaptcha"},"recaptcha_site_key":"none"}
        json | {"stripe_publishable_key":"pk_test_TYooMQauvdEDq54NiTphI7jx","pk":"pk_live_abcdefghijklmnop1234"}
        json | {"firebase":{"authDomain":"tea.firebaseapp.com","projectId":"tea","messagingSenderId":"123456789012"}}
        json | {"oauth_providers":["google","github"],"oauth2_redirect_url":"https://example.org/oauth2-redirect.html","client_id":"web"}
        json | {"security":[{"OAuth2PasswordBearer":[]}],"schemes":{"OAuth2PasswordBearer":{"type":"oauth2","flows":{"password":{"scopes":{},"tokenUrl":"token"}}}}}
        json | {"properties":{"key":{"type":"string","description":"The key of the session."},"credentials":{"type":"object","properties":{"secret":{"type":"string","default":""}}}}}
        json | {"password":{"type":"string","format":"password","example":"string","minLength":8,"pattern":"^(?=.*[A-Z]).{8,}$","writeOnly":true}}
        json | {"inputs":{"secret":{"label":"Secret","ui":{"widget":"password","order":3},"rules":[{"required":true}]}}}
        json | {"token":{"symbol":"USDC","decimals":6,"name":"USD Coin"}}
        json | {"secret":{"name":"db","createdAt":"2024-05-01","version":3,"labels":{"app":"tea"}}}
        json | {"credential":{"id":"cred_1","type":"github","status":"active","createdBy":"ada"}}
        json | {"credentials":{"google":{"connected":true,"email":"ada@example.org","scopes":["drive.readonly"]}}}
        json | {"apiKey":{"id":"key_01H","name":"CI key","lastUsed":null,"scopes":["read"],"createdAt":"2024-05-01T10:00:00Z","prefix":"tea_"}}
        json | {"api_keys":[{"name":"Production","permissions":["read","write"],"status":"active","created":"2024-05-01","rate_limit":100}]}
        json | {"password":[{"code":"password_too_short","message":"Too short","params":{"min_length":8}}]}
        json | {"otp":{"length":6,"period":30,"algorithm":"SHA1","issuer":"Tea"}}
        json | {"session":{"user":{"name":"Ada","email":"a@b.c","image":"https://example.org/a.png"},"expires":"2024-05-01T10:00:00.000Z"}}
        json | {"cookies":[{"name":"theme","value":"dark","domain":"example.org"},{"name":"consent","value":"2024-05-01"}]}
        text | usage: app [-h] [--token TOKEN] [--password PASSWORD]\\n\\noptions:\\n  --token TOKEN  API token (default: None)\\n
        text | warning: password authentication is not supported\\nremote: Support for password authentication was removed.\\n
        text | npm ERR! code E401\\nnpm ERR! Incorrect or missing password.\\n
        text | Enter password: \\nVerifying password: ok\\nPassword changed for user ada.\\n
        text | [auth] session opened for user ada by (uid=0)\\n[auth] pam_unix(sshd:session): session closed\\n
        text | pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh rhost=10.0.0.1 user=ada\\n
        text | Accepted publickey for ada from 10.0.0.1 port 50022 ssh2: ED25519 SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8\\n
        text | Failed password for invalid user ada from 10.0.0.1 port 50022 ssh2\\n
        text | at TokenService.verify (/app/src/token.service.ts:42:11)\\nat AuthGuard.canActivate (/app/src/auth.guard.ts:12:5)\\n
        text | File "/usr/lib/python3.12/site-packages/jwt/api_jwt.py", line 210, in decode\\n    decoded = self.decode_complete(jwt, key, algorithms)\\njwt.exceptions.DecodeError: Not enough segments\\n
        text | TypeError: Cannot read properties of undefined (reading 'token')\\n    at login (auth.js:12:5)\\n
        text | java.lang.NullPointerException: Cannot invoke "Session.getToken()" because "session" is null\\n
        text | thread 'main' panicked at 'token: ParseError', src/auth.rs:12:5\\n
        text | panic: session: unknown key: "theme"\\n
        text | time="2024-05-01" level=warning msg="secret \\"db\\" not found" namespace=default\\n
        text | Warning  FailedMount  MountVolume.SetUp failed for volume "creds" : secret "db-credentials" not found\\n
        text | Error: Missing required argument: password\\n
        text | Error: secret: must be a string\\nError: token: expected 3 parts, got 1\\nError: key: too long\\n
        text | * password: is required\\n* token: may not be blank\\n* otp: has wrong length\\n
        text | + password: str = Form(...)\\n- token: Optional[str] = None\\n
        text | interface Login { password: string; token?: string; session: Session | null; }\\n
        text | type User struct { Password string `json:"password"`; Token string `json:"token,omitempty"` }\\n
        text | public record Login(string Password, string Token);\\n
        text | def login(password: str, token: str = None) -> Session: ...\\n
        text | func (s *Session) Key() string { return s.key }\\n
        text | password = models.CharField(max_length=128)\\ntoken = serializers.CharField(read_only=True)\\n
        text | password = PasswordField('Password', validators=[DataRequired(), Length(min=8)])\\n
        text | SECRET_KEY = os.environ["SECRET_KEY"]\\nTOKEN = config('TOKEN')\\npassword = getpass.getpass()\\n
        text | const apiKey = process.env.API_KEY;\\nconst password = req.body.password;\\n
        text | $password = $_POST['password'];\\n$token = bin2hex(random_bytes(32));\\n
        text | token = request.headers.get('Authorization')\\npassword = form.password.data\\n
        html | <label for="id_password1">Password:</label> <input type="password" name="password1" id="id_password1"><ul><li>Your password must contain at least 8 characters.</li></ul>
        html | <p>Token: <em>required</em></p><p>Secret: <b>none</b></p>
        html | <dt>Password</dt><dd>The password of the account.</dd><dt>Token</dt><dd>The token to use.</dd>
        html | <th>Session</th><th>Key</th><td>Keynote</td><td>C major</td>
        html | <option value="password">Password</option><option value="token">API token</option>
        html | <button type="submit" name="reset_password">Reset password</button>
        html | <div class="token-list" id="session-key-12" data-token-count="3" data-session="active">None</div>
        html | <a href="https://example.org/reset-password">Reset</a><a href="/verify/your-email-address-now">Verify</a>
        html | <input type="checkbox" name="remember_token" value="1"><input name="pin" value=""><input name="code" value="DE">
        html | <code>&lt;input type="password" name="password"&gt;</code>
        html | <h3>Password: why length matters</h3><h3>Tokens: what they are</h3>
        html | <svg><path d="M10 10h4v4"/></svg><use href="#key-24"/><i class="fa fa-key-2x"></i>
        css | .nfp_container_16x9_wide{}.hf_1column_layout_with_sidebar{}.fc-daygrid-event-2024{}.fo1_{}
        css | .sk-fading-circle .sk-circle12:before{animation-delay:-.1s}.re_main_column_2024_wide{}.rpa_table_cell_12{}
        md | - **Password**: required\\n- **Token**: see [docs](/docs)\\n- **Secret**: never commit it\\n
        md | \\| Header \\| Meaning \\|\\n\\|---\\|---\\|\\n\\| X-API-Key \\| Your key \\|\\n\\| Authorization \\| Bearer token \\|\\n
        md | ```json\\n{"password": "string", "token": "string"}\\n```\\n
        yaml | auth:\\n  enabled: true\\n  secret:\\n    name: db\\n  token:\\n    ttl: 3600\\n
        yaml | apiVersion: v1\\nkind: ConfigMap\\ndata:\\n  config.yaml: tea\\n
        yaml | - name: Set password\\n  uri:\\n    url: https://example.org\\n  no_log: true\\n
        yaml | properties:\\n  secret: { type: string, description: The shared secret }\\n  password:\\n    $ref: '#/Password'\\n
        xml | <error><code>InvalidToken</code><message>The provided token is malformed.</message><session>closed</session></error>
        xml | <string name="error_password">Wrong password</string><string name="hint_token">Paste the token here</string><string name="pin">PIN</string>
        xml | <trans-unit id="password"><source>Password</source><target>Passwort</target></trans-unit>
        xml | <xsd:complexType name="Password"><xsd:attribute name="token" type="xsd:string"/></xsd:complexType>
        xml | <key>CFBundleName</key><string>Tea</string><key>sessionTimeout</key><integer>30</integer>
        query | sort=-token&fields=password_changed_at,session_count&key=name
        query | redirect=%2Flogin%3Fsession%3Dexpired
        query | state=open&code=DE&page=2
        query | state=CA&code=94107
        query | user=ada&code=404
        query | filter%5Bsession%5D=keynote&filter%5Btoken%5D=USDC
        query | key=C%23+minor&signature=4%2F4
        query | ticket=INC0010023&auth=basic
        query | sid=42&session=2024-05-01
        query | keys=a,b,c&tokens=1,2,3
        form | session_title=Keynote&secret_santa=on&key=value&comment=The+token+ring%3A+how+it+works
        form | question=What+is+a+token%3F&answer=A+part+of+a+text
        form | title=Password+managers%3A+a+review&body=Secret%3A+use+one.
        header | X-Csrf-Header: X-CSRFToken
        header | X-Powered-By: token-service
        header | Authentication-Info: qop=auth
        header | Key: Enter
        header | Session: Keynote
        header | Signature-Input: sig1=("@method");created=1618884473
        header | X-Auth-Scheme: basic
        header | Access-Control-Expose-Headers: X-Token-Count, X-Session
        header | Accept-Signature: sig1
        header | Origin-Agent-Cluster: ?1
        header | Dpop-Nonce-Required: true
        path | /verify/email
        path | /password/reset/done
        path | /tokens/refresh;v=2
        path | /users/ada/session/active
    """,
    "queries, forms and headers": """
        query | session=keynote&day=1
        query | auth=ldap&status=active
        query | result=pass&pass=1
        query | token=USDC&chain=1
        query | ean=4907521779605
        query | q=password+manager&page=‹n›
        query | q=how+to+reset+my+password%3F&lang=en
        query | sort=token&order=asc&key=name
        query | code=‹w›&country_code=DE
        query | code=404
        query | code=10115&lang=de
        query | pin=red&signature=required
        query | response_type=code&client_id=web&scope=openid+profile&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256
        query | error=invalid_token&error_description=The+access+token+expired
        query | max_tokens=‹n›&stream=true&tokens=‹n›
        query | sessions=‹n›&sid=‹n›&ticket=‹n›
        query | next=%2Fpassword%2Freset&auth=1
        query | utm_source=password-newsletter&utm_campaign=session-‹n›
        form | session=Keynote&rating=5&comment=Great+session%3A+more+please
        form | about_me=I+like+tea.+Secret%3A+none&name=Ada
        form | subject=Password+help&message=My+password+does+not+work%3A+please+help&priority=high
        form | bio=The+secret%3A+practice&pin=map
        form | cookies=accept&auth=google&signature=Ada+Lovelace
        form | password=&token=&otp=
        form | has_password=on&password_reset=1&two_factor=1
        header | X-Auth-Request-User: ada
        header | X-Auth-Request-Email: ada@example.org
        header | X-Ratelimit-Remaining-Tokens: ‹n›
        header | Access-Control-Allow-Credentials: true
        header | Access-Control-Allow-Headers: Authorization, X-CSRFToken, X-Api-Key
        header | Www-Authenticate: Bearer realm="example", error="invalid_token", error_description="The access token expired"
        header | X-Session-Count: ‹n›
        header | Cache-Control: no-cache="set-cookie"
        header | X-Token-Type: bearer
        header | Vary: Cookie, Authorization
        header | Referer: https://example.org/docs/password-reset?topic=token&page=‹n›
        header | Content-Security-Policy: script-src 'self' 'nonce-abc'; report-uri /csp
        header | Authentication-Results: mx.example.org; spf=pass; dkim=pass; dmarc=pass
        header | Dpop-Signing-Alg: ES256
        path | /account/password/reset
        path | /docs/api-keys/token-types
        path | /sessions/‹n›/tokens/‹n›
        path | /auth/oauth/token
    """,
    "names around": r"""
        json | {"violations": [{"propertyPath": "password", "message": "This value is too short.", "code": "9ff3fdc4-b214-49db-8718-39c315e33d45"}]}
        json | {"cache": {"key": "‹h›", "hit": true}}
        json | {"cache": {"key": "product_page_‹h›"}, "key": "views/products/1-‹h›", "restore": {"key": "Linux-node-‹h›"}}
        json | {"promo": {"code": "SUMMER2024SALE50"}, "coupon": {"code": "WELCOME10"}}
        json | {"code": 123456, "message": "No such user", "user": "ada"}
        json | {"code": "90210", "state": "CA", "city": "Beverly Hills"}
        json | {"session": {"id": 42, "room": "A1"}, "next": {"session": {"id": "keynote-2024"}}}
        json | {"api_key_id": "key_‹n›", "credit_card_id": "card_‹n›"}
    """,
    "tables and dumps": r"""
        csv | name,key,code,session\nTea,C,12,Morning\nMilk,D,13,Evening\n
        csv | date,sessions,tokens\n2024-01-01,55,1000\n2024-01-02,60,1200\n
        csv | field,label\npassword,Password\ntoken,Token\n
        csv | setting,description\npassword_min,At least 8 characters\ntoken_ttl,Seconds until it expires\n
        text | Password,\nplease choose one, and keep it.\n
        text | secret, token, and password are words, too.\nSo are others, and more.\n
        text | password -> see the wiki\n
        text | token -> parser -> tree
        text | The password → the key to your account.
        json | {"manual": "password\tstring\tThe password of the user\nToken\tType\naccess\tstring\n"}
        text | array(1) {\n  ["password"]=>\n  NULL\n  ["token_count"]=>\n  int(5)\n}
        text | Array\n(\n    [session] => Morning track\n    [pass] => Day pass\n)\n
        text | 密码是什么？
        html | <table><tr><th>User</th><th>Password</th></tr><tr><td>ada</td><td>••••••••</td></tr></table>
    """,
    "codes in messages": r"""
        text | verification code sent 2024-05-01, the error code is 123456\nYour code of 2024 is gone.
        json | {"gesloten": "2024-01-01", "parole": "le parole sono importanti", "message": "The product code: 12345"}
    """,
    "tokens of letters": r"""
        text | ico-arrow-right-24px gsk_some_name_here nfp_change_report
        text | hf_transfer_enable_progress_bars_for_all_downloads lin_api_reference_documentation_overview_page
        text | LTAIncorporatedHoldingsAndPartnersOfTheWorld xai-explainability-methods-for-neural-networks
        text | shippo_live_tracking_page_for_customers_here API-gateway-reference-documentation-for-users
        text | npm_config_registry npm_lifecycle_event npm_package_dependencies_eslint_plugin
        path | /token/0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2
        path | /session/keynote-about-tea
        path | /verify/email-address-confirmation
        path | /repos/a/b/hooks/12345678
    """,
    "ids, versions and placeholders": r"""
        text | SELECT * FROM sessions WHERE token = $1 AND expires > now()
        text | UPDATE users SET password = ? WHERE id = ?
        text | password = getpass.getpass("Password: ")
        text | api_key = config.get('api_key')
        text | DB_PASSWORD=${DB_PASSWORD:-}\nSECRET=$(cat /run/secrets/key)\n
        text | cache key: webpack-‹h›
        text | key: node-modules-Linux-‹h›
        yaml | security:\n  - api_key: []\n  - oauth2: [read, write]\n
        json | {"packages": {"node_modules/js-tokens": {"version": "4.0.0", "integrity": "sha512-RdJUflcE3cUzKiMqQgsCu06FPu9UdIJO0beYbPhHN4k6apgJtifcoCtT9bcxOpYBtpD2kCM6Sbzg4CausWPKQw=="}}}
        json | {"dependencies": {"jsonwebtoken": "^9.0.0", "csrf-csrf": "3.0.0-beta.1"}, "tokens": ["Hello", "world"]}
        json | {"ARN": "arn:aws:secretsmanager:us-west-2:123456789012:secret:MyTestDatabaseSecret-a1b2c3"}
        json | {"commits": [{"message": "Rotate secret: see #12"}], "scope": "token:read", "permission": "secrets:list"}
        header | Permissions-Policy: publickey-credentials-get=(self), identity-credentials-get=()
        json | {"es": {"password": "Contraseña", "secret": "Secreto", "apiKey": "Clave de API"}}
        text | Введите пароль: не менее 8 символов.
        text | Passwort: mindestens 8 Zeichen, davon eine Ziffer.
        text | Salasana: vähintään 8 merkkiä
        text | Hasło: co najmniej 8 znaków
        text | Contraseña: mínimo 8 caracteres
        text | 密码：至少8个字符
        text | glpat-like-words-in-a-sentence xoxo-hugs-and-kisses sk-proj-ects-and-their-managers
    """,
    "counts, slugs and styles": r"""
        text | password_reset_timeout=3600 session_cookie_secure=True secrets_found=3
        json | {"secrets": ["db-password", "api-token"], "total": 2}
        json | {"name": "password", "value": "current-password", "type": "autocomplete"}
        json | {"faq": [{"question": "How do I reset my password?", "answer": "Click on the link in the mail we sent you."}]}
        json | {"tokenAddress": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"}
        css | .api-key:hover>.token{cursor:pointer}@media(max-width:600px){.session{display:none}}
        md | \| Option \| Default \|\n\| --- \| --- \|\n\| `password` \| `""` \|\n
        text | Token is: unknown. Passwords: a short history. Invalid value 'abc' for field 'password_policy'
        text | Secrets — what are they? Tokens – the basics.
    """,
    "ids and public keys": r"""
        json | {"sid": "AC9b1f0c2d3e4f5a6b7c8d9e0f1a2b3c4d", "messages": [{"sid": "SM1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e"}]}
        json | {"publicKey": {"allowCredentials": [{"type": "public-key", "id": "Y3JlZC1vZi1hLXBhc3NrZXktMTc4"}]}}
        json | {"credentials": [{"id": "Zm9yLWEtcGFzc2tleS00NzEx", "public_key": "cHVibGljLXBhcnQtb25seS0x", "sign_count": ‹n›}]}
        json | {"bot": "‹w›", "verify_key": "9b1f0c2d3e4f5a6b7c8d9e0f1a2b3c4d9b1f0c2d3e4f5a6b7c8d9e0f1a2b3c4d"}
        json | {"vapid_key": "BPshed6PaDaufaFQeuYRYeZ3MrDSeLVJxyk5X37DpI8"}
        json | {"auth_events": ["b3BhcXVlLWJ1dC1hbi1ldmVudC0x"], "webcredentials": {"apps": ["A1B2C3D4E5.com.example.shop"]}}
        json | {"accessTokenValidity": -1, "ssn_last_4": "4321", "oauth2": {"token_hook": "https://example.org/token-hook"}}
        json | {"session": {"access-token-claim": "124390123", "id-token-claim": "2394123"}}
        json | {"credentials_endpoint_draft_00": "https://id.example.org/credentials"}
        json | {"verifyTOTP": "/docs/mfa/post-totp-verify.mdx", "otp_phones": ["+4930901820"], "token_policies": ["reader1"]}
        json | {"webhook_url": "https://example.org/hooks/orders", "discoverable_credentials": "preferred"}
        json | {"credential_sid": "CR9b1f0c2d3e4f5a6b7c8d9e0f1a2b3c4d", "encryptionKeySid": "CR1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e"}
        json | {"nextPageToken": "CAEQAhoKMTcxNzE3MTcxNw", "next_token": "KW9b1f0c2d3e4f5a6b7c8d9e0f1a2b3c"}
        query | pageSize=50&PageToken=PT10
        json | {"totp": {"issuer": "Example Ltd", "skew": 1, "time_step": 30}}
        json | {"related": {"extra_credentials": "/api/v2/job_templates/5/extra_credentials/"}}
        json | {"type": "token", "value": "while", "tokens": [{"type": "keyword", "value": "if"}]}
        csv | user,password,created\nann,[Filtered],2024-01-01\npw-12,,2024-01-02\n
        xml | <map><entry key="json" value-ref="jsonView"/><entry key="spring:type=Source,name=main2" value-ref="x"/></map>
        xml | <plist><dict><key>CFBundleURLTypes</key><array/><key>CFBundleURLSchemes</key></dict></plist>
        text | "signature": {\n  "type": "RsaSignature2017",\n  "creator": "https://example.org/ann"\n}
        md | \| Right \| Support \|\n\| --- \| --- \|\n\| [Access to your personal keys and tokens](https://example.org/law/topics/data-protection/reform "Ask what is stored of your password and how") \| ![yes](./mark.svg) \|\n
    """,
    "beside other keys": r"""
        json | {"coupon": {"code": "SUMMER26", "expiry": "‹d›", "number": ‹n›}, "currency": {"code": "EUR", "number": "978"}}
        json | {"card": {"brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2027, "checks": {"cvc_check": "pass"}}, "code": "card_declined"}
        json | {"number": "‹n›", "code": "DE", "pin": 4, "name": "GPIO ‹n›"}
        json | {"fields": [{"type": "password", "name": "pw", "value": "", "text": "Enter your password"}, {"type": "secret", "text": "Psst, keep it"}]}
        json | {"tokens": [{"type": "token", "value": "if"}, {"type": "number", "value": ‹n›}], "flags": {"sensitive": false, "value": "‹i›"}}
        json | {"name": "Address", "sensitive": true, "value": "‹w› Street"}
        json | {"env": ["SECRET_TOKEN=[redacted]", "NODE_VERSION=‹n›", "LANG=C.UTF-8"], "token_iin": "411111"}
        text | The session PROJ-1234-a-long-name-12 of ticket SHOP-‹n›-fix-the-cart-total-2 has the cookie consent-banner-v2-2024-seen
        json | {"otp": {"result": "SUCCESS", "status": "ok"}, "part": {"type": "credential", "data": "photo2.png", "id": ‹n›}}
        json | {"key": "CARD", "masked": true, "value": "****1234"}
        json | {"ssid": "Home", "security": "wpa2-psk", "psk": null, "result": "‹i›", "type": "random_id"}
        json | {"join_command": "kubeadm join 10.0.0.1:6443 --discovery-token-ca-cert-hash sha256:‹h›"}
        query | state=‹w›&session_state=active&u=‹n›&page=2
        text | Log in with password authentication, or with password hashing (bcrypt) and secret management
        text | Use ‹n› points to verify nothing, and order 48291 to confirm delivery.
    """,
    "in other languages, and for whom": r"""
        text | Geheimnis: liegt unter der Matte
        text | Токен: см. ниже
        text | 秘密: 練習
        text | Password for the guest network: see below
        text | Use a token for this: it expires.
        json | {"секрет": "обязательное поле", "令牌": "必填"}
        json | {"password": ["必須項目です", "обязательное поле"], "verification_code": ["验证码错误"]}
        json | {"password": "ist erforderlich", "secret": "darf nicht leer sein"}
        json | {"password": "est trop court", "api_key": "n'est pas valide"}
        json | {"senha": "não pode ficar em branco", "secret": "è obbligatoria"}
        json | {"sifre": "zorunlu alan", "wachtwoord": "mag niet leeg zijn", "wachtwoord2": "is verplicht"}
        json | {"password": "पासवर्ड दर्ज करें", "otp": "รหัสยืนยัน"}
        json | {"secret": "Salaisuus", "credentials": "Zugangsdaten", "cvv": "Cryptogramme", "otp": "Einmalcode"}
        text | password.too.short=Das Passwort muss mindestens {0} Zeichen lang sein
        json | {"sync_token": "CPDAlvWDx70CEPDAlvWDx70CGAU=", "iban_country": "DE", "secret_owner": "ops"}
        json | {"invite_code": "SUMMER2024", "passkey": {"id": "1f3a90c2", "name": "My phone"}}
        json | {"auth": {"accessor": "0e9e354a-520f-df04-6867-ee81cae3d42d"}, "password_reminder": "monthly"}
        json | {"permissions": ["token:read", "secret:rotate", "password:reset"]}
        json | {"field": "password", "old": "***", "new": "********", "secret_len": 32, "secrets_total": 9}
        json | {"routing_key": "orders.created", "exchange": "shop"}
        text | Postleitzahl: 10115, Código postal: 28001, error code: 482913
        json | {"word_counts": {"password": 17, "secret": 3}, "verification_key": "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7"}
        path | /docs/magic-links/overview
        text | Path `title` (`Tea`) is shorter than the minimum. user: ada, pass: 12 of 17
        text | Order 20482913 is your first one. Pin: 13, door code: none
    """,
    "what a blind look found blanked": r"""
        json | {"event": {"event_type": "incident.triggered", "data": {"incident_key": "‹h›", "dedup_key": "‹h›"}}}
        json | {"flags": {"new-login": true, "password-less": "variant-b", "session-replay": 0.5}}
        json | {"connexion": {"password": "Mot de passe", "secret": "Question secrète"}}
        json | {"password": "Kodeord", "secretKey": "Hemmelig nøgle", "apiToken": "API-token"}
        json | {"columns": [{"name": "api_key", "type": "uuid", "default": "gen_random_uuid()"}]}
        json | {"api_keys": [{"id": "key_1", "name": "Production key", "masked": "sk-...f3Qa"}]}
        json | {"files": {"main.js": "/static/js/main.3f2a1b9c.js", "token-form.css": "/static/css/token-form.9a8b7c6d.css"}}
        json | {"applicationServerKey": "BEl62iUYgUivxIkv69yViEuiBIa-Ib9-SkvMeAtA3LFgDzkrxZJjSgSnfckjBJuBkr3qBUYIHBQFLXYp5Nksh8U"}
        json | {"exception": "Microsoft.IdentityModel.Tokens.SecurityTokenExpiredException: IDX10223: Lifetime validation failed."}
        text | jdbc:oracle:thin:@//db.example.org:1521/ORCL and share/a-page-of-words-2024, section 11/20241130:5
        path | /share/a-list-of-teas-for-the-winter
        path | /services/tea/blends/green
    """,
    "tables, counts and places": r"""
        json | {"secrets": ‹n›, "passwords": ‹n›, "credentials": 2, "tokens": 1500}
        json | {"columns": ["user", "password"], "rows": [["ann", "*****"], ["bob", null], ["eve", "unset"]]}
        json | {"columns": ["name", "type"], "rows": [["password", "varchar"], ["token", "text"]]}
        json | {"columns": ["id", "tokens"], "rows": [["a", ‹n›], ["b", 500]]}
        json | {"synonyms": [["password", "secret"], ["user", "login"]], "kinds": ["jwt", "token"]}
        json | {"email": "ann@example.org", "country": "DE", "code": "10115", "city": "Berlin"}
        json | {"email": "ann@example.org", "sku": "‹w›", "code": "482913", "price": 12.5}
        form | email=ann%40example.org&city=Berlin&code=10115
        json | {"credentials": [{"keyId": "8c5e8a4e-0b7a-4c39-9a41-0f1fbb1bd4f5", "userName": "‹w›", "expiresAt": "‹d›"}]}
        json | {"counter": {"session": ‹n›, "auth": 3, "token": 12, "password": 0}}
        json | {"rules": [{"pattern": "password=[^&]+", "replace": "***"}], "access": "read", "refresh": 30}
        json | {"build": {"key": "main-3f2a9c5e8a4e", "number": ‹n›}, "seed": 42}
        js | fetch("/api/‹w›", {headers: {"X-CSRF-Token": token}});
        header | Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
        text | Uncaught SyntaxError: Unexpected token 'export' (at app.js:‹n›)
        text | WIFI:T:nopass;S:Guests;;
        xml | <auth><method>password</method><realm>shop</realm><expires>‹d›</expires></auth>
        xml | <Credentials><UserName>‹w›</UserName><Expiration>‹d›</Expiration></Credentials>
    """,
}


class Harmless(NamedTuple):
    """One payload."""

    kind: str
    text: str
    record: Record
    leaves: int
    """How many values are in it: of a text, the lines."""


VARIATIONS = 2
_SLOT = re.compile("‹([a-z])›")
_WORDS = "teapot kettle harbour lantern meadow copper violet summit ferry almond".split()


def harmless_payloads() -> Iterator[Harmless]:
    """Make some variations of each payload."""
    for kind, table in PAYLOADS.items():
        for place, template in split_lines(table):
            texts = {_vary(template, number) for number in range(VARIATIONS)}
            for text in sorted(texts):
                yield Harmless(kind, text, plant_payload(place, text), _count_leaves(place, text))


def _vary(template: str, number: int) -> str:
    random_ = random.Random(f"{SEED} {number} {template}")

    def fill(slot: re.Match[str]) -> str:
        if slot[1] == "n":
            return str(random_.choice([8, 12, 64, 128, 404, 1024, 4096, 20_240, 987_654]))
        if slot[1] == "d":
            start = datetime(2024, 1, 1, tzinfo=timezone.utc)
            return (start + timedelta(seconds=random_.randrange(60_000_000))).isoformat()
        if slot[1] == "w":
            return random_.choice(_WORDS)
        return draw("{h40}" if slot[1] == "h" else "{a14}", random_)

    return _SLOT.sub(fill, template)


def _count_leaves(place: str, text: str) -> int:
    if place == "json":
        return sum(1 for _ in _leaves(json.loads(text)))
    return text.count("&" if place in ("query", "form") else "\n") + 1


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
