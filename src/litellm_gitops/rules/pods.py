"""What the values put into the proxy's pod fits together: variables, volumes, and what the chart itself asks for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from posixpath import normpath
from typing import Any

import yaml

from litellm_gitops import credentials
from litellm_gitops.documents import LOADER, Place, dig, dotted, mapping, sequence, text, texts
from litellm_gitops.findings import Finding, edit
from litellm_gitops.foreign import foreign_secrets
from litellm_gitops.languages import cel
from litellm_gitops.pod import VARIABLE, Mount
from litellm_gitops.repository import VALUES, Values
from litellm_gitops.rules import rule_of_values
from litellm_gitops.rules.plaintext import tells
from litellm_gitops.spelling import closest

# variables that name a folder, or a file, which LiteLLM writes
_LEVEL = "LITELLM_LOG"
_FOLDERS = ("HOME", "TMPDIR", "LITELLM_MIGRATION_DIR")
_WRITTEN = (*_FOLDERS, "GITHUB_COPILOT_API_KEY_FILE", "PROMETHEUS_MULTIPROC_DIR")
_WRITABLE = {"csi", "emptyDir", "ephemeral", "persistentVolumeClaim"}


@cache
def _known() -> dict[str, Any]:
    content = yaml.load((files(__package__) / "pods.yml").read_text("utf-8"), LOADER)
    return {**content, "variables": content["variables"].split(), "folders": content["folders"].split()}


def misspelt_option(word: str) -> str:
    """The option of LiteLLM's program that a word on its command line was meant to be; empty where it is none."""
    known, name = _known()["options"].split(), word.partition("=")[0]
    return closest(name, known) if name.startswith("--") and name not in known else ""


@rule_of_values
def the_chart_takes_what_it_is_given(values: Values) -> Iterator[Finding]:
    """What it refuses to render, and what it passes over."""
    given, answers = mapping(values.get()), values.repository.answers
    for row in _known()["charts"].get(values.chart.name, ()):
        if not cel.holds(row["rule"], self=given, answers=answers):
            place = tuple(row["at"].split("."))
            yield values.finding(place, f"{row['at']} {row['what']}", edit(row["fix"]), VALUES)


# ---------------------------------------------------------------------------------------------------------------------
# Variables


@rule_of_values
def no_variable_is_set_twice(values: Values) -> Iterator[Finding]:
    """No variable is set by name twice, by the chart as well, or by name and from a Secret."""
    chart, seen = values.chart, dict[str, Place]()
    others = {"PROXY_MASTER_KEY"}  # which has a rule of its own
    if values.pod.has_redis and values.repository.answers.get("redis") != "bundled":
        others |= chart.sets_with_redis  # of a Redis that was not answered another rule speaks
    for each in values.pod.variable_entries:
        if credentials.find(str(each.value)):
            continue  # it may not stand here at all
        if each.name in values.pod.set_by_the_chart - others:
            what = f"the chart sets {each.name}, and Kubernetes refuses a variable that is set twice"
            yield values.finding(each.place, what, edit("take it away"))
        if each.name in seen:
            what = f"{each.name} is in {dotted(seen[each.name])} already, and Kubernetes refuses it twice"
            yield values.finding((*each.place, "name"), what, edit("keep one of them"))
        seen.setdefault(each.name, each.place)
    yield from _hidden(values, seen)
    if chart.job_variables != chart.variable_list:
        for number, entry in enumerate(sequence(values.get(*chart.job_variables))):
            if (name := text(mapping(entry).get("name"))) in values.pod.set_by_the_chart & chart.sets_in_the_job:
                what = f"the chart sets {name} in the Job, and Kubernetes refuses a variable that is set twice"
                yield values.finding((*chart.job_variables, number), what, edit("take it away"))


def _hidden(values: Values, seen: dict[str, Place]) -> Iterator[Finding]:
    """Keys of Secrets that are variables by name, too, or keys of another Secret."""
    chart, by_key = values.chart, dict[str, str]()
    sealed = {secret.name: secret for secret in values.cluster.sealed}
    for number, listed in enumerate(values.pod.env_from):
        if listed in values.pod.env_from[:number]:
            yield values.finding((*chart.env_from, number), f"{listed} is listed twice", edit("take one away"))
            continue
        for key in sorted(sealed[listed].keys) if listed in sealed else ():
            if key in seen and tells(key, values.pod.variables[key].value):
                continue  # it may not stand here at all
            if key in seen:
                what = f"{key} of the Secret {listed} is hidden by {dotted(seen[key])}"
                yield values.finding(seen[key], what, edit("take it away there"))
            elif key in by_key:
                what = f"{key} is in {by_key[key]} and in {listed}, and the last one wins"
                yield values.finding(chart.env_from, what, edit("keep it in one of them"))
            by_key.setdefault(key, listed)


@rule_of_values
def every_variable_that_the_proxy_reads_is_set(values: Values) -> Iterator[Finding]:
    """Each `os.environ/NAME` of the configuration is a variable that something sets."""
    chart, pod, cluster = values.chart, values.pod, values.cluster
    keys: dict[str, Any] = {secret.name: secret.keys for secret in cluster.sealed}
    keys |= foreign_secrets(values.repository, cluster)
    if pod.get(chart.env_from_config_maps) or any(keys.get(name, ()) is None for name in pod.env_from):
        return  # what they hold is not here
    known = {*pod.set_by_the_chart, *pod.variables, *mapping(pod.config("environment_variables"))}
    if pod.config("general_settings", "key_management_system"):
        held = pod.config("general_settings", "key_management_settings", "hosted_keys")
        if not isinstance(held, list):
            return  # any of them may be held elsewhere
        known |= {*texts(held)}
    redis = values.repository.answers.get("redis")
    # a Redis that is missing, or is another one, has a rule of its own
    if redis in ("bundled", "external"):
        known |= chart.sets_with_redis if redis == "bundled" else {"REDIS_HOST", "REDIS_PORT"}
    for method in cluster.methods.values():
        known |= {*method.variables}  # these have a rule of their own
    for name in pod.env_from:
        known |= {*keys.get(name, ()), *(cluster.wanted[name].keys if name in cluster.wanted else ())}
    # these have a rule of their own, too
    told = [chart.master_key, (*chart.config, "litellm_settings", "api_key")]
    for method in cluster.logins.values():
        told += [(*chart.config, "litellm_settings", setting) for setting in method.litellm_settings]
    for place, name in pod.variables_read():
        if name not in known and place not in told:
            what = f"the proxy reads the variable {name}, which nothing sets in {cluster.name}"
            where = dotted(chart.variables or chart.variable_list)
            fix = edit(f"set it: a Secret under {dotted(chart.env_from)}, or a value under {where}")
            yield values.finding(place, what, fix)
    stored = pod.config("general_settings", "store_model_in_db") or "STORE_MODEL_IN_DB" in pod.variables
    for name, others in () if stored else _known()["beside"].items():
        lost = [each for each in others.split() if each not in known]
        if name in pod.variables and lost:
            what = f"nobody can log in with {name}, because nothing sets {' and '.join(lost)} in {cluster.name}"
            yield values.finding(pod.variables[name].place, what, edit("set both, or take it away"))


def _of_no_level(values: Values) -> Iterator[Finding]:
    """A level of the log that Python does not have, in letters of any size; a misspelt one is told with the words."""
    found = values.pod.variables.get(_LEVEL)
    given, levels = text(found.value) if found else "", _known()["words"][_LEVEL].split()
    if not found or not given or _LEVEL in values.pod.set_by_the_chart or closest(given, levels):
        return
    if given.upper() not in (*levels, "WARN", "FATAL", "NOTSET"):
        what = f"{_LEVEL} is {given}, which is no level of a log: the proxy does not start"
        yield values.finding(found.place, what, edit(f"write {' or '.join(levels)}"), VALUES)


def misspelt_word(name: str, given: str) -> str:
    """The word of those that a variable may be, where another is nearly one; else nothing."""
    words = _known()["words"].get(name, "").split()
    near = closest(given, words) if given not in words else ""
    return near if given.upper() != near else ""


def misspelt_variable(name: str) -> str:
    """The variable that LiteLLM reads and that a misspelt one was meant to be; empty where it is none of these."""
    known = _known()["variables"]
    return closest(name, known) if name not in known else ""


def _misspelt_folder(values: Values, name: str) -> str:
    """The variable for a folder to write to that a misspelt one was meant to be, where all else is read-only."""
    sealed = [values.get(*place, "readOnlyRootFilesystem") is True for place in values.chart.container_security]
    return closest(name, _FOLDERS) if any(sealed) and name not in _FOLDERS else ""


def is_no_answer(name: str, given: str) -> bool:
    """Whether a variable is a switch, and LiteLLM takes what is given for neither of its ends."""
    return name in _known()["switches"].split() and given.strip().lower() not in ("true", "false")


@rule_of_values
def every_variable_is_one_that_is_read(values: Values) -> Iterator[Finding]:
    """A misspelt name is one that nobody asks for; of those that are known the right one is not there, then."""
    there = {*values.pod.variables, *values.pod.set_by_the_chart}
    for name, each in values.pod.variables.items():
        meant = misspelt_variable(name) or _misspelt_folder(values, name)
        given = text(each.value)
        if given and is_no_answer(name, given):
            what = f"{name} is {given}, which LiteLLM takes for no answer"
            yield values.finding(each.place, what, edit('write "True" or "False"'), VALUES)
        if near := misspelt_word(name, given):
            yield values.finding(
                each.place, f"{name} is {given}, which LiteLLM does not know", edit(f"write {near}"), VALUES
            )
        if meant and meant not in there and VARIABLE.fullmatch(name):
            what = f"nothing reads the variable {name}; did you mean {meant}?"
            yield values.finding(each.place, what, edit(f"write {meant}"), VALUES)
    chart, of_job = values.chart, values.pod.job_variables
    yield from _of_no_level(values)
    for name, each in of_job.items() if chart.job_variables != chart.variable_list else ():
        meant = misspelt_variable(name) or _misspelt_folder(values, name)
        if meant and meant not in {*of_job, *chart.sets_in_the_job}:
            what = f"nothing reads the variable {name} of the Job; did you mean {meant}?"
            yield values.finding(each.place, what, edit(f"write {meant}"), VALUES)


# ---------------------------------------------------------------------------------------------------------------------
# Volumes


def mounts_of_nothing(values: Values) -> list[Mount]:
    """The mounts in the proxy of volumes that are not there."""
    is_there = values.get(*values.chart.config_map) is not False  # the configuration, as a volume that is mounted
    names = [*(values.chart.own_volumes[:1] if is_there else ()), *(volume.name for volume in values.pod.volumes)]
    return [mount for mount in values.pod.mounts if mount.volume and mount.volume not in names]


@rule_of_values
def every_mount_has_its_volume(values: Values) -> Iterator[Finding]:
    """The names of volumes and the paths of mounts are unique, and each mount has a volume."""
    chart = values.chart
    is_there = values.get(*chart.config_map) is not False  # the configuration, as a volume that is mounted
    names = [*chart.own_volumes[:1]] if is_there else []
    for volume in values.pod.volumes:
        if volume.name in names:
            yield values.finding(volume.place, f"the volume {volume.name!r} is there twice", edit("rename one"))
        names.append(volume.name)
    # of a volume that the API server refuses another rule tells: for its name, or as there are two in one
    odd = [each for each in map(mapping, sequence(values.get(*chart.volumes))) if len(each.keys() - {"name"}) > 1]
    lost = [each for each in mounts_of_nothing(values) if not odd and each.volume not in map(str.lower, names)]
    if lost and not values.pod.volumes:
        what = f"it mounts volumes, and there is none: {', '.join(mount.volume for mount in lost)}"
        yield values.finding(chart.mounts, what, edit(f"restore {dotted(chart.volumes)}"))
    for mount in {mount.volume: mount for mount in reversed(lost)}.values() if values.pod.volumes else ():
        what = f"it mounts the volume {mount.volume!r}, which does not exist"
        yield values.finding(mount.place, what, edit("add the volume, or take the mount away"))
    paths: list[Any] = [*chart.own_mounts] if is_there else []
    for mount in values.pod.mounts:
        path = normpath(mount.path) if isinstance(mount.path, str) and mount.path else mount.path
        if path in _known()["folders"] and _is_there(mount, names):
            what = f"{mount.path} hides what the image has there"
            yield values.finding(mount.place, what, edit("mount it below a folder of its own"))
        if path in paths:
            yield values.finding(mount.place, f"{mount.path} is mounted twice", edit("take one away"))
        paths.append(path)


def _is_there(mount: Mount, names: list[str]) -> bool:
    return not mount.sub_path and mount.volume in names


@rule_of_values
def a_pod_can_write_where_it_must(values: Values) -> Iterator[Finding]:
    """Where the root file system is read-only, each pod has a volume to write to, and its home is in it."""
    chart = values.chart
    security = chart.container_security  # of the proxy, and that of the migrations, where it is another
    sealed = [place for place in security if values.get(*place, "readOnlyRootFilesystem") is True]
    for place in dict.fromkeys(chart.mounts if at == security[0] else chart.job_mounts for at in sealed):
        volumes = sequence(values.get(*place[:-1], chart.volumes[-1]))
        names = {text(dig(volume, "name")) for volume in volumes if mapping(volume).keys() & _WRITABLE}
        entries = [entry for entry in map(mapping, sequence(values.get(*place))) if entry.get("readOnly") is not True]
        folders = [text(entry.get("mountPath")) for entry in entries if text(entry.get("name")) in names]
        known = {text(dig(volume, "name")) for volume in volumes}
        kept = [*folders, *(chart.own_folders if place == chart.mounts else ())]
        if place == chart.mounts:  # of a mount without a volume another rule tells
            kept += [text(entry.get("mountPath")) for entry in entries if text(entry.get("name")) not in known]
        needed = [each for method in values.cluster.methods.values() for each in (method.mount, method.token) if each]
        if not sequence(values.get(*place)) and needed and place == chart.mounts:
            continue  # the whole list is gone, of which a rule of the auth matrix tells
        if not folders and all(text(entry.get("name")) in known for entry in entries):  # else another rule tells
            what = f"the root file system is read-only, and {dotted(place)} brings no folder that can be written to"
            none_is_written = not any(_keeps_what_is_written(each, place) for each in values.repository.values)
            at = (*security[0 if place == chart.mounts else -1], "readOnlyRootFilesystem") if none_is_written else place
            yield values.finding(at, what, edit("mount an emptyDir at /scratch"), VALUES)
        variables = values.pod.variables if place == chart.mounts else values.pod.job_variables
        named = [variables[name] for name in _WRITTEN if folders and name in variables and text(variables[name].value)]
        lost = [each for each in named if not any(f"{each.value}/".startswith(f"{folder}/") for folder in kept)]
        what = f"{', '.join(each.name for each in lost)}: nothing that can be written to is mounted there"
        fix = f"mount an emptyDir there, or name {folders[0]}" if folders else ""
        if lost:
            yield values.finding(place if len(lost) > 1 else lost[0].place, what, edit(fix))


def _keeps_what_is_written(values: Values, mounts: Place) -> bool:
    """Whether a cluster has any volume for this: else the switch was changed, and not the list of one cluster."""
    volumes = sequence(values.get(*mounts[:-1], values.chart.volumes[-1]))
    return any(mapping(volume).keys() & _WRITABLE for volume in volumes)


@rule_of_values
def the_kubelet_starts_the_image(values: Values) -> Iterator[Finding]:
    """It looks at the user of the image where the values ask for another than root and name none."""
    chart = values.chart
    image = text(values.get(*chart.image, "repository")).rpartition("/")[2]
    if image not in chart.rooted or values.repository.answers.get("pod_security") == "restricted":
        return  # of the latter the rule above speaks
    for above, place in zip(chart.pod_security, chart.container_security, strict=True):
        users = [values.get(*each, "runAsUser") for each in (above, place)]
        asking = next((each for each in (place, above) if values.get(*each, "runAsNonRoot") is True), None)
        if asking and users == [None, None]:
            what = f"the user of image {image} is root, so that the kubelet does not start it"
            yield values.finding((*asking, "runAsNonRoot"), what, edit("write runAsUser: 65532 beside it"), VALUES)
