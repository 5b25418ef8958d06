"""Faults and edits of what Kubernetes takes."""

from __future__ import annotations

from tests.support.answers import answers, everything
from tests.support.faults import (
    ANSWERS,
    AWS,
    AZURE,
    CHART,
    GCP,
    SHARED,
    SUITE,
    Edit,
    Fault,
    add,
    append,
    append_item,
    at,
    change,
    set_value,
    substitute,
    together,
    write,
)
from tests.support.findings import Copy, accepted, findings, found_by_its_rule_alone
from tests.support.sealed_store import resealed

REDIS = "secrets/aws/litellm-redis.sops.yaml"


def own(content: str) -> Edit:
    """An object of the owner's own, in a folder that no engine reads."""
    return write("apps/own.yaml", content)


_SEALED = "'ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str]'"

FAULTS: dict[str, Fault] = {
    **{
        f"a slip in what an operator reads: {kind} of {group}": (
            "every_manifest_fits_the_schema_of_its_kind",
            own(f"apiVersion: {group}\nkind: {kind}\nmetadata: {{name: own, namespace: litellm}}\nspec: {{}}\n"),
        )
        for group, kind in (
            ("autoscaling.k8s.io/v1", "VerticalPodAutoScaler"),
            ("external-secrets.io/v1", "ExternalSecrets"),
            ("cert-manger.io/v1", "Certificate"),
            ("traefik.io/v1alpha1", "Midleware"),
        )
    },
    "an account in capital letters": (
        "every_name_is_valid",
        set_value(SHARED, at(CHART.service_account, "name"), "LiteLLM"),
        answers(["aws"], ["bedrock"], "aws_user"),
    ),
    "a version of Kubernetes that is not known": (
        "the_kubernetes_version_is_known",
        substitute(ANSWERS, r"kubernetes_version: .*", "kubernetes_version: '1.99'"),
    ),
    "a field that Kubernetes does not know": (
        "every_manifest_fits_the_schema_of_its_kind",
        append("clusters/aws/namespace.yaml", "specs: {}\n"),
    ),
    "a label that is a number": (
        "every_manifest_fits_the_schema_of_its_kind",
        resealed(REDIS, change(REDIS, "  namespace: litellm\n", "  namespace: litellm\n  labels:\n    tier: 1\n")),
    ),
    "a manifest of no kind": (
        "every_manifest_fits_the_schema_of_its_kind",
        write("secrets/README.yaml", "name: none\n"),
    ),
    "an API version that does not exist": (
        "every_manifest_fits_the_schema_of_its_kind",
        resealed(REDIS, change(REDIS, "apiVersion: v1\n", "apiVersion: v2\n")),
    ),
    "a removed API version": (
        "every_manifest_fits_the_schema_of_its_kind",
        write("extra/ingress.yaml", "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata:\n  name: own\n"),
    ),
    "a misspelt kind": (
        "every_manifest_fits_the_schema_of_its_kind",
        own("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicies\nmetadata: {name: own, namespace: litellm}\n"),
    ),
    "a misspelt group": (
        "every_manifest_fits_the_schema_of_its_kind",
        own("apiVersion: networking.k8s.oi/v1\nkind: NetworkPolicy\nmetadata: {name: own, namespace: litellm}\n"),
    ),
    "a mode as a text": (
        "what_values_put_into_the_pod_fits_its_schema",
        add(CHART.volumes, [{"name": "cache", "configMap": {"name": "own", "defaultMode": "0440"}}]),
    ),
    "a variable that is a number": (
        "what_values_put_into_the_pod_fits_its_schema",
        add(CHART.variable_list, [{"name": "OWN", "value": 6379}], SHARED),
    ),
    "a misspelt reference": (
        "what_values_put_into_the_pod_fits_its_schema",
        add(
            CHART.variable_list,
            [{"name": "OWN", "valueFrom": {"secretKeyref": {"name": "litellm-redis", "key": "redis-password"}}}],
            SHARED,
        ),
    ),
    "a misspelt toleration": (
        "what_values_put_into_the_pod_fits_its_schema",
        add(("tolerations",), [{"keys": "dedicated"}]),
    ),
    "a misspelt volume": (
        "what_values_put_into_the_pod_fits_its_schema",
        add(CHART.volumes, [{"name": "cache", "emptydir": {}}]),
    ),
    "a host in upper case": (
        "every_name_is_valid",
        set_value(AWS, (CHART.name, *CHART.ingress_hosts), [{"host": "LLM.example.com", "paths": []}]),
    ),
    "a label that Kubernetes refuses": (
        "every_name_is_valid",
        resealed(
            REDIS, change(REDIS, "  namespace: litellm\n", "  namespace: litellm\n  labels:\n    tier: front end\n")
        ),
    ),
    "an annotation with two prefixes": (
        "every_name_is_valid",
        add(CHART.pod_annotations, {"example.com/own/name": "x"}),
    ),
    "a variable with a space": ("every_name_is_valid", add(CHART.variables, {"LOG LEVEL": "x"})),
}

FOREIGN = (
    "external-secrets.io/v1 ExternalSecret",
    "monitoring.coreos.com/v1 ServiceMonitor",
    "monitoring.coreos.com/v1 PrometheusRule",
    "gateway.networking.k8s.io/v1 HTTPRoute",
    "cert-manager.io/v1 Certificate",
    "bitnami.com/v1alpha1 SealedSecret",
    "keda.sh/v1alpha1 ScaledObject",
    "cilium.io/v2 CiliumNetworkPolicy",
    "postgresql.cnpg.io/v1 Cluster",
    "kyverno.io/v1 ClusterPolicy",
    "autoscaling.k8s.io/v1 VerticalPodAutoscaler",
    "serving.knative.dev/v1 Service",
    "crd.projectcalico.org/v1 NetworkPolicy",
)


def foreign(kind: str) -> Edit:
    """An object of a kind that somebody else defines."""
    api_version, name = kind.split(" ")
    return own(f"apiVersion: {api_version}\nkind: {name}\nmetadata: {{name: own, namespace: litellm}}\nspec: {{}}\n")


# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    **{
        f"another kind of an operator: {kind}": own(
            f"apiVersion: {group}\nkind: {kind}\nmetadata: {{name: own, namespace: litellm}}\nspec: {{}}\n"
        )
        for group, kind in (
            ("traefik.io/v1alpha1", "MiddlewareTCP"),
            ("external-secrets.io/v1alpha1", "PushSecret"),
            ("keda.sh/v1alpha1", "ScaledJob"),
            ("monitoring.coreos.com/v1beta1", "AlertmanagerConfig"),
            ("azmonitoring.coreos.com/v1", "PodMonitor"),
        )
    },
    **{kind: foreign(kind) for kind in FOREIGN},
    "a setting of Talos": write("talos/own.yaml", 'apiVersion: v1alpha1\nkind: HostnameConfig\nauto: "off"\n'),
    "a patch that takes an object away": write(
        "apps/own/exclude.yaml", "$patch: delete\napiVersion: batch/v1\nkind: Job\nmetadata: {name: own}\n"
    ),
    **{
        f"a configuration for {api_version}": own(f"kind: {kind}\napiVersion: {api_version}\n")
        for api_version, kind in (
            ("kind.x-k8s.io/v1alpha4", "Cluster"),
            ("kubeadm.k8s.io/v1beta4", "ClusterConfiguration"),
            ("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration"),
            ("audit.k8s.io/v1", "Policy"),
            ("apiserver.config.k8s.io/v1", "EncryptionConfiguration"),
            ("cli.kyverno.io/v1alpha1", "Values"),
        )
    },
    "a ConfigMap that sops encrypted": own(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: own}}\ndata: {{a: {_SEALED}}}\nsops: {{mac: {_SEALED}}}\n"
    ),
    "a long name": own(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {'own-' * 20}x}}\n"),
    "an account that is empty": own(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: own}\n"
        "spec: {serviceAccountName: '', hostname: '', containers: [{name: own, image: 'own:1'}]}\n"
    ),
    "a resource in its old group, too": own(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: own}\nrules:\n"
        "  - {apiGroups: [''], resources: [pods, ingresses], verbs: [get]}\n"
        "  - {apiGroups: [networking.k8s.io], resources: [ingresses], verbs: [get]}\n"
    ),
    "an Application of a cluster by its name": own(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: own}\nspec:\n  project: default\n"
        "  destination: {name: in-cluster, server: '', namespace: own}\n"
        "  source: {repoURL: 'https://github.com/example/own', path: own, targetRevision: v1}\n"
    ),
    "what Kustomize fetches, without a scheme": write(
        "apps/kustomization.yaml",
        "resources:\n  - github.com/example/own/base?ref=v1\n  - git@github.com:example/own.git//a?ref=v1\n"
        "  - git.example.com/own/own?ref=v1\n",
    ),
    "what a test is to find": together(
        write("charts/own/tests/01-assert.yaml", "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 1}\n"),
        write("policies-of-ours/.chainsaw-test/found.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: Own_1}\n"),
    ),
    "a part of JSON": own(
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\ndata:\n  a.json: |\n    "tracing": {"http": {}}\n'
    ),
    "objects of one kind": own("apiVersion: v1\nkind: ConfigMapList\nitems: []\n"),
    "a name that the API server ends": own(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: own-, namespace: litellm}\n"
    ),
    "names that Flux fills in": own(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: '${APP}', labels: {env: '${ENV:-dev}'}}\n"
    ),
    "a kind that is declared": together(
        foreign("networking.k8s.io/v2 Own"), append_item(SUITE, ("kinds",), "networking.k8s.io/v2 Own")
    ),
    "a role with a colon in its name": own(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n"
        "metadata: {name: 'litellm:view', namespace: litellm}\nrules: []\n"
    ),
    "a mode as a decimal number": add(
        CHART.volumes, [{"name": "cache", "configMap": {"name": "own", "defaultMode": 288}}]
    ),
    "other resources": substitute(
        SHARED,
        r'cpu: "1"\n      memory: 4Gi\n    limits:\n      memory: 4Gi',
        'cpu: "2"\n      memory: 8Gi\n    limits:\n      memory: 8Gi',
    ),
    "amounts in other units": substitute(
        SHARED,
        r'cpu: "1"\n      memory: 4Gi\n    limits:\n',
        "cpu: 1500m\n      memory: 4096Mi\n    limits:\n      cpu: 2\n",
    ),
    "tolerations and affinity": together(
        add(("tolerations",), [{"key": "dedicated", "operator": "Exists"}]),
        add(
            ("affinity",),
            {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}]}
                        ]
                    }
                }
            },
        ),
    ),
    "a host for every name": set_value(
        AWS, (CHART.name, *CHART.ingress_hosts), [{"host": "*.llm.example.com", "paths": []}]
    ),
    "labels and annotations": together(
        add(CHART.pod_labels, {"team": "ai"}, GCP), add(CHART.pod_annotations, {"example.com/cost-center": "42"}, GCP)
    ),
    "a node selector": add(("nodeSelector",), {"kubernetes.io/arch": "amd64"}, AZURE),
    "a patch that a kustomization reads": together(
        write("apps/kustomization.yaml", "resources: [own.yaml]\npatches: [{path: patch.yaml}, {path: six.yaml}]\n"),
        write("apps/own.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\n"),
        write("apps/patch.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: own}\nspec: {replicas: 2}\n"),
        write("apps/six.yaml", "- {op: remove, path: /spec/replicas}\n"),
    ),
    "objects in a list": own(
        "apiVersion: v1\nkind: List\nitems:\n"
        "  - {apiVersion: v1, kind: ConfigMap, metadata: {name: own, namespace: litellm}}\n"
    ),
    "how kubectl reaches a cluster": write(
        "scripts/kubeconfig.yaml", "apiVersion: v1\nkind: Config\nclusters: []\nusers: []\ncontexts: []\n"
    ),
    "a file of another program": write(
        "skaffold.yaml", "apiVersion: skaffold/v4beta11\nkind: Config\nbuild: {artifacts: []}\n"
    ),
    "a manifest of their own": own(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: own\n"
        "  namespace: litellm\nspec:\n  podSelector: {}\n  policyTypes:\n    - Ingress\n"
    ),
}


def test_the_fix_of_a_mode_works(repository: Copy) -> None:
    root = repository(everything())
    FAULTS["a mode as a text"][1](root)
    (found,) = findings(root)
    assert found.fix.text == "write 288, which is 0440 in decimal"


test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
