#!/usr/bin/env python3
"""Refuse a commit that would put a plaintext credential or an unsealed Secret into git.

What is judged is what is staged, not the working tree. Run by pre-commit, or as .git/hooks/pre-commit itself.
"""

from __future__ import annotations

import fnmatch
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from sealing import creation_rules, credentials, keyless
from sealing.errors import SealingError

_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# inputs of sealing and private keys, which .gitignore names too; `git add --force` gets past that
_NEVER = ("*.agekey", "deployment_outputs.env", "gcp-service-account.json*", "access-token*")
_SEALED = re.compile(r"secrets/[^/]+/[^/]+\.sops\.ya?ml")
_REGULAR = ("100644", "100755", "120000")  # not a submodule

Finding = tuple[str, int, str]  # path, line from 1, what


def main() -> int:
    """Judge what is staged: 0 when it may be committed, 1 when not or when git cannot be asked."""
    try:
        blobs, config = staged()
        findings = [finding for path, blob in sorted(blobs.items()) for finding in judge(path, blob, config)]
    except (OSError, subprocess.CalledProcessError, SealingError) as error:
        print(f"guard_staged: {_reason(error)}: nothing is committed", file=sys.stderr)
        return 1
    for path, line, what in findings:
        print(f"{path}:{line}: {what}", file=sys.stderr)
    if findings:
        print(
            "Nothing is committed. Take it out (git restore --staged FILE) or seal it (python hooks/seal_secrets.py); "
            "a credential that was in a commit is to be replaced.",
            file=sys.stderr,
        )
    return 1 if findings else 0


def staged() -> tuple[dict[str, bytes], dict[str, Any]]:
    """(what the next commit changes, by path; `.sops.yaml` as it stands after it)."""
    listed = _git("diff", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev", "--diff-filter=ACMT")
    fields = listed.decode("utf-8", "surrogateescape").split("\0")
    names: dict[str, str] = {}
    for entry, path in zip(fields[::2], fields[1::2], strict=False):
        _, mode, _, blob, _ = entry.removeprefix(":").split(" ")
        if mode in _REGULAR:
            names[path] = blob
    wanted = [*names.values(), f":{creation_rules.CONFIG}"]
    answer = _git("cat-file", "--batch", given="\n".join(wanted).encode() + b"\n")
    contents = []
    for _ in wanted:
        head, _, answer = answer.partition(b"\n")
        size = -1 if head.endswith(b" missing") else int(head.rsplit(b" ", 1)[1])
        contents.append(answer[: max(size, 0)])
        answer = answer[size + 1 :]
    return dict(zip(names, contents, strict=False)), _config(contents[-1])


def judge(path: str, blob: bytes, config: Mapping[str, Any]) -> Iterator[Finding]:
    """What must not be committed of one file."""
    name = path.rpartition("/")[2]
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in _NEVER):
        yield path, 1, "is a private key or an input of sealing, which never enters git"
        return
    text = credentials.decode(blob)
    for line, kind in credentials.find(text):
        yield path, line, f"holds {kind}"
    if _SEALED.fullmatch(path):
        rule = creation_rules.find(config, path)
        if rule is None:
            yield path, 1, f"no creation rule of {creation_rules.CONFIG} matches it"
            return
        for flaw in keyless.check(text, creation_rules.as_rule(rule)):
            yield path, flaw.line, flaw.what
    else:
        for flaw in keyless.unsealed(text):
            yield path, flaw.line, flaw.what


def _config(blob: bytes) -> dict[str, Any]:
    """The content of `.sops.yaml`, empty where there is none."""
    try:
        content = yaml.load(blob, _LOADER)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise SealingError(f"{creation_rules.CONFIG} is staged, but is not valid YAML") from None
    rules = content.get("creation_rules", []) if isinstance(content, dict) else content or []
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise SealingError(f"{creation_rules.CONFIG} is staged, but has no list `creation_rules`: correct it")
    return content if isinstance(content, dict) else {}


def _git(*arguments: str, given: bytes = b"") -> bytes:
    # with the environment of the commit: git may have set GIT_INDEX_FILE
    return subprocess.run(["git", *arguments], input=given, capture_output=True, check=True).stdout


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        told = error.stderr.decode("utf-8", "replace").strip()
        return f"git {error.cmd[1]} failed: {told.partition(chr(10))[0]}"  # its usage follows
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
