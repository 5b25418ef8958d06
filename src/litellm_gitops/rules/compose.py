"""docker-compose.yml: Docker takes it, and the proxy in it finds its configuration and its variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import Document, NotYamlError, Place, dig, mapping, parse, sequence, text, texts, walk
from litellm_gitops.findings import Finding, edit
from litellm_gitops.proxy_facts import REFERENCE, closest, words
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.proxy import NAMED

_FILE = "docker-compose.yml"
# https://github.com/compose-spec/compose-spec/blob/main/schema/compose-spec.json
_TOP = {"configs", "include", "models", "name", "networks", "secrets", "services", "version", "volumes"}
_SERVICE = {
    *("annotations", "attach", "blkio_config", "build", "cap_add", "cap_drop", "cgroup", "cgroup_parent", "command"),
    *("configs", "container_name", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period"),
    *("cpu_rt_runtime", "cpu_shares", "cpus", "cpuset", "credential_spec", "depends_on", "deploy", "develop"),
    *("device_cgroup_rules", "devices", "dns", "dns_opt", "dns_search", "domainname", "entrypoint", "env_file"),
    *("environment", "expose", "extends", "external_links", "extra_hosts", "gpus", "group_add", "healthcheck"),
    *("hostname", "image", "init", "ipc", "isolation", "label_file", "labels", "links", "logging", "mac_address"),
    *("mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit", "models", "network_mode", "networks"),
    *("oom_kill_disable", "oom_score_adj", "pid", "pids_limit", "platform", "ports", "post_start", "pre_stop"),
    *("privileged", "profiles", "provider", "pull_policy", "pull_refresh_after", "read_only", "restart", "runtime"),
    *("scale", "secrets", "security_opt", "shm_size", "stdin_open", "stop_grace_period", "stop_signal"),
    *("storage_opt", "sysctls", "tmpfs", "tty", "ulimits", "use_api_socket", "user", "userns_mode", "uts", "volumes"),
    *("volumes_from", "working_dir"),
}
_CONDITIONS = ("service_started", "service_healthy", "service_completed_successfully")
_NAMED = ("configs", "secrets", "networks")  # that a service takes of the top of the file
_URL = re.compile(r"\w+://(?:[^/]*@)?(?P<host>[\w.-]+)(?::\d+)?/(?P<name>[^?]*).*")


def _compose(repository: Repository) -> Document | None:
    return repository.document(_FILE) if repository.has(_FILE) else None


@rule
def docker_takes_its_file(repository: Repository) -> Iterator[Finding]:
    """Every key is known, and what a service names is there."""
    document = _compose(repository)
    if document is None:
        return
    services = mapping(document.value.get("services"))
    for place, what, fix in _flaws(document.value, services):
        yield Finding(_FILE, document.line(*place), f"{what}, and Docker starts nothing of this file", edit(fix))


def _flaws(content: dict[Any, Any], services: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    above: list[tuple[Place, dict[Any, Any], set[str]]] = [((), content, _TOP)]
    above += [(("services", name), mapping(service), _SERVICE) for name, service in services.items()]
    for place, value, known in above:
        for key in map(str, value):
            if key not in known and not key.startswith("x-"):
                meant = closest(key, known)
                yield (*place, key), f"the key {key} does not exist", f"did you mean {meant}?" if meant else "remove it"
    for name, service in services.items():
        for other, entry in mapping(dig(service, "depends_on")).items():
            if (condition := dig(entry, "condition")) not in (None, *_CONDITIONS):
                place = ("services", name, "depends_on", other, "condition")
                yield place, f"there is no condition {condition}", f"write one of {', '.join(_CONDITIONS)}"
    if "include" in content:
        return  # what is named may be in another file
    for name, service in services.items():
        for field, there in (("depends_on", services), *((each, mapping(content.get(each))) for each in _NAMED)):
            found = dig(service, field)
            for entry in [*mapping(found), *sequence(found)]:
                wanted = text(dig(entry, "source")) if isinstance(entry, dict) else text(entry)
                if wanted and wanted not in there and not (field == "networks" and wanted == "default"):
                    yield (
                        ("services", name, field),
                        f"{name} names {wanted} in {field}, which is not there",
                        "correct the name",
                    )


@rule
def the_proxy_here_finds_its_configuration(repository: Repository) -> Iterator[Finding]:
    """The file of its command is mounted, its variables are set, and its models have providers."""
    document = _compose(repository)
    for name, service in mapping(document and document.value.get("services")).items():
        if document is None or "litellm" not in text(dig(service, "image")):
            continue
        place = ("services", name)
        for at, what, fix in _unread(document.value, mapping(service)):
            yield Finding(_FILE, document.line(*(at[1:] if at[0] == "" else (*place, *at))), what, edit(fix))


def _unread(content: dict[Any, Any], service: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    command = service.get("command", "")
    command = " ".join(map(str, command)) if isinstance(command, list) else text(command)
    mounted = [
        text(dig(entry, "target")) for entry in sequence(service.get("configs")) + sequence(service.get("volumes"))
    ]
    mounted += [entry.split(":")[1] for entry in texts(service.get("volumes")) if ":" in entry and "${" not in entry]
    if (file := NAMED.search(command)) and not any(f"{file[1]}/".startswith(f"{each}/") for each in mounted if each):
        yield ("command",), f"nothing mounts {file[1]}, which its command names", "correct the path"
    given = service.get("environment")
    names = {*mapping(given), *(entry.partition("=")[0] for entry in texts(given))}
    yield from _database(content, mapping(given))
    for config in map(text, (dig(each, "source") or each for each in sequence(service.get("configs")))):
        inner = text(dig(content, "configs", config, "content"))
        try:
            documents = parse("", inner)
        except NotYamlError as error:
            yield ("", "configs", config, "content"), f"the configuration is not YAML: {error}", "correct the syntax"
            continue
        for found in (value for each in documents for _, value in walk(each.value)):
            variable = found.removeprefix(REFERENCE)
            if variable != found and variable not in names and "env_file" not in service:
                what = f"the proxy reads the variable {variable}, which nothing sets here"
                yield ("", "configs", config, "content"), what, "set it under environment, or correct the name"
        for entry in (entry for each in documents for entry in sequence(dig(each.value, "model_list"))):
            provider, slash, _ = text(dig(entry, "litellm_params", "model")).partition("/")
            if slash and provider not in words("providers"):
                meant = closest(provider, words("providers"))
                what = f"LiteLLM knows no provider {provider}"
                yield ("", "configs", config, "content"), what, f"did you mean {meant}?" if meant else "correct it"


def _database(content: dict[Any, Any], given: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """Whether DATABASE_URL leads to the database that stands beside it."""
    url = _URL.fullmatch(text(given.get("DATABASE_URL")))
    others = mapping(content.get("services"))
    place: Place = ("environment", "DATABASE_URL")
    if url and url["host"] in ("localhost", "127.0.0.1"):
        yield place, f"{url['host']} is the proxy's own container", "name the service of the database"
    made = dig(others, url["host"], "environment", "POSTGRES_DB") if url else None
    if url and made and made != url["name"]:
        yield place, f"it names the database {url['name']}, but {url['host']} makes {made}", "correct one of them"
