"""What Grafana reads in a dashboard, as far as a rule needs it.

Source: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from litellm_gitops.documents import dig, sequence, text, walk

# $name, ${name} and ${name:format}. Grafana's own begin with two underscores, $1 is a group of a pattern, and what is
# written in capitals an import fills in.
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z]\w*)(?::\w+)?\}|([A-Za-z]\w*))")


def expressions(value: Any) -> Iterator[str]:
    """What the panels of a dashboard, or of a part of it, ask Prometheus for."""
    if "loki" in str(dig(value, "datasource")).lower():
        return  # which has a language of its own
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key == "expr" and isinstance(inner, str) and inner:
            yield inner
        else:
            yield from expressions(inner)


def unknown_variables(board: Any) -> list[str]:
    """The variables that a dashboard's sources and questions to Prometheus name, and that it does not have."""
    known = {text(dig(each, "name")) for each in sequence(dig(board, "templating", "list"))}
    is_whole = dig(board, "panels") is not None and not any(place[-1] == "libraryPanel" for place, _ in walk(board))
    named = [value for place, value in walk(board) if "datasource" in place[-2:] and value != place[-1]]
    found = [match[1] or match[2] for each in (*named, *expressions(board)) for match in _VARIABLE.finditer(each)]
    return [each for each in dict.fromkeys(found) if is_whole and each not in known and not each.isupper()]
