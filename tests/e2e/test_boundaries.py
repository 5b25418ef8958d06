"""How far a commit reaches: what goes beyond the namespace is told by the suite, and refused by the cluster.

Whoever can push is not to become administrator of the cluster, nor of the GitOps engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from tests.e2e.api import Object
from tests.e2e.controlplane import condition
from tests.e2e.deployment import DEPLOYMENT, NAMESPACE, Deployment
from tests.e2e.engines import complaint, deploy
from tests.support.answers import everything
from tests.support.findings import codes, findings

ENVIRONMENT = "aws"
FOLDER = f"clusters/{ENVIRONMENT}"
SYNCED = {"flux": "Kustomization litellm-secrets", "argocd": "Application litellm-cluster"}
RELEASE = {"flux": "HelmRelease litellm", "argocd": "Application litellm"}
TOLD = {"flux": "flux_reaches_the_namespace_alone", "argocd": "argo_cd_reaches_the_namespace_alone"}

BINDING = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/own"
FLUX = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces"
HELM_RELEASE = "/apis/helm.toolkit.fluxcd.io/v2/namespaces/flux-system/helmreleases/litellm"
ARGOCD = "/apis/argoproj.io/v1alpha1/namespaces"

ADMINISTRATOR = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: own}
subjects: [{kind: ServiceAccount, name: litellm, namespace: litellm}]
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
"""
ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: own, namespace: litellm}
rules: [{apiGroups: [""], resources: [pods/exec], verbs: [create]}]
"""
ELSEWHERE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own, namespace: kube-system}\n"


def kustomization(namespace: str) -> str:
    """One that would act with the rights of Flux itself."""
    return (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        f"metadata: {{name: own, namespace: {namespace}}}\n"
        "spec: {interval: 1m, prune: true, path: ./own, sourceRef: {kind: GitRepository, name: own}}\n"
    )


def application(namespace: str) -> str:
    """One of the project that permits everything."""
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: own, namespace: {namespace}}}\n"
        "spec:\n  project: default\n  destination: {server: https://kubernetes.default.svc, namespace: kube-system}\n"
        "  source: {repoURL: https://github.com/example/own.git, targetRevision: main, path: .}\n"
    )


@dataclass(frozen=True)
class Reach:
    """What a commit brings, the path at which it would be found, and words of the engine that refuses it."""

    manifest: str
    path: str
    says: str


FORBIDDEN, NOT_PERMITTED = "is forbidden", "is not permitted in project"
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/litellm/roles/own"
CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps/own"
FOR_FLUX = {
    "the whole cluster": Reach(ADMINISTRATOR, BINDING, FORBIDDEN),
    "more rights in the namespace": Reach(ROLE, ROLES, FORBIDDEN),
    "another namespace": Reach(ELSEWHERE, CONFIG_MAPS, FORBIDDEN),
    "an object of Flux beside its own": Reach(
        kustomization("flux-system"), f"{FLUX}/flux-system/kustomizations/own", FORBIDDEN
    ),
    "an object of Flux in the namespace": Reach(
        kustomization("litellm"), f"{FLUX}/litellm/kustomizations/own", FORBIDDEN
    ),
}
FOR_ARGO_CD = {
    "the whole cluster": Reach(ADMINISTRATOR, BINDING, NOT_PERMITTED),
    "more rights in the namespace": Reach(ROLE, ROLES, NOT_PERMITTED),
    "another namespace": Reach(ELSEWHERE, CONFIG_MAPS, NOT_PERMITTED),
    "an Application beside Argo CD's own": Reach(
        application("argocd"), f"{ARGOCD}/argocd/applications/own", NOT_PERMITTED
    ),
}


@pytest.fixture(scope="module", params=["flux", "argocd"])
def deployed(
    request: pytest.FixtureRequest, release: Callable[..., AbstractContextManager[Deployment]]
) -> Iterator[Deployment]:
    """A release on EKS; each test leaves one that is well."""
    with release("boundaries", ENVIRONMENT, **everything(gitops_engine=request.param)) as deployment:
        yield deployment


@pytest.fixture
def engine(deployed: Deployment) -> str:
    """The engine, by its answer."""
    return str(deployed.repository.answers["gitops_engine"])


Push = Callable[[str, str], list[str]]


@pytest.fixture
def push(deployed: Deployment) -> Iterator[Push]:
    """`push(file, text)`: a file of the cluster's folder, which lists it, or of another; the rules that tell it.

    In the end it is taken back.
    """
    repository = deployed.repository
    before = repository.head()

    def changed(file: str, text: str) -> list[str]:
        known = codes(findings(repository.folder))
        (repository.folder / file).parent.mkdir(exist_ok=True)
        (repository.folder / file).write_text(text, "utf-8")
        if file == f"{FOLDER}/own.yaml":
            repository.edit(f"{FOLDER}/kustomization.yaml", "resources:\n", "resources:\n  - own.yaml\n")
        told = [code for code in codes(findings(repository.folder)) if code not in known]
        repository.push("More than may be")
        deployed.engine.refresh()
        return told

    yield changed
    repository.sh(f"git revert --no-edit {before}..HEAD && git push --quiet")
    deploy(deployed.engine, repository.head())


def is_up(deployed: Deployment) -> bool:
    """Whether the release goes on."""
    return condition(deployed.api.get(DEPLOYMENT), "Available") == "True"


def readme(deployed: Deployment) -> str:
    return (deployed.repository.folder / "README.md").read_text("utf-8")


@pytest.mark.parametrize("deployed", ["flux"], indirect=True)
@pytest.mark.parametrize("name", FOR_FLUX)
def test_what_reaches_beyond_the_namespace_is_told_and_refused(deployed: Deployment, name: str, push: Push) -> None:
    told_and_refused(deployed, FOR_FLUX[name], push)


@pytest.mark.parametrize("deployed", ["argocd"], indirect=True)
@pytest.mark.parametrize("name", FOR_ARGO_CD)
def test_so_it_is_by_argo_cd(deployed: Deployment, name: str, push: Push) -> None:
    told_and_refused(deployed, FOR_ARGO_CD[name], push)


def told_and_refused(deployed: Deployment, reach: Reach, push: Push) -> None:
    engine = str(deployed.repository.answers["gitops_engine"])
    assert push(f"{FOLDER}/own.yaml", reach.manifest) == [TOLD[engine]]
    complaint(deployed.engine, SYNCED[engine], reach.says)
    assert deployed.api.find(reach.path) is None
    assert is_up(deployed)
    assert reach.says in readme(deployed)


def test_a_chart_that_reaches_beyond_the_namespace_is_refused(deployed: Deployment, engine: str, push: Push) -> None:
    with deployed.tried_again_sooner():
        push("litellm/templates/own.yaml", ADMINISTRATOR)
        says = {"flux": FORBIDDEN, "argocd": NOT_PERMITTED}[engine]
        complaint(deployed.engine, RELEASE[engine], says)
        assert deployed.api.find(BINDING) is None
        assert is_up(deployed)
        (deployed.repository.folder / "litellm/templates/own.yaml").unlink()
        deployed.repository.edit("litellm/values.yaml", "request_timeout: 600", "request_timeout: 601")
        deployed.deploy("What may be")


@pytest.mark.parametrize("deployed", ["argocd"], indirect=True)
def test_an_application_in_the_namespace_belongs_to_no_other_project(deployed: Deployment, push: Push) -> None:
    assert push(f"{FOLDER}/own.yaml", application(NAMESPACE)) == ["every_application_belongs_to_the_project"]
    says = "to use project"
    assert complaint(deployed.engine, "Application own", says)
    assert says in readme(deployed)


def test_what_a_person_applies_no_commit_changes(deployed: Deployment, engine: str, push: Push) -> None:
    file, path, old, new, rule = {
        "flux": (
            *(f"{FOLDER}/release/helmrelease.yaml", HELM_RELEASE, "serviceAccountName: litellm", ""),
            "flux_runs_under_its_account",
        ),
        "argocd": (
            f"{FOLDER}/project.yaml",
            f"{ARGOCD}/argocd/appprojects/{deployed.repository.answers['project_name']}",
            *("      namespace: litellm", '      namespace: "*"', "the_project_reaches_the_namespace_alone"),
        ),
    }[engine]
    before = deployed.api.get(path)["spec"]
    text = (deployed.repository.folder / file).read_text("utf-8")
    assert text.count(old) == 1
    assert push(file, text.replace(old, new)) == [rule]
    deploy(deployed.engine, deployed.repository.head())
    assert deployed.api.get(path)["spec"] == before


def test_a_pod_that_could_leave_its_node_is_refused(deployed: Deployment) -> None:
    container = {"name": "own", "image": "own"}
    pod: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "own", "namespace": NAMESPACE}}
    refusal = deployed.api.try_apply({**pod, "spec": {"containers": [container], "hostNetwork": True}})
    assert "violates PodSecurity" in (refusal or "")


def test_an_engine_from_before_applies_nothing_and_takes_nothing_away(deployed: Deployment, engine: str) -> None:
    # until it is bootstrapped again, its objects are those of an earlier release, and have more rights
    name, path = deployed.repository.answers["project_name"], f"./{FOLDER}"
    metadata = {"name": "before", "namespace": deployed.engine_namespace}
    url, here = deployed.repository.answers["repo_url"], "https://kubernetes.default.svc"
    if engine == "flux":
        spec: Object = {"interval": "1m", "prune": True, "path": path, "deletionPolicy": "Orphan"}
        spec["sourceRef"] = {"kind": "GitRepository", "name": name}
        where, says = f"{FLUX}/flux-system/kustomizations", "namespace not specified"
        old: Object = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization"}
    else:
        annotations = {"litellm-gitops/revision": "$ARGOCD_APP_REVISION"}
        kustomize = {"commonAnnotations": annotations, "commonAnnotationsEnvsubst": True}
        source = {"repoURL": url, "targetRevision": "main", "path": path, "kustomize": kustomize}
        spec = {"project": "default", "source": source, "destination": {"server": here, "namespace": "argocd"}}
        spec["syncPolicy"] = {"automated": {"prune": True, "selfHeal": True}}
        where, says = f"{ARGOCD}/argocd/applications", "is missing for replacement source"
        old = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"}
    deployed.api.create(where, {**old, "metadata": metadata, "spec": spec})
    try:
        complaint(deployed.engine, f"{old['kind']} before", says)
        assert is_up(deployed)
    finally:
        deployed.api.delete(f"{where}/before")


@pytest.mark.parametrize("deployed", ["argocd"], indirect=True)
def test_ksops_in_a_container_of_its_own_needs_nothing_of_argo_cd(deployed: Deployment) -> None:
    # the last story: what it sets up stays
    repository = deployed.repository
    root = repository.folder / FOLDER / "root.yaml"
    text, options = root.read_text("utf-8"), '{"data": {"kustomize.buildOptions": null}}'
    root.write_text(re.sub(r"    kustomize:\n(?:      .*\n)+", "    plugin: {name: litellm-ksops}\n", text), "utf-8")
    assert TOLD["argocd"] not in codes(findings(repository.folder))
    repository.push("KSOPS in a container of its own")
    repository.kubeconfig = deployed.cluster.kubeconfig
    repository.sh(f"kubectl --namespace argocd patch configmap argocd-cm --type merge --patch '{options}'")
    deployed.follow("KSOPS in a container of its own")
    repository.sh(f"kubectl apply --server-side --force-conflicts --filename {root}")
    deployed.api.delete(f"/api/v1/namespaces/{NAMESPACE}/secrets/litellm-masterkey")
    repository.edit("litellm/values.yaml", "request_timeout: 600", "request_timeout: 602")
    deployed.deploy("Wait longer")
    assert "request_timeout: 602" in deployed.config()
    assert (deployed.secret("litellm-masterkey") or {})["masterkey"].startswith("sk-")
