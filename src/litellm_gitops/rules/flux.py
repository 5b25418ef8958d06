"""Flux: Secrets and release under an account that reaches one namespace; git wins over the cluster. Also flux.yml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from posixpath import dirname, normpath, relpath
from typing import Any

from litellm_gitops import schemas
from litellm_gitops.charts import MADE
from litellm_gitops.documents import NotYamlError, Place, dig, mapping, parse, sequence, text, texts
from litellm_gitops.files import matching
from litellm_gitops.findings import Finding, Misspelt, edit, restore
from litellm_gitops.languages.cel import seconds
from litellm_gitops.objects import Identity, Object, found_in
from litellm_gitops.policies import SUITE
from litellm_gitops.repository import CHART_FILE, VALUES, Repository
from litellm_gitops.rules.admission import is_refused
from litellm_gitops.rules.engine import Synced
from litellm_gitops.rules.kubernetes import known_version
from litellm_gitops.rules.kustomizations import leads_somewhere
from litellm_gitops.rules.rbac import resource_of
from litellm_gitops.rules.reach import beyond, beyond_in_values
from litellm_gitops.rules.table import Table, places
from litellm_gitops.spelling import closest

FLUX = Table("flux")

_LOCK = "litellm-lock"
_OURS = ("secrets",)  # of the kind Kustomization
_WRITES = frozenset({"create", "patch"})  # what Flux must be allowed to apply an object
_VERBS = _WRITES | {"get", "list", "watch", "update", "delete", "deletecollection"}
_NEEDED = _VERBS - {"deletecollection"}
_RENDERED = (*MADE, ("networking.k8s.io", "Ingress"))
# who may write these gives himself more than he has
_FURTHER = re.compile(r"\*|rbac\.authorization\.k8s\.io|(?:.*\.)?(?:toolkit\.fluxcd\.io|fluxcd\.controlplane\.io)")
_USUAL = 900.0  # seconds of spec.timeout, as it is rendered
_START = 300.0  # seconds that the chart's startup probe gives a pod: 30 × 10 s
_DEFAULT_TIMEOUT = "5m"  # of a HelmRelease


@FLUX.rule
def flux_follows_this_repository(repository: Repository) -> Iterator[Finding]:
    for _, found in FLUX.each(repository, "source"):
        if text(found.get("spec", "url")).startswith("ssh:") and not found.get("spec", "secretRef"):
            what = "spec.secretRef is missing: without a key nothing is cloned over ssh"
            fix = "write spec.secretRef.name: litellm-git, and see README.md, Bootstrap"
            yield found.finding(("spec", "url"), what, fix)
        name = closest(text(found.get("spec", "secretRef", "name")), ["litellm-git"])
        if name and not is_refused(repository, found):  # of which another rule tells
            place = ("spec", "secretRef", "name")
            yield found.finding(place, "README.md, Bootstrap, makes no such Secret", f"did you mean {name}?")


@FLUX.rule
def flux_sees_what_it_deploys(repository: Repository) -> Iterator[Finding]:
    for each, found in FLUX.each(repository, "source"):
        patterns = text(found.get("spec", "ignore")).splitlines()
        sparse = [normpath(path) for path in texts(found.get("spec", "sparseCheckout"))]
        folders, kept = (each.cluster.folder, each.cluster.secrets_folder), dict[str, list[str]]()
        values = (VALUES, each.cluster.values_file, each.cluster.checksums_file, *each.cluster.sealed_files[:1])
        for file in (*(f"{folder}/kustomization.yaml" for folder in folders), CHART_FILE, *values):
            pulled = repository.path(file)
            checked_out = not sparse or any(pulled.startswith(f"{path}/") for path in sparse)
            if not checked_out or any(matching(patterns, [pulled])):
                kept.setdefault("ignore" if checked_out else "sparseCheckout", []).append(f"{dirname(file)}/")
        if len(patterns) == 1 and len(patterns[0].split()) > 2:  # of a block that lost its sign
            what = "YAML makes one line of spec.ignore, so that nothing is left out"
            yield found.finding(("spec", "ignore"), what, "write ignore: |")
        for field, out in kept.items():
            what = f"spec.{field} keeps files of {', '.join(dict.fromkeys(out))} from the cluster"
            yield found.finding(("spec", field), what, "let it in")


@FLUX.rule
def every_flux_path_leads_to_its_folder(repository: Repository) -> Iterator[Finding]:
    """Also of an operator's own objects, where they come from this repository."""
    for each in FLUX.clusters(repository):
        source, *ours = (FLUX.identity(each, key) for key in ("source", *_OURS))
        for found in each.all("Kustomization"):
            path, name = normpath(text(found.get("spec", "path"))), found.get("spec", "sourceRef", "name")
            is_from_here = name == source.name and found.identity not in ours
            if is_from_here and not leads_somewhere(repository, path):
                yield found.finding(("spec", "path"), f"there is no {path}", "name a folder of this repository")
            for number, each_one in enumerate(texts(found.get("spec", "components")) if name == source.name else ()):
                folder = normpath(f"{path}/{each_one}")
                if "://" not in each_one and not leads_somewhere(repository, folder):
                    what, fix = f"there is no {folder}", f"name a folder of this repository, from {path} on"
                    yield found.finding(("spec", "components", number), what, fix)


# What an object refers to in `spec`: kind -> (where, the kind there; without one the reference names its kind)
_REFERENCES: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "Alert": ((("providerRef",), "Provider"), (("eventSources", "*"), "")),
    "GitRepository": ((("include", "*", "repository"), "GitRepository"),),
    "HelmRelease": ((("dependsOn", "*"), "HelmRelease"), (("chart", "spec", "sourceRef"), ""), (("chartRef",), "")),
    "ImagePolicy": ((("imageRepositoryRef",), "ImageRepository"),),
    "ImageUpdateAutomation": ((("sourceRef",), ""),),
    "Kustomization": (
        (("dependsOn", "*"), "Kustomization"),
        (("sourceRef",), ""),
        (("healthChecks", "*"), ""),
        (("postBuild", "substituteFrom", "*"), ""),
    ),
    "Receiver": ((("resources", "*"), ""),),
}
_ALIKE = (("Bucket", "GitRepository", "HelmRepository", "OCIRepository"), ("HelmRelease", "Kustomization"))
# of an object of one's own that may be of another repository, only a name that is nearly one of this is a misspelt one
_OF_THE_SAME_FILE = ("Provider",)
_MADE_BY_THE_CHART = ("Deployment", "Service", "ServiceAccount")


def _refers(found: Object) -> Iterator[tuple[Place, Identity]]:
    """(where, to what) an object refers."""
    for at, kind in _REFERENCES.get(found.identity.kind, ()):
        for place, entry in places(found.document.value, ("spec", *at)):
            if isinstance(entry, dict) and entry.get("name") not in (None, "*") and entry.get("optional") is not True:
                namespace = entry.get("namespace", found.identity.namespace)
                yield place, Identity(kind or text(entry.get("kind")), f"{namespace}/{entry['name']}")


def _there(each: Synced) -> set[Identity]:
    """The objects in a cluster: of this repository, and those that the owner declares."""
    known = {found.identity for found in each.objects if found.identity.name}
    known |= {Identity(*line.partition(" ")[::2]) for line in each.repository.suite.objects}
    known |= {Identity(kind, f"{each.repository.namespace}/litellm") for kind in _MADE_BY_THE_CHART}
    known |= {Identity("Secret", f"{each.repository.namespace}/{secret.name}") for secret in each.cluster.sealed}
    return known | {FLUX.identity(each, key) for key in (*_OURS, "source")}


@FLUX.rule
def every_flux_dependency_exists(repository: Repository) -> Iterator[Finding]:
    """What ours refer to is there, and what an operator's own do is not misspelt. Nothing waits for itself."""
    for each in FLUX.clusters(repository):
        ours = {FLUX.identity(each, key) for key in (*_OURS, "release", "source")}
        spare = {found.identity for found in each.objects} - {to for found in each.objects for _, to in _refers(found)}
        for found in (found for found in each.objects if _is_judged(each, found, ours)):
            for place, wanted in _refers(found):
                # other rules tell, also where ours is in another namespace
                is_one = (found.identity.kind, found.identity.name) in {(one.kind, one.name) for one in ours}
                is_source = place[-1] in ("sourceRef", "chartRef") and (found.identity in ours or is_one)
                others = {other.path for other in _there(each) - {found.identity} if other.kind == wanted.kind}
                must = found.identity in ours or wanted.kind in _OF_THE_SAME_FILE
                # a source that nothing names is the one that was meant
                lost = wanted.kind.endswith("Repository") and any(_are_alike(wanted, other) for other in spare - ours)
                if is_source or wanted.path in others:
                    continue
                if kind := _other_kind(wanted, _there(each)):
                    what = f"{wanted.path} is a {kind}, and no {wanted.kind}"
                    yield found.finding((*place, "kind"), what, f"write {kind}")
                    continue
                if not (must or lost or _is_nearly_one(wanted, others)):
                    continue
                there = f"name one of {', '.join(sorted(others))}" if others else "take it away"
                what = f"it waits for ever: there is no other {wanted.kind} {wanted.path}"
                yield found.finding(place, what, f"{there}, or declare it: {SUITE}, objects")
        yield from _unknown_kinds(each, ours)
        waits = {found.identity: [wanted for _, wanted in _refers(found)] for found in each.objects}
        told = set[Identity]()
        for found in each.objects:
            reached = _reached(found.identity, waits)
            if found.identity in reached - ours - told:
                told |= reached
                what = "what it waits for waits for it"
                yield found.finding(("spec", "dependsOn"), what, "take one of the two away")


def _unknown_kinds(each: Synced, ours: set[Identity]) -> Iterator[Finding]:
    """Kinds of Kubernetes' own in a version that it does not have, of which none ever gets healthy."""
    version = known_version(each.repository)
    known = schemas.known(version) if version else frozenset()
    for found in (found for found in each.all("Kustomization") if _is_judged(each, found, ours)):
        for number, entry in enumerate(sequence(found.get("spec", "healthChecks"))):
            api_version, kind = text(dig(entry, "apiVersion")), text(dig(entry, "kind"))
            group = api_version.rpartition("/")[0]
            meant = [there for there, other in known if other == kind and there.rpartition("/")[0] == group]
            if api_version and meant and api_version not in meant:
                what = f"nothing knows a {kind} of {api_version}, so it waits for ever"
                yield found.finding(("spec", "healthChecks", number, "apiVersion"), what, f"write {meant[0]}")


def _is_judged(each: Synced, found: Object, ours: set[Identity]) -> bool:
    """Whether no other rule tells of an object: of ours in a wrong place, and of what no commit may bring."""
    kind, path = found.identity
    is_elsewhere = any((kind, found.identity.name) == (own.kind, own.name) and path != own.path for own in ours)
    is_brought = found.identity not in ours and not each.is_by_hand(found.document.file)
    return not (found.flaws or is_elsewhere or is_brought) and bool(found.identity.namespace)


def _are_alike(one: Identity, other: Identity) -> bool:
    return (one.kind, one.namespace) == (other.kind, other.namespace)


def _other_kind(wanted: Identity, there: set[Identity]) -> str:
    """The kind of what is there by the name of something that is not, where one of them may be meant by the other."""
    alike = next((kinds for kinds in _ALIKE if wanted.kind in kinds), ())
    return next((other.kind for other in sorted(there) if other.path == wanted.path and other.kind in alike), "")


def _is_nearly_one(wanted: Identity, others: set[str]) -> bool:
    names = {path.rpartition("/")[2] for path in others}
    return wanted.name in names or bool(closest(wanted.name, names))


def _reached(start: Identity, waits: dict[Identity, list[Identity]]) -> set[Identity]:
    """All that an object waits for, itself not counted at first."""
    reached, next_ones = set[Identity](), list(waits[start])
    while next_ones:
        each = next_ones.pop()
        if each not in reached:
            reached.add(each)
            next_ones += waits.get(each, [])
    return reached


@FLUX.rule
def flux_applies_the_secrets(repository: Repository) -> Iterator[Finding]:
    for each in FLUX.clusters(repository):
        (document, listed), secrets = each.listing(each.cluster.folder), each.cluster.secrets_folder
        nearly = [entry for entry in listed if not (repository.has(entry) or repository.under(entry))]
        if closest(secrets, nearly):
            continue  # it is listed by a misspelt name, of which another rule tells
        if document and each.lacks(secrets) and isinstance(document.value.get("resources"), list | None):
            what = f"the Secrets in {secrets} are not among the resources"
            yield found_in(document, ("resources",), what, f"list {relpath(secrets, each.cluster.folder)}")
        generators = sequence(document and document.value.get("configMapGenerator"))
        lock = [dig(entry, "name") for entry in generators]
        for number, entry in enumerate(generators):
            if document and dig(entry, "name") == _LOCK and dig(entry, "namespace"):
                at, what = (
                    ("configMapGenerator", number, "namespace"),
                    f"ConfigMap {_LOCK} locks nothing in a namespace",
                )
                yield found_in(document, at, what, "take the line away")
            place: Place = ("options", "disableNameSuffixHash")
            is_kept = dig(entry, *place) or dig(document and document.value, "generatorOptions", place[-1])
            if document and dig(entry, "name") == _LOCK and lock.count(_LOCK) == 1 and is_kept is not True:
                what = f"ConfigMap {_LOCK} gets another name, by which no patch takes it out"
                yield found_in(document, ("configMapGenerator", number, *place), what, f"write {place[-1]}: true")
        if document and _LOCK not in lock and None not in lock:  # of one without a name another rule tells
            what = f"ConfigMap {_LOCK} is missing, which keeps older objects of Flux from applying ciphertext"
            yield found_in(document, ("configMapGenerator",), what, restore())
    for _, found in FLUX.each(repository, "secrets"):
        patches = sequence(found.get("spec", "patches"))
        ours = [text(dig(entry, "patch")) for entry in patches if _is_for_the_lock(dig(entry, "target"))]
        if not any(("$patch: delete" in each and _is_of_the_lock(each)) or "op: remove" in each for each in ours):
            what = f"no patch takes ConfigMap {_LOCK} out, so nothing is applied"
            yield found.finding(("spec", "patches"), what, restore())


def _is_of_the_lock(patch: str) -> bool:
    """Whether a text is a patch of the lock: Kustomize asks for a kind and a name, though the target says both."""
    try:
        content = [mapping(each.value) for each in parse("", patch)]
    except NotYamlError:
        return False
    return bool(content) and all(_is_for_the_lock({**each, **mapping(each.get("metadata"))}) for each in content)


def _is_for_the_lock(target: Any) -> bool:
    return dig(target, "name") == _LOCK and dig(target, "kind") in (None, "ConfigMap")


@FLUX.rule
def the_flux_release_has_time_to_start(repository: Repository) -> Iterator[Finding]:
    for each, found in FLUX.each(repository, "release"):
        own = [("spec", part, "timeout") for part in ("install", "upgrade") if found.get("spec", part, "timeout")]
        place = min(own, key=lambda at: seconds(found.get(*at)), default=("spec", "timeout"))
        timeout, values = found.get(*place) or _DEFAULT_TIMEOUT, each.cluster.values
        deadline = (values.get(*values.chart.job_deadline) or values.chart.own_deadline) if values else None
        limits = {"a pod may take to become ready": _START, "the migrations may take": deadline}
        over = [what for what, limit in limits.items() if isinstance(limit, int | float) and seconds(timeout) <= limit]
        if values and over and seconds(timeout) >= _USUAL:  # then it is the migrations that got more
            what = f"the migrations may take {deadline} s, but Flux waits {timeout}"
            fix = edit(f"write {_USUAL - 60:.0f}, or give spec.timeout of the HelmRelease more")
            yield values.finding(values.chart.job_deadline, what, fix, VALUES)
        elif over:
            limit = float(limits[over[0]] or 0)
            what = f"{'.'.join(place)} is {timeout}, but {limit:.0f} s is what {over[0]}"
            yield found.finding(place, what, f"write timeout: {limit // 60 + 1:.0f}m")


@FLUX.rule
def flux_may_write_what_is_rendered(repository: Repository) -> Iterator[Finding]:
    for _, role in FLUX.each(repository, "role"):
        for group, kind in () if is_refused(repository, role) else _RENDERED:  # of which another rule tells
            names = {"*", resource_of(kind)}
            rules = [rule for rule in sequence(role.get("rules")) if {group, "*"} & {*texts(dig(rule, "apiGroups"))}]
            given = [texts(dig(rule, "verbs")) for rule in rules if names & {*texts(dig(rule, "resources"))}]
            if missing := sorted(_NEEDED.difference(*given)) if not any("*" in each for each in given) else []:
                what = f"Flux's account may not {' or '.join(missing)} a {kind}, so that the release fails"
                yield role.finding(("rules",), what, restore())
                break  # one change of a rule takes several away


@FLUX.rule
def flux_reaches_the_namespace_alone(repository: Repository) -> Iterator[Finding]:
    lost = {each.file for each in flux_may_write_what_is_rendered(repository)}
    for each, role in FLUX.each(repository, "role"):
        if role.document.file in lost:
            continue  # what else it may not follows
        verbs = [(rule, {*texts(dig(rule, "verbs"))}) for rule in sequence(role.get("rules"))]
        rules = [rule for rule, given in verbs if given >= _WRITES or "*" in given]
        permitted = [
            (group, resource)
            for rule in rules
            for group in texts(dig(rule, "apiGroups"))
            for resource in texts(dig(rule, "resources"))
        ]

        def permits(group: str, kind: str, permitted: list[tuple[str, str]] = permitted) -> bool:
            fitting = {(one, other) for one in ("*", group) for other in ("*", resource_of(kind))}
            return (group, kind) in _RENDERED or not fitting.isdisjoint(permitted)

        yield from beyond(each, "Flux's account", permits, role)
        yield from beyond_in_values(each, "Flux's account", permits, role)


@FLUX.rule
def the_account_of_flux_reaches_the_namespace_alone(repository: Repository) -> Iterator[Finding]:
    for each, role in FLUX.each(repository, "role"):
        for number, rule in enumerate(sequence(role.get("rules"))):
            groups = [group for group in texts(dig(rule, "apiGroups")) if _FURTHER.fullmatch(group)]
            verbs = [verb for verb in texts(dig(rule, "verbs")) if verb not in _VERBS]
            core = texts(dig(rule, "resources")) if "" in texts(dig(rule, "apiGroups")) else []
            inner = [each for each in core if each == "*" or ("/" in each and not each.endswith("/status"))]
            for field, entries in (("apiGroups", groups), ("verbs", verbs), ("resources", inner)):
                if entries:
                    what = f"{field} has {', '.join(entries)}: whoever can push could give himself more rights"
                    at = ("rules", number, field, sequence(dig(rule, field)).index(entries[0]))
                    meant = closest(entries[0], _VERBS) if entries == verbs[:1] else ""
                    fix = f"write {meant}" if meant else "name what is needed, and not that"
                    slip = Misspelt(entries[0], meant) if meant else None
                    yield replace(role.finding(at, what, fix), misspelt=slip)
                    break  # one edit made all of them wider
        account, binding = FLUX.identity(each, "account"), FLUX.identity(each, "binding")
        is_there = any(found.identity == binding for found in each.objects)
        for found in each.objects:
            if found.identity.name == binding.name and is_refused(repository, found):
                continue  # of which another rule tells
            near = binding.name in (found.identity.name, closest(found.identity.name, [binding.name]))
            if not is_there and found.identity.kind == binding.kind and near:
                continue  # it is in another namespace, or misspelt, of which another rule tells
            if found.identity.kind in ("RoleBinding", "ClusterRoleBinding") and found.identity != binding:
                for number, subject in enumerate(sequence(found.get("subjects"))):
                    if (dig(subject, "namespace"), dig(subject, "name")) == (account.namespace, account.name):
                        what = f"it gives {account.path}, under which commits are applied, more rights"
                        yield found.finding(("subjects", number), what, "give them to an account of your own")
