"""In production: no answer is cut off, migrations end, pods have no more rights than they need, metrics are read.

docs/production.md of the template has the rendered defaults with their reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, sequence, text, texts
from litellm_gitops.findings import Finding, edit, restore, update
from litellm_gitops.proxy_facts import closest
from litellm_gitops.repository import VALUES, Repository, Values
from litellm_gitops.rules import rule, rule_of_values
from litellm_gitops.rules.engine import Identity, expect, show, synced

# What a pod may add under `baseline`: https://kubernetes.io/docs/concepts/security/pod-security-standards/
_BASELINE = {
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
}
_VOLUMES = {  # that `restricted` admits
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"),
}
_LABELS = {"app.kubernetes.io/name": "litellm", "app.kubernetes.io/instance": "litellm"}  # of the pods
_COMPONENT = "app.kubernetes.io/component"
# Seconds for which a pod that goes is sent calls, at least: by what is in the cluster, by a load balancer outside of it
_SENT = {"none": 5, "": 10}  # by the answer exposure
_IDLE = {"bin", "usr", "sh", "bash", "-c", "-ec", "true", "false", "exit", "echo", "sync", ":", "0", "1"}
# variables that name a folder, or a file, which LiteLLM writes
_WRITTEN = ("HOME", "TMPDIR", "GITHUB_COPILOT_API_KEY_FILE", "PROMETHEUS_MULTIPROC_DIR")
_WRITABLE = {"csi", "emptyDir", "ephemeral", "persistentVolumeClaim"}


@rule_of_values
def an_answer_ends_before_its_pod(values: Values) -> Iterator[Finding]:
    """A pod that ends has the pause of its preStop and then all of request_timeout, before it is killed."""
    chart, pod = values.chart, values.pod
    limit = pod.config("litellm_settings", "request_timeout")
    grace = pod.get(chart.grace)
    grace = chart.own_grace if grace is None or grace == "" else grace
    handler, place = mapping(pod.get(chart.lifecycle, "preStop")), (*chart.lifecycle, "preStop")
    pause, sent = _pause(handler), _SENT["none" if values.repository.answers.get("exposure") == "none" else ""]
    if not handler:
        what = "no preStop lets the pod wait until nobody sends it calls any more: the proxy refuses them at once"
        yield values.finding(place, what, edit("write preStop: {sleep: {seconds: 15}}"), VALUES)
    elif pause is not None and pause < sent:
        what = f"preStop waits {pause:g} s, but a pod that goes is sent calls for {sent} s more, and refuses them"
        yield values.finding(place, what, edit("let it wait 15 s"), VALUES)
    if not isinstance(limit, int | float) or not isinstance(grace, int) or isinstance(grace, bool) or grace < 0:
        return
    needed = limit + (pause or 0)
    if grace < needed:
        what = (
            f"{_dotted(chart.grace)} is {grace}, but an answer may take {needed:g} s, preStop included, and is cut off"
        )
        yield values.finding(chart.grace, what, edit(f"give {needed + 15:g} or more"), VALUES)


def _pause(handler: dict[Any, Any]) -> float | None:
    """The seconds that a preStop waits; None where it does not say how long."""
    if isinstance(seconds := dig(handler, "sleep", "seconds"), int):
        return seconds
    command = " ".join(map(str, sequence(dig(handler, "exec", "command"))))
    if slept := re.findall(r"\bsleep (\d+(?:\.\d+)?)(m?)", command):
        return sum(float(count) * (60 if unit else 1) for count, unit in slept)
    return 0 if "exec" in handler and {*re.findall(r"[\w:-]+", command)} <= _IDLE else None


@rule_of_values
def an_update_replaces_one_pod_after_the_other(values: Values) -> Iterator[Finding]:
    """An update does not end all pods at once."""
    place = values.chart.strategy
    # beside rollingUpdate it is refused, of which another rule tells
    if values.get(*place, "type") == "Recreate" and not values.get(*place, "rollingUpdate"):
        what = f"{_dotted(place)}.type is Recreate, which ends every pod before a new one starts"
        yield values.finding((*place, "type"), what, edit("write RollingUpdate"), VALUES)
    most = values.get(*place, "rollingUpdate", "maxUnavailable")
    if most and most in ("100%", values.pod.fewest_replicas):
        what = f"{_dotted(place)}.rollingUpdate.maxUnavailable is {most}, so that an update may end every pod at once"
        yield values.finding((*place, "rollingUpdate", "maxUnavailable"), what, edit("write 0"), VALUES)


@rule
def a_drained_node_leaves_a_pod(repository: Repository) -> Iterator[Finding]:
    """Where there are several pods, a budget keeps one: that of the chart, or one of the owner's."""
    for each in synced(repository):
        values = each.cluster.values
        replicas = values.pod.fewest_replicas if values else None
        if not values or not isinstance(replicas, int) or replicas < 2:
            continue
        extra = [dig(entry, "kind") for entry in sequence(values.get(*values.chart.objects))]
        if each.all("PodDisruptionBudget") or "PodDisruptionBudget" in extra:
            continue
        place = values.chart.disruption_budget
        needed, spared = (values.get(*place, name) for name in ("minAvailable", "maxUnavailable"))
        if values.get(*place, "enabled") in (False, None):
            what = "no budget keeps a pod while nodes are drained, and all may go at once"
            yield values.finding(place, what, edit("write enabled: true and minAvailable: 1"), VALUES)
        elif needed == "0%" or (not needed and (spared == "100%" or (isinstance(spared, int) and spared >= replicas))):
            name, given = ("minAvailable", needed) if needed else ("maxUnavailable", spared)
            what = f"{_dotted(place)}.{name} is {given}, so that all pods may go at once while nodes are drained"
            yield values.finding((*place, name), what, edit("write minAvailable: 1 instead"), VALUES)


@rule_of_values
def the_pods_are_spread(values: Values) -> Iterator[Finding]:
    """A constraint counts pods by their labels; what names none of ours spreads nothing."""
    chart = values.chart
    place, labels = chart.spread, _LABELS | ({_COMPONENT: chart.component} if chart.component else {})
    for number in range(len(sequence(values.get(*place)))):
        given = mapping(values.get(*place, number, "labelSelector", "matchLabels"))
        for label in (label for label in map(str, given) if label not in labels and closest(label, labels)):
            what = f"no pod of the proxy has the label {label}, so that nothing is spread"
            at = (*place, number, "labelSelector", "matchLabels", label)
            yield values.finding(at, what, edit(f"did you mean {closest(label, labels)}?"), VALUES)
        for label, wanted in labels.items():
            at = (*place, number, "labelSelector", "matchLabels", label)
            if (found := values.get(*at)) not in (None, wanted):
                what = f"no pod of the proxy has the label {label}: {show(found)}, so that nothing is spread"
                yield values.finding(at, what, edit(f"write {wanted}"), VALUES)


@rule_of_values
def a_pod_has_time_to_start(values: Values) -> Iterator[Finding]:
    """The chart's own way is to ask at once whether it serves, or to give it no CPU for the start."""
    chart, probe = values.chart, values.chart.probes[2]
    if not chart.has_startup_probe and not values.get(*probe):
        what = "no probe waits for the start, so that a slow one is killed, again and again"
        yield values.finding(probe, what, restore(), VALUES)
    limits = mapping(values.get(*chart.resources[0], "limits"))
    if chart.limits_cpu and "cpu" not in limits:
        place: Place = (*chart.resources[0], "limits", "cpu")
        what = "the chart's own limit of CPU holds, which slows the start and every answer"
        yield values.finding(place, what, edit("write cpu: null, or a limit of yours"), VALUES)


@rule
def the_migrations_have_no_token(repository: Repository) -> Iterator[Finding]:
    """The account of the Job is there before the chart makes any, and has no token of the Kubernetes API."""
    for each in synced(repository):
        if not (values := each.cluster.values):
            continue
        name = text(values.get(*values.chart.job_account)) or "default"
        account = each.find(Identity("ServiceAccount", f"{repository.namespace}/{name}"))
        if values.pod.get(values.chart.job_token) is True:
            what = "the migrations Job gets a token of the Kubernetes API, whatever its ServiceAccount says"
            yield values.finding(values.chart.job_token, what, edit("write false"), VALUES)
        if account and name == "litellm-migrations" and account.identity.namespace != repository.namespace:
            what = f"the migrations Job finds no ServiceAccount {name}: it is in namespace {account.identity.namespace}"
            yield account.finding(("metadata", "namespace"), what, f"write namespace: {repository.namespace}")
        inside = dig(account and account.document.value, "metadata", "automountServiceAccountToken")
        switch = account and account.get("automountServiceAccountToken")  # of one in words another rule tells
        if account and inside is None and switch in (None, True):
            what = f"the pods of ServiceAccount {name} get a token of the Kubernetes API"
            yield account.finding(("automountServiceAccountToken",), what, "write automountServiceAccountToken: false")
        elif name == "default" and values.chart.job_has_token:
            what = "the migrations Job runs as ServiceAccount default, with a token of the Kubernetes API"
            fix = edit("write litellm-migrations")
            yield values.finding(values.chart.job_account, what, fix, VALUES)
        elif name == "litellm-migrations" and not account:
            yield from expect(each, [Identity("ServiceAccount", f"{repository.namespace}/{name}")])


# ---------------------------------------------------------------------------------------------------------------------
# Rights of the pods


@rule_of_values
def the_proxy_has_no_token(values: Values) -> Iterator[Finding]:
    """The proxy never calls the Kubernetes API; a container beside it may. What a cloud asks for is another token."""
    account = values.chart.service_account
    asked = values.get(*account, "create") is True and not values.get(*values.chart.containers)
    if asked and values.get(*account, "automount") is not False:
        what = "the pods of the proxy get a token of the Kubernetes API, which they never call"
        yield values.finding((*account, "automount"), what, edit("write automount: false"), VALUES)


@rule
def the_pods_are_as_their_namespace_asks(repository: Repository) -> Iterator[Finding]:
    """What the answer pod_security says of the namespace holds for the pods of the release."""
    level = text(repository.answers.get("pod_security")) or "baseline"
    for values in repository.values:
        for place, what in _misfits(values, level == "restricted"):
            fix = edit("correct it")
            if level == "restricted":
                fix = update("pod_security", "baseline", first="correct it")
            yield values.finding(place, f"{what}, which the namespace does not admit: it is {level}", fix, VALUES)


def _misfits(values: Values, restricted: bool) -> Iterator[tuple[Place, str]]:
    chart = values.chart
    for above, place in zip(chart.pod_security, chart.container_security, strict=True):
        if restricted and not values.get(*place):
            yield place, f"{_dotted(place)} limits no right of the container"
            continue
        yield from _of_container(values, above, place, restricted)
        if restricted and values.get(*place, "readOnlyRootFilesystem") is not True:
            yield (*place, "readOnlyRootFilesystem"), f"the root file system of {_dotted(place)} can be written to"
        image = text(values.get(*chart.image, "repository")).rpartition("/")[2]
        users = [values.get(*each, "runAsUser") for each in (above, place)]
        if restricted and image in chart.rooted and users == [None, None]:
            yield (*above, "runAsUser"), f"the user of image {image} is root, and no runAsUser names another"
    for above in (chart.containers, chart.init_containers):
        for number, container in enumerate(map(mapping, sequence(values.get(*above)))):
            yield from _of_container(values, chart.pod_security[0], (*above, number, "securityContext"), restricted)
            for port in (port for port in sequence(container.get("ports")) if dig(port, "hostPort")):
                yield (*above, number, "ports"), f"a container takes port {show(dig(port, 'hostPort'))} of its node"
    for above in {chart.volumes, (*chart.job_mounts[:-1], chart.volumes[-1])}:
        for number, volume in enumerate(map(mapping, sequence(values.get(*above)))):
            if "hostPath" in volume or (restricted and not volume.keys() & _VOLUMES):
                yield (*above, number), f"the volume {show(volume.get('name'))} is none of a pod's own"


def _of_container(values: Values, above: Place, place: Place, restricted: bool) -> Iterator[tuple[Place, str]]:
    pod, own = mapping(values.get(*above)), mapping(values.get(*place))
    if own.get("privileged") is True:
        yield (*place, "privileged"), "a container is privileged"
    added = {name.removeprefix("CAP_") for name in texts(dig(own, "capabilities", "add"))}
    if over := sorted(added - ({"NET_BIND_SERVICE"} if restricted else _BASELINE)):
        yield (*place, "capabilities", "add"), f"a container has the capability {over[0]}"
    profile = dig(own, "seccompProfile", "type") or dig(pod, "seccompProfile", "type")
    if profile == "Unconfined" or (restricted and profile not in ("RuntimeDefault", "Localhost")):
        yield (*place, "seccompProfile"), f"the seccomp profile of a container is {show(profile)}"
    if own.get("procMount") == "Unmasked":
        yield (*place, "procMount"), "a container sees all of /proc"
    if "Unconfined" in [dig(each, "appArmorProfile", "type") for each in (own, pod)]:
        yield (*place, "appArmorProfile"), "no AppArmor profile confines a container"
    if not restricted:
        return
    if own.get("allowPrivilegeEscalation") in (None, True):  # of another type another rule speaks
        yield (*place, "allowPrivilegeEscalation"), "a container may get more rights than its parent has"
    if "ALL" not in texts(dig(own, "capabilities", "drop")):
        yield (*place, "capabilities", "drop"), "a container keeps capabilities"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) in (None, False):
        where = place if "runAsNonRoot" in own else above
        yield (*where, "runAsNonRoot"), "a container may run as root"


@rule_of_values
def a_pod_can_write_where_it_must(values: Values) -> Iterator[Finding]:
    """Where the root file system is read-only, each pod has a volume to write to, and its home is in it."""
    chart = values.chart
    mounts = {chart.mounts, chart.job_mounts}
    if not any(values.get(*place, "readOnlyRootFilesystem") is True for place in chart.container_security):
        return
    for place in sorted(mounts):
        volumes = sequence(values.get(*place[:-1], chart.volumes[-1]))
        names = {text(dig(volume, "name")) for volume in volumes if mapping(volume).keys() & _WRITABLE}
        entries = [entry for entry in map(mapping, sequence(values.get(*place))) if entry.get("readOnly") is not True]
        folders = [text(entry.get("mountPath")) for entry in entries if text(entry.get("name")) in names]
        kept = [*folders, *(chart.own_folders if place == chart.mounts else ())]
        if not folders:
            what = f"the root file system is read-only, and {_dotted(place)} brings no folder that can be written to"
            yield values.finding(place, what, edit("mount an emptyDir at /scratch"))
        for name in _WRITTEN if place == chart.mounts and folders else ():
            variable = values.pod.variables.get(name)
            if variable and not any(f"{variable.value}/".startswith(f"{folder}/") for folder in kept):
                what = f"{name} is {show(variable.value)}, which cannot be written to"
                yield values.finding(variable.place, what, edit(f"mount an emptyDir there, or name {folders[0]}"))


# ---------------------------------------------------------------------------------------------------------------------
# Load


@rule_of_values
def an_autoscaler_can_scale(values: Values) -> Iterator[Finding]:
    """One autoscaler, with bounds in their order, and the request of CPU that it measures against."""
    chart, pod = values.chart, values.pod
    place = chart.autoscaler
    if not pod.get(place, "enabled"):
        return
    fewest, most = pod.get(place, "minReplicas"), pod.get(place, "maxReplicas")
    if isinstance(fewest, int) and isinstance(most, int) and most < fewest:
        what = f"{_dotted(place)} has at most {most} replicas, but at least {fewest}"
        yield values.finding((*place, "maxReplicas"), what, edit("give as many or more"), VALUES)
    if pod.get(chart.scaled_by_others, "enabled"):
        what = f"{_dotted(place)} and {_dotted(chart.scaled_by_others)} are both on, and each sets the replicas"
        yield values.finding((*chart.scaled_by_others, "enabled"), what, edit("keep one of them"), VALUES)
    bounds = [values.repository.answers.get(name) for name in ("replicas", "max_replicas")]
    is_ours = bounds[0] != bounds[1]  # one of the owner's own may go by memory, too
    if is_ours and chart.memory_target and pod.get(chart.memory_target) is None:
        what = "the chart's own target of memory holds, too, and the memory of the proxy says nothing of its load"
        yield values.finding(chart.memory_target, what, edit("write 0, or a target of yours"), VALUES)
    if pod.get(chart.resources[0], "requests", "cpu") is None:
        what = "the autoscaler compares with the CPU that is requested, and none is"
        yield values.finding((*chart.resources[0], "requests", "cpu"), what, edit("request some"), VALUES)


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))
