"""The search for leaks can fail: a package that is changed to leak, one way each, is caught, at the right place."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

import litellm_gitops
from tests.leaks.canaries import PRIVATE_KEY, Canaries, Seen
from tests.leaks.conftest import WATCHES
from tests.leaks.test_faults import failing
from tests.leaks.watch import Sandbox, Traced, Watch, git

SOPS, RUN, COMMANDS, INPUTS = (f"sealing/{name}.py" for name in ("sops", "run", "commands", "inputs"))
STDIN = "        stdin = json.dumps(manifest, default=str).encode()  # a date in an annotation is one to YAML\n"
VALUE = 'manifest["stringData"]["AZURE_CLIENT_SECRET"]'


@dataclass(frozen=True)
class Leak:
    """A change to the package, and where the leak is then found."""

    edits: dict[str, tuple[str, str]]
    found: str
    alone: bool = True  # whether it is found without strace, too
    sops_fails: bool = False


def before_sops(code: str, found: str, alone: bool = True) -> Leak:
    """`code` runs just before sops gets the manifest, which is in `stdin`; `value` is a secret of it."""
    lines = "".join(f"        {line}\n" for line in [f"value = {VALUE}", *code.splitlines()])
    return Leak({SOPS: (STDIN, STDIN + lines)}, found, alone)


LEAKS = {
    "an argument of sops": Leak(
        {
            SOPS: (
                'command += ["--input-type", "json"',
                f'command += ["--decryption-order=" + {VALUE}, "--input-type", "json"',
            )
        },
        "AZURE_CLIENT_SECRET in arguments of sops",
    ),
    "an argument of another program": before_sops(
        'subprocess.run(["true", value], check=False)',
        "AZURE_CLIENT_SECRET in arguments of true",
        alone=False,  # it is gone before anybody looks
    ),
    "an argument of a program that takes its time": before_sops(
        'subprocess.run(["sh", "-c", "sleep 0.5; :", value], check=False)',
        "AZURE_CLIENT_SECRET in arguments of sh",
    ),
    "a variable for sops": Leak(
        {SOPS: ("env={**kept, ", 'env={"SOPS_INPUT": stdin.decode(), **kept, ')},
        "AZURE_CLIENT_SECRET in environment of sops",
    ),
    "everything that the operator has in his environment": Leak(
        {SOPS: ('if key in ("HOME", "LANG", "TMPDIR")', "if key")},
        "AZURE_CLIENT_SECRET in environment of sops",
    ),
    "a temporary file without a name": before_sops(
        "import tempfile\nwith tempfile.TemporaryFile() as file:\n    file.write(stdin)",
        "AZURE_CLIENT_SECRET in file .*",
        alone=False,
    ),
    "a temporary file that is there while sops runs": before_sops(
        "import tempfile\nfile = tempfile.NamedTemporaryFile()\nfile.write(stdin)\nfile.flush()\n"
        "global kept_open\nkept_open = file",
        "AZURE_CLIENT_SECRET in file .*",
    ),
    "single bytes, one write each": before_sops(
        'import tempfile\nwith tempfile.TemporaryFile("wb", 0) as file:\n'
        "    for byte in stdin:\n        file.write(bytes([byte]))",
        "AZURE_CLIENT_SECRET in file .*",
        alone=False,
    ),
    "the name of a file that is removed at once": before_sops(
        'name = Path(os.environ["TMPDIR"]) / value\nname.touch()\nname.unlink()',
        "AZURE_CLIENT_SECRET in name of a file",
        alone=False,
    ),
    "a log in the home, percent-encoded": before_sops(
        'from urllib.parse import quote\n(Path.home() / ".log").write_text(quote("<" + value + ">", safe=""))',
        "AZURE_CLIENT_SECRET in file .*/home/.log",
    ),
    "a socket": before_sops(
        "import socket\nleft, right = socket.socketpair()\nleft.send(stdin)",
        r"AZURE_CLIENT_SECRET in file (UNIX|socket).*",
        alone=False,
    ),
    "plaintext that is staged and sealed afterwards": Leak(
        {
            RUN: (
                "        clouds = creation_rules.clouds(entry)\n",
                "        clouds = creation_rules.clouds(entry)\n"
                "        import json\n        self.transaction.put(file, json.dumps(dict(manifest)))\n",
            )
        },
        "AZURE_CLIENT_SECRET in file .*/litellm-azure-auth.sops.yaml",
    ),
    "standard output": before_sops("print(manifest)", "AZURE_CLIENT_SECRET in stdout"),
    "standard error": before_sops("import sys\nprint(stdin, file=sys.stderr)", "AZURE_CLIENT_SECRET in stderr"),
    "what sops said": Leak(
        {SOPS: ('f"sops ended with exit code {answer.returncode}"', "said.decode()")},
        "AZURE_TENANT_ID in stderr",  # what has the form of a credential is taken out of every message
        sops_fails=True,
    ),
    "a traceback": Leak(
        {
            COMMANDS: (
                "    except Exception as error:\n",
                "    except Exception as error:\n        raise\n",
            ),
            SOPS: (STDIN, STDIN + '        raise ValueError(f"cannot seal {manifest}")\n'),
        },
        "AZURE_CLIENT_SECRET in stderr",
    ),
    "the text of an unexpected error": Leak(
        {
            COMMANDS: ("unexpected {type(error).__name__}", "unexpected {error}"),
            SOPS: (STDIN, STDIN + '        raise ValueError(f"cannot seal {manifest}")\n'),
        },
        "AZURE_TENANT_ID in stderr",
    ),
    "a value that shows itself": Leak(
        {
            INPUTS: ('return "Value(…)"', "return self._text"),
            RUN: ("        texts = self.sops.map(", "        print(plans[0])\n        texts = self.sops.map("),
        },
        "AZURE_CLIENT_SECRET in stdout",
    ),
    "a digest of the value among the checksums": Leak(
        {
            RUN: (
                "        for flaw in sealed_file.check(text, creation_rules.as_rule(entry)):\n",
                "        import hashlib\n"
                '        value = str(manifest["stringData"].get("AZURE_CLIENT_SECRET"))\n'
                "        _DIGESTS[file] = hashlib.sha256(value.encode()).hexdigest()\n"
                "        for flaw in sealed_file.check(text, creation_rules.as_rule(entry)):\n",
            ),
            f"{RUN}#2": ("checksums.digest(self.", "_DIGESTS.get(file) or checksums.digest(self."),
            f"{RUN}#3": ("_PLACEHOLDER_VALUE =", "_DIGESTS = {}\n_PLACEHOLDER_VALUE ="),
        },
        "AZURE_CLIENT_SECRET in file .*/litellm/checksums-aws.yaml",
    ),
    "an annotation of the sealed file, in base64": Leak(
        {
            RUN: (
                "        if annotations:\n",
                "        import base64\n"
                "        text = str({key: value.reveal() for key, value in plan.values.items()})\n"
                '        annotations["last-applied"] = base64.b64encode(text.encode()).decode()\n'
                "        if annotations:\n",
            )
        },
        "AZURE_CLIENT_SECRET in file .*/litellm-azure-auth.sops.yaml",
    ),
    "a copy of the inputs, by the kernel": Leak(
        {
            INPUTS: (
                "    try:\n        return path.read_text",
                "    import shutil, tempfile\n"
                "    with tempfile.TemporaryDirectory() as folder:\n"
                "        if path.exists():\n"
                "            shutil.copy(path, folder)\n"
                "    try:\n        return path.read_text",
            )
        },
        "AZURE_CLIENT_SECRET in copy of deployment_outputs.env",
        alone=False,
    ),
}


def apply(leak: Leak, root: Path) -> None:
    """Bring the package into a repository, where it goes before the installed one, and change it."""
    package = root / "vendor" / "litellm_gitops"
    shutil.copytree(Path(litellm_gitops.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, (old, new) in leak.edits.items():
        path = package / name.partition("#")[0]
        text = path.read_text()
        assert text.count(old) == 1, f"{name} has changed: {old!r}"
        path.write_text(text.replace(old, new))


CASES = [
    pytest.param(watch.values[0], leak, id=f"{watch.id}-{what}", marks=watch.marks)
    for watch in WATCHES
    for what, leak in LEAKS.items()
    if leak.alone or watch.values[0] is Traced
]


@pytest.mark.parametrize(("kind", "leak"), CASES)
def test_a_leak_is_found_in(
    kind: type[Watch], leak: Leak, canaries: Canaries, sandbox: Sandbox, tmp_path: Path
) -> None:
    apply(leak, sandbox.repository)
    watch = kind(sandbox)
    sops = failing(tmp_path, "refuses") if leak.sops_fails else None
    text = (sandbox.folder / "deployment_outputs.env").read_text()
    shell = dict(re.findall("(AZURE_CLIENT_SECRET)='(.*)'", text))
    watch.run(sandbox.seal("--rotate", "litellm-azure-auth"), sops=sops, shell=shell)
    found = canaries.leaks(watch.seen)
    assert [each for each in found if re.fullmatch(leak.found, each)], f"found only {found}"


@pytest.mark.parametrize("line", ["*.env", "gcp-service-account.json*", "access-token*"])
def test_an_input_that_git_does_not_ignore_is_found_in_its_objects(
    line: str, canaries: Canaries, sandbox: Sandbox
) -> None:
    root = sandbox.repository
    git(root, "init", "--quiet")
    ignore = (root / ".gitignore").read_text().splitlines()
    for lines, leaks in (
        (ignore, False),
        ([each for each in ignore if each not in (line, "/deployment_outputs.env")], True),
    ):
        (root / ".gitignore").write_text("\n".join(lines) + "\n")
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message", "Everything")
        found = [each for each in canaries.leaks(sandbox.files()) if "git objects" in each]
        assert bool(found) == leaks, found


def test_any_form_of_a_secret_is_found_and_nothing_else() -> None:
    secret = "Xy7/+q~W._k-93 ü" + "0123456789"
    canaries = Canaries({"it": secret})
    raw = secret.encode()
    for form in (
        raw,
        b"<" + raw[4:16] + b">",
        raw[::-1],
        raw.hex().encode(),
        json.dumps({"a": secret}).encode(),
        quote(secret).encode(),
        urlencode({"a": secret}).encode(),
        hashlib.sha256(raw).hexdigest().encode(),
        *(base64.b64encode(b"." * shift + raw) for shift in range(3)),
        *(base64.urlsafe_b64encode(b"." * shift + raw) for shift in range(3)),
    ):
        assert canaries.found(b"before " + form + b" after") == {"it"}, form
    assert canaries.found(b"Xy7 0123456 sha256 ENC[AES256_GCM,data:") == set()


def test_the_private_key_is_found_anywhere_but_in_its_file() -> None:
    canaries = Canaries({f"{PRIVATE_KEY}aws": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"})
    key = b"AGE-SECRET-" + b"KEY-1QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
    for where in ("file /x/keys/aws.agekey.bak", "stdout", "git objects", "file /x/keys/notes"):
        assert canaries.leaks([Seen(where, key)])
    assert not canaries.leaks([Seen("file /x/.sealing/keys/aws.agekey", key)])
