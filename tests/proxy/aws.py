"""AWS: the security token service, the agent of EKS Pod Identity, and Bedrock."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl

from tests.e2e.web import Request, Response, Site
from tests.proxy.cloudside import CloudSide
from tests.proxy.sigv4 import verify, verify_presigned
from tests.proxy.tokens import RefusedError, Trust, Verifier
from tests.proxy.vendors import ANSWER, SECONDS, VECTOR, Vendor, as_json, form

AGENT = "169.254.170.23"  # https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
AGENT_AUDIENCE = "pods.eks.amazonaws.com"


class Aws(Vendor):
    """Bedrock in `region`, and STS in `home` for the tokens of clusters.

    `users` maps access key ids to secret access keys, `bearers` are keys of Bedrock's own. A session is good for
    `life` seconds; the same token gets the same one.
    """

    def __init__(
        self,
        region: str,
        users: Mapping[str, str],
        *,
        home: str = "",
        side: CloudSide | None = None,
        verifier: Verifier | None = None,
        bearers: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.region, self.home = region, home
        self.side, self.verifier = side or CloudSide(), verifier or Verifier({})
        self.users, self.bearers = dict(users), bearers
        self.life = SECONDS
        self.sessions: dict[str, str] = {}  # access key id -> session token
        self.roles: dict[str, str] = {}  # access key id -> the role
        self._of: dict[tuple[str, str], str] = {}  # role and token -> access key id

    def sites(self) -> dict[str, Site]:
        """What it serves, by host name."""
        runtime = f"bedrock-runtime.{self.region}.amazonaws.com"
        sites = {runtime: self.site(runtime, self.bedrock)}
        if self.home:
            host = f"sts.{self.home}.amazonaws.com"
            sites[host] = self.site(host, self.sts)
        return sites

    def local(self) -> dict[str, Site]:
        """What it serves in the pod's own node."""
        return {AGENT: self.site(AGENT, self.agent)}

    def sts(self, host: str, request: Request) -> Response:
        """AssumeRoleWithWebIdentity, for the roles that trust the token."""
        given = form(request)
        action, role, token = (given.get(name, "") for name in ("Action", "RoleArn", "WebIdentityToken"))
        if action != "AssumeRoleWithWebIdentity":
            raise RefusedError(f"{action} is not what a pod with a role does first")
        self.trusted(role, token)
        self.logins.append(f"{action} {role}")
        key_id = self.session(role, token)
        return Response(
            200,
            f"""<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>
<AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>{self.users[key_id]}</SecretAccessKey>
<SessionToken>{self.sessions[key_id]}</SessionToken><Expiration>{self.expiration()}</Expiration>
</Credentials></{action}Result></{action}Response>""".encode(),
            {"Content-Type": "text/xml"},
        )

    def trusted(self, role: str, token: str) -> None:
        """Refuses a token that no statement of the role's trust is about."""
        problems = []
        for trust in self.side.roles.get(role, ()):
            try:
                self.presented(self.verifier.check(token, trust))
            except RefusedError as refused:
                problems.append(str(refused))
            else:
                return
        raise RefusedError(problems[0] if problems else "no such role, or it trusts nobody")

    def agent(self, host: str, request: Request) -> Response:
        """The credentials of the role that is associated with the token's ServiceAccount."""
        if request.target != "/v1/credentials":
            raise RefusedError(f"{request.target} is not what the agent serves")
        token = request.headers.get("authorization", "")
        problem = "no association"
        for subject, role in self.side.associations.items():
            try:
                issuer = next(iter(self.verifier.published))
                self.presented(self.verifier.check(token, Trust(issuer, subject, AGENT_AUDIENCE)))
            except RefusedError as refused:
                problem = str(refused)
                continue
            self.logins.append(f"AssumeRoleForPodIdentity {role}")
            key_id = self.session(role, token)
            found = {"AccessKeyId": key_id, "SecretAccessKey": self.users[key_id], "Token": self.sessions[key_id]}
            return as_json({**found, "AccountId": role.split(":")[4], "Expiration": self.expiration()})
        raise RefusedError(problem)

    def connects(self, user: str, token: str, at: str) -> str:
        """As which role somebody is `user` of the database `at`, by a token of RDS IAM in place of a password.

        https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
        """
        signed = verify_presigned(token, self.users)
        if signed is None:
            raise RefusedError("not signed with a key that exists here")
        address, _, query = token.partition("/?")
        given = dict(parse_qsl(query))
        begun = datetime.strptime(f"{given['X-Amz-Date']}+0000", "%Y%m%dT%H%M%SZ%z").timestamp()
        if begun + int(given["X-Amz-Expires"]) < time.time() + self.verifier.ahead:
            raise RefusedError("the token has expired")
        if given.get("X-Amz-Security-Token") != self.sessions.get(signed.key_id):
            raise RefusedError("the session token is not the one of this key")
        if (signed.region, signed.service) != (self.home, "rds-db"):
            raise RefusedError(f"signed for {signed.service} in {signed.region}")
        if (address, given.get("Action"), given.get("DBUser")) != (at, "connect", user):
            raise RefusedError(f"a token for {given.get('Action')} as {given.get('DBUser')} at {address}")
        role, host = self.roles.get(signed.key_id, "nobody"), at.partition(":")[0]
        if (host, user) not in self.side.by_iam or (role, host, user) not in self.side.connects:
            raise RefusedError(f"{role} may not connect")
        return role

    def session(self, role: str, token: str) -> str:
        """The access key id of a session."""
        key_id = self._of.setdefault((role, token), "ASIA" + secrets.token_hex(8).upper())
        self.users.setdefault(key_id, secrets.token_urlsafe(30))
        self.sessions.setdefault(key_id, secrets.token_urlsafe(30))
        self.roles[key_id] = role
        return key_id

    def expiration(self) -> str:
        """When a session that begins now ends."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.life))

    def bedrock(self, host: str, request: Request) -> Response:
        """Converse and InvokeModel, the latter of Titan's embeddings."""
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        who = "API key" if kind == "Bearer" and bearer in self.bearers else self.signed(request)
        self.called(host, request, who)
        if request.target.endswith("/converse"):
            return as_json(
                {
                    "output": {"message": {"role": "assistant", "content": [{"text": ANSWER}]}},
                    "stopReason": "end_turn",
                    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
                    "metrics": {"latencyMs": 1},
                }
            )
        return as_json({"embedding": VECTOR, "inputTextTokenCount": 1})

    def signed(self, request: Request) -> str:
        """Who has signed a request, a role or the user; refuses one of somebody who may not call a model."""
        signed = verify(request, self.users)
        if signed is None:
            raise RefusedError("not signed with a key that exists here")
        if (signed.region, signed.service) != (self.region, "bedrock"):
            raise RefusedError(f"signed for {signed.service} in {signed.region}")
        if request.headers.get("x-amz-security-token") != self.sessions.get(signed.key_id):
            raise RefusedError("the session token is not the one of this key")
        role = self.roles.get(signed.key_id)
        if role and "bedrock:InvokeModel" not in self.side.actions.get(role, ()):
            raise RefusedError(f"{role} may not call models")
        return role or "the user"
