"""A misspelt word is one finding, where it stands: of what is wrong because of it, no other rule speaks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.answers import everything
from tests.support.faults import AWS, CHART, GCP, SHARED, Edit, add, append, at, set_value, substitute, together
from tests.support.findings import Copy, findings, report

SOURCE, ACCOUNT, LIST = (f"clusters/aws/{name}.yaml" for name in ("source", "account", "kustomization"))
SECRETS, EXPOSURE, RELEASE = (f"clusters/aws/{name}.yaml" for name in ("secrets", "exposure", "release/helmrelease"))
ROOT, APPLICATION = "clusters/aws/root.yaml", "clusters/aws/release.yaml"
WATCH, NETWORK = "clusters/aws/monitoring.yaml", "clusters/aws/network-policy.yaml"
WATCHED, NAMES = everything(metrics="prometheus_operator"), everything(network_policy="cilium")
ARGOCD, NEW = everything(gitops_engine="argocd"), everything(chart="litellm")

ENGINE, KUBERNETES = "the_engine_knows_every_field", "every_manifest_fits_the_schema_of_its_kind"
VALUES, POD = "the_values_fit_their_schema", "what_values_put_into_the_pod_fits_its_schema"
SECTION = "every_setting_stands_in_its_section"

# (rule, file, the word, how it is written, the answers)
_WORDS: list[tuple[str, str, str, str, dict[str, Any]]] = [
    *((ENGINE, SOURCE, word, wrong, everything()) for word, wrong in (("url", "urll"), ("interval", "intervall"))),
    *(
        (ENGINE, SECRETS, word, wrong, everything())
        for word, wrong in (("prune", "prunes"), ("sourceRef", "sourceref"))
    ),
    (ENGINE, RELEASE, "interval", "intervals", everything()),
    (ENGINE, LIST, "resources", "resource", everything()),
    (KUBERNETES, ACCOUNT, "roleRef", "roleref", everything()),
    *((KUBERNETES, EXPOSURE, "kind", wrong, everything()) for wrong in ("kin", "knid", "Kind")),
    *((KUBERNETES, EXPOSURE, "apiVersion", wrong, everything()) for wrong in ("ApiVersion", "apiVerrsion")),
    (KUBERNETES, WATCH, "kind", "knid", WATCHED),
    (ENGINE, NETWORK, "dns", "dsn", NAMES),
    ("every_name_is_valid", GCP, "cloud.google.com/neg", "Cloud.google.com/neg", NEW),
    ("every_name_is_valid", AWS, "eks.amazonaws.com/role-arn", "Eks.amazonaws.com/role-arn", NEW),
    (SECTION, SHARED, "disable_adding_master_key_hash_to_db", "disable_adding_matser_key_hash_to_db", everything()),
    (VALUES, SHARED, "replicaCount", "replicas", everything()),
    (KUBERNETES, ACCOUNT, "subjects", "subject", everything()),
    (KUBERNETES, ACCOUNT, "rules", "rule", everything()),
    (KUBERNETES, EXPOSURE, "rules", "rule", everything()),
    (KUBERNETES, "clusters/aws/namespace.yaml", "name", "nam", everything()),
    (ENGINE, ROOT, "repoURL", "repoUrl", ARGOCD),
    (ENGINE, APPLICATION, "destination", "destinations", ARGOCD),
    (ENGINE, APPLICATION, "project", "projects", ARGOCD),
    (ENGINE, LIST, "replacements", "replacement", ARGOCD),
    (VALUES, SHARED, "masterkeySecretName", "masterKeySecretName", everything()),
    (VALUES, SHARED, "db", "database", everything()),
    (VALUES, SHARED, "migrationJob", "migrationsJob", everything()),
    (VALUES, SHARED, "image", "images", everything()),
    (VALUES, SHARED, "proxy_config", "proxyConfig", everything()),
    (SECTION, SHARED, "general_settings", "general_setting", everything()),
    (VALUES, SHARED, "extraEnvVars", "extraEnv", everything()),
    (VALUES, SHARED, "serviceAccount", "serviceaccount", everything()),
    (VALUES, SHARED, "terminationGracePeriodSeconds", "terminationGracePeriod", everything()),
    *(
        (VALUES, AWS, word, wrong, everything())
        for word, wrong in (
            ("envVars", "envVar"),
            ("environmentSecrets", "environmentSecret"),
            ("volumes", "volume"),
            ("volumeMounts", "volumesMounts"),
        )
    ),
    (POD, AWS, "subPath", "subpath", everything()),
    (POD, AWS, "readOnly", "readonly", everything()),
    *(
        (VALUES, AWS, word, wrong, NEW)
        for word, wrong in (
            ("gateway", "gateways"),
            ("envSecrets", "envSecret"),
            ("extraEnv", "extraEnvs"),
            ("host", "hots"),
        )
    ),
]


def own(content: str) -> Edit:
    """An object of the owner's own, which Flux applies."""
    head, _, spec = content.partition(" spec: ")
    api_version, kind = head.split(" ")
    text = f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: own, namespace: litellm}}\nspec: {spec}\n"
    return append("clusters/aws/flux-setup/own.yaml", text)


OPERATORS = {
    "monitoring.coreos.com/v1 ServiceMonitor spec: {selectors: {}, endpoints: [{port: http}]}",
    "cilium.io/v2 CiliumNetworkPolicy spec: {endpointSelector: {}, egres: [{toPorts: []}]}",
    "image.toolkit.fluxcd.io/v1 ImagePolicy spec: {imageRepositoryRef: {name: own}, policy: {semver: {rnge: '>=1'}}}",
}

# (its rule, the file that is told, the edit, the answers)
FAULTS: dict[str, tuple[str, str, Edit, dict[str, Any]]] = {
    **{
        f"{wrong} in {file}": (rule, file, substitute(file, rf"^(\s*(?:- )?){word}:", rf"\1{wrong}:", 1), answers)
        for rule, file, word, wrong, answers in _WORDS
    },
    **{
        content: (ENGINE, "clusters/aws/flux-setup/own.yaml", own(content), everything())
        for content in sorted(OPERATORS)
    },
    # ----- a cluster's own value of another type, where the shared file has a good one -----
    "a grace as a text": (VALUES, AWS, set_value(AWS, at(CHART.grace), "630"), everything()),
    "a policy that does not exist": (
        VALUES,
        AWS,
        set_value(AWS, at(CHART.image, "pullPolicy"), "Allways"),
        everything(),
    ),
    "a switch as a text": (VALUES, GCP, set_value(GCP, at(CHART.disruption_budget, "enabled"), "true"), everything()),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=[*FAULTS])
def test_a_misspelt_word_is_told_once_where_it_stands(
    fault: tuple[str, str, Edit, dict[str, Any]], repository: Copy
) -> None:
    rule, file, edit, answers = fault
    root = repository(answers)
    edit(root)
    found = findings(root)
    assert [(each.code, each.file) for each in found] == [(rule, file)], report(found) or "nothing is found"


def test_another_fault_beside_a_misspelt_word_is_told_as_well(repository: Copy) -> None:
    root = repository(everything())
    together(
        substitute(AWS, r"^  envVars:", "  envVar:"),
        add(CHART.volumes, [{"name": "cache", "configMap": {"name": "own", "defaultMode": "0440"}}]),
    )(root)
    assert sorted(each.code for each in findings(root)) == sorted([VALUES, POD])


def test_what_is_wrong_in_what_is_misspelt_is_told_once_that_is_mended(repository: Copy) -> None:
    root = repository(everything())
    substitute(SHARED, r"^  masterkeySecretName: .*", "  masterKeySecretName: own")(root)
    (slip,) = findings(root)
    assert slip.code == VALUES
    substitute(SHARED, r"^  masterKeySecretName:", "  masterkeySecretName:")(root)
    (other,) = findings(root)
    assert (other.code, other.line) == ("the_chart_makes_no_secret_of_its_own", slip.line)


def test_a_word_that_the_owner_lets_pass_explains_nothing(repository: Copy) -> None:
    root = repository(everything())
    together(
        substitute(SHARED, r"^  masterkeySecretName:", "  masterKeySecretName:"),
        set_value("policies/suite.yml", ("exceptions",), [{"rule": VALUES, "file": SHARED, "reason": "own"}]),
    )(root)
    (found,) = findings(root)
    assert found.code == "the_chart_makes_no_secret_of_its_own"


def test_a_key_beside_the_one_that_was_meant_explains_nothing(repository: Copy) -> None:
    root = repository(everything())
    together(
        substitute(SHARED, r"^  masterkeySecretName: .*", "  masterkeySecretName: own\n  masterKeySecretName: own"),
    )(root)
    assert len(findings(root)) == 2, report(findings(root))
