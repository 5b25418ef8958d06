"""Azure: the token endpoint of Entra ID, and an Azure OpenAI resource."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from tests.e2e.web import Request, Response, Site
from tests.proxy.cloudside import CloudSide
from tests.proxy.tokens import RefusedError, Verifier
from tests.proxy.vendors import SECONDS, Vendor, as_json, form, openai

LOGIN = "login.microsoftonline.com"
BY_TOKEN = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "https://cognitiveservices.azure.com/.default"
DATABASES = "https://ossrdbms-aad.database.windows.net/.default"


class Azure(Vendor):
    """Entra ID, and one Azure OpenAI resource.

    `applications` maps tenants and client ids to client secrets: they may call the resource. The identities of `side`,
    in `tenant`, come with the token of a ServiceAccount. `keys` maps those of the resource to their names.
    """

    def __init__(
        self,
        endpoint: str,
        version: str,
        tenant: str,
        applications: Mapping[tuple[str, str], str],
        *,
        keys: Mapping[str, str] | None = None,
        side: CloudSide | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        super().__init__()
        self.endpoint, self.resource = endpoint, endpoint.split("/")[2]
        self.version, self.tenant = version, tenant
        self.applications, self.keys = dict(applications), dict(keys or {})
        self.side, self.verifier = side or CloudSide(), verifier or Verifier({})
        self.life = SECONDS
        self.for_databases: dict[str, str] = {}  # tokens that were issued -> to whom

    def sites(self) -> dict[str, Site]:
        """What it serves, by host name."""
        return {LOGIN: self.site(LOGIN, self.login), self.resource: self.site(self.resource, self.openai)}

    def login(self, host: str, request: Request) -> Response:
        """What MSAL asks about a tenant, and a token for the secret of an application or the token of a cluster."""
        path = request.target.partition("?")[0]
        if path == "/common/discovery/instance":
            return as_json({"tenant_discovery_endpoint": f"https://{host}/common/v2.0/x", "metadata": []})
        name, _, rest = path.lstrip("/").partition("/")
        if name not in {self.tenant, *(tenant for tenant, _ in self.applications)}:
            raise RefusedError("not the tenant of the application")
        tenant = f"https://{host}/{name}"
        if rest == "v2.0/.well-known/openid-configuration":
            names = {"token": "oauth2/v2.0/token", "authorization": "oauth2/v2.0/authorize"}
            found = {f"{name}_endpoint": f"{tenant}/{end}" for name, end in names.items()}
            return as_json({**found, "issuer": f"{tenant}/v2.0"})
        if rest != "oauth2/v2.0/token":
            raise RefusedError(f"{rest} is not known here")
        given = form(request)
        scope = given.get("scope", "").partition(" ")[0]
        if given.get("grant_type") != "client_credentials" or scope not in (SCOPE, DATABASES):
            raise RefusedError("a token for something else than Azure's AI services, or its databases")
        if given.get("client_assertion_type") == BY_TOKEN:
            if name != self.tenant:
                raise RefusedError("not the tenant of the identity")
            self.federated(given.get("client_id", ""), given.get("client_assertion", ""), scope)
            who = f"identity {given['client_id']}"
        elif given.get("client_secret", "-") != self.applications.get((name, given.get("client_id", ""))):
            raise RefusedError("not the application, or not its secret")
        else:
            self.logins.append("client secret of the application")
            who = "the application"
        token = self.issue("eyJ0", who)
        if scope == DATABASES:
            self.for_databases[token] = self.tokens.pop(token)
        return as_json({"access_token": token, "expires_in": self.life, "token_type": "Bearer"})

    def connects(self, user: str, token: str, at: str) -> str:
        """As which identity somebody is `user` of the database `at`, by a token of Entra ID in place of a password.

        https://learn.microsoft.com/en-us/azure/postgresql/flexible-server/security-entra-concepts
        """
        who, host = self.for_databases.get(token, "nobody"), at.partition(":")[0]
        if (host, user, who.removeprefix("identity ")) not in self.side.principals:
            raise RefusedError(f"{who} may not connect as {user}")
        return who

    def federated(self, client: str, token: str, scope: str) -> None:
        """Refuses a token that no federated credential of the identity is about, and one that may not call models."""
        problem = "no such identity"
        for trust in self.side.identities.get(client, ()):
            try:
                self.presented(self.verifier.check(token, trust))
            except RefusedError as refused:
                problem = str(refused)
                continue
            if scope == SCOPE and (client, self.endpoint) not in self.side.users:
                raise RefusedError(f"{client} may not call models")
            self.logins.append(f"federated credential of {client}")
            return
        raise RefusedError(problem)

    def openai(self, host: str, request: Request) -> Response:
        """The deployments of the resource."""
        if "api-key" in request.headers:
            if request.headers["api-key"] not in self.keys:
                raise RefusedError("not the key of the resource")
            who = self.keys[request.headers["api-key"]]
        else:
            who = self.bearer(request)
        path, _, query = request.target.partition("?")
        if parse_qs(query).get("api-version") != [self.version]:
            raise RefusedError(f"not the API version: {query}")
        self.called(host, request, who)
        return openai(path)
