"""The clouds that judge who enters a database take no token but one, which AWS's own library makes for RDS."""

from __future__ import annotations

from dataclasses import dataclass, replace

import boto3
import pytest

from tests.proxy.aws import Aws
from tests.proxy.azure import DATABASES, SCOPE, Azure
from tests.proxy.cloudside import CloudSide
from tests.proxy.test_vendors import AUDIENCES, ENTRA, ISSUER, SUBJECT, federated, published, token
from tests.proxy.tokens import RefusedError, Trust, Verifier
from tests.support.answers import TENANT, client_id

REGION, HOST, USER = "eu-north-1", "db.example.internal", "litellm"
ROLE, OTHER_ROLE = "arn:aws:iam::123456789012:role/litellm", "arn:aws:iam::123456789012:role/other"
CLIENT, OTHER_CLIENT = client_id("aws"), client_id("gcp")
TRUST = Trust(ISSUER, SUBJECT, AUDIENCES["entra"])
SIDE = CloudSide(
    connects={(ROLE, HOST, USER), (ROLE, HOST, "not-granted")},
    by_iam={(HOST, USER)},
    principals={(HOST, USER, CLIENT)},
    identities={CLIENT: [TRUST], OTHER_CLIENT: [TRUST]},
    users={(CLIENT, "https://example.openai.azure.com/")},
)


@dataclass(frozen=True)
class Login:
    """A token for RDS, and what it is used for."""

    role: str = ROLE
    region: str = REGION
    made_for: tuple[str, str] = (HOST, USER)
    user: str = USER
    at: str = HOST
    secret: str = ""  # in place of the session's own
    session: str = ""
    ahead: int = 0  # seconds: the clock of the cloud


GOOD = Login()
BAD = {
    "of another role": replace(GOOD, role=OTHER_ROLE),
    "of another region": replace(GOOD, region="us-west-2"),
    "for another user": replace(GOOD, made_for=(HOST, "admin")),
    "for another database": replace(GOOD, made_for=("other.example.internal", USER)),
    "used as another user": replace(GOOD, user="admin"),
    "used at another database": replace(GOOD, at="other.example.internal"),
    "for a user that does not log in by IAM": replace(GOOD, made_for=(HOST, "not-granted"), user="not-granted"),
    "signed with another key": replace(GOOD, secret="x" * 30),
    "with another session": replace(GOOD, session="x" * 30),
    "of a quarter of an hour ago": replace(GOOD, ahead=901),
}


def by_iam(login: Login) -> str:
    """As whom AWS takes a login."""
    aws = Aws("eu-central-1", {}, home=REGION, side=SIDE, verifier=Verifier({}, login.ahead))
    key_id = aws.session(login.role, "a token")
    client = boto3.client(
        "rds",
        region_name=login.region,
        aws_access_key_id=key_id,
        aws_secret_access_key=login.secret or aws.users[key_id],
        aws_session_token=login.session or aws.sessions[key_id],
    )
    host, user = login.made_for
    password = client.generate_db_auth_token(DBHostname=host, Port=5432, DBUsername=user)
    return aws.connects(login.user, password, f"{login.at}:5432")


def test_rds_takes_the_token_of_a_role_that_may_connect() -> None:
    assert by_iam(GOOD) == ROLE


@pytest.mark.parametrize("what", BAD)
def test_rds_refuses_a_token(what: str) -> None:
    with pytest.raises(RefusedError):
        by_iam(BAD[what])


@pytest.mark.parametrize("password", ["", "x", f"{HOST}:5432/?Action=connect&DBUser={USER}"])
def test_rds_refuses_what_is_no_token(password: str) -> None:
    with pytest.raises(RefusedError):
        Aws("eu-central-1", {}, home=REGION, side=SIDE).connects(USER, password, f"{HOST}:5432")


def by_entra(client: str, scope: str, user: str = USER, at: str = HOST) -> str:
    """As whom Azure takes a login with a token for something."""
    endpoint, verifier = "https://example.openai.azure.com/", Verifier({ISSUER: published})
    azure = Azure(endpoint, "2025-03-01-preview", TENANT, {}, side=SIDE, verifier=verifier)
    assert azure.sites()[ENTRA](federated(token(AUDIENCES["entra"]), client, scope=scope)).status == 200
    (password,) = {*azure.for_databases, *azure.tokens}
    return azure.connects(user, password, f"{at}:5432")


def test_azure_takes_the_token_of_an_identity_that_may_connect() -> None:
    assert by_entra(CLIENT, DATABASES) == f"identity {CLIENT}"


@pytest.mark.parametrize(
    ("client", "scope", "user", "at"),
    [
        (OTHER_CLIENT, DATABASES, USER, HOST),
        (CLIENT, SCOPE, USER, HOST),
        (CLIENT, DATABASES, "admin", HOST),
        (CLIENT, DATABASES, USER, "other.example.internal"),
    ],
    ids=["another identity", "a token for models", "another user", "another database"],
)
def test_azure_refuses(client: str, scope: str, user: str, at: str) -> None:
    with pytest.raises(RefusedError):
        by_entra(client, scope, user, at)
