"""docker-compose.yml: Docker takes it, and the proxy in it finds its configuration and its variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from litellm_gitops.configuration import Configuration
from litellm_gitops.documents import Document, NotYamlError, Place, dig, mapping, parse, sequence, text, texts, walk
from litellm_gitops.findings import Finding, edit
from litellm_gitops.objects import show
from litellm_gitops.proxy_facts import REFERENCE, as_rendered, words
from litellm_gitops.proxy_keys import misspelt_references
from litellm_gitops.proxy_models import misnamed
from litellm_gitops.repository import Repository, Values
from litellm_gitops.rules import rule
from litellm_gitops.rules.configuration import BY_ITSELF
from litellm_gitops.rules.files import no_key_is_given_twice, twice
from litellm_gitops.rules.pods import is_no_answer, misspelt_variable, misspelt_word
from litellm_gitops.rules.proxy import NAMED
from litellm_gitops.schemas import published
from litellm_gitops.spelling import closest
from litellm_gitops.tooling.local_database import REFERENCE as VARIABLE
from litellm_gitops.tooling.local_database import VARIABLES, of_variables, swapped
from litellm_gitops.tooling.local_database import flaws as of_the_database

_FILE = "docker-compose.yml"
_NAMED = ("configs", "secrets", "networks", "volumes")  # that a service takes of the top of the file
_NAME = re.compile(r"[a-zA-Z0-9][\w.-]+")
_PORT = re.compile(r"(?:(?P<ip>[^:]*|\[.*\]):)??(?:(?P<host>[\d-]*):)?(?P<inside>[\d-]+)(?:/(?P<protocol>\w+))?")
_RESTARTS = re.compile(r"no|always|unless-stopped|on-failure(?::\d+)?|.*\$.*")
# images without a check of their own health
_NO_HEALTH = re.compile(r"(?:docker\.io/)?(?:library/)?(?:pgvector/pgvector|postgres|redis|valkey/valkey)(?:[:@].*)?")
_CHECKS = ("curl", "pg_isready", "psql", "python", "python3", "redis-cli", "valkey-cli", "wget")
_IMAGES = ("ghcr.io/berriai/litellm", "ghcr.io/berriai/litellm-database", "pgvector/pgvector")
_MODEL = ("litellm_params", "model")
_LIKE_THEIRS = ("api_base", "model")
_MOUNTED = ("GOOGLE_APPLICATION_CREDENTIALS", "GITHUB_COPILOT_TOKEN_DIR")  # variables that name what is mounted
_OF_LOGINS = (*_MOUNTED, "GITHUB_COPILOT_API_KEY_FILE")
_TOGETHER = (
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"),
)
# what the person at this machine sets, by the names that README.md has
_GIVEN = {"LITELLM_DATABASE_PASSWORD", "PROXY_MASTER_KEY", *(each for names in _TOGETHER for each in names)}


def _compose(repository: Repository) -> Document | None:
    if any(each.file == _FILE for each in no_key_is_given_twice(repository)):
        return None  # one of them is not seen, and that rule says so
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
    rendered = as_rendered(content)
    for name in services:
        if dig(rendered, "services", name, "restart") is False:  # to YAML 1.1 alone
            rendered["services"][str(name)]["restart"] = "no"
    refused = published.flaws("compose-spec", rendered)
    refused += [
        (("services", name), f"services.{name} is no mapping")
        for name in services
        if not isinstance(services[name], dict)
    ]
    yield from ((place, what, "correct it") for place, what in refused[:1])  # of which the others may be a part
    for name, service in services.items() if not refused else ():
        yield from _of_health(name, mapping(dig(service, "healthcheck")))
        yield from _of_service(("services", name), mapping(service))
        for other, entry in mapping(dig(service, "depends_on")).items():
            image, check = text(dig(services, other, "image")), dig(services, other, "healthcheck")
            is_made = "build" in mapping(services.get(other))
            healthless = not mapping(check).get("test") and not is_made and _NO_HEALTH.fullmatch(image)
            if dig(entry, "required") is not False and (hidden := _hidden(service, services.get(other))):
                what = f"{name} needs {other}, which {hidden} hides"
                yield ("services", name, "depends_on", other), what, "give both the same"
            if dig(entry, "condition") == "service_healthy" and (healthless or dig(check, "disable") is True):
                yield (
                    ("services", name, "depends_on", other),
                    f"{name} waits until {other} is healthy, which nothing checks",
                    f"give {other} a healthcheck",
                )
        if name in _reached(services, name):
            yield ("services", name, "depends_on"), f"{name} waits for itself", "take one of them out"
            break
    if not refused:
        yield from _of_ports(services)
        yield from of_variables(content)
    if "include" not in content and not refused:  # else what is named may be in another file
        yield from _of_names(content, services)


def _hidden(service: Any, other: Any) -> str:
    """The profile without which another service is not there, and this one is; empty where there is none."""
    profiles = texts(dig(other, "profiles"))
    return "" if not profiles or {*profiles} & {*texts(dig(service, "profiles"))} else f"the profile {profiles[0]}"


_PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm64/v8", "linux/arm/v7")


def _of_service(place: Place, service: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    policy, platform = text(service.get("restart")), text(service.get("platform"))
    if policy and not _RESTARTS.fullmatch(policy):
        yield (*place, "restart"), f"there is no restart {policy}", "write unless-stopped, always or no"
    if platform not in _PLATFORMS and (meant := closest(platform, _PLATFORMS)):
        yield (*place, "platform"), f"there is no platform {platform}", f"did you mean {meant}?"
    for field in ("volumes", "configs", "secrets"):
        for number, entry in enumerate(sequence(service.get(field))):
            if isinstance(entry, dict) and "source" in entry and not entry["source"]:
                yield (*place, field, number, "source"), "source is empty", "name what is mounted"


def _of_health(name: Any, check: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """What Docker does not take of a check of health, and its schema does; and a check that can only fail."""
    place: Place = ("services", name, "healthcheck")
    for field in ("interval", "timeout", "start_period", "start_interval"):
        found = check.get(field)
        if isinstance(found, str) and not re.fullmatch(r"(?:\d+(?:\.\d+)?(?:us|ms|s|m|h))+|.*\$.*", found):
            yield (*place, field), f"{field} is {found}, which is no time", "write one such as 10s"
    retries, test = check.get("retries"), sequence(check.get("test"))
    if isinstance(retries, str) and "$" not in retries and not retries.isdigit():
        yield (*place, "retries"), "retries is no number", "write a number"
    if len(test) == 2 and test[0] == "CMD" and re.search(r"\S\s+-", text(test[1])):
        yield (*place, "test"), "CMD takes the program and its arguments for one name", "write CMD-SHELL in its place"
    if test and test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        yield (*place, "test"), f"test begins with {test[0]}", "write CMD or CMD-SHELL before it"
    program = (" ".join(texts(test[1:])) or text(check.get("test"))).partition(" ")[0]
    if program not in _CHECKS and (meant := closest(program, _CHECKS)):
        yield (*place, "test"), f"there is no program {program}, so that it is never healthy", f"did you mean {meant}?"


def _reached(services: dict[Any, Any], name: Any) -> set[Any]:
    """What a service waits for, and what that waits for."""
    found, left = set[Any](), [name]
    while left:
        needed = dig(services, left.pop(), "depends_on")
        following = {*mapping(needed), *texts(needed)} - found
        found |= following
        left += following
    return found


def _of_names(content: dict[Any, Any], services: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    for name, service in services.items():
        for field, there in (("depends_on", services), *((each, mapping(content.get(each))) for each in _NAMED)):
            found = dig(service, field)
            for entry in [*mapping(found), *sequence(found)]:
                wanted = text(dig(entry, "source")) if isinstance(entry, dict) else text(entry)
                if field == "volumes" and not isinstance(entry, dict):
                    wanted = wanted.partition(":")[0] if ":" in wanted else ""
                if field == "volumes" and (dig(entry, "type") not in (None, "volume") or not _NAME.fullmatch(wanted)):
                    continue  # a path, or what a variable says
                if wanted and wanted not in there and not (field == "networks" and wanted == "default"):
                    yield (
                        ("services", name, field),
                        f"{name} names {wanted} in {field}, which is not there",
                        "correct the name",
                    )


def _of_ports(services: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """Ports that there are not, and one that two services take."""
    taken: dict[tuple[str, str, str], Any] = {}
    for name, service in services.items():
        for number, (ip, host, inside, protocol) in enumerate(_ports(mapping(service))):
            place = ("services", name, "ports", number)
            if number in _unread_ports(mapping(service)):
                yield (
                    place,
                    "it is no port, nor two with an address before them",
                    "write one such as 127.0.0.1:4000:4000",
                )
            elif any(int(port) > 65535 for each in (host, inside) for port in each.split("-") if port.isdigit()):
                yield place, "there are 65535 ports", "correct the number"
            elif host and "-" not in host and not dig(service, "profiles"):
                other = taken.setdefault((ip, host, protocol), name)
                if other != name:
                    yield place, f"{other} takes the port {host} of this machine already", "take another one"


def _unread_ports(service: dict[Any, Any]) -> list[int]:
    entries = enumerate(sequence(service.get("ports")))
    return [
        number
        for number, entry in entries
        if isinstance(entry, str) and not _PORT.fullmatch(entry) and "$" not in entry
    ]


def _ports(service: dict[Any, Any]) -> Iterator[tuple[str, str, str, str]]:
    """(address, port of this machine, port of the container, protocol) of each entry; what is not known is empty."""
    for entry in sequence(service.get("ports")):
        if isinstance(entry, dict):
            fields = ("host_ip", "published", "target", "protocol")
        else:
            found = _PORT.fullmatch(str(entry))
            entry, fields = (found.groupdict() if found else {}), ("ip", "host", "inside", "protocol")
        ip, host, inside, protocol = (str(entry.get(field) or "") for field in fields)
        yield ip, host, inside, protocol or "tcp"


@rule
def the_proxy_here_finds_its_configuration(repository: Repository) -> Iterator[Finding]:
    """The file of its command is mounted, its variables are set, and its models have providers."""
    document = None if [*docker_takes_its_file(repository)] else _compose(repository)
    for name, service in mapping(document and document.value.get("services")).items():
        image, _, _ = text(dig(service, "image")).partition("@")
        image = image.rpartition(":")[0] or image
        if document and (meant := closest(image, _IMAGES)):
            line = document.line("services", name, "image")
            yield Finding(_FILE, line, f"there is no image {image}", edit(f"did you mean {meant}?"))
        if document is None or "litellm" not in text(dig(service, "image")):
            continue
        place = ("services", name)
        for at, what, fix in [*_unread(document.value, mapping(service)), *_unreached(mapping(service))]:
            yield Finding(_FILE, document.line(*(at[1:] if at[0] == "" else (*place, *at))), what, edit(fix))


def _mounted(service: dict[Any, Any]) -> list[str]:
    """The places in the container that something is mounted at."""
    entries = [*sequence(service.get("configs")), *sequence(service.get("secrets")), *sequence(service.get("volumes"))]
    mounted = [text(dig(entry, "target")) for entry in entries]
    mounted += [VARIABLE.sub("", entry).split(":")[1] for entry in texts(service.get("volumes")) if ":" in entry]
    return [*filter(None, mounted)]


def _is_mounted(path: str, service: dict[Any, Any]) -> bool:
    return any(f"{path}/".startswith(f"{each.rstrip('/')}/") for each in _mounted(service))


def _command(service: dict[Any, Any]) -> str:
    command = service.get("command", "")
    return " ".join(map(str, command)) if isinstance(command, list) else text(command)


def _unread_variables(variables: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """Variables that are misspelt, filled with what nobody sets, or given a word that LiteLLM does not know."""
    for name, found in ((str(name), text(found)) for name, found in variables.items()):
        if near := misspelt_word(name, found):
            yield ("environment", name), f"{name} is {found}, which LiteLLM does not know", f"write {near}"
        known = {*VARIABLES, *_OF_LOGINS, *(each for names in _TOGETHER for each in names)}
        meant = misspelt_variable(name) or (closest(name, known) if name not in known else "")
        if meant and meant not in variables:
            yield ("environment", name), f"nothing reads the variable {name}", f"did you mean {meant}?"
        asked = {each for each in VARIABLE.findall(found) if each not in known and name != "DATABASE_URL"}
        if other := swapped(name, found):
            yield ("environment", name), f"{name} is filled with another variable: {other}", f"write {name} there, too"
        if meant := next(filter(None, (closest(each, _GIVEN) for each in sorted(asked))), ""):
            what = f"it asks for a variable that nobody sets, in place of {meant}"
            yield ("environment", name), what, f"write {meant}"
        if found and "$" not in found and is_no_answer(name, found):
            yield ("environment", name), f"{name} is {found}, which LiteLLM takes for no answer", "write True or False"


def _unreached(service: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """What is set, and reaches nothing: a port, a file, half of a credential."""
    given = service.get("environment")
    variables = mapping(given) or {entry.partition("=")[0]: entry.partition("=")[2] for entry in texts(given)}
    chosen = re.search(r"--port[= ](\d+)", _command(service))
    port = chosen[1] if chosen else text(variables.get("PORT")) or "4000"
    inside = [each[2] for each in _ports(service)]
    if inside and all(each.isdigit() for each in (*inside, port)) and port not in inside:
        yield ("ports",), f"nothing in the container listens on {inside[0]}", f"publish {port}"
    if "ports" in service and not service["ports"]:
        yield ("ports",), "it publishes no port", f"publish {port}"
    yield from _unread_variables(variables)
    for name in _MOUNTED:
        path = text(variables.get(name))
        above = any(each.startswith(f"{path.rstrip('/')}/") for each in _mounted(service))  # of a folder a file
        # without any token the proxy asks for a login
        asks = name == "GITHUB_COPILOT_TOKEN_DIR" and not any("access-token" in each for each in _mounted(service))
        if path.startswith("/") and "$" not in path and not (above or asks or _is_mounted(path, service)):
            yield ("environment", name), f"nothing mounts {path}, which {name} names", "correct the path"
    for names in _TOGETHER if "env_file" not in service and "extends" not in service else ():
        missing = [name for name in names if name not in variables]
        if names[0] in variables and missing:
            yield ("environment", names[0]), f"{names[0]} is set without {missing[0]}", f"set {missing[0]}, too"
        elif names[:1] != ("AZURE_CLIENT_SECRET",) and missing == [names[0]]:
            yield ("environment", names[1]), f"{names[1]} is set without {names[0]}", f"set {names[0]}, too"


def _unread(content: dict[Any, Any], service: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    file = NAMED.search(_command(service))
    if file and not _is_mounted(file[1], service) and not any("${" in each for each in texts(service.get("volumes"))):
        yield ("command",), f"nothing mounts {file[1]}, which its command names", "correct the path"
    given = service.get("environment")
    configs = [text(dig(each, "source") or each) for each in sequence(service.get("configs"))]
    read = {text(dig(content, "configs", config, "content")) for config in configs}
    is_told = "entrypoint" in service or "CONFIG_FILE_PATH" in str(given) or "env_file" in service
    if not file and not is_told and any("model_list" in each for each in read):
        what = "its command names no configuration, so that it serves no model"
        yield ("command",), what, "write --config=/app/config.yaml"
    for word in texts(service.get("command")):
        if re.fullmatch(r"--[\w-]+ \S+", word):
            what = f"{word} is one argument, and the proxy ends with an error"
            yield ("command",), what, f"write {word.replace(' ', '=', 1)}"
    names = {*mapping(given), *(entry.partition("=")[0] for entry in texts(given))}
    yield from of_the_database(content, service)
    for config in configs:
        inner = text(dig(content, "configs", config, "content"))
        try:
            documents = parse("", inner)
        except NotYamlError as error:
            yield ("", "configs", config, "content"), f"the configuration is not YAML: {error}", "correct the syntax"
            continue
        read = {found for each in documents for _, found in walk(each.value)}
        wanted = {found.removeprefix(REFERENCE) for found in read if found.startswith(REFERENCE)}
        if (unset := sorted(wanted - names)) and "env_file" not in service:
            what = f"the proxy reads the variable {', '.join(unset)}, which nothing sets here"
            yield ("", "configs", config, "content"), what, "set it under environment, or correct the name"
        if file and inner and "PROXY_MASTER_KEY" in names and not {f"{REFERENCE}PROXY_MASTER_KEY"} & read:
            what = "nothing reads PROXY_MASTER_KEY, so that anybody may call the proxy"
            fix = "write general_settings.master_key: os.environ/PROXY_MASTER_KEY"
            # else it names another variable, or is no mapping, which is told
            settings = [dig(each.value, "general_settings") or {} for each in documents]
            if not any("MASTER_KEY" in each for each in read) and all(isinstance(each, dict) for each in settings):
                yield ("", "configs", config, "content"), what, fix
        for what, fix in (flaw for each in documents for flaw in _of_models(each.value)):
            yield ("", "configs", config, "content"), what, fix


def _of_models(configuration: Any) -> Iterator[tuple[str, str]]:
    """What keeps models from a provider: (what, what to do)."""
    for entry in sequence(dig(configuration, "model_list")):
        provider, slash, _ = text(dig(entry, *_MODEL)).partition("/")
        if not provider and "model" in mapping(dig(entry, "litellm_params")):  # else another rule tells
            name = show(dig(entry, "model_name"))
            what = f"the entry {name} of model_list has no model: the proxy does not start"
            yield what, "write <provider>/<model>, such as openai/gpt-4o"
        if slash and provider not in words("providers"):
            meant = closest(provider, words("providers"))
            yield f"LiteLLM knows no provider {provider}", f"did you mean {meant}?" if meant else "correct it"


@rule
def the_proxy_here_takes_its_configuration(repository: Repository) -> Iterator[Finding]:
    """As that of the clusters: no word, type or key in it that the pinned release does not know."""
    document = _compose(repository)
    for name, config in mapping(document and document.value.get("configs")).items():
        inner, values = text(dig(config, "content")), repository.values[:1]
        if document is None or "litellm_params" not in inner or not values:
            continue
        try:
            read = parse("", inner)[0]
        except (NotYamlError, IndexError):
            continue  # the rule above says so
        start = document.line("configs", name, "content")
        for again in twice((read,), inner):
            what = f"the key {again[0][0]!r} stands at line {start + again[0][1]} already, and the last one wins"
            yield Finding(_FILE, start + again[0][2], what, edit("keep one of them"))
        for place, what, fix in (other := [*_misnamed(read.value, values[0])]):
            yield Finding(_FILE, start + read.line(*place), what, edit(fix))
        told = [place for place, *_ in other]
        for check in (*BY_ITSELF, misspelt_references) if isinstance(read.value, dict) else ():
            for fault in check(Configuration(values[0], read.value)):
                models = [each[:2] for each in told] if fault.place[-1:] == ("model_name",) else ()
                above = fault.place[-1:] == ("model",) or fault.place[:2] in models  # what is above says so
                if not above and not any(fault.place[: len(place)] == place for place in told):
                    told.append(fault.place)
                    yield Finding(_FILE, start + read.line(*fault.place), fault.what, edit(fault.fix))


def _misnamed(content: Any, values: Values) -> Iterator[tuple[Place, str, str]]:
    """Names that are nearly those of the clusters, for the same model: any other may be one of this machine."""
    theirs, entries = (
        [*map(mapping, sequence(each))] for each in (values.pod.config("model_list"), dig(content, "model_list"))
    )
    here, there = ({text(each.get("model_name")) for each in some} for some in (entries, theirs))
    well_named = [each for each in theirs if not misnamed(text(each.get("model_name")), text(dig(each, *_MODEL)))]
    for number, entry in enumerate(entries):
        name, model = text(entry.get("model_name")), text(dig(entry, *_MODEL))
        same = {text(each.get("model_name")) for each in theirs if dig(each, *_MODEL) == model}
        meant = closest(name, same - here) if name not in there else ""
        # whichever of them the model's own name holds is spelt right
        if meant and meant in model and name not in model and re.findall(r"\d", name) == re.findall(r"\d", meant):
            yield ("model_list", number, "model_name"), f"no cluster has a model {name}", f"did you mean {meant}?"
        for parameter in _LIKE_THEIRS:
            given = text(dig(entry, "litellm_params", parameter))
            known = {text(dig(each, "litellm_params", parameter)) for each in well_named} - {""}
            meant = closest(given, known) if given not in known else ""
            provider = given.partition("/")[0] == meant.partition("/")[0]  # of an unknown one another rule tells
            if meant and provider and re.findall(r"\d", given) == re.findall(r"\d", meant):  # a version is no slip
                place = ("model_list", number, "litellm_params", parameter)
                yield place, f"no cluster has the {parameter} {show(given)}", f"did you mean {show(meant)}?"
