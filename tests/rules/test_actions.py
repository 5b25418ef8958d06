"""Faults and edits of what workflows and jobs of one's own give actions, may do, ask of other jobs, and compare."""

from __future__ import annotations

from typing import Any

from tests.support.answers import everything
from tests.support.faults import Edit, Fault, append, change, set_value, substitute, together, write
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

STEPS, EMPTY, PUSH = (
    "every_step_names_what_there_is",
    "every_expression_has_a_value",
    "every_push_runs_the_suite",
)
VALIDATE, UPDATE, OWN = (f".github/workflows/{name}.yaml" for name in ("validate", "update", "own"))
BUILT = "  build:\n    runs-on: ubuntu-latest\n    outputs: {tag: '1'}\n    steps: [{run: make}]\n"
UPLOAD = "{uses: actions/upload-artifact@v7, with: {name: report, path: a.xml}}"
PUT = f"  put:\n    runs-on: ubuntu-latest\n    steps: [{UPLOAD}]\n"
OF_AN_ENTERPRISE = everything(repo_url="https://git.example.com/platform/litellm-gitops.git")


def own(step: str, on: str = "push", more: str = "", **job: Any) -> Edit:
    """A workflow of one's own with one step, and more jobs before it."""
    above = "".join(f"    {key.replace('_', '-')}: {value}\n" for key, value in job.items())
    text = f"on: {on}\njobs:\n{more}  own:\n    runs-on: ubuntu-latest\n{above}    steps:\n      - {step}\n"
    return write(OWN, text)


def told(condition: str, on: str = "pull_request") -> Edit:
    """A workflow of one's own with a condition."""
    return own("run: make", on, **{"if": condition})


MAY, READ = "a_workflow_of_ones_own_may_do_what_it_does", "{contents: read}"
ROLE = "{role-to-assume: 'arn:aws:iam::123456789012:role/own', aws-region: us-west-2}"
AWS = f"{{uses: aws-actions/configure-aws-credentials@v6, with: {ROLE}}}"
TOKEN = "env: {GH_TOKEN: '${{ github.token }}'}"
GITLAB, PIPELINE = everything(ci_platform="gitlab"), ".gitlab-ci.yml"


def job(**entries: Any) -> Edit:
    """A job of GitLab's of one's own."""
    return set_value(PIPELINE, ("own",), {"script": ["make"], **entries})


SETUP, RENDER = ".github/actions/setup/action.yaml", ".github/workflows/render.yaml"
ACTION = "inputs: {helm: {default: v4}}\nruns:\n  using: composite\n  steps: [{run: make, shell: bash}]\n"
CALLED = "on: {workflow_call: {inputs: {cluster: {required: true, type: string}}}}\njobs:\n"
CALLED += "  own: {runs-on: ubuntu-latest, steps: [{run: make}]}\n"


def calling(given: str) -> Edit:
    """A workflow of one's own that is called with something."""
    call = f"on: push\njobs:\n  own:\n    uses: ./{RENDER}\n    with: {given}\n"
    return together(write(RENDER, CALLED), write(OWN, call))


def acting(given: str, action: str = ACTION, before: str = f"uses: actions/checkout@{'a1' * 20}\n      - ") -> Edit:
    """An action of one's own that is given something."""
    return together(write(SETUP, action), own(f"{before}{{uses: ./.github/actions/setup, with: {given}}}"))


TEN = "{matrix: {python: [3.10, 3.13]}}"
FLAG = "{workflow_dispatch: {inputs: {dry: {type: boolean}}}}"
FAULTS: dict[str, Fault] = {
    "an action of one's own that is not checked out": (STEPS, acting("{}", before="")),
    "a version of which YAML takes the zero": (
        STEPS,
        own("{uses: actions/setup-python@v6, with: {python-version: '${{ matrix.python }}'}}", strategy=TEN),
    ),
    "files of a job that are not taken": (
        STEPS,
        change(PIPELINE, "    - cosign\n", "    - {job: cosign, artifacts: false}\n"),
        GITLAB,
    ),
    "a module in quotes that keep a variable": (
        STEPS,
        change(PIPELINE, 'install "$COSIGN"', "install '$COSIGN'"),
        GITLAB,
    ),
    "a kind of action that there is not": (STEPS, acting("{}", ACTION.replace("composite", "compsite"))),
    "copier by itself": (STEPS, change(UPDATE, "uv run --locked copier", "copier")),
    "an image of uv alone": (STEPS, change(PIPELINE, "-python3.13-trixie", ""), GITLAB),
    "Go in the image of uv": (
        STEPS,
        substitute(PIPELINE, r'(history:\n  extends: .validate\n)  image: "golang:.*"\n', r"\1"),
        GITLAB,
    ),
    "a program that is not kept": (
        STEPS,
        substitute(PIPELINE, r"  artifacts:\n    expire_in(?:.*\n){3}", "", 1),
        GITLAB,
    ),
    "a program that Go puts elsewhere": (STEPS, change(PIPELINE, 'GOBIN="$PWD/.bin"', 'GOBIN="$PWD/bin"'), GITLAB),
    **{
        f"an action: {step}": (STEPS, own(step))
        for step in (
            "{uses: docker/login-action@v3, with: {user: me, password: '${{ secrets.DOCKER }}'}}",
            "{uses: actions/cache@v5, with: {path: .cache}}",
            "{uses: actions/cache@v5, with: {path: .cache, keys: a}}",
            "{uses: actions/cache@v2, with: {path: .cache, key: a}}",
            "{uses: actions/upload-artifact@v3, with: {path: report.xml}}",
            "{uses: actions/upload-artifact@v3.1.2, with: {path: report.xml}}",
            "{uses: actions/upload-artifact@v7, with: {name: report}}",
        )
    },
    "an artifact under another name": (
        STEPS,
        own("{uses: actions/download-artifact@v7, with: {name: reports}}", more=PUT, needs="put"),
    ),
    "an output of a job that has no such one": (
        STEPS,
        own("run: echo ${{ needs.build.outputs.tags }}", more=BUILT, needs="build"),
    ),
    "a variable that is misspelt": (STEPS, own("run: helm pull --version ${{ env.VERSOIN }}", env="{VERSION: 1.0.0}")),
    "outputs in the environment": (STEPS, substitute(UPDATE, "GITHUB_OUTPUT", "GITHUB_ENV")),
    "a part of an event that is misspelt": (
        EMPTY,
        substitute(VALIDATE, r"github\.event\.before", "github.event.befor"),
    ),
    **{
        f"never: {condition}": (STEPS, told(condition, on))
        for condition, on in (
            ("github.ref_name == 'refs/heads/main'", "push"),
            ("github.base_ref == 'refs/heads/main'", "pull_request"),
            ("github.event.pull_request.merged == 'true'", "{pull_request: {types: [closed]}}"),
            ("github.event.pull_request.draft != 'true'", "pull_request"),
            ("inputs.dry == 'true'", FLAG),
        )
    },
    "an identity that nobody may ask for": (MAY, own(AWS)),
    "an identity beside other rights": (MAY, own(AWS, permissions=READ)),
    "a comment that may not be written": (MAY, own(f"{{run: gh pr comment 1 --body a, {TOKEN}}}", permissions=READ)),
    "a release that may not be made": (MAY, own(f"{{run: gh release create v1, {TOKEN}}}", permissions=READ)),
    **{
        f"a release of helm: {version}": (STEPS, substitute(VALIDATE, r"version: v4\.\S+", f"version: {version}"))
        for version in ("v4.3.1x", "v4,3.1", "4.3.1x")
    },
    "a condition without $ (GitLab)": (
        "gitlab_takes_the_pipeline",
        change(PIPELINE, 'if: $CI_PIPELINE_SOURCE == "schedule"', 'if: CI_PIPELINE_SOURCE == "schedule"'),
        GITLAB,
    ),
    "a reference to nothing (GitLab)": (
        "gitlab_takes_the_pipeline",
        append(PIPELINE, "\nown:\n  rules:\n    - !reference [.validate, rule]\n  script:\n    - make\n"),
        GITLAB,
    ),
    "a report of another name (GitLab)": (STEPS, change(PIPELINE, "- auth-matrix.md", "- summary.md"), GITLAB),
    "results of another name (GitLab)": (STEPS, change(PIPELINE, "junit: report.xml", "junit: junit.xml"), GITLAB),
    "tests without helm (GitLab)": (STEPS, change(PIPELINE, "    - helm\n", "    - cosign\n"), GITLAB),
    "an update that nobody is told of (GitLab)": (STEPS, change(PIPELINE, "exit 1; }", "exit 0; }"), GITLAB),
    "an update with one word more (GitLab)": (
        STEPS,
        change(PIPELINE, "'; exit 1; }", "' exit 1; }"),
        GITLAB,
    ),
    "an image that there is not (GitLab)": (STEPS, change(PIPELINE, "alpine/helm:4.3.0", "alpine/helm:4.3.0x"), GITLAB),
    "an input that a workflow does not take": (STEPS, calling("{clusters: aws}")),
    "an input that a workflow needs": (STEPS, calling("{}")),
    "an input that an action does not take": (STEPS, acting("{hlem: v4}")),
    "an action without a shell": (STEPS, acting("{helm: v4}", ACTION.replace(", shell: bash", ""))),
    "an entry point that is not there": (
        "every_path_of_a_script_is_there",
        own("run: uv run --locked hooks/seal_secret.py --check"),
    ),
    "a title that no shell fills in": (STEPS, change(UPDATE, '--title "$TITLE"', "--title '$TITLE'")),
    "a runner in a list": (
        "github_takes_every_workflow",
        substitute(VALIDATE, "runs-on: ubuntu-24.04", "runs-on: [ubuntu-24.4]", 1),
    ),
    "artifacts without paths (GitLab)": (STEPS, job(artifacts={"expire_in": "1 hour"}), GITLAB),
    "a suite for tags alone, beside pull requests": (PUSH, set_value(VALIDATE, ("on", "push"), {"tags": ["v*"]})),
    "a suite for no tags, and so for no branch": (PUSH, set_value(VALIDATE, ("on", "push"), {"tags-ignore": ["v*"]})),
}
HARMLESS: dict[str, Harmless] = {
    "copier by pipx": change(UPDATE, "uv run --locked copier check", "pipx install copier\n          copier check"),
    "versions in quotes": own("{run: make}", strategy="{matrix: {python: ['3.10', 3.13], own: [3.1]}}"),
    "Go from a package": (
        together(
            substitute(PIPELINE, r'(history:\n  extends: .validate\n)  image: "golang:.*"\n', r"\1"),
            change(PIPELINE, "    - BEFORE=", "    - apt-get update && apt-get install -y golang git\n    - BEFORE="),
        ),
        GITLAB,
    ),
    **{
        f"an action: {step}": own(step)
        for step in (
            "{uses: docker/login-action@v3, with: {registry: ghcr.io, username: me, password: '${{ github.token }}'}}",
            "{uses: actions/cache/restore@v5, with: {path: .cache, key: a}}",
            "{uses: actions/cache@v5, with: {path: .cache, key: a, restore-keys: b}}",
            "{uses: actions/setup-go@v6, with: {go-version: stable}}",
            "{uses: actions/setup-node@v6, with: {node-version: 24}}",
            "{uses: docker/setup-buildx-action@v3}",
            "{uses: actions/download-artifact@v7}",
            "{uses: actions/upload-artifact@v7, with: {path: report.xml}}",
            "{uses: actions/upload-pages-artifact@v3, with: {path: docs}}",
        )
    },
    "an old action on a server of one's own": (
        own("{uses: actions/upload-artifact@v3, with: {path: a.xml}}"),
        OF_AN_ENTERPRISE,
    ),
    "an artifact of another run": own(
        "{uses: actions/download-artifact@v7, with: {name: reports, run-id: 1}}", more=PUT, needs="put"
    ),
    "artifacts by numbers": own("{uses: actions/download-artifact@v7, with: {name: report2}}", more=PUT, needs="put"),
    "an output of a job": own("run: echo ${{ needs.build.outputs.tag }}", more=BUILT, needs="build"),
    "a variable that a step gives": own(
        "{run: 'echo VERSIONS=1 >> \"$GITHUB_ENV\"'}\n      - run: echo ${{ env.VERSIONS }}", env="{VERSION: 1.0.0}"
    ),
    **{
        f"a condition: {condition}": told(condition, on)
        for condition, on in (
            ("github.ref_name == 'release/1'", "push"),
            ("github.event.pull_request.merged == true", "{pull_request: {types: [closed]}}"),
            ("github.event.inputs.dry == 'true'", FLAG),
            ("inputs.dry == 'true'", "{workflow_dispatch: {inputs: {dry: {type: string}}}}"),
            ("github.event.client_payload.dry == 'true'", "repository_dispatch"),
            ("github.event.repository.private", "push"),
        )
    },
    "an identity": own(AWS, permissions="{contents: read, id-token: write}"),
    "an identity for whom a caller gives it": own(AWS, "workflow_call"),
    "a role by a key": own(AWS, env="{AWS_ACCESS_KEY_ID: '${{ secrets.KEY }}'}"),
    "a comment": own(f"{{run: gh pr comment 1 --body a, {TOKEN}}}", permissions="{pull-requests: write}"),
    "a comment with a token of one's own": own(
        "{run: gh pr comment 1 --body a, env: {GH_TOKEN: '${{ secrets.BOT }}'}}", permissions=READ
    ),
    "a comment by the rights of the repository": own(f"{{run: gh pr comment 1 --body a, {TOKEN}}}"),
    "a release of uv": own("{uses: astral-sh/setup-uv@v7, with: {version: 0.12.x}}"),
    "a range of uv": own("{uses: astral-sh/setup-uv@v7, with: {version: '>=0.12,<1'}}"),
    "conditions (GitLab)": (
        job(rules=[{"if": each} for each in ('($A == "b" || $C) && !$D', "$A =~ /^b c$/", '"a" == $A', "null == $A")]),
        GITLAB,
    ),
    "references (GitLab)": (
        append(PIPELINE, "\nown:\n  rules:\n    - !reference [.validate, rules]\n  script:\n    - make\n"),
        GITLAB,
    ),
    "reports that a program writes (GitLab)": (
        job(
            script=["uv run pytest own --junit-xml=own.xml --cov-report=xml > own.log"],
            artifacts={"paths": ["coverage.xml", "htmlcov/"], "reports": {"junit": "own.xml"}},
        ),
        GITLAB,
    ),
    "an update that is told elsewhere (GitLab)": (
        change(PIPELINE, "exit 1; }", "curl --fail https://example.com/own; }"),
        GITLAB,
    ),
    "tests in an image of one's own (GitLab)": (
        substitute(PIPELINE, r"    - helm\n  script:", "    - cosign\n  image: example.com/own:1.0\n  script:"),
        GITLAB,
    ),
    "an input of a workflow": calling("{cluster: aws}"),
    "an input of an action": acting("{helm: v3}"),
    "an action that is given nothing": acting("{}"),
    "an entry point": own("run: uv run --locked hooks/seal_secrets.py --check"),
    "labels of one's own runner": substitute(VALIDATE, "runs-on: ubuntu-24.04", "runs-on: [linux]", 1),
    "a variable that another program fills in": own("{run: \"envsubst '$A' < a.txt\", env: {A: '1'}}"),
    "artifacts that are not tracked (GitLab)": (job(artifacts={"untracked": True}), GITLAB),
    "a suite for tags, too": set_value(VALIDATE, ("on", "push"), {"branches": ["**"], "tags": ["v*"]}),
    "a suite for tags, and for all branches but one": set_value(
        VALIDATE, ("on", "push"), {"branches-ignore": ["gh-pages"], "tags": ["v*"]}
    ),
}

test_each_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
