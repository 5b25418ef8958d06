"""A Git host: smart HTTP over bare repositories in a folder, by `git http-backend`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.e2e.web import Request, Response


class GitServer:
    """Serves `<folder>/<owner>/<name>.git` to whoever asks, and takes every push."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def create(self, name: str) -> Path:
        """An empty bare repository, such as `example/litellm-gitops`; its folder."""
        repository = self.folder / f"{name}.git"
        for arguments in (
            ["init", "--quiet", "--bare", "--initial-branch=main", str(repository)],
            ["-C", str(repository), "config", "http.receivepack", "true"],
        ):
            subprocess.run(["git", *arguments], check=True, env=self._environment())
        return repository

    def answer(self, request: Request) -> Response:
        """Hands one request to git, as a web server does with a CGI program (RFC 3875)."""
        path, _, query = request.target.partition("?")
        headers = request.headers
        cgi = {
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "HTTP_GIT_PROTOCOL": headers.get("git-protocol", ""),
            "REMOTE_USER": "test",
        }
        output = subprocess.run(
            ["git", "http-backend"],
            input=request.body,
            stdout=subprocess.PIPE,
            check=True,
            env=self._environment() | cgi,
        ).stdout
        head, _, body = output.partition(b"\r\n\r\n")
        answer = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(answer.pop("Status", "200 OK").split()[0])
        return Response(status, body, answer)

    def _environment(self) -> dict[str, str]:
        # no settings of the person who runs the tests
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
