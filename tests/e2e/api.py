"""A small client of the Kubernetes API: objects as plain dictionaries, by their path."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.processes import Deadline

Object = dict[str, Any]

PATIENCE = 120.0  # seconds of an idle machine, in which what the server could not do is asked for again
PAUSE = 0.5  # seconds between two tries, where the server does not say
# The server did nothing of it: it has too much to do, or does not know yet what it has just learned.
TOO_EARLY = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}


class ApiError(Exception):
    """The API server refused; the message is its own."""


class Api:
    """The API server at `server`, asked as the holder of `token`. Paths look like
    `/api/v1/namespaces/litellm/secrets`.
    """

    def __init__(self, server: str, token: str, ca_file: Path) -> None:
        self._client = httpx.Client(
            base_url=server,
            headers={"Authorization": f"Bearer {token}"},
            verify=ssl.create_default_context(cafile=str(ca_file)),
            timeout=60,
            trust_env=False,
        )
        self._kinds: dict[str, dict[str, tuple[str, str, bool]]] = {}

    def ready(self) -> bool:
        """Whether the API server says that it is."""
        try:
            return self._client.get("/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def find(self, path: str) -> Object | None:
        """The object or list at `path`, or None."""
        response = self._ask("GET", path)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        return _answer(response)

    def get(self, path: str) -> Object:
        """The object or list at `path`."""
        return _answer(self._ask("GET", path))

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Asks until there is an answer: again when the connection breaks, or the server says that it is too early.

        So `request` must be one that may be done twice.
        """
        deadline = Deadline(PATIENCE)
        while True:
            try:
                response = self._client.request(method, path, **request)
            except httpx.TransportError:
                if deadline.passed():
                    raise
                time.sleep(PAUSE)
                continue
            if response.status_code not in TOO_EARLY or deadline.passed():
                return response
            time.sleep(float(response.headers.get("Retry-After", PAUSE)))

    def items(self, path: str) -> list[Object]:
        """The objects of the list at `path`; none when the server knows no such kind."""
        found = self.find(path)
        items: list[Object] = found["items"] if found else []
        return items

    def follow(self, path: str) -> Iterator[list[Object]]:
        """The objects of the list at `path`, again after each change, until the server ends it. Nothing is retried."""
        listed = _answer(self._client.get(path))
        found = {each["metadata"]["uid"]: each for each in listed["items"]}
        yield [*found.values()]
        options = {"watch": "true", "resourceVersion": listed["metadata"]["resourceVersion"]}
        with self._client.stream("GET", path, params=options) as response:
            for line in response.iter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(f"{path}: {event['object'].get('message')}")
                uid = event["object"]["metadata"]["uid"]
                found.pop(uid, None)
                if event["type"] != "DELETED":
                    found[uid] = event["object"]
                yield [*found.values()]

    def create(self, path: str, body: Object) -> Object:
        """Creates `body` in the collection at `path`. What is there under its name is taken for an earlier try's."""
        response = self._ask("POST", path, json=body)
        if response.status_code == httpx.codes.CONFLICT:
            return self.get(f"{path}/{body['metadata']['name']}")
        return _answer(response)

    def merge(self, path: str, body: Object) -> Object:
        """Merges `body` into the object at `path` (RFC 7386)."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return _answer(self._ask("PATCH", path, json=body, headers=headers))

    def try_apply(self, manifest: Object) -> str | None:
        """What the API server has against `manifest`, unknown fields included; nothing is changed.

        As `kubectl apply --server-side --dry-run=server --validate=strict`.
        """
        response = self._ask(
            "PATCH",
            self._path(manifest),
            params={
                "dryRun": "All",
                "fieldManager": "test",
                "fieldValidation": "Strict",
                "force": "true",
            },
            content=json.dumps(manifest),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        return str(response.json()["message"]) if response.is_error else None

    def _path(self, manifest: Object) -> str:
        """The path of an object, as the API server's own list of its kinds gives it."""
        version, kind = manifest["apiVersion"], manifest["kind"]
        if version not in self._kinds:
            base = f"/apis/{version}" if "/" in version else f"/api/{version}"
            self._kinds[version] = {
                entry["kind"]: (f"{base}", entry["name"], entry["namespaced"])
                for entry in self.get(base)["resources"]
                if "/" not in entry["name"]
            }
        base, plural, namespaced = self._kinds[version][kind]
        metadata = manifest["metadata"]
        scope = f"/namespaces/{metadata['namespace']}" if namespaced else ""
        return f"{base}{scope}/{plural}/{metadata['name']}"

    def delete(self, path: str, grace: int | None = None) -> None:
        """Deletes the object at `path`, and what belongs to it in the background; `grace` is for pods, in seconds."""
        options = {"propagationPolicy": "Background"} | ({} if grace is None else {"gracePeriodSeconds": str(grace)})
        response = self._ask("DELETE", path, params=options)
        if response.status_code != httpx.codes.NOT_FOUND:
            _answer(response)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()


class Watched:
    """The objects of a list, as the API server tells of each change: who looks at them asks nothing.

    They may be a moment old, as all is that a kubelet or kube-proxy goes by. A thread follows until the server is gone.
    """

    def __init__(self, api: Api, path: str) -> None:
        self.items: list[Object] = []
        self._api = api
        self._path = path
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Follows no more, once the server ends."""
        self._stopping.set()

    def join(self) -> None:
        """Waits for the thread."""
        self._thread.join()

    def _work(self) -> None:
        while not self._stopping.wait(PAUSE):
            with suppress(ApiError, httpx.HTTPError):
                for items in self._api.follow(self._path):
                    self.items = items


def _answer(response: httpx.Response) -> Object:
    if response.is_error:
        # of a kind that it has only just learned the server says that there is no such page, in plain text
        is_object = response.headers.get("Content-Type", "").startswith("application/json")
        message = response.json().get("message") if is_object else None
        raise ApiError(f"{response.request.url.path}: {message or response.text}")
    answer: Object = response.json()
    return answer
