"""Faults and edits of docker-compose.yml, beside the release that it has: test_releases.py."""

from __future__ import annotations

from tests.support.faults import SHARED, Edit, Fault, append_item, change, drop, remove, set_value, substitute, together
from tests.support.findings import accepted, found_by_its_rule_alone

FILE = "docker-compose.yml"
PROXY = ("services", "litellm")
READS = "the_proxy_here_takes_its_configuration"
TAKES, FINDS = "docker_takes_its_file", "the_proxy_here_finds_its_configuration"

FAULTS: dict[str, Fault] = {
    "a mount without its source": (TAKES, substitute(FILE, r"source: .*", "source:", count=1)),
    "no port": (FINDS, substitute(FILE, r"^ +- 127\.0\.0\.1:4000:4000\n", "")),
    "a misspelt level of the log": (FINDS, change(FILE, "LITELLM_LOG: INFO", "LITELLM_LOG: INOF")),
    "two words in one argument": (FINDS, change(FILE, "--config=/app", "--config /app")),
    "a network in which no service has a name": (FINDS, set_value(FILE, (*PROXY, "network_mode"), "host")),
    "a database of another profile": (
        TAKES,
        change(FILE, "  postgres:\n    image", "  postgres:\n    profiles: [own]\n    image"),
    ),
    "a platform that there is not": (
        TAKES,
        change(FILE, "    healthcheck:", "    platform: linux/amd46\n    healthcheck:"),
    ),
    "a switch of a mount in other words": (TAKES, substitute(FILE, "read_only: true", "read_only: ture", 1)),
    "a variable without its end": (TAKES, change(FILE, "sk- and any letters and digits}", "sk- and any letters")),
    "a check of one word": (TAKES, substitute(FILE, r'\["CMD-SHELL", (".*")\]', r'["CMD", \1]')),
    "a port of the database that nothing listens on": (FINDS, change(FILE, ":5432:5432", ":5432:4532")),
    "a secret of the variable of its id": (
        FINDS,
        change(FILE, "AWS_SECRET_ACCESS_KEY: ${AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY: ${AWS_ACCESS_KEY_ID"),
    ),
    "a database that nothing leads to": (FINDS, drop(FILE, "DATABASE_URL:")),
    "a check of health without its program": (TAKES, drop(FILE, "pg_isready -U")),
    "a check by a program that is misspelt": (TAKES, change(FILE, "pg_isready -U", "pg_isreday -U")),
    "a variable that nobody sets": (FINDS, change(FILE, "${PROXY_MASTER_KEY:?", "${PROXY_MASTERKEY:?")),
    "a password that nobody sets": (
        FINDS,
        change(FILE, "litellm:${LITELLM_DATABASE_PASSWORD}@", "litellm:${LITELLM_DATABASE_PASSWRD}@"),
    ),
    "a credential that nobody sets": (FINDS, change(FILE, "${AWS_SECRET_ACCESS_KEY:?", "${AWS_SECRET_ACCES_KEY:?")),
    "a password of the database that nothing reads": (FINDS, change(FILE, "POSTGRES_PASSWORD:", "POSTGRES_ASSWORD:")),
    "an address that nothing reads": (FINDS, substitute(FILE, "DATABASE_URL:", "DATABAES_URL:")),
    "a variable that is not the one it takes": (FINDS, substitute(FILE, r"AZURE_(CLIENT_SECRET: \$)", r"AZRE_\1")),
    "a folder that nothing reads": (FINDS, substitute(FILE, "COPILOT_TOKEN_DIR:", "COPILOT_TOEN_DIR:")),
    "a reference that is misspelt": (READS, substitute(FILE, "os.environ/VERTEX_P", "os.envviron/VERTEX_P", 1)),
    "an address of no cluster": (READS, substitute(FILE, "example.openai.azure.com", "example.openi.azure.com", 1)),
    "a model of no cluster": (
        READS,
        substitute(FILE, "model: github_copilot/text-emb", "model: github_copilot/text-embb"),
    ),
    "a list of models that is misspelt": (READS, substitute(FILE, "model_list:", "model_liist:")),
    "a database with its own user": (FINDS, drop(FILE, "POSTGRES_USER: litellm")),
    "a model without its dash": (READS, substitute(FILE, "- model_name: gpt-5.4$", "  model_name: gpt-5.4")),
    "a volume without its dash": (
        "no_key_is_given_twice",
        substitute(FILE, r"- type: bind\n( +source: .*access-token)", r"  type: bind\n\1"),
    ),
    "a port in words": (TAKES, substitute(FILE, "127.0.0.1:4000:4000", "127.0.0.1:http:4000")),
    "a command without the configuration": (FINDS, substitute(FILE, r"command:\n +- .*", "command: --port=4000")),
    "a model under a name that is misspelt": (
        "the_proxy_here_takes_its_configuration",
        substitute(FILE, "model_name: claude-sonnet-5$", "model_name: claude-sonet-5"),
    ),
    "a switch in other words": (
        "the_proxy_here_finds_its_configuration",
        substitute(FILE, 'STORE_MODEL_IN_DB: "True"', 'STORE_MODEL_IN_DB: "yes"'),
    ),
    "an entry without a model": (
        "the_proxy_here_finds_its_configuration",
        substitute(FILE, r"model: bedrock/.*sonnet-5$", "model:"),
    ),
    "a time with a space": (TAKES, substitute(FILE, "interval: 10s", "interval: 10 s")),
    "a number in words": (TAKES, substitute(FILE, "retries: 5", "retries: five")),
    "a check that is none": (TAKES, substitute(FILE, "CMD-SHELL", "CMDSHELL")),
    "a misspelt host of the database": (FINDS, substitute(FILE, "@postgres:", "@postgress:")),
    "another kind of database": (FINDS, substitute(FILE, '"postgresql://', '"mysql://')),
    "a misspelt key of a service": (TAKES, substitute(FILE, "    healthcheck:", "    healtcheck:")),
    "a service that is not there": (
        TAKES,
        substitute(FILE, r"(depends_on:\n +)postgres", r"\1postgresql"),
    ),
    "a condition that there is not": (TAKES, substitute(FILE, "service_healthy", "healthy")),
    "a database in the proxy's own container": (FINDS, substitute(FILE, "@postgres:5432", "@localhost:5432")),
    "a database that nobody makes": (FINDS, substitute(FILE, "(POSTGRES_DB: ).*", r"\1litellm")),
    "a configuration that is not there": (TAKES, substitute(FILE, "- source: litellm", "- source: litelm")),
    "another name of the configuration's file": (
        FINDS,
        substitute(FILE, "config=/app/config.yaml", "config=/app/config.yml"),
    ),
    "a variable that nothing sets": (
        FINDS,
        substitute(FILE, "os.environ/PROXY_MASTER_KEY", "os.environ/MASTER_KEY"),
    ),
    "another port of the container": (FINDS, substitute(FILE, "127.0.0.1:4000:4000", "127.0.0.1:4000:4001")),
    "another user of the database": (FINDS, substitute(FILE, "POSTGRES_USER: litellm", "POSTGRES_USER: postgres")),
    "another password of the database": (
        FINDS,
        substitute(FILE, r"litellm:\$\{LITELLM_DATABASE_PASSWORD\}@", "litellm:${LITELLM_DB_PASSWORD}@"),
    ),
    "another port of the database": (FINDS, substitute(FILE, "@postgres:5432", "@postgres:5433")),
    "a key that lies elsewhere": (
        FINDS,
        set_value(FILE, (*PROXY, "environment", "GOOGLE_APPLICATION_CREDENTIALS"), "/secrets/gcp.json"),
    ),
    "a token that lies elsewhere": (
        FINDS,
        set_value(FILE, (*PROXY, "environment", "GITHUB_COPILOT_TOKEN_DIR"), "/app/copilot"),
    ),
    **{
        f"a credential without {name}": (FINDS, remove(FILE, (*PROXY, "environment", name)))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AZURE_TENANT_ID", "AZURE_CLIENT_ID")
    },
    "a key that nothing asks for": (
        FINDS,
        substitute(FILE, r"\n      general_settings:\n        master_key: .*\n", "\n"),
    ),
    "a misspelt image": (FINDS, substitute(FILE, "litellm-database:", "litellm-databse:")),
    "health that nothing checks": (TAKES, remove(FILE, ("services", "postgres", "healthcheck"))),
    "health that is not checked any more": (
        TAKES,
        set_value(FILE, ("services", "postgres", "healthcheck"), {"disable": True}),
    ),
    "a misspelt restart": (TAKES, set_value(FILE, (*PROXY, "restart"), "allways")),
    "an interval without its unit": (TAKES, set_value(FILE, ("services", "postgres", "healthcheck", "interval"), 10)),
    "a volume that nobody defines": (
        TAKES,
        set_value(FILE, ("services", "postgres", "volumes"), ["pgdata:/var/lib/postgresql/data"]),
    ),
    "a port that there is not": (TAKES, substitute(FILE, "127.0.0.1:4000:4000", "127.0.0.1:40000000:4000")),
    "a port for two": (TAKES, append_item(FILE, ("services", "postgres", "ports"), "127.0.0.1:4000:5432")),
    "services that wait for each other": (TAKES, set_value(FILE, ("services", "postgres", "depends_on"), ["litellm"])),
    "a list for a variable": (TAKES, set_value(FILE, (*PROXY, "environment", "OWN"), ["own"])),
    "a misspelt top of the file": (TAKES, substitute(FILE, "^configs:", "config:")),
    "a region that is misspelt": (READS, substitute(FILE, "us-west-2", "us-wset-2", count=1)),
    "a callback that LiteLLM does not know": (
        READS,
        substitute(
            FILE, "      general_settings:", "      litellm_settings: {callbacks: [langfus]}\n      general_settings:"
        ),
    ),
    "a provider that LiteLLM does not know": (FINDS, substitute(FILE, "model: bedrock/", "model: bedrok/", count=1)),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    "two words in two arguments": change(FILE, "- --config=/app", "- --config\n      - /app"),
    "a proxy here without a database": together(
        drop(FILE, "DATABASE_URL:"), remove(FILE, ("services", "postgres")), remove(FILE, (*PROXY, "depends_on"))
    ),
    "a variable of one's own": change(FILE, "${PROXY_MASTER_KEY:?", "${OWN_KEY:?"),
    "a check by a program of one's own": change(
        FILE, "pg_isready -U litellm -d postgres_litellm", "/own/pg_isreadying"
    ),
    "a port by an address of IPv6": substitute(FILE, "127.0.0.1:4000:4000", '"[::1]:4000:4000"'),
    "a configuration by a variable": together(
        substitute(FILE, r"    command:\n +- --config.*\n", ""),
        set_value(FILE, (*PROXY, "environment", "CONFIG_FILE_PATH"), "/app/config.yaml"),
    ),
    "a model under another name": substitute(FILE, "model_name: claude-sonnet-5$", "model_name: claude"),
    "a newer model": substitute(FILE, "model_name: claude-sonnet-5$", "model_name: claude-sonnet-6"),
    "a model of the clusters under another name": substitute(
        SHARED, "model_name: claude-sonnet-5$", "model_name: claude"
    ),
    "a service that is restarted": set_value(FILE, (*PROXY, "restart"), "on-failure:3"),
    "a service that is not restarted": substitute(
        FILE, '    image: "pgvector', '    restart: "no"\n    image: "pgvector'
    ),
    "a volume of one's own": together(
        set_value(
            FILE, ("services", "postgres", "volumes"), ["pg:/var/lib/postgresql/data", "./own:/own:ro", "/tmp:/b"]
        ),
        set_value(FILE, ("volumes",), {"pg": None}),
    ),
    "another port of the proxy": together(
        substitute(FILE, "127.0.0.1:4000:4000", "127.0.0.1:4000:8000"),
        append_item(FILE, (*PROXY, "command"), "--port=8000"),
    ),
    "a port by a variable": substitute(FILE, "127.0.0.1:4000:4000", "127.0.0.1:${PORT:-4000}:4000"),
    "a port more": append_item(FILE, (*PROXY, "ports"), "127.0.0.1:9090:9090"),
    "a profile of the machine": together(
        remove(FILE, (*PROXY, "environment", "AWS_ACCESS_KEY_ID")),
        remove(FILE, (*PROXY, "environment", "AWS_SECRET_ACCESS_KEY")),
        set_value(FILE, (*PROXY, "environment", "AWS_PROFILE"), "own"),
        append_item(FILE, (*PROXY, "volumes"), "~/.aws:/app/.aws:ro"),
    ),
    "a login in place of a token": together(
        remove(FILE, (*PROXY, "volumes", 1)),
        set_value(FILE, (*PROXY, "environment", "GITHUB_COPILOT_TOKEN_DIR"), "/app/own"),
    ),
    "a database with a health of its own": together(
        remove(FILE, ("services", "postgres", "healthcheck")),
        set_value(FILE, ("services", "postgres", "image"), "example/postgres:17"),
    ),
    "two services of which one runs at a time": set_value(
        FILE,
        ("services", "own"),
        {"image": "example/own:1", "ports": ["127.0.0.1:4000:80"], "profiles": ["debug"]},
    ),
    "variables as a list": set_value(FILE, ("services", "own"), {"image": "a/b:1", "environment": ["A=b", "TOKEN"]}),
    "a setting more": substitute(
        FILE, "      general_settings:", "      litellm_settings: {drop_params: true}\n      general_settings:"
    ),
    "a database on the machine": substitute(FILE, "@postgres:5432", "@host.docker.internal:5432"),
    "a service that waits for no health": set_value(FILE, ("services", "litellm", "depends_on"), ["postgres"]),
    "a service of one's own": set_value(
        FILE,
        ("services", "ollama"),
        {"image": "ollama/ollama:0.6.0", "ports": ["127.0.0.1:11434:11434"], "x-own": True},
    ),
    "another port": substitute(FILE, "127.0.0.1:4000:4000", "127.0.0.1:8080:4000"),
    "a file of variables": set_value(FILE, ("services", "litellm", "env_file"), [".env.local"]),
    "a network of one's own": set_value(FILE, ("networks",), {"own": {"external": True}}),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
