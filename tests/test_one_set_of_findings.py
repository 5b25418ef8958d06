"""`--check`, `--list`, the guard and the suite never contradict each other, and what they print mends what they found.

Each odd repository goes to all four, as its owner runs them. Then each command that a finding prints is run.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest

from litellm_gitops import guard, rules
from litellm_gitops.findings import SEAL, Finding, UnreadableError
from litellm_gitops.repository import SEALED, Repository
from tests.support.answers import answers
from tests.support.faults import (
    ANSWERS,
    CHART,
    POLICY,
    RULES,
    SUITE,
    Edit,
    add,
    append,
    append_item,
    change,
    credential,
    delete,
    git,
    insert,
    link,
    remove,
    set_value,
    substitute,
    swap,
    together,
    write,
)
from tests.support.inputs import Inputs
from tests.support.sealed import encrypt, environment, seal
from tests.support.sealed_store import joined, plaintext
from tests.support.warm import Warm

OURS = "secrets/aws/litellm-redis.sops.yaml"
SALT = "secrets/aws/litellm-salt-key.sops.yaml"
MASTER = "secrets/aws/litellm-masterkey.sops.yaml"
OWN = "secrets/aws/own.sops.yaml"
LIST = "secrets/aws/kustomization.yaml"
CHECKSUMS = "litellm/checksums-aws.yaml"
STRANGER = str(pyrage.x25519.Identity.generate().to_public())
PLAIN = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: own\n  namespace: litellm\nstringData:\n  a: plain\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: more\n  namespace: litellm\ndata:\n  a: b\n"
MARKERS = "<<<<<<< ours\n=======\n>>>>>>> theirs\n"
MANIFEST = '  annotations:\n    a: \'{"kind":"Secret"}\'\n'
PLACEHOLDER = '  annotations:\n    litellm-gitops/placeholder: "true"\n'


@dataclass(frozen=True)
class Odd:
    """An odd repository: what was done to it, and what a person does first where a finding asks for it."""

    edit: Edit
    first: Edit | None = None


def broken(file: str, text: str) -> Odd:
    """A sealed file with a line more below its metadata."""
    return Odd(change(file, "\n  namespace: litellm\n", f"\n  namespace: litellm\n{text}"))


def of_each(name: str, file: str) -> dict[str, Odd]:
    """What can be wrong with a sealed file, be it ours or the owner's."""
    restored: Edit = lambda root: git(root, "checkout", "HEAD", "--", file)  # noqa: E731
    return {
        f"{name} with a value in plaintext": Odd(plaintext(file)),
        f"{name} with a value in plaintext in data": Odd(
            together(plaintext(file), substitute(file, r"^stringData:$", "data:"))
        ),
        f"{name} that nobody sealed": Odd(substitute(file, r"\nsops:\n(?:.*\n)+", "\n")),
        f"{name} with a comment": Odd(change(file, "kind: Secret", "kind: Secret # it was plain")),
        f"{name} with a manifest in an annotation": Odd(
            change(file, "\n  namespace: litellm\n", f"\n  namespace: litellm\n{MANIFEST}"),
            change(file, MANIFEST, ""),
        ),
        f"{name} of another kind": Odd(change(file, "kind: Secret", "kind: ConfigMap")),
        f"{name} that is empty": Odd(write(file, "")),
        f"{name} that is no YAML": Odd(append(file, "}\n")),
        f"{name} in conflict": Odd(append(file, MARKERS), restored),
        f"{name} sealed for a stranger": Odd(substitute(file, r"recipient: age1\w+", f"recipient: {STRANGER}")),
        f"{name} sealed by another rule": Odd(change(file, "^(data|stringData)$", "^data$")),
        f"{name} without its code": Odd(substitute(file, r"^  mac: .*\n", "")),
        f"{name} with another tag": Odd(substitute(file, r",tag:", ",tags:", count=1)),
        f"{name} under another name": Odd(
            substitute(file, r"^  name: .*", "  name: other"),
            substitute(file, r"^  name: .*", f"  name: {Path(file).name.removesuffix('.sops.yaml')}"),
        ),
        f"{name} in another namespace": Odd(
            change(file, "  namespace: litellm", "  namespace: default"),
            change(file, "  namespace: default", "  namespace: litellm"),
        ),
        f"{name} as a link": Odd(link(file)),
        f"{name} twice": Odd(lambda root: write(file, (root / file).read_text() + "---\n" + PLAIN)(root)),
    }


CORPUS: dict[str, Odd] = {
    "nothing odd": Odd(lambda root: None),
    # ----- beside the sealed files -----
    "a ConfigMap": Odd(together(write("secrets/aws/more.yaml", CONFIG_MAP), append(LIST, "  - more.yaml\n"))),
    "what a desktop leaves": Odd(write("secrets/aws/.DS_Store", "Bud1")),
    "a document": Odd(write("secrets/README.md", "Ours.\n")),
    "a document with a token": Odd(credential("github", "secrets/README.md")),
    "a key in JSON": Odd(write("secrets/aws/key.json", "{}\n")),
    "a note that was declared": Odd(
        together(write("secrets/aws/note.txt", "Ours.\n"), set_value(SUITE, ("beside",), ["aws/*.txt"]))
    ),
    "a Secret in plaintext": Odd(together(write("secrets/aws/more.yaml", PLAIN), append(LIST, "  - more.yaml\n"))),
    "a sealed file one folder below": Odd(
        together(
            lambda root: write("secrets/aws/more/own.sops.yaml", (root / OWN).read_text())(root),
            append(LIST, "  - more/own.sops.yaml\n"),
        )
    ),
    "a sealed file of no cluster": Odd(write("secrets/onprem/own.sops.yaml", PLAIN)),
    "a private key": Odd(credential("age", "secrets/aws/notes.md")),
    # ----- Secrets -----
    **of_each("a Secret of ours", OURS),
    **of_each("a Secret that is never rotated", SALT),
    **of_each("a Secret of their own", OWN),
    "a Secret of their own that no list has": Odd(substitute(LIST, r"^  - own.*\n", "")),
    "a Secret of their own with an empty value": Odd(change(OWN, "\nsops:\n", '\n  EXTRA: ""\nsops:\n')),
    "a Secret that is missing": Odd(delete(OURS)),
    "a salt key that is missing": Odd(delete(SALT)),
    "a Secret with another key": Odd(change(OURS, "redis-password:", "password:")),
    "a Secret that cannot change": Odd(
        change(OURS, "type: Opaque", "immutable: true\ntype: Opaque"), change(OURS, "immutable: true\n", "")
    ),
    "a placeholder whose input is there": broken(OURS, PLACEHOLDER),
    "a placeholder for ever": broken(OWN, PLACEHOLDER),
    "two Secrets swapped": Odd(swap(MASTER, OURS), swap(MASTER, OURS)),
    "a Secret that nothing needs": Odd(
        together(
            lambda root: write(
                "secrets/aws/litellm-azure-auth.sops.yaml",
                (root / OWN).read_text().replace("name: own", "name: litellm-azure-auth"),
            )(root),
            append(LIST, "  - litellm-azure-auth.sops.yaml\n"),
        ),
        substitute(LIST, r"^  - litellm-azure-auth.*\n", ""),
    ),
    "a Secret that the values name and nobody has": Odd(add(CHART.env_from, ["nobody"])),
    # ----- checksums -----
    "a checksum that is missing": Odd(substitute(CHECKSUMS, r"^.*checksum/litellm-redis.*\n", "")),
    "a checksum of yesterday": Odd(substitute(CHECKSUMS, r"(checksum/litellm-redis: )\w+", rf"\1{'a' * 64}")),
    "no checksums": Odd(delete(CHECKSUMS)),
    "checksums in conflict": Odd(append(CHECKSUMS, MARKERS)),
    # ----- rules and recipients -----
    "a recipient more": Odd(append_item(RULES, ("creation_rules", 0, "age"), STRANGER)),
    "a recipient more, in every file, too": Odd(joined("aws", STRANGER)),
    "another recipient": Odd(set_value(RULES, ("creation_rules", 0, "age"), [STRANGER])),
    "a recipient with a wrong letter": Odd(substitute(RULES, r"- (age1\w{10}).", r"- \1b")),
    "no recipient": Odd(set_value(RULES, ("creation_rules", 0, "age"), [])),
    "a rule that encrypts nothing": Odd(set_value(RULES, ("creation_rules", 0, "encrypted_regex"), "^none$")),
    "a rule for other files": Odd(insert(RULES, ("creation_rules", 0), {"path_regex": "own/.*", "age": STRANGER})),
    "a rule for every file": Odd(insert(RULES, ("creation_rules", 0), {"age": STRANGER})),
    "a rule that is gone": Odd(set_value(RULES, ("creation_rules",), [])),
    "rules that are gone": Odd(delete(RULES)),
    "rules that are no YAML": Odd(write(RULES, "a: [\n")),
    "a recipient that nobody answered": Odd(set_value(ANSWERS, ("age_recipients",), [STRANGER])),
    "another key in keys/": Odd(substitute("keys/aws.agekey", r"age1\w+", STRANGER)),
    # ----- nothing can be said -----
    "answers in conflict": Odd(append(ANSWERS, MARKERS)),
    "no answers": Odd(delete(ANSWERS)),
    "a list of Secrets of nothing": Odd(write(POLICY, "a: 1\n")),
    "a plaintext Secret, and no answers": Odd(together(write("more.yaml", PLAIN), delete(ANSWERS))),
    "no clusters": Odd(remove(ANSWERS, ("cluster_environments",))),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Inputs().write(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def base(render: Callable[..., Path], inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed repository with a key of its own, and with a Secret of the owner's, everything committed."""
    root = tmp_path_factory.mktemp("base") / "repository"
    redis = {"redis": "external", "aws_redis_host": "redis.example.internal"}
    shutil.copytree(render(**answers(["aws"], ["bedrock"], **redis)), root)
    assert seal(root, inputs=inputs).returncode == 0
    metadata = {"name": "own", "namespace": "litellm"}
    encrypt(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": {"A": "b"}},
        root / OWN,
        root,
    )
    append(LIST, "  - own.sops.yaml\n")(root)
    assert seal(root, inputs=inputs).returncode == 0
    (root / "suite.py").write_text("import sys\n\nimport pytest\n\nsys.exit(pytest.main(sys.argv[1:]))\n")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "State")
    return root


@pytest.fixture(scope="module")
def programs(base: Path) -> Iterator[Warm]:
    """A process that has pytest and the package imported, and knows the repository as it was."""
    with Warm("litellm_gitops.guard", "litellm_gitops.sealing.commands", "pytest", evaluated=base) as process:
        yield process


def run(programs: Warm, root: Path, command: str, inputs: Path) -> subprocess.CompletedProcess[str]:
    """`hooks/seal_secrets.py COMMAND`, with every input."""
    return programs.run(root / "hooks/seal_secrets.py", *shlex.split(command), cwd=root, env=environment(inputs))


def evaluated(root: Path) -> list[Finding] | str:
    """What all rules find, or the line that says why nothing can be said."""
    try:
        return rules.evaluate(Repository(root))
    except UnreadableError as error:
        return str(error)


@pytest.fixture
def root(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "repository", symlinks=True))


@pytest.mark.parametrize("odd", CORPUS.values(), ids=[*CORPUS])
def test_all_commands_agree_and_mend_what_they_find(odd: Odd, root: Path, programs: Warm, inputs: Path) -> None:
    odd.edit(root)
    found = evaluated(root)
    check_and_list_agree(found, root, programs, inputs)
    if not isinstance(found, str):
        what_is_printed_mends_it(found, odd, root, programs, inputs)
    the_guard_agrees(found, root, programs)


def check_and_list_agree(found: list[Finding] | str, root: Path, programs: Warm, inputs: Path) -> None:
    alone = {"PATH": "/usr/bin:/bin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # without the plugins of this project
    suite = programs.run(root / "suite.py", "-p", "no:cacheprovider", cwd=root, env=alone)
    check, table = (run(programs, root, command, inputs) for command in ("--check", "--list"))
    assert "Traceback" not in "".join(done.stdout + done.stderr for done in (suite, check, table))
    if isinstance(found, str):
        assert all(done.returncode and found in done.stdout + done.stderr for done in (suite, check, table))
        return
    assert {line for line in suite.stdout.splitlines() if " — " in line} == set(map(str, found))
    assert suite.returncode == int(bool(found))
    names = {rule.name for rule in rules.of("sealing", "plaintext", "secrets")}
    of_sealing = [each for each in found if each.code in names]
    assert {line for line in check.stderr.splitlines() if " — " in line} == set(map(str, of_sealing))
    waiting = {each.file for each in of_sealing if each.code == "no_placeholder_is_left"}
    wrong = {each.file for each in of_sealing if each.code != "no_placeholder_is_left"}
    assert check.returncode == (5 if wrong else 3 if waiting else 0), check.stderr
    assert table.returncode == 0
    states = re.findall(r"^aws +(\S+) +\S+ +(sealed|placeholder|missing|stale|conflict) ", table.stdout, re.MULTILINE)
    assert len(states) >= 4
    for name, state in states:
        good = f"secrets/aws/{name}.sops.yaml" not in waiting | wrong and RULES not in wrong
        assert (state == "sealed") == good, (name, state)


def the_guard_agrees(found: list[Finding] | str, root: Path, programs: Warm) -> None:
    git(root, "add", "--all")
    command = ["git", "diff", "--cached", "--name-only", "--diff-filter=ACMT"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    changed = set(listed.stdout.split())
    done = programs.run(root / "hooks/guard_staged.py", cwd=root, env={"PATH": "/usr/bin:/bin"})
    assert "Traceback" not in done.stderr
    if isinstance(found, str):
        assert done.returncode == int("more.yaml" in changed)
        return
    names = {function.__name__ for function in guard.RULES}
    relevant = changed | ({RULES} if any(map(SEALED.fullmatch, changed)) else set())
    expected = {str(each) for each in found if each.code in names and each.file in relevant}
    assert {line for line in done.stderr.splitlines() if " — " in line} == expected
    assert done.returncode == int(bool(expected))


def what_is_printed_mends_it(found: list[Finding], odd: Odd, root: Path, programs: Warm, inputs: Path) -> None:
    commands = {each.fix.command for each in found if each.fix.command.startswith(SEAL)}
    for command in sorted(commands):
        place = root.with_name("mended")
        shutil.copytree(root, place, symlinks=True)
        if odd.first:
            odd.first(place)
        done = run(programs, place, command.removeprefix(SEAL), inputs)
        assert "Traceback" not in done.stderr
        if done.returncode in (0, 3):
            asked = {str(each) for each in found if each.fix.command == command}
            assert not asked & set(map(str, evaluated(place))), (command, done.stderr)
        else:
            assert re.search(r"^seal_secrets: .*(?:: | — )", done.stderr, re.MULTILINE), (command, done.stderr)
        shutil.rmtree(place)


def test_the_corpus_is_large_and_odd() -> None:
    assert len(CORPUS) >= 40
