"""Forms that texts have in manifests, and that no schema says: schedules, durations, quantities, ranges, and so on."""

from __future__ import annotations

import ipaddress
import json
import re
import zoneinfo
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from litellm_gitops.languages import cel, promql

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SUBDOMAIN = rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*"
_TAIL = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
# of an object: only a part of a host is no longer than 63
_NAME = r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
# what a name is for -> (its form, what one of another form is not, what to do)
FORMS = {
    "object": (_NAME, "DNS-1123 subdomain", "use lower-case letters, digits and hyphens"),
    "namespace": (_LABEL, "DNS-1123 label", "use lower-case letters, digits and hyphens"),
    "host": (rf"(?:\*\.)?{_SUBDOMAIN}", "DNS name", "write it in lower case, without a port"),
    "mark": (rf"(?:{_LABEL}(?:\.{_LABEL})*/)?{_TAIL}", "key of a label or an annotation", "write example.com/name"),
    "label": (rf"(?:{_TAIL})?", "value of a label", "use at most 63 letters, digits, '-', '_' and '.'"),
    "key": (r"[-._a-zA-Z0-9]{1,253}", "key of a Secret or a ConfigMap", "use letters, digits, '-', '_' and '.'"),
    "variable": (r"[-._a-zA-Z][-._a-zA-Z0-9]*", "name of a variable", "rename it"),
}
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')


def is_cron(value: Any) -> bool:
    """Whether a schedule is one of https://pkg.go.dev/github.com/robfig/cron/v3#ParseStandard, without a time zone."""
    if re.fullmatch(r"@(?:yearly|annually|monthly|weekly|daily|midnight|hourly)|@every [0-9.hmsuµn]+", str(value)):
        return True
    fields = str(value).split()
    return len(fields) == len(_CRON) and all(map(_is_cron_field, fields, _CRON))


_CRON = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    (0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


def _is_cron_field(field: str, limits: tuple[int, int, tuple[str, ...]]) -> bool:
    least, greatest, words = limits
    for part in field.lower().split(","):
        match = re.fullmatch(r"(?:[*?]|([a-z]{3}|\d+)(?:-([a-z]{3}|\d+))?)(?:/([1-9]\d*))?", part)
        if match is None:
            return False
        ends = [words.index(each) + least if each in words else each for each in match.groups()[:2] if each]
        if not all(str(end).isdigit() and least <= int(end) <= greatest for end in ends):
            return False
        if len(ends) == 2 and int(ends[0]) > int(ends[1]):
            return False
    return True


def cadence(schedule: str) -> float:
    """How many seconds apart a schedule begins, at most; 0 where it is none, or no regular one."""
    fields, apart = schedule.split(), (60.0, 3600.0, 86400.0, 0.0, 7 * 86400.0)
    if len(fields) != len(_CRON):
        return {"@hourly": 3600.0, "@daily": 86400.0, "@midnight": 86400.0, "@weekly": 7 * 86400.0}.get(schedule, 0.0)
    if fields[4] != "*":
        return apart[4] if fields[2:4] == ["*", "*"] and not re.search("[-,/*]", fields[4]) else 0.0
    first = next((number for number, field in enumerate(fields) if field.startswith("*")), 2)
    step = fields[first].partition("/")[2]
    is_plain = all(field == "*" for field in fields[first + 1 :]) and not re.search("[-,]", "".join(fields[:first]))
    return apart[first] * int(step or 1) if is_plain and (step or "1").isdigit() else 0.0


def _is_network(value: Any) -> bool:
    try:
        ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        return False
    return "/" in str(value)


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _is_port(value: Any) -> bool:
    return re.fullmatch(r"(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*", str(value)) is not None and len(str(value)) <= 15


def _is_port_or_number(value: Any) -> bool:
    return 1 <= value <= 65535 if isinstance(value, int) else _is_port(value)


def _is_amount(value: Any, most: int | None = None) -> bool:
    if isinstance(value, int):
        return value >= 0
    match = re.fullmatch(r"(\d+)%", str(value))
    return match is not None and (most is None or int(match[1]) <= most)


def _is_balanced(value: Any) -> bool:
    """Whether an expression of jq or CEL has an end for each beginning, and does not break off."""
    rest, before = _TEXT.sub("0", str(value)), ""
    while rest != before:
        rest, before = re.sub(r"\([^][(){}]*\)|\[[^][(){}]*\]|\{[^][(){}]*\}", "0", rest), rest
    return not re.search(r"[][(){}\"']|[=<>&|+,]\s*\Z|\A\s*\Z", rest)


def _is_regex(value: Any) -> bool:
    try:
        re.compile(str(value))
    except re.error:
        return False
    return True


def _is_json(value: Any) -> bool:
    """Whether a text is JSON, or means to be something else."""
    try:
        json.loads(str(value))
    except ValueError:
        return not str(value).lstrip().startswith(("{", "["))
    return True


def _is_below(value: Any) -> bool:
    return not str(value).startswith("/") and ".." not in str(value).split("/")


def _is_promql(value: Any) -> bool:
    """Whether an expression can be read, where it is not one of another language."""
    try:
        promql.asked(str(value))
    except promql.PromqlError:
        return False
    return True


_VERSION = r"v?(?:\d+|[xX*])(?:\.(?:\d+|[xX*])){0,2}(?:-[\w.-]+)?(?:\+[\w.-]+)?"
_DURATION = r"(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+"  # https://pkg.go.dev/time#ParseDuration
OWN_FORMS: Mapping[str, tuple[Callable[[Any], bool] | str, str, str]] = {
    "amount": (_is_amount, "amount", "write a number or a percentage, such as 1 or 25%"),
    "backoff": (f"\\d+|{_DURATION}", "duration", "write one such as 90, 30s or 5m"),
    "below": (_is_below, "path below a folder", "write it without / before it and without .."),
    "cel": (
        lambda value: _is_balanced(value) and not re.search(r"(?<![=!<>])=(?!=)", _TEXT.sub("", str(value))),
        "expression of CEL",
        "give each bracket and each quotation mark its end, and compare with ==",
    ),
    "cidr": (_is_network, "range of addresses", "write one such as 10.0.0.0/8"),
    "cron": (is_cron, "schedule", "write five fields, such as 0 3 * * 1: https://kubernetes.io/docs/reference/"
             "kubernetes-api/workload-resources/cron-job-v1/"),
    "cron6": (
        lambda value: str(value).startswith("@") or len(str(value).split()) == 6,
        "schedule of six fields",
        "write the seconds before the others, such as 0 0 3 * * *",
    ),
    "bool": (lambda value: isinstance(value, bool), "switch", "write true or false, without quotes"),
    "host": FORMS["host"],
    "list": (lambda value: isinstance(value, list), "list", "begin each of its entries with a hyphen"),
    "mapping": (lambda value: isinstance(value, dict), "mapping", "write its fields below it"),
    "promql": (_is_promql, "expression of PromQL", "correct it: promtool check rules"),
    "json": (_is_json, "JSON", "correct it"),
    "number": (lambda value: isinstance(value, int), "number", "write it in digits, without quotes"),
    "text": (lambda value: isinstance(value, str), "text", "quote it"),
    "days": (r"(?:\d+(?:ms|[ywdhms]))+", "duration", "write one such as 30s, 4h or 1d"),
    "duration": (_DURATION, "duration", "write one such as 30s, 5m or 1h30m"),
    "expression": (_is_balanced, "expression", "give each bracket and each quotation mark its end"),
    "freely": (lambda value: not re.search(r"[/%]|\A\.{0,2}\Z", str(value)), "name", "write it without / and %"),
    "image": (
        # https://github.com/distribution/reference
        r"(?:[A-Za-z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
        "image",
        "write registry.example.com/name:tag, without spaces, in lower case",
    ),
    "range": (
        # https://github.com/Masterminds/semver#checking-version-constraints
        rf"(?:\s*(?:{_VERSION}\s+-\s+{_VERSION}|(?:[=!<>~^]|[<>!]=|=[<>]|~>)?\s*{_VERSION})\s*(?:,|\|\||(?<=\s)|\Z))+",
        "range of versions",
        "write one such as 1.2.3 or >=1.0.0 <2.0.0",
    ),
    "port": (_is_port, "name of a port", "use at most 15 lower-case letters, digits and hyphens"),
    "port-or-number": (_is_port_or_number, "port", "write 1 to 65535, or a name of at most 15 signs"),
    # https://kubernetes.io/docs/concepts/policy/resource-quotas/
    "quota": (
        r"(?:(?:requests|limits)\.)?(?:cpu|memory|ephemeral-storage|hugepages-.+)|requests\.(?:storage|.+/.+)|pods|secrets"
        r"|services(?:\.(?:loadbalancers|nodeports))?|configmaps|persistentvolumeclaims|replicationcontrollers"
        r"|resourcequotas|storage|count/.+|.+/.+",
        "amount of something",
        "write requests.cpu, limits.memory, pods, or count/deployments.apps",
    ),
    "quantity": (
        lambda value: bool(cel.QUANTITY.fullmatch(str(value))) and not str(value).startswith("-"),
        "quantity",
        "write one such as 500m, 2 or 4Gi",
    ),
    "regex": (_is_regex, "regular expression", "write one of https://github.com/google/re2/wiki/Syntax"),
    "resource": (
        lambda value: bool(re.fullmatch(r"cpu|memory|storage|ephemeral-storage|hugepages-.+|.+/.+", str(value))),
        "resource",
        "write cpu, memory, ephemeral-storage, or example.com/name",
    ),
    "share": (partial(_is_amount, most=100), "amount", "write a number or at most 100%"),
    "zone": (lambda value: not _zones() or value in _zones(), "time zone", "write one such as Europe/Zurich"),
}  # fmt: skip
