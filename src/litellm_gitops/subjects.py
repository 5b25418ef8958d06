"""What the API server is to take: an object of a manifest, or what values put into one, with its schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from litellm_gitops import schemas
from litellm_gitops.documents import Place, mapping, text
from litellm_gitops.findings import Finding, edit
from litellm_gitops.spelling import closest

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

# what values give beside the pods and whole objects: its type -> what `kubectl explain` calls it
_PIECES = {
    "autoscaling.v2.HorizontalPodAutoscalerBehavior": "horizontalpodautoscaler.spec.behavior",
    "batch.v1.JobSpec": "job.spec",
    "core.v1.PodSecurityContext": "pod.spec.securityContext",
    "core.v1.Probe": "pod.spec.containers.livenessProbe",
    "core.v1.SecurityContext": "pod.spec.containers.securityContext",
    "core.v1.ServicePort": "service.spec.ports",
    "core.v1.ServiceSpec": "service.spec",
    "networking.v1.HTTPIngressPath": "ingress.spec.rules.http.paths",
    "networking.v1.IngressTLS": "ingress.spec.tls",
}
_REGISTRIES = ("docker.io", "ghcr.io", "mcr.microsoft.com", "public.ecr.aws", "quay.io", "registry.k8s.io")
_OTHER_REGISTRIES = ("gcr.io", "icr.io")  # which are nearly one of these
# errors about the fields of a part to which the chart adds others
_OF_A_CHART = ("additionalProperties", "required")


@dataclass(frozen=True, eq=False)
class Subject:
    """An object that the API server is to take, or a part of one, with what its schema says of it.

    It equals another with the same content, so that what is wrong with one is known of the other.
    """

    value: dict[Any, Any]
    kind: str  # as Kubernetes' OpenAPI calls it, such as apps.v1.Deployment
    validator: Validator
    locate: Callable[[Place], tuple[Finding, Place] | None]  # a finding there without words, and the place's name
    is_whole: bool = True  # else the chart adds more to it
    is_patch: bool = False  # of an object that somebody else brings, or that Kustomize fills in

    @cached_property
    def _content(self) -> tuple[int, bool, bool, str]:
        return id(self.validator), self.is_whole, self.is_patch, repr(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Subject) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    @property
    def reference(self) -> str:
        """What `kubectl explain` calls it."""
        return _PIECES.get(self.kind) or text(self.value.get("kind")).lower()

    def parts(self, version: str) -> list[schemas.Part]:
        """The value and everything in it that its schema knows, in that version of Kubernetes."""
        return _parts(self, version)

    @property
    def errors(self) -> list[Any]:
        """Where it does not fit its schema. What Helm or Flux fills in is not known."""
        return _errors(self)

    def named(self, place: Place) -> Place:
        """What a place is called where the object stands, such as in values."""
        located = self.locate(place)
        return located[1] if located else place

    def finding(self, place: Place, what: str, fix: str, named: Place | None = None) -> Finding | None:
        """A finding at `place`, in whose words {} stands for `named` or `place`; None for what no file says."""
        located, name = self.locate(place), self.locate(place if named is None else named)
        if located is None:
            return None
        dotted = ".".join(map(str, name[1])) if name else ""
        return replace(located[0], what=what.replace("{}", dotted or "it"), fix=edit(fix))


@lru_cache(maxsize=512)  # those of manifests stay the same from one repository to the next, and from cluster to cluster
def _errors(subject: Subject) -> list[Any]:
    found = [error for error in subject.validator.iter_errors(subject.value) if not is_filled_in(error.instance)]
    if subject.is_patch:
        # what it is merged into has the rest, but for the names by which items are found
        of_items = [each for each in found if each.absolute_path and isinstance(each.absolute_path[-1], int)]
        named = [each for each in of_items if each.validator_value == "name"]
        found = [error for error in found if error.validator != "required" or error in named]
    return [error for error in found if subject.is_whole or error.absolute_path or error.validator not in _OF_A_CHART]


@lru_cache(maxsize=512)
def _parts(subject: Subject, version: str) -> list[schemas.Part]:
    return [*schemas.parts(mapping(subject.validator.schema), subject.value, version, subject.kind)]


def meant_registry(image: str) -> str:
    """The registry of which an image's is nearly the name; empty where it may be one of its own."""
    host, slash, _ = image.partition("/")
    return (
        closest(host, _REGISTRIES) if slash and "." in host and host not in (*_REGISTRIES, *_OTHER_REGISTRIES) else ""
    )


def is_filled_in(value: Any) -> bool:
    """Whether Helm or Flux puts something into a text before the API server sees it."""
    return isinstance(value, str) and ("{{" in value or "${" in value)
