"""The vendors as the proxy meets them: each refuses what it would refuse, and answers as it would answer.

What one was called with is in `calls`, how somebody got a token from it in `logins`, and what it was refused for in
`refusals`, without the credential that it bore.
"""

from __future__ import annotations

import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.e2e.web import Request, Response, Site
from tests.proxy.tokens import RefusedError

ANSWER = "It is served."
VECTOR = [0.25, -0.5, 0.75]
SECONDS = 3600
API, COPILOT = "api.github.com", "api.githubcopilot.com"


@dataclass(frozen=True)
class Call:
    """One request for a model that was answered: where, for which model, and as whom."""

    host: str
    path: str
    who: str


@dataclass(frozen=True)
class Seen:
    """One request of any kind, refused or not."""

    host: str
    request: Request = field(repr=False)


@dataclass
class Vendor(ABC):
    """What all vendors have in common. `calls` are for models, `logins` for anything that gets a token."""

    calls: list[Call] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    journal: list[Seen] = field(default_factory=list, repr=False)
    tokens: dict[str, str] = field(default_factory=dict, repr=False)  # that were issued -> to whom
    accepted: list[str] = field(default_factory=list)  # the ids of the ServiceAccount's tokens, in their order

    @abstractmethod
    def sites(self) -> dict[str, Site]:
        """What it serves, by host name."""

    def site(self, host: str, answer: Callable[[str, Request], Response]) -> Site:
        """`answer(host, request)` as a site; what it refuses is noted and answered with 401."""

        def checked(request: Request) -> Response:
            self.journal.append(Seen(host, request))
            try:
                return answer(host, request)
            except RefusedError as refused:
                self.refusals.append(f"{host}: {refused}")
                return as_json({"error": {"message": str(refused), "code": "401"}}, 401)

        return checked

    def issue(self, prefix: str, who: str) -> str:
        """A new token for somebody, which `bearer` takes."""
        token = prefix + secrets.token_urlsafe(24)
        self.tokens[token] = who
        return token

    def bearer(self, request: Request) -> str:
        """To whom the token of a request was issued; refuses one that was not issued here."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or token not in self.tokens:
            raise RefusedError("the token was not issued here")
        return self.tokens[token]

    def presented(self, claims: Mapping[str, Any]) -> None:
        """Notes a token of a ServiceAccount that is trusted."""
        self.accepted.append(claims["jti"])

    def local(self) -> dict[str, Site]:
        """What it serves in the pod's own node, by address."""
        return {}

    def called(self, host: str, request: Request, who: str) -> None:
        """Notes a call."""
        self.calls.append(Call(host, request.target, who))


class GitHub(Vendor):
    """What knows the users of Copilot, and Copilot.

    LiteLLM before 1.110 gets a short-lived key for the user's token. From then on it only asks where the user's Copilot
    is, and calls it with the token itself: that is `direct`. The other way is refused.
    """

    def __init__(self, token: str, *, direct: bool = False) -> None:
        super().__init__()
        self.token, self.direct = token, direct

    def sites(self) -> dict[str, Site]:
        """What it serves, by host name."""
        return {API: self.site(API, self.api), COPILOT: self.site(COPILOT, self.copilot)}

    def api(self, host: str, request: Request) -> Response:
        """Where the user's Copilot is, with a key for it unless the token itself is one."""
        wanted = f"/copilot_internal/{'user' if self.direct else 'v2/token'}"
        if request.target != wanted:
            raise RefusedError(f"{request.target} is not {wanted}")
        if request.headers.get("authorization") != f"token {self.token}":
            raise RefusedError("not the token of the user")
        self.logins.append("token of the user")
        found: dict[str, Any] = {"endpoints": {"api": f"https://{COPILOT}"}}
        if not self.direct:
            found |= {"token": self.issue("tid=", "the user"), "expires_at": 4102444800}
        return as_json(found)

    def copilot(self, host: str, request: Request) -> Response:
        """Chat, responses and embeddings. Copilot answers to no program that does not say what editor it is."""
        given = request.headers.get("authorization")
        who = "the user" if self.direct and given == f"Bearer {self.token}" else self.bearer(request)
        missing = {"editor-version", "copilot-integration-id"} - set(request.headers)
        if missing:
            raise RefusedError(f"without {', '.join(sorted(missing))}")
        self.called(host, request, who)
        return openai(request.target)


def as_json(value: Mapping[str, Any], status: int = 200) -> Response:
    """A response of this JSON."""
    return Response(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def form(request: Request) -> dict[str, str]:
    """The fields of a form."""
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def openai(path: str) -> Response:
    """What OpenAI's API answers at `path`."""
    if path.endswith("/chat/completions"):
        message = {"role": "assistant", "content": ANSWER}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        usage: dict[str, Any] = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        kind = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        return as_json({**kind, "choices": choices, "usage": usage})
    if path.endswith("/embeddings"):
        data = [{"object": "embedding", "index": 0, "embedding": VECTOR}]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return as_json({"object": "list", "data": data, "model": "m", "usage": usage})
    if path.endswith("/responses"):
        content = [{"type": "output_text", "text": ANSWER, "annotations": []}]
        message = {"id": "m", "type": "message", "role": "assistant", "status": "completed"}
        kind = {"id": "r", "object": "response", "created_at": 1, "model": "m"}
        usage = {
            "input_tokens": 1,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 1,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 2,
        }
        rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": usage}
        output = [{**message, "content": content}]
        return as_json({**kind, "status": "completed", "output": output, **rest})
    raise RefusedError(f"{path} is not known here")
