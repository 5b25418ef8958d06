"""The command line of hooks/seal_secrets.py: values go from their inputs into sops, plaintext never on disk."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from litellm_gitops.command_line import Parser, runs_here
from litellm_gitops.findings import UnreadableError
from litellm_gitops.repository import Repository
from litellm_gitops.sealing import state, trust
from litellm_gitops.sealing.errors import FAILED, INTERRUPTED, SealingError
from litellm_gitops.sealing.inputs import ENV_FILE
from litellm_gitops.sealing.recipients import is_recipient
from litellm_gitops.sealing.rekey import rekey
from litellm_gitops.sealing.report import note
from litellm_gitops.sealing.rotation import rotate
from litellm_gitops.sealing.seal import seal
from litellm_gitops.sealing.transaction import Transaction

_DESCRIPTION = """\
Seal every Secret that is missing; what exists stays as it is, to the byte.

Values come from the environment, from deployment_outputs.env, gcp-service-account.json and access-token in the root of
the repository or in the folder that LITELLM_GITOPS_INPUTS names. NAME__CLUSTER, such as NAME__AWS, is an input of that
cluster alone and wins over NAME. policies/secrets.yml lists what is needed."""

_EPILOG = """\
exit codes: 0 done, 1 failed and nothing changed, 2 usage, 3 a placeholder remains, 4 sops missing or too old,
5 a file is not sealed, or in conflict, 6 a recipient is new to this clone"""


def main(root: Path, arguments: Sequence[str] | None = None) -> int:
    """Run the command line in the repository `root`; the result is an exit code of sealing.errors."""
    if not runs_here("seal_secrets"):
        return FAILED
    _harden()
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _options(arguments)
    transaction = Transaction(root)
    try:
        return _run(Repository(root), options, transaction, trust.of_arguments(options.trust, arguments))
    except SealingError as error:
        note(f"seal_secrets: {error}")
        return error.code
    except UnreadableError as error:
        note(f"seal_secrets: {error}")
        return FAILED
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        note(f"seal_secrets: {name}{error.strerror}. {transaction.left}")
        return FAILED
    except KeyboardInterrupt:
        note(f"seal_secrets: interrupted. {transaction.left}")
        return INTERRUPTED
    except Exception as error:
        # its text could hold a value
        note(f"seal_secrets: unexpected {type(error).__name__}. {transaction.left}")
        return FAILED


def _harden() -> None:
    import resource  # which Windows does not have

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the values
    os.umask(0o022)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # not under nohup
            signal.signal(number, _interrupt)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _run(repository: Repository, options: argparse.Namespace, transaction: Transaction, consent: trust.Consent) -> int:
    if options.check:
        return state.check(repository, options.cluster)
    if options.list:
        return state.show(repository, options.cluster)
    if options.rekey:
        return rekey(repository, options.cluster, transaction, consent)
    if options.rotate is not None:
        given = {options.stdin: _standard_input()} if options.stdin is not None else None
        return rotate(repository, options.rotate, options.key, options.cluster, given, transaction, consent)
    return seal(repository, options.cluster, transaction, consent, fill=options.fill)


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SealingError("standard input is not UTF-8 text. Nothing was sealed.") from None


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="seal_secrets.py",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    action = parser.add_mutually_exclusive_group()
    rotation = "seal the Secret NAME again from its inputs; a generated one gets a new value"
    action.add_argument("--rotate", metavar="NAME", help=rotation)
    switches = {
        "--fill": "seal every placeholder whose inputs are there now",
        "--rekey": "bring every file to the recipients of .sops.yaml and renew its data key; needs a private key",
        "--check": "verify without any key that everything is sealed; changes nothing",
        "--list": "show every Secret with its keys, state, recipients and last change",
    }
    for name, text in switches.items():
        action.add_argument(name, action="store_true", help=text)
    parser.add_argument("--key", metavar="KEY", help="with --rotate: only this key of the Secret; needs a private key")
    parser.add_argument("--cluster", metavar="NAME", help="only this cluster, or the clusters of this environment")
    given = "with --rotate: read this input from standard input, never from a file or the environment"
    parser.add_argument("--stdin", metavar="INPUT", help=given)
    new = "seal for this recipient of .sops.yaml, although this clone has not done so before; can be given again"
    parser.add_argument("--trust", metavar="RECIPIENT", action="append", default=[], help=new)
    parser.hint = f" No credential is an argument: put it into {ENV_FILE}, or give it through --stdin INPUT."
    options = parser.parse(arguments)
    if not all(map(is_recipient, options.trust)):  # not quoted: it may be a private key
        parser.refuse(
            "--trust takes a recipient as .sops.yaml spells it: an age public key, or the name of a cloud's key"
        )
    # "" is a variable of the caller's that was empty, and the name of nothing
    if options.rotate is None and not (options.key is None and options.stdin is None):
        parser.refuse("--key and --stdin go with --rotate NAME")
    return options
