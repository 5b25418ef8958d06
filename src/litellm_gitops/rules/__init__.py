"""What must be true of a repository, one function for each rule, whose name reads as a claim.

Sealing's `--check`, the guard, the suite and the template's own tests evaluate these functions and no others.
"""

from __future__ import annotations

import datetime
import fnmatch
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache, update_wrapper, wraps
from typing import TYPE_CHECKING

from litellm_gitops.correction import corrected, renamed_folders, with_folders
from litellm_gitops.findings import Finding, UnreadableError, edit
from litellm_gitops.joined import joined
from litellm_gitops.misplaced import Misplaced, misplaced
from litellm_gitops.policies import SECRETS
from litellm_gitops.whole_files import Instead, instead

if TYPE_CHECKING:
    from litellm_gitops.policies import Exemption
    from litellm_gitops.repository import Repository, Values

Function = Callable[["Repository"], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """A rule: its name, its subject (the module that it stands in), and the function that finds what breaks it."""

    name: str
    subject: str
    function: Function

    def __str__(self) -> str:
        return self.name


RULES: dict[str, Rule] = {}
ANSWERS = ".copier-answers.yml"
# subjects that compare nothing with the answers
_BY_THEMSELVES = {
    "commands",
    "compose",
    "declarations",
    "files",
    "plaintext",
    "rights",
    "sealing",
    "tooling",
    "workflows",
}
# what they find in answers that were changed by hand follows from that
_FOLLOWING = (
    *("every_cluster_has_one_sound_creation_rule", "no_key_is_given_twice", "the_kubernetes_version_is_known"),
    *("the_list_of_secrets_follows_from_the_answers", "the_recipients_are_those_of_the_answers"),
)
_OF_ANSWERS = "the_answers_are_those_that_were_rendered"  # tells of an edit by hand
_OF_FOLDERS = "nothing_unknown_lies_among_the_sealed_files"  # tells of one that was renamed
_BY_NAME_ALONE = ("decrypted", "rendered", "signed")  # subjects that need a private key, helm and a chart, or cosign
# subjects in which nothing follows from a misspelt word: the guard evaluates them on each commit, without a schema
_OF_EACH_COMMIT = ("plaintext", "sealing")
# subjects that tell what they find whatever else is wrong
_IN_ANY_CASE = (*_OF_EACH_COMMIT, *_BY_NAME_ALONE, "files")
# the rules that know which word was meant
_OF_SPELLING = (
    "argo_cd_knows_every_option",
    "every_kustomization_lists_exactly_what_is_there",
    "every_manifest_fits_the_schema_of_its_kind",
    "every_name_is_valid",
    "every_role_names_what_there_is",
    "every_setting_stands_in_its_section",
    "helm_takes_the_chart",
    "the_account_of_flux_reaches_the_namespace_alone",
    "the_engine_knows_every_field",
    "the_list_of_secrets_follows_from_the_answers",
    "the_values_fit_their_schema",
    "what_values_put_into_the_pod_fits_its_schema",
)


# the rules that say of which type a value must be, and where it belongs
_OF_FORM = (
    "every_chosen_method_has_what_it_needs",
    "every_manifest_fits_the_schema_of_its_kind",
    "every_name_is_valid",
    "every_request_needs_a_key",
    "every_setting_stands_in_its_section",
    "every_setting_takes_effect",
    "every_yaml_file_is_yaml",
    "no_key_is_given_twice",
    "the_chart_makes_no_secret_of_its_own",
    "the_engine_knows_every_field",
    "the_migrations_run_before_the_pods",
    "the_proxy_starts_with_its_configuration",
    "the_values_fit_their_schema",
    "what_values_put_into_the_pod_fits_its_schema",
    "yaml_means_the_same_to_every_reader",
)


# the rules that compare with the list of Secrets, where a key in it stands twice because a line between them is gone
_TWICE = "no_key_is_given_twice"
_OF_THE_LIST = (
    "every_needed_secret_is_there",
    "no_secret_is_orphaned",
    "the_list_of_secrets_follows_from_the_answers",
    "values_name_only_secrets_and_keys_that_exist",
)


def rule(function: Function) -> Function:
    """Register a function as the rule of its name. It is called once for a repository: other rules ask it, too."""
    found = lru_cache(maxsize=8)(lambda repository: (*function(repository),))

    @wraps(function)
    def kept(repository: Repository) -> Iterator[Finding]:
        return iter(found(repository))

    RULES[function.__name__] = Rule(function.__name__, function.__module__.rpartition(".")[2], kept)
    return kept


def rule_of_values(function: Callable[[Values], Iterator[Finding]]) -> Function:
    """Register a function of one cluster's values as the rule of its name: it is for every cluster that has some."""

    def for_each(repository: Repository) -> Iterator[Finding]:
        return (finding for values in repository.values for finding in function(values))

    return rule(update_wrapper(for_each, function))


def load() -> dict[str, Rule]:
    """Every rule that needs nothing but the files, by its name."""
    _import()
    return {name: each for name, each in RULES.items() if each.subject not in _BY_NAME_ALONE}


@cache
def _import() -> None:
    for module in pkgutil.iter_modules(__path__):
        if module.name not in _BY_NAME_ALONE:
            importlib.import_module(f"{__name__}.{module.name}")


def of(*subjects: str) -> list[Rule]:
    """The rules of these subjects, in their order."""
    for subject in subjects:
        importlib.import_module(f"{__name__}.{subject}")
    return [each for subject in subjects for each in RULES.values() if each.subject == subject]


def evaluate(repository: Repository, rules: Iterable[Rule] | None = None) -> list[Finding]:
    """What these rules find, or all: each finding once, in the order of files and lines, without what is set aside.

    Raises UnreadableError where the repository's answers or policies cannot be read.
    """
    rules = [*load().values()] if rules is None else [*rules]
    folders = renamed_folders(repository)
    if folders:  # all else follows from that
        told = [*_renamed(folders)] if any(each.name == _OF_FOLDERS for each in rules) else []
        return [*told, *evaluate(with_folders(repository, folders), rules)]
    kept = _causes(repository, rules)
    kept = [each for each in _beside_the_answers(repository, kept) if _is_first_of_its_line(repository, each)]
    kept = [*_as_whole_files(repository, kept)]
    found = joined(kept, [cluster.name for cluster in repository.clusters], _is_of_each_commit)
    return sorted(found, key=lambda finding: (finding.file, finding.line or 0, finding.what))


def _renamed(folders: Mapping[str, str]) -> Iterator[Finding]:
    for folder, meant in folders.items():
        what = f"is the folder of no cluster, and {meant} is gone"
        yield Finding(folder, None, what, edit(f"git mv {folder} {meant}"), _OF_FOLDERS)


def _kept(repository: Repository, rules: Iterable[Rule]) -> list[Finding]:
    """What these rules find, each finding once, without what the owner sets aside."""
    found = dict.fromkeys(finding for each in rules for finding in run(each, repository))
    return [each for each in found if not any(covers(entry, each) for entry in _active(repository))]


def _causes(repository: Repository, rules: list[Rule]) -> list[Finding]:
    """As `_kept`, without what is wrong only because a word is misspelt of which a rule tells."""
    kept = [*_as_told(repository, rules)]
    apart = {each.name for each in rules if each.subject in (*_OF_EACH_COMMIT, *_BY_NAME_ALONE)}
    unexplained = [each for each in kept if not each.misspelt and each.code not in apart]
    other = _as_meant(repository) if unexplained else None
    if other is None:
        return kept
    names, whats = {each.code for each in unexplained}, {(each.code, each.what) for each in unexplained}
    again = [*_as_told(other, [each for each in rules if each.name in names])]
    # at the line that it has there: what is misspelt here is found there
    remaining = [each for each in again if (each.code, each.what) in whats]
    return [each for each in kept if each not in unexplained] + remaining


def _as_told(repository: Repository, rules: Iterable[Rule]) -> Iterator[Finding]:
    """As `_kept`, without what follows from values that are not in their place, of which the rules of forms tell."""
    for each in _kept(repository, rules):
        told: Finding | None = each
        if not _in_any_case(each):
            told = _misplaced(repository).told(each, by_itself=RULES[each.code].subject == "configuration")
        if told:
            yield told


@lru_cache(maxsize=8)  # the suite asks for each rule
def _misplaced(repository: Repository) -> Misplaced:
    return misplaced(repository, _kept(repository, [load()[name] for name in _OF_FORM]))


@lru_cache(maxsize=8)  # the suite asks for each rule
def _as_meant(repository: Repository) -> Repository | None:
    """The repository with its misspelt words corrected; None where there are none, or where no schema can tell."""
    try:
        return corrected(repository, _as_told(repository, [load()[name] for name in _OF_SPELLING]))
    except UnreadableError:
        return None


def _is_first_of_its_line(repository: Repository, finding: Finding) -> bool:
    """Whether it is the one to tell of a line of values: what two rules miss there is one mistake."""
    if not finding.line or not finding.file.startswith("litellm/values") or _in_any_case(finding):
        return True
    others = [each for each in _everything(repository) if (each.file, each.line) == (finding.file, finding.line)]
    return min((finding, *(each for each in others if not _in_any_case(each))), key=_rank).code == finding.code


def _as_whole_files(repository: Repository, found: list[Finding]) -> Iterator[Finding]:
    """These findings, but one for all of which a file as a whole is the cause."""
    if all(_is_of_each_commit(each) and each.file != ".sops.yaml" for each in found):
        yield from found
        return
    instead = _of_whole_files(repository)
    yield from (told for each in found if (told := instead.get(each, each)))


@lru_cache(maxsize=8)  # the suite asks for each rule
def _of_whole_files(repository: Repository) -> Instead:
    found = [each for each in _everything(repository) if _is_first_of_its_line(repository, each)]
    if any(each.code == _OF_ANSWERS for each in found):
        return {}
    return instead(repository, found, _everything)


def _is_of_each_commit(finding: Finding) -> bool:
    rule = RULES.get(finding.code)
    return rule is None or rule.subject in _OF_EACH_COMMIT


def _in_any_case(finding: Finding) -> bool:
    rule = RULES.get(finding.code)
    return rule is None or rule.subject in _IN_ANY_CASE


def _rank(finding: Finding) -> tuple[bool, bool, str]:
    """What knows the word that was meant comes first, then what knows the form of the value."""
    return not finding.misspelt, not finding.form, finding.code


@lru_cache(maxsize=8)  # the suite asks for each rule
def _everything(repository: Repository) -> tuple[Finding, ...]:
    return (*_causes(repository, [*load().values()]),)


def _beside_the_answers(repository: Repository, found: list[Finding]) -> list[Finding]:
    """These, without what follows from answers that were changed by hand, or from a key that stands twice."""
    if any(each.code == _OF_ANSWERS for each in found):
        found = [each for each in found if _is_told_beside(each)]
    follows = any(each.code in _OF_THE_LIST for each in found)
    if follows and any(each.file == SECRETS for each in load()[_TWICE].function(repository)):
        found = [each for each in found if each.code not in _OF_THE_LIST]
    return found


def _is_told_beside(finding: Finding) -> bool:
    """Whether it says more than that the answers were changed by hand."""
    if finding.file == ANSWERS or finding.code in _FOLLOWING:
        return finding.code not in _FOLLOWING
    return RULES[finding.code].subject in _BY_THEMSELVES


def covers(exemption: Exemption, finding: Finding) -> bool:
    """Whether an exemption is for a finding, whatever the day."""
    return exemption.rule == finding.code and fnmatch.fnmatchcase(finding.file, exemption.file)


def _active(repository: Repository) -> list[Exemption]:
    today = datetime.datetime.now(datetime.UTC).date()
    return [entry for entry in repository.suite.exceptions if entry.until is None or entry.until >= today]


def run(each: Rule, repository: Repository) -> Iterator[Finding]:
    """What one rule finds, also what the owner sets aside. Raises UnreadableError."""
    try:
        for finding in each.function(repository):
            yield replace(finding, code=each.name)
    except UnreadableError:
        raise
    except Exception as error:  # no traceback, which would show values
        what = f"{each.name} failed on a value of an unexpected type ({type(error).__name__})"
        yield Finding(".", None, what, edit("fix the other findings first"), each.name)
