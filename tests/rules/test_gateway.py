"""Faults and edits of the route to the proxy, and of the objects that clouds read beside it."""

from __future__ import annotations

from typing import Any

from tests.rules.test_exposure import CLUSTER, GATEWAYS, ON_AWS, ON_AZURE, ON_GCP, ROUTE, SOME, SPEC, beside
from tests.support.faults import Edit, Fault, append_item, set_value, substitute, together, write
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

KNOWN, REFUSED = "the_engine_knows_every_field", "the_api_server_takes_every_manifest"
SENDS, NEEDS = "the_route_sends_what_it_takes_to_the_proxy", "the_route_has_what_its_gateway_needs"
PARENT, LEADS = "the_route_is_on_the_answered_gateway", "every_way_in_leads_to_the_proxy"
INGRESS, SCHEMA = "the_ingress_has_what_its_class_needs", "every_manifest_fits_the_schema_of_its_kind"
BACKEND, CHECK = (*ROUTE, "backendRefs", 0), ("defaultConfiguration", "healthCheckConfig")
REWRITE = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/"}}}
HEADER = "ResponseHeaderModifier"
CUTS = "no_policy_cuts_an_answer_off"
OF_GKE = {"config": {"type": "HTTP", "httpHealthCheck": {"requestPath": "/health/liveliness"}}}
OF_AWS = {"healthCheckPath": "/health/liveliness"}
IDLES = "{{loadBalancerAttributes: [{{key: idle_timeout.timeout_seconds, value: '{}'}}]}}"
IDLE = "[{key: idle_timeout.timeout_seconds, value: '600'}]"
POLICY = """
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: BackendTrafficPolicy
metadata: {{name: own, namespace: litellm}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: litellm}}]
  {}
"""
CLIENTS = """
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata: {{name: own, namespace: litellm}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: public}}]
  {}
"""
TIMES = """
apiVersion: alb.networking.azure.io/v1
kind: RoutePolicy
metadata: {{name: own, namespace: litellm}}
spec:
  targetRef: {{group: gateway.networking.k8s.io, kind: HTTPRoute, name: {}}}
  default: {{timeouts: {{routeTimeout: 60s}}}}
"""
BALANCER = """
apiVersion: gateway.k8s.aws/v1beta1
kind: LoadBalancerConfiguration
metadata: {{name: own, namespace: litellm}}
spec: {}
"""


def route(*place: str | int, value: Any, file: str = ON_AWS) -> Edit:
    """Another value in the first rule of the route."""
    return set_value(file, (*ROUTE, *place), value)


def policy(text: str, cluster: str = "aws") -> Edit:
    """A further object of a cluster."""
    listing = CLUSTER.replace("aws", cluster)
    return together(write(f"clusters/{cluster}/own.yaml", text), append_item(listing, ("resources",), "own.yaml"))


FAULTS: dict[str, Fault] = {
    # the route
    "a field that a route has not": (KNOWN, set_value(ON_AWS, (*SPEC, "host"), "litellm.aws.example.com"), GATEWAYS),
    "a port in quotes": (KNOWN, set_value(ON_AWS, (*BACKEND, "port"), "4000"), GATEWAYS),
    "a path without its slash": (REFUSED, route("matches", 0, "path", "value", value="v1/models"), GATEWAYS),
    "a method in lower case": (KNOWN, route("matches", 0, "method", value="post"), GATEWAYS),
    "a time that is a number": (KNOWN, route("timeouts", "request", value=600, file=ON_AZURE), GATEWAYS),
    "a time in words": (KNOWN, route("timeouts", "request", value="10 minutes", file=ON_AZURE), GATEWAYS),
    "a try that is longer than the whole": (
        REFUSED,
        route("timeouts", value={"request": "1200s", "backendRequest": "3600s"}, file=ON_AZURE),
        GATEWAYS,
    ),
    "a filter without its content": (REFUSED, route("filters", value=[{"type": "RequestHeaderModifier"}]), GATEWAYS),
    "a filter that does not exist": (KNOWN, route("filters", value=[{"type": "Rewrite"}]), GATEWAYS),
    "no share of the requests": (SENDS, set_value(ON_AWS, (*BACKEND, "weight"), 0), GATEWAYS),
    "a share below nothing": (KNOWN, set_value(ON_AWS, (*BACKEND, "weight"), -1), GATEWAYS),
    "every path to one": (SENDS, route("filters", value=[REWRITE]), GATEWAYS),
    "a second Service that is misspelt": (
        "what_an_owner_adds_fits_together",
        append_item(ON_AWS, (*ROUTE, "backendRefs"), {"name": "litelm", "port": 4000}),
        GATEWAYS,
    ),
    "a Service elsewhere": (LEADS, set_value(ON_AWS, (*BACKEND, "namespace"), "default"), GATEWAYS),
    "a parent of another kind": (PARENT, set_value(ON_AWS, (*SPEC, "parentRefs", 0, "kind"), "Service"), GATEWAYS),
    "a kind in other letters": (SCHEMA, substitute(ON_AWS, "kind: HTTPRoute", "kind: HttpRoute"), GATEWAYS),
    # beside it
    "a misspelt group": (SCHEMA, substitute(ON_AZURE, "alb.networking.azure.io", "alb.networking.azure.com"), GATEWAYS),
    "a content that is misspelt": (
        KNOWN,
        beside(ON_GCP, 2, "default", "config", "httpHealthcheck", value={"requestPath": "/"}),
        GATEWAYS,
    ),
    "a time in quotes": (KNOWN, beside(ON_GCP, 1, "default", "timeoutSec", value="3600"), GATEWAYS),
    "a policy for no Service": (NEEDS, beside(ON_GCP, 1, "targetRef", "kind", value="Deployment"), GATEWAYS),
    "a health check by TLS": (NEEDS, beside(ON_GCP, 2, "default", "config", "type", value="HTTPS"), GATEWAYS),
    "a health check elsewhere": (
        NEEDS,
        beside(ON_GCP, 2, "default", "config", "httpHealthCheck", "port", value=8080),
        GATEWAYS,
    ),
    "targets that are asked by TLS": (
        NEEDS,
        beside(ON_AWS, 1, "defaultConfiguration", "protocol", value="HTTPS"),
        GATEWAYS,
    ),
    "a protocol in lower case": (KNOWN, beside(ON_AWS, 1, *CHECK, "healthCheckProtocol", value="http"), GATEWAYS),
    "a port that is no text": (KNOWN, beside(ON_AWS, 1, *CHECK, "healthCheckPort", value=4000), GATEWAYS),
    "an interval that is a number": (KNOWN, beside(ON_AZURE, 1, "default", "interval", value=5), GATEWAYS),
    "codes that end before they begin": (
        REFUSED,
        beside(ON_AZURE, 1, "default", "http", "match", value={"statusCodes": [{"start": 299, "end": 200}]}),
        GATEWAYS,
    ),
    "a probe by TLS": (NEEDS, beside(ON_AZURE, 1, "default", "useTLS", value=True), GATEWAYS),
    "a version that never was": (
        SCHEMA,
        substitute(ON_AWS, "gateway.k8s.aws/v1beta1", "gateway.k8s.aws/v1alpha1"),
        GATEWAYS,
    ),
    "a policy of Envoy Gateway with a number": (
        KNOWN,
        policy(POLICY.format("timeout: {http: {requestTimeout: 600}}")),
        GATEWAYS,
    ),
    "a policy of Envoy Gateway, misspelt": (
        KNOWN,
        policy(POLICY.format("timeouts: {http: {requestTimeout: 0s}}")),
        GATEWAYS,
    ),
    "a load balancer of another scheme": (KNOWN, policy(BALANCER.format("{scheme: public}")), GATEWAYS),
    **{
        f"a policy of Envoy Gateway that cuts off: {text}": (CUTS, policy(POLICY.format(text)), GATEWAYS)
        for text in (
            "timeout: {http: {requestTimeout: 30s}}",
            "timeout: {http: {streamIdleTimeout: 1m}}",
            "timeout: {http: {maxStreamDuration: 5m}}",
            "retry: {numRetries: 2, perRetry: {timeout: 5s}}",
            "requestBuffer: {limit: 1Mi}",
        )
    },
    "a Gateway that cuts off": (CUTS, policy(CLIENTS.format("timeout: {http: {streamIdleTimeout: 10s}}")), GATEWAYS),
    "a policy of Azure that cuts off": (CUTS, policy(TIMES.format("litellm"), "azure"), GATEWAYS),
    "a load balancer that cuts off": (CUTS, policy(BALANCER.format(IDLES.format(60))), GATEWAYS),
    "a policy for no route": (
        CUTS,
        policy(POLICY.format("timeout: {http: {requestTimeout: 0s}}").replace("name: litellm}", "name: litelm}")),
        GATEWAYS,
    ),
    "a second rule that cuts off": (
        NEEDS,
        append_item(
            ON_AZURE,
            (*SPEC, "rules"),
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/v1/responses"}}],
                "timeouts": {"request": "30s"},
                "backendRefs": [{"name": "litellm", "port": 4000}],
            },
        ),
        GATEWAYS,
    ),
    "a mirror that is misspelt": (
        SENDS,
        route(
            "filters",
            value=[{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "litelm", "port": 4000}}}],
        ),
        GATEWAYS,
    ),
    "a check of GKE that outlasts its interval": (
        REFUSED,
        beside(ON_GCP, 2, "default", value={"timeoutSec": 30, "checkIntervalSec": 10, **OF_GKE}),
        GATEWAYS,
    ),
    "a check of GKE that outlasts any interval": (
        REFUSED,
        beside(ON_GCP, 2, "default", "timeoutSec", value=30),
        GATEWAYS,
    ),
    "a check of GKE of a fixed port that is missing": (
        REFUSED,
        beside(ON_GCP, 2, "default", "config", "httpHealthCheck", "portSpecification", value="USE_FIXED_PORT"),
        GATEWAYS,
    ),
    "a check of AWS that outlasts its interval": (
        REFUSED,
        beside(ON_AWS, 1, *CHECK, value={**OF_AWS, "healthCheckInterval": 10, "healthCheckTimeout": 20}),
        GATEWAYS,
    ),
    "a check of AWS for what is not there": (
        NEEDS,
        beside(ON_AWS, 1, *CHECK, value={**OF_AWS, "matcher": {"httpCode": "404"}}),
        GATEWAYS,
    ),
    "targets that are asked by HTTP/2": (
        NEEDS,
        beside(ON_AWS, 1, "defaultConfiguration", "protocolVersion", value="HTTP2"),
        GATEWAYS,
    ),
    "an attribute twice": (
        REFUSED,
        append_item(
            ON_AWS,
            ("spec", "defaultConfiguration", "targetGroupAttributes"),
            {"key": "deregistration_delay.timeout_seconds", "value": "600"},
            1,
        ),
        GATEWAYS,
    ),
    "a check of Azure without a time": (REFUSED, beside(ON_AZURE, 1, "default", "interval", value="0s"), GATEWAYS),
    "a check of Azure for what is not well": (
        REFUSED,
        beside(ON_AZURE, 1, "default", "http", "match", value={"statusCodes": [{"start": 400, "end": 499}]}),
        GATEWAYS,
    ),
    # beside an Ingress
    "seconds in quotes": (KNOWN, beside(ON_GCP, 1, "timeoutSec", value="3600"), SOME),
    "a field that is misspelt": (KNOWN, substitute(ON_GCP, "timeoutSec:", "timeoutSecs:"), SOME),
    "a health check of GKE by TCP": (KNOWN, beside(ON_GCP, 1, "healthCheck", "type", value="TCP"), SOME),
    "a health check of GKE elsewhere": (INGRESS, beside(ON_GCP, 1, "healthCheck", "port", value=8080), SOME),
    "a check that outlasts its interval": (REFUSED, beside(ON_GCP, 1, "healthCheck", "timeoutSec", value=20), SOME),
    "a redirect in quotes": (KNOWN, beside(ON_GCP, 2, "redirectToHttps", "enabled", value="true"), SOME),
    "a certificate for all of a domain": (KNOWN, beside(ON_GCP, 3, "domains", 0, value="*.gcp.example.com"), SOME),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Harmless] = {
    "a header": (
        route(
            "filters",
            value=[
                {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "x", "value": "y"}]}}
            ],
        ),
        GATEWAYS,
    ),
    "a part for a new release": (
        route(
            "backendRefs",
            value=[{"name": "litellm", "port": 4000, "weight": 90}, {"name": "canary", "port": 4000, "weight": 10}],
        ),
        GATEWAYS,
    ),
    "a field that is still tried out": (route("retry", value={"attempts": 2, "codes": [503]}, file=ON_AZURE), GATEWAYS),
    "more time than needed": (
        route("timeouts", value={"request": "3600s", "backendRequest": "1800s"}, file=ON_AZURE),
        GATEWAYS,
    ),
    "the newer version of a kind": (substitute(ON_AWS, "gateway.k8s.aws/v1beta1", "gateway.k8s.aws/v1"), GATEWAYS),
    "a policy of Envoy Gateway": (
        policy(POLICY.format("timeout: {http: {requestTimeout: 0s}, tcp: {connectTimeout: 10s}}")),
        GATEWAYS,
    ),
    "a session as in other channels": (
        route("sessionPersistence", value={"sessionName": "own", "type": "Cookie"}, file=ON_AZURE),
        GATEWAYS,
    ),
    "a policy of Envoy Gateway with time enough": (
        policy(POLICY.format("timeout: {http: {requestTimeout: 1h, streamIdleTimeout: 15m}}")),
        GATEWAYS,
    ),
    "a policy of another route": (policy(TIMES.format("grafana"), "azure"), GATEWAYS),
    "a Gateway of one's own": (policy(CLIENTS.format("timeout: {http: {streamIdleTimeout: 1h}}")), GATEWAYS),
    "a short answer of another path": (
        append_item(
            ON_AZURE,
            (*SPEC, "rules"),
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/v1/files"}}],
                "timeouts": {"request": "30s"},
                "backendRefs": [{"name": "litellm", "port": 4000}],
            },
        ),
        GATEWAYS,
    ),
    "a check of GKE that is quicker than its interval": (
        beside(ON_GCP, 2, "default", value={"timeoutSec": 5, "checkIntervalSec": 15, **OF_GKE}),
        GATEWAYS,
    ),
    "a load balancer of one's own": (
        policy(
            BALANCER.format(
                "{scheme: internal, loadBalancerAttributes: [{key: idle_timeout.timeout_seconds, value: '600'}]}"
            )
        ),
        GATEWAYS,
    ),
    "a health check of one's own": (
        beside(
            ON_AWS,
            1,
            *CHECK,
            value={"healthCheckPath": "/health/readiness", "healthCheckInterval": 15},
        ),
        GATEWAYS,
    ),
    "a WAF of Google": (beside(ON_GCP, 1, "default", "securityPolicy", value="own"), GATEWAYS),
    "a second route": (
        policy(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: own, namespace: litellm}\n"
            "spec: {parentRefs: [{name: public, namespace: gateways}]}\n"
        ),
        GATEWAYS,
    ),
    "a login of Google": (
        beside(ON_GCP, 1, "iap", value={"enabled": True, "oauthclientCredentials": {"secretName": "own"}}),
        SOME,
    ),
    "another code of a redirect": (beside(ON_GCP, 2, "redirectToHttps", "responseCodeName", value="FOUND"), SOME),
    "another probe": (
        beside(ON_AZURE, 1, "default", "http", "match", value={"statusCodes": [{"start": 200, "end": 299}]}),
        GATEWAYS,
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
