"""Faults and edits of how the proxy is reached from outside of its cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litellm_gitops.charts import CHARTS
from tests.support.answers import ENVIRONMENTS, answers, everything
from tests.support.faults import (
    AZURE,
    CHART,
    GCP,
    SHARED,
    SUITE,
    Edit,
    Fault,
    Several,
    add,
    append_item,
    delete,
    drop,
    insert,
    remove,
    set_value,
    substitute,
    swap,
    together,
    write,
)
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

ON_AWS, ON_GCP, ON_AZURE = (f"clusters/{environment}/exposure.yaml" for environment in ENVIRONMENTS)
CLUSTER = "clusters/aws/kustomization.yaml"
NOTES, SPEC = ("metadata", "annotations"), ("spec",)
PATHS, MATCHES = (*SPEC, "rules", 0, "http", "paths"), (*SPEC, "rules", 0, "matches")
ROUTE = (*SPEC, "rules", 0)

EXPOSED, DOMAIN = "the_proxy_is_exposed_as_answered", "every_domain_is_the_answered_one"
ANSWERED, NEEDS = "the_ingress_is_the_answered_one", "the_ingress_has_what_its_class_needs"
OPEN, LEADS = "management_is_not_reached_from_outside", "every_way_in_leads_to_the_proxy"
KNOWN, REFUSED = "the_engine_knows_every_field", "the_api_server_takes_every_manifest"
PARENT, GATEWAY = "the_route_is_on_the_answered_gateway", "the_route_has_what_its_gateway_needs"
ALB = "alb.ingress.kubernetes.io"
OWN, GATE = "the_chart_makes_no_ingress_of_its_own", "a_new_pod_is_ready_when_its_load_balancer_calls_it"
NAMESPACE, INJECT = "clusters/aws/namespace.yaml", ("metadata", "labels", "elbv2.k8s.aws/pod-readiness-gate-inject")
AUTO_MODE = ("metadata", "labels", "eks.amazonaws.com/pod-readiness-gate-inject")


def ingress(aws: str, gcp: str, azure: str) -> dict[str, Any]:
    """An Ingress of these classes, without an issuer."""
    classes = {"aws_ingress_class": aws, "gcp_ingress_class": gcp, "azure_ingress_class": azure}
    return everything(**classes, tls_cluster_issuer="")


# with an issuer, `alb`, `gce` and AKS's own; the rest without one
SOME = ingress("haproxy", "gce", "nginx")
OTHERS = ingress("traefik", "gce-internal", "azure-application-gateway")
NOTHING = everything(exposure="none")
NEW = CHARTS["litellm"]
HOSTS = {f"{environment}_database_host": "db.example.internal" for environment in ENVIRONMENTS}
NEW_CHART = everything(chart="litellm", aws_ingress_class="kong", **HOSTS)
GATEWAYS = everything(
    exposure="gateway",
    aws_gateway="gateways/public/https",
    gcp_gateway="gateways/public/https",
    azure_gateway="gateways/public",
)
WAY_IN = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {}
  namespace: litellm
spec:
  defaultBackend: {{service: {{name: litellm, port: {{number: 4000}}}}}}
"""


def beside(file: str, document: int, *place: str | int, value: Any) -> Edit:
    """Another value in the spec of one of the objects beside the Ingress or the route."""
    return set_value(file, (*SPEC, *place), value, document)


def note(name: str, value: str, file: str = ON_AWS) -> Edit:
    """Another value of an annotation of the Ingress."""
    return set_value(file, (*NOTES, name), value)


def no_note(name: str, file: str = ON_AWS) -> Edit:
    """An annotation of the Ingress less."""
    return remove(file, (*NOTES, name))


def path(path: str, service: str = "litellm", kind: str = "Prefix") -> Edit:
    """A further path of the Ingress."""
    backend = {"service": {"name": service, "port": {"number": 4000}}}
    return append_item(ON_AWS, PATHS, {"path": path, "pathType": kind, "backend": backend})


def alone(file: str) -> Edit:
    """The first document of a file without those beside it."""

    def apply(root: Path) -> None:
        write(file, (root / file).read_text("utf-8").partition("---\n")[0])(root)

    return apply


NGINX = "nginx.ingress.kubernetes.io"
AGIC = "appgw.ingress.kubernetes.io"
TRAEFIK = "traefik.ingress.kubernetes.io"

FAULTS: dict[str, Fault] = {
    "a type of path that a Gateway does not know": (
        KNOWN,
        substitute(ON_AWS, "type: PathPrefix", "type: Prefix", count=1),
        GATEWAYS,
    ),
    "ports that are no JSON": (NEEDS, set_value(ON_AWS, (*NOTES, f"{ALB}/listen-ports"), '[{"HTTPS": 443}')),
    "more time than the load balancer takes": (
        NEEDS,
        set_value(ON_AWS, (*NOTES, f"{ALB}/load-balancer-attributes"), "idle_timeout.timeout_seconds=8000"),
    ),
    "no Ingress": (EXPOSED, together(drop(CLUSTER, "exposure.yaml"), delete(ON_AWS))),
    "an Ingress of another name": (EXPOSED, set_value(ON_AWS, ("metadata", "name"), "proxy")),
    "no route": (
        EXPOSED,
        together(drop(CLUSTER, "exposure.yaml"), delete(ON_AWS)),
        GATEWAYS,
    ),
    "an Ingress that was not wanted": (
        EXPOSED,
        together(write(ON_AWS, WAY_IN.format("litellm")), append_item(CLUSTER, ("resources",), "exposure.yaml")),
        NOTHING,
    ),
    "values of two clusters swapped": (NEEDS, swap(GCP, AZURE)),
    "an Ingress of the chart": (OWN, add(CHART.ingress, {"enabled": True}, SHARED)),
    "a port in a host": (REFUSED, set_value(ON_AWS, (*SPEC, "rules", 0, "host"), "litellm.aws.example.com:443")),
    "two ways to say the class": (ANSWERED, note("kubernetes.io/ingress.class", "alb")),
    "a misspelt path": (LEADS, set_value(ON_AWS, (*PATHS, 0, "path"), "/v1/chat/completion")),
    "a pattern that is taken as written": (LEADS, set_value(ON_AWS, (*PATHS, 0, "path"), "/v1/chat/*")),
    # whose it is
    "another host": (DOMAIN, set_value(ON_AWS, (*SPEC, "rules", 0, "host"), "llm.aws.example.com")),
    "a certificate for another host": (DOMAIN, set_value(ON_GCP, (*SPEC, "tls", 0, "hosts", 0), "llm.gcp.example.com")),
    "a certificate of Google for another host": (
        DOMAIN,
        set_value(ON_GCP, (*SPEC, "domains", 0), "llm.gcp.example.com", 3),
        SOME,
    ),
    "a route for another host": (DOMAIN, set_value(ON_AWS, (*SPEC, "hostnames", 0), "llm.aws.example.com"), GATEWAYS),
    "another ingress class": (ANSWERED, set_value(ON_AZURE, (*SPEC, "ingressClassName"), "haproxy")),
    "no ingress class": (ANSWERED, remove(ON_AWS, (*SPEC, "ingressClassName"))),
    "a class where the controller reads an annotation": (
        ANSWERED,
        set_value(ON_GCP, (*SPEC, "ingressClassName"), "gce"),
    ),
    "another class in the annotation": (ANSWERED, note("kubernetes.io/ingress.class", "gce-internal", ON_GCP)),
    "another issuer": (ANSWERED, note("cert-manager.io/cluster-issuer", "another", ON_AZURE)),
    "no issuer": (ANSWERED, no_note("cert-manager.io/cluster-issuer", ON_GCP)),
    "no TLS": (ANSWERED, remove(ON_AZURE, (*SPEC, "tls"))),
    "a certificate without its Secret": (ANSWERED, remove(ON_GCP, (*SPEC, "tls", 0, "secretName"))),
    # where it leads
    "another port": (LEADS, set_value(ON_AWS, (*PATHS, 0, "backend", "service", "port", "number"), 80)),
    "another Service": (LEADS, set_value(ON_AWS, (*PATHS, 3, "backend", "service", "name"), "litelm")),
    "another port of a route": (LEADS, set_value(ON_AWS, (*ROUTE, "backendRefs", 0, "port"), 80), GATEWAYS),
    "all of the host": (OPEN, set_value(ON_AWS, (*PATHS, 0, "path"), "/")),
    "what no path takes": (
        OPEN,
        set_value(ON_AWS, ("spec", "defaultBackend"), {"service": {"name": "litellm", "port": {"number": 4000}}}),
    ),
    "all of the host by a pattern": (OPEN, path("/*", kind="ImplementationSpecific")),
    "all of a version": (OPEN, path("/v1")),
    "the user interface": (OPEN, path("/ui")),
    "the keys": (OPEN, path("/key/generate", kind="Exact")),
    "metrics": (OPEN, path("/metrics")),
    "all of the host by a route": (OPEN, set_value(ON_AWS, (*MATCHES, 0, "path", "value"), "/"), GATEWAYS),
    "all of the host by a route without matches": (OPEN, remove(ON_AWS, MATCHES), GATEWAYS),
    "the user interface by a route": (OPEN, append_item(ON_GCP, MATCHES, {"path": {"value": "/ui"}}), GATEWAYS),
    # the AWS Load Balancer Controller
    "targets that are nodes": (NEEDS, note(f"{ALB}/target-type", "instance")),
    "targets that nobody chose": (NEEDS, no_note(f"{ALB}/target-type")),
    "an unknown scheme": (NEEDS, note(f"{ALB}/scheme", "public")),
    "HTTP alone": (NEEDS, note(f"{ALB}/listen-ports", '[{"HTTP": 80}]')),
    "no redirect": (NEEDS, no_note(f"{ALB}/ssl-redirect")),
    "a health check that costs money": (NEEDS, note(f"{ALB}/healthcheck-path", "/health")),
    "no health check": (NEEDS, no_note(f"{ALB}/healthcheck-path")),
    "an idle timeout of a minute": (NEEDS, note(f"{ALB}/load-balancer-attributes", "idle_timeout.timeout_seconds=60")),
    "another attribute in the place of the timeout": (
        NEEDS,
        note(f"{ALB}/load-balancer-attributes", "routing.http2.enabled=true"),
    ),
    "a pod that goes at once": (
        NEEDS,
        note(f"{ALB}/target-group-attributes", "deregistration_delay.timeout_seconds=30"),
    ),
    "a proxy that waits longer than the load balancer": (
        NEEDS,
        Several(together(add(CHART.config, {"litellm_settings": {"request_timeout": 900}}), add(CHART.grace, 1000))),
    ),
    "pods that are ready before the load balancer calls them": (GATE, remove(NAMESPACE, INJECT)),
    "a gate that is not asked for": (GATE, set_value(NAMESPACE, INJECT, "disabled")),
    "pods that are ready before a Gateway calls them": (GATE, remove(NAMESPACE, INJECT), GATEWAYS),
    # the controller of GKE
    "no backend configuration at the Service": (
        NEEDS,
        remove(GCP, (CHART.name, *CHART.service_annotations, "cloud.google.com/backend-config")),
    ),
    "another backend configuration at the Service": (
        NEEDS,
        add(CHART.service_annotations, {"cloud.google.com/backend-config": '{"default": "own"}'}, GCP),
    ),
    "no backend configuration at the Service of the new chart": (
        NEEDS,
        remove(GCP, (NEW.name, *NEW.service_annotations, "cloud.google.com/backend-config")),
        NEW_CHART,
    ),
    "targets that are nodes on GKE": (
        NEEDS,
        add(CHART.service_annotations, {"cloud.google.com/neg": '{"ingress": false}'}, GCP),
    ),
    "no backend configuration": (NEEDS, set_value(ON_GCP, ("metadata", "name"), "own", 1)),
    "a backend that is cut off": (NEEDS, beside(ON_GCP, 1, "timeoutSec", value=30)),
    "a backend without a timeout": (NEEDS, remove(ON_GCP, (*SPEC, "timeoutSec"), 1)),
    "a backend that is not drained": (NEEDS, remove(ON_GCP, (*SPEC, "connectionDraining"), 1)),
    "a backend that is drained for five seconds": (
        NEEDS,
        beside(ON_GCP, 1, "connectionDraining", "drainingTimeoutSec", value=5),
    ),
    "a backend that is drained for longer than Google takes": (
        NEEDS,
        beside(ON_GCP, 1, "connectionDraining", "drainingTimeoutSec", value=7200),
    ),
    "a backend whose health is asked at the root": (
        NEEDS,
        beside(ON_GCP, 1, "healthCheck", "requestPath", value="/"),
    ),
    "no redirect on GKE": (NEEDS, beside(ON_GCP, 2, "redirectToHttps", "enabled", value=False)),
    "no front end": (NEEDS, no_note("networking.gke.io/v1beta1.FrontendConfig", ON_GCP)),
    **{
        f"a {kind} of another name": (
            NEEDS,
            substitute(ON_GCP, f"(kind: {kind}\nmetadata:\n  name: )litellm", r"\1litelm"),
            answers(["gcp"], ["bedrock"]),
        )
        for kind in ("FrontendConfig", "ManagedCertificate")
    },
    "HTTP beside an internal load balancer": (NEEDS, note("kubernetes.io/ingress.allow-http", "true", ON_GCP), OTHERS),
    "no certificate of an internal load balancer": (
        NEEDS,
        no_note("ingress.gcp.kubernetes.io/pre-shared-cert", ON_GCP),
        OTHERS,
    ),
    "no certificate of Google": (NEEDS, no_note("networking.gke.io/managed-certificates", ON_GCP), SOME),
    "a certificate of Google that is called otherwise": (
        NEEDS,
        set_value(ON_GCP, ("metadata", "name"), "own", 3),
        SOME,
    ),
    # nginx and AKS's own
    "requests of a megabyte": (NEEDS, note(f"{NGINX}/proxy-body-size", "1m", ON_AZURE)),
    "requests of nginx' own size": (NEEDS, no_note(f"{NGINX}/proxy-body-size", ON_AZURE)),
    "answers of a minute": (NEEDS, note(f"{NGINX}/proxy-read-timeout", "60", ON_AZURE)),
    "answers of no time": (NEEDS, note(f"{NGINX}/proxy-read-timeout", "10m", ON_AZURE)),
    "requests of a minute": (NEEDS, no_note(f"{NGINX}/proxy-send-timeout", ON_AZURE)),
    "HTTP that nobody asked for": (NEEDS, no_note(f"{NGINX}/force-ssl-redirect", ON_AZURE), SOME),
    # Application Gateway
    "answers of half a minute": (NEEDS, note(f"{AGIC}/request-timeout", "30", ON_AZURE), OTHERS),
    "health that is asked at the root": (NEEDS, no_note(f"{AGIC}/health-probe-path", ON_AZURE), OTHERS),
    "pods that are not drained": (NEEDS, note(f"{AGIC}/connection-draining", "false", ON_AZURE), OTHERS),
    "HTTP beside an application gateway": (NEEDS, note(f"{AGIC}/ssl-redirect", "false", ON_AZURE), OTHERS),
    "no certificate of an application gateway": (NEEDS, no_note(f"{AGIC}/appgw-ssl-certificate", ON_AZURE), OTHERS),
    # Traefik and HAProxy
    "the entry point in clear": (NEEDS, note(f"{TRAEFIK}/router.entrypoints", "web,websecure"), OTHERS),
    "a router without TLS": (NEEDS, no_note(f"{TRAEFIK}/router.tls"), OTHERS),
    "a server of a minute": (NEEDS, note("ingress.kubernetes.io/timeout-server", "1m"), SOME),
    # Gateways
    "another Gateway": (PARENT, set_value(ON_GCP, (*SPEC, "parentRefs", 0, "name"), "internal"), GATEWAYS),
    "a Gateway in another namespace": (PARENT, remove(ON_GCP, (*SPEC, "parentRefs", 0, "namespace")), GATEWAYS),
    "another listener": (PARENT, set_value(ON_AWS, (*SPEC, "parentRefs", 0, "sectionName"), "http"), GATEWAYS),
    "every listener": (PARENT, remove(ON_GCP, (*SPEC, "parentRefs", 0, "sectionName")), GATEWAYS),
    "a listener where none was answered": (
        PARENT,
        set_value(ON_AZURE, (*SPEC, "parentRefs", 0, "sectionName"), "http"),
        GATEWAYS,
    ),
    "targets of a Gateway that are nodes": (
        GATEWAY,
        beside(ON_AWS, 1, "defaultConfiguration", "targetType", value="instance"),
        GATEWAYS,
    ),
    "targets that are not drained": (
        GATEWAY,
        remove(ON_AWS, (*SPEC, "defaultConfiguration", "targetGroupAttributes"), 1),
        GATEWAYS,
    ),
    "targets that are drained for half a minute": (
        GATEWAY,
        beside(ON_AWS, 1, "defaultConfiguration", "targetGroupAttributes", 0, "value", value="30"),
        GATEWAYS,
    ),
    "a policy that does not drain": (GATEWAY, remove(ON_GCP, (*SPEC, "default", "connectionDraining"), 1), GATEWAYS),
    "targets of another Service": (
        GATEWAY,
        beside(ON_AWS, 1, "targetReference", "name", value="own"),
        GATEWAYS,
    ),
    "targets that are not there": (GATEWAY, set_value(ON_AWS, ("metadata", "name"), "own", 1), GATEWAYS),
    "timeouts that GKE refuses": (GATEWAY, set_value(ON_GCP, (*ROUTE, "timeouts"), {"request": "0s"}), GATEWAYS),
    "a policy of half a minute": (GATEWAY, beside(ON_GCP, 1, "default", "timeoutSec", value=30), GATEWAYS),
    "a policy for the Service of another": (
        GATEWAY,
        beside(ON_GCP, 1, "targetRef", "name", value="own"),
        GATEWAYS,
    ),
    "a health check of a Gateway at the root": (
        GATEWAY,
        beside(ON_GCP, 2, "default", "config", "httpHealthCheck", "requestPath", value="/"),
        GATEWAYS,
    ),
    "no timeouts on AKS": (GATEWAY, remove(ON_AZURE, (*ROUTE, "timeouts")), GATEWAYS),
    "timeouts that cut a stream off": (
        GATEWAY,
        set_value(ON_AZURE, (*ROUTE, "timeouts", "request"), "600s"),
        GATEWAYS,
    ),
    "a health check on AKS that costs money": (
        GATEWAY,
        beside(ON_AZURE, 1, "default", "http", "path", value="/health"),
        GATEWAYS,
    ),
}

EXCEPTION = {"rule": OPEN, "file": ON_AWS, "reason": "the user interface is behind a VPN"}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Harmless] = {
    "a page for what no path takes": set_value(
        ON_AWS, ("spec", "defaultBackend"), {"service": {"name": "sorry", "port": {"number": 80}}}
    ),
    "an hour, and more attributes": set_value(
        ON_AWS,
        (*NOTES, f"{ALB}/load-balancer-attributes"),
        "idle_timeout.timeout_seconds=3600,deletion_protection.enabled=true",
    ),
    "a load balancer of the private network": add(
        CHART.service,
        {"type": "LoadBalancer", "annotations": {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"}},
    ),
    "an annotation of their own": note("example.com/own", "x"),
    "a load balancer that faces the internet": note(f"{ALB}/scheme", "internet-facing"),
    "the gate of EKS Auto Mode": together(remove(NAMESPACE, INJECT), set_value(NAMESPACE, AUTO_MODE, "enabled")),
    "no gate of AWS beside an Envoy Gateway": (
        together(set_value(ON_AWS, (*ROUTE, "timeouts"), {"request": "0s"}), alone(ON_AWS), remove(NAMESPACE, INJECT)),
        GATEWAYS,
    ),
    "HTTPS alone": note(f"{ALB}/listen-ports", '[{"HTTPS": 443}]'),
    "a certificate by its name": note(
        f"{ALB}/certificate-arn", "arn:aws:acm:eu-central-1:123456789012:certificate/own"
    ),
    "more time, and another attribute": note(
        f"{ALB}/load-balancer-attributes", "routing.http2.enabled=true,idle_timeout.timeout_seconds=1200"
    ),
    "a health check of readiness": note(f"{ALB}/healthcheck-path", "/health/readiness"),
    "a second host": insert(ON_AWS, (*SPEC, "rules", 0), {"host": "llm.example.com"}),
    "a further path that models are called by": path("/v1/moderations"),
    "a provider's own path": path("/bedrock"),
    "a path to another Service": path("/", "portal"),
    "a path less": remove(ON_AWS, (*PATHS, 5)),
    "the port by its name": set_value(ON_AWS, (*PATHS, 0, "backend", "service", "port"), {"name": "http"}),
    "the user interface, since the owner says so": together(
        path("/ui"), append_item(SUITE, ("exceptions",), EXCEPTION)
    ),
    "a further Ingress, for the user interface": together(
        write("clusters/aws/own.yaml", WAY_IN.format("own")),
        append_item(CLUSTER, ("resources",), "own.yaml"),
    ),
    "another way in, where none was wanted": (
        together(
            write("clusters/aws/own.yaml", WAY_IN.format("own")),
            append_item(CLUSTER, ("resources",), "own.yaml"),
        ),
        NOTHING,
    ),
    "bigger requests, without a limit": note(f"{NGINX}/proxy-body-size", "0", ON_AZURE),
    "HTTP behind a load balancer that ends TLS": (note(f"{NGINX}/force-ssl-redirect", "false", ON_AZURE), SOME),
    "a certificate of their own on GKE": (
        together(
            no_note("networking.gke.io/managed-certificates", ON_GCP),
            note("ingress.gcp.kubernetes.io/pre-shared-cert", "own", ON_GCP),
        ),
        SOME,
    ),
    "a certificate in a Secret of their own": (
        together(
            no_note(f"{AGIC}/appgw-ssl-certificate", ON_AZURE),
            set_value(ON_AZURE, (*SPEC, "tls"), [{"hosts": ["litellm.azure.example.com"], "secretName": "own-tls"}]),
        ),
        OTHERS,
    ),
    "a timeout in minutes": (note("ingress.kubernetes.io/timeout-server", "15m"), SOME),
    "a class that nobody here knows": (note("example.com/own", "x"), NEW_CHART),
    "targets with another attribute": (
        insert(
            ON_AWS,
            (*SPEC, "defaultConfiguration", "targetGroupAttributes", 0),
            {"key": "load_balancing.algorithm.type", "value": "least_outstanding_requests"},
            1,
        ),
        GATEWAYS,
    ),
    "a backend that is drained for longer": beside(ON_GCP, 1, "connectionDraining", "drainingTimeoutSec", value=1800),
    "a second parent": (append_item(ON_AWS, (*SPEC, "parentRefs"), {"name": "mesh"}), GATEWAYS),
    "a Gateway of Envoy in the place of GKE's": (
        together(
            set_value(ON_GCP, (*ROUTE, "timeouts"), {"request": "0s"}),
            alone(ON_GCP),
        ),
        GATEWAYS,
    ),
    "a route by its own rule": (
        append_item(
            ON_AWS,
            (*SPEC, "rules"),
            {"matches": [{"path": {"value": "/"}}], "backendRefs": [{"name": "portal", "port": 80}]},
        ),
        GATEWAYS,
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
