"""The one place that knows where LiteLLM's chart takes what, and what it must be given so that it makes nothing itself.

A place is a path below the chart's own name in the values. Every rule speaks of the pod, or of a place by its name
here. The templates have the same knowledge in one macro file: includes/chart-litellm-helm.jinja.
Source: https://github.com/BerriAI/litellm/tree/main/helm/litellm-helm
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, sequence, text


@dataclass(frozen=True)
class Chart:
    """Where a chart takes what, by the name of what it is for."""

    name: str
    image: Place
    replicas: Place
    variables: Place  # a mapping of names to values
    variable_list: Place  # a list of {name, value | valueFrom}
    env_from: Place  # names of Secrets of which every key is a variable
    env_from_config_maps: Place
    pull_secrets: Place
    volumes: Place
    mounts: Place
    service_account: Place
    pod_annotations: Place
    pod_labels: Place
    config: Place  # the proxy's own configuration
    config_map: Place
    log_level: Place
    names: tuple[Place, ...]  # what would rename everything that the chart makes
    database_name: Place
    ingress: Place
    disruption_budget: Place
    autoscaling: Place
    keda: Place
    redis_enabled: Place
    redis_secret: tuple[Place, Place]  # its name, its key
    redis_storage_class: Place
    redis_pod_annotations: Place
    secrets: Mapping[Place, Any]  # what keeps the chart from making Secrets of its own
    bundled_redis: Mapping[Place, Any]
    migrations: Mapping[Place, Any]
    sets: frozenset[str]  # variables that the chart itself sets


LITELLM_HELM = Chart(
    name="litellm-helm",
    image=("image",),
    replicas=("replicaCount",),
    variables=("envVars",),
    variable_list=("extraEnvVars",),
    env_from=("environmentSecrets",),
    env_from_config_maps=("environmentConfigMaps",),
    pull_secrets=("imagePullSecrets",),
    volumes=("volumes",),
    mounts=("volumeMounts",),
    service_account=("serviceAccount",),
    pod_annotations=("podAnnotations",),
    pod_labels=("podLabels",),
    config=("proxy_config",),
    config_map=("proxyConfigMap",),
    log_level=("logLevel",),
    names=(("fullnameOverride",), ("nameOverride",)),
    database_name=("db", "database"),
    ingress=("ingress",),
    disruption_budget=("pdb",),
    autoscaling=("autoscaling",),
    keda=("keda",),
    redis_enabled=("redis", "enabled"),
    redis_secret=(("redis", "auth", "existingSecret"), ("redis", "auth", "existingSecretPasswordKey")),
    redis_storage_class=("redis", "master", "persistence", "storageClass"),
    redis_pod_annotations=("redis", "master", "podAnnotations"),
    # A value that is missing makes the chart render a Secret of the same name, which the engine and the sealed one then
    # fight over; the master key would change at every rendering.
    secrets={
        ("masterkeySecretName",): "litellm-masterkey",
        ("masterkeySecretKey",): "masterkey",
        ("db", "useExisting"): True,
        ("db", "deployStandalone"): False,
        ("db", "secret", "name"): "litellm-postgresql",
        ("db", "secret", "endpointKey"): "host",
        ("db", "secret", "usernameKey"): "username",
        ("db", "secret", "passwordKey"): "password",
    },
    bundled_redis={
        ("redis", "enabled"): True,
        ("redis", "auth", "existingSecret"): "litellm-redis",
        ("redis", "auth", "existingSecretPasswordKey"): "redis-password",
    },
    # Argo CD runs Helm hooks too; the chart's own Argo CD hook waits for a service account that only comes after it.
    migrations={
        ("migrationJob", "enabled"): True,
        ("migrationJob", "hooks", "helm", "enabled"): True,
        ("migrationJob", "hooks", "argocd", "enabled"): False,
    },
    # https://github.com/BerriAI/litellm/blob/main/helm/litellm-helm/templates/deployment.yaml
    sets=frozenset(
        {
            *("PROXY_MASTER_KEY", "DATABASE_URL", "DATABASE_HOST", "DATABASE_NAME", "DATABASE_USERNAME"),
            *("DATABASE_PASSWORD", "DISABLE_SCHEMA_UPDATE", "HOST", "PORT"),
        }
    ),
)


def chosen(answers: Mapping[str, Any]) -> Chart:
    """The chart of a repository. Today there is one."""
    return LITELLM_HELM


@dataclass(frozen=True)
class Variable:
    """An environment variable that the values set by name: where, and to what (None for a reference)."""

    place: Place
    value: Any


@dataclass(frozen=True)
class Pod:
    """What values put into the proxy's pod, wherever the chart takes it."""

    chart: Chart
    values: Mapping[Any, Any] = field(repr=False)

    def get(self, place: Place, *more: str | int) -> Any:
        """The value at `place`; None where there is none."""
        return dig(self.values, *place, *more)

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """The environment variables that are set by name."""
        chart = self.chart
        found = {
            str(name): Variable((*chart.variables, str(name)), value)
            for name, value in mapping(self.get(chart.variables)).items()
        }
        for number, entry in enumerate(sequence(self.get(chart.variable_list))):
            found[text(dig(entry, "name"))] = Variable((*chart.variable_list, number), dig(entry, "value"))
        return found

    @property
    def env_from(self) -> list[str]:
        """The Secrets of which every key becomes an environment variable."""
        return [name for name in sequence(self.get(self.chart.env_from)) if isinstance(name, str)]

    def config(self, *place: str | int) -> Any:
        """What stands at `place` in the proxy's configuration."""
        return self.get(self.chart.config, *place)
