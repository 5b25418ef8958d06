"""In production: no answer is cut off, migrations end, pods have no more rights than they need, metrics are read.

docs/production.md of the template has the rendered defaults with their reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from litellm_gitops.documents import Place, dig, dotted, mapping, sequence, text, texts
from litellm_gitops.findings import Finding, Misspelt, edit, restore, update
from litellm_gitops.languages.cel import QUANTITY, quantity
from litellm_gitops.objects import Identity, show
from litellm_gitops.repository import VALUES, Repository, Values
from litellm_gitops.rules import rule, rule_of_values
from litellm_gitops.rules.engine import expect, synced
from litellm_gitops.spelling import closest

# What a pod may add under `baseline`: https://kubernetes.io/docs/concepts/security/pod-security-standards/
_BASELINE = {
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
}
_VOLUMES = {  # that `restricted` admits
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"),
}
_LABELS = {"app.kubernetes.io/name": "litellm", "app.kubernetes.io/instance": "litellm"}  # of the pods
_LABEL = re.compile(r"[A-Za-z0-9._/-]+")
_SPREADS = re.compile(r"(?!(?:topology\.)?kubernetes\.io/)[a-z0-9./-]+")  # of the others the API server's rule tells
_TOPOLOGIES = ("kubernetes.io/hostname", "topology.kubernetes.io/region", "topology.kubernetes.io/zone")
_COMPONENT = "app.kubernetes.io/component"
# Seconds for which a pod that goes is sent calls, at least: by what is in the cluster, by a load balancer outside of it
_SENT = {"none": 5, "": 10}  # by the answer exposure
_DAY = 86400  # seconds of which nobody means more
_START = 30  # seconds that a start may take, at least
_MILLISECONDS = 1000  # of seconds nobody means so many
_SLIP = 16 * 2.0**20  # memory that is asked for in a wrong unit
_SMALLEST, _THOUSANDTHS = 512 * 2.0**20, 0.01  # the memory and the CPU with which no proxy starts
_IDLE = {"bin", "usr", "sh", "bash", "-c", "-ec", "true", "false", "exit", "echo", "sync", ":", "0", "1"}
_SYSCTLS = {  # that any pod may set
    *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports"),
    *("net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout"),
    *("net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time"),
    *("net.ipv4.tcp_rmem", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_wmem"),
}


@rule_of_values
def an_answer_ends_before_its_pod(values: Values) -> Iterator[Finding]:
    """A pod that ends has the pause of its preStop and then all of request_timeout, before it is killed."""
    chart, pod = values.chart, values.pod
    limit, grace = pod.config("litellm_settings", "request_timeout"), _grace(values)
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
    for at, seconds in (((*chart.config, "litellm_settings", "request_timeout"), limit), (chart.grace, grace)):
        if seconds > _DAY:
            yield values.finding(at, f"{dotted(at)} is {seconds}, which are seconds", edit("write seconds"), VALUES)
            return
    needed = limit + (pause or 0)
    if grace < needed:
        what = (
            f"{dotted(chart.grace)} is {grace}, but an answer may take {needed:g} s, preStop included, and is cut off"
        )
        yield values.finding(chart.grace, what, edit(f"give {needed + 15:g} or more"), VALUES)


def _grace(values: Values) -> Any:
    grace = values.pod.get(values.chart.grace)
    return values.chart.own_grace if grace is None or grace == "" else grace


def is_cut_off(values: Values) -> bool:
    """Whether an answer may take longer than its pod is given to end."""
    limit, grace = values.pod.config("litellm_settings", "request_timeout"), _grace(values)
    return isinstance(limit, int | float) and isinstance(grace, int) and 0 <= grace < limit


def _pause(handler: dict[Any, Any]) -> float | None:
    """The seconds that a preStop waits; None where it does not say how long."""
    if isinstance(seconds := dig(handler, "sleep", "seconds"), int):
        return seconds
    given = dig(handler, "exec", "command")  # which is a list, of which the schema tells
    command = given if isinstance(given, str) else " ".join(map(str, sequence(given)))
    if slept := re.findall(r"\bsleep (\d+(?:\.\d+)?)(m?)", command):
        return sum(float(count) * (60 if unit else 1) for count, unit in slept)
    return 0 if "exec" in handler and {*re.findall(r"[\w:-]+", command)} <= _IDLE else None


@rule_of_values
def an_update_replaces_one_pod_after_the_other(values: Values) -> Iterator[Finding]:
    """An update does not end all pods at once."""
    place = values.chart.strategy
    # beside rollingUpdate it is refused, of which another rule tells
    if values.get(*place, "type") == "Recreate" and not values.get(*place, "rollingUpdate"):
        what = f"{dotted(place)}.type is Recreate, which ends every pod before a new one starts"
        yield values.finding((*place, "type"), what, edit("write RollingUpdate"), VALUES)
    most = values.get(*place, "rollingUpdate", "maxUnavailable")
    if most and most in ("100%", values.pod.fewest_replicas):
        what = f"{dotted(place)}.rollingUpdate.maxUnavailable is {most}, so that an update may end every pod at once"
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
            what = f"{dotted(place)}.{name} is {given}, so that all pods may go at once while nodes are drained"
            yield values.finding((*place, name), what, edit("write minAvailable: 1 instead"), VALUES)


@rule_of_values
def the_pods_are_spread(values: Values) -> Iterator[Finding]:
    """A constraint counts pods by their labels; what names none of ours spreads nothing."""
    chart = values.chart
    place, labels = chart.spread, _LABELS | ({_COMPONENT: chart.component} if chart.component else {})
    for number in range(len(sequence(values.get(*place)))):
        above = (*place, number, "labelSelector", "matchLabels")
        given = {str(name) for name in mapping(values.get(*above))}
        for name in sorted(given - {*_LABELS, _COMPONENT} - {*map(str, mapping(values.get(*chart.pod_labels)))}):
            if name.partition("/")[0] != name.partition("/")[0].lower():
                continue  # which the API server refuses
            meant = closest(name, {*labels, _COMPONENT})
            if (meant and meant not in given) or "/" not in name:  # one with / another may bring
                what = f"no pod of the proxy has a label {name}, so that nothing is spread"
                fix = edit(f"write {meant or 'app.kubernetes.io/name: litellm'}")
                yield values.finding((*above, name), what, fix, VALUES)
        for label, wanted in labels.items():
            at = (*place, number, "labelSelector", "matchLabels", label)
            found = values.get(*at)
            if found not in (None, wanted) and _LABEL.fullmatch(str(found)):  # another the API server refuses
                what = f"no pod of the proxy has the label {label}: {show(found)}, so that nothing is spread"
                yield values.finding(at, what, edit(f"write {wanted}"), VALUES)
        key = text(values.get(*place, number, "topologyKey"))
        if (meant := closest(key, _TOPOLOGIES)) and _SPREADS.fullmatch(key):
            what = f"no node has the label {key}; did you mean {meant}?"
            yield values.finding((*place, number, "topologyKey"), what, edit(f"write {meant}"), VALUES)


@rule_of_values
def a_pod_has_time_to_start(values: Values) -> Iterator[Finding]:
    """The chart's own way is to ask at once whether it serves, or to give it no CPU; and it has what a start takes."""
    chart, probe = values.chart, values.chart.probes[2]
    yield from _starved(values)
    own = mapping(values.get(*probe))
    own_ones = {"periodSeconds": 10, "failureThreshold": chart.own_failures, "initialDelaySeconds": 0}
    counts = [own.get(name, least) for name, least in own_ones.items()]
    time = counts[0] * counts[1] + counts[2] if all(isinstance(each, int) and each >= 0 for each in counts) else _START
    if own and 0 < time < _START:
        what = f"{dotted(probe)} gives the start {time} s, and then ends it, again and again"
        yield values.finding((*probe, "failureThreshold"), what, edit("let it fail 30 times"), VALUES)
    for each in chart.probes:
        for name, seconds in mapping(values.get(*each)).items():
            if str(name).endswith("Seconds") and isinstance(seconds, int) and seconds >= _MILLISECONDS:
                what = f"{dotted(each)}.{name} is {seconds}, which are seconds"
                yield values.finding((*each, name), what, edit("write seconds, such as 10"), VALUES)
    if not chart.has_startup_probe and not values.get(*probe):
        what = "no probe waits for the start, so that a slow one is killed, again and again"
        yield values.finding(probe, what, restore(), VALUES)
    limits = mapping(values.get(*chart.resources[0], "limits"))
    misspelt = any(closest(str(name), ["cpu"]) or str(name) in "cpu" for name in limits)  # of which another rule tells
    if chart.limits_cpu and "cpu" not in limits and not misspelt:
        place: Place = (*chart.resources[0], "limits", "cpu")
        what = "the chart's own limit of CPU holds, which slows the start and every answer"
        yield values.finding(place, what, edit('write a limit of yours, such as cpu: "4"'), VALUES)


def _starved(values: Values) -> Iterator[Finding]:
    """What is too little for any proxy; of an amount in a wrong unit another rule tells."""
    place = values.chart.resources[0]
    limit, asked = values.get(*place, "limits", "memory"), values.get(*place, "requests", "cpu")
    least = values.get(*place, "requests", "memory") or "1000"
    if all(QUANTITY.fullmatch(str(each)) for each in (limit, least)) and quantity(least) <= quantity(limit) < _SMALLEST:
        what = f"{dotted(place)}.limits.memory is {limit}: the proxy alone takes more, and is killed, again and again"
        yield values.finding((*place, "limits", "memory"), what, edit("give 2Gi or more"), VALUES)
    given = values.get(*place, "requests", "memory")
    if QUANTITY.fullmatch(str(given)) and 1000 <= quantity(given) < _SLIP:  # less is refused
        what = f"{dotted(place)}.requests.memory is {given}, so that nodes take more pods than they have memory for"
        yield values.finding((*place, "requests", "memory"), what, edit("write one such as 4Gi"), VALUES)
    if QUANTITY.fullmatch(str(asked)) and 0 < quantity(asked) < _THOUSANDTHS:
        what = f"{dotted(place)}.requests.cpu is {asked}, where 1000m is a processor"
        yield values.finding((*place, "requests", "cpu"), what, edit("write one such as 250m or 1"), VALUES)


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
            told = account.finding(("metadata", "namespace"), what, f"write namespace: {repository.namespace}")
            yield replace(told, other=Misspelt(account.identity.namespace, repository.namespace))
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
            wanted = [Identity("ServiceAccount", f"{repository.namespace}/{name}")]
            # without the Namespace their file is gone, of which another rule tells
            yield from expect(
                each, wanted if each.find(Identity("Namespace", repository.namespace)) else [], "namespace.yaml"
            )
        elif not account and (meant := closest(name, {found.identity.name for found in each.all("ServiceAccount")})):
            what = f"there is no ServiceAccount {show(name)} for the migrations Job; did you mean {meant}?"
            yield values.finding(values.chart.job_account, what, edit(f"write {meant}"), VALUES)


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
            yield place, f"{dotted(place)} limits no right of the container"
            continue
        yield from _of_container(values, above, place, restricted)
        if restricted and values.get(*place, "readOnlyRootFilesystem") is not True:
            yield (*place, "readOnlyRootFilesystem"), f"the root file system of {dotted(place)} can be written to"
        image = text(values.get(*chart.image, "repository")).rpartition("/")[2]
        users = [values.get(*each, "runAsUser") for each in (above, place)]
        if restricted and image in chart.rooted and users == [None, None]:
            yield (*above, "runAsUser"), f"the user of image {image} is root, and no runAsUser names another"
        for number, sysctl in enumerate(sequence(values.get(*above, "sysctls"))):
            if (name := text(dig(sysctl, "name"))) and name not in _SYSCTLS:
                yield (*above, "sysctls", number), f"a pod sets {show(name)} of its node"
    for above in (chart.containers, chart.init_containers):
        for number, container in enumerate(map(mapping, sequence(values.get(*above)))):
            if restricted and container and not container.get("securityContext"):
                yield (*above, number), f"container {show(container.get('name'))} limits none of its rights"
            else:
                yield from _of_container(values, chart.pod_security[0], (*above, number, "securityContext"), restricted)
            for port in (port for port in sequence(container.get("ports")) if dig(port, "hostPort")):
                yield (*above, number, "ports"), f"a container takes port {show(dig(port, 'hostPort'))} of its node"
    for above in {chart.volumes, (*chart.job_mounts[:-1], chart.volumes[-1])}:
        for number, volume in enumerate(map(mapping, sequence(values.get(*above)))):
            source = volume.keys() - {"name"}  # without one Kubernetes makes an emptyDir
            if "hostPath" in volume or (restricted and source and not source & _VOLUMES):
                yield (*above, number), f"the volume {show(volume.get('name'))} is none of a pod's own"


def _of_container(values: Values, above: Place, place: Place, restricted: bool) -> Iterator[tuple[Place, str]]:
    pod, own = mapping(values.get(*above)), mapping(values.get(*place))
    if own.get("privileged") is True:
        yield (*place, "privileged"), "a container is privileged"
    added = {name.removeprefix("CAP_") for name in texts(dig(own, "capabilities", "add"))}
    if over := sorted(added - ({"NET_BIND_SERVICE"} if restricted else _BASELINE)):
        yield (*place, "capabilities", "add"), f"a container has the capability {over[0]}"
    profile = dig(own, "seccompProfile", "type") or dig(pod, "seccompProfile", "type")
    if profile == "Unconfined" or (restricted and not profile):
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


# ---------------------------------------------------------------------------------------------------------------------
# Load


@rule_of_values
def an_autoscaler_can_scale(values: Values) -> Iterator[Finding]:
    """One autoscaler, with bounds in their order, and the request of CPU that it measures against."""
    chart, pod = values.chart, values.pod
    place = chart.autoscaler
    if pod.get(chart.scaled_by_others, "enabled") is True and not pod.get(place, "enabled"):
        yield from _scaled_by_others(values)
    if not pod.get(place, "enabled"):
        return
    fewest, most = pod.get(place, "minReplicas"), pod.get(place, "maxReplicas")
    if isinstance(fewest, int) and isinstance(most, int) and most < fewest:
        what = f"{dotted(place)} has at most {most} replicas, but at least {fewest}"
        yield values.finding((*place, "maxReplicas"), what, edit("give as many or more"), VALUES)
    if pod.get(chart.scaled_by_others, "enabled"):
        what = f"{dotted(place)} and {dotted(chart.scaled_by_others)} are both on, and each sets the replicas"
        yield values.finding((*chart.scaled_by_others, "enabled"), what, edit("keep one of them"), VALUES)
    bounds = [values.repository.answers.get(name) for name in ("replicas", "max_replicas")]
    is_ours = bounds[0] != bounds[1]  # one of the owner's own may go by memory, too
    if is_ours and chart.memory_target and pod.get(chart.memory_target) is None:
        what = "the chart's own target of memory holds, too, and the memory of the proxy says nothing of its load"
        yield values.finding(chart.memory_target, what, edit("write 0, or a target of yours"), VALUES)
    if pod.get(chart.resources[0], "requests", "cpu") is None:
        what = "the autoscaler compares with the CPU that is requested, and none is"
        yield values.finding((*chart.resources[0], "requests", "cpu"), what, edit("request some"), VALUES)


def _scaled_by_others(values: Values) -> Iterator[Finding]:
    """What KEDA, or the chart for it, refuses."""
    place = values.chart.scaled_by_others
    names, given = values.chart.bounds_of_others, mapping(values.get(*place))
    fewest, most = (given.get(name) for name in names)
    if isinstance(fewest, int) and isinstance(most, int) and most < fewest:
        what = f"{dotted(place)} has at most {most} replicas, but at least {fewest}"
        yield values.finding((*place, names[1]), what, edit("give as many or more"), VALUES)
    asked = {name: value for name, value in mapping(given.get("prometheus")).items() if value}
    if asked and "serverAddress" not in asked:
        what = f"{dotted(place)}.prometheus has no serverAddress, and the chart is refused"
        yield values.finding((*place, "prometheus"), what, edit("write the address of Prometheus"), VALUES)
    kinds = [dig(each, "type") for each in sequence(given.get("triggers"))]
    if not kinds and not asked:
        what = f"{dotted(place)} has nothing to scale by: no triggers, and no prometheus"
        yield values.finding((*place, "triggers"), what, edit("write one of https://keda.sh/docs/scalers"), VALUES)
    elif fewest == 0 and not asked and {*kinds} <= {"cpu", "memory"}:
        what = f"{dotted(place)}.{names[0]} is 0, and pods that are not there have no {kinds[0]} to scale by"
        yield values.finding((*place, names[0]), what, edit("write 1 or more"), VALUES)
