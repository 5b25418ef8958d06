"""A password of any characters, as it is sealed, opens the same database by the URL in the environment of the pod.

The URL is what helm renders of the repository's values with a stand-in for the chart, resolved as a kubelet does it. In
a cluster Prisma reads it, whose engine is a binary that its vendor hands out at the first use, so that no test can have
it offline. Here libpq opens the database. What Prisma would read is compared, too: its engine parses a URL with the
crate `url`, as pydantic does, and percent-decodes the parts (prisma-engines, quaint/src/connector/postgres/url.rs).
"""

from __future__ import annotations

import base64
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote_plus, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import Url

from litellm_gitops.sealing import forms
from tests.proxy import rendered
from tests.support.findings import codes, findings, report
from tests.support.inputs import Inputs
from tests.support.postgres import NAME, Database
from tests.support.sealed import environment, opened, seal


def as_prisma_reads(url: str) -> tuple[str, str, str]:
    """The user, the password and the database of a URL."""
    read = Url(url)
    return unquote(read.username or ""), unquote(read.password or ""), (read.path or "").removeprefix("/")


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    # not below a folder that its user may not enter, nor one whose name is too long for a socket
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        running = Database(Path(folder))
        yield running
        running.stop()


class Repository:
    """A sealed repository, what helm makes of it, and its opened Secrets."""

    def __init__(self, rendering: Path, folder: Path, database: Database, password: str) -> None:
        inputs = Inputs().write(folder / "inputs")
        path = inputs / "deployment_outputs.env"
        path.write_text("\n".join(line for line in path.read_text().splitlines() if "DATABASE" not in line))
        given = {"USERNAME": "somebody", "PASSWORD": password, "HOST": database.host}
        root = Path(shutil.copytree(rendering, folder / "repository"))
        env = environment(inputs, **{f"LITELLM_DATABASE_{name}": value for name, value in given.items()})
        assert seal(root, env=env).returncode == 0
        self.secrets = {name: values for (_, name), values in opened(root).items()}
        self._manifests = rendered.render(root, "aws", self.secrets, folder)

    def url(self, password: str | None = None) -> str:
        """The URL in the environment of the pod; with another value of `password` in its Secret, where one is given."""
        if password is not None:
            data = {"password": base64.b64encode(password.encode()).decode()}
            self._manifests.objects["Secret", "litellm-postgresql"]["data"] |= data
        return self._manifests.process().env["DATABASE_URL"]


PASSWORD = f"p@ss:w/rd?#&%41 '\"\\$+ü{secrets.token_hex(8)}"


@pytest.fixture(scope="module")
def repository(render: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory, database: Database) -> Repository:
    rendering = render(cluster_environments=["aws"], providers=["github_copilot"])
    return Repository(rendering, tmp_path_factory.mktemp("sealed"), database, PASSWORD)


def test_a_password_opens_the_database_out_of_the_sealed_file(repository: Repository, database: Database) -> None:
    database.user("somebody", PASSWORD)
    assert database.lets_in("somebody", repository.url())
    assert as_prisma_reads(repository.url()) == ("somebody", PASSWORD, NAME)


@pytest.mark.parametrize(("before", "after"), [("litellm-helm", "litellm"), ("litellm", "litellm-helm")])
@pytest.mark.parametrize(("password", "differs"), [("p@ss/word", True), ("pass-word", False)])
def test_a_password_that_was_sealed_for_the_other_chart_is_told(
    before: str, after: str, password: str, differs: bool, render: Callable[..., Path], tmp_path: Path
) -> None:
    answers = {"cluster_environments": ["aws"], "providers": ["github_copilot"], "aws_database_host": "db.example.com"}
    root = Path(shutil.copytree(render(**answers, chart=before), tmp_path / "repository"))
    env = environment(Inputs().write(tmp_path / "inputs"), LITELLM_DATABASE_PASSWORD=password)
    assert seal(root, env=env).returncode == 0
    shutil.copytree(render(**answers, chart=after), root, dirs_exist_ok=True)
    found = [each for each in findings(root) if each.code == "every_password_is_sealed_as_its_chart_takes_it"]
    assert [each.fix.command for each in found] == [
        "uv run hooks/seal_secrets.py --rotate litellm-postgresql --cluster aws"
    ] * differs
    assert seal(root, "--rotate", "litellm-postgresql", "--key", "username", env=env).returncode in (0, 1)
    assert codes(found) == codes([each for each in findings(root) if each.code in codes(found)])  # its password stays
    assert seal(root, "--rotate", "litellm-postgresql", env=env).returncode == 0
    assert not findings(root), report(findings(root))


# A command line cannot carry NUL, and PostgreSQL takes the forms of Unicode that look alike for one (RFC 4013).
CHARACTERS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=40)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]


def accepted(form: str) -> st.SearchStrategy[str]:
    return CHARACTERS.filter(lambda text: text.strip() and not forms.problem(text, form))


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(password=accepted("url_password"))
def test_any_password_opens_the_database_as_it_is_sealed(
    repository: Repository, database: Database, password: str
) -> None:
    database.user("somebody", password)
    url = repository.url(forms.sealed(password, "url_password"))
    assert database.lets_in("somebody", url)
    assert as_prisma_reads(url) == ("somebody", password, NAME)
    assert not database.lets_in("somebody", repository.url("another"))


@settings(max_examples=15, deadline=None, suppress_health_check=SLOW)
@given(password=accepted("encoded_password"))
def test_any_password_opens_the_database_as_the_proxy_encodes_it(database: Database, password: str) -> None:
    """With the chart `litellm` the proxy makes the URL, by quote_plus (litellm/proxy/utils.py), of what is sealed."""
    database.user("somebody", password)
    url = f"postgresql://somebody:{quote_plus(forms.sealed(password, 'encoded_password'))}@{database.host}/{NAME}"
    assert database.lets_in("somebody", url)
    assert as_prisma_reads(url) == ("somebody", password, NAME)
