"""The commands of README.md that set up the trust of the clouds, run with what stands for the clouds' programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.proxy.cloudside import set_up
from tests.proxy.tokens import Trust
from tests.support.answers import ROLE_ARN, each, keyless

SUBJECT = "system:serviceaccount:litellm:litellm"


def trusted(*clusters: str) -> list[Trust]:
    """The tokens of these clusters."""
    return [Trust(f"https://{cluster}.example.com", SUBJECT, "sts.amazonaws.com") for cluster in clusters]


def test_clusters_that_share_a_role_are_all_trusted_by_it(render: Callable[..., Path], tmp_path: Path) -> None:
    root = render(**keyless())
    assert set_up(root, tmp_path / "clouds").roles == {ROLE_ARN: trusted("aws", "gcp", "azure")}
    text = (root / "README.md").read_text("utf-8")
    assert text.count("aws iam create-role ") == 1
    assert text.count('resource "aws_iam_role" ') == 1


def test_clusters_with_a_role_each_are_trusted_by_their_own(render: Callable[..., Path], tmp_path: Path) -> None:
    own = {cluster: f"arn:aws:iam::123456789012:role/ai/{cluster}" for cluster in ("aws", "gcp", "azure")}
    more = {"eks_aws_role_arn": own["aws"], **{f"{each}_bedrock_role_arn": own[each] for each in ("gcp", "azure")}}
    root = render(**keyless(**more))
    assert set_up(root, tmp_path / "clouds").roles == {arn: trusted(cluster) for cluster, arn in own.items()}
    assert (root / "README.md").read_text("utf-8").count('resource "aws_iam_role" ') == 3


def test_the_role_of_pod_identity_is_made_beside_that_of_another_cluster(
    render: Callable[..., Path], tmp_path: Path
) -> None:
    root = render(**each({"aws": {"bedrock": "pod_identity"}, "gcp": {"bedrock": "web_identity"}}))
    side = set_up(root, tmp_path / "clouds")
    assert side.roles == {"arn:aws:iam::123456789012:role/litellm-bedrock-aws": [], ROLE_ARN: trusted("gcp")}
    assert side.associations == {SUBJECT: "arn:aws:iam::123456789012:role/litellm-bedrock-aws"}
    assert set(side.actions) == set(side.roles)
