"""Faults and edits of what every file must be."""

from __future__ import annotations

from tests.support.answers import everything
from tests.support.faults import (
    AWS,
    AZURE,
    CHART,
    SHARED,
    Edit,
    Fault,
    add,
    append,
    change,
    credential,
    delete,
    drop,
    link,
    replace_bytes,
    substitute,
    together,
    write,
    write_bytes,
)
from tests.support.findings import accepted, found_by_its_rule_alone
from tests.support.sealed_store import own_secret, refresh

REDIS = "secrets/aws/litellm-redis.sops.yaml"

# Ten times as much with each line.
BOMB = "b0: &b0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"b{level}: &b{level} [{', '.join([f'*b{level - 1}'] * 10)}]\n" for level in range(1, 11)
)


FAULTS: dict[str, Fault] = {
    **{
        f"{content!r} in place of {file}": ("every_yaml_file_is_yaml", write(file, content))
        for content in ("- a\n", "a text\n")
        for file in (
            ".pre-commit-config.yaml",
            ".github/workflows/update.yaml",
            ".yamllint.yml",
            "docker-compose.yml",
            "clusters/aws/kustomization.yaml",
            "secrets/aws/kustomization.yaml",
        )
    },
    **{
        f"an item of a list one step too deep: {file}": (
            "every_yaml_file_is_yaml",
            substitute(file, pattern, r"  \g<0>"),
        )
        for file, pattern in (
            ("litellm/values-aws.yaml", "^ +- litellm-azure-auth$"),
            ("clusters/aws/release/helmrelease.yaml", r"^ +- \./litellm/values-aws\.yaml$"),
        )
    },
    "a list of hooks without its key": ("every_yaml_file_is_yaml", drop(".pre-commit-config.yaml", "repos:")),
    "what KSOPS reads is a list": (
        "every_yaml_file_is_yaml",
        write("secrets/aws/ksops.yaml", "- a\n"),
        everything(gitops_engine="argocd"),
    ),
    "a list in place of a manifest": (
        "every_manifest_fits_the_schema_of_its_kind",
        write("clusters/aws/namespace.yaml", "- a\n"),
    ),
    "versions that each clone chooses": ("git_ignores_nothing_that_is_deployed", append(".gitignore", "uv.lock\n")),
    "a bracket that is not closed": ("every_yaml_file_is_yaml", append("policies/renovate.yaml", "broken: [\n")),
    "values that are not YAML": ("every_yaml_file_is_yaml", append(AZURE, " wrong\n   indentation: {\n")),
    "a sealed file that is not YAML": ("every_value_of_every_secret_is_sealed", append(REDIS, "}\n")),
    "a file in Latin-1": ("every_yaml_file_is_yaml", write_bytes("docs.yaml", "name: José\n".encode("latin-1"))),
    "aliases that make a file endless": ("every_yaml_file_is_yaml", append(AWS, "own: &own [*own]\n")),
    "aliases that make values too large": ("every_yaml_file_is_yaml", append(AWS, BOMB)),
    "aliases that make a sealed Secret too large": (
        "every_value_of_every_secret_is_sealed",
        together(append(REDIS, BOMB), refresh),
    ),
    "the values of the chart given twice": ("no_key_is_given_twice", append(AWS, "litellm-helm: {}\n")),
    "a key given twice in values": (
        "no_key_is_given_twice",
        change(SHARED, "replicaCount: 2", "replicaCount: 1\n  replicaCount: 2"),
    ),
    "a key given twice deep in a list": (
        "no_key_is_given_twice",
        substitute(AWS, r"^( +)readOnly: true$", r"\1readOnly: false\n\1readOnly: true", count=1),
    ),
    "an octal number": (
        "yaml_means_the_same_to_every_reader",
        substitute(SHARED, r"request_timeout: .*", "request_timeout: 0600"),
    ),
    "a date to which Kustomize adds a time": (
        "yaml_means_the_same_to_every_reader",
        write("apps/own.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\ndata: {start: 2026-11-29}\n"),
    ),
    "a yes that is true to Helm alone": (
        "yaml_means_the_same_to_every_reader",
        change(SHARED, "set_verbose: false", "set_verbose: no"),
    ),
    "a key given twice beside a merge": (
        "no_key_is_given_twice",
        write("extra/own.yaml", "a: &a {b: 1}\nc:\n  <<: *a\n  b: 2\n  b: 3\n"),
    ),
    "a tab in values": ("no_yaml_holds_a_tab", append(AWS, "# one\ttwo\n")),
    "a merge marker in the README": (
        "no_merge_is_left_unfinished",
        append("README.md", "<<<<<<< before updating\nmine\n=======\n>>>>>>> after updating\n"),
    ),
    "a merge marker in values": (
        "no_merge_is_left_unfinished",
        change(AZURE, "  volumes:\n", "<<<<<<< before updating\n  volumes:\n"),
    ),
    "a rejected part of an update": ("no_merge_is_left_unfinished", append("litellm/values.yaml.rej", "@@\n")),
    "line ends of Windows in values": ("every_file_has_the_bytes_that_git_stores", replace_bytes(AWS, b"\n", b"\r\n")),
    "line ends of Windows in a sealed Secret": (
        "every_file_has_the_bytes_that_git_stores",
        together(replace_bytes(REDIS, b"\n", b"\r\n"), refresh),
    ),
    "a byte order mark": (
        "every_file_has_the_bytes_that_git_stores",
        replace_bytes(AWS, b"# Amazon", b"\xef\xbb\xbf# Amazon"),
    ),
    "a second document of values": (
        "no_second_document_is_overlooked",
        append(AWS, "---\nlitellm-helm:\n  replicaCount: 5\n"),
    ),
    "a word behind the answers": (
        "no_second_document_is_overlooked",
        append(".copier-answers.yml", "---\nword\n"),
    ),
    "a link in place of values": ("no_link_leads_the_engine_astray", link(AWS)),
    "a link that leads out of the repository": (
        "no_link_leads_the_engine_astray",
        lambda root: (root / "notes").symlink_to("../elsewhere"),
    ),
    "a link to a place of this machine": (
        "no_link_leads_the_engine_astray",
        lambda root: (root / "notes").symlink_to("/etc/hosts"),
    ),
    "a link in place of a sealed Secret": ("nothing_unknown_lies_among_the_sealed_files", link(REDIS)),
    "a link to a folder among the sealed Secrets": (
        "nothing_unknown_lies_among_the_sealed_files",
        lambda root: (root / "secrets/aws/own").symlink_to("../../docs", target_is_directory=True),
    ),
    "policies that git ignores": ("git_ignores_nothing_that_is_deployed", append(".gitignore", "/policies/\n")),
    "a cluster that git ignores": ("git_ignores_nothing_that_is_deployed", append(".gitignore", "clusters/aws/\n")),
    "a list of Secrets that was emptied": (
        "every_kustomization_lists_exactly_what_is_there",
        write("secrets/gcp/kustomization.yaml", "# nothing\n"),
    ),
    "a sealed Secret that the cluster never gets": (
        "every_kustomization_lists_exactly_what_is_there",
        own_secret("own", of="secrets/aws/litellm-salt-key.sops.yaml", listed=False),
    ),
    "a listed file that does not exist": (
        "every_kustomization_lists_exactly_what_is_there",
        append("secrets/azure/kustomization.yaml", "  - own.sops.yaml\n"),
    ),
    "a list that puts everything elsewhere": (
        "every_kustomization_lists_exactly_what_is_there",
        append("secrets/aws/kustomization.yaml", "namespace: default\n"),
    ),
    "a file that is listed twice": (
        "every_kustomization_lists_exactly_what_is_there",
        append("secrets/aws/kustomization.yaml", "  - litellm-redis.sops.yaml\n"),
    ),
    "the Secrets of another environment in a list": (
        "every_kustomization_lists_exactly_what_is_there",
        append("secrets/aws/kustomization.yaml", "  - ../gcp\n"),
    ),
    "no list of the sealed Secrets": (
        "every_kustomization_lists_exactly_what_is_there",
        delete("secrets/gcp/kustomization.yaml"),
    ),
    "checksums that git ignores": (
        "git_ignores_nothing_that_is_deployed",
        append(".gitignore", "litellm/checksums-*\n"),
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    "files of which a program makes YAML and a script": together(
        write("apps/own.ftl.yaml", "<#if own?has_content>\nown: ${own}\n  </#if>\nmore: own\n"),
        write("apps/own.ftl.sh", "#!/bin/sh\n<#if own>\necho own\n</#if>\n"),
    ),
    "texts over several lines that hold a dash": append(
        "clusters/aws/notes.md.yaml.txt", "a: one -\n  two\nb: |\n  - c\nd: >\n  - e\nf: 'g\n  - h'\n"
    ),
    "a workflow of another forge": write(".forgejo/workflows/own.yaml", "on: push\njobs: {}\n"),
    "a merge key, and what overrides it": together(
        write("extra/own.yaml", "a: &a {b: 1, c: 2}\nd: &d {e: 3}\nf:\n  <<: [*a, *d]\n  b: 4\n"),
        write("extra/other.yaml", "a: &a\n  b: 1\nc: {<<: *a, b: 2}\n"),
    ),
    "the mode of a file, as everybody writes it": together(
        add(CHART.volumes, [{"name": "salt", "secret": {"secretName": "litellm-salt-key", "defaultMode": 440}}]),
        substitute(AWS, r"defaultMode.*: 440", "defaultMode: 0440"),
    ),
    "the mode of a file that Compose mounts": write(
        "dev/compose.yaml", "services: {a: {image: b, restart: no, configs: [{source: c, target: /c, mode: 0440}]}}\n"
    ),
    "an anchor that is set again": write("apps/own.yaml", "a: &x 1\nb: *x\nc: &x 2\nd: *x\n"),
    "a bare = where it is compared": write(
        "apps/own.yaml",
        "apiVersion: monitoring.coreos.com/v1alpha1\nkind: AlertmanagerConfig\nmetadata: {name: own}\n"
        "spec: {route: {matchers: [{name: a, value: b, matchType: =}]}}\n",
    ),
    "words of YAML 1.1 for who reads it": write("ansible/own.yml", "- hosts: all\n  become: yes\n  mode: 0644\n"),
    "a price as everybody writes it": change(
        SHARED,
        "    litellm_settings:\n",
        "      - model_name: own\n        litellm_params: {model: openai/own, input_cost_per_token: 3e-06}\n"
        "    litellm_settings:\n",
    ),
    "a whole number with an exponent": substitute(SHARED, r"request_timeout: .*", "request_timeout: 6e2"),
    "dates and times in values": change(
        SHARED, "set_verbose: false", "set_verbose: false\n      start: 2026-11-29\n      at: 12:30:45"
    ),
    "a date in an annotation": write(
        "apps/own.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: own\n  annotations: {at: 12:30:45}\ndata: {open: 8:30}\n"
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: own, annotations: {reviewed: 2026-11-29}}\n"
        "spec: {type: ExternalName, externalName: own.example.com}\n",
    ),
    "dates and times in documents": write("docs/own.yml", "date: 2026-11-30\nopen: 8:00\nversion: 1e3\n"),
    "a script with tabs": append(
        AWS,
        "  extraResources:\n    - apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: own}\n"
        "      data:\n        a.sh: |\n          cat <<-END\n          \tone\n          END\n",
    ),
    "what Jinja makes YAML of": write("scripts/own.yaml", "{% for each in all %}\n- {{ each }}\n{% endfor %}\n"),
    "what Cookiecutter makes YAML of": write(
        "scripts/{{cookiecutter.name}}/own.yaml", "name: {{ cookiecutter.name }}\n"
    ),
    "a template of CloudFormation": write(
        "aws/role.yaml", "Resources:\n  Role: !GetAtt Own.Arn\n  Name: !Sub '${A}'\n"
    ),
    "a link to a folder that is not deployed": together(
        write("docs/v1/README.md", "Ours.\n"),
        lambda root: (root / "docs/latest").symlink_to("v1", target_is_directory=True),
    ),
    "a template of their own in the chart": write(
        "litellm/templates/own.yaml", "{{- if .Values.own }}\nkind: {{ .Values.own }}\n{{- end }}\n"
    ),
    "another chart beside it": together(
        write("charts/own/Chart.yaml", "apiVersion: v2\nname: own\nversion: 0.1.0\n"),
        write("charts/own/templates/own.yaml", "name: {{ .Release.Name }}\nitems: {{ range .Values.a }}\n- {{ . }}\n"),
    ),
    "what MkDocs calls in Python": write("docs/site.yml", "emoji: !!python/name:material.extensions.emoji.twemoji\n"),
    "values for trials, which git ignores": together(
        append(".gitignore", "/litellm/values-local.yaml\n"), write("litellm/values-local.yaml", "litellm-helm: {}\n")
    ),
    "a configuration of another tool": write("mkdocs.yml", "site_name: LLM\nplugins: !ENV [search]\n"),
    "documents and images of their own": together(
        write("docs/README.md", "What `sk-…` is, and why ${PASSWORD} stands here.\n"),
        write_bytes("docs/logo.png", b"\x89PNG\0\xff"),
    ),
    "comments, and another style of YAML": change(
        AWS, "    - litellm-salt-key\n", "    - 'litellm-salt-key'  # ours\n"
    ),
    "a virtual environment, which git ignores": together(
        write(".venv/lib/broken.yaml", "a: [\n"), credential("aws", ".venv/lib/fixture.py")
    ),
    "what helm fetched, which git ignores": write("litellm/Chart.lock", "dependencies: []\n"),
    "another cluster that the template does not know": write("clusters/onprem/README.md", "By hand.\n"),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
