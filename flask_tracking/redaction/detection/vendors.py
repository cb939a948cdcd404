"""Tokens of vendors that are a prefix and a run of characters: one line for each.

A line is the id of the format, its prefixes, the alphabet and least length of the rest, and the secrets it
finds. No length has an upper end, for tokens grow. Alphabets: ``h`` hexadecimal, ``a`` letters and digits,
``w`` these with ``_`` and ``-``, ``p`` these with ``.`` too, ``b`` base64, ``u`` capitals and digits.

A token has a run of letters and digits mixed, or of random letters, which words with a year behind them
have not: ``ico-`` begins the names of icons as well as tokens of Infracost.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .format_type import LONE, Format

ALPHABETS = {
    "h": "0-9A-Fa-f",
    "a": "0-9A-Za-z",
    "w": "0-9A-Za-z_-",
    "p": "0-9A-Za-z_.-",
    "b": "0-9A-Za-z+/=_-",
    "u": "0-9A-Z",
}
TABLE = """
adafruit-io     aio_                                w16  Adafruit IO keys
adobe           p8e-                                w16  Adobe client secrets
alibaba         LTAI                                a16  Alibaba Cloud access key ids
apify           apify_api_                          a20  Apify API tokens
artifactory     AKCp,cmVmdGtu                       a40  Artifactory API keys and reference tokens
axiom           xaat-,xapt-                         w30  Axiom tokens
aws-appsync     da2-                                a20  AWS AppSync API keys
bip32           xprv,yprv,zprv,tprv,uprv,vprv       a80  BIP 32 extended private keys
buildkite       bkua_                               a16  Buildkite tokens
circleci        CCIPAT_,CCIPRJ_                     w16  CircleCI tokens
clojars         CLOJARS_                            a16  Clojars deploy tokens
cloudflare      cfut_,cfk_,cfat_                    w16  Cloudflare API tokens
cerebras        csk-                                a30  Cerebras API keys
contentful      CFPAT-                              w16  Contentful personal access tokens
crates-io       cio                                 a32  crates.io API tokens
defined         dnkey-                              w16  Defined Networking tokens
docker          dckr_pat_,dckr_oat_                 w16  Docker Hub access tokens
e2b             e2b_                                h30  E2B API keys
duffel          duffel_live_,duffel_test_           w16  Duffel API tokens
easypost        EZAK,EZTK                           a50  EasyPost API keys
elevenlabs      sk_                                 h40  ElevenLabs API keys
facebook        EAAA,EAAB,EAAC,EAAG,EAAM            w60  Facebook and Square access tokens
figma           figd_                               w16  Figma access tokens
firecrawl       fc-                                 h24  Firecrawl API keys
flutterwave     FLWSECK_TEST-,FLWSECK-              w12  Flutterwave secret keys
frameio         fio-u-                              w16  Frame.io tokens
google-calendar private-                            h32  secret addresses of Google calendars
grafana-api     eyJrIjoi                            b40  Grafana API keys of the older kind
groq            gsk_                                a16  Groq API keys
honeycomb       hcaik_,hcbik_,hcxik_,hcamk_         a30  Honeycomb keys
hubspot         pat-na1-,pat-na2-,pat-eu1-          w16  HubSpot private app tokens
infracost       ico-                                a24  Infracost API tokens
intra42         s-s4t2ud-,s-s4t2af-                 a24  Intra42 client secrets
jina            jina_                               w24  Jina API keys
langsmith       lsv2_pt_,lsv2_sk_,ls__              w16  LangSmith API keys
mailersend      mlsn.                               h40  MailerSend API tokens
mongodb-atlas   mdb_sa_sk_                          w16  MongoDB Atlas service account secrets
neon            napi_                               a40  Neon API keys
netlify         nfp_                                a24  Netlify tokens
new-relic       NRJS-,NRII-,NRAK-,NRAA-,NRIQ-,NRRA- w12  New Relic keys
nuget           oy2                                 a43  NuGet API keys
nvidia          nvapi-                              w40  NVIDIA API keys
octopus         API-                                u20  Octopus Deploy API keys
okta-dev        odt_                                w16  Okta tokens
openshift       sha256~                             w40  OpenShift tokens
paddle          pdl_live_apikey_,pdl_sdbx_apikey_   w30  Paddle API keys
perplexity      pplx-                               a20  Perplexity API keys
pinecone        pcsk_                               w20  Pinecone API keys
plaid           access-sandbox-,access-development-,access-production- w16  Plaid access tokens
polar           polar_oat_,polar_pat_               a30  Polar access tokens
posthog         phx_                                a30  PostHog personal API keys
prefect         pnu_                                a16  Prefect API tokens
readme          rdme_                               a16  ReadMe API tokens
render          rnd_                                a20  Render API keys
replicate       r8_                                 w20  Replicate API tokens
runpod          rpa_                                a30  RunPod API keys
rubygems        rubygems_                           h16  RubyGems API tokens
scalingo        tk-us-                              w16  Scalingo tokens
settlemint      sm_aat_,sm_pat_,sm_sat_             a16  SettleMint tokens
shltm           shltm_                              w16  Shltm tokens
shippo          shippo_live_,shippo_test_           h16  Shippo API tokens
slack-legacy    slk_                                w16  Slack-compatible keys
snyk            snyk_uat.,snyk_sat.                 p16  Snyk API tokens
sonar           sqa_,squ_,sqp_                      a16  SonarQube and SonarCloud tokens
sourcegraph     sgp_                                w16  Sourcegraph tokens
square          sq0atp-,sq0csp-,sq0idp-,cnon:,cnon%3A w16  Square tokens and card nonces
stackhawk       hawk.                               p16  StackHawk API keys
tailscale       tskey-,tskey-auth-,tskey-api-,tskey-client-,tskey-scim-,tskey-webhook- w16  Tailscale keys
tavily          tvly-                               w16  Tavily API keys
typeform        tfp_                                w16  Typeform tokens
vercel          vcp_,vci_,vca_,vcr_,vck_            a20  Vercel tokens
xai             xai-                                a20  xAI API keys
together        tgp_v1_                             w30  Together AI API keys
vercel-blob     vercel_blob_rw_                     w24  Vercel blob store tokens
yandex          AQVN                                w35  Yandex Cloud API keys
zuplo           zpka_                               w16  Zuplo API keys
"""

_LINE = re.compile(r"(\S+) +([^\s,]+(?:,[^\s,]+)*) +([a-z])([0-9]+) +(\S.*)")


class Vendor(NamedTuple):
    """One line of the table."""

    id: str
    prefixes: tuple[str, ...]
    alphabet: str
    least: int
    """Characters behind the prefix."""
    finds: str

    def make_format(self) -> Format:
        """Return the format of its tokens."""
        prefix = "|".join(map(re.escape, sorted(self.prefixes, key=len, reverse=True)))
        pattern = f"(?:{prefix})[{ALPHABETS[self.alphabet]}]{{{self.least},}}"
        sources = "the vendor's documentation"
        return Format(self.id, pattern, self.prefixes, sources, LONE, "random_run", finds=self.finds)


def _read_line(line: str) -> Vendor:
    match = _LINE.fullmatch(line)
    if match is None or match[3] not in ALPHABETS:
        raise ValueError(
            f"{line!r} is not a line of the table: id, prefixes (joined by commas, without blanks), "
            f"one of {', '.join(ALPHABETS)} with a length, like w16, and what it finds"
        )
    return Vendor(match[1], tuple(match[2].split(",")), match[3], int(match[4]), match[5])


VENDORS = tuple(_read_line(line) for line in TABLE.strip().splitlines())
VENDOR_FORMATS = tuple(vendor.make_format() for vendor in VENDORS)
