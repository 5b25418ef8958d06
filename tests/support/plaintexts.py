"""A corpus of plaintext: files that hold a credential, and files that only look like it. Made in each run."""

from __future__ import annotations

import base64
import json
import random
import string

_random = random.Random(20)
_ALNUM = string.ascii_letters + string.digits


def signs(count: int, alphabet: str = _ALNUM) -> str:
    """Any signs of an alphabet, with a digit and a letter of it among them."""
    body = "".join(_random.choices(alphabet, k=count - 2))
    return _random.choice([each for each in alphabet if each.isalpha()]) + body + _random.choice(string.digits)


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def vendors() -> dict[str, str]:
    """A key of each vendor, in the form that it gives them."""
    wide = f"{_ALNUM}_-"
    return {
        "OpenAI project": f"sk-proj-{signs(30, wide)}T3BlbkFJ{signs(30, wide)}",
        "OpenAI service account": f"sk-svcacct-{signs(60, wide)}",
        "OpenAI": f"sk-{signs(20)}T3BlbkFJ{signs(20)}",
        "Anthropic": f"sk-ant-api03-{signs(93, wide)}AA",
        "OpenRouter": f"sk-or-v1-{signs(64, '0123456789abcdef')}",
        "Google": f"AIza{signs(35, wide)}",
        "Azure client secret": f"{signs(3)}8Q~{signs(34)}",
        "Azure resource": f"{signs(52)}JQQJ99{signs(26)}",
        "Azure storage": f"DefaultEndpointsProtocol=https;AccountName=own;AccountKey={signs(86)}==",
        "AWS": f"AKIA{signs(16, string.ascii_uppercase + '234567')}",
        "Bedrock": f"ABSK{signs(100)}=",
        "Slack bot": f"xoxb-{signs(12, string.digits + 'a')}-{signs(24)}",
        "Slack app": f"xapp-1-A{signs(10)}-{signs(13)}-{signs(64)}",
        "Slack webhook": f"https://hooks.slack.com/services/T{signs(8)}/B{signs(8)}/{signs(24)}",
        "Hugging Face": f"hf_{signs(34)}",
        "Groq": f"gsk_{signs(52)}",
        "xAI": f"xai-{signs(80)}",
        "Perplexity": f"pplx-{signs(48)}",
        "NVIDIA": f"nvapi-{signs(64, wide)}",
        "Replicate": f"r8_{signs(37)}",
        "Databricks": f"dapi{signs(32, '0123456789abcdef')}",
        "LangSmith": f"lsv2_pt_{signs(32)}_{signs(10)}",
        "Langfuse": f"sk-lf-{signs(8)}-{signs(4)}-{signs(4)}-{signs(12)}",
        "GitHub": f"ghp_{signs(36)}",
        "GitHub, fine-grained": f"github_pat_{signs(22)}_{signs(59)}",
        "GitLab": f"glpat-{signs(20)}",
        "Grafana": f"glsa_{signs(32)}_{signs(8)}",
        "Vault": f"hvs.{signs(90)}",
        "SendGrid": f"SG.{signs(22)}.{signs(43)}",
        "Google's sign-in": f"GOCSPX-{signs(28)}",
        "signed token": f"{_encoded({'alg': 'RS256', 'kid': signs(8)})}.{_encoded({'iss': signs(20)})}.{signs(60)}",
        "npm": f"npm_{signs(36)}",
        "Docker Hub": f"dckr_pat_{signs(27)}",
        "New Relic": f"NRAK-{signs(27, string.ascii_uppercase + string.digits)}",
        "Datadog": f"DD_API_KEY={signs(32, '0123456789abcdef')}",
        "Cohere": f"COHERE_API_KEY={signs(40)}",
        "Mistral": f"MISTRAL_API_KEY: {signs(32)}",
        "Fireworks": f"fw_{signs(24)}",
        "Doppler": f"dp.pt.{signs(43)}",
        "Linear": f"lin_api_{signs(40)}",
        "Notion": f"ntn_{signs(46)}",
        "Figma": f"figd_{signs(40)}",
        "Shopify": f"shpat_{signs(32, '0123456789abcdef')}",
        "Square": f"sq0atp-{signs(22)}",
        "Mailgun": f"key-{signs(32, '0123456789abcdef')}",
        "Twilio": f"SK{signs(32, '0123456789abcdef')}",
        "Telegram": f"{signs(9, '123456789a').replace('a', '1')}:AA{signs(33)}",
        "Discord": f"https://discord.com/api/webhooks/{''.join(_random.choices('123456789', k=18))}/{signs(68)}",
        "Cloudflare": f"v1.0-{signs(24, '0123456789abcdef')}-{signs(146, '0123456789abcdef')}",
        "Azure, a signed address": f"https://own.blob.core.windows.net/c?sv=2022-11-02&sig={signs(43)}%3D",
        "a header": f"Authorization: Bearer {signs(40)}",
        "a header of settings": f"OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer {signs(32)}",
        "a login in a header": f"Authorization: Basic {base64.b64encode(signs(24).encode()).decode()}",
        "a key in a header": f'curl -H "x-api-key: {signs(32)}" https://api.example.com',
        "a password of JDBC": f"url=jdbc:postgresql://db/own?user=own&password={signs(16)}",
        "a password of ODBC": f"Server=db;Uid=own;Pwd={signs(16)};",
        "Azure's bus": f"Endpoint=sb://own/;SharedAccessKeyName=root;SharedAccessKey={signs(43)}=",
        "npm's settings": f"//registry.example.com/:_authToken={signs(36)}",
        "an option": f"own login --password={signs(16)}",
        "a value of Helm": f"helm upgrade own own/own --set auth.password={signs(16)}",
        "a variable of an image": f"ENV NPM_TOKEN={signs(24)}",
        "SQL": f"CREATE USER own WITH PASSWORD '{signs(16)}';",
        "npm's password": f"//registry.example.com/:_password={signs(24)}",
        "XML": f"<server><password>{signs(16)}</password></server>",
        "a literal": f"kubectl create secret generic own --from-literal=password={signs(16)}",
        "a login of curl": f"curl -sS -u own:{signs(16)} https://example.com",
        "a registry": f'{{"auths": {{"ghcr.io": {{"auth": "{signs(40)}"}}}}}}',
        ".netrc": f"machine github.com login own password {signs(20)}",
        "Mailchimp": f"{signs(32, '0123456789abcdef')}-us12",
        "PyPI, for tests": f"pypi-AgENdGVzdC5weXBpLm9yZw{signs(75)}",
        "a bot of Discord": f"MT{signs(22)}.{signs(6)}.{signs(38)}",
        "PGP": "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----",
        "PGP, in base64": base64.b64encode(("-----BEGIN PGP " + "PRIVATE KEY BLOCK-----\n").encode()).decode(),
        "PuTTY": "PuTTY-User-Key-File-" + "3: ssh-ed25519",
        "SSH's own form": "-----BEGIN SSH2 ENCRYPTED " + "PRIVATE KEY-----",
        "Atlassian": f"ATATT3xFfGF0{signs(180, wide)}={signs(8, '0123456789ABCDEF')}",
        "Airtable": f"pat{signs(14)}.{signs(64, '0123456789abcdef')}",
        "Asana": f"1/{'123456789012345'}:{signs(32, '0123456789abcdef')}",
        "Heroku": f"HRKU-AA{signs(58, wide)}",
        "PlanetScale": f"pscale_tkn_{signs(43, wide)}",
        "Supabase": f"sbp_{signs(40, '0123456789abcdef')}",
        "Pulumi": f"pul-{signs(40, '0123456789abcdef')}",
        "Terraform": f"{signs(14)}.atlasv1.{signs(67)}",
        "Databricks, OAuth": f"dose{signs(32, '0123456789abcdef')}",
        "GitLab, feeds": f"glft-{signs(20)}",
        "RubyGems": f"rubygems_{signs(48, '0123456789abcdef')}",
        "SonarQube": f"squ_{signs(40, '0123456789abcdef')}",
        "Dynatrace": f"dt0c01.{signs(24, string.ascii_uppercase + '234567')}.{signs(64)}",
        "Postman": f"PMAK-{signs(24, '0123456789abcdef')}-{signs(34, '0123456789abcdef')}",
        "ElevenLabs": f"sk_{signs(48, '0123456789abcdef')}",
        "Stripe, webhooks": f"whsec_{signs(32)}",
        "Google, HMAC": f"GOOG1E{signs(55, string.ascii_uppercase + string.digits)}",
        "Azure DevOps": f"{signs(76)}AZDO{signs(4)}",
        "Docker Hub, of an organization": f"dckr_oat_{signs(32)}",
        "Teams": f"https://own.webhook.office.com/webhookb2/a@b/IncomingWebhook/{signs(32, '0123456789abcdef')}/c",
        "a session of AWS": f"AWS_SESSION_TOKEN=IQoJb3JpZ2luX2Vj{signs(120)}",
        "WireGuard": f"[Interface]\nPrivateKey = {signs(43)}=",
        "PagerDuty": f"routing_key: {signs(32, '0123456789abcdef')}",
        "a login in a setting of a proxy": f'proxy_set_header Authorization "Basic {signs(24)}";',
        "a login of a registry": f"docker login -u own -p {signs(16)} ghcr.io",
        "a password of MySQL": f"mysql -u root -p{signs(16)} own",
        "a password of Redis": f"redis-cli -h own -a {signs(16)} ping",
        "a password of HTTP": f"wget --http-user=own --http-password={signs(16)} https://example.com",
        "a literal of Helm": f"helm upgrade own own --set-literal adminPassword={signs(16)}",
        "a token in base64": base64.b64encode(f"x ghp_{signs(36)}\n".encode()).decode(),
        "a variable in base64": base64.b64encode(f"A=b\nDB_PASSWORD={signs(16)}\n".encode()).decode(),
        "a variable": f"CONFLUENT_API_SECRET={signs(40)}",
        "an id": f"CONSUL_HTTP_TOKEN={signs(8, '0123456789abcdef')}-1111-4111-8111-{signs(12, '0123456789abcdef')}",
        "Azure OpenAI": f'AZURE_API_KEY = "{signs(32, "0123456789abcdef")}"',
        "Voyage": f"pa-{signs(20, wide)}_{signs(10)}-Aa1{signs(9)}",
        "Jina's API": f"jina_{signs(32, '0123456789abcdef')}{signs(16, wide)}-{signs(10)}_A",
        "Helicone": f"sk-helicone-{'-'.join(signs(7, string.ascii_lowercase + string.digits) for _ in range(4))}",
        "Zhipu": f"{signs(32, '0123456789abcdef')}.{signs(15)}a",
        "Sourcegraph, of a site": f"sgp_{signs(16, '0123456789abcdef')}_{signs(40, '0123456789abcdef')}",
        "Alibaba Cloud": f"LTAI5t{signs(18)}",
        "Firecrawl": f"fc-{signs(32, '0123456789abcdef')}",
        "Supabase's API": f"sb_secret_{signs(22, wide)}_{signs(8)}",
        "1Password": f"ops_eyJ{signs(250)}",
    }


def _manifest(kind: str, body: str, api: str = "v1") -> str:
    return f"apiVersion: {api}\nkind: {kind}\nmetadata:\n  name: own\n  namespace: litellm\n{body}\n"


def _container(variable: str) -> str:
    return _manifest(
        "Deployment", f"spec:\n  template:\n    spec:\n      containers: [{{name: own, env: [{variable}]}}]", "apps/v1"
    )


def named(word: str) -> dict[str, tuple[str, str]]:
    """What is a credential by its name alone: (file, content)."""
    release = "helm.toolkit.fluxcd.io/v2"
    files = {
        "a ConfigMap": _manifest("ConfigMap", f"data:\n  DB_PASSWORD: {word}"),
        "a ConfigMap with a number": _manifest("ConfigMap", "data:\n  password: 8675309123"),
        "settings in a ConfigMap": _manifest("ConfigMap", f"data:\n  app.env: |\n    A=b\n    SMTP_PASSWORD={word}"),
        "YAML in a ConfigMap": _manifest("ConfigMap", f"data:\n  app.yaml: |\n    db:\n      password: {word}"),
        "JSON in a ConfigMap": _manifest("ConfigMap", f'data:\n  app.json: \'{{"apiKey": "{word}"}}\''),
        "INI in a ConfigMap": _manifest("ConfigMap", f"data:\n  app.ini: |\n    [db]\n    password = {word}"),
        "a variable of a Deployment": _container(f"{{name: OWN_PASSWORD, value: {word}}}"),
        "a token of a Deployment": _container(f"{{value: {word}, name: SLACK_TOKEN}}"),
        "a List": f"apiVersion: v1\nkind: List\nitems:\n  - kind: ConfigMap\n    data: {{UI_PASSWORD: {word}}}\n",
        "values of a HelmRelease": _manifest(
            "HelmRelease", f"spec:\n  values:\n    auth: {{password: {word}}}", release
        ),
        "values of an Application": _manifest(
            "Application",
            f"spec:\n  source:\n    helm:\n      values: |\n        auth:\n          password: {word}",
            "argoproj.io/v1alpha1",
        ),
        "a parameter of an Application": _manifest(
            "Application",
            f"spec: {{source: {{helm: {{parameters: [{{name: auth.password, value: {word}}}]}}}}}}",
            "argoproj.io/v1alpha1",
        ),
        "a literal of a generator": f"configMapGenerator:\n  - name: own\n    literals: [A=b, DB_PASSWORD={word}]\n",
        "a patch": f"patches:\n  - patch: |-\n      - op: add\n        path: /data/PASSWORD\n        value: {word}\n",
        "an argument": _manifest("Pod", f"spec: {{containers: [{{name: own, args: [--password={word}]}}]}}"),
        "an annotation": f"kind: ConfigMap\nmetadata: {{annotations: {{example.com/token: {word}}}}}\n",
        "a label": f"kind: ConfigMap\nmetadata: {{labels: {{password: {word}}}}}\n",
        "an argument of its own": _manifest(
            "Pod", f"spec: {{containers: [{{name: own, args: [--password, {word}]}}]}}"
        ),
        "a variable of GitLab": f"variables:\n  REGISTRY_PASSWORD:\n    value: {word}\n    description: own\n",
        "a variable in a patch": "patches:\n  - patch: |-\n      - op: add\n        path: /spec/containers/0/env/-\n"
        f"        value: {{name: OWN_TOKEN, value: {word}}}\n",
        "what is no YAML": f"a: b\n\tc: d\npassword: {word}\n",
        "a key in settings in a ConfigMap": _manifest(
            "ConfigMap", f"data:\n  app.env: |\n    A=b\n    OWN_API_KEY={signs(24)}"
        ),
        "values of one line": _manifest(
            "Application",
            f"spec:\n  source:\n    helm:\n      values: |\n        adminPassword: {word}",
            "argoproj.io/v1alpha1",
        ),
        "an argument of a proxy": _manifest(
            "Pod", f"spec: {{containers: [{{name: own, args: [--client-secret={word}]}}]}}"
        ),
        "a client's secret": _manifest("ConfigMap", f"data:\n  clientSecret: {word}"),
    }
    plain = {
        "a file of variables": ("config/own.properties", f"A=b\nexport DB_PASSWORD={word}\n"),
        "variables of one environment": ("deploy/.env.production", f"OWN_SECRET={word}\n"),
        "a script of a shell": ("bin/own.sh", f"#!/bin/sh\nexport DB_PASSWORD={word}\n"),
        "JSON": ("config/own.json", f'{{"db": {{"password": "{word}"}}}}\n'),
        "TOML": ("config/own.toml", f'[db]\npassword = "{word}"\n'),
        "a kubeconfig": ("ops/kubeconfig", f"users:\n  - name: own\n    user:\n      token: {word}\n"),
        "PostgreSQL's file": ("ops/.pgpass", f"db.example.internal:5432:own:own:{word}\n"),
        "a default of Terraform": (
            "infra/default.tf",
            f'variable "db_password" {{\n  type    = string\n  default = "{word}"\n}}\n',
        ),
        "a value of a chart in Terraform": (
            "infra/chart.tf",
            f'resource "x" "y" {{\n  set {{\n    name  = "auth.password"\n    value = "{word}"\n  }}\n}}\n',
        ),
        "a table of TOML": ("config/table.toml", f'db = {{ user = "own", password = "{word}" }}\n'),
        "a property in two lines": ("config/two.properties", f"db.password=\\\n    {word}\n"),
        "a variable before a command": ("bin/before.sh", f"PGPASSWORD={word} psql -h own\n"),
        "a Makefile": ("Makefile", f"DB_PASSWORD := {word}\n"),
        "a unit": ("ops/own.service", f"[Service]\nEnvironment=DB_PASSWORD={word}\n"),
        "parameters of Azure": ("infra/own.parameters.json", f'{{"adminPassword": {{"value": "{word}"}}}}\n'),
        "a request": ("ops/own.json", f'[{{"key": "token", "value": "{word}"}}]\n'),
        "direnv, with a mark": (".envrc", f"\ufeffexport DB_PASSWORD={word}\n"),
        "Vault": ("ops/own.hcl", f'token = "{word}"\n'),
        "a secret of a property": ("config/jwt.properties", f"jwt.secret=Aa1-{word}-own\n"),
        "a variable of Ansible": ("ops/hosts.txt", f"own ansible_ssh_pass=Aa1-{word}\n"),
        "a template of YAML": ("config/own.yaml.j2", f"db:\n  password: {word}\n"),
        "Rust": ("src/own.rs", f'const API_KEY: &str = "Aa1-{word}";\n'),
        "a login of Azure": ("bin/az.sh", f"az login --service-principal -u own -p Aa1-{word}\n"),
        "a setting of AWS": ("bin/aws.sh", f"aws configure set aws_secret_access_key {signs(40)}\n"),
        "Python": ("src/own.py", f'DB_PASSWORD = "Aa1-{word}"\n'),
        "JavaScript": ("src/own.js", f"const apiKey = 'Aa1-{word}';\n"),
        "Go": ("src/own.go", f'dbPassword := "Aa1-{word}"\n'),
        "a notebook": ("src/own.ipynb", f'["os.environ[\\"API_TOKEN\\"] = \'Aa1-{word}\'"]\n'),
        "Terraform": ("infra/own.tf", f'resource "x" "y" {{\n  password = "{word}"\n}}\n'),
        "values of another chart": ("charts/redis-values.yaml", f"auth:\n  password: {word}\n"),
        "a variable of fish": ("deploy/own.fish", f"set -gx DB_PASSWORD Aa1-{word}\n"),
        "a secure string": ("bin/own.ps1", f'$a = ConvertTo-SecureString "Aa1-{word}" -AsPlainText -Force\n'),
        "a password of openssl": ("bin/ssl.sh", f"openssl enc -aes-256-cbc -in a -pass pass:Aa1-{word}\n"),
        "a key of a wireless network": ("ops/wpa.conf", f'network={{\n  psk="Aa1-{word}"\n}}\n'),
        "a setting of Redis": ("ops/redis.conf", f"requirepass Aa1-{word}\n"),
        "a key in an address": ("docs/query.md", f"https://own.example.com/v1?api_key=Aa1-{word}-own-own\n"),
        "a short token in a header": ("docs/header.md", f"Authorization: Bearer Aa1{word}ownOwn99\n"),
        "what is handed on": ("bin/on.sh", f"echo 'Aa1-{word}' | docker login --password-stdin -u own\n"),
        "what goes into a store": ("bin/store.sh", f"az keyvault secret set --name own --value Aa1-{word}\n"),
        "the default of a variable": ("bin/or.sh", f"export KEY=${{OWN_API_KEY:-Aa1-{word}}}\n"),
        "a default in JavaScript": ("src/or.js", f"const key = process.env.API_KEY || 'Aa1-{word}';\n"),
        "what is a comment now": ("ops/old.yaml", f"a: b\n# password: Aa1-{word}\n"),
        "a setting of Logstash": ("ops/stash.conf", f'output {{ own {{ password => "Aa1-{word}" }} }}\n'),
        "a property list": ("ops/own.plist", f"<key>apiToken</key>\n<string>Aa1-{word}</string>\n"),
        "PyPI": ("ops/.pypirc", f"[pypi]\npassword = {word}\n"),
        "a job of CI": (".github/workflows/own.yaml", f"on: push\njobs: {{a: {{env: {{API_TOKEN: {word}}}}}}}\n"),
    }
    return {name: (f"apps/{number}.yaml", content) for number, (name, content) in enumerate(files.items())} | plain


def harmless() -> dict[str, tuple[str, str]]:
    """What looks like a credential and is none: (file, content)."""
    texts = {
        "an image by its digest": f"image: docker://registry:5000/own:1@sha256:{'a1' * 32}\n",
        "the checksum of our own Secret": f"checksum/litellm-azure-api-key: {'a1' * 32}\n",
        "the checksum of an own Secret": f"    checksum/openai-api-key: {'a1' * 32}\n",
        "a metric of GitHub's runners": f"sum(rate(gha_{'job_startup_duration_seconds'}_bucket[5m]))\n",
        "a private key in prose": "## it begins with -----BEGIN RSA " + "PRIVATE KEY-----\n##\n## name should be a1\n",
        "an example in a comment": "#  -----BEGIN " + "PRIVATE KEY-----\n#  ...\n#  -----END " + "PRIVATE KEY-----\n",
        "a private key without one": "-----BEGIN " + "PRIVATE KEY-----\nown\n-----END " + "PRIVATE KEY-----\n",
        "a token to be put in": f"hvs.{'REPLACE_WITH'}_ROOT_TOKEN xoxe.xoxp-1-Own{'TokenIsPutHere'} "
        f"glpat-{'X' * 11}-XXX\n",
        "a login of a document": 'curl --user "username:password" x\ncurl --user neo4j:[PASSWORD] x\n',
        "references of Terraform": "POSTGRES_PASSWORD = var.password\nAZURE_CLIENT_SECRET = module.entra.secret_1\n",
        "an environment in Python": 'api_key = os.environ["API_KEY"]\nAPI_KEY = os.getenv("A1_KEY_OF_OWN_ACCOUNT_2")\n',
        "published keys": f"AKIA{'IOSFODNN7EXAMPLE'} wJalrXUtnFEMI/K7MDENG/bPxRfiCY{'EXAMPLEKEY'}\n",
        "a GitHub token of no one": f"ghp_{'x' * 36}\n",
        "a key of no one": f"sk-{'1' * 40} sk-proj-{'your-key'}-goes-right-here AIza{'X' * 35}\n",
        "addresses with placeholders": "postgresql://user:password@host/db redis://:${REDIS_PASSWORD}@redis https://<u>:<p>@x\n",
        "names of variables": "OPENAI_API_KEY ANTHROPIC_API_KEY=${ANTHROPIC_API_KEY} --set api_key=$KEY\n",
        "a header with a placeholder": 'curl -H "Authorization: Bearer $TOKEN" -H "Authorization: Bearer sk-local" x\n',
        "a login with a placeholder": 'machine github.com login own password <token>\n{"auths": {"ghcr.io": {}}}\n',
        "other keys and versions": "key-value key-1 SKU SK1 v1.0-rc.1 fw_rules ntn_ lin_api shpat 12:AA sig=none\n",
        "options with placeholders": "--token ${TOKEN} --password=$PASSWORD --token-ttl 1h2m3s4d5h6m\n"
        "kubectl create secret generic own --from-literal=password=$PASSWORD\n",
        "a login that is asked for": 'curl -u "$USER:$PASSWORD" x\ncurl -u own https://example.com/a:b12345678\n'
        "curl --user own:$PASSWORD9\n",
        "parts of addresses": "jdbc:postgresql://db/own?user=own&password=${PASSWORD}&ssl=1 Pwd=<password>;\n"
        "https://example.com?password=password&x=1\n",
        "headers with placeholders": "x-api-key: $KEY\napi-key: your-api-key-here-1234567890\n"
        "Authorization: Basic <base64>\n",
        "who signs": f"-----BEGIN PGP PUBLIC KEY BLOCK-----\nuser.signingKey={'0A1B' * 10} keyID: {'0A1B' * 10}\n",
        "a bucket with a hash in its name": f"{'0a1b' * 8}-us-east-1 PuTTY-User-Key-File-3 is its first line\n",
        "a database that nobody reaches": "postgres://postgres:postgres@localhost/a mysql://user:secret@host:1/b\n",
        "a form of an address": '"postgres://own:%s@db/own"\n',
        "a private key of no one": "-----BEGIN " + "PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
        "values of Helm with placeholders": "--set auth.password=$PW1 --set auth.existingSecret=own-postgresql-2\n",
        "variables of an image": "ARG NPM_TOKEN\nENV SECRET_KEY=build-time-only TOKEN_FILE=/run/a1b2c3d4e5f6\n",
        "SQL that refers": "ALTER USER own WITH PASSWORD '${PASSWORD1}'; IDENTIFIED BY '<password1>'\n"
        "db_password=module.database.admin_password1\n",
        "XML that refers": "<password>${env.PASSWORD1}</password><maxToken>16384</maxToken>\n",
        "addresses in a document": "redis://:[password]@host postgres://my-username:my-password@host.example.com\n",
        "a key of no one in base64": base64.b64encode(("-----BEGIN " + "PRIVATE KEY-----\n...\n").encode()).decode(),
        "who is its own password": "amqp://guest:guest@rabbitmq:5672 mysql://root:root@db/own\n",
        "logins with placeholders": 'docker login -u $USER -p $TOKEN1 ghcr.io\nmysql -u root -p"$PASSWORD1" own\n',
        "other words that begin so": "jina_embeddings_v2_base_en pul-request-of-somebody-else-2 sk_learn_model_1\n",
        "a hash": f"sha256 {'0123456789abcdef' * 4} sk-learn-contrib-and-other-packages\n",
    }
    manifests = {
        "no password": _manifest("ConfigMap", 'data:\n  PASSWORD: ""\n  OWN_TOKEN: none\n  ENABLE_PASSWORD: "true"'),
        "references": _manifest(
            "ConfigMap", "data:\n  A_PASSWORD: ${PASSWORD}\n  B_TOKEN: $(TOKEN)\n  C_API_KEY: os.environ/X"
        ),
        "files": _container("{name: PASSWORD_FILE, value: own}, {name: TOKEN, value: /var/run/token}"),
        "a Secret that is named": _container(
            "{name: PASSWORD, valueFrom: {secretKeyRef: {name: own, key: password}}}, {name: A, value: token}"
        ),
        "an ExternalSecret": _manifest(
            "ExternalSecret",
            "spec:\n  data: [{secretKey: PASSWORD, remoteRef: {key: own/password, property: password}}]\n"
            '  target: {template: {data: {PASSWORD: "{{ .password }}"}}}',
            "external-secrets.io/v1",
        ),
        "a SealedSecret": _manifest(
            "SealedSecret", f"spec: {{encryptedData: {{password: {signs(200)}}}}}", "bitnami.com/v1alpha1"
        ),
        "what an operator fills in": _manifest(
            "ExternalSecret",
            "spec:\n  target:\n    template:\n      data:\n        passwd: |\n          {{ .hashed }}\n",
            "external-secrets.io/v1",
        ),
        "pages and files": "nav: [{Password: own/password.md}]\nssl: {private_key: own.pem}\n",
        "a definition": _manifest(
            "CustomResourceDefinition",
            "spec: {versions: [{schema: {properties: {password: string}}}]}",
            "apiextensions.k8s.io/v1",
        ),
        "limits": _manifest("ConfigMap", "data:\n  MAX_TOKENS: '4096'\n  input_cost_per_token: 3.5e-06"),
        "no ServiceAccount's token": _manifest("Pod", "spec: {automountServiceAccountToken: false}"),
        "Argo CD's reference": _manifest(
            "ConfigMap", "data:\n  oidc.config: |\n    clientSecret: $oidc.own.clientSecret"
        ),
        "a script": _manifest("ConfigMap", 'data:\n  a.py: |\n    token = client.token\n    password = read("x")'),
        "an annotation of a controller": "metadata: {annotations: {nginx.ingress.kubernetes.io/auth-secret: own}}\n",
        "an injector": "metadata: {annotations: {vault.hashicorp.com/agent-inject-secret-token: secret/data/own}}\n",
        "names of keys": "auth: {existingSecret: own, secretKeys: {password: password, userPasswordKey: own}}\n",
        "a variable that has the value": "password: DB_PASSWORD\napiKey: OPENAI_API_KEY\n",
        "a secret of a workflow": "env: {TOKEN: '${{ secrets.TOKEN }}', API_KEY: 'Bearer ${{ secrets.KEY }}'}\n",
        "a database of a test": "jobs: {a: {services: {db: {env: {POSTGRES_PASSWORD: postgres}}}}}\n",
        "the key of LiteLLM's documentation": "general_settings: {master_key: sk-1234}\nmodel: {api_key: fake-key}\n",
        "a key that a pipeline only needs to be there": "env: {OPENAI_API_KEY: invalid-key-for-ci}\n",
        "an example of an API": "properties: {}\nexample: {username: alice, password: correct-horse-battery}\n",
        "what a policy does next": "steps: [{guardrail: a, on_pass: next, on_fail: block}]\n",
        "a sealed key under a telling name": _manifest(
            "SealedSecret", f"spec: {{encryptedData: {{OWN_API_KEY: AgB{signs(700)}}}}}", "bitnami.com/v1alpha1"
        ),
        "what a password was hashed to": f"users: [{{name: admin, password: $2y$05${signs(53)}}}]\n",
        "the name of a Secret in a variable": "env: {TS_KUBE_SECRET: tailscale-auth}\n",
        "the right to have a token": "permissions: {id-token: write}\njobs: {a: {permissions: {id-token: read}}}\n",
        "a switch in words": _manifest("Pod", "spec: {automountServiceAccountToken: 'no'}"),
        "a token in a header of a script": "own:\n  script: ['curl --header \"JOB-TOKEN: $CI_JOB_TOKEN\" https://x']\n",
        "what Grafana reads": "grafana.ini:\n  database: {password: $__file{/etc/db}, token: '$__env{TOKEN}'}\n",
        "a Secret's name in a variable": _container("{name: JGROUPS_ENCRYPT_SECRET, value: eap-app-secret}"),
        "a reference with a path": "encryption_key: $kms_keys:iac-0/ew1/storage\n",
        "no key is needed by a server": "api_key: llama-cpp-no-key-required\nother: {LLM_API_KEY: ollama}\n",
        "what a step puts in": "env: {A_API_KEY: __OWN_KEY__, B_TOKEN: 'x-access-token:${{ steps.a.outputs.b }}'}\n",
        "a file of a task": "env: {A_CREDENTIALS: '{{.HOME}}/keys/own-1', B_CREDENTIALS: ~/keys/own-1}\n",
        "the name of a key of a Secret": "clientSecret: client-secret\nenv: {OWN_CONNECT_SECRET: own-connect}\n",
        "no token, and one that is not shown": "own_api_token: skip\nb_token: hvs.CAES52gL6*****\n",
        "an option behind an option": "containers: [{args: [--without-password, --preferences=/config/own.json]}]\n",
        "what Vale looks for": "token: \\b(\\w+)\\b\n",
        "a public token": "publicToken: 9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC\n",
        "no key is needed": "api_key: not-needed\ntoken: dummy\nother: {api_key: sk-no-key-required}\n",
    }
    settings = {
        "a script that asks": (
            "bin/ask.sh",
            'read -rs PASSWORD\nTOKEN=$(cat token)\nexport API_KEY="$KEY" SECRET=${X}\n',
        ),
        "a field of an answer": ("bin/jq.sh", "jq '{\nSessionToken: .Credentials.SessionToken,\n}'\n"),
        "a key of no one in Terraform": (
            "infra/fake.tf",
            'api_key = "tvly-fake-key"\napi_key = "sk-fake-key-for-a-try"\n',
        ),
        "JSON that refers": ("config/refer.json", '{"token": "${TOKEN}", "tokens": 4096, "passwordFile": "/x"}\n'),
        "variables to be filled in": (
            ".env.example",
            "OPENAI_API_KEY=\nLANGFUSE_SECRET_KEY=sk-lf-...\nX_API_KEY=your-api-key-here\nA_PASSWORD=changeme\nB_TOKEN=replace-me\nC_SECRET=TODO\nD_API_KEY=change-me\nE_SECRET=generate-with-openssl\n",
        ),
        "a sample of variables": ("config/own.env.sample", "API_KEY=your_openai_api_key\nDB_PASSWORD=your-password\n"),
        "packages": ("package.json", '{"jsonwebtoken": "^9.0.2", "registry-auth-token": "5.0.2"}\n'),
        "words of a model": ("models/tokenizer_config.json", '{"pad_token": "[PAD]", "mask_token": "mask.", "a": 1}\n'),
        "a property that Maven fills in": ("app/own.properties", "ssl.key-store-password=@password@\n"),
        "code that asks": (
            "src/asks.py",
            'password = getpass.getpass()\ntoken = os.environ["TOKEN"]\nTOKEN_HEADER = "X-Auth-Token-V2"\n'
            'SECRET_NAME = "litellm-masterkey-2"\napi_key = "api-key-2"\n',
        ),
        "a test of a chart": ("charts/own/tests/own_test.yaml", "set: {hub: {token: of-no-known-form}}\n"),
        "an expression of Azure": ("infra/own.json", '{"token": "[steps(\'own\').token]"}\n'),
        "names of Secrets": ("config/names.properties", "tls.secret=own-tls-2\noidc.secret=litellm-oidc-v2-secret\n"),
        "code of a test": ("src/own_test.go", 'password := "wrong-password-1"\n'),
        "a default of no one": ("infra/none.tf", 'variable "db_password" {\n  default = ""\n  sensitive = true\n}\n'),
        "databases of a desk": (
            "deploy/desk.yaml",
            "services: {a: {environment: {MINIO_ROOT_PASSWORD: minioadmin, GF_SECURITY_ADMIN_PASSWORD: admin}}}\n",
        ),
        "a store of trust": ("config/kafka.properties", "ssl.truststore.password=changeit\n"),
        "a Secret's name in a script": ("bin/name.sh", "SECRET=litellm-masterkey\n"),
        "a Secret of CUE": (
            "timoni/own.cue",
            '#Secret: {\n\tkind: "Secret"\n\tstringData: {\n\t\tpassword: "\\\\(config.password)"\n\t}\n}\n',
        ),
        "fish that refers": ("deploy/refer.fish", "set -x\nset -gx DB_PASSWORD (pass own)\nset -x API_TOKEN $A1\n"),
        "PowerShell that asks": (
            "bin/ask.ps1",
            "$a = ConvertTo-SecureString $env:PASSWORD1 -AsPlainText -Force\nConnect-Own -Password $password1\n",
        ),
        "passwords of openssl": (
            "bin/refer.sh",
            "openssl rsa -passin env:PASS1 -passout pass:$PASS1 -passin file:/a1\n",
        ),
        "words of Redis": ("ops/none.conf", '# requirepass foobared\nrequirepass ""\npsk=${WIFI_PSK1}\n'),
        "what is handed on from elsewhere": ("bin/pipe.sh", "pass own1 | docker login --password-stdin\n"),
        "logins of nobody": ("docs/nobody.md", "curl -u user:password https://own.example.com/a\n"),
        "comments that refer": ("ops/none.yaml", "a: b\n# password: see-the-Vault\n# tokens: Count4096Words\n"),
        "TOML that refers": ("config/refer.toml", 'password = "env:PASSWORD"\ntoken = ""\n'),
    }
    found = {name: (f"docs/{number}.md", content) for number, (name, content) in enumerate(texts.items())} | settings
    return found | {
        name: (f"harmless/{number}.yaml", content) for number, (name, content) in enumerate(manifests.items())
    }
