"""The one place that knows where LiteLLM's chart takes what, and what it must be given so that it makes nothing itself.

A place is a path below the chart's own name in the values. Every rule speaks of the pod, or of a place by its name
here. The templates have the same knowledge in a macro file for each: includes/chart-<name>.jinja. Another chart is
another `Chart`, with each place that differs; what it does not have is an empty one, at which there is never a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from litellm_gitops.documents import Place, text

_SPEC = ("spec", "template", "spec")
# what a release makes, a budget among it: (group, kind)
MADE = (
    *(("", kind) for kind in ("ConfigMap", "Secret", "Service", "ServiceAccount")),
    *(("apps", "Deployment"), ("batch", "Job"), ("policy", "PodDisruptionBudget")),
)
_CONTAINER = (*_SPEC, "containers", 0)
_OF_THE_POD = (
    *("affinity", "imagePullSecrets", "nodeSelector", "terminationGracePeriodSeconds", "tolerations"),
    *("topologySpreadConstraints", "volumes"),
)


def _table(content: Mapping[Any, Any]) -> Any:
    return field(default_factory=lambda: content)


@dataclass(frozen=True)
class Chart:
    """Where a chart takes what, by the name of what it is for; as it stands here, `litellm-helm`.

    Source: https://github.com/BerriAI/litellm/tree/main/helm/litellm-helm
    """

    name: str = "litellm-helm"
    is_of_its_image: bool = True  # the chart has the version of the first image that it can run
    rooted: tuple[str, ...] = ("litellm", "litellm-database")  # the names of its images whose own user is root
    image: Place = ("image",)  # with `repository` and `tag`
    replicas: Place = ("replicaCount",)
    autoscaler: Place = ("autoscaling",)  # with `enabled`, `minReplicas` and `maxReplicas`
    scales_by_default: bool = False
    memory_target: Place = ()  # of the autoscaler, where the chart has a target of its own
    has_startup_probe: bool = True  # without being told
    own_failures: int = 30  # of that probe, where the values give none
    limits_cpu: bool = False  # likewise
    component: str = ""  # a label of the proxy's pods, beside its name and that of the release
    scaled_by_others: Place = ("keda",)  # with `enabled` and its bounds
    bounds_of_others: tuple[str, str] = ("minReplicas", "maxReplicas")
    disruption_budget: Place = ("pdb",)  # with `enabled`, and `minAvailable` or `maxUnavailable`
    zero_is_no_budget: bool = True  # the number 0 there is as if nothing stood there
    variables: Place = ("envVars",)  # a mapping of names to values
    variable_list: Place = ("extraEnvVars",)  # a list of {name, value | valueFrom}
    env_from: Place = ("environmentSecrets",)  # names of Secrets of which every key is a variable
    env_from_config_maps: Place = ("environmentConfigMaps",)
    pull_secrets: Place = ("imagePullSecrets",)
    volumes: Place = ("volumes",)
    mounts: Place = ("volumeMounts",)
    own_volumes: tuple[str, ...] = ("litellm-config", "tmp", "cache", "npm")  # of the pod, beside those of the values
    own_mounts: tuple[str, ...] = ("/etc/litellm/config.yaml",)  # in the proxy's container, likewise
    own_folders: tuple[str, ...] = ("/tmp",)  # that it makes writable itself, where the root file system is not
    resources: tuple[Place, ...] = (("resources",), ("migrationJob", "resources"))  # of the proxy, of the migrations
    service_account: Place = ("serviceAccount",)  # with `create`, `name` and `annotations`
    pod_annotations: Place = ("podAnnotations",)
    pod_labels: Place = ("podLabels",)
    annotations: tuple[Place, ...] = (  # of what it makes, beside those of the account and the Ingress
        *(("podAnnotations",), ("deploymentAnnotations",), ("service", "annotations"), ("pdb", "annotations")),
        *(("migrationJob", "annotations"), ("migrationJob", "jobAnnotations")),
    )
    labels: tuple[Place, ...] = (
        *(("podLabels",), ("deploymentLabels",), ("ingress", "labels"), ("pdb", "labels")),
        *(("migrationJob", "podLabels"), ("migrationJob", "jobLabels")),
    )
    config: Place = ("proxy_config",)  # the proxy's own configuration
    config_map: Place = ("proxyConfigMap", "create")  # whether the chart makes a ConfigMap of it
    log_level: Place = ("logLevel",)
    names: tuple[Place, ...] = (("fullnameOverride",), ("nameOverride",))  # of everything that the chart makes
    database_name: Place = ("db", "database")
    database_host: Place = ()  # as plain text
    # variables of a method that it sets by a value of its own: where, and to what
    own_variables: Mapping[str, tuple[Place, Any]] = _table({})
    job_variables: Place = ("extraEnvVars",)  # of the migrations, a list of {name, value | valueFrom}
    job_labels: Place = ("podLabels",)  # of the pod of the migrations
    service_annotations: Place = ("service", "annotations")
    ingress: Place = ("ingress",)  # with `enabled`
    ingress_annotations: Place = ("ingress", "annotations")
    ingress_hosts: Place = ("ingress", "hosts")  # a list of {host}, or one host
    ingress_tls: Place = ("ingress", "tls")  # a list of {hosts, secretName}
    init_containers: Place = ("extraInitContainers",)
    containers: Place = ("extraContainers",)
    objects: Place = ("extraResources",)  # whole manifests
    service: Place = ("service",)  # with `type` and `port`
    arguments: Place = ("args",)  # in place of the chart's own
    more_arguments: Place = ()  # after the chart's own
    command: Place = ("command",)
    probes: tuple[Place, ...] = (("livenessProbe",), ("readinessProbe",), ("startupProbe",))
    asks_by_path: bool = True  # a probe has a path, and no handler
    container: str = "litellm"  # the proxy's, in its pod
    grace: Place = ("terminationGracePeriodSeconds",)
    own_grace: int = 90  # where the values give none
    lifecycle: Place = ("lifecycle",)
    spread: Place = ("topologySpreadConstraints",)
    strategy: Place = ("strategy",)
    metrics: Place = ("metricsServer",)  # with `enabled` and `port`
    job_deadline: Place = ("migrationJob", "activeDeadlineSeconds")
    job_life: Place = ("migrationJob", "ttlSecondsAfterFinished")
    own_deadline: int = 1800  # where the values give none
    job_account: Place = ("migrationJob", "serviceAccountName")
    job_mounts: Place = ("volumeMounts",)  # of the migrations, with the volumes beside them
    job_token: Place = ()  # whether the Job has one, whatever its account says
    job_has_token: bool = True  # where the account of the Job says nothing else
    pod_security: tuple[Place, ...] = (("podSecurityContext",),)
    container_security: tuple[Place, ...] = (("securityContext",),)
    redis: Place = ("redis",)  # with `enabled`
    redis_host: Place = ()  # of one that somebody else runs; in a chart without it the variable REDIS_HOST
    redis_port: Place = ()
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
    # The login by an identity overwrites the address of the database that this would become a part of.
    without_password: Mapping[Place, Any] = _table({("db", "secret", "passwordKey"): "username"})
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
            ("extraEnvVars",): (*_CONTAINER, "env"),
            **{(name,): (*_CONTAINER, name) for name in ("lifecycle", "resources", "securityContext", "volumeMounts")},
        }
    )
    # likewise into the Job of the migrations, which has the volumes, the nodes and the rights of the proxy
    job: Mapping[Place, Place] = _table({("migrationJob", "resources"): (*_CONTAINER, "resources")})
    sets: frozenset[str] = frozenset(  # variables that the chart itself sets
        {
            *("PROXY_MASTER_KEY", "DATABASE_URL", "DATABASE_HOST", "DATABASE_NAME", "DATABASE_USERNAME"),
            *("DATABASE_PASSWORD", "DISABLE_SCHEMA_UPDATE", "HOST", "PORT"),
        }
    )
    sets_with: Mapping[str, Place] = _table(  # and those that it sets where a value is there
        {
            "DATABASE_URL_READ_REPLICA": ("db", "secret", "readReplicaUrlKey"),
            "LITELLM_PGBOUNCER_ENABLED": ("db", "connectionPool", "enabled"),
            "LITELLM_PGBOUNCER_MAX_CLIENT_CONN": ("db", "connectionPool", "enabled"),
            "LITELLM_PGBOUNCER_MAX_DB_CONNECTIONS": ("db", "connectionPool", "enabled"),
            "PROMETHEUS_METRICS_PORT": ("metricsServer", "enabled"),
        }
    )
    sets_in_the_job: frozenset[str] = frozenset()  # of a Job with variables of its own
    sets_with_redis: frozenset[str] = frozenset({"REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD"})
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

    def guards(self, answers: Mapping[str, Any]) -> dict[Place, Any]:
        """What the values must say under these answers, so that the chart makes no Secret of its own."""
        found = {**self.secrets, **(self.bundled_redis if answers.get("redis") == "bundled" else {})}
        if answers.get("database_auth") == "keyless":
            found |= self.without_password
        return {place: value for place, value in found.items() if value is not None}


LITELLM_HELM = Chart()

_GATEWAY_OF_THE_POD = ("securityContext", "lifecycle", "resources", "volumeMounts")
_WRITER = ("database", "writer")
# https://github.com/BerriAI/litellm/tree/main/helm/litellm, with everything in one Deployment
LITELLM = Chart(
    name="litellm",
    is_of_its_image=False,
    rooted=(),
    replicas=("gateway", "replicaCount"),
    autoscaler=("gateway", "hpa"),
    scales_by_default=True,
    memory_target=("gateway", "hpa", "targetMemoryUtilizationPercentage"),
    has_startup_probe=False,
    own_failures=3,
    limits_cpu=True,
    component="proxy",
    scaled_by_others=("gateway", "keda"),
    bounds_of_others=("minReplicaCount", "maxReplicaCount"),
    disruption_budget=("gateway", "pdb"),
    zero_is_no_budget=False,
    variables=(),
    variable_list=("gateway", "extraEnv"),
    env_from=("gateway", "envSecrets"),
    env_from_config_maps=("gateway", "envConfigMaps"),
    volumes=("gateway", "volumes"),
    mounts=("gateway", "volumeMounts"),
    own_volumes=("gateway-config", "prometheus-multiproc"),
    own_mounts=("/app/config/config.yaml",),
    own_folders=(),
    resources=(("gateway", "resources"), ("migrationJob", "resources")),
    service_account=("serviceAccounts", "gateway"),
    pod_annotations=("gateway", "podAnnotations"),
    pod_labels=("gateway", "podLabels"),
    annotations=(
        *(("gateway", "podAnnotations"), ("gateway", "deploymentAnnotations"), ("gateway", "service", "annotations")),
        *(("migrationJob", "annotations"), ("migrationJob", "jobAnnotations")),
    ),
    labels=(
        *(("gateway", "podLabels"), ("gateway", "deploymentLabels")),
        *(("migrationJob", "podLabels"), ("migrationJob", "jobLabels")),
    ),
    config=("gateway", "config", "proxy_config"),
    config_map=("gateway", "config", "create"),
    log_level=("gateway", "logLevel"),
    database_name=(*_WRITER, "dbname"),
    database_host=(*_WRITER, "host"),
    own_variables={
        "IAM_TOKEN_DB_AUTH": ((*_WRITER, "useIAMAuth"), True),
        "AZURE_POSTGRESQL_AUTH": ((*_WRITER, "useAzureEntraAuth"), True),
        "DATABASE_SSLMODE": ((*_WRITER, "sslMode"), "require"),
    },
    job_variables=("migrationJob", "extraEnv"),
    job_labels=("migrationJob", "podLabels"),
    service_annotations=("gateway", "service", "annotations"),
    ingress_hosts=("ingress", "host"),
    init_containers=("gateway", "extraInitContainers"),
    containers=("gateway", "extraContainers"),
    service=("gateway", "service"),
    arguments=(),  # the configuration is there by a variable
    more_arguments=("monolith", "extraArgs"),
    command=(),
    probes=(("gateway", "livenessProbe"), ("gateway", "readinessProbe"), ("gateway", "startupProbe")),
    asks_by_path=False,
    container="proxy",
    grace=("gateway", "terminationGracePeriodSeconds"),
    own_grace=30,
    lifecycle=("gateway", "lifecycle"),
    spread=("gateway", "topologySpreadConstraints"),
    strategy=("gateway", "strategy"),
    metrics=("gateway", "metricsServer"),
    job_mounts=("migrationJob", "volumeMounts"),
    job_token=("migrationJob", "automountServiceAccountToken"),
    job_has_token=False,
    pod_security=(("gateway", "podSecurityContext"), ("migrationJob", "podSecurityContext")),
    container_security=(("gateway", "securityContext"), ("migrationJob", "securityContext")),
    redis=(),
    redis_host=("redis", "host"),
    redis_port=("redis", "port"),
    redis_secret=("redis", "passwordSecret", "name"),
    redis_secret_key=("redis", "passwordSecret", "passwordKey"),
    redis_storage_class=(),
    redis_pod_annotations=(),
    secrets={
        ("monolith", "enabled"): True,
        ("masterKey", "secretName"): "litellm-masterkey",
        ("masterKey", "secretKey"): "masterkey",
        (*_WRITER, "passwordSecret", "name"): "litellm-postgresql",
        (*_WRITER, "passwordSecret", "usernameKey"): "username",
        (*_WRITER, "passwordSecret", "passwordKey"): "password",
    },
    without_password={(*_WRITER, "passwordSecret", "passwordKey"): None},
    bundled_redis={},
    deployment={
        ("gateway", "strategy"): ("spec", "strategy"),
        ("gateway", "podSecurityContext"): (*_SPEC, "securityContext"),
        ("imagePullSecrets",): (*_SPEC, "imagePullSecrets"),
        **{("gateway", name): (*_SPEC, name) for name in _OF_THE_POD if name != "imagePullSecrets"},
        ("gateway", "extraEnv"): (*_CONTAINER, "env"),
        **{("gateway", name): (*_CONTAINER, name) for name in _GATEWAY_OF_THE_POD},
    },
    job={
        ("migrationJob", "podSecurityContext"): (*_SPEC, "securityContext"),
        **{("migrationJob", name): (*_SPEC, name) for name in ("affinity", "nodeSelector", "tolerations", "volumes")},
        ("migrationJob", "extraEnv"): (*_CONTAINER, "env"),
        **{("migrationJob", name): (*_CONTAINER, name) for name in ("resources", "securityContext", "volumeMounts")},
    },
    sets=frozenset(
        {
            *("LITELLM_MASTER_KEY", "PROXY_MASTER_KEY", "LENS_WORKER_IMAGE", "LITELLM_LOG", "DATABASE_HOST"),
            *("DATABASE_PORT", "DATABASE_USER", "DATABASE_USERNAME", "DATABASE_NAME", "DATABASE_PASSWORD"),
            *("DISABLE_SCHEMA_UPDATE", "CONFIG_FILE_PATH", "NUM_WORKERS"),
        }
    ),
    sets_with={
        "AZURE_POSTGRESQL_AUTH": (*_WRITER, "useAzureEntraAuth"),
        "DATABASE_SCHEMA": (*_WRITER, "schema"),
        "DATABASE_SSLMODE": (*_WRITER, "sslMode"),
        "DATABASE_SSLROOTCERT": (*_WRITER, "sslRootCert"),
        "IAM_TOKEN_DB_AUTH": (*_WRITER, "useIAMAuth"),
        "LITELLM_PGBOUNCER_ENABLED": ("database", "connectionPool", "enabled"),
        "LITELLM_PGBOUNCER_MAX_CLIENT_CONN": ("database", "connectionPool", "enabled"),
        "LITELLM_PGBOUNCER_MAX_DB_CONNECTIONS": ("database", "connectionPool", "enabled"),
        "PROMETHEUS_MULTIPROC_DIR": ("gateway", "metricsServer", "enabled"),
    },
    sets_in_the_job=frozenset(
        {
            *("DATABASE_HOST", "DATABASE_PORT", "DATABASE_USER", "DATABASE_USERNAME", "DATABASE_NAME"),
            *("DATABASE_PASSWORD", "DATABASE_SCHEMA", "DATABASE_SSLMODE", "DATABASE_SSLROOTCERT", "IAM_TOKEN_DB_AUTH"),
            *("AZURE_POSTGRESQL_AUTH", "DISABLE_SCHEMA_UPDATE", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD"),
        }
    ),
    runs=("Deployment/litellm/proxy", "Job/litellm-migrations/"),
)
CHARTS = {chart.name: chart for chart in (LITELLM_HELM, LITELLM)}


def chosen(answers: Mapping[str, Any]) -> Chart:
    """The chart of a repository; one that was rendered before there was a choice has the first."""
    return CHARTS.get(text(answers.get("chart")), LITELLM_HELM)
