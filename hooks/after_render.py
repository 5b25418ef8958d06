"""The last step of a rendering or an update, in the repository itself: vendor the package, say which answers changed or
are not known, seal what is missing.

    after_render.py TOOLING NAMES    the answer `tooling`, and the names of all answers that were given, in JSON

It runs in copier's own interpreter and imports the package from the template's clone: nothing is installed. A
repository that could not be sealed is still a repository: the one command that is left is named, and copier goes on.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # copier's own; it takes a new repository away again
    sys.exit(
        f"litellm-gitops needs Python 3.11 or newer, and copier runs in {sys.version_info[0]}.{sys.version_info[1]}: "
        "uvx --python 3.11 --with pyrage --with ruamel.yaml copier …"
    )

import difflib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jinja2
import yaml

TEMPLATE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TEMPLATE / "src"))

from litellm_gitops import files, vendored  # noqa: E402
from litellm_gitops.documents import sequence, text  # noqa: E402
from litellm_gitops.findings import SEAL, Fix, UnreadableError, update  # noqa: E402
from litellm_gitops.first_steps import change_to, from_here  # noqa: E402
from litellm_gitops.repository import Cluster, Repository  # noqa: E402
from litellm_gitops.rules.answers import the_project_stands_where_the_answers_say  # noqa: E402
from litellm_gitops.rules.engine import Synced  # noqa: E402
from litellm_gitops.sealing.errors import DONE, INTERRUPTED, PLACEHOLDER  # noqa: E402

ANSWERS = ".copier-answers.yml"
INPUTS = "LITELLM_GITOPS_INPUTS"
_MARKER = re.compile(r"^<{7} ", re.MULTILINE)
EXAMPLE = re.compile(r"\bexample\.(?:com|internal|net|org)\b|//[\w.-]+/example/|//example\.")


def main(tooling: str, names: str) -> int:
    """Do what is left after a rendering; the result is 0 unless it was interrupted."""
    sys.dont_write_bytecode = True  # the template may be a folder of somebody's
    root = Path.cwd()
    vendor(root, TEMPLATE if tooling == "vendored" else None)
    before, after = committed(), answers(root)
    for line in (
        *unknown(root, json.loads(names), before, after),
        *moved(before, after),
        *changes(before, after),
        *retired(root, before),
        *switched(before, after),
        *scaled(before, after),
        *applied(root, before),
        *examples(root, before, after),
        *unshared(before, after),
        *elsewhere(root, before),
        *doubled(before, after),
    ):
        say(line)
    if not before:
        say(f"\n{after.get('project_name')} is in {from_here(root) or root}. README.md there is the runbook.\n")
    code = seal(root)
    report_conflicts(root)
    report_what_is_left(root, code)
    return code if code == INTERRUPTED else 0


def report_what_is_left(root: Path, code: int) -> None:
    """Say the command that is left after sealing has ended with `code`, if any."""
    seal_later = {DONE: [], PLACEHOLDER: [f"{SEAL} --fill"]}.get(code, [SEAL])
    lock_later = ["uv lock"] if lock_is_old(root) else []
    if not seal_later and not lock_later:
        return
    reason = "when the missing inputs are there" if code == PLACEHOLDER else "when that is fixed"
    steps = [*change_to(root), *lock_later, *seal_later]
    say(f"\nLeft to do{f', {reason}' if seal_later else ''}:\n  {' && '.join(steps)}")


def report_conflicts(root: Path) -> None:
    """Say which files hold what the update and the owner both changed."""
    changed = (git("diff", "--name-only", "--relative", "HEAD") or "").splitlines()
    both = [name for name in changed if _MARKER.search(_text(root / name))]
    rejected = (git("ls-files", "--others", "--", "*.rej") or "").splitlines()
    if both:
        choose = "choose between the markers <<<<<<< and >>>>>>>, then git add"
        say(f"\nIn conflict: {', '.join(both)}. In each, {choose}.")
    if rejected:
        say(f"\nNot applied: {', '.join(rejected)}. Apply each by hand, then delete it.")


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="replace") if path.is_file() and not path.is_symlink() else ""


def say(text: str) -> None:
    """A line on stderr. Where it cannot go it is lost: a failure here would have copier remove the new repository."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def vendor(root: Path, template: Path | None) -> None:
    """Bring the package of `template` to the byte, with its digest; without a template take away what is there."""
    folder, digest = root / vendored.FOLDER, root / vendored.DIGEST
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    digest.unlink(missing_ok=True)
    if template:
        source = template / "src" / folder.name
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__", "*.py[co]", ".*"))
        digest.write_text(f"{vendored.digest(folder)}\n", "utf-8")
    elif folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def seal(root: Path) -> int:
    """Seal what is missing, in this process; the exit code of hooks/seal_secrets.py."""
    # copier runs this in the new repository; a relative path is meant from where it was started
    inputs = Path(os.environ.get("PWD", "."), os.environ.get(INPUTS, ""))
    if os.environ.get(INPUTS) and inputs.is_dir():
        os.environ[INPUTS] = str(inputs)
    try:
        from litellm_gitops.sealing import commands

        return commands.main(root, [])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:  # while it was still being loaded
        return INTERRUPTED
    except ImportError as error:
        say(f"sealing needs {error.name}, which copier's environment lacks")
        return 1
    except Exception as error:  # no traceback, which could show a value
        say(f"sealing failed: {type(error).__name__}")
        return 1
    finally:
        sys.stdout.flush()


def unknown(root: Path, names: Iterable[str], before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """What to say of given answers that copier takes without a word: no question has them, such as a misspelt one, or
    nothing that was chosen asks for them."""
    content = yaml.safe_load((TEMPLATE / "copier.yml").read_text("utf-8"))
    questions = [name for name, entry in content.items() if name[0] != "_" and entry.get("when") is not False]
    ignored = False
    for name in (each for each in names if each[:1] != "_"):
        if name not in content:
            ignored = True
            close = [*difflib.get_close_matches(name, after, 1), *difflib.get_close_matches(name, questions, 1)]
            yield f"unknown answer: {name}" + (f"; did you mean {close[0]}?" if close else "")
        elif name not in after:
            yield f"answer not used: {name}; nothing that is chosen needs it"
    if ignored:
        yield f"Nothing took what is unknown. By its right name give it {later(root, update('NAME', 'VALUE'), before)}"


def later(root: Path, answer: Fix, before: dict[str, Any]) -> str:
    """When and how an answer is given from now on: an update needs a commit, with the lock of the first `uv run`."""
    when = "by" if before else "after the first commit and before you push, by"
    return f"{when}: {' && '.join([*change_to(root), answer.command])}"


def moved(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """From which release of the template to which an update went; copier's own message cannot name the former."""
    was, is_now = before.get("_commit"), after.get("_commit")
    if was and is_now and was != is_now:
        yield f"template: was {was}, is {is_now}"


def changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """What to say of answers that differ: copier drops one that is no longer accepted, or takes its default, without a
    word."""
    for name, old in before.items():
        if name.startswith("_") or old == after.get(name):
            continue
        if name in after:
            yield f"answer changed: {name} was {old!r}, is {after[name]!r}"
        elif own := [each for each in after if each.endswith(f"_{name}") and each not in before]:
            yield f"answer renamed: {name} is {', '.join(own)}"
        elif old:
            yield f"answer dropped: {name} was {old!r}; nothing that is chosen needs it"
        if name == "cluster_environments":
            yield from map(abandoned, [each for each in old if each not in after.get(name, ())])


def abandoned(cluster: str) -> str:
    """A cluster that goes still runs what it runs: its engine only loses sight of it."""
    return (
        f"{cluster}: its cluster keeps the proxy and its credentials. Before you push this, remove them there as "
        'README.md of the last commit says under "Remove"'
    )


def retired(root: Path, before: dict[str, Any]) -> Iterator[str]:
    """What to say of a method of authentication whose place another one takes: what is left of it in the provider's
    cloud, and the sealed Secret that nothing reads any more. `before` are the former answers."""
    try:
        repository = Repository(root)
    except UnreadableError:  # a merge conflict, say, which the suite names
        return
    methods = repository.matrix.methods
    for cluster in repository.clusters:
        if cluster.environment not in sequence(before.get("cluster_environments")):
            continue
        for provider, name in cluster.method_names.items():
            old = repository.matrix.method(cluster.environment, provider, before)
            if provider not in sequence(before.get("providers")) or old == name or old not in methods:
                continue
            steps = [f"remove {methods[old].revoke}"]
            file = f"{cluster.secrets_folder}/{methods[old].secret}.sops.yaml"
            if methods[old].secret and (root / file).exists():
                steps.append(f"git rm {file}")
            yield f"{cluster.name}: {provider} was {old}, is {name}. Once that works: {'; '.join(steps)}"
        yield from database(cluster, before)


def database(cluster: Cluster, before: dict[str, Any]) -> Iterator[str]:
    """The same of the way to log in to the database."""
    login = cluster.repository.matrix.database_logins.get(cluster.place.database_login or "")
    was, is_now = (each.get("database_auth") == "keyless" for each in (before, cluster.repository.answers))
    if login and is_now and not was:
        yield (
            f"{cluster.name}: the database took a password, now takes {login.name}: README.md, Identities. Once that "
            f"works: take the password from its user; {SEAL} --rotate litellm-postgresql seals it without one"
        )
    elif login and was and not is_now:
        said = f"{cluster.name}: the database took {login.name}, now takes a password"
        yield f"{said}. Once that works: remove {login.revoke}"


def switched(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """What to do in the clusters before a change is pushed that would else take the proxy away for a while."""
    # what a repository had that was rendered before there was the question
    former = {"chart": "litellm-helm", "exposure": "ingress", **before}
    changed = {name for name in ("chart", "gitops_engine", "exposure", "ci_platform") if before and name in after}
    changed = {name for name in changed if former.get(name) != after[name]}
    engine = text(before.get("gitops_engine"))
    if "chart" in changed:
        first, then = commands("chart_first", engine), commands("chart_then", engine)
        applied = "until `flux get kustomization litellm-secrets` shows the commit" if first else "until the sync fails"
        push = f"git push  # and wait {applied}"
        yield from steps('the other chart, once what README.md says under "Another chart" is true', *first, push, *then)
    if "gitops_engine" in changed:
        let_go = commands("engine_first", engine, before.get("project_name"))
        yield from steps('the other engine (README.md: "Another engine", then "Bootstrap")', *let_go, "git push")
    if "exposure" in changed:
        said = "exposure: the push takes the old way in away. Bring the new one up beside it first"
        yield f'{said}: README.md, "Another engine"'
    if before and before.get("commit_signers", []) != after.get("commit_signers", []):
        said = "commit_signers: sign this commit by a key of the new list, push, then Bootstrap"
        yield f'{said}: README.md, "Signed commits"'
    if "ci_platform" in changed:
        yield "ci_platform: protect the branches of the new platform before you push"


def steps(what: str, *commands: str) -> Iterator[str]:
    """Commands in their order, and what they are for."""
    yield f"\nCommit this. Then, for {what}, in each cluster and in this order:"
    yield from (f"  {command}" for command in commands)


def commands(macro: str, *arguments: Any) -> list[str]:
    """What a macro of includes/switching.jinja gives README.md, a line each."""
    loader = jinja2.FileSystemLoader(TEMPLATE)
    environment = jinja2.Environment(loader=loader, autoescape=False)  # commands, no HTML
    module = environment.get_template("includes/switching.jinja").module
    return [line for line in str(getattr(module, macro)(*arguments)).splitlines() if line.strip()]


def scaled(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """What to say where fewer replicas have left `max_replicas` above them, which nobody may have meant."""
    most, fewest = after.get("max_replicas"), after.get("replicas")
    if before and most == before.get("max_replicas") == before.get("replicas") != fewest:
        yield (
            f"max_replicas is still {most}, so that an autoscaler brings between {fewest} and {most} now. Without one: "
            f"{update('max_replicas', str(fewest)).command}"
        )


def applied(root: Path, before: dict[str, Any]) -> Iterator[str]:
    """What to say of files that an update has changed and no push brings to a cluster, since a person applies them."""
    changed = (git("diff", "--name-only", "--relative", "--diff-filter=d", "HEAD", "--", "clusters") or "").splitlines()
    changed += (git("ls-files", "--others", "--exclude-standard", "--", "clusters") or "").splitlines()
    with suppress(UnreadableError):  # a merge conflict, which is told below
        repository = Repository(root)
        if before.get("gitops_engine") != repository.answers.get("gitops_engine"):
            return  # `switched` has said so
        for cluster in repository.clusters:
            ours = [file for file in sorted(changed) if file.startswith(f"{cluster.folder}/")]
            by_hand = [file for file in ours if Synced(cluster).is_by_hand(file)]
            if by_hand and cluster.environment in sequence(before.get("cluster_environments")):
                then = "Once you have pushed: README.md, Bootstrap"
                yield f"{cluster.name}: no push brings {', '.join(by_hand)} to its cluster, a person does. {then}"


def examples(root: Path, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """What to say of a new repository whose addresses are those of the documentation, and lead nowhere."""
    names = [name for name, value in after.items() if name[0] != "_" and EXAMPLE.search(str(value))]
    if names and not before:
        yield f"only examples: {', '.join(names)}. Give yours {later(root, update(names[-1], 'VALUE'), before)}"


def unshared(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """What to say of a new repository whose template is a folder, which nobody else may have."""
    source = text(after.get("_src_path"))
    if not before and Path(source).is_absolute():
        who = "no colleague and no CI" if after.get("tooling") == "pinned" else "no colleague"
        yield f"the template is a folder of this machine, {source}, which {who} can use: copy it from a URL of git"


def elsewhere(root: Path, before: dict[str, Any]) -> Iterator[str]:
    """What to say of a project in another folder of its git repository than was answered."""
    with suppress(UnreadableError):
        for found in the_project_stands_where_the_answers_say(Repository(root)):
            yield f"{found.what}. Correct it {later(root, found.fix, before)}"


def doubled(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """What to say of a zone that may have been meant as the name of the proxy itself."""
    for name, zone in after.items():
        if name.endswith("_domain") and text(zone).startswith("litellm.") and zone != before.get(name):
            yield f"{name}: the proxy is served at litellm.{zone}, since {zone} is its zone"


def answers(root: Path) -> dict[str, Any]:
    """The answers of the repository as it is now."""
    return _mapping((root / ANSWERS).read_text("utf-8"))


def committed() -> dict[str, Any]:
    """The answers of the last commit; none in a repository that is new."""
    return _mapping(git("show", f"HEAD:./{ANSWERS}") or "")


def _mapping(text: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:  # a merge conflict
        return {}
    return content if isinstance(content, dict) else {}


def lock_is_old(root: Path) -> bool:
    """Whether pyproject.toml changed after uv.lock was committed."""
    return (root / "uv.lock").exists() and bool(git("diff", "--name-only", "HEAD", "--", "pyproject.toml"))


def git(*arguments: str) -> str | None:
    """What git prints; None where it fails."""
    answer = files.git(Path.cwd(), *arguments, above=True)
    return None if answer is None else answer.decode("utf-8", "replace")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
