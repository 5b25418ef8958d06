"""The programs that the tests need come by whichever way works here, once, and checked."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tools import ToolError, cache, pins, process
from tools.__main__ import main
from tools.install import obtain, paths
from tools.pins import Pin

ON_PATH = {"arguments": ["--version"], "minimum": "3.11.0", "refused": ["3.13.2"]}
PLATFORM = f"{sys.platform}.{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(platform.machine()) }"


def program(version: str) -> str:
    return f"#!/bin/sh\necho 'sops {version} (latest)'\n"


def pin(**ways: Any) -> Pin:
    return Pin("sops", "sops", "3.13.3", ways, "cmd/sops", False, ())


def release(url: str, content: str) -> dict[str, Any]:
    digest = hashlib.sha256(content.encode()).hexdigest()
    return {"url": f"{url}/sops-v{{version}}", "sha256": {PLATFORM: digest}}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty cache and no tool; returns the folder that is on its PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(folder))
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    return folder


class Downloads:
    """Serves `content` at every path, and counts."""

    content: ClassVar[str] = program("3.13.3")
    count: ClassVar[int] = 0


@pytest.fixture
def url() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            Downloads.count += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(Downloads.content.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    Downloads.count = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def put(machine: Path, text: str) -> Path:
    file = machine / "sops"
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("version", ["3.11.0", "3.13.1", "3.13.3", "4.0.0"])
def test_a_good_program_on_path_is_taken(machine: Path, version: str) -> None:
    there = put(machine, program(version))
    assert obtain(pin(on_path=ON_PATH)) == there


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (program("3.10.2"), "is 3.10.2, older than 3.11.0"),
        (program("3.9.4"), "is 3.9.4, older than 3.11.0"),
        (program("3.13.2"), "is 3.13.2, a version that is refused"),
        ("#!/bin/sh\necho hello\n", "does not tell its version"),
        ("#!/bin/sh\necho broken >&2; exit 3\n", "sops ended with 3: broken"),
        ("not a program", "sops cannot be run: Exec format error"),
    ],
)
def test_another_program_on_path_is_not(machine: Path, text: str, reason: str) -> None:
    put(machine, text)
    with pytest.raises(ToolError) as refusal:
        obtain(pin(on_path=ON_PATH))
    assert reason in str(refusal.value)


def test_a_program_on_path_sees_none_of_the_settings_that_sops_obeys(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOPS_CONFIG", "elsewhere")
    monkeypatch.setenv("GITHUB_TOKEN", "canary")
    put(machine, '#!/bin/sh\n[ -z "$SOPS_CONFIG$GITHUB_TOKEN" ] && echo sops 3.13.3\n')
    assert obtain(pin(on_path=ON_PATH)) == machine / "sops"


@pytest.mark.parametrize(
    ("name", "passed"),
    [
        ("GOPROXY", True),
        ("GO111MODULE", True),
        ("PIP_INDEX_URL", True),
        ("GOOGLE_API_KEY", False),
        ("GOOGLE_CREDENTIALS", False),
        ("GO_PASSWORD", False),
    ],
)
def test_a_child_gets_the_settings_of_go_and_no_credential_of_google(
    name: str, passed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "canary")
    assert (name in process.environment()) == passed


def test_a_release_with_the_pinned_checksum_is_installed_once(url: str) -> None:
    wanted = pin(on_path=ON_PATH, release=release(url, Downloads.content))
    first = obtain(wanted)
    assert first.read_text() == Downloads.content
    assert os.access(first, os.X_OK)
    assert obtain(wanted) == first
    assert Downloads.count == 1


def test_a_wrong_checksum_is_an_error_that_names_both(url: str) -> None:
    wanted = pin(release=release(url, "something else"), go={"module": "example.com/x"})
    with pytest.raises(ToolError) as refusal:
        obtain(wanted)
    for content in (Downloads.content, "something else"):
        assert hashlib.sha256(content.encode()).hexdigest() in str(refusal.value)
    assert not cache.folder(wanted).exists()


def test_a_release_of_another_version_is_not_kept(url: str) -> None:
    old = program("3.10.0")
    Downloads.content, kept = old, Downloads.content
    try:
        wanted = pin(on_path=ON_PATH, release=release(url, old))
        with pytest.raises(ToolError, match=r"older than 3\.11\.0"):
            obtain(wanted)
    finally:
        Downloads.content = kept
    assert not cache.folder(wanted).exists()


def test_where_no_way_works_each_is_named_with_its_reason() -> None:
    nobody = "http://127.0.0.1:9"  # the port of `discard`, which nobody serves
    wanted = pin(on_path=ON_PATH, release=release(nobody, ""))
    with pytest.raises(ToolError) as refusal:
        obtain(wanted)
    assert "PATH: there is none on PATH" in str(refusal.value)
    assert f"release: {nobody}/sops-v3.13.3 cannot be reached: " in str(refusal.value)


def test_two_runs_at_once_install_it_once(url: str) -> None:
    wanted = pin(release=release(url, Downloads.content))
    found: list[Path] = []
    runs = [threading.Thread(target=lambda: found.append(obtain(wanted))) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert found == [cache.entry(wanted)] * 4
    assert Downloads.count == 1


def test_what_a_killed_run_left_half_done_is_not_used(url: str) -> None:
    wanted = pin(release=release(url, Downloads.content))
    partial = cache.root() / ".sops-3.13.3.partial"
    partial.mkdir(parents=True)
    (partial / "sops").write_text("half")
    assert obtain(wanted).read_text() == Downloads.content
    assert not partial.exists()


def test_every_pin_of_the_file_says_where_it_comes_from() -> None:
    for name, wanted in pins.load().items():
        assert wanted.ways.keys() & {"release", "go", "wheel"}, name
        assert wanted.version, name


def test_the_versions_of_one_program_that_is_pinned_are_accepted() -> None:
    sops = pins.find("sops")
    on_path = sops.ways["on_path"]
    assert pins.version_key(sops.version) >= pins.version_key(on_path["minimum"])
    assert sops.version not in on_path["refused"]
    assert on_path["minimum"] == "3.11.0"
    assert on_path["refused"] == ["3.13.2"]


def test_an_unknown_name_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["sopss"])
    assert end.value.code == 2
    assert "no tool is called 'sopss'; there are: " in capsys.readouterr().err


def test_the_command_prints_the_path_alone_on_stdout(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = put(machine, program("3.13.3"))
    assert main(["sops"]) == 0
    assert capsys.readouterr().out == f"{there}\n"


# As much of the program `go` as a build asks for. What it was called with stands in the file `calls` beside it.
GO = """#!/bin/sh
echo "$GOMODCACHE $@" >> "${0%/*}/calls"
case "$1 $2" in
  "env GOVERSION") echo go1.99.0 ;;
  "mod download") echo "{\\"GoMod\\": \\"${0%/*}/go.mod\\", \\"Dir\\": \\"${0%/*}\\"}" ;;
  "mod edit") echo "{}" ;;
  "list -mod=mod") case "$*" in *missing*) echo "no such module" >&2; exit 1 ;; esac ;;
  "build -v")
    while [ "$1" != -o ]; do shift; done
    into=$2; shift 2
    for package in "$@"; do
      if [ -d "$into" ]; then : > "$into/${package##*/}"; else : > "$into"; fi
    done ;;
esac
"""


@pytest.fixture
def go(machine: Path) -> Path:
    """A `go` on PATH; the file with its calls."""
    (machine / "go.mod").write_text("module example.com/x\n\ngo 1.26.0\n")
    (machine / "go").write_text(GO)
    (machine / "go").chmod(0o755)
    return machine / "calls"


def module(tool: str, *names: str) -> list[Pin]:
    """The programs that one module brings."""
    ways = {"go": {"module": f"example.com/{tool}"}}
    return [Pin(name, tool, "1.0.0", ways, f"cmd/{name}", False, ()) for name in names]


def test_the_programs_of_one_module_are_built_at_once_and_each_once(go: Path) -> None:
    wanted = [*module("one", "a", "b"), *module("two", "c")]
    for _ in range(2):
        assert list(paths(wanted)) == [cache.entry(pin) for pin in wanted]
    built = [line.split()[-2:] for line in go.read_text().splitlines() if " build " in line]
    assert built == [["example.com/one/cmd/a", "example.com/one/cmd/b"], [built[1][0], "example.com/two/cmd/c"]]


def test_every_tool_has_the_same_cache_of_modules_below_that_of_the_tools(
    go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOMODCACHE", raising=False)
    list(paths([*module("one", "a"), *module("two", "c")]))
    assert {line.split()[0] for line in go.read_text().splitlines()} == {str(cache.root() / "go-modules")}
    monkeypatch.setenv("GOMODCACHE", "/elsewhere")
    list(paths(module("three", "d")))
    assert go.read_text().splitlines()[-1].startswith("/elsewhere ")


def test_what_cannot_be_built_is_told_in_its_turn_and_the_rest_is_there(go: Path) -> None:
    (good,), (bad,) = module("one", "a"), module("missing", "b")
    found = paths([good, bad])
    assert next(found) == cache.entry(good)
    with pytest.raises(ToolError, match="no such module"):
        next(found)
