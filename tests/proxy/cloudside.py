"""The clouds' side, as the README of a rendered repository sets it up: its commands run, and what they say counts.

What the clouds trust here is nothing but that. So a README that tells its reader less, or something else, than what the
pod does ends in a refusal.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import tools
from tests.e2e.controlplane import ControlPlane
from tests.proxy.cloud_command import ACCOUNT
from tests.proxy.tokens import Trust

PROGRAM = Path(__file__).with_name("cloud_command.py")
_SECTION = re.compile(r"^## Identities\n(.*?)^\*\*Check", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^\*\*`([\w-]+)`: .*?^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DATABASE = re.compile(r":dbuser:cluster-of-([^/]+)/(\S+)\Z")
_PRINCIPAL = re.compile(
    r"SELECT pgaadauth_create_principal_with_oid\('(\w+)', 'principal-of-([0-9a-f-]+)', 'service', false, false\)"
)
_SUBJECT = re.compile(r"assertion\.sub=='([^']+)'")


@dataclass
class CloudSide:
    """What is set up."""

    issuers: dict[str, str] = field(default_factory=dict)  # that AWS knows -> the audience
    roles: dict[str, list[Trust]] = field(default_factory=dict)  # ARN -> whose tokens AWS takes for it
    actions: dict[str, list[str]] = field(default_factory=dict)  # name of a role -> what it may do
    associations: dict[str, str] = field(default_factory=dict)  # subject -> ARN, for the agent of EKS
    providers: dict[str, Trust] = field(default_factory=dict)  # workload identity provider -> whose tokens
    members: set[tuple[str, str, str]] = field(default_factory=set)  # project or account, role, member
    identities: dict[str, list[Trust]] = field(default_factory=dict)  # client id of Entra -> whose tokens
    users: set[tuple[str, str]] = field(default_factory=set)  # client id, endpoint
    connects: set[tuple[str, str, str]] = field(default_factory=set)  # ARN, host of a database, its user
    by_iam: set[tuple[str, str]] = field(default_factory=set)  # host of a database, user that logs in by IAM
    principals: set[tuple[str, str, str]] = field(default_factory=set)  # host, user, client id of Entra

    def learn(self, call: list[str]) -> None:
        """Take over what one call says."""
        words, given = _options(call)
        if words.startswith("aws "):
            self._aws(words, given)
        elif words.startswith("az "):
            self._azure(words, given)
        elif words.startswith("psql "):
            self._database(call)
        elif "providers create-oidc" in words:
            pool = f"projects/{ACCOUNT}/locations/{given['location']}/workloadIdentityPools"
            name = f"{pool}/{given['workload-identity-pool']}/providers/{words.rpartition(' ')[2]}"
            subject = _SUBJECT.fullmatch(given["attribute-condition"])
            assert subject, call
            assert given["attribute-mapping"] == "google.subject=assertion.sub", call
            self.providers[name] = Trust(given["issuer-uri"], subject[1], f"https://iam.googleapis.com/{name}")
        elif "add-iam-policy-binding" in words:
            self.members.add((words.rpartition(" ")[2], given["role"], given["member"]))

    def _aws(self, words: str, given: dict[str, str]) -> None:
        arn = f"arn:aws:iam::{ACCOUNT}:role{given.get('path', '/')}{given.get('role-name')}"
        match words.split(" ", 1)[1]:
            case "iam create-open-id-connect-provider":
                self.issuers[given["url"]] = given["client-id-list"]
            case "iam create-role":
                assert arn not in self.roles, f"{arn} is made twice"
                self.roles[arn] = self._trusts(given["assume-role-policy-document"])
            case "iam update-assume-role-policy":
                self.roles[arn] = self._trusts(given["policy-document"])
            case "iam put-role-policy":
                self._may(arn, json.loads(given["policy-document"])["Statement"])
            case "eks create-pod-identity-association":
                subject = f"system:serviceaccount:{given['namespace']}:{given['service-account']}"
                self.associations[subject] = given["role-arn"]

    def _may(self, arn: str, statements: list[dict[str, Any]]) -> None:
        for statement in statements:
            if statement["Action"] == "rds-db:connect":
                database = _DATABASE.search(statement["Resource"])
                assert database, statement
                self.connects.add((arn, database[1], database[2]))
            else:
                self.actions[arn] = statement["Action"]

    def _database(self, call: list[str]) -> None:
        host = dict(part.split("=") for part in call[1].split())["host"]
        commands = [value for name, value in pairwise(call) if name == "--command"]
        for command in commands:
            if found := re.fullmatch(r"GRANT rds_iam TO (\S+)", command):
                assert f"CREATE ROLE {found[1]} LOGIN" in commands
                self.by_iam.add((host, found[1]))
            if found := _PRINCIPAL.fullmatch(command):
                self.principals.add((host, found[1], found[2]))

    def _trusts(self, document: str) -> list[Trust]:
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html"""
        found = []
        for statement in json.loads(document)["Statement"]:
            if statement["Action"] == "sts:AssumeRoleWithWebIdentity":
                provider = statement["Principal"]["Federated"].partition(":oidc-provider/")[2]
                wanted = statement["Condition"]["StringEquals"]
                assert self.issuers[f"https://{provider}"] == wanted[f"{provider}:aud"]
                subjects = wanted[f"{provider}:sub"]
                for subject in [subjects] if isinstance(subjects, str) else subjects:
                    found.append(Trust(f"https://{provider}", subject, wanted[f"{provider}:aud"]))
        return found

    def _azure(self, words: str, given: dict[str, str]) -> None:
        match words:
            case "az identity federated-credential create":
                trust = Trust(given["issuer"], given["subject"], given["audiences"])
                self.identities.setdefault(given["identity-name"], []).append(trust)
            case "az role assignment create":
                assert given["role"] == "Cognitive Services OpenAI User"
                self.users.add((given["assignee"], given["scope"].removeprefix("/")))


def set_up(root: Path, at: Path, plane: ControlPlane | None = None) -> CloudSide:
    """Run the commands that README.md of a repository gives for its clusters, each of which is `plane`.

    Without one, each cluster has an issuer of its own, which is named like it.
    """
    calls, programs = at / "calls", at / "bin"
    programs.mkdir(parents=True)
    calls.touch()
    for name in ("aws", "az", "gcloud", "jq", "kubectl", "psql"):
        (programs / name).write_text(f"#!{sys.executable} -IS\n{PROGRAM.read_text('utf-8')}", "utf-8")
        (programs / name).chmod(0o700)
    env = {"PATH": f"{programs}{os.pathsep}{os.defpath}", "CALLS": str(calls)}
    if plane:
        env = {**plane.environment(), **env, "KUBECTL": str(tools.path("kubectl"))}
    section = _SECTION.search((root / "README.md").read_text("utf-8"))
    for cluster, block in _BLOCK.findall(section[1] if section else ""):
        env["ISSUER"] = f"https://{cluster}.example.com"
        done = subprocess.run(["bash", "-eu"], input=block, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    side = CloudSide()
    for line in calls.read_text("utf-8").splitlines():
        side.learn(json.loads(line))
    return side


def _options(call: list[str]) -> tuple[str, dict[str, str]]:
    """The words of a call, and its options, in both spellings."""
    words, given, rest = [], {}, iter(call)
    for word in rest:
        name, equals, value = word.partition("=")
        if not word.startswith("--"):
            words.append(word)
        else:
            given[name.removeprefix("--")] = value if equals else next(rest)
    return " ".join(words), given
