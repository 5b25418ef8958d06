#!/usr/bin/env python3
"""Seal the Secrets of this repository: values go from their inputs straight into sops, plaintext never on disk."""

from __future__ import annotations

import argparse
import os
import resource
import secrets
import signal
import string
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sealing import creation_rules, files, keyless, keys, sops
from sealing.errors import DONE, FAILED, INTERRUPTED, PLACEHOLDER, UNSEALED, USAGE, SealingError
from sealing.inputs import ENV_FILE, Inputs, Value, describe
from sealing.policy import Repository, Wanted, digest, missing_keys, name_of, read_manifest

_ROOT = Path(__file__).resolve().parent.parent
_PLACEHOLDER_VALUE = "placeholder"

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_DESCRIPTION = """\
Seal every Secret that is missing; what exists stays as it is, to the byte.

Values come from the environment, from deployment_outputs.env, gcp-service-account.json and access-token in the root of
the repository or in the folder that LITELLM_GITOPS_INPUTS names. NAME__AWS, NAME__GCP or NAME__AZURE is an input of
that environment alone and wins over NAME. policies/secrets.yml lists what is needed."""

_EPILOG = """\
exit codes: 0 done, 1 failed and nothing changed, 2 usage, 3 a placeholder remains, 4 sops missing or too old,
5 a file is not sealed"""


@dataclass(frozen=True)
class Plan:
    """A Secret to be sealed: its values, and the keys whose input is missing."""

    secret: Wanted
    values: Mapping[str, Value]
    missing: Sequence[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the result is an exit code of sealing.errors."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the values
    os.umask(0o022)
    options = _options(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # not under nohup
            signal.signal(number, _interrupt)
    repository = Repository(_ROOT)
    try:
        return _run(repository, options)
    except SealingError as error:
        _note(f"seal_secrets: {error}")
        return error.code
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        _note(f"seal_secrets: {name}{error.strerror}. {_left(repository)}")
        return FAILED
    except KeyboardInterrupt:
        _note(f"seal_secrets: interrupted. {_left(repository)}")
        return INTERRUPTED
    except Exception as error:
        # its text could hold a value
        _note(f"seal_secrets: unexpected {type(error).__name__}. {_left(repository)}")
        return FAILED


def _run(repository: Repository, options: argparse.Namespace) -> int:
    if options.check:
        return check(repository, options.cluster)
    if options.list:
        return show(repository, options.cluster)
    if options.rekey:
        return rekey(repository, options.cluster)
    if options.rotate is not None:
        given = {options.stdin: _standard_input()} if options.stdin is not None else None
        return rotate(repository, options.rotate, options.key, options.cluster, given)
    return seal(repository, options.cluster)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SealingError("standard input is not UTF-8 text. Nothing was sealed.") from None


def _left(repository: Repository) -> str:
    """How a run that ends early leaves the repository, in a sentence."""
    if files.unfinished(repository.root):
        return "Some of its files are in place: python hooks/seal_secrets.py finishes it."
    if files.Transaction.committed:
        return "All of its files are in place."
    if files.Transaction.resumed:
        return "What a run that died had begun is in place; nothing else was changed."
    return "Nothing was changed."


def _say(text: str) -> bool:
    """A line of output; False when a disk lost it. What is done is done all the same, and the exit code tells."""
    try:
        print(text, flush=True)
    except OSError as error:
        lost = not isinstance(error, BrokenPipeError)  # else the reader has seen enough
        if lost:
            _note(f"seal_secrets: the output is lost: {error.strerror}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return not lost
    return True


def _note(text: object) -> None:
    """A line on stderr, as lost as one of `_say` where it cannot go."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def seal(repository: Repository, environment: str | None) -> int:
    """Seal what is missing, with a placeholder where an input is missing."""
    wanted = repository.wanted(environment)
    with files.lock(repository.root), files.Transaction(repository.root) as transaction:
        _report_unfinished(transaction)
        absent = [secret for secret in wanted if not secret.path(repository.root).exists()]
        config = creation_rules.load(repository.root)
        unruled = {
            secret.environment
            for secret in wanted
            if creation_rules.find(config, f"secrets/{secret.environment}/any.sops.yaml") is None
        }
        if absent:
            sops.program()
            inputs = Inputs.read(repository.root)
            plans = [_plan(secret, inputs) for secret in absent]
        if absent or unruled:
            _add_rules(repository, transaction, unruled | {each.environment for each in absent})
        if absent:
            _seal_all(repository, transaction, plans)
        _add_checksums(repository, transaction, {environment} if environment else None)
        changed = transaction.changed
    _report_written(changed)
    if absent:
        _report_sources(plans)
    if not changed and not transaction.finished:
        _say("every Secret is there; nothing was changed")
    _name_orphans(repository)
    code = _report_placeholders(repository, environment)
    plain = list(repository.in_plaintext(wanted))
    for finding in plain:
        _note(finding)
    return UNSEALED if plain else code


def rotate(
    repository: Repository,
    name: str,
    key: str | None,
    environment: str | None,
    given: Mapping[str, str] | None,
) -> int:
    """Seal one Secret again, or one key of it: generated values are made anew, the others come from their inputs."""
    wanted = repository.wanted(environment, name)
    if not wanted:
        raise SealingError(f"{name} is not a Secret of {environment}", USAGE)
    if key is not None and key not in wanted[0].keys:
        raise SealingError(f"{name} has no key {key!r}: choose from {', '.join(wanted[0].keys)}", USAGE)
    known = {
        each
        for secret in wanted
        for source in secret.keys.values()
        for each in [*source.get("inputs", ()), source.get("file")]
        if each
    }
    if given is not None and not known.issuperset(given):
        raise SealingError(
            f"{next(iter(given))!r} is no input of {name}: "
            + (f"choose from {', '.join(sorted(known))}" if known else "its value is generated"),
            USAGE,
        )
    if wanted[0].never_rotate:
        raise SealingError(f"{name} is not rotated by a tool: {wanted[0].never_rotate}. Nothing was changed.")
    sops.program()
    with files.lock(repository.root), files.Transaction(repository.root) as transaction:
        _report_unfinished(transaction)
        inputs = Inputs.read(repository.root, given)
        plans = [_rotation(repository, secret, key, inputs) for secret in wanted]
        _add_rules(repository, transaction, {secret.environment for secret in wanted})
        _seal_all(repository, transaction, plans)
        _add_checksums(repository, transaction, {secret.environment for secret in wanted})
        changed = transaction.changed
    _report_written(changed)
    _report_sources(plans)
    _report_defaults(plans, key)
    return _report_placeholders(repository, environment, name)


def rekey(repository: Repository, environment: str | None) -> int:
    """Encrypt every Secret again under a new data key, for the recipients that its rule names now. All, or none."""
    environments = [environment] if environment else repository.environments
    repository.wanted(environment)
    sops.program()
    with files.lock(repository.root), files.Transaction(repository.root) as transaction:
        _report_unfinished(transaction)
        config = creation_rules.load(repository.root)
        _refuse_unsound(repository, config, environments)
        paths = [(each, path) for each in environments for path in repository.encrypted_files(each)]

        def renew(found: tuple[str, Path]) -> tuple[Path, str]:
            environment, path = found
            _refuse_flaws(repository, path)
            identity = keys.path(repository.root, environment)
            manifest = sops.decrypt(path, repository.root, identity if identity.is_file() else None)
            return path, _encrypt(repository, transaction, manifest, path)

        renewed = _at_once(renew, paths)
        for path, text in renewed:
            transaction.put(path, text)
        _add_checksums(repository, transaction, set(environments))
        changed = transaction.changed
    _report_written(changed)
    return DONE


def check(repository: Repository, environment: str | None) -> int:
    """Prove without a key that everything is sealed, of one environment or of all."""
    repository.wanted(environment)
    with files.lock(repository.root, shared=True):  # a run that goes on is waited for
        findings = list(repository.check(environment))
        unfinished = files.unfinished(repository.root)
    if unfinished:
        _note("seal_secrets: a run died while it put its files in place: python hooks/seal_secrets.py finishes it")
        return UNSEALED
    for finding in findings:
        _note(finding)
    if findings:
        return UNSEALED
    placeholders = _report_placeholders(repository, environment)
    if placeholders == DONE:
        _say(f"every Secret{f' of {environment}' if environment else ''} is sealed")
    return placeholders


def show(repository: Repository, environment: str | None) -> int:
    """Print a table of the Secrets and their state."""
    config = creation_rules.load(repository.root)
    rows = [("ENVIRONMENT", "SECRET", "KEYS", "STATE", "LAST CHANGE")]
    for secret in repository.wanted(environment):
        path = secret.path(repository.root)
        manifest = read_manifest(path) if path.is_file() else {}
        changed = str((manifest.get("sops") or {}).get("lastmodified", "-"))
        rows.append(
            (
                secret.environment,
                secret.name,
                ",".join(sorted(secret.keys)),
                state(repository, config, secret, manifest),
                changed,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    told = [
        _say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()) for row in rows
    ]
    if any(row[3] == "stale" for row in rows):
        _note("what is stale: python hooks/seal_secrets.py --check tells")
    return DONE if all(told) else FAILED


def state(repository: Repository, config: Mapping[str, Any], secret: Wanted, manifest: Mapping[str, Any]) -> str:
    """The state of a Secret in one word: sealed, placeholder, missing, or stale, which is not as it should be."""
    path = secret.path(repository.root)
    if not path.is_file():
        return "missing"
    entry = creation_rules.find(config, path.relative_to(repository.root).as_posix())
    flaws = keyless.check(path.read_text("utf-8", errors="replace"), creation_rules.as_rule(entry or {}))
    if any("not encrypted" in flaw.what for flaw in flaws):
        return "stale"
    if missing_keys(manifest) is not None:
        return "placeholder"
    present = {*(manifest.get("data") or {}), *(manifest.get("stringData") or {})}
    return "stale" if flaws or present != set(secret.keys) else "sealed"


def _plan(secret: Wanted, inputs: Inputs) -> Plan:
    values: dict[str, Value] = {}
    missing = []
    for key, source in secret.keys.items():
        value = (
            _generate(source["generate"]) if "generate" in source else inputs.lookup(key, source, secret.environment)
        )
        if value is None:
            missing.append(key)
        values[key] = value or Value(_PLACEHOLDER_VALUE)
    return Plan(secret, values, missing)


def _rotation(repository: Repository, secret: Wanted, key: str | None, inputs: Inputs) -> Plan:
    chosen = Wanted(secret.environment, secret.name, {key: secret.keys[key]}, None) if key else secret
    plan = _plan(chosen, inputs)
    if plan.missing:
        needed = "; ".join(f"{each} from {describe(secret.keys[each])}" for each in plan.missing)
        raise SealingError(f"{secret.name} for {secret.environment} lacks its input: {needed}. Nothing was changed.")
    path = secret.path(repository.root)
    if set(chosen.keys) == set(secret.keys) or not path.is_file():
        if set(chosen.keys) != set(secret.keys):
            raise SealingError(
                f"{secret.name} for {secret.environment} is not sealed yet: run without --key. Nothing was changed."
            )
        return plan
    identity = keys.path(repository.root, secret.environment)
    manifest = sops.decrypt(path, repository.root, identity if identity.is_file() else None)
    kept = {each: Value(text) for each, text in (manifest.get("stringData") or {}).items()}
    if manifest.get("data") or {*kept, *chosen.keys} != {*secret.keys}:
        raise SealingError(
            f"{secret.name} for {secret.environment} does not have exactly its keys under stringData: run without "
            "--key. Nothing was changed."
        )
    lacking = missing_keys(manifest)
    # a placeholder that does not list what it lacks may lack all of it
    missing = [each for each in secret.keys if each in (lacking or secret.keys) and each != key]
    return Plan(secret, {**kept, **plan.values}, [] if lacking is None else missing)


def _generate(kind: str) -> Value:
    if kind == "master_key":
        return Value(f"sk-{secrets.token_hex(16)}")
    if kind == "salt_key":
        return Value(f"sk-{secrets.token_hex(32)}")
    alphabet = string.ascii_letters + string.digits
    return Value("".join(secrets.choice(alphabet) for _ in range(32)))


def _add_rules(repository: Repository, transaction: files.Transaction, environments: set[str]) -> None:
    config_path = repository.root / creation_rules.CONFIG
    config = creation_rules.load(repository.root)
    text = config_path.read_bytes().decode() if config_path.exists() else None  # its line ends, too
    for environment in repository.environments:
        if environment not in environments:
            continue
        if creation_rules.find(config, f"secrets/{environment}/any.sops.yaml") is None:
            recipients = list(repository.answers.get("age_recipients") or [])
            for recipient in recipients:
                if not keys.is_public(recipient):
                    raise SealingError(
                        f"{recipient!r}, which age_recipients in .copier-answers.yml names, is not an age public key: "
                        "one letter may be wrong. Answer it again (README.md, Change and validate). Nothing was sealed."
                    )
            recipients = recipients or [_key(repository, transaction, environment)]
            text = creation_rules.add(text, environment, recipients, repository.kms(environment))
            transaction.put(config_path, text)
        else:
            _refuse_unsound(repository, config, [environment])


def _refuse_unsound(repository: Repository, config: Mapping[str, Any], environments: Sequence[str]) -> None:
    for environment in environments:
        if problems := repository.rule_problems(config, environment):
            raise SealingError(f"{creation_rules.CONFIG}: {problems[0]}: correct the rule. Nothing was sealed.")


def _refuse_flaws(repository: Repository, path: Path) -> None:
    """Refuse to seal again what would not come out whole: sops hands back one document, and no comment."""
    text = path.read_text("utf-8", errors="replace")
    for flaw in keyless.check(text, keyless.Rule()):
        if not flaw.mended_by_rekey:
            raise SealingError(
                f"{path.relative_to(repository.root)}:{flaw.line}: {flaw.what}. Nothing was changed.",
                UNSEALED if any(keyless.unsealed(text)) else FAILED,
            )


def _key(repository: Repository, transaction: files.Transaction, environment: str) -> str:
    path = keys.path(repository.root, environment)
    files.refuse_link(path, repository.root)
    if path.is_file():
        return keys.public_key(path)
    if any(not sealed.is_symlink() for sealed in repository.sealed_files(environment)):
        # they are for a key that a cluster has: a new one would lock it out
        raise SealingError(
            f"{creation_rules.CONFIG} has no rule for secrets/{environment}/, and keys/{path.name} is not here: "
            f"take {creation_rules.CONFIG} from git history. Nothing was sealed."
        )
    text, public = keys.make()
    transaction.put(path, text, mode=0o600)
    return public


def _seal_all(repository: Repository, transaction: files.Transaction, plans: Sequence[Plan]) -> None:
    def encrypt(plan: Plan) -> str:
        return _encrypt(repository, transaction, _manifest(repository, plan), plan.secret.path(repository.root))

    texts = _at_once(encrypt, plans)
    for plan, text in zip(plans, texts, strict=True):
        transaction.put(plan.secret.path(repository.root), text)


def _at_once(function: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    """The results in order. After an error, or Ctrl-C, what has not begun does not begin."""
    pool = ThreadPoolExecutor()
    try:
        futures = [pool.submit(function, item) for item in items]
        waiting = set(futures)
        while waiting:
            # not for ever: a signal that comes just before a wait begins would be noticed only after it
            done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        return [future.result() for future in futures]
    except KeyboardInterrupt:
        sops.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _manifest(repository: Repository, plan: Plan) -> dict[str, Any]:
    path = plan.secret.path(repository.root)
    before = read_manifest(path).get("metadata") if path.is_file() else None
    annotations = dict((before or {}).get("annotations") or {})
    for name in (keyless.PLACEHOLDER_ANNOTATION, keyless.MISSING_ANNOTATION):
        annotations.pop(name, None)
    if plan.missing:
        annotations[keyless.PLACEHOLDER_ANNOTATION] = "true"
        annotations[keyless.MISSING_ANNOTATION] = ",".join(sorted(plan.missing))
    # what an operator added to the metadata survives a rotation
    metadata = {**(before or {}), "name": plan.secret.name, "namespace": repository.namespace}
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "Opaque",
        # in alphabetical order: kustomize sorts, and the message authentication code goes by order
        "stringData": {key: plan.values[key].reveal() for key in sorted(plan.values)},
    }


def _encrypt(repository: Repository, transaction: files.Transaction, manifest: Mapping[str, Any], path: Path) -> str:
    """The sealed text of a manifest, checked: sops ends with 0 also when it encrypted nothing."""
    relative = path.relative_to(repository.root)
    manifest = {key: value for key, value in manifest.items() if key != "sops"}
    config = transaction.current(repository.root / creation_rules.CONFIG)
    entry = creation_rules.find(creation_rules.load(config.parent), relative.as_posix()) or {}
    text = sops.encrypt(manifest, config, relative, clouds=creation_rules.clouds(entry))
    flaws = keyless.check(text, creation_rules.as_rule(entry))
    if flaws:
        raise SealingError(
            f"sops left {relative} unsealed (it {flaws[0].what}): see its rule in {creation_rules.CONFIG}. "
            "Nothing was sealed."
        )
    return text


def _add_checksums(
    repository: Repository, transaction: files.Transaction, environments: set[str] | None = None
) -> None:
    for environment in repository.environments:
        if environments is not None and environment not in environments:
            continue
        folder = repository.root / "secrets" / environment
        staged = {
            Path(path) for path in transaction.changed if Path(path).parent == folder.relative_to(repository.root)
        }
        paths = {
            *repository.sealed_files(environment),
            *(repository.root / path for path in staged),
        }
        digests = {name_of(path): digest(transaction.current(path)) for path in sorted(paths)}
        target = repository.root / "litellm" / f"checksums-{environment}.yaml"
        text = repository.checksums(environment, digests)
        if not target.is_file() or target.read_text("utf-8") != text:
            transaction.put(target, text)


def _report_unfinished(transaction: files.Transaction) -> None:
    """Say what was there of a run that died."""
    if transaction.finished:
        _say("finished what a run that died had begun:")
        _report_written(transaction.finished)
    if transaction.dropped:
        _note(f"dropped what a run that died had begun: {transaction.dropped} was changed since")


def _report_written(changed: Sequence[str]) -> None:
    """Say what was written, the Secrets of one environment in one line."""
    sealed: dict[str, list[str]] = {}
    for path in map(Path, changed):
        if path.parent.parent.name == "secrets":
            sealed.setdefault(path.parent.name, []).append(name_of(path))
        else:
            _say(f"wrote {path}")
    for environment, names in sealed.items():
        _say(f"sealed for {environment}: {', '.join(names)}")
    if any(path.startswith("keys/") for path in changed):
        _say("keys/ holds the only keys that open these Secrets; git ignores it: keep a copy in a safe place")


def _report_sources(plans: Sequence[Plan]) -> None:
    """Say where inputs come from when that may surprise: half a pair, or all of it, exported for another purpose."""
    notes: dict[tuple[str, str], list[str]] = {}
    for plan in plans:
        inputs = [value for value in plan.values.values() if value.origin]
        places = {value.origin.partition(" from ")[2] for value in inputs}
        if len(places) > 1 or any(value.hides for value in inputs):
            origins = ", ".join(
                f"{value.origin}{f' (not the one of {ENV_FILE})' if value.hides else ''}" for value in inputs
            )
            notes.setdefault((plan.secret.name, origins), []).append(plan.secret.environment)
    for (name, origins), environments in notes.items():
        _note(f"note: {name} ({', '.join(environments)}) has {origins}")


def _report_defaults(plans: Sequence[Plan], key: str | None) -> None:
    """Say that a rotation took a default, which may replace what was given when the Secret was sealed before."""
    for plan in plans:
        for each, source in plan.secret.keys.items():
            if "default" in source and key in (None, each) and not plan.values[each].origin:
                _note(
                    f"note: {plan.secret.name} ({plan.secret.environment}) has the default for {each}, "
                    f"{source['default']}: {describe(source)} is not given"
                )


def _report_placeholders(repository: Repository, environment: str | None, only: str | None = None) -> int:
    """Say which Secrets are placeholders, `only` that one where it is given, and what fills each."""
    waiting: dict[str, list[tuple[Wanted, list[str]]]] = {}
    for secret, missing in repository.placeholders(environment, only):
        waiting.setdefault(secret.name, []).append((secret, missing))
    if not waiting:
        return DONE
    one = repository.environments[0]
    _note(f"placeholders, until their inputs are given (NAME__{one.upper()} is an input of {one} alone):")
    for name, entries in waiting.items():
        environments = [secret.environment for secret, _ in entries]
        keys_missing = dict.fromkeys(key for _, missing in entries for key in missing)
        needed = ", ".join(describe(entries[0][0].keys[key]) for key in keys_missing)
        _note(f"  {name} ({', '.join(environments)}): give {needed}, then")
        everywhere = len(environments) == len(repository.wanted(name=name))
        for suffix in [""] if everywhere else [f" --cluster {each}" for each in environments]:
            _note(f"    python hooks/seal_secrets.py --rotate {name}{suffix}")
    return PLACEHOLDER


def _name_orphans(repository: Repository) -> None:
    for path in repository.orphans():
        _note(f"no longer needed by any answer, and not deleted by this tool: {path}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="seal_secrets.py",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--rotate",
        metavar="NAME",
        help="seal the Secret NAME again from its inputs; a generated one gets a new value",
    )
    action.add_argument(
        "--rekey",
        action="store_true",
        help="bring every file to the recipients of .sops.yaml and renew its data key; needs a private key",
    )
    action.add_argument(
        "--check",
        action="store_true",
        help="verify without any key that everything is sealed; changes nothing",
    )
    action.add_argument("--list", action="store_true", help="show every Secret with its keys, state and last change")
    parser.add_argument(
        "--key",
        metavar="KEY",
        help="with --rotate: only this key of the Secret; needs a private key",
    )
    parser.add_argument("--cluster", metavar="ENV", help="only this environment")
    parser.add_argument(
        "--stdin",
        metavar="INPUT",
        help="with --rotate: read this input from standard input, never from a file or the environment",
    )
    options = parser.parse_args(arguments)
    # "" is a variable of the caller's that was empty, and the name of nothing
    if options.rotate is None and not (options.key is None and options.stdin is None):
        parser.error("--key and --stdin go with --rotate NAME")
    return options


if __name__ == "__main__":
    sys.exit(main())
