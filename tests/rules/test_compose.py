"""Faults and edits of docker-compose.yml, beside the release that it has: test_releases.py."""

from __future__ import annotations

from tests.support.faults import Edit, Fault, set_value, substitute
from tests.support.findings import accepted, found_by_its_rule_alone

FILE = "docker-compose.yml"
TAKES, FINDS = "docker_takes_its_file", "the_proxy_here_finds_its_configuration"

FAULTS: dict[str, Fault] = {
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
    "a provider that LiteLLM does not know": (FINDS, substitute(FILE, "model: bedrock/", "model: bedrok/", count=1)),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
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
