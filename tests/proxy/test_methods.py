"""Every cell of the auth matrix with every method of its, at the real proxy: as whom it calls, and what it asks for."""

from __future__ import annotations

import json

import pytest

from tests.proxy.rounds import CELLS, ROUNDS, Cell, Rounds
from tests.proxy.wire import Row, table
from tests.support.answers import ACCOUNT, ROLE_ARN, client_id, workload_provider
from tests.support.charts import NAMES
from tests.support.template import ROOT


def pool(environment: str) -> str:
    """The workload identity pool of a cluster."""
    return workload_provider(environment).partition("/providers/")[0]


DIRECT = {
    "gcp_federation": "principal://iam.googleapis.com/{pool}/subject/system:serviceaccount:litellm:litellm",
    "gke_workload_identity": "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools"
    "/the-project-of-the-cluster.svc.id.goog/subject/ns/litellm/sa/litellm",
}
# method -> as whom the models are called
CALLERS = {
    "irsa": ROLE_ARN,
    "web_identity": ROLE_ARN,
    "pod_identity": "arn:aws:iam::123456789012:role/litellm-bedrock-aws",
    "aws_user": "the user",
    **DIRECT,
    "gcp_service_account": "{email}",
    "aks_workload_identity": "identity {client}",
    "entra_federation": "identity {client}",
    "entra_id": "the application",
    "azure_api_key": "API key",
}


def ids(cell: Cell) -> str:
    """The name of a test."""
    return "-".join(cell)


def expected(cell: Cell, rounds: Rounds, name: str, chart: str) -> str:
    """As whom the models of a cell are called."""
    environment, _, method = cell
    if name == "others" and method in DIRECT:
        return f"serviceAccount:{ACCOUNT}"
    email = json.loads(rounds.repository(name, chart).inputs.files["gcp-service-account.json"])["client_email"]
    return CALLERS[method].format(pool=pool(environment), email=email, client=client_id(environment))


def using(cell: Cell) -> list[str]:
    """The rounds in which a cell has that method."""
    environment, provider, method = cell
    return [name for name, methods in ROUNDS.items() if methods[environment][provider] == method]


@pytest.mark.parametrize("cell", CELLS, ids=ids)
@pytest.mark.parametrize("chart", NAMES)
def test_every_model_is_called_with_the_identity_of_the_method(chart: str, cell: Cell, rounds: Rounds) -> None:
    environment, provider, _ = cell
    assert using(cell)
    for name in using(cell):
        outcome = rounds.outcome(name, environment, provider, chart)
        assert outcome.problems == {}
        assert outcome.callers == {expected(cell, rounds, name, chart)}
        assert outcome.others == []
        # what goes over the wire is the same with each chart
        assert outcome.rows == rounds.outcome(name, environment, provider).rows


def test_the_table_of_what_is_on_the_wire_is_true(rounds: Rounds) -> None:
    """docs/keyless.md has the table."""
    of: dict[str, list[Row]] = {}
    for environment, provider, method in CELLS:
        found = of.setdefault(method, [])
        for name in using((environment, provider, method)):
            found += [row for row in rounds.outcome(name, environment, provider).rows if row not in found]
    lines = table({method: of[method] for method in CALLERS})
    documented = (ROOT / "docs" / "keyless.md").read_text("utf-8").splitlines()
    start = documented.index(lines[0]) if lines[0] in documented else 0
    assert documented[start : start + len(lines)] == lines, "\n".join(lines)
