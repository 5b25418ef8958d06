"""Slips in what a pipeline does: names in its scripts that nothing defines, and files that no script writes.

Told is only what is nearly the name of something that is there, since a script may get anything from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from litellm_gitops.documents import Place, dig, mapping, sequence, text, texts, walk
from litellm_gitops.languages import programs, shell
from litellm_gitops.pipelines import expressions, gitlab_jobs, marks, scripts
from litellm_gitops.pipelines.jobs import path_of_gitlab
from litellm_gitops.spelling import closest

Flaws = Iterator[tuple[Place, str, str]]  # (where, what is wrong, what to do)

_USED = re.compile(r"(?<!\\)\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*))")
_GIVEN = re.compile(r"(?:^|[\s;(&|{])([A-Za-z_]\w*)\+?=|\bfor\s+([A-Za-z_]\w*)\b|\bread\s+(?:-\w+\s+)*([A-Za-z_ \w]+)")
# what may define more than can be seen
_MORE = re.compile(
    r"\bsource\b|(?:^|[\s;&])\.\s|\beval\b|\bset -a\b|\b(?:mapfile|readarray)\b|\bprintf -v\b|\bgetopts\b", re.MULTILINE
)
# https://docs.gitlab.com/ci/variables/predefined_variables/, without the CI_ before each
_PREDEFINED = """
    API_GRAPHQL_URL API_V4_URL BUILDS_DIR COMMIT_AUTHOR COMMIT_BEFORE_SHA COMMIT_BRANCH COMMIT_DESCRIPTION
    COMMIT_MESSAGE COMMIT_REF_NAME COMMIT_REF_PROTECTED COMMIT_REF_SLUG COMMIT_SHA COMMIT_SHORT_SHA COMMIT_TAG
    COMMIT_TAG_MESSAGE COMMIT_TIMESTAMP COMMIT_TITLE CONCURRENT_ID CONCURRENT_PROJECT_ID CONFIG_PATH
    DEBUG_SERVICES DEBUG_TRACE DEFAULT_BRANCH DEPENDENCY_PROXY_PASSWORD DEPENDENCY_PROXY_SERVER
    DEPENDENCY_PROXY_USER DEPLOY_FREEZE DEPLOY_PASSWORD DEPLOY_USER ENVIRONMENT_ACTION ENVIRONMENT_ID
    ENVIRONMENT_NAME ENVIRONMENT_SLUG ENVIRONMENT_TIER ENVIRONMENT_URL JOB_GROUP_NAME JOB_ID JOB_IMAGE
    JOB_MANUAL JOB_NAME JOB_NAME_SLUG JOB_STAGE JOB_STARTED_AT JOB_STATUS JOB_TIMEOUT JOB_TOKEN JOB_URL
    KUBERNETES_ACTIVE MERGE_REQUEST_APPROVED MERGE_REQUEST_ASSIGNEES MERGE_REQUEST_DESCRIPTION
    MERGE_REQUEST_DIFF_BASE_SHA MERGE_REQUEST_DIFF_ID MERGE_REQUEST_DRAFT MERGE_REQUEST_EVENT_TYPE
    MERGE_REQUEST_ID MERGE_REQUEST_IID MERGE_REQUEST_LABELS MERGE_REQUEST_MILESTONE MERGE_REQUEST_PROJECT_ID
    MERGE_REQUEST_PROJECT_PATH MERGE_REQUEST_PROJECT_URL MERGE_REQUEST_REF_PATH MERGE_REQUEST_SOURCE_BRANCH_NAME
    MERGE_REQUEST_SOURCE_BRANCH_PROTECTED MERGE_REQUEST_SOURCE_BRANCH_SHA MERGE_REQUEST_SOURCE_PROJECT_ID
    MERGE_REQUEST_SOURCE_PROJECT_PATH MERGE_REQUEST_SOURCE_PROJECT_URL MERGE_REQUEST_SQUASH_ON_MERGE
    MERGE_REQUEST_TARGET_BRANCH_NAME MERGE_REQUEST_TARGET_BRANCH_PROTECTED MERGE_REQUEST_TARGET_BRANCH_SHA
    MERGE_REQUEST_TITLE NODE_INDEX NODE_TOTAL OPEN_MERGE_REQUESTS PAGES_DOMAIN PAGES_HOSTNAME PAGES_URL
    PIPELINE_CREATED_AT PIPELINE_ID PIPELINE_IID PIPELINE_NAME PIPELINE_SCHEDULE_DESCRIPTION PIPELINE_SOURCE
    PIPELINE_TRIGGERED PIPELINE_URL PROJECT_DESCRIPTION PROJECT_DIR PROJECT_ID PROJECT_NAME PROJECT_NAMESPACE
    PROJECT_NAMESPACE_ID PROJECT_NAMESPACE_SLUG PROJECT_PATH PROJECT_PATH_SLUG PROJECT_ROOT_NAMESPACE
    PROJECT_TITLE PROJECT_TOPICS PROJECT_URL PROJECT_VISIBILITY REGISTRY REGISTRY_IMAGE REGISTRY_PASSWORD
    REGISTRY_USER RELEASE_DESCRIPTION REPOSITORY_URL RUNNER_DESCRIPTION RUNNER_ID RUNNER_REVISION
    RUNNER_SHORT_TOKEN RUNNER_TAGS RUNNER_VERSION SERVER SERVER_FQDN SERVER_HOST SERVER_NAME SERVER_PORT
    SERVER_PROTOCOL SERVER_REVISION SERVER_SHELL_SSH_HOST SERVER_SHELL_SSH_PORT SERVER_TLS_CA_FILE
    SERVER_TLS_CERT_FILE SERVER_TLS_KEY_FILE SERVER_URL SERVER_VERSION SERVER_VERSION_MAJOR SERVER_VERSION_MINOR
    SERVER_VERSION_PATCH TEMPLATE_REGISTRY_HOST
"""
# and what README.md has the pipeline give that calls one of a folder
PREDEFINED = {*(f"CI_{name}" for name in _PREDEFINED.split()), "CALLED_BY"}
# what the environment of a step has, beside what GitHub says of the run
_OF_A_STEP = {f"GITHUB_{name}" for name in ("ENV", "OUTPUT", "PATH", "STEP_SUMMARY", "TOKEN", "WORKSPACE")}
_UNFILLED = re.compile(r"\bgh [^\n']*--(?:title|body|repo|label) '\$(\w+)'")
_FETCHED = re.compile(r"\bgo (?:run|install) (?!')")
_UNFILLED_GO = re.compile(r"\bgo (?:run|install) '[^'\n$]*\$(\w+)[^'\n]*'")
_RELATIVE = re.compile(r"\bGOBIN=[\"']?(?![/$~\"'\s])")
_OF_UV = re.compile(r"\bpytest\b[^\n;&|]*\s(--(?:locked|frozen|no-sync))\b")
_INTO = re.compile(r"\bcd ([\w./-]+)")
_GO = re.compile(r"\bgo (?:run|install) [^\n;|&]*?@(\d+\.\d+\.\d+\S*?)(?=[\"'\s]|$)")
_MANGLED = re.compile(r"\bgo (?:run|install) [^\n;|&]*?@(v(?:\d+\.){2}\d+[A-Za-z_,][^\s\"']*)")
_HOST = re.compile(r"\bgo (?:run|install) (?:-\S+ )*[\"']?([\w-]+\.\w+)/")
_WORD = re.compile(r"[\w./-]+")


def lost(script: str, given: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(a variable, the one that was meant) for each that neither the script nor `given` defines."""
    if _MORE.search(script):
        return
    defined = {*given}
    for match in _GIVEN.finditer(script):
        defined.update((match[1] or match[2] or match[3]).split())
    used = dict.fromkeys(match[1] or match[2] for match in _USED.finditer(shell.unquoted(script)))
    for name in used:
        # of what GitHub sets under its own name another look tells
        if name not in defined and not name.startswith("GITHUB_") and (meant := closest(name, defined)):
            yield name, meant


def of_script(place: Place, script: str, given: Iterable[str]) -> Flaws:
    """What a script at a place names by a slip."""
    for name, meant in lost(script, given):
        yield place, f"nothing gives ${name} a value", f"did you mean ${meant}?"
    for name in (*_UNFILLED.findall(script), *_UNFILLED_GO.findall(script)):
        if name in given:
            yield place, f"the shell puts nothing in the place of '${name}'", f'write "${name}"'
    if _RELATIVE.search(script):
        yield place, "GOBIN is no absolute path, which Go refuses", 'write GOBIN="$PWD/…"'
    for flag in _OF_UV.findall(script):
        yield place, f"pytest knows no {flag}", f"write it behind uv run: uv run {flag} pytest"
    for host in _HOST.findall(script):
        if closest(host, ["github.com", "gitlab.com"]) == "github.com":
            yield place, f"Go fetches nothing from {host}", "did you mean github.com?"
    for version in _GO.findall(script):
        yield place, f"Go knows no release {version}", f"write v{version}"
    for version in _MANGLED.findall(script):
        yield place, f"Go knows no release {version}", "write one such as v1.2.3"
    for module, path, version in _MAJOR.findall(script):
        if path != version:
            yield place, f"{module} has no release v{version}", f"write one of v{path}, or the address of v{version}"
    for module in re.findall(r"\bgithub\.com/[\w./-]+(?=@)", script):
        meant = closest(module, _MODULES) if module not in _MODULES else ""
        if meant and re.findall(r"\d", meant) == re.findall(r"\d", module):  # a newer one is no slip
            yield place, f"Go finds no {module}", f"did you mean {meant}?"
    for what, meant in programs.miscalled(script):
        yield place, what, f"did you mean {meant}?"
    for program, words in _SAID.items() if "copier" in script else ():
        for word in re.findall(r"[\"']([a-z_]+)[\"']", script) if program in script else ():
            if word not in words and (meant := closest(word, words)):
                yield place, f"{program} says no {word}", f"did you mean {meant}?"


# what the rendered pipelines have Go fetch
_MODULES = ("github.com/sigstore/cosign/v3/cmd/cosign", "github.com/zricethezav/gitleaks/v8")
_JUNIT = re.compile(r"--junit-?xml[= ]([\w./-]+)")
_PUT = re.compile(r"\bGOBIN=[\"']?\$PWD/([\w./-]+)")
_SOUGHT = re.compile(r"\bPATH=[\"']?\$PWD/([\w./-]+)")
_SAID = {"copier check-update": ("current_version", "latest_version", "update_available")}
_MAJOR = re.compile(r"([\w./-]+/v(\d+))(?:/[\w./-]+)?@v(\d+)\.")
_ENDING = r"[\w.-]{4,}\.[a-z]{2,5}"
_TAKEN = re.compile(rf"(?:\bopen\([\"']|\bcat |\bjq (?:[^|;\n]* )?|(?<!<)< ?)[\"']?({_ENDING})\b(?!/)")
_WRITES = re.compile(rf"(?:>>?|\btee(?: -a)?|\s-o|--output|--junit-?xml)[ =]*[\"']?({_ENDING})\b")


def _unwritten(scripts: str) -> Iterator[tuple[str, str]]:
    """(a file that is read, the one that was meant) where scripts of a job write one that is called nearly so."""
    written, numbers = {*_WRITES.findall(scripts)}, re.compile(r"\d")
    for file in dict.fromkeys(_TAKEN.findall(scripts)):
        meant = closest(file, written) if file not in written else ""
        if meant and numbers.sub("", meant) != numbers.sub("", file):
            yield file, meant


def of_workflow(workflow: dict[Any, Any]) -> Flaws:
    """What steps of GitHub's workflow name by a slip."""
    shells = {place for place, _, shell in scripts_of_workflow(workflow) if shell == "bash"}
    for name, job in mapping(workflow.get("jobs")).items():
        steps = [*map(mapping, sequence(dig(job, "steps")))]
        before = set[str]()  # what earlier steps put into the environment of later ones
        for number, step in enumerate(steps):
            script = text(step.get("run"))
            given = {str(key): str(value) for each in (workflow, job, step) for key, value in _given(each, "env")}
            place: Place = ("jobs", str(name), "steps", number, "run")
            if place in shells:
                yield from of_script(place, _filled(script, given), {*given} | before | _OF_A_STEP)
            before |= {*re.findall(r"(\w+)=", script)} if "GITHUB_ENV" in script else set()
        called = [text(step.get("run")) for step in steps]
        put = {folder for script in called for folder in _PUT.findall(script)}
        for at, script in enumerate(called) if put else ():
            for folder in {*_SOUGHT.findall(script)} - put:
                same = next((each for each in put if each.strip("./") == folder.strip("./")), "")
                if meant := closest(folder, put) or same:
                    what = f"PATH has {folder}, and Go puts the program elsewhere"
                    yield ("jobs", str(name), "steps", at, "run"), what, f"did you mean {meant}?"
        hosted = re.match(r"(?:ubuntu|macos)-", text(dig(job, "runs-on"))) and not dig(job, "container")
        if hosted and "cosign" not in f"{steps}":  # which no runner of GitHub's has
            signed = (number for number, script in enumerate(called) if re.search(r"\bpytest .*-m signed\b", script))
            for at in signed:
                yield (
                    ("jobs", str(name), "steps", at, "run"),
                    "no step brings cosign, which it calls",
                    "install it before",
                )
        for file, meant in _unwritten("\n".join(called)):
            at = next(number for number, script in enumerate(called) if file in script)
            yield ("jobs", str(name), "steps", at, "run"), f"nothing writes {file}", f"did you mean {meant}?"
    yield from expressions.of_events(workflow)


def of_job(name: str, own: dict[Any, Any], whole: dict[Any, Any], pipeline: dict[Any, Any], folder: str) -> Flaws:
    """What a job of GitLab names by a slip; `whole` is the job with what it extends, `folder` where the project is."""
    jobs = [pipeline, *map(mapping, pipeline.values())]
    given = {str(key): str(value) for each in jobs for key, value in _given(each, "variables")}
    places = (whole, mapping(pipeline.get("default")), pipeline)
    before: Any = next((each["before_script"] for each in places if "before_script" in each), [])
    above = [*gitlab_jobs.lines_of(before), *gitlab_jobs.lines_of(whole.get("script"))]
    after = gitlab_jobs.lines_of(own.get("after_script"))
    for part, around in (("before_script", above), ("script", above), ("after_script", after)):
        known = {*given} | {*re.findall(r"(\w+)=", "\n".join(around))}
        for number, line in enumerate(gitlab_jobs.lines_of(own.get(part))):
            place: Place = (name, part, number) if isinstance(own[part], list) else (name, part)
            yield from of_script(place, _filled(line, given), known)
            into = [each for each in _INTO.findall(line) if closest(each, [folder]) and not re.search(r"\d\Z", each)]
            for other in into if folder else ():
                yield place, f"there is no {other}", f"did you mean {folder}?"
    calls = [line for line in after if re.search(r"\bhooks/\w+\.py|\bpytest\b", line)]
    if folder and calls and not re.search(r"\bcd\b|--directory|--project", "\n".join(after)):
        what = "after_script begins at the root of git, where the project is not"
        yield (name, "after_script", after.index(calls[0])), what, f"begin with cd {folder} &&"
    for file, meant in _unwritten("\n".join(above)):
        yield (name, "script"), f"nothing writes {file}", f"did you mean {meant}?"
    yield from gitlab_jobs.of_image(name, own.get("image"))
    if "include" not in pipeline and not name.startswith("."):
        unbrought = [*gitlab_jobs.unbrought(name, whole, pipeline)]
        yield from unbrought
        if isinstance(own.get("script"), list):
            for number, what, fix in path_of_gitlab(gitlab_jobs.lines_of(own["script"]), pipeline):
                yield (name, "script", number), what, fix
        needs = "" if unbrought or "image" in whole else f"{whole.get('needs')}"
        for number, what, fix in marks.of_job(gitlab_jobs.lines_of(own.get("script")), needs):
            yield (name, "script", number) if isinstance(own["script"], list) else (name, "script"), what, fix
    if not name.startswith("."):
        lines = [*above, *gitlab_jobs.lines_of(whole.get("after_script"))]
        of_artifacts = [*_of_artifacts(name, own, lines, folder)]
        yield from of_artifacts or gitlab_jobs.unkept(name, whole, lines, pipeline)
        yield from _unkept(name, own, lines)
        if scripts.passes_over_an_update("\n".join(gitlab_jobs.lines_of(own.get("script")))):
            yield (name, "script"), "the job passes where there is a newer release", "end it with exit 1"


def of_conditions(pipeline: dict[Any, Any]) -> Flaws:
    """Variables of GitLab that its conditions and scripts ask for by a slip: they are always empty."""
    defined = PREDEFINED | {name for place, name in walk(pipeline) if "variables" in place and name == place[-1]}
    for place, found in walk(pipeline):
        for name in dict.fromkeys(re.findall(r"\$\{?(CI_\w+|CAL\w+)", found)) if found != place[-1] else ():
            if name not in defined and (meant := closest(name, PREDEFINED)):
                yield place, f"GitLab gives no ${name}", f"did you mean ${meant}?"
        for source in re.findall(r"\$CI_PIPELINE_SOURCE *[=!]= *[\"'](\w+)[\"']", found) if found != place[-1] else ():
            if source not in _SOURCES and (meant := closest(source, _SOURCES) or closest(source.lower(), _SOURCES)):
                yield place, f"$CI_PIPELINE_SOURCE is never {source}", f"did you mean {meant}?"


# https://docs.gitlab.com/ci/jobs/job_rules/#ci_pipeline_source-predefined-variable
_SOURCES = {
    *("api", "chat", "external", "external_pull_request_event", "merge_request_event", "ondemand_dast_scan"),
    *("ondemand_dast_validation", "parent_pipeline", "pipeline", "push", "schedule", "trigger", "web", "webide"),
    *("security_orchestration_policy", "container_registry_push"),
}


def brings(workflow: dict[Any, Any], place: Place) -> bool:
    """Whether a step before the one at `place` brings files of another repository."""
    before = sequence(dig(workflow, *place[:3]))[: int(place[3])] if place[2:3] == ("steps",) and place[3:] else []
    return any({"path", "repository"} & {*mapping(dig(step, "with"))} for step in before)


_OF_POWERSHELL = re.compile(r"\$env:|\b(?:Get|New|Set|Write)-[A-Z]")
_SHELLS = ("", "bash", "sh")


def scripts_of_workflow(workflow: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """(where, the script, bash or python) of the steps of GitHub's workflow whose shell is one of these."""
    for name, job in mapping(workflow.get("jobs")).items():
        for number, step in enumerate(map(mapping, sequence(dig(job, "steps")))):
            places = (step, dig(job, "defaults", "run"), dig(workflow, "defaults", "run"))
            called = next((found for each in places if (found := text(dig(each, "shell")))), "")
            shell = "another" if " -c " in called else called.partition(" ")[0]
            elsewhere = not shell and "windows" in f"{dig(job, 'runs-on')}{dig(job, 'strategy')}".lower()
            script, place = text(step.get("run")), ("jobs", str(name), "steps", number, "run")
            if shell == "python":
                yield place, script, shell
            elif script and shell in _SHELLS and not elsewhere and not _OF_POWERSHELL.search(script):
                yield place, script, "bash"


def scripts_of_pipeline(pipeline: dict[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """(where, the script, bash) of GitLab's jobs, and of what stands above them."""
    for name, entry in (("", pipeline), *pipeline.items()):
        for part in ("before_script", "script", "after_script"):
            listed = mapping(entry).get(part)
            lines = [listed] if isinstance(listed, str) else [*_flat(listed)]
            script = "\n".join(lines)
            if script and not _OF_POWERSHELL.search(script):
                yield (str(name), part) if name else (part,), script, "bash"


def _flat(value: Any) -> Iterator[str]:
    for each in sequence(value):
        yield from [each] if isinstance(each, str) else _flat(each)


def _given(part: Any, field: str) -> Iterator[tuple[Any, Any]]:
    yield from mapping(dig(part, field)).items()


def _filled(script: str, given: dict[str, str]) -> str:
    """A script in which a version that Go fetches stands in its place."""
    for name, value in given.items() if _FETCHED.search(script) else ():
        if re.fullmatch(r"(?:\S+@)?v?\d+(?:\.\d+)+[A-Za-z_,]?\w*", value):
            script = re.sub(rf"\$(?:{name}\b|\{{{name}\}})", value, script)
    return script


def _of_artifacts(name: str, job: dict[Any, Any], lines: list[str], folder: str) -> Flaws:
    """Files that a job keeps and no script of it writes by that name, or writes elsewhere."""
    artifacts = mapping(job.get("artifacts"))
    said = ("paths", "reports", "untracked")
    if artifacts and not any(key in said or closest(str(key), said) for key in map(str, artifacts)):
        yield (name, "artifacts"), "its artifacts have no paths, so that nothing is kept", "name them under paths"
    words = {word.strip("/") for line in lines for word in _WORD.findall(line)}
    goes_there = bool(folder) and any(re.search(rf"\bcd {re.escape(folder)}(?=\s|$)", line) for line in lines)
    for place, path in _kept(mapping(job.get("artifacts"))):
        inner = path.strip("/").removeprefix(f"{folder}/") if folder else path.strip("/")
        if not inner or re.search(r"[*$?]", inner):
            continue
        made = _JUNIT.findall("\n".join(lines)) if place == ("reports", "junit") else []
        if made and not any(each.removeprefix("./") == inner or closest(inner, [each]) for each in made):
            what = f"{path} is kept, and the job writes {made[0]}"
            yield (name, "artifacts", *place), what, f"did you mean {made[0]}?"
            continue
        written = any(word == inner or word.endswith(f"/{inner}") or word.startswith(f"{inner}/") for word in words)
        if written and goes_there and inner == path.strip("/"):
            what = f"{path} is kept, and the job writes it below {folder}"
            yield (name, "artifacts", *place), what, f"write {folder}/{path}"
            continue
        paths = {word for word in words if re.search(r"[./]", word)}  # others may be anything
        folders = paths | {word.rpartition("/")[0] for word in paths}
        dotted = f".{inner}" if f".{inner}" in folders else ""
        if not written and (meant := closest(inner, folders) or dotted):
            yield (name, "artifacts", *place), f"{path} is kept, and the job writes {meant}", f"did you mean {meant}?"


def _unkept(name: str, job: dict[Any, Any], lines: list[str]) -> Flaws:
    """A report that a job keeps under quite another name than that of the one it writes."""
    script = "\n".join(lines)
    kept = [(place, path) for place, path in _kept(mapping(job.get("artifacts"))) if place[0] == "paths"]
    written = [each for each in _WRITES.findall(script) if each.endswith((".html", ".md", ".txt"))]
    written = [each for each in written if not any(each in path for _, path in kept) and script.count(each) == 1]
    rest = written[0] if len(written) == 1 else ""
    for place, path in kept if rest else ():
        is_alike = path.rpartition(".")[2] == rest.rpartition(".")[2] and not re.search(r"[*?$]", path)
        if is_alike and path.rpartition("/")[2] not in script and not closest(path, [rest]):
            yield (name, "artifacts", *place), f"{path} is kept, and the job writes {rest}", f"did you mean {rest}?"


def _kept(artifacts: dict[Any, Any]) -> Iterator[tuple[Place, str]]:
    for number, path in enumerate(texts(artifacts.get("paths"))):
        yield ("paths", number), path
    for kind, path in mapping(artifacts.get("reports")).items():
        if isinstance(path, str):
            yield ("reports", str(kind)), path


_REFERENCE = re.compile(r"!reference \[ *[\"']?([\w.:-]+)[\"']?, *[\"']?(\w+)[\"']? *\]")


def of_references(content: str, pipeline: dict[Any, Any]) -> Iterator[tuple[int, str]]:
    """(line, what) of GitLab's file that `!reference` names, and that is not there."""
    for number, line in enumerate(content.splitlines(), 1):
        for name, key in _REFERENCE.findall(line) if not line.lstrip().startswith("#") else ():
            if name not in pipeline:
                yield number, f"there is no {name}"
            elif key not in mapping(pipeline[name]) and "extends" not in mapping(pipeline[name]):
                yield number, f"{name} has no {key}"
