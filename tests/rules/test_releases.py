"""Faults and edits of the chart, the image and docker-compose.yml, of which each comes with a release."""

from __future__ import annotations

import yaml

from litellm_gitops.documents import Place
from tests.support.answers import everything
from tests.support.faults import AWS, CHART, SHARED, Edit, Fault, add, set_value, substitute, together
from tests.support.findings import accepted, found_by_its_rule_alone
from tests.support.template import ROOT

BESIDE = "every_image_beside_the_proxy_has_a_version"
NEWER, HERE = "the_chart_is_no_newer_than_the_image", "what_runs_here_is_what_the_clusters_run"
FITS = "the_chart_is_the_one_that_the_values_are_for"
IMAGE, ADDRESS = "the_image_has_an_address", "the_chart_has_an_address"
TAG = yaml.safe_load((ROOT / "policies/pins.yml").read_text("utf-8"))["litellm_charts"][CHART.name]["image"]["tag"]
RANGE = "the_chart_takes_the_version_of_the_clusters"
COMPOSE, UMBRELLA = "docker-compose.yml", "litellm/Chart.yaml"
LITELLM = r"(image: \"ghcr.io/berriai/litellm[a-z-]*):.*\""


def chart(version: str) -> Edit:
    """Another version of the chart."""
    return substitute(UMBRELLA, r"version: \"1\.\d+\.\d+\"", f'version: "{version}"')


def image(tag: str, repository: str = "") -> Edit:
    """Another image in the clusters."""
    return add(CHART.image, {"tag": tag, **({"repository": repository} if repository else {})}, SHARED)


def beside(image: str, place: Place = CHART.containers) -> Edit:
    """A container of one's own in the pods of the proxy."""
    return add(place, [{"name": "own", "image": image}])


def compose(tag: str) -> Edit:
    """Another image on this machine."""
    return substitute(COMPOSE, LITELLM, rf'\1:{tag}"')


def registry(address: str) -> Edit:
    """Another place of the chart."""
    return substitute(UMBRELLA, r"oci://.*\"", f'oci://{address}"')


FAULTS: dict[str, Fault] = {
    **{
        f"a container beside the proxy: {image}": (BESIDE, beside(image))
        for image in ("own:latest", "own", "registry.example.com:5000/own")
    },
    "a container before the proxy": (BESIDE, beside("own:latest", CHART.init_containers)),
    "a range below the clusters": (RANGE, set_value(UMBRELLA, ("kubeVersion",), "<1.30.0")),
    "a range above the clusters": (RANGE, set_value(UMBRELLA, ("kubeVersion",), ">=1.40.0")),
    "a range that is none": (RANGE, set_value(UMBRELLA, ("kubeVersion",), "latest")),
    "a chart that is switched off": (
        "the_chart_is_not_switched_off",
        set_value(UMBRELLA, ("dependencies", 0, "condition"), f"{CHART.name}.redis.enabled"),
    ),
    "a chart that the image does not know yet": (NEWER, chart("1.200.0")),
    "a chart that is too old": (FITS, chart("1.89.2")),
    "an image on this machine that is another": (HERE, compose("v1.103.5")),
    "an image on this machine that was left behind": (HERE, image("v1.200.1")),
    "an image on this machine that moves": (HERE, compose("latest")),
    "another digest on this machine": (
        HERE,
        together(image(f"{TAG}@sha256:{'ab' * 32}"), compose(f"{TAG}@sha256:{'cd' * 32}")),
    ),
    "an image with a scheme": (IMAGE, image(TAG, "https://ghcr.io/berriai/litellm-database")),
    "an image with its tag": (IMAGE, image(TAG, f"ghcr.io/berriai/litellm-database:{TAG}")),
    "an image in upper case": (IMAGE, image(TAG, "ghcr.io/BerriAI/litellm-database")),
    "a misspelt image": (IMAGE, image(TAG, "ghcr.io/berriai/litellm-databse")),
    "a chart by another way": (ADDRESS, substitute(UMBRELLA, "oci://ghcr", "https://ghcr")),
    "a misspelt place of the chart": (ADDRESS, registry("ghcr.io/beriai")),
    "the place of the other chart": (ADDRESS, registry("ghcr.io/berriai/litellm/chart")),
    "the place of the new chart without its end": (
        ADDRESS,
        substitute(UMBRELLA, "berriai/litellm/chart", "berriai/litellm"),
        everything(chart="litellm"),
    ),
    "a place of the chart with its name": (ADDRESS, registry("ghcr.io/berriai/litellm-helm")),
}

# What an owner may do, and no rule minds.
HARMLESS: dict[str, Edit] = {
    **{
        f"a container beside the proxy: {image}": beside(image)
        for image in ("own:1", "registry.example.com:5000/own:v1.2", f"own@sha256:{'0a' * 32}")
    },
    "a chart from a mirror of upstream": registry("registry.example.com/mirror/litellm"),
    "a chart from the other address of upstream": registry("docker.litellm.ai/berriai"),
    "a range with the version of the clusters": set_value(UMBRELLA, ("kubeVersion",), ">=1.30.0-0 <2.0.0-0"),
    "a range of two parts": set_value(UMBRELLA, ("kubeVersion",), "~1.34 || ^1.35.0-0"),
    "a condition that holds": set_value(UMBRELLA, ("dependencies", 0, "condition"), f"{CHART.name}.pdb.enabled"),
    "a newer release": together(chart("1.200.0"), image("v1.200.0"), compose("v1.200.0")),
    "a newer image": together(image("v1.200.0"), compose("v1.200.0")),
    "a newer image in one cluster": add(CHART.image, {"tag": "v1.200.0"}, AWS),
    "an image by its other tag": image(TAG.removeprefix("v")),
    "a chart that is older than the image": chart("1.102.1"),
    "an old chart of one's own": together(chart("1.1.0"), substitute(UMBRELLA, r"oci://ghcr.*\"", 'file://../own"')),
    "an image with its digest": image(f"{TAG}@sha256:{'ab' * 32}"),
    "an image from a registry of their own": image(TAG, "registry.example.com:5000/mirror/litellm-database"),
    "an image of their own": image(f"build-7@sha256:{'ab' * 32}", "registry.example.com/llm"),
    "an image of their own on this machine": compose("${LITELLM_TAG}"),
    "a chart from a registry of their own": registry("registry.example.com/charts"),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
