"""What a managed cluster gives to a pod by itself, as its webhooks do.

https://github.com/aws/amazon-eks-pod-identity-webhook, https://github.com/Azure/azure-workload-identity
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e.api import Object

ROLE = "eks.amazonaws.com/role-arn"
GOOGLE_ACCOUNT = "iam.gke.io/gcp-service-account"
CLIENT, USE = "azure.workload.identity/client-id", "azure.workload.identity/use"


@dataclass(frozen=True)
class Service:
    """The managed service that a cluster is of: its name among the environments, and what its webhooks know."""

    environment: str
    region: str = ""  # of EKS
    associated: bool = False  # in EKS: whether there is a pod identity association
    tenant: str = ""  # of AKS


NOWHERE = Service("")  # a cluster that gives nothing to a pod


@dataclass(frozen=True)
class _Given:
    variables: Mapping[str, str]
    volume: str
    folder: str
    audience: str
    file: str
    seconds: int


def admitted(pod: Object, account: Object, service: Service) -> Object:
    """The pod after admission, with the ServiceAccount that it runs as."""
    annotations = account["metadata"].get("annotations") or {}
    labels = pod["metadata"].get("labels") or {}
    if service.environment == "aws" and ROLE in annotations:
        return _with(pod, _irsa(annotations[ROLE], service))
    if service.environment == "aws" and service.associated:
        return _with(pod, _pod_identity(service))
    if service.environment == "azure" and labels.get(USE) == "true":
        return _with(pod, _workload_identity(annotations.get(CLIENT, ""), service))
    return pod


def _irsa(role: str, service: Service) -> _Given:
    folder = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
    return _Given(
        {**_region(service), "AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{folder}/token"},
        *("aws-iam-token", folder, "sts.amazonaws.com", "token", 86400),
    )


def _pod_identity(service: Service) -> _Given:
    folder, file = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount", "eks-pod-identity-token"
    agent = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{folder}/{file}",
    }
    return _Given({**_region(service), **agent}, file, folder, "pods.eks.amazonaws.com", file, 86400)


def _region(service: Service) -> dict[str, str]:
    regions = dict.fromkeys(("AWS_DEFAULT_REGION", "AWS_REGION"), service.region)
    return {"AWS_STS_REGIONAL_ENDPOINTS": "regional", **regions}


def _workload_identity(client: str, service: Service) -> _Given:
    folder, file = "/var/run/secrets/azure/tokens", "azure-identity-token"
    variables = {
        "AZURE_CLIENT_ID": client,
        "AZURE_TENANT_ID": service.tenant,
        "AZURE_FEDERATED_TOKEN_FILE": f"{folder}/{file}",
        "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/",
    }
    return _Given(variables, file, folder, "api://AzureADTokenExchange", file, 3600)


def _with(pod: Object, given: _Given) -> Object:
    """The pod with what is given to each container. A variable that is there stays, as the webhooks leave it."""
    token = {"audience": given.audience, "expirationSeconds": given.seconds, "path": given.file}
    volume = {"name": given.volume, "projected": {"sources": [{"serviceAccountToken": token}]}}
    mount = {"name": given.volume, "mountPath": given.folder, "readOnly": True}

    def filled(container: dict[str, Any]) -> dict[str, Any]:
        known = {entry["name"] for entry in container.get("env") or ()}
        more = [{"name": name, "value": value} for name, value in given.variables.items() if name not in known]
        mounts = [*(container.get("volumeMounts") or ()), mount]
        return {**container, "env": [*(container.get("env") or ()), *more], "volumeMounts": mounts}

    spec = pod["spec"]
    containers = [filled(container) for container in spec["containers"]]
    volumes = [*(spec.get("volumes") or ()), volume]
    return {**pod, "spec": {**spec, "containers": containers, "volumes": volumes}}
