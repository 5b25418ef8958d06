"""The part of the Common Expression Language in which rules about Kubernetes' objects are written.

Source: https://github.com/google/cel-spec, https://kubernetes.io/docs/reference/using-api/cel/. An expression is read
as Python's, whose grammar is the same for what stands here: fields, lists, mappings, texts, numbers, sums, comparisons,
`in`, `!`, `&&`, `||`, `has`, the functions and methods below, and `all`, `exists`, `exists_one` and `filter` of a list
or of the keys of a mapping. A conditional (`? :`) becomes Python's.
"""

from __future__ import annotations

import ast
import ipaddress
import operator
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
QUANTITY = re.compile(r"[+-]?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,2}))?")
_SUFFIXES = {suffix: 1000.0**power for power, suffix in enumerate("num kMGTPE", -3)}
_SUFFIXES |= {f"{suffix}i": 1024.0**power for power, suffix in enumerate("KMGTPE", 1)}


class CelError(Exception):
    """An expression cannot be read here, or not be decided, as where it asks for a field that is not there."""


def quantity(value: Any) -> float:
    """The number that a quantity such as 500m, 2 or 4Gi stands for. Raises CelError."""
    match = QUANTITY.fullmatch(str(value))
    if match is None:
        raise CelError
    number, suffix, exponent = match.groups()
    return float(number) * (_SUFFIXES[suffix] if suffix else 10.0 ** int(exponent or 0))


def duration(value: Any) -> float:
    """The seconds of a duration such as 1h30m. Raises CelError."""
    if not re.fullmatch(r"-?(?:0|(?:[0-9.]+(?:h|m|s|ms|us|µs|ns))+)", str(value)):
        raise CelError
    found = sum(float(count) * _SECONDS[unit] for count, unit in re.findall(r"([0-9.]+)([a-zµ]+)", str(value)))
    return -found if str(value).startswith("-") else found


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def cidr(value: Any) -> Network:
    """The addresses of a range such as 10.0.0.0/8. Raises CelError."""
    try:
        return ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        raise CelError from None


def _contains(whole: Network, part: Any) -> bool:
    inner: Any = cidr(part)
    return whole.version == inner.version and bool(inner.subnet_of(whole))


def seconds(value: Any) -> float:
    """The seconds of a duration; 0 where it is none."""
    try:
        return duration(value)
    except CelError:
        return 0.0


_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "size": len,
    "string": str,
    "quantity": quantity,
    "duration": duration,
    "cidr": cidr,
}
_METHODS: Mapping[str, Callable[..., Any]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": lambda text, part: part in text,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
    "substring": lambda text, start: text[start:],
    "size": len,
    "lowerAscii": str.lower,
    "upperAscii": str.upper,
    "containsCIDR": _contains,
    "prefixLength": lambda network: network.prefixlen,
}
_EACH: Mapping[str, Callable[[Iterator[Any]], Any]] = {
    "all": all,
    "exists": any,
    "exists_one": lambda found: sum(map(bool, found)) == 1,
}
_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, of: item in of,
}
_WORDS = {"true": True, "false": False, "null": None}
# texts stay as they are; `!` binds as closely as Python's `~`
_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|&&|\|\||!=?|[]()[{}?:,]|\.from\b|[^]'\"&|!()[{}?:,.]+|.")
_PYTHON = {"&&": " and ", "||": " or ", "!": "~", ".from": ".__from__"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@cache
def parsed(expression: str) -> ast.expr:
    """An expression that can be evaluated. Raises CelError where it holds something that is not known here."""
    try:
        tokens = deque(_TOKEN.findall(" ".join(expression.split())))
        text = _in_python(tokens)
        tree = ast.parse(text + "".join(tokens), mode="eval").body
    except (SyntaxError, IndexError):
        raise CelError(f"it is not read here: {expression}") from None
    for node in ast.walk(tree):
        if not isinstance(node, _KNOWN) or (isinstance(node, ast.Call) and not _is_known(node)):
            raise CelError(f"{type(node).__name__} is not read here: {expression}")
    return tree


def _in_python(tokens: deque[str]) -> str:
    """One expression, up to the sign that ends it, which stays; raises IndexError where that is missing."""
    read: list[str] = []
    while tokens and tokens[0] not in (*_CLOSING.values(), ",", ":"):
        token = tokens.popleft()
        if token == "?":
            then, _ = _in_python(tokens), tokens.popleft()
            return f"(({then}) if ({''.join(read)}) else ({_in_python(tokens)}))"
        read.append(_PYTHON.get(token, token))
        if token in _CLOSING:
            while tokens[0] != _CLOSING[token]:
                read.append(_in_python(tokens) or tokens.popleft())
            read.append(tokens.popleft())
    return "".join(read)


_KNOWN = (
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Invert,
    ast.USub,
    ast.BinOp,
    ast.Add,
    ast.Compare,
    *_COMPARED,
    ast.Call,
)
_KNOWN = (*_KNOWN, ast.IfExp, ast.Attribute, ast.Subscript, ast.List, ast.Dict, ast.Name, ast.Constant, ast.Load)


def _is_known(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id in ("has", *_FUNCTIONS)
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("filter", *_EACH, *_METHODS)


def holds(expression: str, **names: Any) -> bool:
    """Whether an expression is true, or cannot be decided, as where a field is absent whose default is not known."""
    try:
        return bool(_value(parsed(expression), names))
    except (CelError, TypeError, AttributeError, re.error):
        return True


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name(id=name):
            return _WORDS[name] if name in _WORDS else _item(names, name)
        case ast.Attribute(value=above, attr=name):
            # __namespace__ is the field that has the name of a word of the language
            return _item(_value(above, names), name.removeprefix("__").removesuffix("__"))
        case ast.Subscript(value=above, slice=key):
            return _item(_value(above, names), _value(key, names))
        case ast.List(elts=items):
            return [_value(item, names) for item in items]
        case ast.Dict(keys=keys, values=items):
            return {_value(key, names): _value(item, names) for key, item in zip(keys, items, strict=True) if key}
        case ast.BinOp(left=left, right=other):
            return _value(left, names) + _value(other, names)
        case ast.UnaryOp(op=sign, operand=operand):
            found = _value(operand, names)
            return -found if isinstance(sign, ast.USub) else not found
        case ast.BoolOp(op=which, values=parts):
            return _either(isinstance(which, ast.Or), parts, names)
        case ast.IfExp(test=test, body=then, orelse=other):
            return _value(then if _value(test, names) else other, names)
        case ast.Compare(left=left, ops=ops, comparators=right):
            values = [_value(each, names) for each in (left, *right)]
            return all(_COMPARED[type(op)](*values[number : number + 2]) for number, op in enumerate(ops))
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return _has(argument, names) if name == "has" else _FUNCTIONS[name](_value(argument, names))
        case ast.Call(func=ast.Attribute(value=of, attr=name), args=[ast.Name(id=each), inner]):
            items = _value(of, names)
            if name == "filter":
                return [item for item in items if _value(inner, {**names, each: item})]
            return _EACH[name](_value(inner, {**names, each: item}) for item in items)
        case ast.Call(func=ast.Attribute(value=of, attr=name), args=arguments):
            return _METHODS[name](_value(of, names), *(_value(argument, names) for argument in arguments))
    raise CelError


def _item(above: Any, key: Any) -> Any:
    if isinstance(above, list) and isinstance(key, int) and 0 <= key < len(above):
        return above[key]
    if not isinstance(above, Mapping) or above.get(key) is None:
        raise CelError
    return above[key]


def _has(field: ast.expr, names: Mapping[str, Any]) -> bool:
    try:
        _value(field, names)
    except CelError:
        return False
    return True


def _either(wanted: bool, parts: list[ast.expr], names: Mapping[str, Any]) -> bool:
    """`||` (wanted: true) or `&&` (false): one part that decides is enough, whatever cannot be decided before it."""
    undecided = False
    for part in parts:
        try:
            if bool(_value(part, names)) is wanted:
                return wanted
        except CelError:
            undecided = True
    if undecided:
        raise CelError
    return not wanted
