"""Faults and edits of how the proxy is started, asked whether it lives, and of whom it talks to."""

from __future__ import annotations

from tests.support.answers import everything
from tests.support.faults import AWS, CHART, SHARED, Edit, Fault, add, model, set_value, together
from tests.support.findings import accepted, found_by_its_rule_alone

ARGUMENTS, PROBES = "the_arguments_leave_the_configuration_in", "every_probe_asks_what_costs_nothing"
SENT = "nothing_is_sent_in_clear_or_astray"
LIVENESS, READINESS, STARTUP = CHART.probes


def value(place: tuple[str | int, ...], content: object, file: str = SHARED) -> Edit:
    """A value in place of what the chart has there."""
    return set_value(file, (CHART.name, *place), content)


def variable(name: str, content: str) -> Edit:
    """A variable of the proxy in one cluster."""
    return add(CHART.variables, {name: content}, AWS)


FAULTS: dict[str, Fault] = {
    "arguments without the configuration": (ARGUMENTS, value(CHART.arguments, ["--port", "4000"])),
    "arguments with a configuration that is not there": (
        ARGUMENTS,
        value(CHART.arguments, ["--config", "/app/config.yaml"]),
    ),
    "a misspelt option": (ARGUMENTS, value(CHART.arguments, ["--confg", "/etc/litellm/config.yaml"])),
    "an option with hyphens": (
        ARGUMENTS,
        value(CHART.arguments, ["--config=/etc/litellm/config.yaml", "--num-workers=4"]),
    ),
    "a misspelt option of the other chart": (
        ARGUMENTS,
        set_value(SHARED, ("litellm", "monolith", "extraArgs"), ["--keepalive_timout", "75"]),
        everything(chart="litellm"),
    ),
    "another command": (ARGUMENTS, value(CHART.command, ["sleep", "infinity"])),
    "a probe that calls every model": (PROBES, value((*LIVENESS, "path"), "/health")),
    "a probe that does not exist": (PROBES, value((*READINESS, "path"), "/healthz")),
    "a database that restarts the pods": (PROBES, value((*LIVENESS, "path"), "/health/readiness")),
    "Copilot's token for somebody else": (SENT, variable("GITHUB_COPILOT_API_KEY_URL", "https://copilot.example.com/")),
    "Copilot's prompts for somebody else": (SENT, variable("GITHUB_COPILOT_API_BASE", "https://copilot.example.com/")),
    "a model that sends Copilot's token to somebody else": (
        SENT,
        model({"model": "github_copilot/gpt-5", "api_base": "https://copilot.example.com"}),
    ),
    "an endpoint of AWS in clear": (SENT, variable("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://bedrock.example.com")),
    "a model in clear": (
        SENT,
        model(
            {"model": "openai/own", "api_base": "http://llm.example.com/v1", "api_key": "os.environ/LITELLM_SALT_KEY"}
        ),
    ),
    "certificates that nobody checks": (SENT, variable("SSL_VERIFY", "False")),
    "certificates that the proxy does not check": (
        SENT,
        value((*CHART.config, "litellm_settings", "ssl_verify"), False),
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    "arguments with the configuration": value(
        CHART.arguments, ["--config", "/etc/litellm/config.yaml", "--port", "4000"]
    ),
    "options of other releases": value(
        CHART.arguments, ["-c", "/etc/litellm/config.yaml", "--max_request_header_size", "65536", "--own"]
    ),
    "options of a program of one's own": together(
        value(CHART.command, ["/opt/own"]), value(CHART.arguments, ["--confg", "/etc/litellm/config.yaml"])
    ),
    "a command with the configuration": value(CHART.command, ["sh", "-c", "litellm --config /etc/litellm/config.yaml"]),
    "probes as they are": value((*READINESS, "path"), "/health/liveliness"),
    "a start that waits for the database": value((*STARTUP, "path"), "/health/readiness"),
    "Copilot of a company": variable("GITHUB_COPILOT_API_BASE", "https://api.business.githubcopilot.com"),
    "a model of Copilot of a company": model(
        {"model": "github_copilot/gpt-5", "api_base": "https://api.business.githubcopilot.com"}
    ),
    "a server in the cluster": model(
        {"model": "openai/own", "api_base": "http://vllm.models.svc.cluster.local:8000/v1"}
    ),
    "a server of the private network": model({"model": "openai/own", "api_base": "http://10.1.2.3:8000/v1"}),
    "a folder of one's own": variable("TMP_DIR", "/tmp/own"),
    "certificates of one's own authority": variable("SSL_VERIFY", "/etc/ssl/own.pem"),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
