"""Faults and edits of commands that people call: of README.md, of a Makefile, of programs and scripts of one's own."""

from __future__ import annotations

from tests.support.answers import everything
from tests.support.faults import Edit, Fault, append, append_item, change, remove, set_value, substitute, write
from tests.support.findings import Harmless, accepted, found_by_its_rule_alone

READ, PATHS, STEPS = "every_script_can_be_read", "every_path_of_a_script_is_there", "every_step_names_what_there_is"
README, MAKEFILE, OWN = "README.md", "Makefile", ".github/workflows/own.yaml"
VALIDATE, UPDATE = (f".github/workflows/{name}.yaml" for name in ("validate", "update"))
PIPELINE, GITLAB = ".gitlab-ci.yml", everything(ci_platform="gitlab")


def document(*lines: str) -> Edit:
    """A block of commands at the end of README.md."""
    return append(README, "\n".join(("", "```sh", *lines, "```", "")))


def make(*lines: str) -> Edit:
    """A Makefile."""
    return write(MAKEFILE, "\n".join((*lines, "")))


def job(*steps: str) -> Edit:
    """A workflow of one's own that checks this repository out, and does more."""
    return hosted("uses: actions/checkout@v7", *steps)


MATRIX = "\n    strategy: {matrix: {own: [aws, gpc]}}"


def hosted(*steps: str, more: str = "") -> Edit:
    """A workflow of one's own with these steps alone."""
    lines = "".join(f"\n      - {each}" for each in steps)
    return write(OWN, f"on: [push]\njobs:\n  own:\n    runs-on: ubuntu-latest{more}\n    steps:{lines}\n")


FAULTS: dict[str, Fault] = {
    **{
        f"a command of README.md: {command}": (READ, document(command))
        for command in (
            "uv run hooks/seal_secrets.py --lists",
            "uv run pytest -m charts",
            "kubectl --namespace litellm aply -f own.yaml",
            "docker compose --env-file own.env upp",
            "uvx pre-comit install",
            "uv lok",
            "git -C own chekcout main",
        )
    },
    "a command between backticks": (READ, append(README, "\nCall `uv run pytest -m decrypted`.\n")),
    "code without its end": (READ, append(README, "\n```sh\nmake\n")),
    "code with half of its mark": (READ, append(README, "\n``sh\nmake\n```\n")),
    "a recipe of spaces": (READ, make("test:", "    uv run pytest")),
    "a need that nothing makes": (READ, make("all: tset", "test:", "\tuv run pytest")),
    "no file, and no target": (READ, make(".PHONY: tset", "test:", "\tuv run pytest")),
    "a recipe with a misspelt flag": (READ, make("test:", "\t@uv run hooks/seal_secrets.py --chek")),
    "a recipe that calls what there is not": (PATHS, make("seal:", "\tuv run hooks/seal_secret.py")),
    "a program that is no Python": (READ, write("scripts/own.py", "def main(:\n    pass\n")),
    "a program with a misspelt name": (READ, write("scripts/own.py", "import sys\n\nprint(sys.agrv)\n")),
    "a step in no folder": (PATHS, job("{run: make, working-directory: clusterz}")),
    "a job for the chart that leaves it out": (STEPS, substitute(VALIDATE, "pytest -m chart", "pytest -m 'not chart'")),
    "a job for the chart that needs a key": (STEPS, substitute(VALIDATE, "pytest -m chart", "pytest -m decrypt")),
    "a job for the chart that leaves it out (GitLab)": (
        STEPS,
        substitute(PIPELINE, "pytest -m chart", "pytest -m 'not chart'"),
        GITLAB,
    ),
    "a path of its own alone": (STEPS, change(VALIDATE, 'PATH="$PWD/.bin:$PATH"', 'PATH="$PWD/.bin"')),
    "a path to where nothing is (GitLab)": (STEPS, substitute(PIPELINE, r"\$PWD/\.bin:", "$PWD/bin:", 1), GITLAB),
    "a job without uv": (STEPS, remove(VALIDATE, ("jobs", "chart", "steps", 1))),
    "an output that is empty": (STEPS, change(UPDATE, "release != ''", "release == ''")),
    "a variable under a longer name": (STEPS, change(UPDATE, "          TITLE:", "          ISSUE_TITLE:")),
    "a folder of a matrix that is not there": (
        PATHS,
        hosted("uses: actions/checkout@v7", "run: kubectl kustomize 'clusters/${{ matrix.own }}'", more=MATRIX),
    ),
    "a chart that is not there": (PATHS, job("run: helm lint litelm")),
    "a field that is asked for by a slip": (STEPS, change(UPDATE, "--json title", "--json tilte")),
    "an entry point for no program": (READ, change("hooks/auth_matrix.py", "env python3", "env pyhton3")),
    "a script for no shell": (READ, write("bin/own.sh", "#!/usr/bin/env bsh\necho\n")),
    "an output that nothing writes": (STEPS, substitute(UPDATE, r" +print\(.*\n", "")),
}
HARMLESS: dict[str, Harmless] = {
    "commands of one's own": document(
        "kubectl ctx prod && kubectl neat < own.yaml",
        "flux -n flux-system get kustomizations --watch",
        "git -c core.pager=cat lg",
        "docker compose -f own.yaml -p up up --detach",
        "uvx --with pyrage copier copy --trust . own",
        "uv run pytest -m 'chart or (decrypt and not slow)' -k aws",
        "sops secrets/own.yaml",
        "if true; then",
        "  make lint",
        "fi",
    ),
    "a document in a block": document("cat << 'END' > own.txt", "git chekcout", "END", "kubectl apply -f own.yaml"),
    "uv from elsewhere": job("run: pip install uv && uv run --locked pytest -k own", "run: uvx yamllint ."),
    "a path beside what it was": job(
        "{run: 'export PATH=\"$PWD/bin:$PATH\" && own', env: {OWN_HOME: a}}", "run: echo $HOME"
    ),
    "a step where nothing changed": job(
        '{id: own, run: \'echo "own=$(git diff)" >> "$GITHUB_OUTPUT"\'}',
        "{if: steps.own.outputs.own == '', run: echo nothing}",
    ),
    "a script for another shell": write("bin/own.sh", "#!/usr/bin/env fish\nfor each in 1 2\n  echo $each\nend\n"),
    "output of commands": append(README, "\n```\nuv lok --lists\n```\n\n~~~text\ngit chekcout\n~~~\n"),
    "code in a list, and code in code": append(README, "\n- Own:\n\n  ````md\n  ```sh\n  make\n  ```\n  ````\n"),
    "a Makefile": make(
        ".PHONY: all test lint",
        "CLUSTERS := aws gcp",
        "all: test lint ## everything",
        "test: lint",
        "\tuv run --locked pytest $(ARGS)",
        "lint:",
        "\t@uvx yamllint --strict . \\",
        "    && echo done",
        "$(CLUSTERS):",
        "\tkubectl kustomize clusters/$@ > build/$@.yaml",
        "build/%.yaml: litellm/values-%.yaml README.md",
        "\tmkdir -p $(@D)",
        "ifdef CI",
        "    ARGS := -v",
        "    lint: tests",
        "endif",
        "define USAGE",
        "all:",
        "    make test",
        "endef",
        "tests: ; @echo $$HOME",
    ),
    "recipes of another mark": make(".RECIPEPREFIX = >", "test:", "> uv run pytest", "all: tset"),
    "programs of one's own": write(
        "scripts/own.py", "#!/usr/bin/env python3\ntype Own = int\n\ndef own[T](each: T) -> T:\n    return each\n"
    ),
    "a program of a template": write("scripts/own.py", "def {{ name }}(:\n    pass\n"),
    "a folder that a step makes": job("run: mkdir build", "{run: make -C .., working-directory: build}"),
    "a folder of another repository": job(
        "{uses: actions/checkout@v7, with: {repository: own/ci, path: ci}}", "{run: make, working-directory: ci/own}"
    ),
    "a folder of a variable": job("{run: make, working-directory: '${{ github.workspace }}/own'}"),
    "a job for the chart that runs more": change(VALIDATE, "pytest -m chart", "pytest -m 'chart or not chart'"),
    "a job for the chart that calls helm": change(
        VALIDATE, "run: uv run --locked pytest -m chart", "run: helm lint litellm"
    ),
    "a check that runs all (GitLab)": (change(PIPELINE, "uv run --locked pytest -m chart", "make chart"), GITLAB),
    "an output of another program": append_item(
        VALIDATE, ("jobs", "chart", "steps"), {"id": "own", "run": 'bin/own >> "$GITHUB_OUTPUT"'}
    ),
    "a step that is told where": set_value(VALIDATE, ("jobs", "chart", "steps", 3, "working-directory"), "."),
}

test_a_fault_is_found_by_its_rule_alone = found_by_its_rule_alone(FAULTS)
test_what_the_owner_may_do_is_accepted = accepted(HARMLESS)
