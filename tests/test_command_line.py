"""What every command does with its arguments, and where it cannot run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from litellm_gitops.command_line import Parser
from tests.support.sealed import environment

COMMANDS = {
    "seal_secrets": "litellm_gitops.sealing.commands",
    "get_copilot_token": "litellm_gitops.copilot.command",
    "guard_staged": "litellm_gitops.guard",
    "auth_matrix": "litellm_gitops.auth_table",
}
VALUE = "gho_" + "a1B2" * 9


@pytest.mark.parametrize("missing", ["fcntl", "resource", "fcntl resource"])
@pytest.mark.parametrize("command", COMMANDS)
def test_windows_is_told_of_wsl_in_a_line(command: str, missing: str, tmp_path: Path) -> None:
    """Before anything else: in a folder that is no repository, with arguments that are wrong."""
    code = (
        f"import signal, sys; from pathlib import Path; sys.modules.update(dict.fromkeys({missing.split()!r}))\n"
        f"del signal.SIGHUP\nfrom {COMMANDS[command]} import main; sys.exit(main(Path.cwd(), ['{VALUE}']))"
    )
    program = [sys.executable, "-B", "-c", code]
    answer = subprocess.run(program, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert answer.returncode == 1, answer.stderr
    assert answer.stderr.startswith(f"{command}: this needs Linux or macOS. On Windows, run it in WSL: ")
    assert len(answer.stderr.splitlines()) == 1


def parser() -> Parser:
    made = Parser(prog="command", usage="command …")
    made.hint = " Use a pipe."
    group = made.add_mutually_exclusive_group()
    group.add_argument("--rotate", metavar="NAME", help="this Secret")
    group.add_argument("--fill", action="store_true", help="each placeholder")
    made.add_argument("-n", "--number", metavar="N", type=int, help="a number")
    made.add_argument("--kind", choices=["one", "two"], help="one or two")
    made.add_argument("--note", help="a text")
    return made


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((VALUE,), "argument 1 is not known. It is not repeated here. Use a pipe."),
        (("--fill", f"KEY={VALUE}"), "argument 2 is not known. It is not repeated here. Use a pipe."),
        ((f"--{VALUE}",), "argument 1 is not known. It is not repeated here. Use a pipe."),
        (
            (f"--rotatte={VALUE}",),
            "argument 1 is not known. It is not repeated here. Did you mean --rotate? Use a pipe.",
        ),
        ((f"--fill={VALUE}",), "--fill takes no value"),
        (("--rotate",), "--rotate: expected one argument"),
        (("--rotate", VALUE, "--fill"), "--fill: not allowed with argument --rotate"),
        (("--number", VALUE), "-n/--number takes N: a number"),
        ((f"-n{VALUE}",), "-n/--number takes N: a number"),
        (("--kind", VALUE), "--kind takes a value: one or two"),
        ((f"--n={VALUE}",), "an option is cut so short that it may be one of two"),
    ],
)
def test_a_refusal_says_which_argument_and_never_repeats_it(
    arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse(arguments)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said == f"usage: command …\ncommand: error: {says}\n"
    assert VALUE[:8] not in said
