"""Faults and edits of how an owner's objects reach the proxy, of what operators refuse, and of what has no place."""

from __future__ import annotations

from tests.support.faults import POLICY, Edit, Fault, add, append_item, change, substitute, together, write
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

OPERATORS, TOGETHER = "operators_read_every_field", "what_an_owner_adds_fits_together"
FIELDS, TAKES = "the_engine_knows_every_field", "the_api_server_takes_every_manifest"
NAMES = "what_means_the_proxy_names_it_right"
LIST, OWN = "clusters/aws/kustomization.yaml", "clusters/aws/own.yaml"

# what reaches the proxy, and what has its place beside it
BESIDE = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: own-report, namespace: litellm}
spec:
  schedule: 0 6 * * 1-5
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: report
              image: curlimages/curl:8.11.0
              command: [sh, -c, 'curl -H "Authorization: Bearer $KEY" http://litellm:4000/global/spend']
              env: [{name: KEY, valueFrom: {secretKeyRef: {name: litellm-masterkey, key: masterkey}}}]
              securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: own-chat, namespace: litellm}
spec:
  parentRefs: [{name: shared, namespace: gateways}]
  hostnames: [chat.example.com]
  rules: [{backendRefs: [{name: litellm, port: 4000}]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: own-chat
  namespace: litellm
  annotations: {external-dns.alpha.kubernetes.io/hostname: own-chat.example.com}
spec:
  ingressClassName: nginx
  tls: [{hosts: [own-chat.example.com], secretName: own-chat-tls}]
  rules:
    - host: own-chat.example.com
      http: {paths: [{path: /v1/models, pathType: Prefix, backend: {service: {name: litellm, port: {name: http}}}}]}
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata: {name: own-login, namespace: litellm}
spec: {secretTargetRef: [{parameter: password, name: litellm-redis, key: redis-password}]}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: own-scaler, namespace: litellm}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: litellm}
  triggers:
    - {type: prometheus, metadata: {serverAddress: "http://prometheus:9090", query: sum(up), threshold: "1"}}
    - {type: cpu, metricType: Utilization, metadata: {value: "70"}}
    - {type: redis, metadata: {listName: own}, authenticationRef: {name: own-login}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: own-quota, namespace: litellm}
spec: {hard: {requests.cpu: "16", requests.memory: 64Gi, pods: "40"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: own-limits, namespace: litellm}
spec: {limits: [{type: Container, max: {memory: 16Gi}}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: own-budget, namespace: litellm}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: own}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: own-callers, namespace: litellm}
spec: {podSelector: {matchLabels: {app.kubernetes.io/name: litellm}}, ingress: [{ports: [{port: 4000, protocol: TCP}]}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: own-files, namespace: litellm}
binaryData: {own.bin: b3du}
"""
# what operators make of it
MADE = """
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: own-keys, namespace: litellm}
spec:
  refreshInterval: 1h
  secretStoreRef: {kind: ClusterSecretStore, name: own}
  target: {name: own-keys, creationPolicy: Owner, deletionPolicy: Retain}
  data:
    - secretKey: OWN_KEY
      remoteRef: {key: own/litellm, property: api_key}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: own-tls, namespace: litellm}
spec:
  secretName: own-tls
  duration: 2160h
  renewBefore: 360h
  privateKey: {algorithm: ECDSA, size: 256}
  usages: [server auth]
  dnsNames: [chat.example.com]
  issuerRef: {kind: ClusterIssuer, name: own}
---
apiVersion: kyverno.io/v1
kind: Policy
metadata: {name: own-policy, namespace: litellm}
spec: {rules: [{name: own, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {message: own, pattern: {}}}]}
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: own-db, namespace: litellm}
spec:
  instances: 3
  imageName: ghcr.io/cloudnative-pg/postgresql:17.5
  storage: {size: 1Gi}
  postgresql: {parameters: {max_connections: "200"}}
  backup: {retentionPolicy: 30d}
  monitoring: {enablePodMonitor: true}
---
apiVersion: postgresql.cnpg.io/v1
kind: ScheduledBackup
metadata: {name: own-backup, namespace: litellm}
spec: {schedule: 0 0 2 * * *, cluster: {name: own-db}}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: own-pods, namespace: litellm}
spec: {selector: {matchLabels: {app: own}}, podMetricsEndpoints: [{port: own}]}
---
apiVersion: monitoring.coreos.com/v1alpha1
kind: AlertmanagerConfig
metadata: {name: own-alerts, namespace: litellm}
spec:
  route:
    receiver: slack
    repeatInterval: 1d
    routes: [{receiver: slack, muteTimeIntervals: [nights], groupWait: 30s}]
  receivers: [{name: slack, slackConfigs: [{apiURL: {name: own-hook, key: url}, sendResolved: true}]}]
  muteTimeIntervals: [{name: nights, timeIntervals: [{times: [{startTime: "22:00", endTime: "24:00"}]}]}]
"""
# what a person lets in, or applies
APPLIED = """
apiVersion: rds.aws.m.upbound.io/v1beta1
kind: Instance
metadata: {name: own, namespace: own}
spec:
  managementPolicies: ["*"]
  forProvider: {region: eu-central-1, engine: postgres}
  providerConfigRef: {kind: ProviderConfig, name: own}
---
apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: {name: own, namespace: own}
spec: {endpoints: [{dnsName: own.example.com, recordType: CNAME, recordTTL: 300, targets: [lb.example.net]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: own, namespace: own}
spec: {hosts: [own], http: [{route: [{destination: {host: own, port: {number: 80}}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: own, namespace: own}
spec: {rules: [{to: [{operation: {ports: ["4000"]}}]}]}
"""


def own(*changes: tuple[str, str], text: str = "") -> Edit:
    """The objects of which one has these changes, in a cluster or beside it."""
    for old, new in changes:
        text = text or next(each for each in (BESIDE, MADE, APPLIED) if old in each)
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times there"
        text = text.replace(old, new)
    if text.startswith(APPLIED[:40]):
        return write("apps/own.yaml", text)
    return together(append_item(LIST, ("resources",), "own.yaml"), write(OWN, text))


def declared(name: str, keys: str) -> Edit:
    """A Secret of others, in the owner's words."""
    line = f"secrets:\n  - {{name: {name}, keys: [{keys}], clusters: [aws], made_by: own}}"
    return together(change("policies/suite.yml", "secrets: []", line), add(("environmentSecrets",), [name]))


_SLIPS = {
    TOGETHER: (
        ("http://litellm:4000", "http://litellm:8000"),
        ("http://litellm:4000", "http://litellm-proxy:4000"),
        ("port: 4000}]}]\n", "port: 8080}]}]\n"),
        ("{name: litellm, port: 4000}", "{name: litellm-service, port: 4000}"),
        ("port: {name: http}", "port: {name: web}"),
        ("tls: [{hosts: [own-chat.", "tls: [{hosts: [own-caht."),
        ("hostname: own-chat.", "hostname: own-chats."),
        ("kind: Deployment, name: litellm}", "kind: Deployment, name: litellm-helm}"),
        ("apiVersion: apps/v1, kind", "apiVersion: extensions/v1beta1, kind"),
        ("authenticationRef: {name: own-login}", "authenticationRef: {name: redis}"),
        ('requests.cpu: "16"', 'requests.cpu: "1"'),
        ('pods: "40"', 'pods: "1"'),
        ("max: {memory: 16Gi}", "max: {memory: 2Gi}"),
        ("1, selector: {matchLabels: {app: own", "1, selector: {matchLabels: {app.kubernetes.io/name: litellm"),
        ("{allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}", "{privileged: true}"),
        ("restartPolicy: Never\n", "restartPolicy: Never\n          hostNetwork: true\n"),
        ("cluster: {name: own-db}", "cluster: {name: postgres}"),
        ("http://litellm:4000", "http://litellm"),
        ("http://litellm:4000", "https://litellm:4000"),
        ("{app.kubernetes.io/name: litellm}}, ingress", "{app: litellm}}, ingress"),
        ("4000, protocol: TCP", "4000, protocol: UDP"),
    ),
    NAMES: (("key: redis-password", "key: password"),),
    TAKES: (("own.bin: b3du", "own.bin: of-no-form"),),
    OPERATORS: (
        (", query: sum(up)", ""),
        ("query: sum(up)", "query: sum(up"),
        ("metricType: Utilization", "metricType: Percent"),
        ("scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: litellm}", "scaleTargetRef: litellm"),
        ("key: own/litellm, property", "property"),
        ("creationPolicy: Owner", "creationPolicy: Always"),
        ("    - secretKey: OWN_KEY\n      remoteRef: {", "    secretKey: OWN_KEY\n    remoteRef: {"),
        ("external-secrets.io/v1\n", "external-secrets.io/v1alpha1\n"),
        ("cert-manager.io/v1\n", "cert-manager.io/v1alpha2\n"),
        ("  secretName: own-tls\n", ""),
        ("renewBefore: 360h", "renewBefore: 2400h"),
        ("size: 256", "size: 2048"),
        ("[server auth]", "[server-auth]"),
        ("dnsNames: [chat", "dnsNames: [https://chat"),
        ("kinds: [Pod]", "kinds: Pod"),
        ("{name: own, match", "{match"),
        ("instances: 3", "instances: 0"),
        ("postgresql:17.5", "postgresql"),
        ('max_connections: "200"', "max_connections: 200"),
        ("retentionPolicy: 30d", "retentionPolicy: 30 days"),
        ("enablePodMonitor: true", 'enablePodMonitor: "true"'),
        ("podMetricsEndpoints", "endpoints"),
        ("[nights]", "[night]"),
        ("repeatInterval: 1d", "repeatInterval: 1 day"),
        ("forProvider", "forProviders"),
        ('managementPolicies: ["*"]', "managementPolicies: [Observed]"),
        ("recordType: CNAME", "recordType: cname"),
        ("recordTTL: 300", "recordTTL: 5m"),
        ("port: {number: 80}", "port: 80"),
        ('ports: ["4000"]', "ports: [4000]"),
    ),
    FIELDS: (
        ("apiURL", "apiUrl"),
        ("sendResolved", "sendResolve"),
        ('endTime: "24:00"', 'endTime: "6:00"'),
    ),
}
FAULTS: dict[str, Fault] = {
    f"{old.strip()}, as {new.strip()}": (rule, own((old, new))) for rule, slips in _SLIPS.items() for old, new in slips
}
FAULTS |= {
    "a Secret that gets another key than is declared": (
        TOGETHER,
        together(own(text=MADE), declared("own-keys", "OWN_API_KEY")),
    ),
    "a Secret that is sealed and declared": (
        "every_declaration_is_needed",
        change(
            "policies/suite.yml", "secrets: []", "secrets:\n  - {name: litellm-redis, clusters: [aws], made_by: own}"
        ),
    ),
    "a name that is gone from the list of Secrets": (
        "no_key_is_given_twice",
        substitute(POLICY, r"^  litellm-azure-auth:\n", "", 1),
    ),
}
HARMLESS: dict[str, Harmless] = {
    "what reaches the proxy": own(text=BESIDE),
    "what operators make": own(text=MADE),
    "what a person applies": own(text=APPLIED),
    "a Secret that is made as it is declared": together(own(text=MADE), declared("own-keys", "OWN_KEY")),
    "a Service of another's chart": own(
        ("http://litellm:4000", "http://litellm-proxy:9090"),
        ("apiVersion: apps/v1, kind: Deployment, name: litellm}", "kind: StatefulSet, name: litellm-cache}"),
    ),
    "other forms of a certificate": own(
        ("{algorithm: ECDSA, size: 256}", "{rotationPolicy: Always}"),
        ("  duration: 2160h\n", ""),
        ("[chat.example.com]", '["*.example.com"]'),
    ),
    "a usage of Crossplane": write(
        "apps/own.yaml",
        "apiVersion: protection.crossplane.io/v1beta1\nkind: Usage\nmetadata: {name: own, namespace: own}\n"
        "spec: {of: {apiVersion: v1, kind: ConfigMap, resourceRef: {name: own}}, reason: own}\n",
    ),
    "a trigger of another language": own(
        (
            '{type: prometheus, metadata: {serverAddress: "http://prometheus:9090", query: sum(up), threshold: "1"}}',
            "{type: datadog, metadata: {query: 'avg:own{*}', queryValue: \"1\"}}",
        ),
    ),
    "a second Service of the proxy": own(
        ("{name: litellm, port: 4000}", "{name: litellm-proxy, port: 80}"),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own-files",
            "apiVersion: v1\nkind: Service\nmetadata: {name: litellm-proxy, namespace: litellm}\n"
            "spec: {selector: {app.kubernetes.io/name: litellm}, ports: [{port: 80, targetPort: http}]}\n---\n"
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own-files",
        ),
    ),
    "a database by its digest": own(("postgresql:17.5", f"postgresql@sha256:{'a1' * 32}")),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_an_owner_adds_is_left_alone = accepted(HARMLESS)
