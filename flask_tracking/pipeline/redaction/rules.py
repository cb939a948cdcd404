"""The formats of secrets, as data: what a token looks like wherever it stands.

The patterns keep to what Python's ``re`` and RE2 have in common, with one open repeat in each part, so that
no input makes either slow. A format's least length is below what its vendor hands out today, and no
length has an upper end: tokens grow.
"""

from __future__ import annotations

from typing import NamedTuple

VERSION = "1"
"""The version of the rules; stored with each record."""

START = r"(?:^|[^0-9A-Za-z]|\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})"
"""What stands before a token: in JSON's escapes and in percent-escapes letters do."""
LONE = r"(?:^|[^0-9A-Za-z_-]|\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})"
"""The same for tokens that begin like a part of an ordinary name."""
UNSIGNED = r"(?:^|[^0-9A-Za-z.+-]|\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})"
"""The same for numbers: what follows a point or a sign is no card."""
ANYWHERE = ""
OWN = "TRACKING_REDACT_PATTERNS"
"""The source of the app's own rules."""


class Rule(NamedTuple):
    """One format."""

    id: str
    """What ``TRACKING_REDACT_OFF`` and a remark call it."""
    pattern: str
    """The token; only what is in the group ``s`` is removed, if it has one."""
    hints: tuple[str, ...]
    """One of these stands in every token; none where nothing can be told."""
    sources: str
    before: str = START
    check: str = ""
    """The name of a check that the match has to pass, for shapes made of digits and of words."""
    version: int = 1
    """Of this rule; goes up whenever it finds something else than before."""

    @property
    def finds(self) -> str:
        """What it finds, in a few words."""
        return FINDS[self.id]


FINDS = {
    "aws": "AWS access key ids, with the secret key beside one",
    "aws-bedrock": "AWS Bedrock API keys",
    "google": "Google API keys, client secrets and refresh tokens",
    "google-oauth": "Google OAuth access tokens",
    "azure-storage": "Azure storage and shared access keys",
    "azure-ad": "Azure AD client secrets",
    "github": "GitHub tokens, classic, fine-grained and of apps",
    "gitlab": "GitLab tokens of all kinds",
    "slack": "Slack tokens",
    "slack-app": "Slack app-level tokens",
    "webhook": "webhook URLs of Slack, Discord, Teams and Zapier",
    "telegram": "Telegram bot tokens",
    "stripe": "Stripe secret, restricted and webhook keys",
    "openai": "OpenAI, Anthropic and OpenRouter keys",
    "huggingface": "Hugging Face tokens",
    "npm": "npm tokens",
    "pypi": "PyPI upload tokens",
    "sendgrid": "SendGrid API keys",
    "brevo": "Brevo (Sendinblue) keys",
    "twilio": "Twilio API keys",
    "mailgun": "Mailgun private keys",
    "shopify": "Shopify tokens and secrets",
    "vault": "HashiCorp Vault tokens",
    "databricks": "Databricks tokens",
    "digitalocean": "DigitalOcean tokens",
    "grafana": "Grafana service account and cloud tokens",
    "sentry": "Sentry auth tokens",
    "atlassian": "Atlassian and Bitbucket tokens",
    "heroku": "Heroku API keys",
    "linear": "Linear API keys",
    "notion": "Notion tokens",
    "postman": "Postman API keys",
    "pulumi": "Pulumi tokens",
    "planetscale": "PlanetScale passwords and tokens",
    "supabase": "Supabase tokens",
    "fly": "Fly.io tokens",
    "doppler": "Doppler tokens",
    "onepassword": "1Password service account tokens and secret keys",
    "age": "age secret keys",
    "jwt": "JSON web tokens, signed, unsigned and encrypted",
    "jwt-base64": "JSON web tokens in base64",
    "itsdangerous": "Flask sessions, Flask-WTF tokens, Discord bot tokens",
    "remember": "remember cookies of Flask-Login",
    "password-hash": "password hashes of Werkzeug, bcrypt, Argon2 and crypt",
    "private-key": "private keys in PEM, also cut ones",
    "url-credentials": "user and password in URLs",
    "bearer": "credentials behind Basic and Bearer",
    "shell-credentials": "user and password behind curl's -u and --user",
    "sql-password": "passwords in SQL, as in IDENTIFIED BY '...'",
    "card": "card numbers, by issuer, length, Luhn and grouping",
    "iban": "IBANs, by the country's length and checksum",
    "vendor-hex": "tokens of some 25 vendors, prefix_...",
    "vendor-dash": "tokens of some 15 vendors, prefix-...",
    "vendor-run": "tokens of some 10 vendors that begin with a fixed run",
    "vendor-point": "tokens of Airtable, Dropbox, Mapbox and others, with points",
    "beamer": "Beamer API keys",
    "mailchimp": "Mailchimp API keys",
    "maxmind": "MaxMind license keys",
}
"""What each rule finds, for people who read a list of them."""

RULES = (
    Rule(
        "aws",
        r"(?:A3T[0-9A-Z]|AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16,}(?:[^0-9A-Za-z+/]{1,5}[0-9A-Za-z+/]{40,})?",
        ("A3T", "AKIA", "ASIA", "ABIA", "ACCA"),
        "gitleaks aws-access-token; the secret key beside it: trufflehog aws",
    ),
    Rule("aws-bedrock", r"ABSK[0-9A-Za-z+/]{60,}={0,2}", ("ABSK",), "gitleaks aws-amazon-bedrock-api-key"),
    Rule("google", r"(?:AIza|GOCSPX-|1//0)[0-9A-Za-z_-]{26,}", ("AIza", "GOCSPX-", "1//0"), "gitleaks gcp"),
    Rule("google-oauth", r"ya29\.[0-9A-Za-z_.-]{10,}", ("ya29.",), "trufflehog googleoauth2"),
    Rule(
        "azure-storage",
        r"(?i:AccountKey|SharedAccessKey)=(?P<s>[0-9A-Za-z+/]{20,}={0,2})",
        ("Key=", "key=", "KEY="),
        "detect-secrets azure_storage_key",
        ANYWHERE,
    ),
    Rule("azure-ad", r"[0-9A-Za-z_~.]{3}[0-9]Q~[0-9A-Za-z_~.-]{31,}", ("Q~",), "gitleaks azure-ad"),
    Rule(
        "github",
        r"(?:gh[oprsu]_[0-9A-Za-z_.-]{20,}|github_pat_[0-9A-Za-z_]{20,})",
        ("gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_"),
        "gitleaks github-pat, -oauth, -app-token, -fine-grained-pat; secretlint #1518",
    ),
    Rule(
        "gitlab",
        r"(?:gl(?:pat|ptt|dt|ft|rt|rtr|imt|oas|cbt|soat|agent|ffct|wt)-|GR1348941)[0-9A-Za-z_.=-]{16,}",
        ("glpat-", "glptt-", "gldt-", "glft-", "glrt-", "glrtr-", "glimt-", "gloas-", "glcbt-", "glsoat-",
         "glagent-", "glffct-", "glwt-", "GR1348941"),
        "gitleaks gitlab-*",
    ),
    Rule("slack", r"xox[a-z](?:\.xox[a-z])?-[0-9A-Za-z-]{10,}", ("xox",), "gitleaks slack-*"),
    Rule("slack-app", r"xapp-[0-9]-[0-9A-Za-z-]{20,}", ("xapp-",), "gitleaks slack-app-token"),
    Rule(
        "webhook",
        r"(?:hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/"
        r"(?:v[0-9]+/)?webhooks|webhook\.office\.com/webhookb2|hooks\.zapier\.com/hooks/catch)"
        r"/(?P<s>[0-9A-Za-z@/._-]{10,})",
        ("hooks.slack", "/webhooks/", "webhook.office.com/", "hooks.zapier.com/"),
        "gitleaks slack-webhook-url, microsoft-teams-webhook; trufflehog discordwebhook, zapierwebhook",
        ANYWHERE,
    ),
    Rule(
        "telegram", r"(?:bot)?(?P<s>[0-9]{5,16}:A[0-9A-Za-z_-]{34,})", (":A",), "gitleaks telegram-bot-api-token"
    ),
    Rule(
        "stripe",
        r"(?:[sr]k_(?:live|test|prod)_|whsec_)[0-9A-Za-z+/=]{10,}",
        ("_live_", "_test_", "_prod_", "whsec_"),
        "gitleaks stripe-access-token; trufflehog stripe",
    ),
    Rule(
        "openai",
        r"sk-(?:(?:proj|svcacct|admin|ant|or|None|service)-[0-9A-Za-z_-]{16,}|[0-9A-Za-z]{20,})",
        ("sk-",),
        "gitleaks openai-api-key, anthropic-api-key",
    ),
    Rule("huggingface", r"(?:hf|api_org)_[0-9A-Za-z]{30,}", ("hf_", "api_org_"), "gitleaks huggingface-*"),
    Rule("npm", r"npm_[0-9A-Za-z]{30,}", ("npm_",), "gitleaks npm-access-token"),
    Rule("pypi", r"pypi-AgE[0-9A-Za-z_-]{40,}", ("pypi-AgE",), "gitleaks pypi-upload-token"),
    Rule("sendgrid", r"SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}", ("SG.",), "gitleaks sendgrid-api-token"),
    Rule("brevo", r"x(?:key|smtp)sib-[0-9a-f]{40,}-[0-9A-Za-z]{10,}", ("sib-",), "gitleaks sendinblue"),
    Rule("twilio", r"SK[0-9a-fA-F]{32,}", ("SK",), "gitleaks twilio-api-key"),
    Rule("mailgun", r"key-[0-9a-f]{32,}", ("key-",), "gitleaks mailgun-private-api-token", LONE),
    Rule("shopify", r"shp(?:at|ca|pa|ss|tka|ua)_[0-9a-fA-F]{32,}", ("shp",), "gitleaks shopify-*"),
    Rule("vault", r"hv[brs]\.[0-9A-Za-z_-]{24,}", ("hvb.", "hvr.", "hvs."), "gitleaks vault-*"),
    Rule("databricks", r"dapi[0-9a-f]{32,}", ("dapi",), "gitleaks databricks-api-token"),
    Rule("digitalocean", r"do[oprt]_v1_[0-9a-f]{40,}", ("_v1_",), "gitleaks digitalocean-*"),
    Rule("grafana", r"gl(?:sa|c)_[0-9A-Za-z+/_]{30,}={0,2}", ("glsa_", "glc_"), "gitleaks grafana-*"),
    Rule("sentry", r"sntry[su]_[0-9A-Za-z+/=_-]{20,}", ("sntrys_", "sntryu_"), "gitleaks sentry-*"),
    Rule("atlassian", r"(?:AT[AC]TT3|ATBB)[0-9A-Za-z_=-]{24,}", ("TT3", "ATBB"), "gitleaks atlassian-api-token"),
    Rule("heroku", r"HRKU-[0-9A-Za-z_-]{30,}", ("HRKU-",), "gitleaks heroku-api-key-v2"),
    Rule("linear", r"lin_(?:api|oauth)_[0-9A-Za-z]{30,}", ("lin_",), "gitleaks linear-api-key"),
    Rule("notion", r"(?:ntn_|secret_)[0-9A-Za-z]{40,}", ("ntn_", "secret_"), "gitleaks notion-api-token"),
    Rule("postman", r"PMAK-[0-9a-f]{20,}-[0-9a-f]{30,}", ("PMAK-",), "gitleaks postman-api-token"),
    Rule("pulumi", r"pul-[0-9a-f]{40,}", ("pul-",), "gitleaks pulumi-api-token"),
    Rule("planetscale", r"pscale_(?:pw|tkn|oauth)_[0-9A-Za-z_.=-]{30,}", ("pscale_",), "gitleaks planetscale-*"),
    Rule("supabase", r"sb(?:p|s|_secret)_[0-9A-Za-z_]{20,}", ("sbp_", "sbs_", "sb_secret_"), "trufflehog supabasetoken"),
    Rule("fly", r"f(?:m[12][ar]?|o1)_[0-9A-Za-z+/=_-]{40,}", ("fm1", "fm2", "fo1_"), "gitleaks flyio-access-token"),
    Rule(
        "doppler", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[0-9A-Za-z_.-]{36,}", ("dp.",), "gitleaks doppler-api-token"
    ),
    Rule(
        "onepassword",
        r"(?:ops_eyJ[0-9A-Za-z+/=_-]{60,}|A3-[0-9A-Z]{6}-[0-9A-Z]{5,11}-[0-9A-Z]{5}[0-9A-Z-]{11,})",
        ("ops_eyJ", "A3-"),
        "gitleaks 1password-*",
    ),
    Rule("age", r"AGE-SECRET-KEY-1[0-9A-Z]{40,}", ("AGE-SECRET-KEY-1",), "gitleaks age-secret-key"),
    Rule(
        "jwt",
        r"ey[0-9A-Za-z_-]{10,}\.(?:ey[0-9A-Za-z_-]{4,}(?:\.[0-9A-Za-z_-]*)?|(?:[0-9A-Za-z_-]*\.){3}[0-9A-Za-z_-]+)",
        ("ey",),
        "gitleaks jwt; dd-trace-py; the encrypted form: RFC 7516",
        LONE,
    ),
    Rule("jwt-base64", r"ZXlK[0-9A-Za-z+/_-]{30,}={0,2}", ("ZXlK",), "gitleaks jwt-base64"),
    Rule(
        "itsdangerous",
        r"(?:(?:\.eJ|eyJ|e30|I[g-v]|W[0-9A-Za-z])[0-9A-Za-z_-]*\.[0-9A-Za-z_-]{6}|"
        r"[MNO][0-9A-Za-z_-]+\.[YZa-f][0-9A-Za-z_-]{5}|[MNO][0-9A-Za-z_-]{22,}\.[0-9A-Za-z_-]{6})"
        r"\.[0-9A-Za-z_-]{27,}",
        (".",),
        "made with itsdangerous: sessions of Flask, tokens of Flask-WTF; trufflehog discordbottoken",
        LONE,
    ),
    Rule("remember", r"(?:\||%7[Cc])(?P<s>[0-9a-f]{128,})", ("|", "%7"), "made with Flask-Login", ANYWHERE),
    Rule(
        "password-hash",
        r"(?:scrypt:[0-9:]{1,40}\$[^\s\"'$]+\$[0-9a-f]{32,}|pbkdf2[:_][0-9a-z:]{1,40}\$[^\s\"'<>]{30,}|"
        r"\$2[abxy]?\$[0-9]{2}\$[./0-9A-Za-z]{40,}|\$argon2[id]{1,2}\$[^\s\"'<>]{20,}|"
        r"\$[156y]\$[^\s\"'<>$]{1,40}\$[./0-9A-Za-z$]{20,})",
        ("scrypt:", "pbkdf2", "$"),
        "made with Werkzeug; crypt(5), argon2",
        ANYWHERE,
    ),
    Rule(
        "private-key",
        r"-----BEGIN[ 0-9A-Z]{0,40}PRIVATE KEY(?: BLOCK)?-----(?P<s>(?:[^-]|-[^-])*)",
        ("PRIVATE KEY",),
        "gitleaks private-key; relay pemkey",
        ANYWHERE,
    ),
    Rule(
        "url-credentials",
        r"://(?P<s>[^\s/?#\"'<>\\]+|[^\s/?#\"'<>\\:@\[]{0,60}:(?:[0-9]{0,20}[^0-9\s/?#\"'<>\\@]|[/?#])"
        r"[^\s\"'<>\\@]{0,100})@",
        ("://",),
        "relay url_auth; trufflehog uri, mongodb",
        ANYWHERE,
    ),
    Rule(
        "bearer",
        r"(?i:basic|bearer)(?:[ +]|%20)+(?P<s>[0-9A-Za-z+/=_.~-]{12,})",
        ("asic", "ASIC", "earer", "EARER"),
        "relay bearer, basic",
        check="has_digit",
    ),
    Rule(
        "shell-credentials",
        r"(?:-[uU]|--(?:proxy-)?user)(?:[ =]{1,3}|\\*[\"'],\s{0,3}[bu]?)\\*[\"']?[^\s:\"'\\/+-][^\s:\"'\\]{0,80}:"
        r"(?P<s>[^\s\"'\\]{3,})",
        ("-u ", "-u=", "-u'", '-u"', "-u\\", "-U ", "-U=", "-U'", '-U"', "-U\\", "-user"),
        "curl(1)",
        LONE,
    ),
    Rule(
        "sql-password",
        r"(?:(?:[Ii]dentified|IDENTIFIED)\s{1,4}(?:[Bb][Yy]|[Ww][Ii][Tt][Hh]\s{1,4}[^\s]{1,40}\s{1,4}[BbAa][YySs])|"
        r"(?:[Ww]ith|WITH|[Ee]ncrypted|ENCRYPTED|[Ss]et|SET)\s{1,4}(?:[Pp]assword|PASSWORD))\s{1,4}\\*[\"']"
        r"(?P<s>[^\"'\\]+)",
        ("dentified", "DENTIFIED", "assword", "ASSWORD"),
        "the manuals of MySQL and PostgreSQL",
        ANYWHERE,
    ),
    Rule("card", r"[2-6](?:[ -]?[0-9]){11,18}", (), "relay creditcard; datadog", UNSIGNED, "card"),
    Rule(
        "iban", r"[A-Z]{2}[0-9]{2}(?:[ -]?[0-9A-Z]){11,30}", (), "relay iban; ISO 13616", START, "iban"
    ),
    # Formats of vendors that have but one.
    Rule(
        "vendor-hex",
        r"(?:aio_|bkua_|duffel_(?:live|test)_|rubygems_|sgp_|shippo_(?:live|test)_|sq[aup]_|nfp_|figd_|dckr_pat_|"
        r"dckr_oat_|gsk_|r8_|tfp_|pnu_|rdme_|sm_aat_|zpka_|pcsk_|CLOJARS_|CCIPAT_|lsv2_(?:pt|sk)_)"
        r"[0-9A-Za-z_-]{16,}",
        ("aio_", "bkua_", "duffel_", "rubygems_", "sgp_", "shippo_", "sqa_", "squ_", "sqp_", "nfp_", "figd_",
         "dckr_", "gsk_", "r8_", "tfp_", "pnu_", "rdme_", "sm_aat_", "zpka_", "pcsk_", "CLOJARS_", "CCIPAT_",
         "lsv2_"),
        "gitleaks duffel-*, rubygems, sourcegraph, shippo, prefect, readme, settlemint, typeform, clojars; "
        "trufflehog buildkitev2, sonarcloud, figma, dockerhub, groq, replicate, langsmith; GitHub's list",
    ),
    Rule(
        "vendor-dash",
        r"(?:p8e-|dnkey-|fio-u-|ico-|s-s4t2(?:ud|af)-|NRJS-|NRII-|NRAK-|API-|pplx-|xai-|tk-us-|tskey-(?:auth|api|"
        r"client|scim|webhook)-|sq0(?:atp|csp|idp)-|access-(?:sandbox|development|production)-|FLWSECK_TEST-|"
        r"FLWSECK-)[0-9A-Za-z_-]{12,}",
        ("p8e-", "dnkey-", "fio-u-", "ico-", "s-s4t2", "NRJS-", "NRII-", "NRAK-", "API-", "pplx-", "xai-",
         "tk-us-", "tskey-", "sq0", "access-", "FLWSECK"),
        "gitleaks adobe, defined-networking, frameio, infracost, intra42, new-relic-*, octopus, perplexity, "
        "scalingo, square, plaid, flutterwave; trufflehog xai, tailscale",
        check="has_digit",
    ),
    Rule(
        "vendor-run",
        r"(?:LTAI[0-9A-Za-z]{16,}|AKCp[0-9A-Za-z]{50,}|cmVmdGtu[0-9A-Za-z]{40,}|EZ[AT]K[0-9A-Za-z]{50,}|"
        r"EAA[A-Z][0-9A-Za-z]{60,}|oy2[0-9a-z]{43,}|AQVN[0-9A-Za-z_-]{35,}|sha256~[0-9A-Za-z_-]{40,})",
        ("LTAI", "AKCp", "cmVmdGtu", "EZAK", "EZTK", "EAA", "oy2", "AQVN", "sha256~"),
        "gitleaks alibaba, artifactory, easypost, facebook-page, yandex, openshift; trufflehog nugetapikey",
    ),
    Rule(
        "vendor-point",
        r"(?:pat\.?[0-9A-Za-z]{14,22}\.[0-9a-f]{24,}[0-9A-Za-z.]*|v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}|"
        r"sl\.[0-9A-Za-z_-]{100,}|dt0c01\.[0-9A-Z]{24}\.[0-9A-Z]{60,}|amzn\.mws\.[0-9a-f-]{36,}|"
        r"sk\.eyJ[0-9A-Za-z_-]{20,}\.[0-9A-Za-z_-]{16,}|[0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_=-]{60,})",
        ("pat", "v1.0-", "sl.", "dt0c01.", "amzn.mws.", "sk.eyJ", ".atlasv1."),
        "gitleaks airtable, harness, cloudflare-origin-ca, dropbox, dynatrace, hashicorp-tf; trufflehog aws mws",
    ),
    # A short prefix: a token has a letter that hexadecimal digests, and a digit that words, have not.
    Rule(
        "beamer", r"b_[0-9a-f]{0,12}[g-z][0-9a-z]{31,}", ("b_",), "gitleaks beamer-api-token", LONE, "has_digit"
    ),
    Rule("mailchimp", r"[0-9a-f]{32}-us[0-9]{1,2}", ("-us",), "gitleaks mailchimp-api-key"),
    Rule("maxmind", r"[0-9A-Za-z]{6}_[0-9A-Za-z]{29}_mmk", ("_mmk",), "gitleaks maxmind-license-key"),
)  # fmt: skip
