"""What the values of a cluster put into the proxy's pod, whatever the chart. Where a chart takes what: charts.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from litellm_gitops.charts import Chart
from litellm_gitops.documents import Place, dig, mapping, sequence, text, texts, walk

VARIABLE = re.compile(r"[\w.-]+")  # its name
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/.+")


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
    files: frozenset[str] = frozenset()  # into which keys are put; none for one of the name of each key


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

    def is_of_another_account(self, answers: Mapping[str, Any]) -> bool:
        """Whether the chosen login, and no token, takes on a role of AWS in an account that no answer names."""
        ours = {match[1] for answer in answers.values() for match in _ROLE.finditer(str(answer))}
        role = _ROLE.fullmatch(text(self.given.get("aws_role_name")))
        return bool(role and role[1] not in ours and "aws_web_identity_token" not in self.given)


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

    @property
    def set_by_the_chart(self) -> frozenset[str]:
        """The variables that the chart itself sets with these values."""
        found = {name for name, place in self.chart.sets_with.items() if self.get(place)}
        found |= self.chart.sets_with_redis if self.has_redis or self.get(self.chart.redis_host) else set()
        return self.chart.sets | found

    @property
    def redis_address(self) -> tuple[Place, Any, Any]:
        """Where the host of a Redis that somebody else runs is set, the host, and the port as text; None: nowhere."""
        chart = self.chart
        if chart.redis_host:
            port = self.get(chart.redis_port)
            return chart.redis_host, self.get(chart.redis_host), None if port is None else str(port)
        host, port = self.variables.get("REDIS_HOST"), self.variables.get("REDIS_PORT")
        # a number is for the schema of the values
        given = None if port is None or port.value is None else str(port.value)
        return host.place if host else (*chart.variables, "REDIS_HOST"), host and host.value, given

    @property
    def ingress_hosts(self) -> list[str]:
        """The names by which the Ingress is asked."""
        found = self.get(self.chart.ingress_hosts)
        return [found] if isinstance(found, str) else [text(dig(entry, "host")) for entry in sequence(found)]

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """The environment variables that are set by name; the last one wins."""
        return {variable.name: variable for variable in self.variable_entries}

    @cached_property
    def job_variables(self) -> dict[str, Variable]:
        """Those of the migrations, where they have a list of their own."""
        entries = self._items(self.chart.job_variables)
        found = [Variable(place, text(entry.get("name")), entry.get("value")) for place, entry in entries]
        return {each.name: each for each in found}

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
                if source and source.get("optional") is not True
            ]
            minted = [
                Token(each.get("audience"), each.get("expirationSeconds"), each.get("path")) for each in tokens if each
            ]
            items = [item for each in (volume.get("secret"), *projected) for item in sequence(dig(each, "items"))]
            paths = frozenset(text(dig(item, "path") or dig(item, "key")) for item in items)
            found.append(Volume(place, text(volume.get("name")), tuple(secrets), tuple(minted), paths))
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
                entry.get("readOnly") not in (None, False),  # of what is neither on nor off the schema tells
            )
            for place, entry in self._items(self.chart.mounts)
        ]

    @property
    def mounts_of_nothing(self) -> list[Mount]:
        """Those of volumes that do not exist."""
        names = {volume.name for volume in self.volumes}
        return [mount for mount in self.mounts if mount.volume not in names]

    def secrets_at(self, path: str) -> set[str]:
        """The names of the Secrets that are mounted at a path."""
        there = [mount.volume for mount in self.mounts if mount.path == path]
        return {name for volume in self.volumes if volume.name in there for name, _ in volume.secrets}

    def secret_references(self) -> Iterator[Reference]:
        """All Secrets and keys that the pod reads, but those of the chart's own settings (`Chart.guards`)."""
        chart = self.chart
        for number, name in enumerate(sequence(self.get(chart.env_from))):
            if isinstance(name, str):  # of another the schema tells
                yield Reference((*chart.env_from, number), name)
        for place, entry in self._items(chart.pull_secrets):
            if entry:  # a text in place of one has no name, of which the schema tells
                yield Reference(place, str(entry.get("name")))
        for variables in {chart.variable_list, chart.job_variables}:
            yield from self._keys(variables)
        for above in (chart.containers, chart.init_containers):
            for place, container in self._items(above):
                yield from self._keys((*place, "env"))
                for number, entry in enumerate(sequence(container.get("envFrom"))):
                    source = mapping(dig(entry, "secretRef"))
                    if source and not source.get("optional"):
                        yield Reference((*place, "envFrom", number, "secretRef"), str(source.get("name")))
        for volume in self.volumes:
            for name, keys in volume.secrets:
                yield from (Reference(volume.place, name, key) for key in keys or (None,))
                for mount in self.mounts if not keys else ():
                    if mount.sub_path and mount.volume == volume.name:
                        yield Reference(mount.place, name, str(mount.sub_path))
        if (self.has_redis or chart.redis_host) and self.get(chart.redis_secret):
            yield Reference(
                chart.redis_secret, str(self.get(chart.redis_secret)), str(self.get(chart.redis_secret_key))
            )

    def _keys(self, variables: Place) -> Iterator[Reference]:
        """The keys of Secrets that a list of variables takes."""
        for place, entry in self._items(variables):
            source = mapping(dig(entry, "valueFrom", "secretKeyRef"))
            if source and not source.get("optional"):
                key = source.get("key")  # without one it is no reference, of which the schema tells
                place = (*place, "valueFrom", "secretKeyRef")
                yield Reference(place, str(source.get("name")), None if key is None else str(key))

    def config(self, *place: str | int) -> Any:
        """What stands at `place` in the proxy's configuration."""
        return self.get(self.chart.config, *place)

    def variables_read(self) -> Iterator[tuple[Place, str]]:
        """The variables that the configuration names as `os.environ/NAME`, with their places."""
        for place, value in walk(self.config(), self.chart.config):
            name = value.removeprefix("os.environ/")
            if name != value and VARIABLE.fullmatch(name):  # another is no name, of which a rule tells
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
        """The number of pods below which nothing scales by itself; None where something that is no switch decides."""
        chart = self.chart
        switches = [self.get(place, "enabled") for place in (chart.autoscaler, chart.scaled_by_others)]
        if not all(isinstance(each, bool | None) for each in switches) or all(switches):
            return None
        for place, least in ((chart.scaled_by_others, chart.bounds_of_others[0]), (chart.autoscaler, "minReplicas")):
            if self.get(place, "enabled"):
                return 1 if self.get(place, least) is None else self.get(place, least)
        return self.get(chart.replicas)

    @property
    def has_redis(self) -> bool:
        """Whether the chart brings a Redis."""
        return self.get(self.chart.redis, "enabled") is True
