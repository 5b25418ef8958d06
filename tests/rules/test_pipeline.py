"""Faults and edits of continuous integration, commits, updates."""

from __future__ import annotations

from tests.support.answers import everything
from tests.support.faults import (
    Edit,
    Fault,
    append,
    append_item,
    change,
    delete,
    insert,
    remove,
    set_value,
    substitute,
    together,
    write,
)
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

VALIDATE = ".github/workflows/validate.yaml"
COMMITS = ".pre-commit-config.yaml"
GITLAB_FILE = ".gitlab-ci.yml"
GITLAB = everything(ci_platform="gitlab")
HISTORY = "the_pipeline_sees_the_history"
RUN = ("jobs", "suite", "steps", 2, "run")
ON = """\
on:
  push: {filters}
permissions: {{contents: read}}
jobs:
  suite:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@{commit}
      - run: {run}
"""


def pushed(filters: str = "{}", run: str = "pytest") -> Edit:
    """A workflow for pushes of some kind, in place of the template's."""
    return write(VALIDATE, ON.format(filters=filters, run=run, commit="0a" * 20))


DEPTH = ("with", "fetch-depth")
FAULTS: dict[str, Fault] = {
    "pushes to every branch but the engine's": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, ("on", "push"), {"branches-ignore": ["main"]}),
    ),
    "files of one folder alone": ("every_push_runs_the_suite", pushed("{paths: ['*']}")),
    "a run that another workflow cancels": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, ("concurrency", "group"), "update"),
    ),
    "a run that another branch cancels": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, ("concurrency", "group"), "validate"),
    ),
    "a step that GitLab does not take": (
        "gitlab_takes_the_pipeline",
        set_value(GITLAB_FILE, ("suite", "script"), [{"name": "uv run --locked pytest"}]),
        GITLAB,
    ),
    "pushes to another branch alone": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, ("on", "push"), {"branches": ["develop"]}),
    ),
    "a suite for one person": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, ("jobs", "suite", "if"), "github.actor == 'somebody'"),
    ),
    "every variable before the suite": (
        "no_pipeline_shows_a_secret",
        set_value(VALIDATE, RUN, "env && uv run --locked pytest"),
    ),
    "a suite that sees one commit": (HISTORY, set_value(VALIDATE, ("jobs", "suite", "steps", 0, *DEPTH), 1)),
    "a history of one commit": (HISTORY, remove(VALIDATE, ("jobs", "history", "steps", 0, *DEPTH))),
    "a suite that sees a few commits (GitLab)": (
        HISTORY,
        remove(GITLAB_FILE, ("suite", "variables", "GIT_DEPTH")),
        GITLAB,
    ),
    "a workflow that is no YAML": ("every_yaml_file_is_yaml", change(VALIDATE, "permissions: {}", "\tpermissions: {}")),
    **{
        f"a suite that is not run: {script}": ("every_push_runs_the_suite", set_value(VALIDATE, RUN, script))
        for script in (
            "echo pytest",
            "# uv run --locked pytest",
            "uv run --locked pytest --collect-only",
            "uv run --locked pytest --version",
            "uv run --locked pytest tests/test_files.py",
            "uv run --locked pytest docs",
            "uv run --locked pytest | tee report.txt",
            "uv run --locked pytest || echo failed",
            "uv run --locked pytest || { echo failed; }; exit 0",
            "uv run --locked pytest || rc=$?",
            "uv run --locked pytest &",
            "set +e\nuv run --locked pytest\necho done",
            "pip install pytest",
            "uv run --locked pytest && echo ok || echo bad",
            'uv run --locked pytest || echo "exit code $?"',
            "exit 0\nuv run --locked pytest",
            "cat > run.sh <<'END'\nuv run --locked pytest\nEND\n",
            "check() { uv run --locked pytest; }\necho done",
            "until uv run --locked pytest; do sleep 1; break; done",
        )
    },
    **{
        f"a suite that is never run: {condition}": (
            "every_push_runs_the_suite",
            set_value(VALIDATE, ("jobs", "suite", "if"), condition),
        )
        for condition in (
            "github.event_name == 'schedule'",
            "${{ github.ref == 'refs/heads/release' }}",
            "github.repository != '' && github.ref_name == 'release'",
            "startsWith(github.ref, 'refs/tags/')",
            "failure()",
            "${{ cancelled() }}",
            "${{ !always() }}",
        )
    },
    "a suite after a job that is switched off": (
        "every_push_runs_the_suite",
        together(
            set_value(VALIDATE, ("jobs", "chart", "if"), False),
            set_value(VALIDATE, ("jobs", "suite", "needs"), "chart"),
        ),
    ),
    "a suite for pull requests that are closed": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, ("on",), {"pull_request": {"types": ["closed"]}}),
    ),
    "a suite for what failed": ("every_push_runs_the_suite", set_value(VALIDATE, (*RUN[:-1], "if"), "failure()")),
    "a suite of which a variable leaves a part out": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, ("jobs", "suite", "env"), {"PYTEST_ADDOPTS": "-k nothing"}),
    ),
    **{
        f"a suite of something else: {given}": (
            "every_push_runs_the_suite",
            set_value(VALIDATE, ("jobs", "suite", "steps", 0, "with", *given[:1]), given[1]),
        )
        for given in (
            ("ref", "main"),
            ("repository", "example/other"),
            ("path", "repository"),
            ("sparse-checkout", "clusters"),
        )
    },
    "a suite of documents that is pushed": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, ("on", "push"), {"paths": ["docs/**"]}),
    ),
    "a suite in an empty folder": ("every_push_runs_the_suite", remove(VALIDATE, ("jobs", "suite", "steps", 0))),
    "a suite without uv": ("every_push_runs_the_suite", remove(VALIDATE, ("jobs", "suite", "steps", 1))),
    "a suite in a folder that is not there": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, ("defaults",), {"run": {"working-directory": "platform/llm"}}),
    ),
    "a pipeline that runs nothing": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, RUN, "echo done"),
    ),
    "a suite whose result does not count": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, RUN, "uv run pytest || true"),
    ),
    "a suite that may fail": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, (*RUN[:-1], "continue-on-error"), True),
    ),
    "half of the suite": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, RUN, "uv run pytest -k answers"),
    ),
    "a suite that is switched off": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, ("jobs", "suite", "if"), False),
    ),
    "a suite for who asks": ("every_push_runs_the_suite", change(VALIDATE, "  push:\n  pull_request:\n", "")),
    "a suite that is switched off by an expression": (
        "every_push_runs_the_suite",
        set_value(VALIDATE, ("jobs", "suite", "if"), "${{ false }}"),
    ),
    "a suite for another branch": ("every_push_runs_the_suite", pushed("{branches: [release]}")),
    "a suite for every branch but the engine's": ("every_push_runs_the_suite", pushed("{branches-ignore: ['ma*']}")),
    "a suite for tags": ("every_push_runs_the_suite", pushed("{tags: ['v*']}")),
    "a suite that is blind to Secrets": ("every_push_runs_the_suite", pushed("{paths-ignore: ['secrets/**']}")),
    "a suite for values alone": ("every_push_runs_the_suite", pushed("{paths: ['litellm/**']}")),
    "every secret in a step": (
        "no_pipeline_shows_a_secret",
        set_value(VALIDATE, (*RUN[:-1], "env"), {"ALL": "${{ toJSON(secrets) }}"}),
    ),
    **{
        f"in the log: {script}": (
            "no_pipeline_shows_a_secret",
            together(set_value(VALIDATE, ("env",), {"OWN": "${{ secrets.OWN }}"}), set_value(VALIDATE, RUN, script)),
        )
        for script in (
            "uv run --locked pytest\nprintenv",
            'uv run --locked pytest\nprintf %s "$OWN" | base64',
            "uv run --locked pytest; printenv SOPS_AGE_KEY",
            'uv run --locked pytest\necho "${{ secrets.SOPS_AGE_KEY }}" | base64',
            "uv run --locked pytest\necho $SOPS_AGE_KEY",
            "uv run --locked pytest\necho '${{ toJSON(github.event) }}'",
            'uv run --locked pytest\necho "$SOPS_AGE_KEY" | tee key.txt',
            'uv run --locked pytest\ncat "$SOPS_AGE_KEY_FILE"',
            "uv run --locked pytest\nsops decrypt secrets/aws/litellm-masterkey.sops.yaml",
            "uv run --locked pytest\nkubectl get secret litellm-masterkey -o yaml",
            'uv run --locked pytest\necho "key: $(printenv SOPS_AGE_KEY)"',
            "echo ${{ github.event.commits[0].message }}\nuv run --locked pytest",
            "echo ${{ github.event.workflow_run.head_branch }}\nuv run --locked pytest",
        )
    },
    "every secret for a workflow of others": (
        "no_pipeline_shows_a_secret",
        set_value(
            VALIDATE, ("jobs", "own"), {"uses": "example/ci/.github/workflows/own.yaml@v1", "secrets": "inherit"}
        ),
    ),
    "the title of a pull request in a shell": (
        "no_pipeline_shows_a_secret",
        write(
            ".github/workflows/own.yaml",
            "on: pull_request\njobs:\n  own:\n    runs-on: ubuntu-latest\n    steps:\n"
            "      - run: echo ${{ github.event.pull_request.title }}\n",
        ),
    ),
    "no suite": ("every_push_runs_the_suite", delete(VALIDATE)),
    "an action by its tag": (
        "nothing_that_the_pipeline_runs_can_move",
        substitute(VALIDATE, r"(actions/checkout)@.*", r"\1@v7", 1),
    ),
    "an action by its branch": (
        "nothing_that_the_pipeline_runs_can_move",
        substitute(VALIDATE, r"(astral-sh/setup-uv)@.*", r"\1@main", 1),
    ),
    "a commit hook by its branch": (
        "nothing_that_the_pipeline_runs_can_move",
        substitute(COMMITS, r"rev: v1\..*", "rev: master"),
    ),
    "a workflow that may do everything": (
        "a_workflow_may_only_read",
        set_value(VALIDATE, ("permissions",), "write-all"),
    ),
    "a workflow that says nothing of its rights": ("a_workflow_may_only_read", remove(VALIDATE, ("permissions",))),
    "a job that may write": (
        "a_workflow_may_only_read",
        set_value(VALIDATE, ("jobs", "suite", "permissions"), {"contents": "write"}),
    ),
    "a workflow with rights for what anybody sends": (
        "a_workflow_may_only_read",
        set_value(VALIDATE, ("on", "pull_request_target"), {}),
    ),
    "a setting of Renovate without its comma": (
        "renovate_can_read_its_configuration",
        change("renovate.json", '"minimumReleaseAge": "3 days",', '"minimumReleaseAge": "3 days"'),
    ),
    "a pipeline that runs nothing (GitLab)": (
        "every_push_runs_the_suite",
        set_value(GITLAB_FILE, ("suite", "script"), ["echo done"]),
        GITLAB,
    ),
    "a suite without files (GitLab)": (
        "every_push_runs_the_suite",
        set_value(".gitlab-ci.yml", ("suite", "variables", "GIT_STRATEGY"), "none"),
        everything(ci_platform="gitlab"),
    ),
    "a suite that may fail (GitLab)": (
        "every_push_runs_the_suite",
        set_value(GITLAB_FILE, ("suite", "allow_failure"), True),
        GITLAB,
    ),
    "a suite for who asks (GitLab)": (
        "every_push_runs_the_suite",
        set_value(GITLAB_FILE, ("suite", "when"), "manual"),
        GITLAB,
    ),
    "a suite that never runs (GitLab)": (
        "every_push_runs_the_suite",
        set_value(GITLAB_FILE, (".validate", "rules"), [{"when": "never"}]),
        GITLAB,
    ),
    "a pipeline that never runs (GitLab)": (
        "every_push_runs_the_suite",
        set_value(GITLAB_FILE, ("workflow", "rules"), [{"when": "never"}]),
        GITLAB,
    ),
    "a suite that no branch runs (GitLab)": (
        "every_push_runs_the_suite",
        set_value(
            GITLAB_FILE, (".validate", "rules"), [{"if": "$CI_COMMIT_BRANCH", "when": "never"}, {"when": "always"}]
        ),
        GITLAB,
    ),
    "a suite whose failures pass (GitLab)": (
        "every_push_runs_the_suite",
        set_value(GITLAB_FILE, ("suite", "allow_failure"), {"exit_codes": [1]}),
        GITLAB,
    ),
    "a suite whose failures pass by a rule (GitLab)": (
        "every_push_runs_the_suite",
        set_value(GITLAB_FILE, (".validate", "rules"), [{"allow_failure": True}]),
        GITLAB,
    ),
    "a suite whose result does not count (GitLab)": (
        "every_push_runs_the_suite",
        set_value(GITLAB_FILE, ("suite", "script"), ["set +e", "uv run --locked pytest", "exit 0"]),
        GITLAB,
    ),
    "a suite for tags (GitLab)": (
        "every_push_runs_the_suite",
        together(remove(GITLAB_FILE, ("suite", "extends")), set_value(GITLAB_FILE, ("suite", "only"), ["tags"])),
        GITLAB,
    ),
    **{
        f"a suite that is never run (GitLab): {rule}": (
            "every_push_runs_the_suite",
            set_value(GITLAB_FILE, (".validate", "rules"), [rule]),
            GITLAB,
        )
        for rule in (
            {"if": '$CI_COMMIT_BRANCH == "release"'},
            {"if": "$CI_COMMIT_TAG"},
            {"if": '$CI_PIPELINE_SOURCE == "schedule"'},
            {"changes": ["tests/**/*"]},
        )
    },
    "every variable in the log (GitLab)": (
        "no_pipeline_shows_a_secret",
        append_item(GITLAB_FILE, ("suite", "script"), "export -p"),
        GITLAB,
    ),
    "a Secret that is opened in the log (GitLab)": (
        "no_pipeline_shows_a_secret",
        append_item(GITLAB_FILE, ("suite", "script"), "sops -d secrets/aws/litellm-redis.sops.yaml"),
        GITLAB,
    ),
    "a title in a shell (GitLab)": (
        "no_pipeline_shows_a_secret",
        append_item(GITLAB_FILE, ("suite", "script"), 'eval "echo $CI_COMMIT_TITLE"'),
        GITLAB,
    ),
    "a log with every variable (GitLab)": (
        "no_pipeline_shows_a_secret",
        set_value(GITLAB_FILE, ("variables", "CI_DEBUG_TRACE"), "true"),
        GITLAB,
    ),
    "an image that moves": (
        "nothing_that_the_pipeline_runs_can_move",
        substitute(GITLAB_FILE, r'(image: "ghcr.*):.*"', r'\1:latest"'),
        GITLAB,
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Harmless] = {
    "every commit for all jobs": (
        together(
            substitute(GITLAB_FILE, r" +GIT_DEPTH: 0.*\n", "    OWN: 1\n"),
            change(GITLAB_FILE, "default:\n", "variables:\n  GIT_DEPTH: 0\n\ndefault:\n"),
        ),
        GITLAB,
    ),
    "the suite once more with few commits": (
        append(GITLAB_FILE, "\nlint:\n  extends: .validate\n  script:\n    - uv run --locked pytest -q\n"),
        GITLAB,
    ),
    "a workflow of one's own that may have what its caller has": together(
        set_value(VALIDATE, ("jobs", "own"), {"uses": "./.github/workflows/own.yaml", "secrets": "inherit"}),
        write(
            ".github/workflows/own.yaml",
            "on: workflow_call\npermissions: {}\njobs:\n  own:\n    runs-on: ubuntu-latest\n    steps: [{run: make}]\n",
        ),
    ),
    "a suite in a folder of its own": together(
        set_value(VALIDATE, ("jobs", "suite", "steps", 0, "with", "path"), "own"),
        set_value(VALIDATE, (*RUN[:-1], "working-directory"), "own"),
    ),
    "the commit of a pull request": set_value(
        VALIDATE,
        ("jobs", "suite", "steps", 0, "with", "ref"),
        "${{ github.event.pull_request.head.sha || github.sha }}",
    ),
    "a part of the repository that holds everything": set_value(
        VALIDATE,
        ("jobs", "suite", "steps", 0, "with", "sparse-checkout"),
        "clusters\nlitellm\npolicies\nsecrets\ntests\nhooks\n",
    ),
    "another repository beside it": insert(
        VALIDATE,
        ("jobs", "suite", "steps", 1),
        {"uses": f"actions/checkout@{'0a' * 20}", "with": {"repository": "example/other", "path": "other"}},
    ),
    "a suite that may fail in one row of a matrix": together(
        set_value(VALIDATE, ("jobs", "suite", "strategy"), {"matrix": {"experimental": [True, False]}}),
        set_value(VALIDATE, ("jobs", "suite", "continue-on-error"), "${{ matrix.experimental == true }}"),
    ),
    "a secret in a variable": together(
        set_value(VALIDATE, ("env",), {"OWN": "${{ secrets.OWN }}"}),
        set_value(VALIDATE, RUN, 'uv run --locked pytest\necho "$OWN" | base64 -d > own\nmake OWN="$OWN"'),
    ),
    "colours by a variable": set_value(VALIDATE, (*RUN[:-1], "env"), {"PYTEST_ADDOPTS": "-v --color=yes"}),
    "the suite though another job failed": set_value(VALIDATE, ("jobs", "suite", "if"), "${{ !cancelled() }}"),
    "merge requests, and no branches (GitLab)": (
        set_value(
            GITLAB_FILE,
            (".validate", "rules"),
            [
                {"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'},
                {"if": "$CI_COMMIT_BRANCH", "when": "never"},
                {"when": "always"},
            ],
        ),
        GITLAB,
    ),
    "no pipeline for the branches of a bot (GitLab)": (
        set_value(
            GITLAB_FILE,
            (".validate", "rules"),
            [{"if": "$CI_COMMIT_BRANCH =~ /^renovate/", "when": "never"}, {"when": "always"}],
        ),
        GITLAB,
    ),
    "a suite without tests may pass (GitLab)": (
        set_value(GITLAB_FILE, ("suite", "allow_failure"), {"exit_codes": 137}),
        GITLAB,
    ),
    "the branch of the engine, and others": set_value(VALIDATE, ("on", "push"), {"branches": ["main", "release/**"]}),
    "every branch but those of a bot": set_value(VALIDATE, ("on", "push"), {"branches-ignore": ["renovate/**"]}),
    "a workflow of their own": write(
        ".github/workflows/own.yaml", "on: push\njobs:\n  own:\n    runs-on: ubuntu-latest\n"
    ),
    "a workflow of their own with an action by its tag": write(
        ".github/workflows/own.yaml",
        "on: push\njobs:\n  own:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v7\n",
    ),
    "the suite on another runner, with other options": together(
        substitute(VALIDATE, r"ubuntu-24.04", "self-hosted"),
        set_value(VALIDATE, RUN, "uv run --frozen pytest -v --tb=short"),
    ),
    "a workflow that may read": set_value(VALIDATE, ("permissions",), {"contents": "read"}),
    "the suite in a workflow of another repository": write(
        VALIDATE,
        "on: [push]\npermissions: {}\njobs:\n  suite:\n    uses: example/ci/.github/workflows/suite.yaml@main\n",
    ),
    "the suite on the engine's branch": pushed("{branches: ['rel/**', mai?n]}"),
    "runs of a branch and a workflow of their own": set_value(
        VALIDATE, ("concurrency", "group"), "${{ github.workflow }}-${{ github.ref }}"
    ),
    "two workflows of one's own that wait for each other": together(
        *(
            write(
                f".github/workflows/{name}.yaml",
                "on: workflow_dispatch\nconcurrency: {group: own}\njobs: {a: {runs-on: own, steps: [{run: make}]}}\n",
            )
            for name in ("one", "other")
        )
    ),
    "the suite but for documents": pushed("{paths-ignore: ['docs/**', '*.md']}"),
    "a title in a variable": set_value(
        VALIDATE, (*RUN[:-1], "env"), {"TITLE": "${{ github.event.pull_request.title }}"}
    ),
    "the suite under another name": together(
        write(".github/workflows/ci.yml", "on: push\njobs: {a: {runs-on: own, steps: [{run: pytest}]}}\n"),
        delete(VALIDATE),
    ),
    "Dependabot in place of Renovate": together(
        delete("renovate.json"), write(".github/dependabot.yml", "version: 2\nupdates: []\n")
    ),
    **{
        f"the suite in another way: {script}": set_value(VALIDATE, RUN, script)
        for script in (
            "uv run --locked pytest -q --junit-xml report.xml -p no:cacheprovider",
            "uv sync --locked\nuv run pytest tests",
            "uv run --locked pytest --junit-xml own.xml -n 2 own ./tests/",
            'uv run --locked pytest "$PLACES"',
            "python -m pytest .  # all of it",
            "set -euo pipefail\nuv run --locked pytest | tee report.txt",
            "uv run --locked pytest || exit 1",
            "uv run --locked pytest || { gh pr comment -b failed; exit 1; }",
            "uv run --locked pytest || rc=$?\necho over\nexit $rc",
            "FORCE_COLOR=1 uv run --locked pytest && echo done",
            'echo "::add-mask::$TOKEN"\nuv run --locked pytest',
            'echo "key: ${SOPS_AGE_KEY:+set}"\nuv run --locked pytest',
            'echo "$TOKEN" | docker login --password-stdin\nuv run --locked pytest',
            'echo "::add-mask::$TOKEN"\nuv run --locked pytest',
            'echo "key: ${SOPS_AGE_KEY:+set}"\nuv run --locked pytest',
            "sops -d secrets/aws/litellm-redis.sops.yaml | kubectl apply -f -\nuv run --locked pytest",
            "echo ${{ github.event.repository.name }}\nuv run --locked pytest",
            "uv run --locked pytest || { gh pr comment -b failed; exit 1; }",
            'rc=0\nuv run --locked pytest || rc=$?\necho "$rc"\nexit $rc',
        )
    },
    "the suite of one's own repository alone": set_value(
        VALIDATE, ("jobs", "suite", "if"), "github.repository == 'example/llm' && github.event_name == 'push'"
    ),
    "a workflow less": delete(".github/workflows/update.yaml"),
    "a test of their own": write("tests/test_own.py", "def test_own() -> None:\n    assert True\n"),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
