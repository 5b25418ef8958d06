"""Faults and edits of what a commit must pass."""

from __future__ import annotations

from tests.support.answers import everything
from tests.support.faults import Edit, Fault, append, append_item, change, delete, remove, set_value, substitute, write
from tests.support.findings import accepted, found_by_its_rule_alone

COMMITS, GITLEAKS, YAMLLINT = ".pre-commit-config.yaml", ".gitleaks.toml", ".yamllint.yml"
VALIDATE, ENDS = ".github/workflows/validate.yaml", "gitleaks_fails_the_pipeline_and_shows_nothing"
RUNS = "gitleaks_runs_on_every_push"
GUARD = "        always_run: true\n"

FAULTS: dict[str, Fault] = {
    **{
        f"a pattern that misses what a merge could not apply: {pattern}": (
            "a_commit_is_guarded",
            change(COMMITS, r"\.(rej|orig)$", pattern),
        )
        for pattern in (r"\.(rej|orgi)$", r"\.(rje|orig)$", r"\.(rej|orig)^")
    },
    "a release of gitleaks that is none": ("a_commit_is_guarded", change(COMMITS, "rev: v8.30.1", "rev: v8.30.l")),
    "a guard by a program that is misspelt": ("a_commit_is_guarded", change(COMMITS, "entry: python", "entry: pyhton")),
    "settings of gitleaks that are not there": (
        "a_commit_is_guarded",
        change(COMMITS, "--config=platform/llm/.gitleaks.toml", "--config=platform/lm/.gitleaks.toml"),
        everything(repo_path="platform/llm"),
    ),
    "a file that gitleaks does not find": (
        "gitleaks_looks_for_every_credential",
        change(GITLEAKS, "useDefault = true", 'path = "own.toml"'),
    ),
    "a guard without its command": (
        "a_commit_is_guarded",
        change(COMMITS, "entry: python hooks/guard_staged.py", "entry:"),
    ),
    "digests that gitleaks takes for keys": (
        "gitleaks_looks_for_every_credential",
        change(GITLEAKS, "litellm/checksums-", "litellm/chceksums-"),
    ),
    "an option that is misspelt": ("a_commit_is_guarded", change(COMMITS, "[--strict]", "[--stict]")),
    "files that yamllint cannot leave out": (
        "yamllint_can_read_its_settings",
        set_value(YAMLLINT, ("ignore",), {"a": 1}),
    ),
    "a guard that is not at the root of git": (
        "a_commit_is_guarded",
        change(COMMITS, "python platform/llm/hooks", "python hooks"),
        everything(repo_path="platform/llm"),
    ),
    "every manifest, which gitleaks leaves out": (
        "gitleaks_looks_for_every_credential",
        append(GITLEAKS, "\n[[allowlists]]\npaths = ['''.*\\.yaml$''']\n"),
    ),
    "checksums of both sides": (
        "git_keeps_sealed_files_to_the_byte",
        change(".gitattributes", "/litellm/checksums-*.yaml -merge", "/litellm/checksums-*.yaml merge=union"),
    ),
    "a rule that yamllint does not know": (
        "yamllint_can_read_its_settings",
        change(".yamllint.yml", "  truthy:", "  trthy:"),
    ),
    "an option that yamllint does not know": (
        "yamllint_can_read_its_settings",
        change(".yamllint.yml", "check-keys", "chek-keys"),
    ),
    "a value that yamllint does not take": (
        "yamllint_can_read_its_settings",
        change(".yamllint.yml", "document-start: disable", "document-start: diable"),
    ),
    "rules of yamllint that it does not see": (
        "yamllint_can_read_its_settings",
        change(".yamllint.yml", "extends: default", "extens: default"),
    ),
    "a list that gitleaks does not know": (
        "gitleaks_looks_for_every_credential",
        change(GITLEAKS, "[[allowlists]]", "[[alowlists]]"),
    ),
    "a key that gitleaks does not know": (
        "gitleaks_looks_for_every_credential",
        change(GITLEAKS, "useDefault", "useDefaults"),
    ),
    "an attribute that is misspelt": (
        "git_keeps_sealed_files_to_the_byte",
        change(".gitattributes", "checksums-*.yaml -merge", "checksums-*.yaml -megre"),
    ),
    **{
        f"attributes that git does not know: {line}": (
            "git_keeps_sealed_files_to_the_byte",
            change(".gitattributes", "* text=auto eol=lf", line),
        )
        for line in ("* text=atuo eol=lf", "* text=auto eol=fl", "* text=auto eol=lf # everywhere")
    },
    "a driver that is misspelt": (
        "git_keeps_sealed_files_to_the_byte",
        change(".gitattributes", "diff=sopsdiffer", "diff=sopsdifer"),
    ),
    "a pattern of attributes that is misspelt": (
        "git_keeps_sealed_files_to_the_byte",
        change(".gitattributes", "/litellm/checksums", "/litellm/chekcsums"),
    ),
    "hooks that look at no file": ("a_commit_is_guarded", append(COMMITS, "exclude: .*\n")),
    "hooks that look at files that are not there": ("a_commit_is_guarded", append(COMMITS, "files: ^none$\n")),
    "a pattern that is none": ("a_commit_is_guarded", append(COMMITS, 'exclude: "*.md"\n')),
    "a language that is none": ("a_commit_is_guarded", change(COMMITS, "language: python", "language: pythn")),
    "a switch in words": ("a_commit_is_guarded", append(COMMITS, "fail_fast: maybe\n")),
    "no guard before a commit": (
        "a_commit_is_guarded",
        change(COMMITS, "entry: python hooks/guard_staged.py", 'entry: "true"'),
    ),
    "a guard that a person calls": (
        "a_commit_is_guarded",
        change(COMMITS, GUARD, f"{GUARD}        stages: [manual]\n"),
    ),
    "a guard of nothing": ("a_commit_is_guarded", change(COMMITS, GUARD, "        exclude: .*\n")),
    "gitleaks that shows what it finds": (ENDS, change(VALIDATE, "--redact ", "")),
    "gitleaks that finds in vain": (ENDS, change(VALIDATE, 'opts="$commits"', 'opts="$commits" --exit-code 0')),
    "gitleaks that is switched off": (RUNS, set_value(VALIDATE, ("jobs", "history", "if"), False)),
    "gitleaks whose result does not count": (
        RUNS,
        set_value(VALIDATE, ("jobs", "history", "steps", 1, "continue-on-error"), True),
    ),
    "gitleaks that may fail (GitLab)": (
        RUNS,
        set_value(".gitlab-ci.yml", ("history", "allow_failure"), True),
        everything(ci_platform="gitlab"),
    ),
    "gitleaks for who asks (GitLab)": (
        RUNS,
        set_value(".gitlab-ci.yml", ("history", "when"), "manual"),
        everything(ci_platform="gitlab"),
    ),
    "gitleaks that allows everything": (
        "gitleaks_looks_for_every_credential",
        append(GITLEAKS, "[[allowlists]]\nregexes = ['.*']\n"),
    ),
    "gitleaks without manifests": (
        "gitleaks_looks_for_every_credential",
        append(GITLEAKS, "[[allowlists]]\npaths = ['\\.ya?ml$']\n"),
    ),
    "no .gitattributes": ("git_keeps_sealed_files_to_the_byte", delete(".gitattributes")),
    "sealed files of a folder that there is not": (
        "git_keeps_sealed_files_to_the_byte",
        change(".gitattributes", "/secrets/**/*.sops.yaml", "/secret/**/*.sops.yaml"),
    ),
    "line ends that git may change": (
        "git_keeps_sealed_files_to_the_byte",
        change(".gitattributes", "* text=auto eol=lf", "* text=auto"),
    ),
    "sealed files that git stores elsewhere": (
        "git_keeps_sealed_files_to_the_byte",
        append(".gitattributes", "*.sops.yaml filter=lfs diff=lfs merge=lfs -text\n"),
    ),
    **{
        f"sealed files that git changes: {line}": ("git_keeps_sealed_files_to_the_byte", append(".gitattributes", line))
        for line in (
            "/secrets/** text eol=crlf\n",
            "/secrets/**/*.yaml filter=lfs diff=lfs merge=lfs -text\n",
            "clusters/** filter=git-crypt diff=git-crypt\n",
            "/secrets/**/*.sops.yaml merge\n",
        )
    },
    "a hook without its language": ("a_commit_is_guarded", remove(COMMITS, ("repos", 3, "hooks", 1, "language"))),
    "a guard without its package": (
        "a_commit_is_guarded",
        remove(COMMITS, ("repos", 3, "hooks", 1, "additional_dependencies")),
    ),
    "a misspelt address of hooks": (
        "a_commit_is_guarded",
        change(COMMITS, "https://github.com/gitleaks/gitleaks", "https://github.com/gitleaks/gitleak"),
    ),
    "gitleaks without its rules": (
        "gitleaks_looks_for_every_credential",
        change(GITLEAKS, "useDefault = true", "useDefault = false"),
    ),
    "gitleaks without files": (
        "gitleaks_looks_for_every_credential",
        append(GITLEAKS, "[[allowlists]]\npaths = ['.*']\n"),
    ),
    **{
        f"hooks that pre-commit does not take: {new}": ("a_commit_is_guarded", change(COMMITS, old, new))
        for old, new in (
            ("rev: v8.30.1", "rev: 8.30.1"),
            ("id: check-merge-conflict", "id: check-yamll"),
            ("always_run: true", "alway_run: true"),
            ("args: [--strict]", "args: --strict"),
            (r"\.(rej|orig)$", r"\.(rej|orig$"),
            ("always_run: true", "always_run: true\n        stages: [precommit]"),
            ("repos:\n", "repo:\n"),
        )
    },
    **{
        f"hooks that pre-commit does not take: {line}": ("a_commit_is_guarded", append(COMMITS, line))
        for line in (
            "default_stages: [pre-comit]\n",
            "default_language_version: {python: python3.9}\n",
            "minimum_pre_commit_version: three\n",
        )
    },
    "a misspelt hook of pre-commit's own": (
        "a_commit_is_guarded",
        append_item(COMMITS, ("repos",), {"repo": "meta", "hooks": [{"id": "check-hook-apply"}]}),
    ),
    "no hooks at all": ("a_commit_is_guarded", write(COMMITS, "")),
    **{
        f"settings that gitleaks refuses: {line}": ("gitleaks_looks_for_every_credential", append(GITLEAKS, line))
        for line in (
            "[[allowlists]]\ndescription = 'own'\n",
            "[[allowlists]]\npath = ['^docs/']\n",
            "[[allowlists]]\npaths = ['^docs/(']\n",
            "[[rules]]\ndescription = 'own'\nregex = 'own-[0-9]+'\n",
            "[[rules]]\nid = 'own'\nregex = 'own-([0-9]+'\n",
        )
    },
    **{
        f"settings that yamllint refuses: {new}": ("yamllint_can_read_its_settings", change(YAMLLINT, old, new))
        for old, new in (
            ("extends: default", "extends: defaults"),
            ("line-length:", "line-lenght:"),
            ("max: 120", "maximum: 120"),
            ("max: 120", "max: long"),
            ("rules:\n", "rules: [line-length]\nown:\n"),
            ("rules:\n", "rule:\n"),
            ("document-start: disable", "document-start: enabled"),
            ("check-keys: false", "check-keys: false\n    level: warn"),
        )
    },
    "gitleaks without its settings": ("gitleaks_looks_for_every_credential", append(GITLEAKS, "[[allowlists\n")),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    "hooks of one's own that are nearly called like others": append_item(
        ".pre-commit-config.yaml",
        ("repos",),
        {"repo": "local", "hooks": [{"id": "gitleak", "name": "own", "entry": "own", "language": "system"}]},
    ),
    "rejected hunks and more": change(COMMITS, r"\.(rej|orig)$", r"(?x)\.(rej|orig|bak)$"),
    "hooks by their commit": change(COMMITS, "rev: v6.0.0", f"rev: {'3e' * 20}"),
    "rejected hunks alone": change(COMMITS, r"\.(rej|orig)$", r"\.rej$"),
    "rules of yamllint of their own": append(
        ".yamllint.yml", "  octal-values: {forbid-implicit-octal: true}\n  braces: {max-spaces-inside: 1}\n"
    ),
    "a rule of gitleaks of their own": append(
        GITLEAKS, "\n[[rules]]\nid = 'own'\nregex = 'own-[0-9]{8}'\n[[rules.allowlists]]\nstopwords = ['own-0']\n"
    ),
    "attributes of their own": append(
        ".gitattributes", "*.png binary\n/docs/** linguist-documentation\n*.lock gitlab-generated own=1\n"
    ),
    "hooks that prek brings": append_item(
        COMMITS, ("repos",), {"repo": "builtin", "hooks": [{"id": "trailing-whitespace"}]}
    ),
    "hooks about hooks": append_item(COMMITS, ("repos",), {"repo": "meta", "hooks": [{"id": "identity"}]}),
    "a key that pre-commit of tomorrow knows": append(COMMITS, "own: {a: b}\n"),
    "a rule of one's own": append(
        GITLEAKS, "[[rules]]\nid = 'own'\nregex = '(?i:own)-[[:alnum:]]+'\nkeywords = ['own-']\n"
    ),
    "one allowlist": change(GITLEAKS, "[[allowlists]]", "[allowlist]"),
    "other settings of yamllint": append(
        YAMLLINT, "  key-ordering: disable\n  indentation: {spaces: 2, indent-sequences: whatever, level: warning}\n"
    ),
    "yamllint as it comes": delete(YAMLLINT),
    "hooks that pass over a folder": append(COMMITS, "exclude: ^docs/\n"),
    "hooks that end at once": append(COMMITS, "fail_fast: true\n"),
    "gitleaks with what it knew before": change(VALIDATE, "--redact ", "--redact=80 --baseline-path known.json "),
    "no commit hooks": delete(COMMITS),
    "images in the storage of large files": append(".gitattributes", "*.png filter=lfs diff=lfs merge=lfs -text\n"),
    "attributes of one's own": append(
        ".gitattributes", "*.sh text eol=lf\n*.ps1 text eol=crlf\n/secrets/README.md merge\n/docs/** filter=own\n"
    ),
    "sealed files as bytes": change(".gitattributes", "diff=sopsdiffer -merge", "binary"),
    "a hook of one's own": append_item(
        COMMITS,
        ("repos",),
        {"repo": "local", "hooks": [{"id": "own", "name": "own", "entry": "true", "language": "system"}]},
    ),
    "a mirror of the hooks": change(
        COMMITS, "https://github.com/gitleaks/gitleaks", "https://git.example.com/mirrors/gitleaks"
    ),
    "another version of gitleaks": substitute(COMMITS, r"rev: v8\..*", "rev: v8.31.0"),
    "hooks at other times as well": set_value(COMMITS, ("default_install_hook_types",), ["pre-commit", "pre-push"]),
    "a folder that gitleaks leaves out": append(GITLEAKS, "[[allowlists]]\npaths = ['^docs/']\n"),
    "a word that gitleaks leaves out": append(
        GITLEAKS, "[[allowlists]]\ncondition = 'AND'\npaths = ['.*']\nregexes = ['example']\n"
    ),
    "an example that gitleaks leaves out": append(GITLEAKS, "[[allowlists]]\nregexes = ['EXAMPLE$']\n"),
    "gitleaks on pull requests alone": set_value(
        VALIDATE, ("jobs", "history", "if"), "github.event_name == 'pull_request'"
    ),
    "gitleaks as it comes": delete(GITLEAKS),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
