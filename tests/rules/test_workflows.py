"""Faults and edits of pipelines that GitHub and GitLab refuse."""

from __future__ import annotations

from typing import Any

from tests.support.answers import everything
from tests.support.faults import Edit, Fault, append_item, change, drop, remove, set_value, substitute, together, write
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

STEPS = "every_step_names_what_there_is"
EMPTY = "every_expression_has_a_value"
GITHUB, GITLAB = "github_takes_every_workflow", "gitlab_takes_the_pipeline"
VALIDATE, UPDATE, OWN = (f".github/workflows/{name}.yaml" for name in ("validate", "update", "own"))
PIPELINE, ANSWERS = ".gitlab-ci.yml", everything(ci_platform="gitlab")
CHART, STEP = ("jobs", "chart"), ("jobs", "chart", "steps", 3)


IN_A_FOLDER = everything(ci_platform="gitlab", repo_path="platform/llm")


def own(script: str, **more: Any) -> Edit:
    """One more step, with an environment."""
    return append_item(VALIDATE, (*CHART, "steps"), {"run": script, **more})


def gitlab(edit: Edit) -> Fault:
    """A fault of GitLab's file."""
    return GITLAB, edit, ANSWERS


FAULTS: dict[str, Fault] = {
    "a job without its script": (GITLAB, substitute(PIPELINE, r"  script:\n.*-m signed\n", ""), ANSWERS),
    "an operator of another language": (GITLAB, change(PIPELINE, '!= "schedule"', '<> "schedule"'), ANSWERS),
    **{
        f"nothing behind {key}": ("github_takes_every_workflow", substitute(VALIDATE, pattern, key + ":", count=1))
        for key, pattern in (
            ("timeout-minutes", "timeout-minutes: .*"),
            ("permissions", r"permissions:\n +contents: read"),
        )
    },
    "a job without its steps": (
        "github_takes_every_workflow",
        substitute(UPDATE, r"^    steps:\n(?:.*\n)*", ""),
    ),
    "a right beside the others": (
        "github_takes_every_workflow",
        change(UPDATE, "      issues: write", "    issues: write"),
    ),
    **{
        f"a step that GitHub does not take: {given}": (
            "github_takes_every_workflow",
            append_item(".github/workflows/validate.yaml", ("jobs", "suite", "steps"), given),
        )
        for given in (
            {"run": "make", "with": {"own": "a"}},
            {"uses": f"actions/setup-node@{'a' * 40}", "working-directory": "tests"},
            {"uses": "actions/setup-node@${{ env.OWN }}"},
        )
    },
    "rights of a job that are misspelt": (GITHUB, substitute(VALIDATE, r"^    permissions:", "    permisions:", 1)),
    "a switch of an action that is neither on nor off": (
        STEPS,
        substitute(VALIDATE, "enable-cache: false", "enable-cache: flase", 1),
    ),
    "an input of Helm's action that is misspelt": (
        STEPS,
        change(VALIDATE, "          version: v4", "          vresion: v4"),
    ),
    "a module of nowhere": (STEPS, change(VALIDATE, 'go run "github.com', 'go run "githb.com')),
    "a program that is misspelt": (STEPS, own("uv run --locked copiier update")),
    "a folder that is misspelt (GitLab)": (
        STEPS,
        change(PIPELINE, "    - cd platform/llm && uv", "    - cd platform/lm && uv"),
        IN_A_FOLDER,
    ),
    "variables that are misspelt (GitLab)": gitlab(
        substitute(PIPELINE, r"  variables:\n    GIT_DEPTH: 0 #", "  variable:\n    GIT_DEPTH: 0 #")
    ),
    "a release as Go knows none": (STEPS, change(VALIDATE, "version: v3.1.3", "version: 3.1.3")),
    "a folder that Go does not take": (STEPS, change(VALIDATE, 'GOBIN="$PWD/.bin"', "GOBIN=.bin")),
    "a flag of uv behind pytest": (STEPS, own("uv run pytest -m chart --locked")),
    "a release as Go knows none (GitLab)": (STEPS, change(PIPELINE, "gitleaks/v8@v8", "gitleaks/v8@8"), ANSWERS),
    "a parent of many that is gone (GitLab)": gitlab(substitute(PIPELINE, r"\.validate:", ".valid:")),
    "a condition without quotes (GitLab)": gitlab(change(PIPELINE, '!= "schedule"', "!= schedule")),
    "a variable that is misspelt": (STEPS, own('echo "$RELESE"', env={"RELEASE": "1"})),
    "a variable in other letters": (STEPS, own('echo "$release"', env={"RELEASE": "1"})),
    "a command of copier that is misspelt": (STEPS, own("uv run copier chek-update")),
    "a secret that nobody may have": (EMPTY, own("make", env={"TOKEN": "${{ secrets.GITHUB_TOKN }}"})),
    **{
        f"a slip in a script (GitLab): {new}": (STEPS, change(PIPELINE, old, new), ANSWERS)
        for old, new in (
            ('run "$GITLEAKS"', 'run "$GITLEAK"'),
            ('COMMITS="$BEFORE..HEAD"', 'COMMITS="$BFORE..HEAD"'),
            ('install "$COSIGN"', 'install "$COSGN"'),
            ('$CI_PIPELINE_SOURCE != "schedule"', '$CI_PIPELINE_SORCE != "schedule"'),
            ("      - auth-matrix.md", "      - auth-matrx.md"),
            ("junit: report.xml", "junit: reports.xml"),
            ("check-update\n", "chek-update\n"),
        )
    },
    **{
        f"a slip in a folder (GitLab): {new}": (STEPS, change(PIPELINE, old, new), IN_A_FOLDER)
        for old, new in (
            ("junit: platform/llm/report.xml", "junit: report.xml"),
            ("    - cd platform/llm && uv run --locked hooks", "    - uv run --locked hooks"),
        )
    },
    "stages without that of the jobs (GitLab)": gitlab(set_value(PIPELINE, ("stages",), ["build"])),
    "an output that is misspelt": (STEPS, change(UPDATE, "outputs.release != ''", "outputs.relese != ''")),
    "a job without a runner": (GITHUB, remove(VALIDATE, (*CHART, "runs-on"))),
    "a runner that is misspelt": (GITHUB, set_value(VALIDATE, (*CHART, "runs_on"), "ubuntu-24.04")),
    "a runner of another spelling": (GITHUB, set_value(VALIDATE, (*CHART, "runs-on"), "ubuntu-24.4")),
    "a shell that is misspelt": (GITHUB, set_value(VALIDATE, (*STEP, "shell"), "bashh")),
    "a condition without its bracket": (GITHUB, set_value(VALIDATE, (*CHART, "if"), "always(")),
    "a schedule that is misspelt": (GITHUB, change(UPDATE, "- cron:", "- corn:")),
    "a schedule of nothing": (GITHUB, substitute(UPDATE, r"- cron: .*", "- cron:")),
    "rights one step too deep": (GITHUB, substitute(VALIDATE, r"^permissions:", "  permissions:")),
    "a job one step too deep": (GITHUB, substitute(UPDATE, r"^  template:", "    template:")),
    "a program of Python that lost its beginning": (
        "every_script_can_be_read",
        drop(UPDATE, "python3 >> "),
    ),
    "a right that is left empty": (GITHUB, substitute(VALIDATE, r"contents: read", "contents:", 1)),
    "an expression without its end": (GITHUB, set_value(VALIDATE, (*STEP, "env"), {"A": "${{ github.ref"})),
    "a step with uses misspelt": (
        GITHUB,
        substitute(VALIDATE, "- uses: astral-sh/setup-uv", "- use: astral-sh/setup-uv", 1),
    ),
    "a job after one that is not there": (GITHUB, set_value(VALIDATE, (*CHART, "needs"), ["build"])),
    "a step that does two things": (GITHUB, set_value(VALIDATE, (*STEP, "uses"), "./own")),
    "a step that does nothing": (GITHUB, append_item(VALIDATE, (*CHART, "steps"), {"name": "own"})),
    "two steps of one name": (
        GITHUB,
        together(*(append_item(VALIDATE, (*CHART, "steps"), {"id": "own", "run": "true"}) for _ in range(2))),
    ),
    "a step with a misspelt key": (GITHUB, set_value(VALIDATE, (*STEP, "working_directory"), ".")),
    "an event that does not exist": (GITHUB, set_value(VALIDATE, ("on", "pull-request"), {})),
    "a schedule in words": (GITHUB, set_value(UPDATE, ("on", "schedule", 0, "cron"), "17 5 * * MONDAY")),
    "a schedule of six fields": (GITHUB, set_value(UPDATE, ("on", "schedule", 0, "cron"), "0 17 5 * * 1")),
    "a job without time": (GITHUB, set_value(VALIDATE, (*CHART, "timeout-minutes"), 0)),
    "a workflow of one's own with a misspelt key": (
        GITHUB,
        write(OWN, "on: push\njob:\n  own:\n    runs-on: ubuntu-latest\n"),
    ),
    **{
        f"a runner that is gone: {runner}": (GITHUB, set_value(VALIDATE, (*CHART, "runs-on"), runner))
        for runner in ("ubuntu-20.04", "windows-2019")
    },
    "jobs that wait for each other": (
        GITHUB,
        together(
            set_value(VALIDATE, (*CHART, "needs"), ["suite"]), set_value(VALIDATE, ("jobs", "suite", "needs"), "chart")
        ),
    ),
    "a misspelt runner": (GITHUB, set_value(VALIDATE, (*CHART, "runs-on"), "ubunut-24.04")),
    "a comparison with one sign": (GITHUB, set_value(VALIDATE, (*CHART, "if"), "github.ref = 'refs/heads/main'")),
    "a misspelt output": (STEPS, change(UPDATE, 'print("release="', 'print("releases="')),
    "a misspelt file of outputs": (STEPS, change(UPDATE, "$GITHUB_OUTPUT", "$GITHUB_OUPUT")),
    **{
        f"a step of a misspelt name: {new}": (STEPS, substitute(VALIDATE, old, new, 1))
        for old, new in (
            ("actions/checkout@", "actions/chekout@"),
            ("actions/checkout@", "action/checkout@"),
            ("astral-sh/setup-uv", "astral/setup-uv"),
            ("persist-credentials:", "persist-credential:"),
            ("fetch-depth:", "fetch_depth:"),
            ("pytest -m chart", "pytest -m charts"),
        )
    },
    "a cache without paths (GitLab)": gitlab(set_value(PIPELINE, ("default", "cache"), {"path": ["own"]})),
    "an end that is none (GitLab)": gitlab(set_value(PIPELINE, ("helm", "artifacts", "expire_in"), "1 huor")),
    "a right that is misspelt": (GITHUB, set_value(VALIDATE, (*CHART, "permissions"), {"content": "read"})),
    "a right of another kind": (GITHUB, set_value(VALIDATE, (*CHART, "permissions"), {"contents": "reed"})),
    "a time in words": (GITHUB, set_value(VALIDATE, (*CHART, "timeout-minutes"), "ten")),
    **{
        f"an expression that is refused: {condition}": (GITHUB, set_value(VALIDATE, (*CHART, "if"), condition))
        for condition in (
            "githb.ref == 'refs/heads/main'",
            "${{ contain(github.ref, 'x') }}",
            'github.ref == "refs/heads/main"',
            "secrets.TOKEN != ''",
            "matrix.os == 'own'",
        )
    },
    **{
        f"an expression that is empty: {expression}": (EMPTY, set_value(VALIDATE, (*STEP, "env"), {"A": expression}))
        for expression in (
            "${{ github.reff }}",
            "${{ needs.build.outputs.a }}",
            "${{ steps.own.outputs.a }}",
            "${{ matrix.os }}",
        )
    },
    "a step of another name": (EMPTY, set_value(UPDATE, ("jobs", "template", "steps", 2, "id"), "release")),
    **{
        f"a rule that is refused (GitLab): {rule}": gitlab(set_value(PIPELINE, (".validate", "rules"), [rule]))
        for rule in ({"iff": "$CI_COMMIT_BRANCH"}, {"if": '$CI_PIPELINE_SOURCE = "push"'})
    },
    "five attempts (GitLab)": gitlab(set_value(PIPELINE, ("chart", "retry"), 5)),
    "a coverage without slashes (GitLab)": gitlab(set_value(PIPELINE, ("chart", "coverage"), "TOTAL")),
    "a job of a later stage (GitLab)": gitlab(set_value(PIPELINE, ("helm", "stage"), "deploy")),
    "jobs that wait for each other (GitLab)": gitlab(
        together(set_value(PIPELINE, ("helm", "stage"), "test"), set_value(PIPELINE, ("helm", "needs"), ["chart"]))
    ),
    "a job that is never (GitLab)": gitlab(set_value(PIPELINE, ("chart", "when"), "never")),
    "a moment that there is not (GitLab)": gitlab(set_value(PIPELINE, ("suite", "artifacts", "when"), "allways")),
    "a time that is none (GitLab)": gitlab(set_value(PIPELINE, ("default", "timeout"), "10 minits")),
    "a misspelt parent (GitLab)": gitlab(set_value(PIPELINE, ("chart", "extends"), ".valid")),
    "a job that is not there (GitLab)": gitlab(set_value(PIPELINE, ("chart", "needs"), ["helmet"])),
    "a stage that is not there (GitLab)": gitlab(set_value(PIPELINE, ("chart", "stage"), "verify")),
    "a job without a script (GitLab)": gitlab(set_value(PIPELINE, ("own",), {"stage": "test"})),
    "a misspelt key (GitLab)": gitlab(set_value(PIPELINE, ("chart", "artefacts"), {"paths": ["own"]})),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Harmless] = {
    "a word for a list, and a strategy without a matrix": write(
        ".github/workflows/own.yaml",
        "on: {push: {branches: main, tags: 'v*'}, pull_request: {types: opened}}\npermissions: {}\njobs:\n"
        "  own:\n    runs-on: ubuntu-latest\n    strategy: {max-parallel: 1, fail-fast: false}\n"
        "    steps: [{run: make}]\n",
    ),
    "programs and hosts that are nearly others": own(
        "uv run --extra dev python3 -m own\nuv run pyright\ngo run gitlab.com/own/tool@v1.2.3"
    ),
    "a word that is nearly a switch": append_item(
        VALIDATE, (*CHART, "steps"), {"uses": f"own/own@{'a' * 40}", "with": {"filter": "tree", "mode": "falsy"}}
    ),
    "a folder beside the project (GitLab)": (
        set_value(PIPELINE, ("own",), {"before_script": ["cd platform/llm2"], "script": ["make"]}),
        IN_A_FOLDER,
    ),
    "conditions of any form (GitLab)": (
        set_value(
            PIPELINE,
            ("own",),
            {
                "script": ["make"],
                "rules": [{"if": each} for each in ("$A == null && $B =~ /^a=b/", '$A != $B || "a" == $C', "$A !~ $B")],
            },
        ),
        ANSWERS,
    ),
    "a release of Go's by its commit": own('go install "example.com/own@$own"', env={"own": "0a1b2c3d"}),
    "variables of a script": own(
        'for each in a b; do read -r first rest; total=1; echo "$each $first $rest $total"; done', env={"EACHES": "1"}
    ),
    "a variable of an earlier step": together(
        own('echo "RELEASE=1" >> "$GITHUB_ENV"', env={"RELEASES": "2"}), own('echo "$RELEASE"', env={"RELEASES": "2"})
    ),
    "variables of another program": own("echo a | awk '{ version=$1; print $version }'", env={"VERSIONS": "a"}),
    "variables of a file": own('. ./own.sh\necho "$VERSION"', env={"VERSIONS": "a"}),
    "what a job keeps of a program (GitLab)": (
        set_value(
            PIPELINE,
            ("own",),
            {"script": ["make own"], "artifacts": {"paths": ["own.txt"], "reports": {"junit": "platform/llm/own.xml"}}},
        ),
        IN_A_FOLDER,
    ),
    "what a job at the root of git keeps (GitLab)": (
        set_value(
            PIPELINE,
            ("own",),
            {"before_script": [], "script": ["make > own.txt"], "artifacts": {"paths": ["own.txt"]}},
        ),
        IN_A_FOLDER,
    ),
    "a variable of the settings (GitLab)": (
        set_value(PIPELINE, ("own",), {"script": ['curl --data ok "$WEBHOOK"', "echo $CI_JOB_IMAGE"]}),
        ANSWERS,
    ),
    "steps of one's own": write(
        OWN,
        """\
on: push
jobs:
  own:
    runs-on: ubuntu-slim
    steps:
      - uses: example/checkout@v1
        with: {persist-credential: false}
      - {id: own, run: "./own >> $GITHUB_OUTPUT; echo $GITHUB_OWN"}
      - run: echo ${{ steps.own.outputs.release }} ${{ github.ref == 'a=b' }}
      - run: pytest -m slow
""",
    ),
    "an end of artifacts (GitLab)": (set_value(PIPELINE, ("helm", "artifacts", "expire_in"), "3 mins 4 sec"), ANSWERS),
    "a matrix, a step and a job of one's own": write(
        OWN,
        """\
on: push
jobs:
  first:
    runs-on: ${{ matrix.os }}
    strategy: {matrix: {os: [ubuntu-24.04], include: [{os: macos-15, extra: true}]}}
    if: github.event_name != 'push' || !contains(github.ref, '"') && vars.OWN == 'a'
    outputs: {a: "${{ steps.Own.outputs.a }}"}
    steps:
      - {id: own, run: "echo ${{ matrix.extra }} ${{ runner.os }} ${{ github.event.inputs.a }}"}
      - {if: "always() && env.A != '' && hashFiles('**/uv.lock') != ''", run: "true"}
  second:
    needs: [first]
    runs-on: ubuntu-latest
    strategy: {matrix: "${{ fromJSON(needs.first.outputs.a) }}"}
    steps: [{run: "echo ${{ matrix.any }} ${{ needs.first.outputs.a }} ${{ join(needs.*.result, ', ') }}"}]
""",
    ),
    **{
        f"a condition (GitLab): {condition}": (
            set_value(PIPELINE, ("chart", "rules"), [{"if": condition}]),
            ANSWERS,
        )
        for condition in (
            '$CI_COMMIT_BRANCH == "a=b&c" && $CI_PIPELINE_SOURCE != "schedule"',
            "$CI_COMMIT_BRANCH =~ /^(main|feature\\/a=b)$/i || ($CI_COMMIT_TAG && $OWN == null)",
        )
    },
    "an attempt more (GitLab)": (
        set_value(PIPELINE, ("chart", "retry"), {"max": 2, "when": "runner_system_failure"}),
        ANSWERS,
    ),
    "a script of elsewhere (GitLab)": (
        substitute(PIPELINE, r"^suite:\n", "own:\n  script:\n    - !reference [suite, script]\n    - ls\n\nsuite:\n"),
        ANSWERS,
    ),
    **{
        f"another runner: {runner}": substitute(VALIDATE, "runs-on: ubuntu-24.04", f"runs-on: {runner}")
        for runner in ("ubuntu-latest", "ubuntu-24.04-arm", "ubuntu-24.04-8core", "[self-hosted, linux]")
    },
    "an expression with its end in a text": set_value(
        VALIDATE, (*STEP, "env"), {"A": "${{ format('{0}}}', github.ref) }}"}
    ),
    "variables of one's own (GitLab)": (
        set_value(PIPELINE, ("chart", "variables"), {"timeout": "short", "when": "later"}),
        ANSWERS,
    ),
    "a condition with brackets in a text": set_value(
        VALIDATE, (*CHART, "if"), "${{ !cancelled() && !contains(github.ref, 'a(b') }}"
    ),
    "a shell of one's own": set_value(VALIDATE, (*STEP, "shell"), "bash -e {0}"),
    "a workflow with everything": together(
        write(
            ".github/workflows/other.yaml",
            "on: {workflow_call: {inputs: {a: {type: string}}}}\njobs: {a: {runs-on: own, steps: [{run: make}]}}\n",
        ),
        write(
            OWN,
            """\
name: own
run-name: own of ${{ github.actor }}
on:
  schedule: [{cron: "*/15 6-18 * JAN-JUN MON-FRI"}]
  workflow_dispatch: {inputs: {place: {type: string}}}
  workflow_call:
env: {A: b}
defaults: {run: {shell: bash}}
jobs:
  first:
    runs-on: {group: own, labels: [linux]}
    strategy: {matrix: {version: [1, 2]}}
    container: {image: "example/own:1"}
    services: {redis: {image: "redis:8"}}
    outputs: {a: "${{ steps.own.outputs.a }}"}
    steps: [{id: own, run: echo a=b >> "$GITHUB_OUTPUT"}]
  second:
    needs: first
    uses: ./.github/workflows/other.yaml
    with: {a: b}
""",
        ),
    ),
    "a workflow of GitHub's kind in a folder below": write(".github/workflows/templates/own.yaml", "job: {}\n"),
    "a job of their own (GitLab)": (
        set_value(
            PIPELINE,
            ("own",),
            {"extends": ".validate", "stage": "deploy", "script": ["true"], "needs": ["suite"], "retry": 1},
        ),
        ANSWERS,
    ),
    "stages of their own (GitLab)": (
        together(
            set_value(PIPELINE, ("stages",), ["test", "own"]),
            set_value(PIPELINE, ("own",), {"stage": "own", "trigger": {"include": "own.yml"}}),
        ),
        ANSWERS,
    ),
    "what another file brings (GitLab)": (
        together(
            write("own.yml", ".own: {script: [make]}\n"),
            set_value(PIPELINE, ("include",), [{"local": "own.yml"}]),
            set_value(PIPELINE, ("own",), {"extends": ".own", "needs": ["build"], "stage": "verify"}),
        ),
        ANSWERS,
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
