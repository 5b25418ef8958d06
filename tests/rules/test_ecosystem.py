"""Faults and edits of the kinds of the ecosystem that owners add, beside what test_links.py has."""

from __future__ import annotations

from tests.support.faults import Edit, Fault, append_item, together, write
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

OPERATORS, KINDS = "operators_read_every_field", "every_manifest_fits_the_schema_of_its_kind"
LIST, OWN = "clusters/aws/kustomization.yaml", "clusters/aws/own.yaml"
IN_THE_CLUSTER = """
apiVersion: monitoring.coreos.com/v1alpha1
kind: AlertmanagerConfig
metadata: {name: own-alerts, namespace: litellm}
spec:
  route:
    receiver: slack
    groupWait: 30s
    routes: [{receiver: pager, matchers: [{name: severity, value: critical, matchType: "="}]}]
  receivers:
    - {name: slack, slackConfigs: [{channel: own, apiURL: {name: own, key: url}}]}
    - {name: pager, pagerdutyConfigs: [{routingKey: {name: own, key: pager}}]}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: own-scaler, namespace: litellm}
spec:
  scaleTargetRef: {name: own}
  minReplicaCount: 1
  maxReplicaCount: 6
  triggers: [{type: prometheus, metadata: {serverAddress: "http://own:9090", query: up, threshold: "20"}}]
---
apiVersion: postgresql.cnpg.io/v1
kind: ScheduledBackup
metadata: {name: own-backup, namespace: litellm}
spec: {schedule: 0 0 3 * * *, cluster: {name: own}}
---
apiVersion: postgresql.cnpg.io/v1
kind: Pooler
metadata: {name: own-pooler, namespace: litellm}
spec: {cluster: {name: own}, instances: 2, type: rw, pgbouncer: {poolMode: session, parameters: {a: "500"}}}
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: own, namespace: litellm}
spec: {instances: 3, storage: {size: 1Gi}}
---
apiVersion: kyverno.io/v1
kind: Policy
metadata: {name: own-policy, namespace: litellm}
spec:
  background: true
  rules:
    - name: own
      match: {any: [{resources: {kinds: [Deployment]}}]}
      validate: {failureAction: Enforce, message: own, pattern: {metadata: {labels: {team: "?*"}}}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: own-limits, namespace: litellm}
spec: {rateLimit: {average: 100, burst: 50}}
---
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: own-secrets, namespace: litellm}
spec: {provider: aws, parameters: {objects: own}}
---
apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: {name: own-size, namespace: litellm}
spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: own}, updatePolicy: {updateMode: "Off"}}
---
apiVersion: secrets.hashicorp.com/v1beta1
kind: VaultStaticSecret
metadata: {name: own-static, namespace: litellm}
spec: {type: kv-v2, mount: kv, path: own, destination: {name: own, create: true}, refreshAfter: 30s, vaultAuthRef: own}
---
apiVersion: grafana.integreatly.org/v1beta1
kind: GrafanaDashboard
metadata: {name: own-board, namespace: litellm}
spec: {instanceSelector: {matchLabels: {dashboards: own}}, json: '{"title": "Own"}'}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: own-issuer, namespace: litellm}
spec: {acme: {server: "https://acme.example.com/directory", privateKeySecretRef: {name: own-acme}, solvers: []}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: own-certificate, namespace: litellm}
spec: {secretName: own-tls, dnsNames: [own.example.com], issuerRef: {kind: Issuer, name: own-issuer}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: own-account, namespace: litellm}
---
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: own-store, namespace: litellm}
spec:
  provider: {aws: {service: SecretsManager, region: us-west-2, auth: {jwt: {serviceAccountRef: {name: own-account}}}}}
---
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: own-sealed, namespace: litellm}
spec: {encryptedData: {value: AgBy3i4OJSWK+PiTySYZZA9rO43cGDEq, other: AgAzzz1i4OJSWKPiTySYZZA9rO43cGDEq}}
"""
BESIDE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: own, namespace: own}
spec:
  hosts: [own.example.com]
  gateways: [own/public]
  http: [{route: [{destination: {host: own}, weight: 100}], timeout: 30s, retries: {attempts: 3, perTryTimeout: 10s}}]
---
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: own, namespace: own}
spec: {host: own, trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}, tls: {mode: ISTIO_MUTUAL}}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: own, namespace: own}
spec: {mtls: {mode: STRICT}}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: own, namespace: own}
spec:
  replicas: 3
  selector: {matchLabels: {app: own}}
  strategy: {canary: {steps: [{setWeight: 20}, {pause: {duration: 5m}}, {setWeight: 60}, {pause: {}}]}}
  template: {metadata: {labels: {app: own, version: v1}}, spec: {containers: [{name: own, image: own:1}]}}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: own, namespace: own}
spec: {metrics: [{name: own, interval: 1m, successCondition: "result[0] > 1", provider: {prometheus: {query: up}}}]}
---
apiVersion: velero.io/v1
kind: Schedule
metadata: {name: own, namespace: velero}
spec: {schedule: 0 2 * * *, template: {includedNamespaces: [litellm], ttl: 720h0m0s}}
---
apiVersion: velero.io/v1
kind: BackupStorageLocation
metadata: {name: own, namespace: velero}
spec: {provider: aws, objectStorage: {bucket: own, prefix: own}, accessMode: ReadWrite}
"""


_ALERT = """
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: {name: own, namespace: flux-system}
spec:
  providerRef: {name: own}
  eventSources: [{kind: HelmRelease, name: "*"}]
"""


def own(*changes: tuple[str, str], text: str = "") -> Edit:
    """The objects, with something else in one of them: in a cluster, or of another one beside it."""
    for old, new in changes:
        text = text or (IN_THE_CLUSTER if old in IN_THE_CLUSTER else BESIDE)
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times there"
        text = text.replace(old, new)
    if text.startswith(BESIDE[:40]):
        return write("apps/own.yaml", text)
    return together(append_item(LIST, ("resources",), "own.yaml"), write(OWN, text))


FAULTS: dict[str, Fault] = {
    **{
        f"{old}, as {new}": (OPERATORS, own((old, new)))
        for old, new in (
            ("receiver: slack\n", "receiver: slak\n"),
            ("[{receiver: pager", "[{receiver: page"),
            ('matchType: "="', 'matchType: "=="'),
            ("minReplicaCount: 1", "minReplicaCount: 8"),
            ("maxReplicaCount: 6", 'maxReplicaCount: "6"'),
            ("type: prometheus", "type: promethues"),
            ('threshold: "20"', "threshold: 20"),
            ("0 0 3 * * *", "0 3 * * *"),
            ("poolMode: session", "poolMode: sesion"),
            ('{a: "500"}', "{a: 500}"),
            ("instances: 3", "instances: three"),
            ("background: true", "backgroud: true"),
            ("match: {any", "matches: {any"),
            ("pattern: {", "patern: {"),
            ("{rateLimit: {", "{ratelimit: {"),
            ("average: 100", "avarage: 100"),
            ("{provider: aws, parameters", "{providers: aws, parameters"),
            ('updateMode: "Off"', 'updateMode: "off"'),
            ("kind: Deployment, name", "kind: Deploymnet, name"),
            ("refreshAfter: 30s", "refreshAfter: 30"),
            ("vaultAuthRef", "vaultAuth"),
            ("instanceSelector", "instanceSelectors"),
            ("""'{"title": "Own"}'""", """'{"title": "Own"'"""),
            ('"https://acme.', '"htps://acme.'),
            ("issuerRef: {kind: Issuer", "issuerRef: {kind: Isuer"),
            ("destination: {host", "destination: {hots"),
            ("timeout: 30s", "timeout: 30"),
            ("perTryTimeout", "perTryTimout"),
            ("gateways: [", "gateway: ["),
            ("mode: ISTIO_MUTUAL", "mode: ISTIO_MUTAL"),
            ("mode: STRICT", "mode: STRICKT"),
            ("{canary: {", "{canery: {"),
            ("setWeight: 20", "setWeigth: 20"),
            ("setWeight: 60", "setWeight: 600"),
            ("duration: 5m", "duration: five"),
            ("matchLabels: {app: own}}\n  strategy", "matchLabels: {app: ownn}}\n  strategy"),
            ("successCondition", "sucessCondition"),
            ("0 2 * * *", "0 2 * *"),
            ("ttl: 720h0m0s", "ttl: 30d"),
            ("includedNamespaces", "includeNamespaces"),
            ("objectStorage", "objectstorage"),
            ("accessMode: ReadWrite", "accessMode: ReadWriteOnce"),
            ("type: rw", "type: readwrite"),
            ("type: kv-v2", "type: kv2"),
        )
    },
    **{
        f"a kind of the ecosystem: {new}": (KINDS, own((old, new)))
        for old, new in (("kind: Rollout", "kind: Rolout"), ("kind: VirtualService", "kind: VirtualServices"))
    },
    "an account of a store": (
        "what_an_owner_adds_fits_together",
        own(("{serviceAccountRef: {name: own-account", "{serviceAccountRef: {name: own-acount")),
    ),
    "what nobody encrypted in a SealedSecret": (
        "no_credential_stands_in_plaintext",
        own(("value: AgBy3i4OJSWK+PiTySYZZA9rO43cGDEq", "value: of-no-known-form")),
    ),
}
FAULTS["a receiver of Alertmanager"] = (
    "the_engine_knows_every_field",
    own(("slackConfigs", "slackConfig")),
)
FAULTS["a field of Flux in an object that a person applies"] = (
    "the_engine_knows_every_field",
    write("apps/own.yaml", _ALERT.replace("eventSources", "eventSource")),
)
HARMLESS: dict[str, Harmless] = {
    "kinds of the ecosystem in a cluster": own(text=IN_THE_CLUSTER),
    "an object that a person applies": write("apps/own.yaml", _ALERT),
    "an object with a field of another release": write("apps/own.yaml", f"{_ALERT}  ownField: own\n"),
    "kinds of the ecosystem beside it": own(text=BESIDE),
    "words of newer releases": own(
        ("type: prometheus", "type: own-scaler"),
        ("{rateLimit: {", "{ai: {"),
        ("issuerRef: {kind: Issuer", "issuerRef: {kind: AWSPCAClusterIssuer"),
        ("minReplicaCount: 1\n  maxReplicaCount: 6\n", "minReplicaCount: 2\n"),
        ("0 0 3 * * *", "'@daily'"),
    ),
    "words that are filled in": own(
        ("setWeight: 20", "setWeight: '${WEIGHT}'"),
        ("timeout: 30s", "timeout: '{{ .Values.timeout }}'"),
        ("kind: Rollout", "kind: Workflow"),
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_an_owner_adds_is_left_alone = accepted(HARMLESS)
