"""What a pipeline may do with the repository and show of it, and that nothing which it runs can be moved by others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, sequence, text
from litellm_gitops.files import matching
from litellm_gitops.findings import Finding, edit
from litellm_gitops.pipelines.scripts import prints_a_secret, with_secrets
from litellm_gitops.pipelines.workflow_rights import is_granted, lacking
from litellm_gitops.repository import Repository
from litellm_gitops.rules import rule
from litellm_gitops.rules.pipeline import GITLAB, OURS
from litellm_gitops.spelling import closest

VERSIONED = re.compile(r":[^:/@]*\d[^:/@]*\Z|@sha256:|\$")
_MOVES = re.compile(r"\bgo (?:run|install) \S+@(?:latest|main|master|HEAD)\b")
_MOVING = re.compile(r"(?:\S+\.\S+/\S+@)?(?:latest|main|master|HEAD)")  # a version, or a module by one
_STEM = re.compile(r"(?:ies|y|s)\Z")
_PLACES: tuple[str, ...] = (
    ".github",
    "clusters",
    "hooks",
    "litellm",
    "policies",
    "secrets",
    "tests",
    ".copier-answers.yml",
    ".sops.yaml",
)
_PLACES += (".gitattributes", ".gitleaks.toml", ".pre-commit-config.yaml", "pyproject.toml")
_GH = re.compile(r"(?:^|[;&|(]|then|do)\s*gh (?:api|issue|pr|release|run|workflow)\b|if gh ", re.MULTILINE)
# a person, a team, or an address
_OWNER = re.compile(r"@[A-Za-z0-9][\w-]*(?:/[\w.-]+)?|[^@\s,]+@[^@\s,]+\.[^@\s,]+")
_COMMITS = ".pre-commit-config.yaml"
# what anybody may write, who sends a pull request or an issue; a shell would run it
# https://docs.github.com/en/actions/concepts/security/script-injections
_OF_STRANGERS = re.compile(
    r"github\.head_ref\b|github\.event\.(?:issue|pull_request|discussion|comment|review|review_comment|workflow_run"
    r"|head_commit|commits|pages)\.(?:(?!base\b|labels\b|milestone\b|user\b)[\w*]+\.)*(?:title|body|message|head_branch"
    r"|display_title|page_name|default_branch|description|label|ref|(?<=author\.)(?:email|name)"
    r"|(?<=committer\.)(?:email|name))\b"
)
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_YES_OR_NO = re.compile(r"\s*!?\s*(?:contains|startsWith|endsWith)\([^()]*\)\s*|[^&|]*[=!]=[^&|]*")  # is all of it
_EVERYTHING_SENT = re.compile(r"\$\{\{\s*toJSON\(\s*github(?:\.event)?\s*\)", re.IGNORECASE)
_WRITTEN = r"\$\{?CI_(?:COMMIT_(?:TITLE|MESSAGE|DESCRIPTION|AUTHOR|REF_NAME|BRANCH|TAG)|MERGE_REQUEST_TITLE)\b"
_EVALUATED = re.compile(rf"\b(?:eval|(?:ba)?sh -c)\b.*{_WRITTEN}")
_OF_MACOS = re.compile(r"macos-\d+-xcode-\d+")  # https://docs.gitlab.com/ci/runners/hosted_runners/macos/
_ALL_SECRETS = re.compile(r"toJSON\(\s*secrets\s*\)", re.IGNORECASE)


@rule
def nothing_that_the_pipeline_runs_can_move(repository: Repository) -> Iterator[Finding]:
    """What the template brought; a workflow of one's own may do as it likes."""
    for file in filter(repository.has, OURS):
        document = repository.document(file)
        for job, entry in mapping(dig(document and document.value, "jobs")).items():
            for number, step in enumerate(sequence(mapping(entry).get("steps"))):
                used = text(dig(step, "uses"))
                if document and used and not re.search(r"\$\{\{|@(?:[0-9a-f]{40}|sha256:[0-9a-f]{64})\Z|\A\./", used):
                    line = document.line("jobs", job, "steps", number, "uses")
                    what = f"{used} is no commit, and can be moved"
                    yield Finding(file, line, what, edit("write @ and the commit of its release"))
            image = text(dig(entry, "container", "image") or dig(entry, "container"))
            if document and image and not VERSIONED.search(image):
                line = document.line("jobs", job, "container")
                yield Finding(file, line, f"the image {image} has no version", edit("name one"))
    document = repository.document(GITLAB) if repository.has(GITLAB) else None
    for job, entry in mapping(document and document.value).items():
        image = dig(entry, "image", "name") or dig(entry, "image")
        if document and text(image) and not VERSIONED.search(text(image)) and not _OF_MACOS.fullmatch(text(image)):
            line = document.line(str(job), "image")
            yield Finding(GITLAB, line, f"the image {image} has no version", edit("name one"))
    yield from _latest(repository)
    yield from _of_two_commits(repository)
    document = repository.document(_COMMITS) if repository.has(_COMMITS) else None
    for number, entry in enumerate(sequence(dig(document and document.value, "repos"))):
        revision = str(dig(entry, "rev") or "")
        is_other = text(dig(entry, "repo")) not in ("", "builtin", "local", "meta") and dig(entry, "hooks")
        if document and is_other and not re.search(r"\d", revision):
            line = document.line("repos", number, "rev")
            yield Finding(
                _COMMITS, line, f"rev {revision!r} of {dig(entry, 'repo')} can be moved", edit("name a release")
            )


_RELEASED = re.compile(r"\buses: *[\"']?([\w./-]+)@([0-9a-f]{40})[\"']? +# *(v\d\S*)")


def _of_two_commits(repository: Repository) -> Iterator[Finding]:
    """A release of an action with one commit here and another there: half of an update, or one of elsewhere."""
    places: dict[tuple[str, str, str], tuple[str, int]] = {}  # (action, commit, release) -> (file, line)
    found: list[tuple[str, str, str]] = []
    for file in filter(repository.has, OURS):
        for number, line in enumerate((repository.text(file) or "").splitlines(), 1):
            for match in _RELEASED.finditer(line):
                found.append((match[1], match[2], match[3]))
                places.setdefault(found[-1], (file, number))
    for odd in sorted(places, key=found.count):  # what is there less often was changed
        others = [each for each in places if each != odd and each[0] == odd[0]]
        for same, other, word in ((2, 1, "commit"), (1, 2, "release")):
            if any(each[same] == odd[same] for each in others):
                what = f"{odd[0]} {odd[same]} has another {word} here than elsewhere: {odd[other]}"
                yield Finding(*places[odd], what, edit("write both as they are elsewhere"))
                return


def _latest(repository: Repository) -> Iterator[Finding]:
    """What is asked for by a word that means another release tomorrow."""
    for file in filter(repository.has, (*OURS, GITLAB)):
        document = repository.document(file)
        for place, found in document.texts if document else ():
            is_given = place[-2:-1] in (("env",), ("variables",)) or place[-2:] == ("with", "version")
            is_module = "@" in found or place[-1] == "version"
            if not document or found == place[-1]:
                continue
            if _MOVES.search(found) or (is_given and is_module and _MOVING.fullmatch(found)):
                what = f"it takes {'latest' if 'latest' in found else 'what is newest'}, which can be moved"
                yield Finding(file, document.line(*place), what, edit("name a release"))


_WRITTEN_BY = {OURS[1]: {"issues"}}  # it opens one


@rule
def a_workflow_may_only_read(repository: Repository) -> Iterator[Finding]:
    """What the template brought needs no more."""
    for file in filter(repository.has, OURS):
        document = repository.document(file)
        value = mapping(document and document.value)
        if not document or not value:
            continue
        granted = value.get("permissions")
        keys = [*value, *(key for part in value.values() for key in mapping(part) if key == "permissions")]
        if granted is None and any(str(key) == "permissions" or closest(str(key), ["permissions"]) for key in keys):
            granted = {}  # of which another rule tells
        if granted in (None, "write-all") or "write" in mapping(granted).values():
            what = "every job may write, because permissions at the top say so, or say nothing"
            yield Finding(file, document.line("permissions"), what, edit("write permissions: {}"))
        for name, job in mapping(value.get("jobs")).items():
            rights = dig(job, "permissions")
            written = {right for right, given in mapping(rights).items() if given == "write"} - _WRITTEN_BY.get(
                file, set()
            )
            if rights == "write-all" or written:
                what = f"the job {name} may write {', '.join(sorted(written)) or 'everything'}"
                yield Finding(file, document.line("jobs", name, "permissions"), what, edit("take the right away"))
        events = value.get("on", value.get(True))
        if isinstance(events, str | list | dict) and "pull_request_target" in events:
            what = "pull_request_target runs with the rights of the repository on what anybody sends"
            yield Finding(file, document.line(), what, edit("write pull_request"))


@rule
def no_workflow_runs_what_strangers_send(repository: Repository) -> Iterator[Finding]:
    """With the rights of the repository: https://docs.github.com/en/actions/reference/security/secure-use"""
    for file in repository.under(".github/workflows"):
        document = repository.document(file) if file.endswith((".yaml", ".yml")) else None
        value = mapping(document and document.value)
        events = value.get("on", value.get(True))
        with_rights = isinstance(events, str | list | dict) and "pull_request_target" in events
        for name, job in mapping(value.get("jobs")).items() if with_rights and file not in OURS else ():
            for number, step in enumerate(map(mapping, sequence(dig(job, "steps")))):
                sent = re.search(r"github\.(?:head_ref|event\.pull_request\.head\.)", str(dig(step, "with", "ref")))
                if document and sent and "actions/checkout@" in text(step.get("uses")):
                    line = document.line("jobs", str(name), "steps", number, "with", "ref")
                    what = "pull_request_target runs with the rights of the repository on what anybody sends"
                    yield Finding(file, line, what, edit("write pull_request, or take ref out"))


@rule
def a_workflow_may_do_what_it_does(repository: Repository) -> Iterator[Finding]:
    """What the template brought: it reads a private repository, and opens an issue."""
    for file in filter(repository.has, OURS):
        document = repository.document(file)
        value = mapping(document and document.value)
        for name, job in mapping(value.get("jobs")).items():
            if any(closest(str(key), ["permissions"]) for key in mapping(job)) or _is_astray(mapping(job)):
                continue  # it is misspelt, or a right stands beside it, of which another rule tells
            rights = dig(job, "permissions") if "permissions" in mapping(job) else value.get("permissions")
            steps = [*map(mapping, sequence(dig(job, "steps")))]
            for right, least, user in dict.fromkeys(_needed(steps)):
                if document and not is_granted(rights, right, least):
                    what = f"the job {name} lacks the right {right}: {least}, which {user} needs"
                    line = document.line("jobs", name, "permissions")
                    yield Finding(file, line, what, edit(f"write {right}: {least} in the job's permissions"))
            for number, step in enumerate(steps):
                above = (step, mapping(job), value)
                if document and _GH.search(text(step.get("run"))) and not any(_has_token(each) for each in above):
                    line = document.line("jobs", name, "steps", number)
                    what = "gh has no token, and ends with an error"
                    yield Finding(file, line, what, edit("write GH_TOKEN: ${{ github.token }} in env"))


def _is_astray(job: dict[Any, Any]) -> bool:
    return any(key in job and isinstance(job[key], str) for key in ("contents", "issues", "pull-requests", "id-token"))


def _needed(steps: list[dict[Any, Any]]) -> Iterator[tuple[str, str, str]]:
    """(right, how much of it, what needs it) of what is done with the token that GitHub gives."""
    for step in steps:
        given = mapping(step.get("with"))
        if "actions/checkout@" in text(step.get("uses")) and not {"token", "ssh-key", "repository"} & {*given}:
            yield "contents", "read", "a checkout of a private repository"
        token = str(dig(step, "env", "GH_TOKEN"))
        if re.search(r"\bgh issue create\b", text(step.get("run"))) and "github.token" in token.lower():
            yield "issues", "write", "gh issue create"


@rule
def a_workflow_of_ones_own_may_do_what_it_does(repository: Repository) -> Iterator[Finding]:
    """Where it says itself what it may do, or asks for an identity, which nothing gives by itself."""
    for file in repository.under(".github/workflows"):
        document = repository.document(file) if file.endswith((".yaml", ".yml")) and file not in OURS else None
        value = mapping(document and document.value)
        events = value.get("on", value.get(True))
        is_called = isinstance(events, str | list | dict) and "workflow_call" in events
        for name, job in mapping(value.get("jobs")).items():
            rights = dig(job, "permissions") if "permissions" in mapping(job) else value.get("permissions")
            if rights is None and is_called:
                continue  # the caller says
            for number, step in enumerate(map(mapping, sequence(dig(job, "steps")))):
                for right, user in lacking(rights, step, mapping(job), value):
                    line = document.line("jobs", str(name), "steps", number) if document else None
                    what = f"the job {name} lacks the right {right}: write, which {user} needs"
                    yield Finding(file, line, what, edit(f"write {right}: write in the job's permissions"))


def _has_token(above: dict[Any, Any]) -> bool:
    return bool({"GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN"} & {*mapping(above.get("env"))})


@rule
def github_asks_every_code_owner(repository: Repository) -> Iterator[Finding]:
    """It passes over a line that it cannot read. https://docs.github.com/articles/about-code-owners

    So does GitLab: https://docs.gitlab.com/user/project/codeowners/reference/, with sections in brackets.
    """
    platform = str(repository.answers.get("ci_platform"))
    places = _OWNED.get(platform, ())
    file = next(filter(repository.has, places), "")
    for hidden in [each for each in places if repository.has(each)][1:]:
        what = f"{file} stands before it, so that nobody reads this one"
        yield Finding(hidden, None, what, edit(f"move its lines into {file}"))
    if platform == "gitlab":
        yield from _of_gitlab(repository, file) if file else ()
        return
    before = placeholder = False
    for number, line in enumerate((repository.text(file) or "").splitlines() if file else (), 1):
        pattern, *owners = re.sub(r"(^|\s)#.*", "", line).split() or [""]
        wrong = next((owner for owner in owners if not _OWNER.fullmatch(owner)), "")
        what, fix = "", "write what the file names one by one"
        if pattern.startswith("!") or "[" in pattern:
            what = f"{'!' if pattern.startswith('!') else '[ ]'} means nothing here, and GitHub asks nobody"
        elif wrong:
            is_name = re.fullmatch(r"[\w-]+(?:/[\w.-]+)?", wrong)
            what = f"{wrong} is no owner, and GitHub asks nobody"
            fix = f"write @{wrong}, or an address" if is_name else "write @name, @organization/team, or an address"
        elif "@OWNER" in owners:
            what = "" if placeholder else "@OWNER is nobody, and GitHub asks nobody"
            placeholder, fix = True, "write a person or a team of yours, here and in each line below"
        elif pattern and (meant := _meant(repository, pattern)):
            what, fix = f"{pattern} names nothing here, and GitHub asks nobody", f"did you mean {meant}?"
        elif pattern and not owners and pattern.strip("/").partition("/")[0] in _PLACES:
            what, fix = f"{pattern} has no owner, and GitHub asks nobody", "write who approves a change of it"
        elif pattern in ("*", "/**", "**") and before and owners:
            what = "it takes every line before it away: the last one that fits wins, and GitHub asks no one else"
            fix = "put it first"
        before = before or bool(pattern)
        if what:
            yield Finding(file, number, what, edit(fix))


_OWNED = {  # where a host reads who owns what: the first file that is there
    "github": (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"),
    "gitlab": ("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"),
}


def _of_gitlab(repository: Repository, file: str) -> Iterator[Finding]:
    for number, line in enumerate((repository.text(file) or "").splitlines(), 1):
        pattern, *owners = re.sub(r"(^|\s)#.*", "", line).split() or [""]
        if "@OWNER" in owners:
            fix = "write a person or a group of yours, here and in each line below"
            yield Finding(file, number, "@OWNER is nobody, and GitLab asks nobody", edit(fix))
            return
        if pattern and pattern[0] not in "[^!" and (meant := _meant(repository, pattern)):
            what = f"{pattern} names nothing here, and GitLab asks nobody"
            yield Finding(file, number, what, edit(f"did you mean {meant}?"))


def _meant(repository: Repository, pattern: str) -> str:
    """Which of what is rendered a pattern was meant to name; empty where it names something, or anything."""
    first, _, rest = pattern.strip("/").partition("/")
    if "*" in pattern or any(matching([pattern], repository.files)):
        return ""
    if not any(matching([f"/{first}"], repository.files)):
        one_of_many = (each for each in _PLACES if _STEM.sub("", each) == _STEM.sub("", first))
        return closest(first, _PLACES) or next(one_of_many, "")
    name, _, _ = rest.partition("/")
    there = {file.split("/")[1] for file in repository.under(first) if "/" in file} if rest else set()
    meant = closest(name, there) if name not in there else ""
    return f"{first}/{meant}" if meant else ""


@rule
def no_pipeline_shows_a_secret(repository: Repository) -> Iterator[Finding]:
    """All secrets at once, one in the log, or a shell that runs what a stranger wrote."""
    for file in repository.under(".github/workflows"):
        document = repository.document(file) if file.endswith((".yaml", ".yml")) else None
        if document:
            for place, found in document.texts:
                if what := _shown(document.value, place, found):
                    fix = edit(_INTO_A_VARIABLE if what is _RUN else "take it out, or name the one that the step needs")
                    yield Finding(file, document.line(*place), what, fix)
    document = repository.document(GITLAB) if repository.has(GITLAB) else None
    if document:
        for place, found in document.texts:
            if str(place[-1]).startswith("CI_DEBUG_") and found not in (place[-1], "false"):
                what = f"{place[-1]} writes the value of every variable into the log"
                yield Finding(GITLAB, document.line(*place), what, edit("take it away"))
            elif _SCRIPTS & {*place[:2]} and (prints_a_secret(found) or _EVALUATED.search(found)):
                what = _RUN if _EVALUATED.search(found) else _LOGGED
                fix = edit("use the variable in quotes, without eval" if what is _RUN else "take it out")
                yield Finding(GITLAB, document.line(*place), what, fix)


_SCRIPTS = {"script", "before_script", "after_script"}
_RUN = "a shell runs what anybody may write into a title, a text or a name"
_LOGGED = "it writes the value of a secret, or of every variable, into the log"
_INTO_A_VARIABLE = "put it into a variable of the step (env), and use that in quotes"


def _shown(workflow: Any, place: Place, written: str) -> str:
    """What a text in a workflow of GitHub gives away; one of this repository may have what this one has."""
    found, called = with_secrets(workflow, place, written), text(dig(workflow, *place[:-1], "uses"))
    is_script = place[-1] in ("run", "script") and "steps" in place
    if _ALL_SECRETS.search(found):
        return "it hands every secret of the repository to a step"
    if place[-1] == "secrets" and found == "inherit" and not called.startswith("./"):
        return "it hands every secret of the repository to another workflow"
    if is_script and (_is_of_strangers(found) or _EVERYTHING_SENT.search(found)):
        return _RUN
    return _LOGGED if place[-1] == "run" and is_script and prints_a_secret(found) else ""


def _is_of_strangers(script: str) -> bool:
    """Whether an expression in a script stands for a text that anybody may write."""
    found = (re.sub(r"\['([\w-]+)'\]", r".\1", each) for each in _EXPRESSION.findall(script))
    expressions = (re.sub(r"\[[^]]*\]", ".*", each) for each in found)  # an item of a list, by its number
    return any(_OF_STRANGERS.search(each) and not _YES_OR_NO.fullmatch(each) for each in expressions)
