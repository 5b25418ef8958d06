"""Faults and edits of what the owner declares, and of the package that is vendored."""

from __future__ import annotations

import datetime
from typing import Any

from litellm_gitops import vendored
from tests.support.answers import everything
from tests.support.faults import (
    ANSWERS,
    CHART,
    SUITE,
    Edit,
    Fault,
    add,
    append,
    append_item,
    delete,
    set_value,
    together,
    write,
)
from tests.support.findings import Copy, accepted, codes, findings, found_by_its_rule_alone, report

VENDORED = everything(tooling="vendored")
TODAY = datetime.datetime.now(datetime.UTC).date()
WIDGET = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: own\n  namespace: litellm\n"


def declared(field: str, value: Any) -> Edit:
    """One entry in policies/suite.yml."""
    return set_value(SUITE, (field,), [value])


def exception(rule: str, until: datetime.date | None = None, file: str = "*") -> Edit:
    """A rule that is set aside."""
    last = {"until": until} if until else {}
    return declared("exceptions", {"rule": rule, "file": file, "reason": "ours", **last})


FAULTS: dict[str, Fault] = {
    "a Secret that nothing names": (
        "every_declaration_is_needed",
        declared("secrets", {"name": "own", "made_by": "terraform"}),
    ),
    "a Secret in a cluster that there is not": (
        "every_declaration_is_needed",
        together(
            declared("secrets", {"name": "own", "made_by": "terraform", "clusters": ["aws", "onprem"]}),
            add(CHART.pull_secrets, [{"name": "own"}]),
        ),
    ),
    "a kind that there is not": ("every_declaration_is_needed", declared("kinds", "example.com/v1 Widget")),
    "a kind without its API": ("every_declaration_is_needed", declared("kinds", "Widget")),
    "a file that is not there": ("every_declaration_is_needed", declared("beside", "aws/*.txt")),
    "a rule that there is not": ("every_exception_is_in_force", exception("every_pod_is_happy")),
    "a rule that finds nothing": ("every_exception_is_in_force", exception("no_yaml_holds_a_tab")),
    "a package that somebody edited": (
        "the_vendored_package_is_unedited",
        append(f"{vendored.FOLDER}/guard.py", "# ours\n"),
        VENDORED,
    ),
    "a package with a file more": (
        "the_vendored_package_is_unedited",
        write(f"{vendored.FOLDER}/rules/own.py", "\n"),
        VENDORED,
    ),
    "a package without its digest": ("the_vendored_package_is_unedited", delete(vendored.DIGEST), VENDORED),
    "a module that would be taken for the standard library's": (
        "the_vendored_package_is_unedited",
        write("vendor/resource.py", "\n"),
    ),
    "a package that is not there": ("the_vendored_package_is_unedited", delete(vendored.FOLDER), VENDORED),
    "a package beside the one that is installed": (
        "the_vendored_package_is_unedited",
        set_value(ANSWERS, ("tooling",), "pinned"),
        VENDORED,
    ),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit | tuple[Edit, dict[str, Any]]] = {
    "a tab that is to stay": together(
        append("litellm/values-aws.yaml", "# one\ttwo\n"),
        exception("no_yaml_holds_a_tab", TODAY, "litellm/*"),
    ),
    "a kind of their own": together(
        write("clusters/aws/own.yaml", WIDGET),
        append_item("clusters/aws/kustomization.yaml", ("resources",), "own.yaml"),
        append_item("clusters/aws/account.yaml", ("rules", 1, "apiGroups"), "example.com", document=1),
        declared("kinds", "example.com/v1 Widget"),
    ),
    "no declarations": delete(SUITE),
    "empty declarations": write(SUITE, "# nothing\n"),
    "what Python leaves in the package": (write(f"{vendored.FOLDER}/__pycache__/guard.pyc", "x"), VENDORED),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)


def test_an_exception_whose_day_is_over_sets_nothing_aside(repository: Copy) -> None:
    root = repository(everything())
    append("litellm/values-aws.yaml", "# one\ttwo\n")(root)
    exception("no_yaml_holds_a_tab", TODAY - datetime.timedelta(days=1))(root)
    found = findings(root)
    assert codes(found) == ["every_exception_is_in_force", "no_yaml_holds_a_tab"], report(found)


def test_declarations_that_cannot_be_read_end_the_suite_with_one_line(repository: Copy) -> None:
    root = repository(everything())
    for fault in (declared("kinds", 1), write(SUITE, "a: [\n"), write(SUITE, "kind: []\n")):
        fault(root)
        (finding,) = findings(root)
        assert finding.file == SUITE
        write(SUITE, "")(root)


def test_an_exception_is_for_the_files_that_it_names(repository: Copy) -> None:
    root = repository(everything())
    append("litellm/values-aws.yaml", "# one\ttwo\n")(root)
    append("litellm/values-gcp.yaml", "# one\ttwo\n")(root)
    exception("no_yaml_holds_a_tab", file="litellm/values-aws.yaml")(root)
    assert [finding.file for finding in findings(root)] == ["litellm/values-gcp.yaml"]
