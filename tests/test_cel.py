"""What an expression says of an object, as Kubernetes reads it."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_gitops.languages import cel

POD = {"name": "own", "replicas": 3, "labels": {"app": "own"}, "ports": [{"name": "a"}, {"name": "b"}], "none": None}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("self.replicas <= 2", False),
        ("!(self.replicas == 3) || self.name != 'a && b'", True),
        ("!has(self.none) && has(self.labels.app) && !has(self.other.field)", True),
        ("self.name.startsWith('o') && self.name.substring(1).contains('wn')", True),
        ("self.name.matches('^[a-z]$')", False),
        ("self.name in ['own', 'other'] && 'app' in self.labels", True),
        ("self.ports.all(port, self.ports.exists_one(other, other.name == port.name))", True),
        ("self.ports.exists(port, port.name == 'c')", False),
        ("size(self.ports.filter(port, port.name == 'a')) == 1", True),
        ("self.labels.all(key, self.labels[key] == 'own')", True),
        ("has(self.none) ? false : self.name == 'a?b:c' ? false : size(self.name) == 3", True),
        ("self.ports.all(port, (port.name == 'a' ? [1, 2] : [1])[0] == 1)", True),
        ("has(self.ports[0].name) && !has(self.ports[2].name) && self.ports[1].name == 'b'", True),
        ("self.__name__ == 'own' && self.replicas != 2", True),
        ("{'a': 1, 'b': 2}[self.name == 'own' ? 'a' : 'b'] + 1 == 2", True),
        ("has(self.from) || self.name.upperAscii() == 'OWN'", True),
        ("duration('1h30m') == duration('5400s') && duration('0s') > duration('1ms')", False),
        ("quantity('1Gi') <= quantity('1000M')", False),
        ("self.other == 'x' && self.replicas == 4", False),  # one part decides, whatever the other is
    ],
)
def test_an_expression_is_evaluated(expression: str, expected: bool) -> None:
    assert cel.holds(expression, self=POD) is expected


@pytest.mark.parametrize(
    "expression", ["self.other < 3", "self.name < 3", "oldSelf == self", "quantity(self.name) > 1"]
)
def test_what_cannot_be_decided_holds(expression: str) -> None:
    assert cel.holds(expression, self=POD)


@pytest.mark.parametrize(
    "expression",
    [
        "self.a ? 1",
        "self.a ? 1 : 2 : 3",
        "size((self)",
        "__import__('os')",
        "self.a.open('x')",
        "[x for x in self]",
        "lambda: 1",
        "a b",
    ],
)
def test_what_is_not_known_is_refused(expression: str) -> None:
    with pytest.raises(cel.CelError):
        cel.parsed(expression)
    unknown: dict[str, Any] = {}
    assert cel.holds(expression, self=unknown)
