"""What a chart makes of the values: its pods as manifests, as far as values decide on them, and where each part stands.

The chart adds more. What it would merge into a value is there, too: a probe has the handler that it has without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, sequence
from litellm_gitops.pod import Pod

_TEMPLATE: Place = ("spec", "template", "spec")
_ROUTES = ("/health/liveliness", "/health/readiness", "")  # of the probes, where values name none
Pairs = list[tuple[Place, Place]]


@dataclass(frozen=True, eq=False)
class Made:
    """A manifest, and pairs of places: in it, and in the values; what is below the one stands below the other."""

    manifest: dict[str, Any]
    places: Pairs

    def place(self, place: Place) -> Place | None:
        """Where in the values a part of the manifest stands; None where the chart adds it."""
        for there, here in self.places:
            if place[: len(there)] == there:
                return (*here, *place[len(there) :])
        return None


def made(pod: Pod) -> tuple[Made, ...]:
    """The pods of the proxy and of the migrations."""
    return _proxy(pod), _migrations(pod)


def _proxy(pod: Pod) -> Made:
    chart, labels = pod.chart, {"app.kubernetes.io/name": "litellm"}
    found = _manifest("apps/v1", "Deployment", chart.container, [{"name": "http", "containerPort": 4000}])
    found.manifest["spec"] |= {"selector": {"matchLabels": labels}}
    found.manifest["spec"]["template"]["metadata"] = {"labels": labels}
    _put(found, pod, chart.deployment)
    _put_probes(found, pod)
    _put_containers(found, pod, (chart.containers, chart.init_containers))
    own = {*chart.own_volumes} - {volume.name for volume in pod.volumes}
    # where there is no volume at all, one rule says so
    _put_own_volumes(found, own if pod.volumes else own | {mount.volume for mount in pod.mounts})
    return found


def _migrations(pod: Pod) -> Made:
    chart = pod.chart
    found = _manifest("batch/v1", "Job", "prisma-migrations", [])
    found.manifest["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    _put(found, pod, chart.job)
    above = chart.job_deadline[:-1]
    _put_containers(found, pod, ((*above, "extraContainers"), (*above, "extraInitContainers")))
    if chart.job_mounts == chart.mounts:  # the volumes of the proxy, of which its Deployment tells
        _put_own_volumes(found, {volume.name for volume in pod.volumes})
    return found


def _manifest(api_version: str, kind: str, container: str, ports: list[dict[str, Any]]) -> Made:
    containers = [{"name": container, "image": "litellm", **({"ports": ports} if ports else {})}]
    spec = {"template": {"spec": {"containers": containers}}}
    return Made({"apiVersion": api_version, "kind": kind, "metadata": {}, "spec": spec}, [])


def _put(made: Made, pod: Pod, table: Any) -> None:
    for here, there in table.items():
        if found := pod.get(here):
            dig(made.manifest, *there[:-1])[there[-1]] = found
            made.places.append((there, here))


def _put_probes(made: Made, pod: Pod) -> None:
    container = dig(made.manifest, *_TEMPLATE, "containers", 0)
    for place, route in zip(pod.chart.probes, _ROUTES, strict=True):
        given, name = mapping(pod.get(place)), str(place[-1])
        if not given:
            continue
        there: Place = (*_TEMPLATE, "containers", 0, name)
        if pod.chart.asks_by_path:
            asked = {"httpGet": {"path": given.get("path", route or "/health/readiness"), "port": "http"}}
            made.places.append(((*there, "httpGet", "path"), (*place, "path")))
            container[name] = asked | {key: value for key, value in given.items() if key != "path"}
        else:
            asked = {"httpGet": {"path": route, "port": "http", **mapping(given.get("httpGet"))}} if route else {}
            container[name] = given | asked
        made.places.append((there, place))


def _put_containers(made: Made, pod: Pod, lists: tuple[Place, Place]) -> None:
    spec = dig(made.manifest, *_TEMPLATE)
    for here, name in zip(lists, ("containers", "initContainers"), strict=True):
        items, before = sequence(pod.get(here)), len(spec.get(name, ()))
        if items:
            spec[name] = [*spec.get(name, ()), *items]
        made.places.extend(((*_TEMPLATE, name, before + at), (*here, at)) for at in range(len(items)))


def _put_own_volumes(made: Made, names: set[str]) -> None:
    spec = dig(made.manifest, *_TEMPLATE)
    spec["volumes"] = [*sequence(spec.get("volumes")), *({"name": name} for name in sorted(names))]
