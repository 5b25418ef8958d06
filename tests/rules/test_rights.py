"""Faults and edits of what a pipeline may do, and of what it runs."""

from __future__ import annotations

from tests.support.answers import everything
from tests.support.faults import Edit, Fault, append, remove, set_value, substitute, together, write
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

MOVES = "nothing_that_the_pipeline_runs_can_move"
VALIDATE, UPDATE, OWN = (f".github/workflows/{name}.yaml" for name in ("validate", "update", "own"))
GITLAB_FILE, GITLAB = ".gitlab-ci.yml", everything(ci_platform="gitlab")

MAY, OWNERS = "a_workflow_may_do_what_it_does", "github_asks_every_code_owner"
CODEOWNERS, GITLAB_OWNERS = ".github/CODEOWNERS", ".gitlab/CODEOWNERS"
SUITE, TEMPLATE = ("jobs", "suite", "permissions"), ("jobs", "template")


def sent(event: str, ref: str) -> Edit:
    """A workflow of one's own, on an event, that checks something out."""
    steps = f"[{{uses: actions/checkout@v7, with: {{ref: '{ref}'}}}}, {{run: make}}]"
    return write(OWN, f"on: {event}\njobs:\n  own:\n    runs-on: ubuntu-latest\n    steps: {steps}\n")


def pushing(script: str, **given: str) -> Edit:
    """A workflow of one's own that may read, and pushes; `given` is for its checkout."""
    inputs = "".join(f", {key}: '{value}'" for key, value in given.items())
    steps = f"[{{uses: actions/checkout@v7, with: {{fetch-depth: 0{inputs}}}}}, {{run: '{script}'}}]"
    start = "on: [push]\npermissions: {contents: read}\njobs:\n  own:\n    runs-on: ubuntu-latest\n"
    return write(OWN, f"{start}    steps: {steps}\n")


FAULTS: dict[str, Fault] = {
    "owners in a file that another one stands before": (OWNERS, write("CODEOWNERS", "* @example/platform\n")),
    "a push of who may only read": ("a_workflow_of_ones_own_may_do_what_it_does", pushing("git push")),
    **{
        f"what strangers send, with rights: {ref}": (
            "no_workflow_runs_what_strangers_send",
            sent("[pull_request_target]", f"${{{{ {ref} }}}}"),
        )
        for ref in ("github.head_ref", "github.event.pull_request.head.sha")
    },
    "a release of an action with another commit": (
        MOVES,
        substitute(VALIDATE, r"(checkout@)[0-9a-f]{40}", "\\g<1>" + "a1" * 20, 1),
    ),
    "a commit of an action with another release": (MOVES, substitute(UPDATE, r"# v7\.0\.1", "# v7.1.0")),
    "rights at the top that are misspelt": (
        "github_takes_every_workflow",
        substitute(VALIDATE, r"^permissions: \{\}", "permission: {}"),
    ),
    "a suite that reads no private repository": (MAY, remove(VALIDATE, SUITE)),
    "a suite that may read nothing": (MAY, set_value(VALIDATE, SUITE, {"contents": "none"})),
    "an issue that nobody may open": (MAY, remove(UPDATE, (*TEMPLATE, "permissions", "issues"))),
    "an issue without a token": (MAY, remove(UPDATE, (*TEMPLATE, "steps", 3, "env", "GH_TOKEN"))),
    "a container of any release": (MOVES, set_value(VALIDATE, ("jobs", "suite", "container"), "python:latest")),
    "a team without its sign": (OWNERS, append(CODEOWNERS, "/policies/ platform-team\n")),
    "owners of what is left": (OWNERS, append(CODEOWNERS, "!/docs/ @example/docs\n")),
    "owners of a range": (OWNERS, append(CODEOWNERS, "/litellm/values-[ag]*.yaml @example/platform\n")),
    "owners of a misspelt folder": (OWNERS, append(CODEOWNERS, "/policy/ @example/platform\n")),
    **{
        f"owners that GitHub does not ask: {lines}": (OWNERS, append(CODEOWNERS, f"{lines}\n"))
        for lines in (
            "/secrets/",
            "secret/ @example/security",
            "/secrets/awss/ @example/security",
            "/hooks/seal_secret.py @example/security",
            "/secrets/ @alice,@bob",
            "/secrets/ @@alice",
            "/secrets/ @OWNER",
            "/secrets/ @example/security\n* @example/platform",
        )
    },
    "owners that are not written yet": (OWNERS, substitute(CODEOWNERS, "^#/", "/")),
    "owners that are not written yet (GitLab)": (OWNERS, substitute(GITLAB_OWNERS, "^#/", "/"), GITLAB),
    "owners of a misspelt folder (GitLab)": (OWNERS, append(GITLAB_OWNERS, "/policy/ @example/platform\n"), GITLAB),
    "gitleaks of any release": (MOVES, substitute(VALIDATE, r"version: v8\.\S+", "version: latest")),
    "gitleaks of any release (GitLab)": (
        MOVES,
        substitute(GITLAB_FILE, r"gitleaks/v8@\S+", "gitleaks/v8@latest"),
        GITLAB,
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Harmless] = {
    "a push with a token of one's own": pushing("git push", token="${{ secrets.OWN }}"),
    "a push to elsewhere": pushing("git push https://git.example.com/own.git main"),
    "a push that is none": pushing("git push --dry-run"),
    "what strangers send, without rights": sent("pull_request", "${{ github.event.pull_request.head.sha }}"),
    "what is here, for what strangers send": sent("pull_request_target", "${{ github.event.pull_request.base.sha }}"),
    "two releases of an action": substitute(
        VALIDATE, r"(checkout@)[0-9a-f]{40} # v7.*", "\\g<1>" + "a1" * 20 + " # v6.0.2", 1
    ),
    "owners of a section (GitLab)": (
        append(GITLAB_OWNERS, "[Platform][2] @example/platform\n/clusters/\n/policies/ @alice\n"),
        GITLAB,
    ),
    "rights for the whole workflow": together(
        remove(VALIDATE, SUITE), set_value(VALIDATE, ("permissions",), {"contents": "read"})
    ),
    "a checkout with a key of one's own": together(
        set_value(VALIDATE, SUITE, {}),
        set_value(VALIDATE, ("jobs", "suite", "steps", 0, "with", "ssh-key"), "${{ secrets.DEPLOY_KEY }}"),
    ),
    "an issue by an app of one's own": together(
        set_value(UPDATE, (*TEMPLATE, "steps", 3, "env", "GH_TOKEN"), "${{ secrets.APP_TOKEN }}"),
        remove(UPDATE, (*TEMPLATE, "permissions", "issues")),
    ),
    "a container by its digest": set_value(
        VALIDATE, ("jobs", "suite", "container"), {"image": f"example/python@sha256:{'ab' * 32}"}
    ),
    "owners": write(
        CODEOWNERS,
        "# ours\n* @example/platform\n/secrets/ @example/security @alice # both\n/docs/ docs@example.com\n"
        "*.tf @example/cloud\n/scripts/ @bob\nlitellm/values-*.yaml @example/models\n/apps/\n",
    ),
    "sections of GitLab": (append(CODEOWNERS, "[Platform][2] @example/platform\n/policies/\n!/docs/\n"), GITLAB),
    "another release of helm": substitute(VALIDATE, r"version: v4\.\S+", "version: v4.2.0"),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
