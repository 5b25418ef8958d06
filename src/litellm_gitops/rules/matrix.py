"""The auth matrix: in each cluster what the chosen methods need, and nothing that would beat them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from litellm_gitops import foreign, pod
from litellm_gitops.documents import Place, dig, dotted, mapping, sequence, text, texts
from litellm_gitops.findings import Finding, Fix, Form, edit, restore, update
from litellm_gitops.foreign import foreign_secrets
from litellm_gitops.policies import MATRIX, Method, Mount, Token, Value, names_in
from litellm_gitops.repository import SEALED, VALUES, Repository, Values
from litellm_gitops.rules import rule, rule_of_values
from litellm_gitops.rules.engine import is_setup
from litellm_gitops.rules.plaintext import is_known_by_its_form, tells
from litellm_gitops.rules.traces import engine_reads, matches

_ACCOUNT = "litellm"  # README.md, First steps
_TRUSTED = f"what has no credential is trusted as the service account {_ACCOUNT} alone"
# azure-identity keeps what it read for ten minutes, and the kubelet renews a token after 80 % of its life
_SECONDS = 3600
_LEAST = 600  # seconds of a token, of the API server
# parameters with which a model of another provider may go into another account
_OTHERS = {"aws_role_name", "aws_profile_name"}


@rule
def the_matrix_is_that_of_the_answers(repository: Repository) -> Iterator[Finding]:
    """policies/auth-matrix.yml shows the methods that there are to choose from, and is edited by nobody."""
    document = repository.document(MATRIX)
    if document is None:
        if MATRIX not in repository.broken:  # else a rule of YAML speaks
            yield Finding(MATRIX, None, "is missing, or shows nothing", restore())
        return
    environments = [*dict.fromkeys(cluster.environment for cluster in repository.clusters)]
    if document.value != {"cells": repository.matrix.shown(environments, repository.providers)}:
        yield Finding(MATRIX, document.line("cells"), "it is not what follows from the answers", restore())


@rule_of_values
def every_chosen_method_has_what_it_needs(values: Values) -> Iterator[Finding]:
    """What a method leaves in the pod by the matrix is there, with the answered values."""
    told, account = set(), values.chart.service_account
    trusted = any(each.keyless or each.service_account_annotations for each in values.cluster.logins.values())
    if trusted and values.get(*account) in (None, {}, []):
        what = f"{dotted(account)} is missing: {_TRUSTED}"
        lost = values.finding(account, what, edit(f"restore create: true and name: {_ACCOUNT} in it"), VALUES)
        yield replace(lost, form=Form("gone", account))
        return
    found = list[Finding]()
    for name, method in values.cluster.logins.items():
        needs = f"{method.provider} by {name}"
        of_secret = [*_secret(values, method, needs)]
        others = (*_service_account(values, method, needs), *_settings(values, method, needs))
        of_token = _token(values, method.token, needs) if method.token else ()
        for each in chain(of_secret, others, of_token):
            empty = not values.get(*values.chart.env_from) and each in of_secret
            key = (each.file, each.line, None if empty else each.fix)
            if key not in told:  # the whole list is gone, which one finding says
                found.append(each)
            told.add(key)
    yield from _as_a_whole(values, found)


def _as_a_whole(values: Values, found: list[Finding]) -> Iterator[Finding]:
    """These findings, or one in their place where the file that is the cluster's own has lost a part."""
    ours = [each for each in found if each.file == values.file]
    if len(ours) > 1:
        what = f"{ours[0].what}, and it lacks {len(ours) - 1} more of what the chosen methods need"
        yield Finding(values.file, ours[0].line, what, restore(), form=Form("gone", (values.file,)))
    else:
        yield from ours
    yield from (each for each in found if each not in ours)


def _finding(values: Values, place: Place, what: str, fix: Fix) -> Finding:
    """A finding at `place`, where what is nowhere would stand in the file that is the cluster's own."""
    if values.get(*place) is None:
        own = next(layer for layer in values.layers if layer.file == values.file)
        return Finding(own.file, own.line(values.chart.name, *place), what, fix)
    return values.finding(place, what, fix)


def _service_account(values: Values, method: Method, needs: str) -> Iterator[Finding]:
    place, annotations = values.chart.service_account, method.service_account_annotations
    if annotations and values.get(*place, "create") is not True:
        what = f"the service account is not created, but {needs} annotates it"
        yield values.finding((*place, "create"), what, edit("set create: true"))
    if method.keyless and values.get(*place, "name") != _ACCOUNT:
        yield values.finding((*place, "name"), _TRUSTED, edit(f"write name: {_ACCOUNT}"), VALUES)
    given = values.get(*place, "annotations")
    for annotation, value in annotations.items() if given is None or isinstance(given, dict) else ():
        expected = values.cluster.filled(value)
        if values.get(*place, "annotations", annotation) != expected:
            what = f"{needs} needs the service account annotation {annotation}{_shown(expected)}"
            yield _finding(values, (*place, "annotations", annotation), what, _restore(values, value))
    for label, wanted in method.pod_labels.items():
        if values.get(*values.chart.pod_labels, label) != wanted:
            what = f"{needs} needs the pod label {label}: {wanted}, else it gets no token"
            yield _finding(values, (*values.chart.pod_labels, label), what, edit("restore it"))


def _secret(values: Values, method: Method, needs: str) -> Iterator[Finding]:
    chart, pod, secret = values.chart, values.pod, str(method.secret)
    listed = secret in str(values.get(*chart.env_from))  # if in another form, a schema tells
    if method.env_from and not listed and not foreign.misspelt(values, secret, pod.env_from):
        what, place, fix = f"{needs} needs the variables of {secret}", chart.env_from, edit(f"list {secret}")
        for number, other in enumerate(texts(values.get(*place))):
            if foreign.in_place_of(values, other) == secret:
                what, place, fix = f"{what}, and here stands {other}", (*place, number), edit(f"write {secret}")
        yield _finding(values, place, what, fix)
    if method.mount:
        # with the keys of the Secret as files of their names
        needed = {*values.repository.matrix.secrets[secret].keys}
        volumes = [
            each.name for each in pod.volumes if secret in dict(each.secrets) and needed <= (each.files or needed)
        ]
        known = foreign.known(values.repository, values.cluster) | {*values.cluster.wanted}
        named = [name for each in pod.volumes for name, _ in each.secrets]
        if not volumes and (foreign.misspelt(values, secret, named) or pod.secrets_at(method.mount.path) - known):
            return  # a Secret that nobody has is named, of which a rule tells
        yield from _mounted(values, volumes, method.mount, needs, f"the Secret {secret}")


def _token(values: Values, token: Token, needs: str) -> Iterator[Finding]:
    """The token is in a volume, with the audience that the cloud asks for and time enough, and is mounted."""
    wanted = pod.Token(values.cluster.filled(token.audience), _SECONDS, token.file)
    named = [volume for volume in values.pod.volumes if volume.name == token.volume and volume.tokens]
    fitting = [volume.name for volume in values.pod.volumes if any(_fits(each, wanted) for each in volume.tokens)]
    if any(each.file is None for volume in named for each in volume.tokens):
        return  # the schema of the volume tells
    if named and not fitting:
        what = (
            f"{needs} needs a token with audience: {wanted.audience}, expirationSeconds: {_SECONDS}, path: {token.file}"
        )
        yield values.finding(named[0].place, what, _restore(values, token.audience))
    else:
        yield from _mounted(values, fitting, Mount(volume="", path=token.path), needs, f"the token {token.volume}")


def _fits(token: pod.Token, wanted: pod.Token) -> bool:
    """More time is the owner's choice; none is an hour. Of what the API server refuses another rule speaks."""
    seconds = token.seconds
    time_enough = not isinstance(seconds, int) or seconds >= wanted.seconds or seconds < _LEAST
    return (token.audience, token.file) == (wanted.audience, wanted.file) and time_enough


def _mounted(values: Values, volumes: list[str], mount: Mount, needs: str, what: str) -> Iterator[Finding]:
    wanted = (mount.path, mount.sub_path, True)
    paths = [each.path for each in values.pod.mounts]
    if mount.path in (each.path for each in values.pod.mounts_of_nothing) or len(paths) > len({*paths}):
        return  # of which another rule tells
    if not volumes:
        yield _finding(values, values.chart.volumes, f"{needs} needs a volume of {what}", edit("restore it"))
    elif not any(
        each.volume in volumes and (each.path, each.sub_path, each.read_only) == wanted for each in values.pod.mounts
    ):
        part = f", subPath: {mount.sub_path}" if mount.sub_path else ""
        what = f"{needs} needs {what} mounted with mountPath: {mount.path}, readOnly: true{part}"
        yield _finding(values, values.chart.mounts, what, edit("restore the mount"))


def _settings(values: Values, method: Method, needs: str) -> Iterator[Finding]:
    found = values.pod.variables
    for variable, value in method.variables.items():
        expected = values.cluster.filled(value)
        if variable in values.chart.own_variables:
            place, own = values.chart.own_variables[variable]
            if values.get(*place) != own:
                what = f"{needs} needs {'.'.join(map(str, place))}: {str(own).lower()}"
                yield values.finding(place, what, edit("restore it"))
        elif expected not in [each.value for each in values.pod.variable_entries if each.name == variable]:
            place = (
                found[variable].place
                if variable in found
                else (*(values.chart.variables or values.chart.variable_list), variable)
            )
            place = (*place, "value") if variable in found and isinstance(place[-1], int) else place
            what = f"{needs} needs the variable {variable}{_shown(expected)}"
            yield _finding(values, place, what, _restore(values, value))
    for setting, wanted in method.litellm_settings.items():
        if values.pod.config("litellm_settings", setting) != wanted:
            place = (*values.chart.config, "litellm_settings", setting)
            shown = str(wanted).lower() if isinstance(wanted, bool) else wanted
            what = f"{needs} needs litellm_settings.{setting}: {shown}"
            lost = _finding(values, place, what, edit("restore it"))
            is_there = values.get(*place) is not None
            yield lost if is_there else replace(lost, form=Form("missing", place[:-1], setting))


def _shown(value: str | None) -> str:
    if value is None:
        return " as it was answered"
    return f": {value}" if len(value) < 100 else f": {value[:40]}…"


def _restore(values: Values, value: Value) -> Fix:
    names = names_in(value)
    return update(values.cluster.question(names[0]), first="restore it") if names else edit("restore it")


@rule
def the_migrations_log_in_like_the_proxy(repository: Repository) -> Iterator[Finding]:
    """Where the database takes an identity, the migrations Job has it too: by its ServiceAccount, labels, variables."""
    for values in repository.values:
        for name, method in values.cluster.logins.items():
            if method.provider not in values.cluster.method_names:
                yield from _migrations(values, name, method)


def _migrations(values: Values, name: str, method: Method) -> Iterator[Finding]:
    chart, needs = values.chart, f"the migrations Job logs in to the database by {name}, and"
    if chart.job_labels != chart.pod_labels:
        for label, wanted in method.pod_labels.items():
            if values.get(*chart.job_labels, label) != wanted:
                what = f"{needs} needs the pod label {label}: {wanted}"
                yield values.finding((*chart.job_labels, label), what, edit("restore it"))
    if chart.job_variables != chart.variable_list:
        given = {
            text(each.get("name")): each.get("value")
            for each in map(mapping, sequence(values.get(*chart.job_variables)))
        }
        for variable, value in method.variables.items():
            if variable not in chart.own_variables and given.get(variable) != values.cluster.filled(value):
                what = f"{needs} needs the variable {variable}{_shown(values.cluster.filled(value))}"
                yield values.finding(chart.job_variables, what, edit("restore it"))
    file = f"{values.cluster.folder}/namespace.yaml"
    for document in values.repository.documents(file):
        account = document.value if mapping(document.value).get("kind") == "ServiceAccount" else {}
        for annotation, value in method.service_account_annotations.items() if account else ():
            expected = values.cluster.filled(value)
            if dig(account, "metadata", "annotations", annotation) != expected:
                what = f"{needs} needs the annotation {annotation}{_shown(expected)} of its ServiceAccount"
                yield Finding(file, document.line("metadata"), what, _restore(values, value))


@rule
def nothing_beats_a_chosen_method(repository: Repository) -> Iterator[Finding]:
    """Nothing is there, not even empty, that LiteLLM or the library of the cloud prefers to the chosen method.

    What would win over several is told once.
    """
    seen = set()
    for values in repository.values:
        for found in _winners(values):
            key = (found.file, found.line, found.what.partition(";")[0])
            if key not in seen:
                yield found
            seen.add(key)


def _winners(values: Values) -> Iterator[Finding]:
    for name, method in values.cluster.logins.items():
        provider, forbidden = method.provider, method.forbids
        variables = [each for each in forbidden if each.isupper()]
        reason = f"it would win over {name}, by which {provider} authenticates here"
        given = _given(values, provider) if provider in values.cluster.method_names else ()
        for place, what in (*_set(values, variables), *_annotated(values, forbidden), *given):
            known = ", and revoke it: whoever has read the file knows it"
            fix = edit(f"take it away{known if tells(str(place[-1]), values.get(*place)) else ''}")
            found = values.finding(place, f"{what}; {reason}", fix)
            if not is_known_by_its_form(values.repository, found.file, found.line):  # else another rule tells
                yield found
        yield from _read(values, variables, reason)
        yield from _patched(values, [each for each in forbidden if not each.islower()], reason)


def _set(values: Values, variables: list[str]) -> Iterator[tuple[Place, str]]:
    """Which of these variables are set, for the container or by the proxy itself."""
    for variable in variables:
        if variable in values.pod.variables:
            yield values.pod.variables[variable].place, f"{variable} is set"
        if variable in mapping(values.pod.config("environment_variables")):
            yield (*values.chart.config, "environment_variables", variable), f"{variable} is set"


def _annotated(values: Values, forbidden: list[str]) -> Iterator[tuple[Place, str]]:
    place = (*values.chart.service_account, "annotations")
    for name in forbidden:
        if "/" in name and name in mapping(values.get(*place)):
            yield (*place, name), f"the service account has the annotation {name}"


def _given(values: Values, provider: str) -> Iterator[tuple[Place, str]]:
    """The parameters that go before a method: of the provider's own models, with the credentials that these name and
    what is set for all models; of other models and credentials what the proxy may not have at all.
    """
    pod, matrix = values.pod, values.repository.matrix
    forbidden = matrix.methods[values.cluster.method_names[provider]].forbids
    anywhere = {each.lower() for each in forbidden if each.isupper()}
    ours = [each for each in pod.models if each.model.startswith(matrix.providers[provider].model_prefix)]
    named = {text(each.given.get("litellm_credential_name")) for each in ours} - {""}
    ours += [each for each in pod.credentials if each.name in named]
    for each in (*pod.models, *pod.credentials, *pod.defaults):
        # api_key is the one that every provider takes
        owned = each in ours or each in pod.defaults
        looked_for = {"api_key", *map(str.lower, forbidden)} if owned else anywhere - _OTHERS
        if each in pod.defaults and not text(each.given.get("api_key")).startswith("os.environ/"):
            looked_for = looked_for - {"api_key"}  # one in plaintext has a rule of its own
        for parameter in sorted(looked_for & set(map(str, each.given))):
            if parameter != "aws_role_name" or not each.is_of_another_account(values.repository.answers):
                yield (*each.place, parameter), f"{parameter} is given"


def _read(values: Values, variables: list[str], reason: str) -> Iterator[Finding]:
    """Which of these variables the keys of a Secret or a ConfigMap become."""
    chart, cluster = values.chart, values.cluster
    where = ".".join(map(str, chart.env_from))
    for secret in cluster.sealed:
        if given := [each for each in variables if secret.name in values.pod.env_from and each in secret.keys]:
            fix = edit(f"take {secret.name} off {where}, or seal it without that")
            what = f"the proxy gets {' and '.join(given)} of it; {reason}"
            yield Finding(secret.file, secret.document.line("stringData", given[0]), what, fix)
    config_maps = foreign.config_maps(values.repository, cluster)
    for place, known in (
        (chart.env_from, foreign_secrets(values.repository, cluster)),
        (chart.env_from_config_maps, config_maps),
    ):
        for number, name in enumerate(sequence(values.get(*place))):
            for variable in sorted({*variables} & (known.get(str(name)) or frozenset())):
                what = f"{variable} of {name} becomes a variable of the proxy; {reason}"
                yield values.finding((*place, number), what, edit(f"take {name} away, or that key out of it"))


def _patched(values: Values, names: list[str], reason: str) -> Iterator[Finding]:
    """Which of these names stand in what the engine reads, such as a patch of the Deployment."""
    if not names:
        return
    pattern = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})(?![\w-])")
    listed = values.repository.under(values.cluster.secrets_folder)
    config_maps = sequence(values.get(*values.chart.env_from_config_maps))
    for document in engine_reads(values.cluster, *(file for file in listed if not SEALED.fullmatch(file))):
        # of one that the proxy reads as it is, what is above tells
        is_read = dig(document.value, "kind") == "ConfigMap" and dig(document.value, "metadata", "name") in config_maps
        for place, match in matches(document, pattern) if not (is_read or is_setup(document)) else ():
            if not {"values", "helm"} & {*place}:  # these have a rule of their own
                what = f"{match[0]} would reach the proxy past its values; {reason}"
                yield Finding(document.file, document.line(*place), what, edit("take it away"))
