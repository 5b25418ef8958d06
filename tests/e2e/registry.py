"""A chart registry: the reading half of the OCI distribution protocol, over charts in memory."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.web import Request, Response

CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    """Serves packaged charts. With `down` it answers 503 to everything."""

    def __init__(self) -> None:
        self.down = False
        self._blobs: dict[str, bytes] = {}
        self._manifests: dict[tuple[str, str], bytes] = {}  # (repository, tag or digest)

    def push(self, owner: str, package: Path) -> None:
        """Offers a chart package (the .tgz of `helm package`) as `<owner>/<name>:<version>`."""
        with tarfile.open(package) as archive:
            chart_yaml = min((n for n in archive.getnames() if n.endswith("Chart.yaml")), key=len)
            member = archive.extractfile(chart_yaml)
            chart: dict[str, Any] = yaml.safe_load(member.read() if member else b"{}")
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._keep(json.dumps(chart).encode(), CONFIG),
            "layers": [self._keep(package.read_bytes(), CHART)],
        }
        content = json.dumps(manifest).encode()
        repository = f"{owner}/{chart['name']}"
        # a tag cannot hold the `+` of a version; Helm's convention is an underscore
        self._manifests[repository, chart["version"].replace("+", "_")] = content
        self._manifests[repository, _digest(content)] = content

    def answer(self, request: Request) -> Response:
        """Answers one request (OCI distribution specification, pull)."""
        if self.down:
            return Response(503, b"the registry is down")
        path = request.target.partition("?")[0].removeprefix("/v2").strip("/")
        if not path:
            return Response(200, b"{}", {"Content-Type": "application/json"})
        repository, _, rest = path.rpartition("/manifests/")
        if repository and (repository, rest) in self._manifests:
            content = self._manifests[repository, rest]
            headers = {"Content-Type": MANIFEST, "Docker-Content-Digest": _digest(content)}
            return Response(200, content, headers)
        repository, _, rest = path.rpartition("/blobs/")
        if repository and rest in self._blobs:
            return Response(200, self._blobs[rest], {"Docker-Content-Digest": rest})
        if path.endswith("/tags/list"):
            name = path.removesuffix("/tags/list")
            tags = [tag for repo, tag in self._manifests if repo == name and ":" not in tag]
            if tags:
                return Response(200, json.dumps({"name": name, "tags": tags}).encode())
        error = {"errors": [{"code": "NAME_UNKNOWN", "message": "repository name not known"}]}
        return Response(404, json.dumps(error).encode(), {"Content-Type": "application/json"})

    def _keep(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Keeps a blob; its descriptor."""
        digest = _digest(content)
        self._blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
