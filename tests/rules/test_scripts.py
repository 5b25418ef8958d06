"""Faults and edits of scripts: what bash and Python cannot read, and what programs do not know."""

from __future__ import annotations

from typing import Any

from litellm_gitops.languages import syntax
from tests.support.answers import everything
from tests.support.faults import (
    Edit,
    Fault,
    append,
    append_item,
    change,
    remove,
    set_value,
    substitute,
    together,
    write,
)
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

READ, STEPS = "every_script_can_be_read", "every_step_names_what_there_is"
PATHS = "every_path_of_a_script_is_there"
FOLDED = "          helm version\n          uv run --locked pytest -m chart"
VALIDATE, UPDATE = (f".github/workflows/{name}.yaml" for name in ("validate", "update"))
PIPELINE, GITLAB = ".gitlab-ci.yml", everything(ci_platform="gitlab")
CHART, SIGNATURE = ("jobs", "chart", "steps"), ("jobs", "signature", "steps")


def step(script: str, **more: Any) -> Edit:
    """One more step."""
    token = {"env": {"GH_TOKEN": "${{ github.token }}"}} if script.startswith("gh ") else {}
    return append_item(VALIDATE, CHART, {"run": script, **token, **more})


def job(**entries: Any) -> tuple[Edit, dict[str, Any]]:
    """One more job of GitLab's."""
    return set_value(PIPELINE, ("own",), {"script": ["make"], **entries}), GITLAB


def python(*lines: str) -> Edit:
    """One more step, with a program of Python."""
    return step("\n".join(("python3 - << 'END'", *lines, "END")))


FAULTS: dict[str, Fault] = {
    **{
        f"commands that YAML makes one of: {name}": (READ, edit, answers)
        for name, edit, answers in (
            (
                "history",
                change(VALIDATE, "run: |\n          git cat-file", "run: >\n          git cat-file"),
                everything(),
            ),
            ("chart", change(VALIDATE, "run: uv run --locked pytest -m chart", f"run: >-\n{FOLDED}"), everything()),
            (
                "GitLab",
                append(PIPELINE, "\nown:\n  script:\n    - >\n      echo one\n      kubectl get pods\n"),
                GITLAB,
            ),
        )
    },
    **{
        f"a call: {script}": (STEPS, step(script))
        for script in (
            "gh issue list --limit --json title",
            "gh issue list --state any",
            "gh issue list --json title --jq '.[].titel'",
            "uv run --lock pytest -m chart",
            "uv run copier check-update --output-format yaml",
            "set -euo pipefial",
            "uv run hooks/seal_secrets.py --checks",
            "echo 1 > update.json\ncat update.jsn",
            "go run github.com/zricethezav/gitleaks/v8@v8.30.1x dir . --redact",
        )
    },
    "a call in a file": (READ, write("bin/own.sh", "#!/usr/bin/env bash\nset -euo pipefial\n")),
    "a folder that is not there": (PATHS, step("kubectl apply -k clusters/awss")),
    "values that are not there": (PATHS, step("helm template litellm litellm -f litellm/values-prod.yaml")),
    "a script that is not there": (PATHS, step("./scripts/deploy.sh")),
    "a folder that is not there, in a file": (PATHS, write("bin/own.sh", "kubectl diff -k clusters/prod\n")),
    "a folder that is not there (GitLab)": (PATHS, *job(script=["kubectl apply -k clusters/awss"])),
    **{
        f"no script: {script}": (READ, step(script))
        for script in (
            "if true; then echo\nfi fi",
            "if true; then\n  echo",
            "if true\n  echo\nfi",
            'echo "a',
            "for each in a b; echo $each; done",
            "case $A in\n  a) echo\nesac esac",
            "uv sync --locked &&",
            "cat << 'END'\na\nEDN",
            "python3 - << 'END'\nprint('a'\nEND",
        )
    },
    "no script (GitLab)": (READ, change(PIPELINE, "says how'; exit 1; }", "says how'; exit 1 }"), GITLAB),
    "a suite without its quote (GitLab)": (
        READ,
        change(PIPELINE, '.bin:$PATH" uv run --locked pytest -m chart', ".bin:$PATH uv run --locked pytest -m chart"),
        GITLAB,
    ),
    "no script in a file": (READ, write("bin/own.sh", "#!/usr/bin/env bash\nif true; then\n  echo\n")),
    **{
        f"no program of Python: {lines}": (READ, python(*lines))
        for lines in (
            ("import json", "print(josn.dumps({}))"),
            ("print(json.dumps({}))",),
            ("import josn",),
            ("import json", "json.laods('1')"),
            ("prnt(1)",),
            ("path = 1", "print(pth)"),
            ("import pathlib", "pathlib.Pth('.')"),
            ("answer = 1", "print(anwser)"),
            ("if True", "    print(1)"),
        )
    },
    "no program of Python in a line": (READ, step("python3 -c 'import json; print(josn.dumps({}))'")),
    "no program of Python in a step": (READ, step("import josn\n", shell="python")),
    **{
        f"a program knows no such thing: {script}": (STEPS, step(script))
        for script in (
            "uv rnu pytest -m chart",
            "uv run --lockd pytest -m chart",
            "uv run --locked copier check-update --quite",
            "gh isue list",
            "gh issue craete --title a",
            "gh issue list --limt 5",
            "gh issue list --state opne",
            "gh issue list --json titles",
            "copier check_update",
            "comand -v helm",
            "if [ -f own; then make; fi",
            "ehco done",
            "pyhton3 own.py",
            "helm templat litellm",
            'go run "github.com/zricethezav/gitleaks/v8@v8.30.1" git --redact --lag-opts=HEAD',
            'go run "github.com/zricethezav/gitleaks/v8@v9.30.1" git --redact',
            "copier check-update > own-update.json\njq . own-updates.json",
            "copier check-update --output-format json | jq '.[\"latest_verison\"]'",
        )
    },
    "a release of another major (GitLab)": (STEPS, change(PIPELINE, "cosign@v3.1.3", "cosign@v4.1.3"), GITLAB),
    "a release of another major": (STEPS, change(VALIDATE, "version: v3.1.3", "version: v2.1.3")),
    "a mark that is cut short": (STEPS, step("uv run --locked pytest -m sign")),
    "a module that is misspelt": (STEPS, change(VALIDATE, "cmd/cosign@", "cmd/cosgn@")),
    "another folder than Go is given": (STEPS, change(VALIDATE, 'PATH="$PWD/.bin', 'PATH="$PWD/bin')),
    "what calls this pipeline, misspelt (GitLab)": (
        STEPS,
        change(PIPELINE, "&& $CALLED_BY !=", "&& $CALLEDBY !="),
        everything(ci_platform="gitlab", repo_path="platform/llm"),
    ),
    "a file that is not there (GitLab)": (
        "gitlab_takes_the_pipeline",
        set_value(PIPELINE, ("include",), [{"local": "/ci/own.yml"}]),
        GITLAB,
    ),
    "an output of a step that is misspelt": (
        "every_expression_has_a_value",
        change(UPDATE, "if: steps.template.outputs", "if: steps.template.output"),
    ),
    "a property that is cut short": (
        "every_expression_has_a_value",
        change(VALIDATE, "${{ github.ref }}", "${{ github.head }}"),
    ),
    "another output than is read": (STEPS, change(UPDATE, 'print("release="', 'print("version="')),
    "an action of this repository that is not there": (
        STEPS,
        append_item(VALIDATE, CHART, {"uses": "./.github/actions/own"}),
    ),
    "a pull request's commit that is misspelt": (
        "every_expression_has_a_value",
        change(VALIDATE, "pull_request.base.sha", "pull_request.base.sah"),
    ),
    "a key of a cache that is misspelt (GitLab)": (
        "gitlab_takes_the_pipeline",
        set_value(PIPELINE, ("default", "cache"), {"kye": "own", "paths": ["own"]}),
        GITLAB,
    ),
    "a signature without its program": (STEPS, remove(VALIDATE, (*SIGNATURE, 2))),
    "a kind of change that there is not": (
        STEPS,
        set_value(VALIDATE, ("on", "pull_request"), {"types": ["opened", "synchronise"]}),
    ),
    "a kind of change that is cut short": (
        STEPS,
        set_value(VALIDATE, ("on", "pull_request"), {"types": ["open", "synchronize"]}),
    ),
    "a day that no month has": (STEPS, set_value(UPDATE, ("on", "schedule", 0, "cron"), "17 5 31 2 *")),
    **{
        f"a condition that is never true: {condition}": (
            STEPS,
            append_item(VALIDATE, CHART, {"run": "make", "if": condition}),
        )
        for condition in (
            "github.event_name == 'shedule'",
            "github.event_name == 'pull-request'",
            "github.ref == 'main'",
            "startsWith(github.ref, 'ref/tags/')",
        )
    },
    **{
        f"a job that never runs (GitLab): {source}": (
            STEPS,
            set_value(PIPELINE, ("template", "rules"), [{"if": f'$CI_PIPELINE_SOURCE == "{source}"'}]),
            GITLAB,
        )
        for source in ("shedule", "Schedule")
    },
    "a registry that is misspelt (GitLab)": (STEPS, change(PIPELINE, '"ghcr.io/astral', '"gchr.io/astral'), GITLAB),
    "an image that is misspelt (GitLab)": (STEPS, substitute(PIPELINE, '"alpine/helm', '"alpine/hlem'), GITLAB),
    "an image without a shell (GitLab)": (STEPS, remove(PIPELINE, ("helm", "image", "entrypoint")), GITLAB),
    "another folder than is written (GitLab)": (
        STEPS,
        set_value(PIPELINE, ("helm", "artifacts", "paths"), ["bin/"]),
        GITLAB,
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Harmless] = {
    **{
        f"a command on several lines: {lines}": together(
            step("OWN"), substitute(VALIDATE, r"run: \"OWN\"", f"run: >-\n          {lines}")
        )
        for lines in (
            "uv run\n          pytest -m chart",
            "docker run --rm\n          python:3.13\n          python -m own",
            "curl --fail https://example.com &&\n          make all",
            "if true; then\n            echo a\n          else\n            echo b\n          fi",
        )
    },
    **{
        f"paths and calls: {script}": step(script)
        for script in (
            "gh issue list --limit 5 --json title,url --jq '.[] | .author.login'",
            "set -o pipefail -o vi",
            "mkdir -p scripts && echo ls > scripts/deploy.sh && bash scripts/deploy.sh",
            "git clone https://example.com/a && kubectl apply -k clusters/prod",
            "cd apps && ./scripts/deploy.sh",
            'kubectl apply -k "clusters/$CLUSTER"',
            "helm dependency build litellm && helm lint litellm/charts/litellm-helm",
            "kubectl diff -k clusters/aws -f litellm/values.yaml",
        )
    },
    **{
        f"a script: {script}": step(script)
        for script in (
            'case $A in\n  a|b) echo ;;\n  (c) echo ;&\n  *) echo\nesac\n[[ $A =~ ^(a|b)$ ]] && echo "it\'s" || true',
            "shopt -s extglob\nls !(own)",
            "mapfile -t all < <(ls)\nprintf '%s\\n' \"${all[@]}\"",
            "if ${{ github.ref == 'refs/heads/main' }}; then echo ${{ github.sha }}; fi",
            "cat << END\n\"('\nEND\nnode << 'JS'\nconsole.log(`${1}`)\nJS",
            "# nothing yet",
            "python3 -m json.tool << 'END'\n{\"a\": true}\nEND\npython3 own.py << 'END'\nif\nEND",
            "python3 << END\nprint('$GITHUB_REF')\nEND",
            "uv run --locked --extra dev ruff check\nuv tool run ruff\nuvx ruff\nhelm plugin list\ngh co 1",
            "pytest --cov --cov-report=xml --own -m slow",
            "jq . report-1.json > report-2.json\ncat report-1.json own.json",
            'go install "example.com/own@v9.0.0"\ngo run example.com/own/v2/cmd@v2.0.1',
            "echo uv rnu --lockd\npip install copeir-own",
            "gh issue list --json number,title --state=closed --search own",
            "gh run rerun 1 --failed\ngh pr diff 1 --name-only\ngh release create v1 --verify-tag",
            'first=$(echo "${{ inputs.own }}" | cut -d/ -f1)\necho "$first"',
            "labels=$(jq '\n  . as $label | $label.own' own.json)  # don't\necho \"$labels\" \\$label",
            "cat << 'END' > own.graphql\nquery($labels: [String!]) { own }\nEND\nlabel=1\necho \"$label\"",
            'readarray -t lines < own.txt\nfor line in "${lines[@]}"; do echo "$line"; done',
            'GITHUB_TOKENS="a b"\nfor GITHUB_PATHS in $GITHUB_TOKENS; do echo "$GITHUB_PATHS"; done',
            "installer -pkg own.pkg -target /\ncython own.pyx\nexporter --port 1",
            'ssh own "bash deploy/run.sh"\nkubectl exec own -- ./run.sh',
            "unzip own.zip && sudo ./own/install\ngit clone https://example.com/own && own/build.sh",
            "ipython own.py\negrep a b\ntset\npython3.13 own.py\nexprot() { ls; }\nexprot a",
        )
    },
    "files from elsewhere (GitLab)": (
        set_value(
            PIPELINE,
            ("include",),
            [
                {"local": "/ci/*.yml"},
                {"template": "own.yml"},
                "https://example.com/own.yml",
                {"project": "a/b", "file": "own.yml"},
            ],
        ),
        GITLAB,
    ),
    "outputs of computed names": together(
        append_item(
            VALIDATE,
            CHART,
            {
                "id": "own",
                "run": "python3 - << 'END' >> \"$GITHUB_OUTPUT\"\nfor key in ('a', 'b'):\n"
                "    print(f'{key}=1', sep='')\nEND\n",
            },
        ),
        step("echo ${{ steps.own.outputs.version }}"),
    ),
    "an action of this repository": together(
        append_item(VALIDATE, CHART, {"uses": "./.github/actions/own"}),
        write(".github/actions/own/action.yml", "name: own\nruns: {using: composite, steps: []}\n"),
    ),
    "another folder in PATH": step('GOBIN="$PWD/.bin" go version\nPATH="$PWD/node_modules/.bin:$PATH" own'),
    "a script of PowerShell": step('if ($env:A) { Write-Output "fi" }'),
    "a script of Python": step("if True:\n    print(1)", shell="python"),
    "a script of another shell": step("if ($a) { 'fi' }", shell="pwsh"),
    "a script that another program reads": step("print(1)", shell="bash -c 'python {0}'"),
    "an action of another repository, and one that GitHub finds in any case": together(
        append_item(VALIDATE, CHART, {"uses": f"Azure/setup-helm@{'a' * 40}"}),
        append_item(
            VALIDATE,
            CHART,
            {"uses": f"actions/checkout@{'a' * 40}", "with": {"repository": "own/ci", "path": ".github/ci"}},
        ),
        append_item(VALIDATE, CHART, {"uses": "./.github/ci/setup"}),
    ),
    "a program of a newer Python": python("type Own = list[int]", "def first[T](own: T) -> T:", "    return own"),
    "a text of a newer Python": python("""own = {"a": 1}""", """print(f"{own["a"]}")"""),
    "a program for several releases of Python": python(
        "import sys", "print(unicode if sys.version_info[0] < 3 else str)"
    ),
    "a script of another system": together(
        set_value(VALIDATE, ("jobs", "own"), {"runs-on": "windows-2025", "steps": [{"run": "if (1) { echo 'fi' }"}]})
    ),
    "a program of Python": python(
        "from __future__ import annotations",
        "import datetime as dt, os.path, typer, yaml",
        "class A: pass",
        "def own(a, *b, c=1, **d): return [(e := each) for each in (a, b, c, d)], e",
        "try: own(dt.datetime.now(), A(), os.path.sep)",
        "except OSError as error: print(f'{error!r}', __name__)",
        "match own(1):",
        "    case {'a': first, **rest}: print(first, rest)",
        "    case {'own': 1, **others}: print(others, ${{ github.run_number }}, __file__)",
        "    case [first, *rest]: print(first, rest, lambda all: all)",
    ),
    "files of shells": together(
        write("bin/own.sh", 'set -eu\nfor each in "$@"; do\n  echo "$each"\ndone\n'),
        write("bin/other.sh", "#!/usr/bin/env zsh\nfor each (a b) { echo $each }\n"),
    ),
    "a script in many lines (GitLab)": job(script=["if true; then", "  echo", "fi", ["make", "cd own || exit 1"]]),
    "a folder with a dot (GitLab)": job(script=["make dist"], artifacts={"paths": [".dist/"]}),
    "an image of one's own (GitLab)": job(image="registry.example.com:5000/own/golangs:1"),
    "an image with its shell (GitLab)": job(image={"name": "registry.example.com/alpine/helm:4", "entrypoint": [""]}),
    "conditions of any source (GitLab)": job(rules=[{"if": '$CI_PIPELINE_SOURCE == "own_event" || $A == "pushed"'}]),
    "what is sent, and when": set_value(
        VALIDATE, ("on", "repository_dispatch"), {"types": ["own-synchronise", "closes"]}
    ),
    "a condition for tags and branches": append_item(
        VALIDATE,
        CHART,
        {"run": "make", "if": "startsWith(github.ref, 'refs/heads/own') || github.ref == 'refs/tags/main'"},
    ),
    "the last day of some months": set_value(UPDATE, ("on", "schedule", 0, "cron"), "17 5 31 2,3 *"),
    "a signature with another program": set_value(
        VALIDATE, (*SIGNATURE, 2), {"uses": f"sigstore/cosign-installer@{'a' * 40}"}
    ),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)


def test_nothing_is_told_where_there_is_no_bash() -> None:
    assert syntax.unread("/usr/bin:/bin", ["fi fi", "true"]) == {"fi fi": 1}
    assert not syntax.unread("/nonexistent", ["fi fi"])
