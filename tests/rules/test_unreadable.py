"""Faults and edits of what no rule can be evaluated without."""

from __future__ import annotations

from tests.support.faults import ANSWERS, POLICY, Fault, append, change, delete, substitute
from tests.support.findings import UNREADABLE, found_by_its_rule_alone

FAULTS: dict[str, Fault] = {
    "no answers": (UNREADABLE, delete(ANSWERS)),
    "answers that are not YAML": (UNREADABLE, append(ANSWERS, "x: [\n")),
    "an environment that the matrix does not know": (
        UNREADABLE,
        change(ANSWERS, "cluster_environments:\n", "cluster_environments:\n- openshift\n"),
    ),
    "a method that its cell does not allow": (
        UNREADABLE,
        change(ANSWERS, "bedrock_auth_aws: irsa", "bedrock_auth_aws: entra_id"),
    ),
    "an engine that does not exist": (UNREADABLE, change(ANSWERS, "gitops_engine: flux", "gitops_engine: jenkins")),
    "a list of Secrets with a text where a list belongs": (
        UNREADABLE,
        substitute(POLICY, r"inputs: \[LITELLM_MASTER_KEY\]", "inputs: LITELLM_MASTER_KEY"),
    ),
    "a list of Secrets with a key of no source": (
        UNREADABLE,
        substitute(POLICY, r"masterkey: \{.*\}", "masterkey: generate"),
    ),
    "no list of Secrets": (UNREADABLE, delete(POLICY)),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
