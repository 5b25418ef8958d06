"""How the proxy is started, asked whether it lives, and to whom it sends what it has."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from litellm_gitops.documents import Place, dig, sequence, text, walk
from litellm_gitops.findings import Finding, edit
from litellm_gitops.repository import VALUES, Repository, Values
from litellm_gitops.rules import rule, rule_of_values
from litellm_gitops.rules.answers import the_models_are_where_the_answers_say
from litellm_gitops.rules.pods import misspelt_option

NAMED = re.compile(r"--config(?:=|\s+)(\S+)")  # the file that arguments name
_CONFIG = "/etc/litellm/config.yaml"  # where the chart mounts it
_PORT = 4000
_LIVES, _READY = ("/health/liveliness", "/health/liveness"), "/health/readiness"
_COPILOT = re.compile(r"GITHUB_COPILOT_(?:API_BASE|\w+_URL)")
_GITHUB = re.compile(r"(?:.+\.)?(?:github\.com|githubcopilot\.com|ghe\.com)")
_ENDPOINT = re.compile(r"(?:.*_)?(?:API_BASE|BASE_URL|ENDPOINT(?:_URL)?(?:_\w+)?)", re.IGNORECASE)
_UNCHECKED = re.compile(r"ssl_verify", re.IGNORECASE)


@rule_of_values
def the_arguments_leave_the_configuration_in(values: Values) -> Iterator[Finding]:
    """Arguments of one's own replace the chart's, and with them the file that makes the proxy."""
    chart = values.chart
    given = {place: sequence(values.get(*place)) for place in (chart.command, chart.arguments) if place}
    place = next((place for place, words in given.items() if words), None)
    said = " ".join(str(word) for words in given.values() for word in words)
    named = NAMED.search(said)
    brought = [_CONFIG, *(f"{text(mount.path).rstrip('/')}/" for mount in values.pod.mounts)]
    if place and named and not named[1].startswith(tuple(brought)):
        what = f"{place[-1]} names {named[1]}, which nothing mounts: the configuration is {_CONFIG}"
        yield values.finding(place, what, edit(f"write {_CONFIG}"), VALUES)
    slips = [*_misspelt_options(values)]
    for at, word, meant in slips:
        yield values.finding(at, f"LiteLLM has no option {word}, and ends", edit(f"did you mean {meant}?"), VALUES)
    if place and not slips and "config" not in said:
        what = f"{place[-1]} leaves {_CONFIG} out, so that the proxy has no model and no key"
        yield values.finding(place, what, edit(f"add --config and {_CONFIG}, or take it away"), VALUES)


def _misspelt_options(values: Values) -> Iterator[tuple[Place, str, str]]:
    """(where, the word, the option that was meant); a program of the owner's own may know others."""
    chart = values.chart
    for place in (chart.arguments, chart.more_arguments) if not values.pod.get(chart.command) else ():
        for number, word in enumerate(map(str, sequence(values.pod.get(place)))):
            if meant := misspelt_option(word):
                yield (*place, number), word.partition("=")[0], meant


@rule_of_values
def every_probe_asks_what_costs_nothing(values: Values) -> Iterator[Finding]:
    """/health calls every model, each time; what does not exist lets no pod start."""
    for probe in values.chart.probes:
        for place in ((*probe, "path") if values.chart.asks_by_path else (*probe, "httpGet", "path"),):
            path, name = text(values.get(*place)), str(probe[-1])
            if not path or path in _LIVES or (path == _READY and not name.startswith("liveness")):
                continue
            what = f"{path} is no route that says whether the proxy lives, so that no pod starts"
            if path == _READY:
                what = "the pods are ended and started again while the database is away"
            elif path.rstrip("/") == "/health":
                what = "/health calls every model, which costs money at each probe"
            fix = edit(f"write {_LIVES[0]}" + ("" if name.startswith("liveness") else f" or {_READY}"))
            yield values.finding(place, f"{name}: {what}", fix, VALUES)
        for handler in ("httpGet", "tcpSocket"):
            port, scheme = (values.get(*probe, handler, field) for field in ("port", "scheme"))
            known = (_PORT,) if handler == "httpGet" else _listens(values)
            if isinstance(port, int) and 0 < port < 65536 and port not in known:
                what = f"{probe[-1]}: the proxy answers at {_PORT}, not at {port}"
                yield values.finding((*probe, handler, "port"), what, edit("write port: http"), VALUES)
            if scheme == "HTTPS":
                what = f"{probe[-1]}: the proxy answers HTTP alone"
                yield values.finding((*probe, handler, "scheme"), what, edit("take the scheme out"), VALUES)


def _listens(values: Values) -> list[Any]:
    """The ports at which somebody in the pod listens."""
    beside = [port for each in sequence(values.get(*values.chart.containers)) for port in sequence(dig(each, "ports"))]
    return [_PORT, values.get(*values.chart.metrics, "port"), *(dig(port, "containerPort") for port in beside)]


@rule
def nothing_is_sent_in_clear_or_astray(repository: Repository) -> Iterator[Finding]:
    """Credentials and prompts go to hosts that are known by TLS, and Copilot's token to GitHub."""
    astray = [*the_models_are_where_the_answers_say(repository)]  # all models of a provider, or Copilot's
    told = {(each.file, each.line) for each in astray}
    for values in repository.values:
        for place, what, fix in _astray(values, bool(astray)):
            found = values.finding(place, what, edit(fix))
            if (found.file, found.line) not in told:
                yield found


def _astray(values: Values, is_told: bool) -> Iterator[tuple[Place, str, str]]:
    entries = [(each.place, each.name, each.value) for each in values.pod.variables.values()]
    entries += [
        (place, str(place[-1]), value)
        for place, value in walk(values.get(*values.chart.config), values.chart.config)
        if place[-1] != value
    ]
    for model in values.pod.models:
        base = next((key for key in ("api_base", "base_url") if model.given.get(key)), "")
        host = urlsplit(text(model.given.get(base))).hostname or ""
        if model.model.startswith("github_copilot/") and host and not _GITHUB.fullmatch(host):
            yield (*model.place, base), f"{base} sends Copilot's token to {host}", "take it away"
    verify = (*values.chart.config, "litellm_settings", "ssl_verify")
    entries += [(verify, "ssl_verify", values.get(*verify))]
    for place, name, value in entries:
        host = (urlsplit(text(value)).hostname or "") if "://" in text(value) else ""
        if _COPILOT.fullmatch(name) and host and not _GITHUB.fullmatch(host):
            yield place, f"{name} sends Copilot's token to {host}", "take it away"
        elif is_told and text(value).replace("http://", "https://") in values.repository.answers.values():
            continue  # it is an answer, of which another rule tells
        elif _ENDPOINT.fullmatch(name) and text(value).startswith("http://") and not _is_inside(host):
            yield place, f"{name} sends credentials and prompts to {host} in clear", "write https://"
        elif _UNCHECKED.fullmatch(name) and str(value).lower() in ("false", "0"):
            what = f"{name} is off, so that anybody on the way can pose as a provider"
            yield place, what, "take it away, or give a file with the certificates of your own authority"


def _is_inside(host: str) -> bool:
    """Whether a host is one of the cluster or of a private network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return not re.fullmatch(r".+\.(?:[a-z]{2}|com|net|org|info|cloud|dev|app)", host)
