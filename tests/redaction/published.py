"""Shapes of the second corpus: documented by published detectors, and not what the rules were made from.

GL is the configuration of gitleaks, TH a detector of trufflehog, DS a plugin of detect-secrets, GH the
list of GitHub's secret scanning, SL a rule of secretlint, V the vendor's own page.
"""

from __future__ import annotations

from .shapes import read_table

PUBLISHED = read_table("""
adafruit            aio|_            {a28}                       GH Adafruit IO key
adobe-secret        p8e|-            {l32}                       GL adobe-client-secret
age                 AGE-SECRET|-KEY-1  {u58}                     GL age-secret-key
airtable            pa|t             {a14}.{h64}                 GL airtable-personnal-access-token
alibaba             LT|AI            {l20}                       GL alibaba-access-key-id
amazon-mws          amzn|.mws.       {h8}-{h4}-{h4}-{h4}-{h12}   TH amazon mws
anthropic-oat       sk-|ant-oat01-   {w93}AA                     TH anthropic
artifactory-key     AK|Cp            {a69}                       GL artifactory-api-key
artifactory-ref     cmVm|dGtu        {a56}                       GL artifactory-reference-token
atlassian           AT|ATT3          {w186}                      GL atlassian-api-token
aws-temporary       AS|IA            {216}                       GL aws-access-token
azure-ad            -                {a3}8Q~{w33}                GL azure-ad-client-secret
bitbucket           AT|BB            {a24}{u8}                   GH Bitbucket app password
buildkite           bkua|_           {h40}                       TH buildkitev2
circleci            CCI|PAT_         {a22}_{h40}                 GH CircleCI personal access token
clojars             CLOJ|ARS_        {l60}                       GL clojars-api-token
cloudflare-ca       v1.|0-           {h24}-{h146}                GL cloudflare-origin-ca-key
databricks          da|pi            {h32}                       GL databricks-api-token
defined-net         dn|key-          {l26}-{l52}                 GL defined-networking-api-token
digitalocean-oauth  doo|_v1_         {h64}                       GL digitalocean-access-token
digitalocean-pat    dop|_v1_         {h64}                       GL digitalocean-pat
digitalocean-fresh  dor|_v1_         {h64}                       GL digitalocean-refresh-token
docker              dckr|_pat_       {w27}                       TH dockerhub v2
doppler             dp.|pt.          {a43}                       GL doppler-api-token
doppler-service     dp.|st.          dev.{a43}                   TH doppler
dropbox             s|l.             {w140}                      GL dropbox-short-lived-api-token
duffel              duffel|_live_    {w43}                       GL duffel-api-token
dynatrace           dt0|c01.         {u24}.{u64}                 GL dynatrace-api-token
easypost            EZ|AK            {a54}                       GL easypost-api-token
easypost-test       EZ|TK            {a54}                       GL easypost-test-api-token
facebook-page       EA|AM            {a110}                      GL facebook-page-access-token
figma               fig|d_           {w40}                       TH figma v2
flutterwave         FLW|SECK_TEST-   {h12}                       GL flutterwave-secret-key
fly                 fo|1_            {w43}                       GL flyio-access-token
frameio             fi|o-u-          {w64}                       GL frameio-api-token
github-refresh      gh|r_            {a36}                       GL github-refresh-token
github-user         gh|u_            {a36}                       GL github-app-token
gitlab-cicd         glc|bt-          {a5}_{w20}                  GL gitlab-cicd-job-token
gitlab-deploy       gld|t-           {w20}                       GL gitlab-deploy-token
gitlab-feed         glf|t-           {w20}                       GL gitlab-feed-token
gitlab-runner       gl|rt-           {w20}                       GL gitlab-runner-authentication-token
gitlab-mail         glim|t-          {w25}                       GL gitlab-incoming-mail-token
gitlab-oauth        glo|as-          {h64}                       GL gitlab-oauth-app-secret
google-oauth-id     GOC|SPX-         {w28}                       TH googleoauth2
grafana-cloud       gl|c_            {b60}                       GL grafana-cloud-api-token
groq                gs|k_            {a52}                       TH groq
harness             pa|t.            {a22}.{h24}.{a20}           GL harness-api-key
heroku              HRKU|-AA         {w58}                       GL heroku-api-key-v2
huggingface-org     api|_org_        {L34}                       GL huggingface-organization-api-token
infracost           ic|o-            {a32}                       GL infracost-api-token
intra42             s-s4|t2ud-       {h64}                       GL intra42-client-secret
langsmith           lsv2|_pt_        {h32}_{h10}                 TH langsmith
linear              lin|_api_        {a40}                       GL linear-api-key
mailchimp           -                {h32}-us12                  GL mailchimp-api-key
mapbox              sk|.eyJ          {a60}.{w22}                 GH Mapbox secret access token
maxmind             -                {a6}_{a29}_mmk              GL maxmind-license-key
netlify             nf|p_            {a36}                       GH Netlify personal access token
newrelic-browser    NRJ|S-           {h19}                       GL new-relic-browser-api-token
newrelic-insert     NRI|I-           {w32}                       GL new-relic-insert-key
newrelic-user       NRA|K-           {u27}                       GL new-relic-user-api-key
notion              ntn|_            {d11}{a35}                  GL notion-api-token
npm                 np|m_            {l36}                       GL npm-access-token
nuget               oy|2             {l43}                       TH nugetapikey
octopus             AP|I-            {u26}                       GL octopus-deploy-api-key
onepassword         A|3-             {u6}-{u11}-{u5}-{u5}-{u5}   GL 1password-secret-key
openshift           sha|256~         {w43}                       GL openshift-user-token
perplexity          pp|lx-           {a48}                       GL perplexity-api-key
pinecone            pc|sk_           {_65}                       GH Pinecone API key
plaid               access|-sandbox- {h8}-{h4}-{h4}-{h4}-{h12}   GL plaid-api-token
planetscale         pscale|_oauth_   {w40}                       GL planetscale-oauth-token
postman             PM|AK-           {h24}-{h34}                 GL postman-api-token
prefect             pn|u_            {l36}                       GL prefect-api-token
pulumi              pu|l-            {h40}                       GL pulumi-api-token
pypi                py|pi-           AgEIcHlwaS5vcmc{w70}        GL pypi-upload-token
readme              rd|me_           {l70}                       GL readme-api-token
replicate           r8|_             {w37}                       TH replicate
rubygems            ruby|gems_       {h48}                       GL rubygems-api-token
scalingo            tk|-us-          {w48}                       GL scalingo-api-token
sendinblue          xkey|sib-        {h64}-{l16}                 GL sendinblue-api-token
sentry-user         sntry|u_         {h64}                       GL sentry-user-token
settlemint          sm_|aat_         {a16}                       GL settlemint-application-access-token
shippo              shippo|_live_    {h40}                       GL shippo-api-token
shopify-custom      shp|ca_          {h32}                       GL shopify-custom-access-token
shopify-private     shp|pa_          {h32}                       GL shopify-private-app-access-token
shopify-secret      shp|ss_          {h32}                       GL shopify-shared-secret
slack-config        xoxe|.xoxp-      1-{u166}                    GL slack-config-access-token
slack-legacy        xox|s-           {d12}-{d12}-{h24}           GL slack-legacy-token
sonar               sq|u_            {h40}                       TH sonarcloud
sourcegraph         sg|p_            {h40}                       GL sourcegraph-access-token
square              sq0|atp-         {w22}                       GL square-access-token
square-secret       sq0|csp-         {w43}                       TH square
stripe-restricted   rk|_live_        {a99}                       GL stripe-access-token
supabase            sb|p_            {h40}                       TH supabasetoken
tailscale           tskey|-auth-     {a17}-{a32}                 TH tailscale
terraform           -                {a14}.atlasv1.{w64}         GL hashicorp-tf-api-token
typeform            tf|p_            {w59}                       GL typeform-api-token
vault-batch         hv|b.            {w140}                      GL vault-batch-token
xai                 xa|i-            {a80}                       TH xai
yandex-api          AQ|VN            {w36}                       GL yandex-api-key
zuplo               zp|ka_           {_64}                       GH Zuplo consumer API key
beamer              b|_              {l44}                       GL beamer-api-token (a name must stand near)
""")
