"""Every value of every Secret is encrypted, for the right recipients, and no credential stands anywhere else.

What can be said of one file alone is in functions of their own: the guard calls them, too.
"""

from __future__ import annotations

import fnmatch
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from litellm_gitops import credentials
from litellm_gitops.documents import dig, mapping, sequence, text, texts
from litellm_gitops.files import matching
from litellm_gitops.findings import Finding, edit, fill, rekey, seal, update
from litellm_gitops.repository import ANSWERS, SEALED, Repository
from litellm_gitops.rules import rule
from litellm_gitops.sealing import agreed, creation_rules, history
from litellm_gitops.sealing.errors import SealingError
from litellm_gitops.sealing.recipients import KMS, Rule, of_file, of_rule, split
from litellm_gitops.sealing.report import lacking
from litellm_gitops.sealing.sealed_file import PLACEHOLDER_ANNOTATION, Flaw, Kind, check, conflict, fix_of, unsealed

CONFIG = creation_rules.CONFIG
# The one list of what else may lie below secrets/; policies/suite.yml adds to it. All of it is searched for plaintext.
BESIDE = ("*.yaml", "*.yml", "*.md", "*/.gitkeep", "*/.DS_Store", "*/Thumbs.db", "*/desktop.ini")
_OF_CODE = (".cue", ".dhall", ".jsonnet", ".libsonnet", ".pkl")  # languages that compute manifests
_PUBLIC_KEY = re.compile(r"^# public key: (age1\w+)", re.MULTILINE)
_CODE = "mac_only_encrypted"
_OF_THE_RULE = (Kind.RECIPIENTS, Kind.RULE)
MISSHAPEN = (Kind.MALFORMED, Kind.UNSEALED, Kind.IDENTITY)  # no sealed Secret at all: what else it lacks follows
_SEAL_IT = edit("take the value out, and seal it as secrets/<cluster>/<name>.sops.yaml")


# ---------------------------------------------------------------------------------------------------------------------
# What can be said of one file


def secrets_of(file: str, content: str) -> tuple[Flaw, ...]:
    """The Secrets in plaintext in a file that is no sealed one."""
    return () if SEALED.fullmatch(file) or file.endswith(_OF_CODE) else unsealed(content)


def plaintext_of(file: str, content: str) -> Iterator[Finding]:
    """What is told of each of them."""
    yield from (Finding(file, flaw.line, flaw.what, _SEAL_IT) for flaw in secrets_of(file, content))


def flaws_of(file: str, content: str, config: Mapping[str, Any]) -> list[Flaw]:
    """What is wrong with a sealed file. What comes of another flaw is left out."""
    entry = _find(config, file)
    flaws = list(dict.fromkeys(check(content, creation_rules.as_rule(entry) if entry else Rule())))
    malformed = [each for each in flaws if each.kind is Kind.MALFORMED]
    if unencrypted := [each for each in flaws if each.kind is Kind.UNSEALED]:
        return unencrypted  # then all of it can be read
    # one is enough, for it is to be sealed again, and what its form hides shows afterwards
    hidden = (*malformed[1:], *(each for each in flaws if malformed and each.kind in (*_OF_THE_RULE, Kind.IDENTITY)))
    return [each for each in flaws if each not in hidden]


def _find(config: Mapping[str, Any], file: str) -> dict[str, Any] | None:
    try:
        return creation_rules.find(config, file)
    except SealingError:
        return None


# ---------------------------------------------------------------------------------------------------------------------
# The sealed files


@rule
def every_value_of_every_secret_is_sealed(repository: Repository) -> Iterator[Finding]:
    """Of recipients, and of the rule that a file was sealed by, another rule speaks."""
    rules = _rules(repository)
    names = {*repository.matrix.environments, *rules.names}
    for file, flaws in rules.flaws.items():
        spoken = [flaw for flaw in flaws if flaw.kind not in _OF_THE_RULE]
        for flaw in spoken:
            yield Finding(file, flaw.line, flaw.what, fix_of(flaw, repository, file))
        if not spoken and file.split("/")[1] not in names and _find(rules.config, file) is None:
            fix = edit("move it into the folder of a cluster, or write a rule for its folder")
            yield Finding(file, None, f"no creation rule of {CONFIG} matches it", fix)


@rule
def nothing_unknown_lies_among_the_sealed_files(repository: Repository) -> Iterator[Finding]:
    """Nobody could tell whether it holds a value in plaintext."""
    allowed = beside(repository, repository.suite.beside) if repository.suite.beside else set()
    for file in (each for each in repository.files if each.partition("/")[0] == "secrets"):  # it may be a link
        if repository.source.is_link(file):
            fix = edit("replace it by a real file")
            yield Finding(file, None, "it is a symbolic link, which the GitOps engine does not follow", fix)
        elif file.endswith((".sops.yaml", ".sops.yml")) and not SEALED.fullmatch(file):
            yield Finding(file, None, "no engine reads a Secret here", edit("move it to secrets/<cluster>/"))
        elif file not in allowed and not any(fnmatch.fnmatchcase(file, each) for each in BESIDE):
            fix = edit("move it elsewhere, seal it as a Secret, or list it under `beside` in policies/suite.yml")
            yield Finding(file, None, "it lies among the sealed Secrets and cannot be checked", fix)


def beside(repository: Repository, patterns: list[str]) -> set[str]:
    """The files below secrets/ that patterns name, in the format of .gitignore and from that folder on."""
    below = [file.partition("/")[2] for file in repository.under("secrets")]
    return {f"secrets/{name}" for name in matching(patterns, below)}


def sealed_files(repository: Repository) -> dict[str, list[str]]:
    """Every file that is a sealed Secret by its name, by the folder that it lies in; of links another rule speaks."""
    found: dict[str, list[str]] = {}
    for file in repository.under("secrets"):
        match = SEALED.fullmatch(file)
        if match and not repository.source.is_link(file):
            found.setdefault(match[1], []).append(file)
    return found


# ---------------------------------------------------------------------------------------------------------------------
# The creation rules and the recipients


class _Rules:
    """The creation rules: the sound one of each cluster, and what is wrong with the others. Read once, by `_rules`."""

    def __init__(self, repository: Repository) -> None:
        self.document, self.files = repository.document(CONFIG), sealed_files(repository)
        self.config: dict[str, Any] = {}
        self.sound: dict[str, dict[str, Any]] = {}
        self.findings: list[Finding] = []
        self.names = [cluster.name for cluster in repository.clusters]
        entries: dict[str, dict[str, Any] | None] = {}
        unmerged = conflict(repository, CONFIG)
        if unmerged:
            self.findings.append(Finding(CONFIG, unmerged.line, unmerged.what, fix_of(unmerged, repository, CONFIG)))
        try:
            self.config = {} if unmerged else creation_rules.load(repository)
            entries = {name: creation_rules.of_cluster(self.config, name) for name in self.names}
        except SealingError as error:
            line = repository.broken[CONFIG].line if CONFIG in repository.broken else None
            what = str(error).removeprefix(CONFIG).lstrip(" :")
            self.findings.append(Finding(CONFIG, line, what, edit("then run the suite again")))
        self.flaws = {file: self._flaws(repository, file) for each in self.files.values() for file in each}
        missing = [name for name, entry in entries.items() if entry is None] if not unmerged else []
        patterns = [text(mapping(each).get("path_regex")) for each in sequence(self.config.get("creation_rules"))]
        is_twice = len(missing) == 1 and len({*patterns}) < len(patterns)  # of which a rule tells
        if missing and repository.has(CONFIG) and not is_twice:
            what = f"no rule matches {', '.join(f'secrets/{name}/' for name in missing)}"
            unfit = creation_rules.unfit(repository.text(CONFIG), missing[0])
            what, fix = (f"{what}, and it {unfit[0]}", edit(unfit[1])) if unfit else (what, seal())
            self.findings.append(Finding(CONFIG, None, what, fix))
        elif missing and self.files and not repository.has(CONFIG):
            lost = edit("take it from git history: a new one would name other keys")
            self.findings.append(Finding(CONFIG, None, "is missing", lost))
        for name, entry in entries.items():
            found = list(self._problems(name, entry)) if entry else []
            if entry and any(credentials.find(each) for each in split(entry.get("age"))):
                continue  # a private key among the recipients is told as what it is
            self.findings += [each for each in found if each not in self.findings]  # one rule may take several clusters
            if entry and not found:
                self.sound[name] = entry
        self.sealed_for = {name: self._sealed_for(repository, name) for name in self.sound}
        self.changed = {name: self._changed(name) for name in self.sound}
        # of several clusters each has the recipients of another: one mistake, and not as many
        self.swapped = [name for name in self.sound if self.changed[name] and self._is_swapped(name)]

    def _flaws(self, repository: Repository, file: str) -> list[Flaw]:
        found = conflict(repository, file)
        return [found] if found else flaws_of(file, repository.characters(file), self.config)

    def line(self, entry: Any, *field: str) -> int | None:
        """Where a rule, or a field of it, stands."""
        rules = self.config.get("creation_rules", [])
        number = next((number for number, each in enumerate(rules) if each is entry), None)
        return self.document.line("creation_rules", number, *field) if self.document and number is not None else None

    def _problems(self, name: str, entry: dict[str, Any]) -> Iterator[Finding]:
        if entry.get("path_regex") not in [creation_rules.path_regex(each) for each in self.names]:
            what = "its path_regex takes the Secrets of a cluster, and is that of none"
            fix = edit(f"write a rule for each cluster: path_regex: {creation_rules.path_regex('<cluster>')}")
            yield Finding(CONFIG, self.line(entry), what, fix)
        else:
            for what in creation_rules.problems(self.config, name):
                yield Finding(CONFIG, self.line(entry), what, edit("correct the rule"))
            taken = [other for file in self.files.get(name, ()) if (other := _find(self.config, file)) is not entry]
            if taken:
                what = f"it comes before the rule of secrets/{name}/, and takes files of that folder"
                yield Finding(CONFIG, self.line(taken[0]), what, edit("take it away, or put it behind"))

    def _sealed_for(self, repository: Repository, name: str) -> list[set[str]]:
        """The recipients of each file of a cluster."""
        documents = [document for file in self.files.get(name, ()) if (document := repository.document(file))]
        return [{key for keys in of_file(each.value).values() for key in keys} for each in documents]

    def _named(self, name: str) -> set[str]:
        return {key for keys in of_rule(self.sound[name]).values() for key in keys}

    def _is_swapped(self, name: str) -> bool:
        """Whether its recipients are those of another one's files, and so on, in a ring that comes back to it."""
        others = [other for other in self.sound if self.changed[other]]
        seen, stack = set[str](), [name]
        while stack:
            at = stack.pop()
            found = [each for each in others if each != at and self._named(at) in self.sealed_for[each]]
            stack += [each for each in found if each not in seen]
            seen.update(found)
        return name in seen

    def is_of_another_code(self, name: str) -> bool:
        """Whether a rule says otherwise than all files of its cluster, what their code is of: then the rule changed."""
        flaws = [
            [each.what for each in self.flaws[file] if each.kind is Kind.RULE] for file in self.files.get(name, ())
        ]
        is_usual = self.sound[name].get(_CODE) is True
        return bool(flaws) and not is_usual and all(any(_CODE in what for what in found) for found in flaws)

    def _changed(self, name: str) -> Finding | None:
        """What there is to say of a rule for whose recipients not one file of its cluster is sealed."""
        found, named = self.sealed_for[name], self._named(name)
        known = set[str]().union(*found)
        if not known or named in found:
            return None
        parts = [f"{', '.join(sorted(new))} is new" for new in [named - known] if new]
        parts += [f"{', '.join(sorted(old))} is gone" for old in [known - named] if old]
        what = f"the rule of {name} names others than its files are sealed for: {'; '.join(parts)}"
        fix = rekey(name, "correct the rule if this is not meant")
        return Finding(CONFIG, self.line(self.sound[name], "age"), what, fix)


@lru_cache(maxsize=1)
def _rules(repository: Repository) -> _Rules:
    return _Rules(repository)


@lru_cache(maxsize=4)  # asked for each manifest
def flawed(repository: Repository, kinds: tuple[Kind, ...] = (*Kind,)) -> frozenset[str]:
    """The sealed files of which the rules here speak, or those that have flaws of these kinds."""
    flaws = _rules(repository).flaws.items()
    return frozenset(file for file, found in flaws if any(each.kind in kinds for each in found))


@rule
def every_cluster_has_one_sound_creation_rule(repository: Repository) -> Iterator[Finding]:
    """A rule for other folders than those of the clusters is the owner's business."""
    rules = _rules(repository)
    lines: dict[str, int] = {}
    absent = set(repository.matrix.environments) - set(rules.names)
    entries = sequence(rules.config.get("creation_rules"))
    patterns = [text(mapping(each).get("path_regex")) for each in entries]
    # what the first of two lacks, the second has
    halves = {rules.line(each) for each, pattern in zip(entries, patterns, strict=True) if patterns.count(pattern) > 1}
    yield from (each for each in rules.findings if each.line is None or each.line not in halves)
    for entry in entries:
        pattern, line = text(mapping(entry).get("path_regex")), rules.line(entry)
        if pattern in lines:
            what = f"its path_regex is that of line {lines[pattern]}, and the first one wins"
            lost = [name for name in rules.names if creation_rules.path_regex(name) not in patterns]
            keep = f"write {creation_rules.path_regex(lost[0])} in one of them" if lost else "keep one of them"
            yield Finding(CONFIG, line, what, edit(keep))
        lines.setdefault(pattern, line or 0)
        for name in absent:
            if pattern == creation_rules.path_regex(name):
                fix = update("cluster_environments", "[…]", "take it away")
                yield Finding(CONFIG, line, f"the environment {name} was not chosen", fix)


@rule
def every_secret_is_sealed_for_whom_its_rule_names(repository: Repository) -> Iterator[Finding]:
    """Where no file of a cluster fits its rule, the rule was changed, and that is where it is told; else a file was."""
    rules = _rules(repository)
    if rules.swapped:
        *most, last = rules.swapped
        what = f"the rules of {', '.join(most)} and {last} have the recipients of each other"
        yield Finding(CONFIG, rules.line(rules.sound[rules.swapped[0]], "age"), what, edit("swap them back"))
    if others := [*filter(rules.is_of_another_code, rules.sound)]:
        what = f"the rule of {', '.join(others)} has another {_CODE} than its files were sealed with"
        fix = rekey("" if others[1:] else others[0], f"write {_CODE}: true if this is not meant")
        yield Finding(CONFIG, rules.line(rules.sound[others[0]], _CODE), what, fix)
    for cluster in repository.clusters:
        name, path = cluster.name, repository.root / cluster.key_file
        if name not in rules.sound or name in rules.swapped:
            continue
        if finding := rules.changed[name]:
            yield finding
            continue
        if not rules.is_of_another_code(name):
            for file in rules.files.get(name, ()):
                for flaw in (each for each in rules.flaws[file] if each.kind in _OF_THE_RULE):
                    yield Finding(file, flaw.line, flaw.what, fix_of(flaw, repository, file))
        # without an answer a cluster has a key that was made for it, and the clone that has its file can compare
        entry = rules.sound[name]
        own = _PUBLIC_KEY.findall(path.read_text("utf-8", "replace")) if path.is_file() else []
        if own and not _answered(repository) and not set(own) & set(split(entry.get("age"))):
            what = f"the rule of {name} lacks {own[-1]}, the public key of {cluster.key_file}"
            fix = edit(f"add it, then {rekey(name).text}; or move that file away")
            yield Finding(CONFIG, rules.line(entry, "age"), what, fix)


@rule
def somebody_agreed_to_every_recipient(repository: Repository) -> Iterator[Finding]:
    """Where a key was made for each cluster, no answer says who may read, but policies/recipients.yml."""
    rules = _rules(repository)
    if unmerged := conflict(repository, agreed.AGREED):
        yield Finding(agreed.AGREED, unmerged.line, unmerged.what, fix_of(unmerged, repository, agreed.AGREED))
        return
    for cluster in repository.clusters:
        entry = rules.sound.get(cluster.name)
        if entry and not rules.changed[cluster.name] and (what := agreed.difference(cluster, entry)):
            fix = rekey(cluster.name, "take away whose key you do not know")
            yield Finding(CONFIG, rules.line(entry, "age"), f"the rule of {cluster.name} {what}", fix)


@rule
def every_recipient_was_there_when_the_values_were_sealed(repository: Repository) -> Iterator[Finding]:
    """Git's history, where it is there, shows who joined a file whose values stayed: nobody sealed them for him."""
    rules = _rules(repository)
    for cluster in repository.clusters:
        name, entry = cluster.name, rules.sound.get(cluster.name)
        if not entry or rules.changed[name] or agreed.difference(cluster, entry):
            continue
        whole = [file for file in rules.files.get(name, ()) if not rules.flaws[file]]
        found: dict[str, str] = {}
        for recipient, commit in history.joined(repository, whole):
            found.setdefault(recipient, commit)
        if found:
            since = ", ".join(f"{recipient} (after commit {commit})" for recipient, commit in sorted(found.items()))
            what = f"it names readers of {name} who came after its values were sealed: {since}"
            yield Finding(CONFIG, rules.line(entry, "age"), what, rekey(name, "take away whose key you do not know"))


def _answered(repository: Repository) -> list[str]:
    return sorted(texts(repository.answers.get("age_recipients")))


@rule
def the_recipients_are_those_of_the_answers(repository: Repository) -> Iterator[Finding]:
    """Where rule and files agree in every cluster and the answers do not, it is told at the answers."""
    rules, wanted = _rules(repository), _answered(repository)
    settled = {name: entry for name, entry in rules.sound.items() if not rules.changed[name]}
    others = {name: sorted(split(entry.get("age"))) for name, entry in settled.items()}
    differing = [name for name in others if wanted and others[name] != wanted]
    if differing == rules.names and len({tuple(keys) for keys in others.values()}) == 1:
        what = "age_recipients differs from the recipients that every Secret is sealed for"
        document = repository.document(ANSWERS)
        first = f"write the answered ones into {CONFIG}, then {rekey().text}"
        fix = update("age_recipients", json.dumps(others[differing[0]]), first)
        yield Finding(ANSWERS, document.line("age_recipients") if document else None, what, fix)
        differing = []
    for name in differing:
        what = f"the recipients of {name} differ from age_recipients in {ANSWERS}"
        fix = rekey(name, "correct the rule, or answer age_recipients anew")
        yield Finding(CONFIG, rules.line(settled[name], "age"), what, fix)
    for cluster in repository.clusters:
        entry, question = settled.get(cluster.name), cluster.answer_name("kms_key")
        for field in KMS if entry else ():
            named, answered = split(mapping(entry).get(field)), cluster.kms.get(field)
            if answered and answered not in named:
                what = f"the rule of {cluster.name} lacks {answered}, which {question} in {ANSWERS} names"
                fix = rekey(cluster.name, f"add `{field}: {answered}` to it")
                yield Finding(CONFIG, rules.line(entry), what, fix)
            for other in named if wanted else ():
                if other != answered:
                    what = f"the rule of {cluster.name} has {other}, which no answer in {ANSWERS} names"
                    fix = rekey(cluster.name, f"take it away, or answer {question}")
                    yield Finding(CONFIG, rules.line(entry), what, fix)


# ---------------------------------------------------------------------------------------------------------------------
# Plaintext anywhere


@rule
def no_placeholder_is_left(repository: Repository) -> Iterator[Finding]:
    """An input was missing when it was sealed."""
    for cluster in repository.clusters:
        for wanted in cluster.wanted.values():
            missing, document = lacking(cluster, wanted), repository.document(wanted.file)
            if missing is not None and document:
                line = document.line("metadata", "annotations", PLACEHOLDER_ANNOTATION)
                what = "it is a placeholder, because an input was missing when it was sealed"
                first = f"give {', '.join(str(wanted.keys[key]) for key in missing)}"
                yield Finding(wanted.file, line, what, fill(cluster.name, first))


@rule
def no_secret_stands_outside_of_the_sealed_files(repository: Repository) -> Iterator[Finding]:
    """In YAML of any form, in JSON, in texts inside of them, in patches and generators, in templates of a chart."""
    for file in repository.files:
        yield from plaintext_of(file, repository.characters(file))
    for document in repository.manifests:
        # what a patch is for stands where it is named
        for patch in sequence(dig(document.value, "patches")):
            entry = text(dig(patch, "path"))
            file = posixpath.normpath(posixpath.join(posixpath.dirname(document.file), entry))
            if entry and dig(patch, "target", "kind") == "Secret":
                for flaw in unsealed(repository.characters(file), patch=True):
                    yield Finding(file, flaw.line, flaw.what, _SEAL_IT)
