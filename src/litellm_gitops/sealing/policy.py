"""The Secrets that this repository needs, as policies/secrets.yml lists them, and the state each is in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from sealing import creation_rules, credentials, keyless
from sealing.errors import USAGE, SealingError

# what may stand beside the sealed files
_BESIDE = re.compile(r"kustomization\.yaml|ksops\.yaml|\.gitkeep|\.DS_Store|.*\.md")
_BLOCKS = ("metadata", "data", "stringData", "sops")


@dataclass(frozen=True)
class Wanted:
    """One Secret of one environment: its keys with their sources, and why it may not be rotated, if so."""

    environment: str
    name: str
    keys: Mapping[str, Mapping[str, Any]]
    never_rotate: str | None

    def path(self, root: Path) -> Path:
        """The file of the sealed Secret."""
        return root / "secrets" / self.environment / f"{self.name}.sops.yaml"


@dataclass(frozen=True)
class Finding:
    """Something that `--check` and the suite refuse: where, what, and what to do."""

    file: str
    line: int
    what: str
    todo: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}: {self.todo}"


class Repository:
    """A rendered repository, as far as sealing is concerned. Reads files when asked, and changes none."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def _policy(self) -> Mapping[str, Any]:
        content = self._load("policies/secrets.yml")
        if not isinstance(content, dict) or not isinstance(content.get("secrets"), dict):
            raise SealingError("policies/secrets.yml has no mapping `secrets`: take the file from git history")
        for name, entry in content["secrets"].items():
            fields = entry if isinstance(entry, dict) else {}
            if not isinstance(fields.get("environments"), list) or not isinstance(fields.get("keys"), dict):
                raise SealingError(
                    f"policies/secrets.yml: {name} has no list `environments` or no mapping `keys`: "
                    "take the file from git history"
                )
        if not isinstance(content.get("namespace"), str):
            raise SealingError("policies/secrets.yml names no namespace: take the file from git history")
        return content

    @cached_property
    def answers(self) -> Mapping[str, Any]:
        """The answers of the questionnaire."""
        content = self._load(".copier-answers.yml")
        return content if isinstance(content, dict) else {}

    def kms(self, environment: str) -> dict[str, str]:
        """The key of its cloud that an environment was given, by its field in a creation rule; empty without one."""
        key = self.answers.get(f"{environment}_kms_key")
        return {self._matrix["environments"][environment]["kms"]["rule"]: str(key)} if key else {}

    @cached_property
    def _matrix(self) -> Mapping[str, Any]:
        content = self._load("policies/auth-matrix.yml")
        assert isinstance(content, dict)
        return content

    @cached_property
    def known_names(self) -> frozenset[str]:
        """Every Secret that some answer could need; one of these that is not wanted is an orphan."""
        return frozenset(self._matrix["secrets"])

    @property
    def namespace(self) -> str:
        """The namespace of every Secret."""
        return str(self._policy["namespace"])

    @cached_property
    def environments(self) -> list[str]:
        """The environments of this repository, in the order of the answers."""
        return list(dict.fromkeys(name for entry in self._policy["secrets"].values() for name in entry["environments"]))

    def wanted(self, environment: str | None = None, name: str | None = None) -> list[Wanted]:
        """The Secrets that are needed, of one environment or all, of one name or all.

        Raises SealingError with code USAGE for an environment or a name that this repository does not have.
        """
        if environment is not None and environment not in self.environments:
            raise SealingError(
                f"{environment!r} is no environment of this repository: choose from {', '.join(self.environments)}",
                USAGE,
            )
        if name is not None and name not in self._policy["secrets"]:
            raise SealingError(
                f"{name!r} is no Secret of this repository: choose from {', '.join(self._policy['secrets'])}",
                USAGE,
            )
        return [
            Wanted(each, secret, entry["keys"], entry.get("never_rotate"))
            for each in self.environments
            for secret, entry in self._policy["secrets"].items()
            if each in entry["environments"] and environment in (None, each) and name in (None, secret)
        ]

    def sealed_files(self, environment: str) -> list[Path]:
        """Every sealed Secret of an environment that is in use: those that are wanted, and the operator's own."""
        wanted = {secret.path(self.root) for secret in self.wanted(environment)}
        found = sorted((self.root / "secrets" / environment).glob("*.sops.y*ml"))
        return [path for path in found if path in wanted or name_of(path) not in self.known_names]

    def encrypted_files(self, environment: str) -> list[Path]:
        """Every file that the rule of an environment is for, in use or not."""
        return sorted((self.root / "secrets" / environment).rglob("*.sops.y*ml"))

    def rule_problems(self, config: Mapping[str, Any], environment: str) -> list[str]:
        """What is wrong with the creation rule of an environment, for the files that are there or will be."""
        wanted = [secret.path(self.root) for secret in self.wanted(environment)]
        files = sorted({*wanted, *self.encrypted_files(environment)})
        names = [path.relative_to(self.root).as_posix() for path in files]
        return creation_rules.problems(config, environment, names)

    def orphans(self) -> list[str]:
        """What an earlier answer needed and no present one does, as paths; only the operator deletes it."""
        used = {path for environment in self.environments for path in self.sealed_files(environment)}
        found = [path for path in self.root.glob("secrets/*/*.sops.y*ml") if path not in used]
        for pattern, prefix in (("keys/*.agekey", ""), ("litellm/checksums-*.yaml", "checksums-")):
            found += [
                path for path in self.root.glob(pattern) if path.stem.removeprefix(prefix) not in self.environments
            ]
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def checksums(self, environment: str, digests: Mapping[str, str]) -> str:
        """The text of litellm/checksums-<environment>.yaml for these digests by Secret name."""
        lines = [f"    checksum/{name}: {digest}" for name, digest in sorted(digests.items())]
        redis = []
        if self.answers.get("redis") == "bundled" and "litellm-redis" in digests:
            # Redis takes its password when it starts, as the proxy does
            annotation = f"checksum/litellm-redis: {digests['litellm-redis']}"
            redis = ["  redis:", "    master:", "      podAnnotations:", f"        {annotation}"]
        head = (
            "# The digest of each sealed Secret, so that a changed Secret restarts the pods. "
            "Made by hooks/seal_secrets.py.\n"
        )
        return (
            head + "\n".join(["litellm-helm:", "  podAnnotations:" + ("" if lines else " {}"), *lines, *redis]) + "\n"
        )

    def check(self, only: str | None = None) -> Iterator[Finding]:
        """Everything that is not sealed as it should be, proved without a key; of one environment or of all."""
        config = creation_rules.load(self.root)
        for environment in [only] if only else self.environments:
            rule = creation_rules.find(config, f"secrets/{environment}/any.sops.yaml") or {}
            todo = (
                "correct the rule, then run python hooks/seal_secrets.py --rekey"
                if rule
                else "take it from git history, or run python hooks/seal_secrets.py"
            )
            for problem in self.rule_problems(config, environment):
                yield Finding(creation_rules.CONFIG, 1, problem, todo)
            for field, key in self.kms(environment).items():
                if rule and key not in creation_rules.split(rule.get(field)):
                    yield Finding(
                        creation_rules.CONFIG,
                        1,
                        f"the rule of secrets/{environment}/ lacks the answered {environment}_kms_key",
                        f"add `{field}: {key}` to it, then run python hooks/seal_secrets.py --rekey",
                    )
            for secret in self.wanted(environment):
                path = secret.path(self.root)
                if not path.is_file():
                    relative = path.relative_to(self.root).as_posix()
                    yield Finding(relative, 1, "is missing", "run python hooks/seal_secrets.py")
                else:
                    yield from self._check_identity(secret, path)
        top = self.root / "secrets"
        folder = top / only if only else top
        linked = [path for path in (top, folder) if path.is_symlink()]
        for path in linked[:1] or sorted(folder.rglob("*")):
            if path.is_symlink() or (not path.is_dir() and not _BESIDE.fullmatch(path.name)):
                yield from self._check_file(path, config)
            elif not path.is_dir():
                yield from self._check_beside(path)

    def in_plaintext(self, secrets: Iterable[Wanted]) -> Iterator[Finding]:
        """Those of these Secrets that are there, and not encrypted."""
        for secret in secrets:
            path = secret.path(self.root)
            text = path.read_text("utf-8", errors="replace") if path.is_file() else None
            for flaw in keyless.check(text, keyless.Rule()) if text is not None else ():
                if "not encrypted" in flaw.what:
                    todo = f"seal it again: python hooks/seal_secrets.py --rotate {secret.name}"
                    yield Finding(path.relative_to(self.root).as_posix(), flaw.line, flaw.what, todo)

    def _check_file(self, path: Path, config: Mapping[str, Any]) -> Iterator[Finding]:
        relative = path.relative_to(self.root).as_posix()
        if path.is_symlink():
            yield Finding(
                relative,
                1,
                "is a symbolic link, which the GitOps engine does not follow",
                "replace it by a real file",
            )
            return
        entry = creation_rules.find(config, relative)
        if entry is None:
            yield Finding(
                relative,
                1,
                f"no creation rule of {creation_rules.CONFIG} matches it",
                "name it secrets/<environment>/<name>.sops.yaml",
            )
            return
        again = f"python hooks/seal_secrets.py --rotate {name_of(path)}"
        for flaw in keyless.check(path.read_text("utf-8", errors="replace"), creation_rules.as_rule(entry)):
            yield Finding(
                relative,
                flaw.line,
                flaw.what,
                "run python hooks/seal_secrets.py --rekey" if flaw.mended_by_rekey else f"seal it again: {again}",
            )

    def _check_beside(self, path: Path) -> Iterator[Finding]:
        """A file that is no Secret by its name holds none."""
        text = credentials.decode(path.read_bytes())
        relative = path.relative_to(self.root).as_posix()
        found = [(flaw.line, flaw.what) for flaw in keyless.unsealed(text)]
        for line, what in found + [(line, f"holds {kind}") for line, kind in credentials.find(text)]:
            yield Finding(
                relative,
                line,
                what,
                "take it out, and seal it as secrets/<environment>/<name>.sops.yaml",
            )

    def _check_identity(self, secret: Wanted, path: Path) -> Iterator[Finding]:
        relative = path.relative_to(self.root).as_posix()
        manifest = read_manifest(path)
        metadata = manifest.get("metadata") or {}
        if (metadata.get("name"), metadata.get("namespace")) != (secret.name, self.namespace):
            yield Finding(
                relative,
                1,
                f"is not the Secret {self.namespace}/{secret.name}",
                f"python hooks/seal_secrets.py --rotate {secret.name}",
            )
        keys = {*(manifest.get("data") or {}), *(manifest.get("stringData") or {})}
        if keys != set(secret.keys):
            expected = ", ".join(sorted(secret.keys))
            yield Finding(
                relative,
                1,
                f"does not have exactly the keys {expected}",
                f"python hooks/seal_secrets.py --rotate {secret.name}",
            )

    def placeholders(
        self, environment: str | None = None, name: str | None = None
    ) -> Iterator[tuple[Wanted, list[str]]]:
        """Each Secret that is a placeholder, with its keys that still lack their input."""
        for secret in self.wanted(environment, name):
            path = secret.path(self.root)
            if path.is_file() and (missing := missing_keys(read_manifest(path))) is not None:
                yield secret, [key for key in missing if key in secret.keys] or list(secret.keys)

    def _load(self, name: str) -> Any:
        try:
            return yaml.load((self.root / name).read_text("utf-8"), keyless.LOADER)
        except FileNotFoundError:
            raise SealingError(f"{name} is missing: run this in a repository that the template rendered") from None
        except (yaml.YAMLError, ValueError, RecursionError):
            raise SealingError(f"{name} is not valid YAML: resolve its conflict, or take it from git history") from None


def digest(path: Path) -> str:
    """The digest of a sealed file that stands in the checksums file: SHA-256, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def name_of(path: Path) -> str:
    """The name of the Secret that a sealed file is for."""
    return re.sub(r"\.sops\.ya?ml\Z", "", path.name)


def read_manifest(path: Path) -> dict[str, Any]:
    """A sealed manifest as it stands in its file, empty when it is no mapping, without a block that is none."""
    try:
        content = yaml.load(path.read_text("utf-8"), keyless.LOADER)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: value for key, value in content.items() if key not in _BLOCKS or isinstance(value, dict)}


def missing_keys(manifest: Mapping[str, Any]) -> list[str] | None:
    """The keys of a placeholder that still lack their input; None when the manifest is no placeholder."""
    annotations = (manifest.get("metadata") or {}).get("annotations")
    if not isinstance(annotations, dict):
        return None
    if str(annotations.get(keyless.PLACEHOLDER_ANNOTATION)) != "true":
        return None
    return [key for key in str(annotations.get(keyless.MISSING_ANNOTATION, "")).split(",") if key]
