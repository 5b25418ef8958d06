"""What Dependabot reads of its settings by a slip.

https://docs.github.com/en/code-security/reference/supply-chain-security/dependabot-options-reference
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import Place, mapping, sequence, text

FILES = (".github/dependabot.yml", ".github/dependabot.yaml")
_ELSEWHERE = re.compile(r"(?:.*/)?dependabot\.ya?ml")


def astray(settings: dict[Any, Any], folders: set[str]) -> Iterator[tuple[Place, str, str]]:
    """(where, what is wrong, what to do) of folders in which it is to look, and that are not there."""
    for number, entry in enumerate(map(mapping, sequence(settings.get("updates")))):
        listed: list[tuple[Place, str]] = []
        listed += [(("directory",), text(entry.get("directory")))] if "directory" in entry else []
        listed += [(("directories", at), text(each)) for at, each in enumerate(sequence(entry.get("directories")))]
        for place, given in listed:
            folder = given.strip("/").removeprefix("./")
            if folder and not re.search(r"[*?\[]", folder) and folder not in folders:
                where: Place = ("updates", number, *place)
                yield where, f"there is no folder {given}, and Dependabot looks at nothing", "correct the path"


def unread(files: list[str]) -> list[str]:
    """Settings that stand where Dependabot does not look, and no other beside them."""
    found = [file for file in files if _ELSEWHERE.fullmatch(file) and file.count("/") < 3]
    return [] if {*found} & {*FILES} else found
