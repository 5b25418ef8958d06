"""What stands for `aws`, `gcloud`, `az`, `jq`, `psql` while the commands of a README run; `CALLS` has what was called.

It answers what those commands ask for. An id that Azure would have made up says what it is the id of.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

ACCOUNT = "123456789012"  # of AWS, and the number of the project in Google Cloud


def answer(name: str, given: list[str]) -> str:
    """What the command prints."""
    text = " ".join([name, *given])
    if name == "kubectl":  # where there is no cluster
        return json.dumps({"issuer": os.environ["ISSUER"]})
    if name == "jq":
        return str(json.load(sys.stdin)[given[-1].removeprefix(".")])
    if re.search(r"iam (?:create|get)-role .*--query Role.Arn", text, re.DOTALL):
        return f"arn:aws:iam::{ACCOUNT}:role/{given[given.index('--role-name') + 1]}"
    if "--query Role.AssumeRolePolicyDocument.Statement" in text:
        return statements(given[given.index("--role-name") + 1])
    if found := re.search(r"projects describe (\S+) .*value\((\w+)\)", text):
        return ACCOUNT if found[2] == "projectNumber" else f"project-{found[1]}"
    if found := re.search(r"(?:identity|account) list .*=='([^']+)'", text):
        return f"/{found[1]}"
    if found := re.search(r"describe-db-clusters .*Endpoint=='([^']+)'", text):
        return f"cluster-of-{found[1]}"
    if found := re.search(r"identity show --ids /(\S+) --query principalId", text):
        return f"principal-of-{found[1]}"
    return "group" if "identity show" in text else ""


def statements(role: str) -> str:
    """The statements of the trust that a role has by now."""
    found = ""
    for line in Path(os.environ["CALLS"]).read_text("utf-8").splitlines():
        call = json.loads(line)
        if role in call and ("create-role" in call or "update-assume-role-policy" in call):
            found = next(each for each in call if each.startswith('{"Version"'))
    return json.dumps(json.loads(found)["Statement"])


def main() -> None:
    """Note the call, and answer."""
    name, given = Path(sys.argv[0]).name, sys.argv[1:]
    if name == "kubectl" and "KUBECTL" in os.environ and "rollout" not in given:  # no pod runs in that cluster
        os.execv(os.environ["KUBECTL"], ["kubectl", *given])
    if name not in ("jq", "kubectl"):
        with Path(os.environ["CALLS"]).open("a", encoding="utf-8") as calls:
            calls.write(json.dumps([name, *given]) + "\n")
    print(answer(name, given))


if __name__ == "__main__":
    main()
