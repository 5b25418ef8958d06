"""Faults and edits of what is sealed, and what must be."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pyrage
import pytest

from litellm_gitops.sealing import agreed
from tests.support.answers import answers, everything
from tests.support.faults import (
    ANSWERS,
    AWS,
    CHART,
    GCP,
    RULES,
    SHARED,
    SUITE,
    Edit,
    Fault,
    add,
    append,
    append_item,
    change,
    credential,
    delete,
    drop,
    encoded,
    git,
    insert,
    remove,
    set_value,
    substitute,
    together,
    write,
    write_bytes,
)
from tests.support.findings import Copy, accepted, codes, findings, found_by_its_rule_alone, report
from tests.support.sealed_store import SEALED_VALUE, joined, own_secret, plaintext, refresh, resealed, substituted

REDIS = "secrets/aws/litellm-redis.sops.yaml"
SALT = "secrets/gcp/litellm-salt-key.sops.yaml"
KMS_KEY = "arn:aws:kms:us-west-2:123456789012:alias/gitops"
STRANGER = str(pyrage.x25519.Identity.generate().to_public())
IDENTITY = "arn:aws:iam::123456789012:role/gitops-engine"
SMALL = answers(["gcp"], ["bedrock"])
_PEM = base64.b64encode(b"-----BEGIN PRIVATE " + b"KEY-----\nMIIEvQIBADAN").decode()
KMS = answers(["aws"], ["bedrock"], aws_kms_key=KMS_KEY, aws_kms_identity=IDENTITY)


def _each_sealed(pattern: str, replacement: str, cluster: str = "*") -> Edit:
    def apply(root: Path) -> None:
        for path in root.glob(f"secrets/{cluster}/*.sops.yaml"):
            substitute(path.relative_to(root).as_posix(), pattern, replacement)(root)
        refresh(root)

    return apply


RECIPIENT = "its own"  # in place of the recipient that the rule of a cluster has


def _committed(root: Path) -> None:
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "State")


def _in_place_of_the_keys(root: Path) -> None:
    git(root, "init", "--quiet")
    (root / "keys").symlink_to("clusters")
    git(root, "add", "--force", ".")


def _answer_more(root: Path) -> None:
    substitute(ANSWERS, r"^age_recipients:\n(- age1\w+)\n", rf"age_recipients:\n\1\n- {STRANGER}\n")(root)


def _agreed(cluster: str, *recipients: str) -> Edit:
    """What sealing writes once somebody agreed."""

    def apply(root: Path) -> None:
        (own,) = set(re.findall(r"age1\w{58}", (root / RULES).read_text("utf-8")))
        names = "".join(f"  - {own if each == RECIPIENT else each}\n" for each in recipients)
        write(agreed.AGREED, f"{cluster}:\n{names}")(root)

    return apply


OWN = {cluster: str(pyrage.x25519.Identity.generate().to_public()) for cluster in ("aws", "gcp", "azure")}


def _each_for_its_own(root: Path) -> None:
    """Another recipient for each cluster, in its files."""
    for cluster, own in OWN.items():
        _each_sealed(r"recipient: age1\w+", f"recipient: {own}", cluster)(root)


def _rules_of(*clusters: str) -> Edit:
    """The rules of all clusters, in their order, with the recipients of these."""
    return together(
        *(set_value(RULES, ("creation_rules", number, "age"), [OWN[each]]) for number, each in enumerate(clusters))
    )


def _in_base64(file: str) -> Edit:
    return lambda root: write(file, base64.encodebytes((root / file).read_bytes()).decode())(root)


FAULTS: dict[str, Fault] = {
    "a value in plaintext": ("every_value_of_every_secret_is_sealed", plaintext(REDIS)),
    "plaintext after a sealed value": (
        "every_value_of_every_secret_is_sealed",
        substituted(REDIS, SEALED_VALUE, lambda found: f"{found[0]} plain"),
    ),
    "a comment among the values": (
        "every_value_of_every_secret_is_sealed",
        resealed(REDIS, change(REDIS, "\nstringData:\n", "\nstringData:\n  # it was plain\n")),
    ),
    "another rule in a sealed file": (
        "every_secret_is_sealed_for_whom_its_rule_names",
        resealed(REDIS, change(REDIS, "encrypted_regex: ^(data|stringData)$", "encrypted_regex: ^data$")),
    ),
    "a data key that was cut": (
        "every_value_of_every_secret_is_sealed",
        substituted(REDIS, re.compile(r"\n        [A-Za-z0-9+/]{40,}"), lambda _: ""),
    ),
    "the whole Secret in an annotation": (
        "every_value_of_every_secret_is_sealed",
        resealed(
            REDIS,
            change(
                REDIS,
                "  namespace: litellm\n",
                "  namespace: litellm\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: |\n"
                '      {"kind":"Secret","stringData":{"redis-password":"example"}}\n',
            ),
        ),
    ),
    "a second Secret in a sealed file": (
        "every_value_of_every_secret_is_sealed",
        together(append(REDIS, "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: own\n"), refresh),
    ),
    "no message authentication code": (
        "every_value_of_every_secret_is_sealed",
        substituted(SALT, re.compile(r"  mac: .*\n"), lambda _: ""),
    ),
    "a Secret sealed for somebody else": (
        "every_secret_is_sealed_for_whom_its_rule_names",
        substituted(SALT, re.compile(r"recipient: age1\w{4}"), lambda _: "recipient: age1qqqq"),
    ),
    "a Secret that sops never saw": (
        "every_value_of_every_secret_is_sealed",
        substituted(REDIS, re.compile(r"\nsops:\n(?:.*\n)+"), lambda _: "\n"),
    ),
    "a Secret that is not sealed": (
        "no_secret_stands_outside_of_the_sealed_files",
        write("extra/secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: own\nstringData:\n  a: b\n"),
    ),
    "a Secret among the chart's own resources": (
        "no_secret_stands_outside_of_the_sealed_files",
        add(
            ("extraResources",),
            [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own"}, "stringData": {"a": "b"}}],
        ),
    ),
    "a Secret in a template of the chart": (
        "no_secret_stands_outside_of_the_sealed_files",
        write(
            "litellm/templates/secret.yaml",
            "kind: Secret\nmetadata:\n  name: {{ .Release.Name }}-own\nstringData:\n  a: {{ .Values.a }}\n  b: plain\n",
        ),
    ),
    "a Secret before a document that is broken": (
        "no_secret_stands_outside_of_the_sealed_files",
        write("extra/own.txt", "kind: Secret\nstringData:\n  a: plain\n---\na: [\n"),
    ),
    "a Secret in JSON, spelt otherwise": (
        "no_secret_stands_outside_of_the_sealed_files",
        together(
            write("clusters/aws/own.json", '{"kind": "\\u0053ecret", "data": {"a": "cGxhaW4="}}\n'),
            append_item("clusters/aws/kustomization.yaml", ("resources",), "own.json"),
        ),
    ),
    "a value in a patch of a Secret": (
        "no_secret_stands_outside_of_the_sealed_files",
        append(
            "secrets/aws/kustomization.yaml",
            "patches:\n  - patch: |-\n      apiVersion: v1\n      kind: Secret\n      metadata:\n"
            "        name: litellm-redis\n      stringData:\n        redis-password: plain\n",
        ),
    ),
    "a value in a JSON patch of a Secret": (
        "no_secret_stands_outside_of_the_sealed_files",
        append(
            "secrets/aws/kustomization.yaml",
            "patches:\n  - target:\n      kind: Secret\n"
            "    patch: '[{op: add, path: /data/redis-password, value: cGxhaW4=}]'\n",
        ),
    ),
    "a value in a file with a patch of a Secret": (
        "no_secret_stands_outside_of_the_sealed_files",
        together(
            write("extra/own.yaml", "- op: add\n  path: /data/redis-password\n  value: cGxhaW4=\n"),
            append(
                "secrets/aws/kustomization.yaml",
                "patches:\n  - path: ../../extra/own.yaml\n    target: {kind: Secret}\n",
            ),
        ),
    ),
    "a Secret that the release is changed to": (
        "no_secret_stands_outside_of_the_sealed_files",
        append(
            "clusters/aws/release/helmrelease.yaml",
            "  postRenderers:\n    - kustomize:\n        patches:\n          - patch: |\n"
            "              kind: Secret\n              stringData: {a: plain}\n",
        ),
    ),
    "a Secret as a text among the chart's own resources": (
        "no_secret_stands_outside_of_the_sealed_files",
        add(("extraResources",), ["kind: Secret\nstringData:\n  a: plain\n"]),
    ),
    "a Secret that Kustomize makes of plaintext elsewhere": (
        "no_secret_stands_outside_of_the_sealed_files",
        write("extra/own.txt", "secretGenerator:\n  - name: own\n    literals: [key=plain]\n"),
    ),
    "a plaintext Secret in a folder of no cluster": (
        "every_value_of_every_secret_is_sealed",
        write(
            "secrets/onprem/own.sops.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: own\nstringData:\n  a: plain\n",
        ),
    ),
    "a comment behind the values": (
        "every_value_of_every_secret_is_sealed",
        substituted(
            REDIS,
            re.compile(r"\n  (redis-password): (ENC.*)\n"),
            lambda found: f' {{{found[1]}: "{found[2]}"}} # it was plain\n',
        ),
    ),
    "a comment on a sealed Secret": (
        "every_value_of_every_secret_is_sealed",
        resealed(REDIS, change(REDIS, "apiVersion: v1\n", "# it was plain\napiVersion: v1\n")),
    ),
    "an alias in a sealed Secret": (
        "every_value_of_every_secret_is_sealed",
        resealed(
            REDIS,
            change(
                REDIS,
                "  namespace: litellm\n",
                "  namespace: litellm\n  labels: &own\n    team: ai\n  annotations: *own\n",
            ),
        ),
    ),
    "a ConfigMap among the sealed Secrets": (
        "every_value_of_every_secret_is_sealed",
        together(
            write(
                "secrets/aws/own.sops.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: own\n  namespace: litellm\n",
            ),
            together(append("secrets/aws/kustomization.yaml", "  - own.sops.yaml\n"), refresh),
        ),
    ),
    "no rules for sops": ("every_cluster_has_one_sound_creation_rule", delete(RULES)),
    "a rule that encrypts nothing": (
        "every_cluster_has_one_sound_creation_rule",
        substitute(RULES, r"encrypted_regex: .*", "encrypted_regex: ^secret$", 1),
    ),
    "a rule for every file before the others": (
        "every_cluster_has_one_sound_creation_rule",
        insert(RULES, ("creation_rules", 0), {"age": [STRANGER]}),
    ),
    "a rule without its cluster": (
        "every_cluster_has_one_sound_creation_rule",
        change(RULES, "^secrets/gcp/", "^secrets/google/"),
    ),
    "no rule at all": ("every_cluster_has_one_sound_creation_rule", set_value(RULES, ("creation_rules",), [])),
    "rules that are no YAML": ("every_cluster_has_one_sound_creation_rule", write(RULES, "a\n")),
    "a recipient with one wrong letter": (
        "every_cluster_has_one_sound_creation_rule",
        substitute(RULES, r"- (age1\w{10}).", r"- \1x", count=1),
    ),
    "a rule that takes other folders too": (
        "every_cluster_has_one_sound_creation_rule",
        change(RULES, "path_regex: ^secrets/azure/", "path_regex: secrets/azure/"),
    ),
    "a recipient that one rule lost": (
        "every_cluster_has_one_sound_creation_rule",
        set_value(RULES, ("creation_rules", 1, "age"), []),
    ),
    "values with a suffix that stay as they are": (
        "every_cluster_has_one_sound_creation_rule",
        set_value(RULES, ("creation_rules", 0, "unencrypted_suffix"), "_plain"),
    ),
    "two rules for one cluster": (
        "every_cluster_has_one_sound_creation_rule",
        append_item(RULES, ("creation_rules",), {"path_regex": r"^secrets/aws/.*\.sops\.ya?ml$", "age": []}),
    ),
    "a rule for one Secret alone": (
        "every_cluster_has_one_sound_creation_rule",
        insert(RULES, ("creation_rules", 0), {"path_regex": r"^secrets/aws/litellm-masterkey\.sops", "age": []}),
    ),
    "a misspelt field of a rule": (
        "every_cluster_has_one_sound_creation_rule",
        substitute(RULES, r"mac_only_encrypted: true\n", "mac_only: true\n", 1),
    ),
    "recipients that differ from the answers": (
        "the_recipients_are_those_of_the_answers",
        set_value(ANSWERS, ("age_recipients",), [STRANGER]),
    ),
    "a recipient more in one rule": (
        "every_secret_is_sealed_for_whom_its_rule_names",
        append_item(RULES, ("creation_rules", 0, "age"), STRANGER),
    ),
    "somebody else in place of the recipient of one rule": (
        "every_secret_is_sealed_for_whom_its_rule_names",
        set_value(RULES, ("creation_rules", 0, "age"), [STRANGER]),
    ),
    "somebody else in one rule, and in the files of its cluster": (
        "the_recipients_are_those_of_the_answers",
        together(
            set_value(RULES, ("creation_rules", 0, "age"), [STRANGER]),
            _each_sealed(r"recipient: age1\w+", f"recipient: {STRANGER}", "aws"),
        ),
    ),
    "the recipients of all clusters moved on by one": (
        "every_secret_is_sealed_for_whom_its_rule_names",
        together(
            remove(ANSWERS, ("age_recipients",)),
            _each_for_its_own,
            _rules_of("azure", "aws", "gcp"),
        ),
    ),
    "conflicting recipients": (
        "somebody_agreed_to_every_recipient",
        write(agreed.AGREED, f"<<<<<<< ours\naws:\n- {STRANGER}\n=======\n>>>>>>> theirs\n"),
    ),
    "conflicting rules": (
        "every_cluster_has_one_sound_creation_rule",
        substitute(RULES, r"^creation_rules:\n", "<<<<<<< ours\n=======\n>>>>>>> theirs\ncreation_rules:\n"),
    ),
    "a key of this clone that its rule does not name": (
        "every_secret_is_sealed_for_whom_its_rule_names",
        together(
            remove(ANSWERS, ("age_recipients",)),
            write("keys/aws.agekey", f"# public key: {STRANGER}\n"),
        ),
    ),
    "a recipient more where a key was made, in rule and files": (
        "somebody_agreed_to_every_recipient",
        together(remove(ANSWERS, ("age_recipients",)), joined("gcp", STRANGER, 1)),
    ),
    "a recipient to whom nobody agreed, beside others": (
        "somebody_agreed_to_every_recipient",
        together(
            remove(ANSWERS, ("age_recipients",)),
            _agreed("gcp", RECIPIENT),
            joined("gcp", STRANGER, 1),
        ),
    ),
    "somebody who lost his place in rule and files": (
        "somebody_agreed_to_every_recipient",
        together(remove(ANSWERS, ("age_recipients",)), _agreed("gcp", RECIPIENT, STRANGER)),
    ),
    "a cloud's key that nobody answered, where a key was made": (
        "somebody_agreed_to_every_recipient",
        together(
            remove(ANSWERS, ("age_recipients",)),
            change(RULES, f"kms: {KMS_KEY}", f"kms: {KMS_KEY},{KMS_KEY}-2"),
            _each_sealed(r"\n  kms:\n((?:    .*\n)+)", rf"\n  kms:\n\1    - arn: {KMS_KEY}-2\n      enc: AQICAHh=\n"),
        ),
        KMS,
    ),
    "a recipient more everywhere, without a data key": (
        "every_recipient_was_there_when_the_values_were_sealed",
        together(_committed, _answer_more, joined("gcp", STRANGER), _committed),
        SMALL,
    ),
    "a placeholder": (
        "no_placeholder_is_left",
        resealed(
            REDIS,
            change(
                REDIS,
                "  namespace: litellm\n",
                '  namespace: litellm\n  annotations:\n    litellm-gitops/placeholder: "true"\n',
            ),
        ),
    ),
    "an age key in Latin-1": (
        "no_credential_stands_in_plaintext",
        together(credential("age", "notes"), encoded("notes", "latin-1", "José\n")),
    ),
    "an age key in UTF-16": (
        "no_credential_stands_in_plaintext",
        together(credential("age", "notes"), encoded("notes", "utf-16")),
    ),
    "an archive of keys": (
        "no_credential_stands_in_plaintext",
        together(credential("age", "notes.tar"), encoded("notes.tar", "latin-1", "keys\0\0\1ü")),
    ),
    "a private key in base64": (
        "no_credential_stands_in_plaintext",
        together(credential("pem", "notes"), _in_base64("notes")),
    ),
    "a password of Redis in values": (
        "no_credential_stands_in_plaintext",
        add(("redis",), {"auth": {"password": "example"}}),
    ),
    "a password of PostgreSQL in values": (
        "no_credential_stands_in_plaintext",
        add(("postgresql",), {"auth": {"password": 8675309123}}),
    ),
    "a password in the address of the database": (
        "no_credential_stands_in_plaintext",
        change(SHARED, "  db:\n", "  db:\n    url: postgresql://litellm:example@db/litellm\n"),
    ),
    "a token in a container that runs before": (
        "no_credential_stands_in_plaintext",
        add(
            ("extraInitContainers",),
            [{"name": "own", "image": "own:1", "env": [{"name": "OWN_TOKEN", "value": "example"}]}],
        ),
    ),
    "a password of the user interface": (
        "no_credential_stands_in_plaintext",
        change(SHARED, "      disable_error_logs", "      ui_pass: example\n      disable_error_logs"),
    ),
    "a password of the mail server": (
        "no_credential_stands_in_plaintext",
        change(SHARED, "  proxy_config:\n", "  proxy_config:\n    environment_variables:\n      SMTP_PASS: example\n"),
    ),
    "an AWS key in the README": ("no_credential_stands_in_plaintext", credential("aws")),
    "a GitHub token in a script": ("no_credential_stands_in_plaintext", credential("github", "scripts/login.sh")),
    "an age key in a file of any name": ("no_credential_stands_in_plaintext", credential("age", "notes")),
    "a private key in values": ("no_credential_stands_in_plaintext", credential("pem", AWS)),
    "a key of the proxy in the compose file": (
        "no_credential_stands_in_plaintext",
        credential("proxy", "docker-compose.yaml"),
    ),
    "a key of the proxy in a variable": (
        "no_credential_stands_in_plaintext",
        add(CHART.variables, {"LITELLM_MASTER_KEY": "example"}, SHARED),
    ),
    "a password in the settings of the router": (
        "no_credential_stands_in_plaintext",
        change(SHARED, "redis_password: os.environ/REDIS_PASSWORD", "redis_password: example"),
    ),
    "a key in the settings of the proxy": (
        "no_credential_stands_in_plaintext",
        change(SHARED, "      json_logs: true", "      json_logs: true\n      api_key: example"),
    ),
    "a database in the settings of the proxy": (
        "no_credential_stands_in_plaintext",
        change(
            SHARED,
            "      disable_error_logs: true",
            "      disable_error_logs: true\n      database_url: postgresql://litellm:example@db/litellm",
        ),
    ),
    "a password in the compose file": (
        "no_credential_stands_in_plaintext",
        substitute("docker-compose.yml", r"POSTGRES_PASSWORD: .*", "POSTGRES_PASSWORD: example"),
    ),
    "a password in a variable": (
        "no_credential_stands_in_plaintext",
        add(CHART.variable_list, [{"name": "UI_PASSWORD", "value": "example"}], SHARED),
    ),
    "a sealed file where nothing reads it": (
        "nothing_unknown_lies_among_the_sealed_files",
        together(
            lambda root: write("secrets/aws/own/own.sops.yaml", (root / REDIS).read_text("utf-8"))(root),
            append("secrets/aws/kustomization.yaml", "  - own/own.sops.yaml\n"),
        ),
    ),
    "a sealed file in conflict": (
        "every_value_of_every_secret_is_sealed",
        append(REDIS, "<<<<<<< ours\n=======\n>>>>>>> theirs\n"),
    ),
    "a key in a file that is no Secret": (
        "nothing_unknown_lies_among_the_sealed_files",
        write("secrets/aws/key.json", "{}\n"),
    ),
    "a password in a URL": ("no_credential_stands_in_plaintext", credential("url", GCP)),
    "inputs that git would add": (
        "git_ignores_inputs_and_keys",
        together(drop(".gitignore", "/deployment_outputs.env"), drop(".gitignore", "*.env")),
    ),
    "a token that git would add": ("git_ignores_inputs_and_keys", drop(".gitignore", "access-token*")),
    "a token of one environment that git would add": (
        "git_ignores_inputs_and_keys",
        change(".gitignore", "access-token*", "access-token"),
    ),
    "a comment behind a name that git ignores": (
        "git_ignores_inputs_and_keys",
        change(".gitignore", "*.agekey\n", "*.agekey # private keys\n"),
    ),
    "a key that is ignored no more": ("git_ignores_inputs_and_keys", append(".gitignore", "!/keys/\n!*.agekey\n")),
    "keys that git would add": (
        "git_ignores_inputs_and_keys",
        together(drop(".gitignore", "/keys\n"), drop(".gitignore", "*.agekey")),
    ),
    "another code of the sealed values": (
        "every_secret_is_sealed_for_whom_its_rule_names",
        remove(RULES, ("creation_rules", 0, "mac_only_encrypted")),
    ),
    "no .gitignore": ("git_ignores_inputs_and_keys", delete(".gitignore")),
    "a key under another name": ("git_ignores_inputs_and_keys", append("age.key", "example\n")),
    "a link in the place of the keys": ("git_ignores_inputs_and_keys", _in_place_of_the_keys),
    "a file in the place of the keys, in another case": ("git_ignores_inputs_and_keys", write("Keys", "x\n")),
    "a stage in another case": ("git_ignores_inputs_and_keys", write(".Sealing/journal.json", "{}\n")),
    "a rule of sops for an environment that was not chosen": (
        "every_cluster_has_one_sound_creation_rule",
        append_item(RULES, ("creation_rules",), {"path_regex": r"^secrets/azure/.*\.sops\.ya?ml$", "age": []}),
        SMALL,
    ),
    "a rule without the cloud's key": (
        "the_recipients_are_those_of_the_answers",
        together(drop(RULES, f"kms: {KMS_KEY}"), _each_sealed(r"\n  kms:\n(?:    .*\n)+", "\n")),
        KMS,
    ),
    "a key of somebody else's cloud": (
        "the_recipients_are_those_of_the_answers",
        together(
            change(RULES, f"kms: {KMS_KEY}", f"kms: {KMS_KEY},{KMS_KEY}-2"),
            _each_sealed(r"\n  kms:\n((?:    .*\n)+)", rf"\n  kms:\n\1    - arn: {KMS_KEY}-2\n      enc: AQICAHh=\n"),
        ),
        KMS,
    ),
    "Secrets sealed for age alone": (
        "every_secret_is_sealed_for_whom_its_rule_names",
        _each_sealed(r"\n  kms:\n(?:    .*\n)+", "\n"),
        KMS,
    ),
}

FAULTS |= {
    f"a Secret in plaintext, told once: {name}": (
        "no_secret_stands_outside_of_the_sealed_files",
        write("apps/own.yaml", f"apiVersion: v1\nkind: Secret\nmetadata: {{name: own}}\n{block}"),
    )
    for name, block in {
        "a login": "stringData:\n  username: own\n  password: example\n  host: db.example.com\n",
        "a token of a known form": f"stringData:\n  token: ghp_{'a1B2' * 9}\n  b: c\n",
        "a key": f"stringData:\n  key: |\n    -----BEGIN {'PRIVATE KEY'}-----\n    MIIEvQIBADAN\n",
        "a certificate": f"data: {{tls.crt: QUJDRA==, tls.key: {_PEM}}}\n",
    }.items()
}
FAULTS["literals of which one is of a known form"] = (
    "no_secret_stands_outside_of_the_sealed_files",
    append(
        "clusters/aws/kustomization.yaml",
        f"secretGenerator:\n  - name: own\n    literals: [user=own, token=ghp_{'a1B2' * 9}]\n",
    ),
)

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    "a public key, and code, in folders of that name": together(
        write("packer/keys/own.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 own\n"),
        write("src/keys/own.go", "package keys\n"),
    ),
    **{
        f"a Secret that says where its value is: {where}": write(
            "apps/own.yaml",
            f"apiVersion: v1\nkind: Secret\nmetadata: {{name: own}}\nstringData:\n  KEY: |-\n    {where}\n",
        )
        for where in ("op://ai/openai/key", "ref+vault://ai/openai#/key", "vault:secret/data/openai#key")
    },
    "a Secret that makejinja fills in": write(
        "template/own.yaml.j2",
        'apiVersion: v1\nkind: Secret\nmetadata: {name: own}\nstringData:\n  KEY: "#{ own.key }#"\n',
    ),
    "who logs in, beside where the password is": write(
        "apps/own.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: own}\n"
        "stringData: {username: own, password: 'op://ai/db/password'}\n",
    ),
    "where a repository of Argo CD is": write(
        "apps/own.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: own\n"
        "  labels: {argocd.argoproj.io/secret-type: repository}\n"
        "stringData: {type: git, url: 'https://github.com/example/own.git'}\n",
    ),
    "an example of two objects in a document": write(
        "docs/own.md",
        "# Own\n\n```yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\n"
        "metadata: {name: own}\nstringData: {password: own}\n---\napiVersion: v1\nkind: Namespace\n```\n",
    ),
    "a ConfigMap beside the sealed Secrets": together(
        write(
            "secrets/aws/own.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: own\n  namespace: litellm\ndata:\n  a: b\n",
        ),
        append("secrets/aws/kustomization.yaml", "  - own.yaml\n"),
    ),
    "what a desktop leaves everywhere": write_bytes("secrets/aws/.DS_Store", b"\0\0\0\1Bud1"),
    "a file that the owner says may lie there": together(
        write("secrets/aws/notes.txt", "Ours.\n"), set_value(SUITE, ("beside",), ["aws/*.txt"])
    ),
    "a rule of sops for files of their own": insert(
        RULES, ("creation_rules", 0), {"path_regex": r"kubernetes/.*\.sops\.yaml$", "age": STRANGER}
    ),
    "a colleague to whom somebody agreed": together(
        remove(ANSWERS, ("age_recipients",)), _agreed("gcp", RECIPIENT, STRANGER), joined("gcp", STRANGER, 1)
    ),
    "an empty value in a Secret of their own": together(
        own_secret("own", of="secrets/aws/litellm-salt-key.sops.yaml"),
        change("secrets/aws/own.sops.yaml", "\nsops:\n", '\n  EXTRA: ""\nsops:\n'),
        refresh,
    ),
    "an image by its digest": append("docker-compose.yml", "# docker://python:3.12@sha256:abc\n"),
    "what stands in place of a credential": append(
        "README.md",
        f"ghp_{'x' * 36}, POSTGRES_PASSWORD = var.database_password, AKIA{'IOSFODNN7EXAMPLE'}\n",
    ),
    "Secrets that are named where a chart reads them": together(
        add(
            ("redis",),
            {
                "auth": {
                    "existingSecret": "litellm-redis",
                    "existingSecretPasswordKey": "redis-password",
                    "usePassword": True,
                }
            },
        ),
        together(
            change(
                "clusters/azure/exposure.yaml",
                "  annotations:\n",
                "  annotations:\n    nginx.ingress.kubernetes.io/auth-secret: own\n",
            ),
            add(
                ("extraInitContainers",),
                [
                    {
                        "name": "own",
                        "image": "own:1",
                        "env": [
                            {"name": "OWN_PASSWORD_FILE", "value": "own"},
                            {"name": "OWN_PASSWORD", "value": ""},
                            {
                                "name": "OWN_TOKEN",
                                "valueFrom": {"secretKeyRef": {"name": "litellm-redis", "key": "redis-password"}},
                            },
                        ],
                    }
                ],
                GCP,
            ),
        ),
    ),
    "an annotation on a Secret, by a patch": append(
        "secrets/aws/kustomization.yaml",
        "patches:\n  - target: {kind: Secret}\n    patch: |-\n      - op: add\n"
        "        path: /metadata/annotations/own\n        value: own\n",
    ),
    "a Secret of their own in the chart, with a value that is not in it": write(
        "litellm/templates/secret.yaml",
        "kind: Secret\nmetadata:\n  name: {{ .Release.Name }}\n"
        "stringData:\n  a: {{ .Values.own | quote }}\n  b: |\n    {{- .Values.own | nindent 4 }}\n",
    ),
    "an example of a Secret in a document": write(
        "docs/README.md", "```yaml\nkind: Secret\nstringData:\n  a: example\n```\n"
    ),
    "inputs and keys, which git ignores": together(
        together(credential("aws", "deployment_outputs.env"), credential("github", "access-token")),
        together(credential("pem", "gcp-service-account.json"), credential("age", "keys/aws.agekey")),
    ),
}


@pytest.mark.parametrize("name", ["another code of the sealed values", "no .gitignore", "a token that git would add"])
def test_one_change_of_many_files_is_one_finding(name: str, repository: Copy) -> None:
    root = repository(everything())
    FAULTS[name][1](root)
    assert len(findings(root)) == 1, report(findings(root))


test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)


@pytest.mark.parametrize("form", ["aws", "github", "age", "pem", "proxy", "url"])
def test_a_finding_never_repeats_a_credential(form: str, repository: Copy) -> None:
    root = repository(everything())
    credential(form)(root)
    made = (root / "README.md").read_text("utf-8").splitlines()[-1]
    found = findings(root)
    assert codes(found) == ["no_credential_stands_in_plaintext"]
    assert made not in report(found)


@pytest.mark.parametrize(
    "form",
    [
        *("canary-0815", "[canary-0815]", "{canary: 0815}", "'canary-0815", "08_15"),
        *("{? [canary-0815] : x}", "{? {canary-0815: x} : x}", "0815"),
    ],
)
def test_a_finding_never_repeats_a_value_in_plaintext(form: str, repository: Copy) -> None:
    root = repository(everything())
    plaintext(REDIS, value=form)(root)
    found = findings(root)
    assert found
    assert "0815" not in report(found).replace("_", "")


def test_a_finding_never_repeats_a_misplaced_value(repository: Copy) -> None:
    root = repository(everything())
    write("k8s/own.yaml", "kind: Secret\nstringData: {password: 0123456701}\n")(root)
    misplaced = {"kind": "Secret", "data": {"a": "canary-0815"}}
    append_item("clusters/aws/kustomization.yaml", ("resources",), misplaced)(root)
    found = report(findings(root))
    assert "a value is not the same to YAML 1.1" in found
    assert re.search(r"resources\.\d is not of the type string", found)
    assert "0123456701" not in found
    assert "0815" not in found


def test_a_key_that_git_holds_is_found_although_it_is_ignored(repository: Copy) -> None:
    root = repository(everything())
    git(root, "init", "--quiet")
    append("keys/aws.agekey", "example\n")(root)
    git(root, "add", "--force", ".")
    found = findings(root)
    assert codes(found) == ["git_ignores_inputs_and_keys"]
    assert any("git rm --cached keys/aws.agekey" in str(finding) for finding in found)
