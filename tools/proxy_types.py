"""The types of LiteLLM's classes, of what its functions take and of what its modules hold, as JSON."""

from __future__ import annotations

import collections.abc
import datetime
import enum
import inspect
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any

# What a class asks for and LiteLLM itself fills in, and what it takes under a second name before the class sees it.
FILLED_IN = {
    "MCPServer": {"name", "server_id", "transport"},
    "ModelInfo": {"id"},
    "PromptInfo": {"prompt_type"},
    "PromptSpec": {"prompt_info"},
}
# Classes that look at unknown keys themselves.
CLOSED = {"LiteLLM_JWTAuth"}
SECOND_NAMES = {"BudgetConfig": {"time_period": "budget_duration", "budget_limit": "max_budget"}}
# What LiteLLM itself takes apart before the class sees it.
WIDER: dict[str, dict[str, Any]] = {
    "LiteLLM_Params": {"organization": {"list": "str"}},
    "ModelInfo": {"id": "int"},
    "ModelInfoBase": {"mode": "str"},
    "completion": {"reasoning_effort": "any"},
    "litellm": {"callbacks": "any", "vertex_ai_safety_settings": "any"},
}
PLAIN = {str: "str", int: "int", float: "float", bool: "bool", type(None): "null", dict: "dict", list: "list"}
PLAIN |= {datetime.datetime: "datetime", datetime.time: "time"}


class Types:
    """The types of classes, as JSON: a name, a list (any of these), or a mapping with one key.

    {"list": type}, {"dict": type of the values}, {"enum": values}, {"model": name of a class in `models`}.
    """

    def __init__(self, deep: bool = True) -> None:
        self.models: dict[str, Any] = {}
        self.deep = deep  # else a class in another is any mapping

    def of(self, hint: Any) -> Any:
        """The type of an annotation; "any" where anything fits."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if hint in PLAIN:
            return PLAIN[hint]
        if origin in (typing.Union, types.UnionType):
            return self.either(arguments)
        if origin is typing.Literal:
            return {"enum": [getattr(each, "value", each) for each in arguments]}
        if origin is typing.Annotated or str(origin).endswith(("Required", "ReadOnly")):
            return self.of(arguments[0])
        if origin in (list, tuple, set, collections.abc.Sequence):
            return {"list": self.of(arguments[0])} if arguments else "list"
        if origin in (dict, collections.abc.Mapping):
            return {"dict": self.of(arguments[1])} if arguments else "dict"
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return {"enum": [each.value for each in hint]}
        if hasattr(hint, "model_fields") or hasattr(hint, "__required_keys__"):
            return {"model": self.model(hint)} if self.deep else "dict"
        return "any"

    def either(self, hints: tuple[Any, ...]) -> Any:
        """Any of some types, but those that no YAML can be, such as a class of httpx."""
        if {object, Any} & set(hints):
            return "any"
        found: list[Any] = []
        for hint in hints:
            kind = self.of(hint)
            found += [kind] if kind not in found and not (kind == "any" and inspect.isclass(hint)) else []
        return "any" if "any" in found else found

    def model(self, owner: Any) -> str:
        """The name under which a class stands in `models`."""
        name = f"{owner.__module__}.{owner.__qualname__}".removeprefix("litellm.")
        if name not in self.models:
            self.models[name] = {}  # before its fields, which may name it
            self.models[name] = self.described(owner)
        return name

    def described(self, owner: Any) -> dict[str, Any]:
        """The fields of a class, those that it asks for, and what it does with others."""
        hints = hints_of(owner)
        if hasattr(owner, "model_fields"):
            hints |= dict.fromkeys(changed_before(owner), Any)
            required = {key for key, each in owner.model_fields.items() if each.is_required()}
            extra = owner.model_config.get("extra") or "ignore"
        else:
            required, extra = set(getattr(owner, "__required_keys__", ())), "ignore"
        short = owner.__name__
        fields = {key: self.of(hint) for key, hint in hints.items()}
        fields |= {key: [*fields[key], kind] for key, kind in WIDER.get(short, {}).items()}
        fields |= {second: fields[key] for second, key in SECOND_NAMES.get(short, {}).items()}
        wanted = sorted(required - FILLED_IN.get(short, set()))
        return {"fields": fields, "required": wanted, "extra": "forbid" if short in CLOSED else extra}

    def hinted(self, owners: Iterable[Any]) -> dict[str, Any]:
        """The fields of some owners, whose types nobody holds to; a field of several is as the first has it."""
        fields: dict[str, Any] = {}
        for owner in owners:
            wider = WIDER.get(getattr(owner, "__name__", ""), {})
            for key, hint in hints_of(owner).items():
                kind = wider.get(key, self.of(hint))
                some = [each for each in kind if each != "null"] if isinstance(kind, list) else [kind]
                fields.setdefault(key, some[0] if len(some) == 1 else some or "any")  # nothing fits everywhere
        return fields


def hints_of(owner: Any) -> dict[str, Any]:
    """The annotations of a class of fields, of what a function or another class takes, or of what a module holds."""
    if hasattr(owner, "model_fields"):
        return {key: each.annotation for key, each in owner.model_fields.items()}
    if hasattr(owner, "__required_keys__"):
        return typing.get_type_hints(owner)
    if inspect.ismodule(owner):
        plain = {key: type(value) for key, value in vars(owner).items() if type(value) in (bool, int, float)}
        return plain | evaluated(owner.__annotations__, vars(owner))
    function = inspect.unwrap(owner.__init__ if inspect.isclass(owner) else owner)
    return evaluated(function.__annotations__, function.__globals__)


def evaluated(annotations: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """Annotations that may be texts; what cannot be evaluated is anything."""
    found = {}
    for key, hint in annotations.items():
        try:
            found[key] = eval(hint, names) if isinstance(hint, str) else hint
        except (NameError, TypeError, AttributeError):
            found[key] = Any
    return found


def changed_before(owner: Any) -> Iterator[str]:
    """The fields that a function of the class sees before their type does."""
    for decorator in owner.__pydantic_decorators__.field_validators.values():
        if decorator.info.mode != "after":
            yield from owner.model_fields if "*" in decorator.info.fields else decorator.info.fields
