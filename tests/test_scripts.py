"""What is read of a script in a pipeline: whether it fails where the suite does, and which secrets it prints."""

from __future__ import annotations

import pytest

from litellm_gitops.pipelines.scripts import prints_a_secret, runs_the_suite

RUNS = (
    "uv run pytest",
    "uv sync --locked\nuv run pytest tests",
    "python -m pytest .  # all",
    "set -euo pipefail\nuv run pytest | tee r",
    "uv run pytest || exit 1",
    "F=1 uv run pytest && echo done",
    "uv run pytest || { gh pr comment -b failed; exit 1; }",
    'rc=0\nuv run pytest || rc=$?\necho "$rc"\nexit $rc',
    "uv sync --locked || uv sync --locked\nuv run pytest",
    "uv run pytest; echo done",
    "if ! uv run pytest; then\n exit 1\nfi",
    "if uv run pytest; then echo ok; else exit 1; fi",
    "bash -c 'uv run pytest -q'",
    "run() { uv run pytest; }\nrun",
    "set +e\nuv run pytest\nrc=$?\necho x\nexit $rc",
    "uv run pytest || uv run pytest",
    "git cat-file -e x || commits=HEAD\nuv run pytest",
    'if [ -n "$A" ]; then exit 0; fi\nuv run pytest',
    "cd a && uv run pytest",
    "uv run pytest &&\\\n echo ok",
    "set +e\na\nset -e\nuv run pytest\necho b",
    "until uv run pytest; do sleep 5; done",
    "uv run pytest && echo ok || { echo bad; exit 1; }",
    "uv run pytest --junit-xml=r.xml -p no:cacheprovider",
    "for p in 3.11 3.12; do uv run --python $p pytest; done",
    "time uv run pytest",
    "test -d tests && uv run pytest",
    "uv run pytest || (echo f >&2 && exit 1)",
    "bash <<'E'\nuv run pytest\nE",
    'uv run pytest || failed=1\nif [ -n "$failed" ]; then exit 1; fi',
)
RUNS_NOT = (
    "echo pytest",
    "# uv run pytest",
    "uv run pytest --collect-only",
    "uv run pytest tests/test_files.py",
    "uv run pytest || echo failed",
    "uv run pytest &",
    "set +e\nuv run pytest\necho done",
    "pip install pytest",
    "if uv run pytest; then echo ok; fi",
    "uv run pytest && echo ok || echo bad",
    'uv run pytest || echo "exit code $?"',
    "exit 0\nuv run pytest",
    "cat > run.sh <<'END'\nuv run pytest\nEND\n",
    "check() { uv run pytest; }\necho done",
    "until uv run pytest; do sleep 1; break; done",
    "uv run pytest || :",
    "(uv run pytest) || true",
    "set +e\nuv run pytest\nexit 0",
    "PYTEST_ADDOPTS='-k a' uv run pytest",
    "bash -c 'uv run pytest || true'",
    "! uv run pytest",
    "true || uv run pytest",
    "uv run pytest || rc=$?\necho $rc",
    "uv run pytest || { echo failed; }",
    "uv run pytest -o addopts= --co -q",
    "if ! uv run pytest; then echo failed; fi\nexit 0",
    "while ! uv run pytest; do break; done",
)
PRINTS = (
    "printenv",
    "env",
    "env | sort",
    "export -p",
    "set",
    "printenv SOPS_AGE_KEY",
    "x\nenv && y",
    'echo "${{ secrets.A }}" | base64',
    "echo $SOPS_AGE_KEY",
    'echo "$SOPS_AGE_KEY" | tee key.txt',
    'cat "$SOPS_AGE_KEY_FILE"',
    "python -c 'import os; print(os.environ)'",
    "cat /proc/self/environ",
    "sops decrypt secrets/x.yaml",
    "sops -d a.yaml",
    "uv run sops -d a | base64",
    "kubectl get secret a -n l -o yaml",
    "kubectl -n l get secret/a -o jsonpath='{.data.x}' | base64 -d",
    'echo "key: $(printenv SOPS_AGE_KEY)"',
    'echo "${SOPS_AGE_KEY}"',
    'echo "${SOPS_AGE_KEY:-none}"',
    "cat keys/aws.agekey",
    "if true; then env; fi",
    "aws secretsmanager get-secret-value --secret-id db",
    "echo $(sops -d f)",
    "TOKEN=$(cat f)\necho $TOKEN",
    "age -d -i key f",
    "env | grep SOPS_AGE_KEY",
    "sops -d a.yaml > a.txt; sops -d a.yaml",
    "bash -c 'printenv'",
    "cat access-token",
    "cat <<END\n$X\nEND\nenv",
    "gh auth token",
    "sudo env",
)
PRINTS_NOT = (
    'echo "::add-mask::$TOKEN"',
    'echo "key: ${SOPS_AGE_KEY:+set}"',
    'printf "%s" "$SOPS_AGE_KEY" > "$R/key"',
    'echo "TOKEN=$TOKEN" >> "$GITHUB_ENV"',
    'echo "$GPG_KEY" | gpg --import',
    'echo "$TOKEN" | docker login --password-stdin',
    'echo "$P_PASSWORD" | helm registry login x --password-stdin',
    "env FORCE_COLOR=1 uv run pytest",
    "set -euo pipefail",
    "echo 'set SOPS_AGE_KEY first'",
    "sops -d a.yaml | kubectl apply -f -",
    "sops -d a > b",
    "sops -d -i a",
    "sops -d --output x a",
    "TOKEN=$(sops -d f)",
    "kubectl get secret a",
    "kubectl get secret a -o name",
    "kubectl get secret a -o yaml > f",
    "kubectl get secret a -o yaml | kubeseal > b",
    "cat README.md",
    "echo '$TOKEN'",
    'echo "${#TOKEN}"',
    'echo "$CACHE_KEY"',
    "for KEY in a b; do echo $KEY; done",
    "KEY=abc\necho $KEY",
    "CACHE_KEY=$(date)\necho $CACHE_KEY",
    "PUBLIC_KEY=$(cat x)\necho $PUBLIC_KEY",
    '{ echo "$TOKEN"; } > f',
    'for i in a; do echo "$TOKEN"; done | gpg',
    '[ -n "$TOKEN" ] || exit 1',
    'test -n "$SOPS_AGE_KEY" && echo set',
    "printenv HOME",
    "env | grep -c CI_",
    "export TOKEN=$A_TOKEN",
    "python -c 'import os; print(os.environ[\"HOME\"])'",
    "cat <<END > f\n$TOKEN\nEND",
    "sops --version",
    "sops -d a | sha256sum",
    "sops -d f > /dev/null && echo ok",
    "MY_KEY=a; echo $MY_KEY",
    'echo "$TOKEN" | wc -c',
    "kubectl get secret a -o jsonpath='{.metadata.name}'",
    "set -x",
    "if [ -z \"$TOKEN\" ]; then echo 'no TOKEN'; fi",
    'cat "$GITHUB_STEP_SUMMARY"',
    "echo \\$TOKEN",
)


@pytest.mark.parametrize("script", RUNS)
def test_a_script_fails_where_the_suite_does(script: str) -> None:
    assert runs_the_suite(script, pipefail=True)


@pytest.mark.parametrize("script", RUNS_NOT)
def test_a_script_does_not_fail_where_the_suite_does(script: str) -> None:
    assert not runs_the_suite(script, pipefail=True)


def test_a_pipe_hides_a_failure_without_pipefail() -> None:
    assert not runs_the_suite("uv run pytest | tee report.txt", pipefail=False)


@pytest.mark.parametrize("script", PRINTS)
def test_a_script_prints_a_secret(script: str) -> None:
    assert prints_a_secret(script)


@pytest.mark.parametrize("script", PRINTS_NOT)
def test_a_script_prints_no_secret(script: str) -> None:
    assert not prints_a_secret(script)


@pytest.mark.parametrize(
    "script", ["'", '"$(', "$(", "`", "fi", "done; }", "((", ")", "<<", "f() {", "", "|| &&", "${{ a", "a <<E"]
)
def test_a_script_that_is_none_fails_nothing(script: str) -> None:
    assert not prints_a_secret(script)
    assert not runs_the_suite(script, pipefail=True)
