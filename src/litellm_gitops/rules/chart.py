"""What keeps a GitOps engine, the chart and this repository from working against each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, reduce
from typing import Any

from litellm_gitops import releases, schemas
from litellm_gitops.documents import Document, Place, dig, dotted, mapping, merge, sequence, text
from litellm_gitops.findings import Finding, Form, Misspelt, edit, instead_of, restore
from litellm_gitops.neighbours import block_above
from litellm_gitops.repository import VALUES, Repository, Values
from litellm_gitops.rules import rule, rule_of_values
from litellm_gitops.rules.matrix import nothing_beats_a_chosen_method
from litellm_gitops.rules.plaintext import is_known_by_its_form, is_reference, tells

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(?:@sha256:[0-9a-f]{64})?")
_LEAST = 120  # seconds that all migrations of an empty database take, on a slow one
_SEEN = 60  # seconds in which an engine looks at a Job again, whatever it is doing


@rule_of_values
def the_chart_makes_no_secret_of_its_own(values: Values) -> Iterator[Finding]:
    """The chart is told which sealed Secrets to read."""
    guards = values.chart.guards(values.repository.answers)
    yield from _all_exactly(values, guards, "the chart would make a Secret of its own, or read another")


@rule_of_values
def the_migrations_run_before_the_pods(values: Values) -> Iterator[Finding]:
    """The migrations are a Helm hook, and no hook of Argo CD's own."""
    yield from _all_exactly(values, values.chart.migrations, "the migrations Job is a Helm hook under both engines")
    life = values.get(*values.chart.job_life)
    if isinstance(life, int) and 0 <= life < _SEEN:  # less is refused, of which another rule tells
        what = f"{dotted(values.chart.job_life)} is {life}: the Job may be gone before Helm sees that it has ended"
        yield values.finding(values.chart.job_life, what, edit("write 86400, and its log is there for a day"), VALUES)
    deadline = values.get(*values.chart.job_deadline)
    if isinstance(deadline, int) and 0 < deadline < _LEAST:
        what = f"{dotted(values.chart.job_deadline)} is {deadline}: no migration of an empty database ends so soon"
        yield values.finding(values.chart.job_deadline, what, edit("write 840"), VALUES)
    account = values.get(*values.chart.job_account)
    made = (*values.chart.service_account, "create"), (*values.chart.service_account, "name")
    if account and account == values.get(*made[1]) and values.get(*made[0]) is True:
        what = f"the Job waits for ServiceAccount {account}, which the chart makes after it"
        yield values.finding(values.chart.job_account, what, edit("write litellm-migrations"), VALUES)


@rule_of_values
def every_request_needs_a_key(values: Values) -> Iterator[Finding]:
    """The proxy has the sealed master key, and no other."""
    why = "without it the proxy serves anybody, or does not start"
    # of a key in plaintext another rule speaks, and of one in another section
    elsewhere = any(values.pod.config(section, "master_key") for section in ("router_settings", "litellm_settings"))
    gone = next((place for place in (values.chart.config[:-1], values.chart.config) if not values.pod.get(place)), None)
    if gone and values.chart.config:
        what = f"{dotted(gone)} is missing: {why}"
        yield replace(values.finding(gone, what, edit("restore it"), VALUES), form=Form("gone", gone))
    elif is_reference(values.get(*values.chart.master_key)) and not elsewhere:
        is_there = isinstance(values.get(*values.chart.master_key[:-1]), dict)
        for found in _exactly(values, values.chart.master_key, "os.environ/PROXY_MASTER_KEY", why):
            lost = Form("gone", values.chart.master_key[:-1])
            yield found if is_there else replace(found, file=VALUES, line=None, form=lost)
    if variable := values.pod.variables.get("PROXY_MASTER_KEY"):
        what = "PROXY_MASTER_KEY is set, which the chart sets from the sealed Secret"
        yield values.finding(variable.place, what, edit("take it away"))
    place = (*values.chart.config, "general_settings", "allow_requests_on_db_unavailable")
    if values.get(*place) is True and values.repository.answers.get("exposure") in ("ingress", "gateway"):
        what = f"{place[-1]} serves whoever comes, with any key, while the database is away; this proxy is exposed"
        yield values.finding(place, what, edit(f"write {place[-1]}: false"), VALUES)


@rule_of_values
def the_image_is_pinned(values: Values) -> Iterator[Finding]:
    """The image has a repository and a version that upstream supports, of which no grave weakness is known."""
    place = values.chart.image
    name, tag = (text(values.get(*place, field)) for field in ("repository", "tag"))
    if not name:
        what = f"{dotted(place)}.repository is missing, and the chart's own may not exist"
        yield values.finding((*place, "repository"), what, edit("name the image's repository"), VALUES)
    # a name without a number moves, such as latest or main-stable
    of_upstream = "berriai/" in name and "@" not in tag  # which names each release by three numbers
    if not _TAG.fullmatch(tag) or not re.search(r"\d", tag) or (of_upstream and len(releases.number(tag)) < 3):
        what = f"{dotted(place)}.tag is {values.get(*place, 'tag')!r}, which is no version"
        fix = edit("give a version and its digest, vX.Y.Z@sha256:…")
        yield values.finding((*place, "tag"), what, fix, VALUES)
    elif (version := releases.number(tag)) and (flaw := releases.flaw(version)):
        what = f"LiteLLM {'.'.join(map(str, version))} {flaw}"
        yield values.finding((*place, "tag"), what, edit(f"use {releases.supported()} or newer"), VALUES)


@rule_of_values
def the_release_keeps_its_name(values: Values) -> Iterator[Finding]:
    """What the chart makes is named litellm."""
    for place in values.chart.names:
        if (found := values.get(*place)) not in (None, "", "litellm"):
            what = f"{dotted(place)} is {found!r}: everything would be made anew under another name"
            yield values.finding(place, what, edit(f"write {place[-1]}: litellm"), VALUES)


@rule_of_values
def a_node_can_be_drained(values: Values) -> Iterator[Finding]:
    """A budget that needs every pod lets none be moved, and the update of the nodes waits for ever."""
    place, replicas = values.chart.disruption_budget, values.pod.fewest_replicas
    needed = values.get(*place, "minAvailable")
    if values.get(*place, "enabled") is not True or not isinstance(replicas, int) or replicas < 1:
        return
    fewest, most = (values.repository.answers.get(name, replicas) for name in ("replicas", "max_replicas"))
    if fewest != most and values.get(*values.chart.autoscaler, "minReplicas") is None:
        return  # it was answered, and another rule tells that it is gone
    if isinstance(needed, str) and re.fullmatch(r"\d{3,}%", needed) and needed != "100%":
        what = f"{dotted(place)}.minAvailable is {needed}, more than all"
        yield values.finding((*place, "minAvailable"), what, edit("write at most 50%"), VALUES)
    for name in ("minAvailable", "maxUnavailable"):
        given = values.get(*place, name)
        if given not in (None, "") and not re.fullmatch(r"\d+%?", str(given)):
            what = f"{dotted(place)}.{name} is {given}, which is neither a number nor a percentage"
            yield values.finding((*place, name), what, edit("write one such as 1 or 50%"), VALUES)
    if needed == "100%" or (isinstance(needed, int) and needed >= replicas):
        what = f"{dotted(place)}.minAvailable is {needed}, but there may be only {replicas} replica(s)"
        fix = edit(f"keep it below the replicas, or set {dotted(place)}.enabled: false for a single one")
        yield values.finding((*place, "minAvailable"), what, fix, VALUES)
    spared = values.get(*place, "maxUnavailable")
    if needed and spared not in (None, ""):
        what = f"{dotted(place)}.maxUnavailable is ignored, because there is minAvailable"
        fix = edit(f"keep one of them: the other is {'null' if values.chart.zero_is_no_budget else chr(34) * 2}")
        yield values.finding((*place, "maxUnavailable"), what, fix, VALUES)
    elif spared in ("0", "0%") or (str(spared) == "0" and not values.chart.zero_is_no_budget):
        what = f"{dotted(place)}.maxUnavailable is {spared}"
        yield values.finding((*place, "maxUnavailable"), what, edit("write 1"), VALUES)


@rule_of_values
def no_log_shows_a_secret(values: Values) -> Iterator[Finding]:
    """https://github.com/BerriAI/litellm/issues/12448"""
    level, verbose = values.chart.log_level, (*values.chart.config, "litellm_settings", "set_verbose")
    loud = [level] if values.get(*level) == "DEBUG" else []
    loud += [verbose] if values.get(*verbose) is True else []
    variable = values.pod.variables.get("LITELLM_LOG")
    is_told = bool(variable) and "LITELLM_LOG" in values.pod.set_by_the_chart  # it is set twice
    loud += [variable.place] if variable and text(variable.value).upper() == "DEBUG" and not is_told else []
    switches = [values.pod.variables.get(name) for name in ("DEBUG", "DETAILED_DEBUG")]
    loud += [each.place for each in switches if each and text(each.value).lower() in ("true", "1")]
    for arguments in filter(None, (values.chart.arguments, values.chart.more_arguments)):
        words = enumerate(sequence(values.get(*arguments)))
        loud += [(*arguments, number) for number, word in words if word in ("--debug", "--detailed_debug")]
    for place in loud:
        what = f"{dotted(place)} makes the proxy log keys and whole requests"
        yield values.finding(place, what, edit("set it for a trial outside of git"), VALUES)


@rule_of_values
def the_configuration_reaches_the_proxy(values: Values) -> Iterator[Finding]:
    """The chart makes the proxy's configuration of these values, and it has a model."""
    chart, pod = values.chart, values.pod
    if pod.get(chart.config_map) is False:
        what = f"{dotted(chart.config_map)} is false: {dotted(chart.config)} is not used"
        yield values.finding(chart.config_map, what, edit("take it away"))
    stored = pod.config("general_settings", "store_model_in_db") or "STORE_MODEL_IN_DB" in pod.variables
    if pod.config("model_list") == [] and not stored:
        fix = edit("list models; a list in a cluster's own file replaces the shared one")
        yield values.finding(chart.model_list, f"the proxy of {values.cluster.name} serves no model", fix, VALUES)


_REFERENCE = "write os.environ/NAME, and give the proxy the variable NAME from a sealed Secret"


@rule
def the_values_fit_their_schema(repository: Repository) -> Iterator[Finding]:
    """A misspelt key, or one beside the chart's name, is ignored by the chart without a word.

    A key that begins with `x-` or a dot may hold what anchors repeat: at the root, or below the chart's name.
    """
    chart = repository.chart
    guards = (*chart.guards(repository.answers), *chart.migrations, chart.master_key)
    guards = (*guards, (*chart.image, "repository"), (*chart.image, "tag"), chart.database_host)
    for values in repository.values:
        overwritten = _overwritten(values)
        yield from (_nothing_below(place, layer) for place, layer in overwritten)
        seen = {place: None for place, _ in overwritten}
        for error in _misfits(chart.name, values.layers):
            path = schemas.place(error)
            if path in seen:
                continue  # what is null is of no type, either
            seen[path] = None
            # the rules above say what a guarded place must be, or that there is no Redis for it
            guarded = [guard for guard in (*guards, chart.redis_secret[:-1]) if guard[: len(path) - 1] == path[1:]]
            is_guarded = path[1:] and guarded and (path[1:] in guarded or dig(values.merged, *path) is None)
            if is_guarded or (len(path) <= 2 and str(path[-1]).startswith(("x-", "."))):
                continue
            if error.validator in ("additionalProperties", "type") and tells(str(path[-1]), dig(values.merged, *path)):
                continue  # it may not stand anywhere
            if path[1 : len(chart.config) + 1] == chart.config and _is_without_models(repository):
                what = f"{dotted(chart.config)} is missing, and with it every model"
                yield Finding(VALUES, None, what, restore(), form=Form("gone", chart.config))
                continue
            is_setting = error.validator == "pattern" and path[1 : len(chart.config) + 1] == chart.config
            fix = edit(_REFERENCE if is_setting else "correct it")
            setting = [layer for layer in values.layers if layer.depth(*path) == len(path)]
            layer = (setting or [max(values.layers, key=lambda each: each.depth(*path))])[-1]
            if error.validator == "pattern" and _is_told_as_a_credential(repository, layer.file, layer.line(*path)):
                continue
            if layer.file == values.cluster.checksums_file and path[1:-1] == chart.pod_annotations:
                continue  # what is no digest has a rule of its own
            what, meant = schemas.describe(error), schemas.misspelt(error)
            if home := _home(repository, error, layer, path, meant):
                fix, what, meant = edit(f"move it into {home}"), what.partition(";")[0], None
            yield Finding(layer.file, layer.line(*path), what, fix, misspelt=meant, form=schemas.form(error))


@lru_cache(maxsize=64)  # of a repository as it is, and as it was meant
def _misfits(chart: str, layers: tuple[Document, ...]) -> tuple[Any, ...]:
    """What the schema of a chart's values says of these files, the later ones above the others."""
    return (*schemas.values(chart).iter_errors(reduce(merge, [layer.value for layer in layers])),)


def _is_without_models(repository: Repository) -> bool:
    """Whether the shared file has nothing of the proxy's configuration any more, and no cluster has models."""
    place = (*repository.chart.config, "model_list")
    shared = [layer for values in repository.values for layer in values.layers if layer.file == VALUES]
    lost = not any(dig(layer.value, repository.chart.name, *place[:-1]) for layer in shared)
    return lost and not any(values.get(*place) for values in repository.values)


def _home(repository: Repository, error: Any, layer: Document, path: Place, meant: Misspelt | None) -> str:
    """The block that an unknown field was moved out of, or that is empty beside it; empty where there is none."""
    if meant and _is_empty(layer, (*path[:-1], meant.meant)):
        return f"{meant.meant}, which is empty"
    is_unknown = error.validator == "additionalProperties"
    above = block_above(repository, error.schema, layer, path) if is_unknown else ""
    return f"{above}, one step in" if above else ""


def _nothing_below(place: Place, layer: Document) -> Finding:
    why = "nothing stands below it" if _is_empty(layer, place) else "another file has one"
    what, form = f"{dotted(place)} is not of the type object: {why}", Form("type", place, is_part=True)
    fix = edit("restore what belongs into it, or take it away")
    return Finding(layer.file, layer.line(*place), what, fix, form=form)


def _overwritten(values: Values) -> list[tuple[Place, Document]]:
    """Where one file has a mapping, and another something else: (place, the document of that).

    Nothing at all takes away what the file below has, which is the owner's choice but above what is needed.
    """
    chart, found, stack = values.chart, dict[Place, Document](), list[Place]([(values.chart.name,)])
    guards = (*chart.guards(values.repository.answers), *chart.migrations, chart.master_key)
    guards = (*guards, (*chart.config, "litellm_settings", ""))
    if any(each.keyless for each in values.cluster.logins.values()):
        guards = (*guards, (*chart.service_account, ""))
    for place in dict.fromkeys((chart.name, *guard[:depth]) for guard in guards for depth in range(1, len(guard))):
        found |= dict.fromkeys([place], layer) if (layer := _empty(values, place)) else {}
    while stack:
        place = stack.pop()
        there = [(layer, dig(layer.value, *place)) for layer in values.layers if layer.depth(*place) == len(place)]
        mappings = [each for _, each in there if isinstance(each, dict)]
        others = [layer for layer, each in there if each is not None and not isinstance(each, dict)]
        if mappings and others:
            found[place] = others[-1]
        stack += {(*place, str(key)) for each in mappings for key in each} if len(there) > 1 else ()
    return [*found.items()]


def _empty(values: Values, place: Place) -> Document | None:
    return next((layer for layer in reversed(values.layers) if _is_empty(layer, place)), None)


def _is_empty(layer: Document, path: Place) -> bool:
    """Whether a key stands there with nothing behind it."""
    return dig(layer.value, *path) is None and layer.depth(*path) == len(path)


def _is_told_as_a_credential(repository: Repository, file: str, line: int) -> bool:
    """Whether other rules speak of what stands there: of a credential by its form, of one that beats a method."""
    beats = nothing_beats_a_chosen_method(repository)
    return is_known_by_its_form(repository, file, line) or any((each.file, each.line) == (file, line) for each in beats)


@rule
def no_shared_list_is_dead(repository: Repository) -> Iterator[Finding]:
    """Helm replaces a list: one in the shared file that each cluster replaces is read by nobody."""
    shared = repository.document(VALUES)
    own = [values.layers[1] for values in repository.values]
    if shared is None or not own:
        return
    for place in _lists(mapping(shared.value.get(repository.chart.name)), (repository.chart.name,)):
        if all(layer.depth(*place) == len(place) for layer in own):
            what = f"each cluster has a list {dotted(place[1:])} of its own, so that this one is never used"
            fix = edit("move its items into the lists of the clusters, or take those away")
            yield Finding(VALUES, shared.line(*place), what, fix)


def _lists(value: dict[Any, Any], place: Place) -> Iterator[Place]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _lists(inner, (*place, str(key)))
        elif isinstance(inner, list) and inner:
            yield (*place, str(key))


def _all_exactly(values: Values, guards: Mapping[Place, Any], why: str) -> Iterator[Finding]:
    """What differs from the guards; once of a mapping that is not there, and in which several would be."""
    gone = [place[:depth] for place in guards for depth in range(1, len(place))]
    gone = [place for place in gone if not isinstance(values.get(*place), dict)]
    told = set()
    for place, expected in guards.items():
        above = next((each for each in gone if gone.count(each) > 1 and each == place[: len(each)]), None)
        if above is None:
            yield from _exactly(values, place, expected, why)
        elif above not in told and not tells(str(above[-1]), values.get(*above)):  # else another rule speaks of it
            inside = ", ".join(dotted(each[len(above) :]) for each in guards if each[: len(above)] == above)
            found = values.finding(above, f"{dotted(above)} is missing: {why}", edit(f"restore {inside} in it"), VALUES)
            yield replace(found, form=Form("gone", above))
        told.add(above)


def _exactly(values: Values, place: Place, expected: Any, why: str) -> Iterator[Finding]:
    found = values.get(*place)
    if found != expected or type(found) is not type(expected):
        shown = str(expected).lower() if isinstance(expected, bool) else expected
        fix = edit(f"set {place[-1]}: {shown}")
        told = values.finding(place, f"{dotted(place)} must be {shown}: {why}", fix, VALUES)
        yield replace(told, other=instead_of(found, expected))
