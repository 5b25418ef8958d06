"""Faults and edits of annotations, as the controllers of an Ingress read them."""

from __future__ import annotations

from tests.rules.test_exposure import (
    AGIC,
    ALB,
    NGINX,
    ON_AWS,
    ON_AZURE,
    ON_GCP,
    OTHERS,
    PATHS,
    SOME,
    TRAEFIK,
    note,
)
from tests.support.faults import GCP, Edit, Fault, drop, set_value, substitute, together
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

FORM, NEEDS = "the_controller_reads_every_annotation", "the_ingress_has_what_its_class_needs"
GKE, ORG, HAPROXY = "networking.gke.io", "nginx.org", "ingress.kubernetes.io"
ARN = "arn:aws:acm:eu-central-1:123456789012:certificate/own"


def agic(name: str, value: str) -> tuple[Edit, dict[str, object]]:
    """An annotation for Application Gateway."""
    return note(f"{AGIC}/{name}", value, ON_AZURE), OTHERS


FAULTS: dict[str, Fault] = {
    # forms
    "a certificate by its name alone": (FORM, note(f"{ALB}/certificate-arn", "own")),
    "a role for a certificate": (FORM, note(f"{ALB}/certificate-arn", "arn:aws:iam::123456789012:role/own")),
    "no code of success": (FORM, note(f"{ALB}/success-codes", "OK")),
    "codes of success without 200": (FORM, note(f"{ALB}/success-codes", "201,204")),
    "an interval with its unit": (FORM, note(f"{ALB}/healthcheck-interval-seconds", "15s")),
    "a threshold of one": (FORM, note(f"{ALB}/healthy-threshold-count", "1")),
    "a network that is none": (FORM, note(f"{ALB}/inbound-cidrs", "10.0.0.0/33")),
    "an action that is no JSON": (FORM, note(f"{ALB}/actions.own", "{type: redirect}")),
    "an attribute without a value": (
        NEEDS,
        note(f"{ALB}/load-balancer-attributes", "idle_timeout.timeout_seconds=600,deletion_protection"),
    ),
    "a switch that says yes": (FORM, note(f"{NGINX}/enable-cors", "yes", ON_AZURE)),
    "buffering that is true": (FORM, note(f"{NGINX}/proxy-buffering", "true", ON_AZURE)),
    "seconds with their unit": (FORM, note(f"{NGINX}/proxy-connect-timeout", "5s", ON_AZURE)),
    "a size in megabytes": (FORM, note(f"{NGINX}/client-body-buffer-size", "50MB", ON_AZURE)),
    "a limit in words": (FORM, note(f"{NGINX}/limit-rps", "ten", ON_AZURE)),
    "an affinity that says yes": (FORM, *agic("cookie-based-affinity", "yes")),
    "a probe in seconds": (FORM, *agic("health-probe-interval", "5s")),
    "codes of a probe": (FORM, *agic("health-probe-status-codes", "2xx")),
    "a priority in words": (FORM, note(f"{TRAEFIK}/router.priority", "high"), OTHERS),
    "a middleware of nobody": (FORM, note(f"{TRAEFIK}/router.middlewares", "own"), OTHERS),
    "a certificate that lasts for days": (FORM, note("cert-manager.io/duration", "90d", ON_AZURE)),
    # what the proxy is not
    "targets that are asked by TLS": (FORM, note(f"{ALB}/backend-protocol", "HTTPS")),
    "a health check of another port": (FORM, note(f"{ALB}/healthcheck-port", "8080")),
    "nginx that asks by TLS": (FORM, note(f"{NGINX}/backend-protocol", "HTTPS", ON_AZURE)),
    "TLS that is passed through": (FORM, note(f"{NGINX}/ssl-passthrough", "true", ON_AZURE)),
    "all that is called elsewhere": (FORM, note(f"{NGINX}/permanent-redirect", "https://example.com", ON_AZURE)),
    "paths that are lost": (FORM, note(f"{NGINX}/rewrite-target", "/", ON_AZURE)),
    "a gateway that asks by TLS": (FORM, *agic("backend-protocol", "https")),
    "a path before all": (FORM, *agic("backend-path-prefix", "/litellm/")),
    "Traefik that asks by TLS": (FORM, note(f"{TRAEFIK}/service.serversscheme", "https"), OTHERS),
    "TLS that nothing listens for": (FORM, note(f"{ALB}/ssl-redirect", "8443")),
    "a redirect that says yes": (NEEDS, note(f"{ALB}/ssl-redirect", "true")),
    "ports that are text": (NEEDS, note(f"{ALB}/listen-ports", '[{"HTTPS": "443"}]')),
    "two issuers": (FORM, note("cert-manager.io/issuer", "own", ON_AZURE)),
    "a number of milliseconds": (NEEDS, note(f"{HAPROXY}/timeout-server", "600"), SOME),
    "a login without its scheme": (FORM, note(f"{NGINX}/auth-url", "auth.example.com", ON_AZURE)),
    "longer than the gateway takes": (NEEDS, *agic("connection-draining-timeout", "7200")),
    "a check of AWS that outlasts its interval": (FORM, note(f"{ALB}/healthcheck-timeout-seconds", "20")),
    "a check of Azure that outlasts its interval": (FORM, *agic("health-probe-timeout", "60")),
    "a group with a space": (FORM, note(f"{ALB}/group.name", "AI Shared")),
    "tags with a colon": (FORM, note(f"{ALB}/tags", "team:ai")),
    "an affinity that is none": (FORM, note(f"{NGINX}/affinity", "cookies", ON_AZURE)),
    "codes that nobody well answers": (FORM, *agic("health-probe-status-codes", "404")),
    "an entry point that is misspelt": (NEEDS, note(f"{TRAEFIK}/router.entrypoints", "websecur"), OTHERS),
    "an entry point in other letters": (NEEDS, note(f"{TRAEFIK}/router.entrypoints", "WebSecure"), OTHERS),
    "what GKE reads of the Service alone": (
        FORM,
        note("cloud.google.com/backend-config", '{"default": "litellm"}', ON_GCP),
        SOME,
    ),
    "what GKE reads of the Service, moved": (
        NEEDS,
        together(
            note("cloud.google.com/backend-config", '{"default": "litellm"}', ON_GCP),
            drop(GCP, "cloud.google.com/backend-config"),
        ),
        SOME,
    ),
    # names
    "a name without its end": (FORM, note(f"{ALB}/healthcheck-timeout", "5")),
    "an address without its end": (FORM, note("kubernetes.io/ingress.global-static-ip", "own", ON_GCP), SOME),
    "a name with two letters less": (FORM, note(f"{NGINX}/allow-source-range", "10.0.0.0/8", ON_AZURE)),
    "an issuer that is misspelt": (
        "the_ingress_is_the_answered_one",
        substitute(ON_AZURE, "cert-manager.io/cluster-issuer", "cert-manager.io/clusterissuer"),
    ),
    "a misspelt name beside the right one": (FORM, note(f"{ALB}/healthcheck-paths", "/health/liveliness")),
    "a needed prefix that is misspelt": (NEEDS, substitute(ON_AWS, f"{ALB}/scheme", "alb.ingress.kubernets.io/scheme")),
    "a misspelt name": (FORM, note(f"{NGINX}/proxy-bufering", "off", ON_AZURE)),
    "a misspelt prefix": (FORM, note("nginx.ingress.kubernets.io/limit-rps", "10", ON_AZURE)),
    "a name that lacks a letter": (FORM, note(f"{GKE}/managed-certificate", "litellm", ON_GCP)),
    "a certificate that is not there": (FORM, note(f"{GKE}/managed-certificates", "litelm", ON_GCP), SOME),
    "a redirect that is not there": (FORM, note(f"{GKE}/v1beta1.FrontendConfig", "litelm", ON_GCP), SOME),
    "a needed name that is misspelt": (NEEDS, substitute(ON_AZURE, "proxy-read-timeout", "proxy-read-timeouts")),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Harmless] = {
    "two certificates": note(f"{ALB}/certificate-arn", f"{ARN},{ARN}"),
    "codes of success": note(f"{ALB}/success-codes", "200-299,304"),
    "networks": note(f"{ALB}/inbound-cidrs", "10.0.0.0/8, 192.168.0.0/16, 2001:db8::/32"),
    "an action": note(f"{ALB}/actions.own", '{"type": "fixed-response"}'),
    "tags, a group and its order": together(
        note(f"{ALB}/tags", "team=ai"), note(f"{ALB}/group.name", "shared"), note(f"{ALB}/group.order", "-10")
    ),
    "a health check of the proxy's port": note(f"{ALB}/healthcheck-port", "http"),
    "a size in gigabytes": note(f"{NGINX}/proxy-body-size", "1g", ON_AZURE),
    "streams at once": note(f"{NGINX}/proxy-buffering", "off", ON_AZURE),
    "a limit for each address": note(f"{NGINX}/limit-rps", "10", ON_AZURE),
    "a cookie that ends": note(f"{NGINX}/session-cookie-expires", "-1", ON_AZURE),
    "a snippet": note(f"{NGINX}/configuration-snippet", "more_set_headers 'X: y';", ON_AZURE),
    "addresses that may call": note(f"{NGINX}/whitelist-source-range", "10.0.0.0/8,192.0.2.1", ON_AZURE),
    "an entry point of one's own": (note(f"{TRAEFIK}/router.entrypoints", "https"), OTHERS),
    "a check of AWS that is quicker than its interval": together(
        note(f"{ALB}/healthcheck-timeout-seconds", "9"), note(f"{ALB}/healthcheck-interval-seconds", "10")
    ),
    "the older name of an annotation of GKE": (
        substitute(GCP, "cloud.google.com/backend-config:", "beta.cloud.google.com/backend-config:"),
        SOME,
    ),
    "an annotation that nobody here knows": note(f"{NGINX}/of-a-newer-release", "x", ON_AZURE),
    "seconds without a unit": (note(f"{ORG}/proxy-read-timeout", "900", ON_AZURE), SOME),
    "ports and a redirect of F5's": (
        together(
            note(f"{ORG}/listen-ports-ssl", "443,8443", ON_AZURE), note(f"{ORG}/http-redirect-code", "307", ON_AZURE)
        ),
        SOME,
    ),
    "all addresses but some": (note(f"{HAPROXY}/allowlist-source-range", "10.0.0.0/8,!10.1.0.0/16"), SOME),
    "an address of one's own": (note("kubernetes.io/ingress.global-static-ip-name", "own", ON_GCP), SOME),
    "a second certificate of Google": (note(f"{GKE}/managed-certificates", "litellm,own", ON_GCP), SOME),
    "a probe of one's own": agic("health-probe-interval", "10"),
    "a middleware of one's own": (note(f"{TRAEFIK}/router.middlewares", "litellm-own@kubernetescrd"), OTHERS),
    "another time for HAProxy": (note(f"{HAPROXY}/timeout-client", "15m"), SOME),
    "a part of the path that is kept": together(
        note(f"{NGINX}/use-regex", "true", ON_AZURE),
        note(f"{NGINX}/rewrite-target", "/v1/$1", ON_AZURE),
        set_value(ON_AZURE, (*PATHS, 5, "path"), "/own/(.*)"),
        set_value(ON_AZURE, (*PATHS, 5, "pathType"), "ImplementationSpecific"),
    ),
    "a certificate for longer": note("cert-manager.io/duration", "2160h", ON_AZURE),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
