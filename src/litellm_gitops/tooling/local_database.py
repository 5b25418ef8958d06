"""The variables of docker-compose.yml, and its database: the proxy's address of it, and what it is made with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, text, texts, walk
from litellm_gitops.spelling import closest

_URL = re.compile(
    r"\w+://(?:(?P<user>[^:/@]*)(?::(?P<password>.*))?@)?(?P<host>[\w.-]+)(?::(?P<port>\d+))?/(?P<name>[^?]*).*"
)
REFERENCE = re.compile(r"\$\{?(\w+)(?::?[-?][^}]*)?\}?")
VARIABLES = ("DATABASE_URL", "POSTGRES_DB", "POSTGRES_PASSWORD", "POSTGRES_USER")
_POSTGRES = re.compile(r"(?:docker\.io/)?(?:library/)?(?:pgvector/pgvector|postgres)(?:[:@].*)?\Z")


def flaws(content: dict[Any, Any], service: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """(where, what, what to do) where a service's DATABASE_URL does not lead to the database that stands beside it.

    A place is one below the service, or one of the whole file behind an empty text.
    """
    given_url = text(mapping(service.get("environment")).get("DATABASE_URL"))
    url = _URL.fullmatch(given_url)
    place: Place = ("environment", "DATABASE_URL")
    if url and url["host"] in ("localhost", "127.0.0.1"):
        yield place, f"{url['host']} is the proxy's own container", "name the service of the database"
    services = mapping(content.get("services"))
    if here := _unled(service, services):
        yield place[:1], f"nothing leads the proxy to the database {here}", "write its address as DATABASE_URL"
    if given_url and not given_url.startswith(("postgres://", "postgresql://", "$", "prisma")):
        yield place, "DATABASE_URL leads to no PostgreSQL", "begin it with postgresql://"
        return
    if url and url["host"] not in services and (meant := closest(url["host"], map(str, services))):
        yield place, f"there is no service {url['host']}", f"did you mean {meant}?"
    mode = text(service.get("network_mode"))
    if url and url["host"] in services and mode in ("host", "none"):
        fix = "take network_mode out" if mode == "none" else "take network_mode out, or write 127.0.0.1"
        yield ("network_mode",), f"with network_mode: {mode} the proxy finds no service {url['host']}", fix
        return
    other = mapping(dig(content, "services", url["host"])) if url else {}
    if not url or not other:
        return
    made = mapping(other.get("environment"))
    for name in map(str, made):
        if name not in VARIABLES and (meant := closest(name, VARIABLES)) and meant not in made:
            yield ("", "services", url["host"], "environment", name), f"nothing reads {name}", f"did you mean {meant}?"
            return
    # https://github.com/docker-library/docs/blob/master/postgres/README.md#environment-variables
    by_itself = "POSTGRES_PASSWORD" in made and "env_file" not in other
    user = text(made.get("POSTGRES_USER")) or ("postgres" if by_itself else "")
    database = text(made.get("POSTGRES_DB")) or (user if by_itself else "")
    for what, named, found in (("user", url["user"], user), ("database", url["name"], database)):
        if found not in ("", named) and "$" not in f"{found}{named}":
            yield place, f"it names the {what} {named}, but {url['host']} makes {found}", "correct one of them"
    yield from _of_a_login(place, url, made)
    yield from _of_ports(place, url, other, made)


def _of_a_login(place: Place, url: re.Match[str], made: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    ours, theirs = (REFERENCE.fullmatch(text(each)) for each in (url["password"], made.get("POSTGRES_PASSWORD")))
    if ours and theirs and ours[1] != theirs[1]:
        yield place, f"its password is {ours[1]}, but that of {url['host']} is {theirs[1]}", "correct one of them"


def _of_ports(
    place: Place, url: re.Match[str], other: dict[Any, Any], made: dict[Any, Any]
) -> Iterator[tuple[Place, str, str]]:
    listens = text(made.get("PGPORT")) or "5432"
    inside = [text(each).rpartition("/")[0] or text(each) for each in texts(other.get("ports"))]
    ports = [each.rpartition(":")[2] for each in inside]
    if _POSTGRES.match(text(other.get("image"))) and ports and listens not in ports and all(map(str.isdigit, ports)):
        yield (
            ("", "services", url["host"], "ports"),
            f"nothing in the container listens on {ports[0]}",
            f"publish {listens}",
        )
    if url["port"] not in (None, listens) and "postgres" in f"{made}".lower() and not other.get("command"):
        yield place, f"{url['host']} listens on {listens}", f"write {listens}"


def _unled(service: dict[Any, Any], services: dict[Any, Any]) -> str:
    """The database for which a service waits, and of which nothing tells it."""
    given = service.get("environment")
    names = [*map(str, mapping(given)), *(entry.partition("=")[0] for entry in texts(given))]
    # it may come from a file, or in parts
    is_given = "env_file" in service or any("DATABASE" in name or closest(name, ["DATABASE_URL"]) for name in names)
    needed = service.get("depends_on")
    awaited = [name for name in (*mapping(needed), *texts(needed)) if isinstance(services.get(name), dict)]
    here = [name for name in awaited if _POSTGRES.match(text(services[name].get("image")))]
    return here[0] if here and names and not is_given else ""


# what stands for one credential each, and is easily mistaken for the other
_PAIRS = ({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}, {"AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"})


def swapped(name: str, value: str) -> str:
    """The variable that a credential of a provider is filled with, where it is another one of the same login."""
    match = REFERENCE.fullmatch(value)
    is_other = match and match[1] != name and any({name, match[1]} <= pair for pair in _PAIRS)
    return match[1] if match and is_other else ""


_SWITCHES = {"create_host_path", "external", "init", "internal", "privileged", "read_only", "stdin_open", "tty"}


def of_variables(content: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """References to variables without their end, and switches in other words. https://docs.docker.com/reference/compose-file/interpolation/"""
    for place, found in walk(content):
        rest = found.replace("$$", "")
        if "${" in rest and found != place[-1] and _is_open(rest):
            yield place, "a variable has no }", "write } behind it"
        if place[-1] in _SWITCHES and found != place[-1] and (meant := closest(found, ("true", "false"))):
            yield place, f"{place[-1]} is {found}, which is no switch", f"did you mean {meant}?"


def _is_open(text: str) -> bool:
    """Whether a reference in a text has no end."""
    while (closed := re.sub(r"\$\{[^{}]*\}", "", text)) != text:
        text = closed
    return "${" in text
