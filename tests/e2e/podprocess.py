"""From a pod, as the API server holds it, to the process that a kubelet would start from it.

Environment, files and command are resolved against the Secrets and ConfigMaps in the cluster by the
kubelet's rules (pkg/kubelet/kubelet_pods.go and the volume plugins of Kubernetes). What a kubelet
refuses raises `PodError` with the kubelet's words.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

from tests.e2e.api import Object

_REFERENCE = re.compile(r"\$(\$|\(([^()]*)\))")


class Reader(Protocol):
    """Where objects are read from, by their path: the API server, or anything that answers as it does."""

    def find(self, path: str) -> Object | None:
        """The object at `path`, or None."""

    def items(self, path: str) -> list[Object]:
        """The objects of the list at `path`."""


class PodError(Exception):
    """The kubelet could not start the container; the message is what it would report."""


@dataclass(frozen=True)
class File:
    """A mounted file. The mode is the one on its volume; `read_only` comes from the mount."""

    content: bytes
    mode: int
    read_only: bool


@dataclass(frozen=True)
class ContainerProcess:
    """What a container's first process is given.

    `command` and `args` are empty where the image's own hold. `directories` are mounts that can be
    written to, such as an emptyDir.
    """

    name: str
    image: str
    command: list[str]
    args: list[str]
    env: dict[str, str] = field(repr=False)
    files: dict[PurePosixPath, File] = field(repr=False)
    directories: frozenset[PurePosixPath]

    def text(self, path: str) -> str:
        """The content of a mounted file."""
        return self.files[PurePosixPath(path)].content.decode()


def process_of(api: Reader, pod: Object, container: str | None = None) -> ContainerProcess:
    """The process of `container` (by default the first) of `pod`; raises `PodError`."""
    api = _Once(api)
    containers = pod["spec"]["containers"]
    spec = next(c for c in containers if container in (None, c["name"]))
    env = _environment(api, pod, spec)
    files, directories = _files(api, pod, spec, env)
    return ContainerProcess(
        name=spec["name"],
        image=spec["image"],
        command=[expand(part, env) for part in spec.get("command", ())],
        args=[expand(part, env) for part in spec.get("args", ())],
        env=env,
        files=files,
        directories=directories,
    )


def expand(text: str, env: Mapping[str, str]) -> str:
    """`text` with `$(NAME)` replaced; an unknown name stays as it is, `$$` becomes `$`."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] == "$" else env.get(match[2], match[0])

    return _REFERENCE.sub(value, text)


class _Once:
    """Reads each object once: a pod of Argo CD takes sixty variables of one ConfigMap."""

    def __init__(self, api: Reader) -> None:
        self.find = functools.cache(api.find)
        self.items = functools.cache(api.items)


class _Source:
    """The data of a Secret or ConfigMap in the pod's namespace."""

    def __init__(self, api: Reader, namespace: str, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        self.namespace = namespace
        plural = {"Secret": "secrets", "ConfigMap": "configmaps"}[kind]
        found = api.find(f"/api/v1/namespaces/{namespace}/{plural}/{name}")
        self.exists = found is not None
        found = found or {}
        encoded = found.get("data" if kind == "Secret" else "binaryData") or {}
        self.data = {key: base64.b64decode(value) for key, value in encoded.items()}
        if kind == "ConfigMap":
            texts = found.get("data") or {}
            self.data |= {key: value.encode() for key, value in texts.items()}

    def require(self) -> None:
        if not self.exists:
            raise PodError(f'{self.kind.lower()} "{self.name}" not found')


def _environment(api: Reader, pod: Object, spec: Object) -> dict[str, str]:
    """Services first, then envFrom, then env, each in its order: a later one wins."""
    namespace = pod["metadata"]["namespace"]
    env: dict[str, str] = {}
    if pod["spec"].get("enableServiceLinks", True):
        for service in api.items(f"/api/v1/namespaces/{namespace}/services"):
            env |= _service_links(service)
    for source in spec.get("envFrom") or ():
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if key in source:
                reference = source[key]
                found = _Source(api, namespace, kind, reference["name"])
                if not reference.get("optional"):
                    found.require()
                prefix = source.get("prefix", "")
                env |= {prefix + name: value.decode() for name, value in found.data.items()}
    for entry in spec.get("env") or ():
        if "valueFrom" in entry:
            value = _value_from(api, pod, spec, entry["valueFrom"])
            if value is None:
                continue
        else:
            value = expand(entry.get("value", ""), env)
        env[entry["name"]] = value
    return env


def _service_links(service: Object) -> dict[str, str]:
    """The variables that a Service gives to every pod of its namespace (as Docker links did)."""
    host = service["spec"].get("clusterIP", "None")
    if host == "None":
        return {}
    name = service["metadata"]["name"].upper().replace("-", "_")
    ports = service["spec"]["ports"]
    links = {
        f"{name}_SERVICE_HOST": host,
        f"{name}_SERVICE_PORT": str(ports[0]["port"]),
        f"{name}_PORT": f"{ports[0].get('protocol', 'TCP').lower()}://{host}:{ports[0]['port']}",
    }
    for port in ports:
        protocol = port.get("protocol", "TCP")
        if port.get("name"):
            named = port["name"].upper().replace("-", "_")
            links[f"{name}_SERVICE_PORT_{named}"] = str(port["port"])
        prefix = f"{name}_PORT_{port['port']}_{protocol}"
        links[prefix] = f"{protocol.lower()}://{host}:{port['port']}"
        links[f"{prefix}_PROTO"] = protocol.lower()
        links[f"{prefix}_PORT"] = str(port["port"])
        links[f"{prefix}_ADDR"] = host
    return links


def _value_from(api: Reader, pod: Object, spec: Object, source: Object) -> str | None:
    namespace = pod["metadata"]["namespace"]
    for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if key in source:
            reference = source[key]
            found = _Source(api, namespace, kind, reference["name"])
            if reference["key"] in found.data:
                return found.data[reference["key"]].decode()
            if reference.get("optional"):
                return None
            found.require()
            raise PodError(f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}")
    if "fieldRef" in source:
        return _field(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        resource = source["resourceFieldRef"]["resource"]  # such as limits.memory
        kind, _, name = resource.partition(".")
        return str(spec.get("resources", {}).get(kind, {}).get(name, ""))
    raise PodError(f"unknown source of a variable: {sorted(source)}")


def _field(pod: Object, path: str) -> str:
    """A field of the pod, such as `metadata.labels['app']` or `status.podIP`."""
    subscripted = re.fullmatch(r"(metadata\.(?:labels|annotations))\['(.+)'\]", path)
    steps = [*subscripted[1].split("."), subscripted[2]] if subscripted else path.split(".")
    value: object = pod
    for step in steps:
        value = value.get(step, "") if isinstance(value, dict) else ""
    return str(value)


@dataclass(frozen=True)
class _Volume:
    """The files of a volume by their path in it, and whether it can be written to."""

    files: dict[str, tuple[bytes, int]]
    writable: bool = False


def _files(
    api: Reader, pod: Object, spec: Object, env: Mapping[str, str]
) -> tuple[dict[PurePosixPath, File], frozenset[PurePosixPath]]:
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    files: dict[PurePosixPath, File] = {}
    directories: set[PurePosixPath] = set()
    # an outer mount first, so that an inner one hides what it covers
    for mount in sorted(spec.get("volumeMounts") or (), key=lambda mount: mount["mountPath"]):
        volume = _volume(api, pod, volumes[mount["name"]])
        at = PurePosixPath(mount["mountPath"])
        read_only = mount.get("readOnly", False) or not volume.writable
        sub = expand(mount["subPathExpr"], env) if "subPathExpr" in mount else mount.get("subPath")
        for hidden in [path for path in files if path == at or at in path.parents]:
            del files[hidden]
        if sub is None:
            mounted = {at / name: content for name, content in volume.files.items()}
        elif sub in volume.files:
            mounted = {at: volume.files[sub]}
        else:  # the kubelet makes a folder where the subPath names nothing
            mounted = {
                at / PurePosixPath(name).relative_to(sub): content
                for name, content in volume.files.items()
                if PurePosixPath(sub) in PurePosixPath(name).parents
            }
        files |= {path: File(data, mode, read_only) for path, (data, mode) in mounted.items()}
        if volume.writable and not read_only:
            directories.add(at)
    return files, frozenset(directories)


def _volume(api: Reader, pod: Object, volume: Object) -> _Volume:
    namespace = pod["metadata"]["namespace"]
    for kind, key, name_key in (
        ("Secret", "secret", "secretName"),
        ("ConfigMap", "configMap", "name"),
    ):
        if key in volume:
            source = volume[key]
            found = _Source(api, namespace, kind, source[name_key])
            return _Volume(_keys(found, source, source.get("defaultMode", 0o644)))
    if "projected" in volume:
        mode = volume["projected"].get("defaultMode", 0o644)
        files: dict[str, tuple[bytes, int]] = {}
        for source in volume["projected"].get("sources") or ():
            files |= _projected(api, pod, source, mode)
        return _Volume(files)
    if "emptyDir" in volume:
        return _Volume({}, writable=True)
    raise PodError(f"volume {volume['name']} has a source that is not known here")


def _projected(api: Reader, pod: Object, source: Object, mode: int) -> dict[str, tuple[bytes, int]]:
    namespace = pod["metadata"]["namespace"]
    for kind, key in (("Secret", "secret"), ("ConfigMap", "configMap")):
        if key in source:
            found = _Source(api, namespace, kind, source[key]["name"])
            return _keys(found, source[key], mode)
    if "serviceAccountToken" in source:
        return {source["serviceAccountToken"]["path"]: (b"<token of the service account>", mode)}
    if "downwardAPI" in source:
        items = source["downwardAPI"].get("items") or ()
        return {
            item["path"]: (_field(pod, item["fieldRef"]["fieldPath"]).encode(), mode)
            for item in items
            if "fieldRef" in item
        }
    raise PodError(f"a projected source is not known here: {sorted(source)}")


def _keys(found: _Source, source: Object, mode: int) -> dict[str, tuple[bytes, int]]:
    """The files that a Secret or ConfigMap gives: all its keys, or those of `items`."""
    optional = source.get("optional", False)
    if not optional and not found.exists:
        raise PodError(f'MountVolume.SetUp failed: {found.kind.lower()} "{found.name}" not found')
    if not source.get("items"):
        return {key: (value, mode) for key, value in found.data.items()}
    files = {}
    for item in source["items"]:
        if item["key"] in found.data:
            files[item["path"]] = (found.data[item["key"]], item.get("mode", mode))
        elif not optional:
            raise PodError(f"MountVolume.SetUp failed: references non-existent {found.kind.lower()} key: {item['key']}")
    return files
