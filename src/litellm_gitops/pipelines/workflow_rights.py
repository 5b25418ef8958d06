"""What the token that GitHub gives a workflow has to allow, for what a step does with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import dig, mapping, sequence, text
from litellm_gitops.spelling import closest

_LEVELS = {"read", "write", "none"}
# what asks GitHub who a workflow is: (its action, the input that has it ask, inputs with which it need not)
_OF_AWS = {"aws-access-key-id", "web-identity-token-file", "role-chaining"}
_IDENTITIES = (
    ("aws-actions/configure-aws-credentials", "role-to-assume", _OF_AWS),
    ("google-github-actions/auth", "workload_identity_provider", {"credentials_json"}),
    ("azure/login", "client-id", {"creds", "auth-type"}),
)
_DONE = (  # by gh, with the token that GitHub gives: (what, rights of which one is needed)
    (r"gh issue (?:create|close|edit|reopen)", ("issues",)),
    (r"gh (?:pr|issue) comment", ("pull-requests", "issues")),
    (r"gh pr (?:create|edit|close|review)", ("pull-requests",)),
    (r"gh release (?:create|upload|delete|edit)", ("contents",)),
)


def lacking(rights: Any, step: dict[Any, Any], *above: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    """(right, what needs it) of a step."""
    given, action = mapping(step.get("with")), text(step.get("uses")).partition("@")[0]
    hosted = re.match(r"(?:ubuntu|windows|macos)-", text(above[0].get("runs-on")))
    for known, asks, others in _IDENTITIES:
        has_keys = any("AWS_ACCESS_KEY_ID" in mapping(each.get("env")) for each in (step, *above))
        is_asked = action == known and asks in given and not others & {*given} and not has_keys and hosted
        if is_asked and (rights is None or not is_granted(rights, "id-token", "write")):
            yield "id-token", known
    if isinstance(rights, dict) and hosted and _pushes(step, above[0]) and not is_granted(rights, "contents", "write"):
        yield "contents", "git push"
    tokens = {str(dig(each, "env", name)) for each in (step, *above) for name in ("GH_TOKEN", "GITHUB_TOKEN")} - {
        "None"
    }
    is_githubs = bool(tokens) and all(re.search(r"github\.token|secrets\.GITHUB_TOKEN", each) for each in tokens)
    for pattern, needed in _DONE if is_githubs and isinstance(rights, dict) else ():
        is_done = re.search(rf"\b{pattern}\b", text(step.get("run")))
        if is_done and not any(is_granted(rights, right, "write") for right in needed):
            yield needed[0], is_done[0]


_PUSH = re.compile(r"\bgit push\b(?![^\n;&|]*(?:://|@|\$|--dry-run))")


def _pushes(step: dict[Any, Any], job: dict[Any, Any]) -> bool:
    """Whether a step pushes with the token that GitHub gives, which a checkout of this repository leaves."""
    steps = [*map(mapping, sequence(job.get("steps")))]
    checkouts = [mapping(each.get("with")) for each in steps if "actions/checkout@" in text(each.get("uses"))]
    is_own = len(checkouts) == 1 and not {"token", "ssh-key", "repository"} & {*checkouts[0]}
    others = re.search(
        r"git (?:remote|clone)\b|git config[^\n]*(?:credential|http)|\bcd\b|insteadOf|app-token|ssh", f"{steps}"
    )
    return is_own and not others and bool(_PUSH.search(text(step.get("run"))))


def is_granted(rights: Any, right: str, least: str) -> bool:
    """Whether permissions give a right; so they do where they are misspelt, of which another look tells."""
    if isinstance(rights, dict):
        misspelt = any(closest(str(key), {right}) for key in rights) or {*map(str, rights.values())} - _LEVELS
        return bool(misspelt) or rights.get(right) in (least, "write")
    return rights != "read-all" or least == "read"
