"""The formats of secrets, as data: the looks of a token, wherever it stands."""

from __future__ import annotations

from .format_type import ANYWHERE, LONE, START, UNSIGNED, Format
from .vendors import VENDOR_FORMATS

VERSION = "2"
"""The version of formats and names together; stored with each record."""

FORMATS = (
    Format("aws", r"(?:A3T[0-9A-Z]|AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16,}(?:[^0-9A-Za-z+/]{1,5}[0-9A-Za-z+/]{40,})?",
        ("A3T", "AKIA", "ASIA", "ABIA", "ACCA"),
        "gitleaks aws-access-token; the secret key beside it: trufflehog aws",
        finds="AWS access key ids, with the secret key beside one"),
    Format("aws-bedrock", r"ABSK[0-9A-Za-z+/]{60,}={0,2}", ("ABSK",), "gitleaks aws-amazon-bedrock-api-key", finds="AWS Bedrock API keys"),
    Format("google", r"(?:AIza|GOCSPX-|1//0)[0-9A-Za-z_-]{26,}", ("AIza", "GOCSPX-", "1//0"), "gitleaks gcp", finds="Google API keys, client secrets and refresh tokens"),
    Format("google-oauth", r"ya29\.[0-9A-Za-z_.-]{10,}", ("ya29.",), "trufflehog googleoauth2", finds="Google OAuth access tokens"),
    Format("azure-storage", r"(?i:Account|SharedAccess)(?:Key|key|KEY)=(?P<s>[0-9A-Za-z+/]{20,}={0,2})",
        ("Key=", "key=", "KEY="), "detect-secrets azure_storage_key", ANYWHERE,
        finds="Azure storage and shared access keys"),
    Format("azure-ad", r"[0-9A-Za-z_~.]{3}[0-9]Q~[0-9A-Za-z_~.-]{31,}", ("Q~",), "gitleaks azure-ad", finds="Azure AD client secrets"),
    Format("github", r"(?:gh[oprsu]_[0-9A-Za-z_.-]{20,}|github_pat_[0-9A-Za-z_]{20,})",
        ("gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_"),
        "gitleaks github-pat, -oauth, -app-token, -fine-grained-pat; secretlint #1518", check="has_digit",
        finds="GitHub tokens, classic, fine-grained and of apps"),
    Format("gitlab", r"(?:gl(?:pat|ptt|dt|ft|rt|rtr|imt|oas|cbt|soat|agent|ffct|wt)-|GR1348941)[0-9A-Za-z_.=-]{16,}",
        ("glpat-", "glptt-", "gldt-", "glft-", "glrt-", "glrtr-", "glimt-", "gloas-", "glcbt-", "glsoat-",
        "glagent-", "glffct-", "glwt-", "GR1348941"), "gitleaks gitlab-*", check="has_digit",
        finds="GitLab tokens of all kinds"),
    Format("slack", r"xox[a-z](?:[.]xox[a-z])?-[0-9A-Za-z-]{10,}", ("xox",), "gitleaks slack-*", check="has_digit", finds="Slack tokens"),
    Format("slack-app", r"xapp-[0-9]-[0-9A-Za-z-]{20,}", ("xapp-",), "gitleaks slack-app-token", finds="Slack app-level tokens"),
    Format("webhook",
        r"(?:hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers|commands|actions)|discord(?:app)?\.com/api/"
        r"(?:v[0-9]+/)?webhooks|/webhookb2|/services/T[0-9A-Z]{7,}/B[0-9A-Z]{7,}|outlook\.office(?:365)?\.com/webhook|hooks\.zapier\.com/hooks/catch|"
        r"fcm\.googleapis\.com/(?:fcm/send|wp)|push\.services\.mozilla\.com/wpush|(?:web\.push\.apple|notify\.windows)\.com)"
        r"/(?P<s>[0-9A-Za-z@/._:?=%&-]{10,})",
        ("fcm.googleapis.com/", "/wpush/", "push.apple.com/", "notify.windows.com/", "hooks.slack", "/webhooks/", "/webhookb2/", "outlook.office", "hooks.zapier.com/", "/services/T"),
        "gitleaks slack-webhook-url, microsoft-teams-webhook; trufflehog discordwebhook, zapierwebhook", ANYWHERE,
        finds="webhook URLs of Slack, Discord, Teams and Zapier, and endpoints of web push"),
    Format("telegram", r"(?:bot)?(?P<s>[0-9]{5,16}:A[0-9A-Za-z_-]{32,})", (":A",), "gitleaks telegram-bot-api-token", finds="Telegram bot tokens"),
    Format("stripe", r"(?:[sr]k_(?:live|test|prod)_|whsec_)[0-9A-Za-z+/=]{10,}",
        ("_live_", "_test_", "_prod_", "whsec_"), "gitleaks stripe-access-token; trufflehog stripe",
        check="has_digit", finds="Stripe secret, restricted and webhook keys"),
    Format("openai", r"sk-(?:(?:proj|svcacct|admin|ant|or|lf|None|service)-[0-9A-Za-z_-]{16,}|[0-9A-Za-z]{20,})",
        ("sk-",), "gitleaks openai-api-key, anthropic-api-key", check="has_digit",
        finds="OpenAI, Anthropic and OpenRouter keys"),
    Format("huggingface", r"(?:hf|api_org)_[0-9A-Za-z]{30,}", ("hf_", "api_org_"), "gitleaks huggingface-*", finds="Hugging Face tokens"),
    Format("npm", r"npm_[0-9A-Za-z]{30,}", ("npm_",), "gitleaks npm-access-token", finds="npm tokens"),
    Format("pypi", r"pypi-AgE[0-9A-Za-z_-]{40,}", ("pypi-AgE",), "gitleaks pypi-upload-token", finds="PyPI upload tokens"),
    Format("sendgrid", r"SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}", ("SG.",), "gitleaks sendgrid-api-token", finds="SendGrid API keys"),
    Format("brevo", r"x(?:key|smtp)sib-[0-9a-f]{40,}-[0-9A-Za-z]{10,}", ("sib-",), "gitleaks sendinblue", finds="Brevo (Sendinblue) keys"),
    Format("twilio", r"SK[0-9a-fA-F]{32,}", ("SK",), "gitleaks twilio-api-key", finds="Twilio API keys"),
    Format("mailgun", r"key-[0-9a-f]{32,}", ("key-",), "gitleaks mailgun-private-api-token", LONE, finds="Mailgun private keys"),
    Format("shopify", r"shp(?:at|ca|pa|ss|tka|ua)_[0-9a-fA-F]{32,}", ("shp",), "gitleaks shopify-*", finds="Shopify tokens and secrets"),
    Format("vault", r"hv[brs]\.[0-9A-Za-z_-]{24,}", ("hvb.", "hvr.", "hvs."), "gitleaks vault-*", finds="HashiCorp Vault tokens"),
    Format("databricks", r"dapi[0-9a-f]{32,}", ("dapi",), "gitleaks databricks-api-token", finds="Databricks tokens"),
    Format("digitalocean", r"do[oprt]_v1_[0-9a-f]{40,}", ("_v1_",), "gitleaks digitalocean-*", finds="DigitalOcean tokens"),
    Format("grafana", r"gl(?:sa|c)_[0-9A-Za-z+/_]{30,}={0,2}", ("glsa_", "glc_"), "gitleaks grafana-*", check="has_digit", finds="Grafana service account and cloud tokens"),
    Format("sentry", r"sntry[su]_[0-9A-Za-z+/=_-]{20,}", ("sntrys_", "sntryu_"), "gitleaks sentry-*", finds="Sentry auth tokens"),
    Format("atlassian", r"(?:AT[AC]TT3|ATBB)[0-9A-Za-z_=-]{24,}", ("TT3", "ATBB"), "gitleaks atlassian-api-token", finds="Atlassian and Bitbucket tokens"),
    Format("heroku", r"HRKU-[0-9A-Za-z_-]{30,}", ("HRKU-",), "gitleaks heroku-api-key-v2", finds="Heroku API keys"),
    Format("linear", r"lin_(?:api|oauth)_[0-9A-Za-z]{30,}", ("lin_",), "gitleaks linear-api-key", finds="Linear API keys"),
    Format("notion", r"(?:ntn_|secret_)[0-9A-Za-z]{40,}", ("ntn_", "secret_"), "gitleaks notion-api-token", finds="Notion tokens"),
    Format("postman", r"PMAK-[0-9a-f]{20,}-[0-9a-f]{30,}", ("PMAK-",), "gitleaks postman-api-token", finds="Postman API keys"),
    Format("pulumi", r"pul-[0-9a-f]{40,}", ("pul-",), "gitleaks pulumi-api-token", finds="Pulumi tokens"),
    Format("planetscale", r"pscale_(?:pw|tkn|oauth)_[0-9A-Za-z_.=-]{30,}", ("pscale_",), "gitleaks planetscale-*", finds="PlanetScale passwords and tokens"),
    Format("supabase", r"sb(?:p|s|_secret)_[0-9A-Za-z_]{20,}", ("sbp_", "sbs_", "sb_secret_"), "trufflehog supabasetoken", check="has_digit", finds="Supabase tokens"),
    Format("fly", r"f(?:m[12][ar]?|o1)_[0-9A-Za-z+/=_-]{40,}", ("fm1", "fm2", "fo1_"), "gitleaks flyio-access-token", finds="Fly.io tokens"),
    Format("doppler", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[0-9A-Za-z_.-]{36,}", ("dp.",), "gitleaks doppler-api-token", finds="Doppler tokens"),
    Format("onepassword", r"(?:ops_eyJ[0-9A-Za-z+/=_-]{60,}|A3-[0-9A-Z]{6}-[0-9A-Z]{5,11}-[0-9A-Z]{5}[0-9A-Z-]{11,})",
        ("ops_eyJ", "A3-"), "gitleaks 1password-*", finds="1Password service account tokens and secret keys"),
    Format("age", r"AGE-SECRET-KEY-1[0-9A-Z]{40,}", ("AGE-SECRET-KEY-1",), "gitleaks age-secret-key", finds="age secret keys"),
    Format("jwt",
        r"ey[0-9A-Za-z_-]{10,}\.(?:ey[0-9A-Za-z_-]{4,}(?:\.[0-9A-Za-z_-]*)?|(?:[0-9A-Za-z_-]*\.){3}[0-9A-Za-z_-]+)",
        ("ey",), "gitleaks jwt; dd-trace-py; the encrypted form: RFC 7516", LONE,
        finds="JSON web tokens, signed, unsigned and encrypted"),
    Format("jwt-base64", r"ZXlK[0-9A-Za-z+/_-]{30,}={0,2}", ("ZXlK",), "gitleaks jwt-base64", finds="JSON web tokens in base64"),
    Format("itsdangerous", r"(?:(?:\.eJ|eyJ|e30|I[g-v]|W[0-9A-Za-z])[0-9A-Za-z_-]*\.[0-9A-Za-z_-]{6}|"
        r"[MNO][0-9A-Za-z_-]+\.[YZa-f][0-9A-Za-z_-]{5}|[MNO][0-9A-Za-z_-]{22,}\.[0-9A-Za-z_-]{6})"
        r"\.[0-9A-Za-z_-]{27,}", (".",),
        "made with itsdangerous: sessions of Flask, tokens of Flask-WTF; trufflehog discordbottoken", LONE,
        check="session", finds="Flask sessions, Flask-WTF tokens, Discord bot tokens"),
    Format("remember", r"(?:\||%7[Cc])(?P<s>[0-9a-f]{128,})", ("|", "%7"), "made with Flask-Login", ANYWHERE, finds="remember cookies of Flask-Login"),
    Format("password-hash",
        r"(?:scrypt:[0-9:]{1,40}\$[^\s\"'$]+\$[0-9a-f]{32,}|pbkdf2[:_][0-9a-z:]{1,40}\$[^\s\"'<>]{30,}|"
        r"\$2[abxy]?\$[0-9]{2}\$[./0-9A-Za-z]{40,}|\$argon2[id]{1,2}\$[^\s\"'<>]{20,}|"
        r"\{(?:S?SHA|S?MD5|CRYPT|PBKDF2|ARGON2)[0-9A-Z_-]{0,12}\}[0-9A-Za-z+/=$.,*]{20,}|"
        r"\$(?:[1568y]|apr1|sha1|md5)\$[^\s\"'<>$]{1,40}\$[./0-9A-Za-z$]{20,}|\$[HP]\$[./0-9A-Za-z]{31,}|\$krb5[0-9a-z]{2,8}\$[^\s\"'<>]{20,})",
        ("scrypt:", "pbkdf2", "$", "{S", "{M", "{CRYPT", "{PBKDF2", "{ARGON2"),
        "made with Werkzeug; crypt(5), argon2", ANYWHERE,
        finds="password hashes of Werkzeug, bcrypt, Argon2, phpass and crypt"),
    Format("private-key", r"-----BEGIN (?:[ 0-9A-Z]{0,40}PRIVATE KEY(?: BLOCK)?|OpenVPN Static key V1)-----(?P<s>(?:[^-]|-[^-])*)",
        ("PRIVATE KEY", "OpenVPN Static key"), "gitleaks private-key; relay pemkey", ANYWHERE, finds="private keys in PEM, also cut ones, and those of OpenVPN"),
    Format("url-credentials",
        r"://(?P<s>[^\s/?#\"'<>\\]+|[^\s/?#\"'<>\\:@\[]{0,60}:(?:[0-9]{0,20}[^0-9\s/?#\"'<>\\@]|[/?#])"
        r"[^\s\"'<>\\@]{0,100})@", ("://",), "relay url_auth; trufflehog uri, mongodb", ANYWHERE, check="user",
        finds="user and password in URLs"),
    Format("bearer", r"(?i:basic|bearer|negotiate|ntlm)(?:[ ,+]|%20)+(?P<s>[0-9A-Za-z+/=_.~-]{12,})",
        ("basic", "bearer", "negotiate", "ntlm"), "relay bearer, basic", check="has_digit", any_case=True,
        finds="credentials behind Basic, Bearer, Negotiate and NTLM"),
    Format("shell-credentials",
        r"(?:-[uU]|--(?:proxy-)?user)(?:[ =]{1,3}|\\*[\"'],\s{0,3}[bu]?)\\*[\"']?[^\s:\"'\\/+-][^\s:\"'\\]{0,80}:"
        r"(?P<s>[^\s\"'\\]{3,})", ("-u ", "-u=", "-u'", '-u"', "-u\\", "-U ", "-U=", "-U'", '-U"', "-U\\", "-user"),
        "curl(1)", LONE, finds="user and password behind curl's -u and --user"),
    Format("sql-password",
        r"(?:(?:[Ii]dentified|IDENTIFIED)\s{1,4}(?:[Bb][Yy]|[Ww][Ii][Tt][Hh]\s{1,4}[^\s]{1,40}\s{1,4}[BbAa][YySs])|"
        r"(?:[Ww]ith|WITH|[Ee]ncrypted|ENCRYPTED|[Ss]et|SET)\s{1,4}(?:[Pp]assword|PASSWORD))\s{1,4}\\*[\"']"
        r"(?P<s>[^\"'\\]+)", ("dentified", "DENTIFIED", "assword", "ASSWORD"), "the manuals of MySQL and PostgreSQL",
        ANYWHERE, finds="passwords in SQL, as in IDENTIFIED BY '...'"),
    Format("card", r"[2-6](?:[ +-]?[0-9]){11,18}", (), "relay creditcard; datadog", UNSIGNED, "card", finds="card numbers, by issuer, length, Luhn and grouping"),
    Format("iban", r"[A-Z]{2}[0-9]{2}(?:[ +-]?[0-9A-Z]){11,30}", (), "relay iban; ISO 13616", START, "iban", finds="IBANs, by the country's length and checksum"),
    Format(
        "vendor-point",
        r"(?:pat\.?[0-9A-Za-z]{14,22}\.[0-9a-f]{24,}[0-9A-Za-z.]*|v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}|"
        r"sl\.[0-9A-Za-z_-]{100,}|dt0c01\.[0-9A-Z]{24}\.[0-9A-Z]{60,}|amzn\.mws\.[0-9a-f-]{36,}|"
        r"sk\.eyJ[0-9A-Za-z_-]{20,}\.[0-9A-Za-z_-]{16,}|[0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_=-]{60,})",
        ("pat", "v1.0-", "sl.", "dt0c01.", "amzn.mws.", "sk.eyJ", ".atlasv1."),
        "gitleaks airtable, harness, cloudflare-origin-ca, dropbox, dynatrace, hashicorp-tf; trufflehog aws mws", finds="tokens of Airtable, Dropbox, Mapbox and others, with points"),
    # A short prefix: a token has a letter that hexadecimal digests, and a digit that words, have not.
    Format("beamer", r"b_[0-9a-f]{0,12}[g-z][0-9a-z]{31,}", ("b_",), "gitleaks beamer-api-token", LONE, "has_digit", finds="Beamer API keys"),
    Format("asana", r"[0-2]/[0-9]{13,}:[0-9a-f]{32,}", ("0/", "1/", "2/"), "trufflehog asana", LONE, finds="Asana personal access tokens"),
    Format("mailchimp", r"[0-9a-f]{32}-us[0-9]{1,2}", ("-us",), "gitleaks mailchimp-api-key", finds="Mailchimp API keys"),
    Format("maxmind", r"[0-9A-Za-z]{6}_[0-9A-Za-z]{29}_mmk", ("_mmk",), "gitleaks maxmind-license-key", finds="MaxMind license keys"),
    Format("azure-key", r"[0-9A-Za-z]{52}JQQJ9[0-9A-Za-z]{20,}", ("JQQJ9",), "Microsoft's common annotated keys", finds="keys of Azure and tokens of Azure DevOps"),
    Format("link",
        r"/(?:reset|(?:re)?set[_-]password|password(?:[_-]resets?|/edit)|(?:verify|confirm)(?:[_-]email)?|email/verify|activate|"
        r"confirmation|magic(?:[_-]link)?|invite|invitations?|join|share|accept[_-]invite|unsubscribe|token|session|hooks|webhooks?|with/key)"
        r"(?:/(?:[0-9A-Za-z_-]{1,20}/)?|\?[0-9A-Za-z_]{1,20}=)(?P<s>[0-9A-Za-z_=-]{20,})",
        ("/reset", "/set", "/password", "/verify", "/confirm", "/activate", "/magic", "invit", "/join", "/share", "/unsubscribe", "/token",
        "/session", "/with/key", "/hooks", "/webhook"), "the documentation of Django and of Auth.js", ANYWHERE,
        "mixed_run", finds="links that reset a password or confirm an address"),
    Format("openweather", r"appid=(?P<s>[0-9a-f]{32,})", ("appid=",), "OpenWeather's documentation", LONE, finds="OpenWeather API keys in queries"),
    Format("query-password", r"u=[^&\s]{1,80}&p=(?P<s>[^&\s\"']{4,})", ("&p=",), "the documentation of InfluxDB and Subsonic", LONE, finds="passwords in queries as u=...&p=..."),
    Format("telegram-login", r"auth_date=[0-9]{9,}&(?:[^\s\"']{0,400}&)?hash=(?P<s>[0-9a-f]{64})", ("auth_date=",), "Telegram's documentation", LONE, finds="signatures of Telegram logins"),
    Format("resend", r"re_[0-9A-Za-z]{6,}_[0-9A-Za-z]{20,}", ("re_",), "Resend's documentation", LONE, "has_digit", finds="Resend API keys"),
    Format("fernet", r"gAAAAA[0-9A-Za-z_-]{60,}={0,2}", ("gAAAAA",), "made with cryptography", finds="Fernet tokens"),
    Format("paseto", r"v[1-4]\.(?:local|public)\.[0-9A-Za-z_-]{30,}(?:\.[0-9A-Za-z_-]+)?", (".local.", ".public."), "PASETO's specification", finds="PASETO tokens"),
    Format("signed", r"[0-9A-Za-z_-]+[.:](?P<s>[0-9A-Za-z_-]{27,86})", (".", ":"),
        "made with itsdangerous and django.core.signing", LONE, "signature",
        finds="values signed by itsdangerous and Django"),
    Format("salesforce", r"00D[0-9A-Za-z]{12,15}![0-9A-Za-z._]{40,}", ("00D",), "Salesforce's documentation", finds="Salesforce session ids"),
    Format("stripe-link", r"connect\.stripe\.com/setup/[a-z]/acct_[0-9A-Za-z]+/(?P<s>[0-9A-Za-z]{12,})",
           ("connect.stripe.com/setup/",), "Stripe's documentation", ANYWHERE, finds="account links of Stripe"),
    Format("expo", r"Expo(?:nent)?PushToken\[(?P<s>[0-9A-Za-z_-]{16,})", ("PushToken[",), "Expo's documentation", LONE, finds="Expo push tokens"),
    Format("firebase", r"[0-9A-Za-z_-]{11,}:APA91[0-9A-Za-z_-]{16,}", (":APA91",), "Firebase's documentation", LONE, finds="Firebase registration tokens"),
    Format("jdbc", r"jdbc:oracle:[a-z]{3,4}:[^\s/@\"']{1,60}/(?P<s>[^\s@\"']{1,100})@", ("jdbc:oracle:",), "Oracle's documentation", LONE, finds="passwords in URLs of Oracle's driver"),
    Format("wifi", r"WIFI:(?:[^\r\n\"]{0,200};)?P:(?P<s>(?:[^;\\\"]|\\[^\"]){3,})", ("WIFI:",), "ZXing's documentation", LONE, finds="passwords of wireless networks in QR codes"),
    Format("putty", r"Private-Lines: [0-9]{1,4}(?P<s>(?:\s|\\[rn]){1,4}[0-9A-Za-z+/=]{16}[\s\\0-9A-Za-z+/=:-]+)", ("Private-Lines: ",), "PuTTY's manual",
           finds="private keys in PuTTY's files"),
    *VENDOR_FORMATS,
)  # fmt: skip
