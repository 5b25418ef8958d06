"""The one place that knows where LiteLLM's chart takes what, and what it must be given so that it makes nothing itself.

A place is a path below the chart's own name in the values. Every rule speaks of the pod, or of a place by its name
here. The templates have the same knowledge in one macro file: includes/chart-litellm-helm.jinja. Another chart is
another `Chart`, with each place that differs; what it does not have is an empty one, at which there is never a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, sequence, text, texts, walk

_SPEC = ("spec", "template", "spec")
_PROXY, _MIGRATIONS = (*_SPEC, "containers", 0), (*_SPEC, "containers", 1)
_OF_THE_POD = (
    *("affinity", "imagePullSecrets", "nodeSelector", "terminationGracePeriodSeconds", "tolerations"),
    *("topologySpreadConstraints", "volumes"),
)


def _table(content: dict[Place, Any]) -> Any:
    return field(default_factory=lambda: content)


@dataclass(frozen=True)
class Chart:
    """Where a chart takes what, by the name of what it is for; as it stands here, `litellm-helm`.

    Source: https://github.com/BerriAI/litellm/tree/main/helm/litellm-helm
    """

    name: str = "litellm-helm"
    image: Place = ("image",)  # with `repository` and `tag`
    replicas: Place = ("replicaCount",)
    autoscaling: tuple[Place, ...] = (("autoscaling",), ("keda",))  # each with `enabled` and `minReplicas`
    disruption_budget: Place = ("pdb",)  # with `enabled` and `minAvailable`
    variables: Place = ("envVars",)  # a mapping of names to values
    variable_list: Place = ("extraEnvVars",)  # a list of {name, value | valueFrom}
    env_from: Place = ("environmentSecrets",)  # names of Secrets of which every key is a variable
    env_from_config_maps: Place = ("environmentConfigMaps",)
    pull_secrets: Place = ("imagePullSecrets",)
    volumes: Place = ("volumes",)
    mounts: Place = ("volumeMounts",)
    resources: tuple[Place, ...] = (("resources",), ("migrationJob", "resources"))  # of the proxy, of the migrations
    service_account: Place = ("serviceAccount",)  # with `create`, `name` and `annotations`
    pod_annotations: Place = ("podAnnotations",)
    pod_labels: Place = ("podLabels",)
    config: Place = ("proxy_config",)  # the proxy's own configuration
    config_map: Place = ("proxyConfigMap", "create")  # whether the chart makes a ConfigMap of it
    log_level: Place = ("logLevel",)
    names: tuple[Place, ...] = (("fullnameOverride",), ("nameOverride",))  # of everything that the chart makes
    database_name: Place = ("db", "database")
    ingress: Place = ("ingress",)  # with `enabled`
    ingress_class: Place = ("ingress", "className")
    ingress_annotations: Place = ("ingress", "annotations")
    ingress_hosts: Place = ("ingress", "hosts")  # a list of {host}
    ingress_tls: Place = ("ingress", "tls")  # a list of {hosts, secretName}
    init_containers: Place = ("extraInitContainers",)
    containers: Place = ("extraContainers",)
    objects: Place = ("extraResources",)  # whole manifests
    redis: Place = ("redis",)  # with `enabled`
    redis_secret: Place = ("redis", "auth", "existingSecret")
    redis_secret_key: Place = ("redis", "auth", "existingSecretPasswordKey")
    redis_storage_class: Place = ("redis", "master", "persistence", "storageClass")
    redis_pod_annotations: Place = ("redis", "master", "podAnnotations")
    # A value that is missing makes the chart render a Secret of the same name, which the engine and the sealed one then
    # fight over; the master key would change at every rendering.
    secrets: Mapping[Place, Any] = _table(
        {
            ("masterkeySecretName",): "litellm-masterkey",
            ("masterkeySecretKey",): "masterkey",
            ("db", "useExisting"): True,
            ("db", "deployStandalone"): False,
            ("db", "secret", "name"): "litellm-postgresql",
            ("db", "secret", "endpointKey"): "host",
            ("db", "secret", "usernameKey"): "username",
            ("db", "secret", "passwordKey"): "password",
        }
    )
    bundled_redis: Mapping[Place, Any] = _table(
        {
            ("redis", "enabled"): True,
            ("redis", "auth", "existingSecret"): "litellm-redis",
            ("redis", "auth", "existingSecretPasswordKey"): "redis-password",
        }
    )
    # Argo CD runs Helm hooks too; the chart's own Argo CD hook waits for a service account that only comes after it.
    migrations: Mapping[Place, Any] = _table(
        {
            ("migrationJob", "enabled"): True,
            ("migrationJob", "hooks", "helm", "enabled"): True,
            ("migrationJob", "hooks", "argocd", "enabled"): False,
        }
    )
    deployment: Mapping[Place, Place] = _table(  # what is put into a Deployment as it is -> where
        {
            ("strategy",): ("spec", "strategy"),
            ("podSecurityContext",): (*_SPEC, "securityContext"),
            **{(name,): (*_SPEC, name) for name in _OF_THE_POD},
            ("extraEnvVars",): (*_PROXY, "env"),
            **{(name,): (*_PROXY, name) for name in ("lifecycle", "resources", "securityContext", "volumeMounts")},
            ("migrationJob", "resources"): (*_MIGRATIONS, "resources"),
        }
    )
    sets: frozenset[str] = frozenset(  # variables that the chart itself sets
        {
            *("PROXY_MASTER_KEY", "DATABASE_URL", "DATABASE_HOST", "DATABASE_NAME", "DATABASE_USERNAME"),
            *("DATABASE_PASSWORD", "DISABLE_SCHEMA_UPDATE", "HOST", "PORT"),
        }
    )
    # `Kind/name` of what it always renders, and how `Kind/name/container` of those that run LiteLLM's own image begin
    makes: tuple[str, ...] = (
        *("Deployment/litellm", "Service/litellm", "ConfigMap/litellm-config", "Job/litellm-migrations"),
    )
    runs: tuple[str, ...] = ("Deployment/litellm/litellm", "Job/litellm-migrations/")

    @property
    def model_list(self) -> Place:
        """The models that the proxy serves."""
        return (*self.config, "model_list")

    @property
    def master_key(self) -> Place:
        """The setting that asks every request for a key."""
        return (*self.config, "general_settings", "master_key")

    def guards(self, redis: Any) -> dict[Place, Any]:
        """What the values must say, so that the chart makes no Secret of its own; `redis` is that answer."""
        return {**self.secrets, **(self.bundled_redis if redis == "bundled" else {})}


LITELLM_HELM = Chart()


def chosen(answers: Mapping[str, Any]) -> Chart:
    """The chart of a repository. Today there is one."""
    return LITELLM_HELM


@dataclass(frozen=True)
class Variable:
    """An environment variable that the values set by name: where, and to what (None for a reference)."""

    place: Place
    name: str
    value: Any


@dataclass(frozen=True)
class Mount:
    """A volume in the proxy's container."""

    place: Place
    volume: str
    path: Any
    sub_path: Any
    read_only: bool


@dataclass(frozen=True)
class Token:
    """A token of the ServiceAccount that the kubelet renews: for whom, how long it is good, in which file."""

    audience: Any
    seconds: Any
    file: Any


@dataclass(frozen=True)
class Volume:
    """A volume of the pod, with the Secrets in it that must exist: (name, the keys that are taken or none for all)."""

    place: Place
    name: str
    secrets: tuple[tuple[str, tuple[str, ...]], ...]
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True)
class Reference:
    """A Secret that the values name, and the key of it that is read, or None for all."""

    place: Place
    name: str
    key: str | None = None


@dataclass(frozen=True)
class Parameters:
    """The parameters of a model, of a credential that models name (by its name), or of all models."""

    place: Place
    given: dict[Any, Any]
    name: str = ""

    @property
    def model(self) -> str:
        """LiteLLM's name of the model, such as `azure/gpt`; empty where it has none."""
        return text(self.given.get("model"))


@dataclass(frozen=True)
class Pod:
    """What values put into the proxy's pod, wherever the chart takes it."""

    chart: Chart
    values: Mapping[Any, Any] = field(repr=False)

    def get(self, place: Place, *more: str | int) -> Any:
        """The value at `place`; None where there is none."""
        return dig(self.values, *place, *more) if place else None

    def _items(self, place: Place) -> Iterator[tuple[Place, dict[Any, Any]]]:
        for number, item in enumerate(sequence(self.get(place))):
            yield (*place, number), mapping(item)

    @cached_property
    def variable_entries(self) -> list[Variable]:
        """The environment variables that are set by name, in their order; one that is set twice comes twice."""
        chart = self.chart
        return [
            *(
                Variable((*chart.variables, str(name)), str(name), value)
                for name, value in mapping(self.get(chart.variables)).items()
            ),
            *(
                Variable(place, text(entry.get("name")), entry.get("value"))
                for place, entry in self._items(chart.variable_list)
            ),
        ]

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """The environment variables that are set by name; the last one wins."""
        return {variable.name: variable for variable in self.variable_entries}

    @property
    def env_from(self) -> list[str]:
        """The Secrets of which every key becomes an environment variable."""
        return texts(self.get(self.chart.env_from))

    @cached_property
    def volumes(self) -> list[Volume]:
        """The volumes of the pod."""
        found = []
        for place, volume in self._items(self.chart.volumes):
            sources = sequence(dig(volume, "projected", "sources"))
            projected = [dig(source, "secret") for source in sources]
            tokens = [mapping(dig(source, "serviceAccountToken")) for source in sources]
            secrets = [
                (
                    str(source.get("secretName", source.get("name"))),
                    tuple(str(dig(item, "key")) for item in sequence(source.get("items"))),
                )
                for source in map(mapping, [volume.get("secret"), *projected])
                if source and not source.get("optional")
            ]
            minted = [
                Token(each.get("audience"), each.get("expirationSeconds"), each.get("path")) for each in tokens if each
            ]
            found.append(Volume(place, text(volume.get("name")), tuple(secrets), tuple(minted)))
        return found

    @cached_property
    def mounts(self) -> list[Mount]:
        """What the proxy's container has mounted."""
        return [
            Mount(
                place,
                text(entry.get("name")),
                entry.get("mountPath"),
                entry.get("subPath"),
                entry.get("readOnly") is True,
            )
            for place, entry in self._items(self.chart.mounts)
        ]

    def secret_references(self) -> Iterator[Reference]:
        """All Secrets and keys that the pod reads, but those of the chart's own settings (`Chart.guards`)."""
        chart = self.chart
        for number, name in enumerate(sequence(self.get(chart.env_from))):
            yield Reference((*chart.env_from, number), str(name))
        for place, entry in self._items(chart.pull_secrets):
            yield Reference(place, str(entry.get("name")))
        for place, entry in self._items(chart.variable_list):
            source = mapping(dig(entry, "valueFrom", "secretKeyRef"))
            if source and not source.get("optional"):
                place = (*place, "valueFrom", "secretKeyRef")
                yield Reference(place, str(source.get("name")), str(source.get("key")))
        for volume in self.volumes:
            for name, keys in volume.secrets:
                yield from (Reference(volume.place, name, key) for key in keys or (None,))
                for mount in self.mounts if not keys else ():
                    if mount.sub_path and mount.volume == volume.name:
                        yield Reference(mount.place, name, str(mount.sub_path))
        if self.has_redis and self.get(chart.redis_secret):
            yield Reference(
                chart.redis_secret, str(self.get(chart.redis_secret)), str(self.get(chart.redis_secret_key))
            )

    def config(self, *place: str | int) -> Any:
        """What stands at `place` in the proxy's configuration."""
        return self.get(self.chart.config, *place)

    def variables_read(self) -> Iterator[tuple[Place, str]]:
        """The variables that the configuration names as `os.environ/NAME`, with their places."""
        for place, value in walk(self.config(), self.chart.config):
            name = value.removeprefix("os.environ/")
            if name != value:
                yield place, name

    @cached_property
    def models(self) -> list[Parameters]:
        """The parameters of each model that the configuration lists."""
        return [
            Parameters((*place, "litellm_params"), mapping(entry.get("litellm_params")))
            for place, entry in self._items(self.chart.model_list)
        ]

    @cached_property
    def credentials(self) -> list[Parameters]:
        """The parameters that models name as a credential."""
        return [
            Parameters(
                (*place, "credential_values"),
                mapping(entry.get("credential_values")),
                text(entry.get("credential_name")),
            )
            for place, entry in self._items((*self.chart.config, "credential_list"))
        ]

    @cached_property
    def defaults(self) -> list[Parameters]:
        """What is set for all models: by the settings of LiteLLM, and by those of its router."""
        places = (("litellm_settings",), ("router_settings", "default_litellm_params"))
        return [Parameters((*self.chart.config, *place), mapping(self.config(*place))) for place in places]

    @property
    def fewest_replicas(self) -> Any:
        """The number of pods below which nothing scales by itself."""
        scaled = [place for place in self.chart.autoscaling if self.get(place, "enabled")]
        return (self.get(scaled[-1], "minReplicas") or 1) if scaled else self.get(self.chart.replicas)

    @property
    def has_redis(self) -> bool:
        """Whether the chart brings a Redis."""
        return self.get(self.chart.redis, "enabled") is True
