"""Faults and edits of what an owner's objects say of each other."""

from __future__ import annotations

from tests.support.answers import everything
from tests.support.faults import CHART, Edit, Fault, add, append_item, change, together, write
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

TOGETHER, MAKER = "what_an_owner_adds_fits_together", "every_secret_has_one_maker"
OPERATORS = "operators_read_every_field"
ARGOCD = everything(gitops_engine="argocd")
LIST = "clusters/aws/kustomization.yaml"
OWN = "clusters/aws/own.yaml"

# an application beside the proxy, in which everything is found
APPLICATION = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: open-webui, namespace: litellm}
spec:
  selector: {matchLabels: {app: open-webui}}
  template:
    metadata: {labels: {app: open-webui, version: v1}}
    spec:
      containers:
        - name: web
          image: registry.example.com/open-webui:1.0
          ports: [{name: web, containerPort: 8080}]
          env:
            - {name: OPENAI_API_BASE_URL, value: "http://litellm.litellm.svc.cluster.local:4000/v1"}
            - {name: KEY, valueFrom: {secretKeyRef: {name: own-keys, key: api-key}}}
            - {name: LOGIN, valueFrom: {configMapKeyRef: {name: web-settings, key: login}}}
          envFrom: [{configMapRef: {name: web-settings}}]
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}
          volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: web-data}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web-settings, namespace: litellm}
data: {login: "true"}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: web-data, namespace: litellm}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: open-webui, namespace: litellm, labels: {team: web-users}}
spec: {selector: {app: open-webui}, ports: [{name: http, port: 80, targetPort: web}]}
---
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: vault, namespace: litellm}
spec: {provider: {aws: {service: SecretsManager, region: eu-central-1}}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: own-keys, namespace: litellm}
spec:
  secretStoreRef: {kind: SecretStore, name: vault}
  target: {creationPolicy: Owner}
  data: [{secretKey: api-key, remoteRef: {key: own}}]
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web-tls, namespace: litellm}
spec: {secretName: web-tls, dnsNames: [web.example.com], issuerRef: {kind: ClusterIssuer, name: vaults}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web-budget, namespace: litellm}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: open-webui}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web-scaler, namespace: litellm}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: open-webui}, minReplicas: 1, maxReplicas: 3}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: web-monitor, namespace: litellm}
spec: {selector: {matchLabels: {team: web-users}}, endpoints: [{port: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web-way, namespace: litellm}
spec:
  ingressClassName: nginx
  tls: [{hosts: [web.example.com], secretName: web-tls}]
  rules:
    - host: web.example.com
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: open-webui, port: {name: http}}}}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web-route, namespace: litellm}
spec:
  parentRefs: [{name: public, namespace: gateways}]
  rules: [{backendRefs: [{name: open-webui, port: 80}]}]
"""


def own(*changes: tuple[str, str]) -> Edit:
    """The application in the list of a cluster, with something else in it."""
    text = APPLICATION
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times there"
        text = text.replace(old, new)
    return together(append_item(LIST, ("resources",), "own.yaml"), write(OWN, text))


_SLIPS = {
    "a claim": ("claimName: web-data", "claimName: webdata"),
    "a port of no container": ("targetPort: web", "targetPort: http"),
    "a port that a Service does not have": ("port: {name: http}", "port: {name: https}"),
    "a number that is no port of a Service": ("name: open-webui, port: 80}", "name: open-webui, port: 8080}"),
    "a Service of a route": ("[{name: open-webui, port: 80}]", "[{name: open-webiu, port: 80}]"),
    "a Service of no pods": ("spec: {selector: {app: open-webui}", "spec: {selector: {app: webui}"),
    "a budget of no pods": (
        "1, selector: {matchLabels: {app: open-webui}",
        "1, selector: {matchLabels: {app: openwebui}",
    ),
    "a scaler of another kind": ("apps/v1, kind: Deployment, name", "apps/v1, kind: StatefulSet, name"),
    "a key of a Secret": ("name: own-keys, key: api-key", "name: own-keys, key: api_key"),
    "a key of a ConfigMap": ("key: login", "key: log-in"),
    "settings of no ConfigMap": (
        "envFrom: [{configMapRef: {name: web-settings",
        "envFrom: [{configMapRef: {name: web-setting",
    ),
    "a file of a ConfigMap": (
        "volumes: [{name: data, pers",
        "volumes: [{name: own, configMap: {name: web-settings, items: [{key: log, path: a}]}}, {name: data, pers",
    ),
    "a store": ("kind: SecretStore, name: vault", "kind: SecretStore, name: valut"),
    "a monitor of no Service": ("matchLabels: {team: web-users}", "matchLabels: {team: web-user}"),
    "a port of a monitor": ("endpoints: [{port: http}]", "endpoints: [{port: metrics}]"),
    "a namespace of the proxy": ("litellm.litellm.svc", "litellm.litelm.svc"),
    "a port of the proxy": (".svc.cluster.local:4000", ".svc.cluster.local:4001"),
    "TLS that the proxy does not speak": ("http://litellm.litellm.svc", "https://litellm.litellm.svc"),
    "a host in the cluster": ("http://litellm.litellm.svc", "http://litelm.litellm.svc"),
}
SEALED = "litellm-redis"
FAULTS: dict[str, Fault] = {
    **{name: (TOGETHER, own(slip)) for name, slip in _SLIPS.items()},
    "a port of no container, with Argo CD": (TOGETHER, own(_SLIPS["a port of no container"]), ARGOCD),
    "a sealed Secret that an operator makes, too": (MAKER, own(("{creationPolicy: Owner}", f"{{name: {SEALED}}}"))),
    "a sealed Secret that becomes a certificate": (
        MAKER,
        own(("secretName: web-tls, dns", f"secretName: {SEALED}, dns")),
    ),
    "a probe of a port of no name": (
        "the_api_server_takes_every_manifest",
        own(("          volumeMounts", "          livenessProbe: {tcpSocket: {port: wbe}}\n          volumeMounts")),
    ),
    **{
        f"a word that no operator reads: {new}": (OPERATORS, own((old, new)))
        for old, new in (
            ("  secretStoreRef: {kind: SecretStore", "  secretStore: {kind: SecretStore"),
            ("remoteRef: {key", "remoteref: {key"),
            ("{creationPolicy: Owner}", "{creationPolicy: owner}"),
            ("spec: {provider: {aws", "spec: {providers: {aws"),
            ("dnsNames: [web", "dnsName: [web"),
            ("secretName: web-tls, dns", "duration: 90d, secretName: web-tls, dns"),
            ("external-secrets.io/v1\nkind: SecretStore", "external-secrets.io/v1beta\nkind: SecretStore"),
        )
    },
    "a database of no size": (
        OPERATORS,
        own(
            (
                "---\napiVersion: v1\nkind: ConfigMap",
                "---\napiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: own-db, namespace: litellm}\n"
                "spec: {instances: 2, storage: {size: 10GB}}\n---\napiVersion: v1\nkind: ConfigMap",
            )
        ),
    ),
    "a word that no operator reads, in values": (
        OPERATORS,
        add(
            CHART.objects,
            [
                {
                    "apiVersion": "keda.sh/v1alpha1",
                    "kind": "ScaledObject",
                    "metadata": {"name": "own"},
                    "spec": {"scaleTargetRef": {"name": "own"}, "maxReplicas": 4, "triggers": []},
                }
            ],
        ),
    ),
    "an address that is none": (
        "the_api_server_takes_every_manifest",
        own(("spec: {selector: {app: open-webui}", "spec: {clusterIP: none, selector: {app: open-webui}")),
    ),
    "a prefix for the Secrets": (
        "every_kustomization_lists_exactly_what_is_there",
        change(LIST, "resources:\n", "namePrefix: own-\nresources:\n"),
    ),
}

_KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
_POD = (
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: chat}\nspec:\n  selector: {matchLabels: {app: chat}}\n"
    "  template:\n    metadata: {labels: {app: chat}}\n    spec: {containers: [{name: chat, image: IMAGE}]}\n"
)


def folder(kustomization: str, image: str = "chat:1") -> Edit:
    """A folder of one's own in that of a cluster, whose objects say no namespace."""
    return together(
        append_item(LIST, ("resources",), "own"),
        write("clusters/aws/own/kustomization.yaml", f"{_KUSTOMIZATION}namespace: litellm\n{kustomization}"),
        write("clusters/aws/own/chat.yaml", _POD.replace("IMAGE", image)),
    )


def base(content: str) -> Edit:
    """A base of another application, which its overlays fill in."""
    return together(
        write("apps/chat/kustomization.yaml", "resources: [own.yaml]\n"), write("apps/chat/own.yaml", content)
    )


HARMLESS: dict[str, Harmless] = {
    "an application": own(),
    "an application, with Argo CD": (own(), ARGOCD),
    "objects that others make": own(
        ("claimName: web-data", "claimName: web-data-0"),
        ("kind: SecretStore, name: vault", "kind: ClusterSecretStore, name: valut"),
        ("envFrom: [{configMapRef: {name: web-settings", "envFrom: [{configMapRef: {name: web-settings-v2"),
        ("matchLabels: {team: web-users}", "matchLabels: {team: billing}"),
        ("1, selector: {matchLabels: {app: open-webui}", "1, selector: {matchLabels: {app: postgres}"),
        ("[{name: open-webui, port: 80}]", "[{name: open-webui-v2, port: 8080}]"),
    ),
    "a port that an injector adds": own(
        (
            "labels: {app: open-webui, version: v1}}",
            "labels: {app: open-webui}, annotations: {sidecar.istio.io/inject: 'true'}}",
        ),
        ("targetPort: web", "targetPort: envoy"),
    ),
    "words of other releases of operators": own(
        ("external-secrets.io/v1\nkind: ExternalSecret", "external-secrets.io/v1beta1\nkind: ExternalSecret"),
        ("external-secrets.io/v1\nkind: SecretStore", "external-secrets.io/v2\nkind: SecretStore"),
        ("{creationPolicy: Owner}", "{creationPolicy: Adopt, retention: 1d}"),
        ("secretName: web-tls, dns", "duration: 2160h, renewBefore: 360h0m0s, secretName: web-tls, dns"),
    ),
    "a route that takes a prefix away": own(
        (
            "rules: [{backendRefs",
            "rules: [{matches: [{path: {type: PathPrefix, value: /web}}], filters: [{type: URLRewrite, urlRewrite: "
            "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}], backendRefs",
        )
    ),
    "credentials of another program": own(
        ("secretKey: api-key, remoteRef", "secretKey: AWS_ACCESS_KEY_ID, remoteRef"),
        ("name: own-keys, key: api-key", "name: own-keys, key: AWS_ACCESS_KEY_ID"),
    ),
    "an identity of another program": together(
        append_item(LIST, ("resources",), "own.yaml"),
        write(
            OWN,
            "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: own\n  namespace: litellm\n"
            "  annotations: {iam.gke.io/gcp-service-account: own@example-ai.iam.gserviceaccount.com}\n",
        ),
    ),
    "TLS of another proxy": own(("http://litellm.litellm.svc", "https://litellm.staging.svc")),
    "TLS that the proxy speaks": together(
        own(("http://litellm.litellm.svc", "https://litellm.litellm.svc")),
        add(CHART.arguments, ["--config", "/etc/litellm/config.yaml", "--ssl_certfile_path", "/tls/tls.crt"]),
    ),
    "another proxy": own(("litellm.litellm.svc.cluster.local:4000", "litellm.staging.svc.cluster.local:8080")),
    "a port by its number": own(("port: {name: http}", "port: {number: 80}"), ("targetPort: web", "targetPort: 9090")),
    "a Secret that an operator adds to": own(
        ("{creationPolicy: Owner}", f"{{name: {SEALED}, creationPolicy: Merge}}"),
        ("name: own-keys, key: api-key", "name: own-keys, key: other"),
    ),
    "a key that need not be there": own(("name: own-keys, key: api-key", "name: own-keys, key: b, optional: true")),
    "a folder with its namespace": folder("resources: [chat.yaml]\n"),
    "a folder with its namespace, with Argo CD": (folder("resources: [chat.yaml]\n"), ARGOCD),
    "a folder with a prefix": folder("namePrefix: own-\nresources: [chat.yaml]\n"),
    "a folder that says the versions": folder("resources: [chat.yaml]\nimages: [{name: chat, newTag: '1'}]\n", "chat"),
    "what Kustomize fetches": folder(
        "resources: [chat.yaml]\nconfigMapGenerator: [{name: own, files: [https://example.com/a.json]}]\n"
    ),
    "an object without a namespace, with Argo CD": (
        together(append_item(LIST, ("resources",), "own.yaml"), write(OWN, _POD.replace("IMAGE", "chat:1"))),
        ARGOCD,
    ),
    "lists of another application": together(
        base(_POD.replace("IMAGE", "chat")),
        write(
            "apps/chat/kustomization.yaml",
            "resources: [own.yaml]\nnameSuffix: -dev\npatchesStrategicMerge: [patch.yaml]\n"
            "helmCharts: [{name: redis, repo: https://charts.example.com, version: 1.0.0}]\n",
        ),
        write("apps/chat/patch.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: chat}\n"),
    ),
    "a base without versions": base(_POD.replace("IMAGE", "chat")),
    "a base with a name that is replaced": base("apiVersion: v1\nkind: Namespace\nmetadata: {name: _}\n"),
    "a base with words that are replaced": base(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: own}\n"
        "spec: {accessModes: [FROM_OVERLAY], resources: {requests: {storage: FROM_OVERLAY}}}\n"
    ),
    "a binding whose namespace is filled in": base(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: own}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\n"
        "subjects: [{kind: ServiceAccount, name: own}]\n"
    ),
    "a base for a newer cluster": base(
        "apiVersion: admissionregistration.k8s.io/v2\nkind: ValidatingAdmissionPolicy\nmetadata: {name: own}\n"
    ),
    "a kind of another release of Cilium": write(
        "apps/own.yaml", "apiVersion: cilium.io/v2alpha1\nkind: CiliumL2AnnouncementPolicy\nmetadata: {name: own}\n"
    ),
    "a role that every cluster has": together(
        write(
            "apps/own.yaml",
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: cluster-admin-0}\n"
            "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n"
            "subjects: [{kind: Group, name: platform, apiGroup: rbac.authorization.k8s.io}]\n",
        )
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_an_owner_adds_is_left_alone = accepted(HARMLESS)
