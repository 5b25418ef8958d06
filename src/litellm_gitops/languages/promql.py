"""What Prometheus refuses of an expression, and which metrics it asks for.

The grammar: https://prometheus.io/docs/prometheus/latest/querying/basics/ and operators/; the types of what functions
take: querying/functions/. A function or a variable of Grafana's that is not known here may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple, NoReturn

from litellm_gitops.spelling import closest


class PromqlError(Exception):
    """Prometheus refuses the expression, or it can have no result; in words that go on after its name."""


class Matcher(NamedTuple):
    """`label="value"`, or another operator, of one selector, and the metric that it selects from."""

    label: str
    operator: str
    value: str
    metric: str = ""


class Asked(NamedTuple):
    """What an expression asks Prometheus for."""

    metrics: tuple[str, ...]
    matchers: tuple[Matcher, ...]


class _Value(NamedTuple):
    type: str  # vector, range, scalar, text, or any
    number: float | None = None
    without_le: bool = False
    is_selector: bool = False


_UNIT = "(?:ms|[smhdwy])"
_TOKEN = re.compile(
    rf"""\s+|\#[^\n]*
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
    |(?P<variable>(?:[a-zA-Z_][\w:]*)?(?:(?:\$\w+|\$\{{[^}}]*\}}|\[\[\w+\]\])\w*)+)
    |(?P<duration>(?:\d+{_UNIT})+(?!\w))
    |(?P<number>0x[0-9a-fA-F]+|(?:\d[\d_]*)(?:\.\d*)?(?:[eE][+-]?\d+)?(?!\w)|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<name>[a-zA-Z_][\w:]*)
    |(?P<sign>==|!=|<=|>=|=~|!~|[-+*/%^<>=(){{}}\[\],:@])
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
# operators, the loosest first
_LEVELS = ("or", "and unless", "== != <= >= < >", "+ -", "* / % atan2", "^")
_SETS = {"or", "and", "unless"}
_COMPARED = set(_LEVELS[2].split())
_TYPES = {"v": "vector", "r": "range", "s": "scalar", "t": "text"}
# v: vector, r: range, s: scalar, t: text; ? the one before may be missing, * it may come again
_SIGNATURES = """
    v abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg histogram_count
    v histogram_stddev histogram_stdvar histogram_sum ln log10 log2 rad scalar sgn sin sinh sort sort_desc sqrt tan tanh
    v timestamp
    v? day_of_month day_of_week day_of_year days_in_month hour minute month year
    r absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate
    r last_over_time mad_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time
    r stdvar_over_time sum_over_time
    vs clamp_max clamp_min
    vss clamp
    vs? round
    vv? info
    vt* sort_by_label sort_by_label_desc
    vttt* label_join
    vtttt label_replace
    s vector
    sv histogram_quantile
    ssv histogram_fraction
    sr quantile_over_time
    rs predict_linear
    rss double_exponential_smoothing holt_winters
    . pi time
"""
_FUNCTIONS = {name: types for types, *names in map(str.split, _SIGNATURES.strip().splitlines()) for name in names}
_AGGREGATIONS = {
    **dict.fromkeys(("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"), 1),
    **dict.fromkeys(("topk", "bottomk", "quantile", "count_values", "limitk", "limit_ratio"), 2),
}
_SCALARS = {"scalar", "time", "pi"}
# what is nearly one of these and is another function: of a newer release, or of VictoriaMetrics
_OTHERS = {
    *("histogram_quantiles", "mode_over_time", "quantiles_over_time", "sum2_over_time"),
    *("tmax_over_time", "tmin_over_time"),
}
# by which both go further than the grammar that is known here
_FURTHER = {"anchored", "default", "fill", "fill_left", "fill_right", "keep_metric_names", "max_of", "min_of"}
_FURTHER |= {"range", "smoothed", "step"}


@cache
def asked(expression: str) -> Asked:
    """What an expression asks for. Raises PromqlError where it has no result that a rule or a panel can use."""
    tokens = [*_tokens(expression)]
    parser = _Parser(tokens)
    try:
        found = parser.expression(0)
        if parser.kind:
            parser.refuse()
    except PromqlError:
        if any(kind == "name" and word in _FURTHER for kind, word in tokens):
            return Asked(tuple(parser.metrics), tuple(parser.matchers))
        raise
    if found.type in ("range", "text"):
        raise PromqlError("is no number and no vector")
    return Asked(tuple(parser.metrics), tuple(parser.matchers))


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(expression):
        if match.lastgroup:
            yield match.lastgroup, match[0]


class _Parser:
    """Reads tokens from the left to the right; a method reads what it is called after."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.rest = [*reversed(tokens)]
        self.metrics: list[str] = []
        self.matchers: list[Matcher] = []

    @property
    def kind(self) -> str:
        return self.rest[-1][0] if self.rest else ""

    @property
    def next(self) -> str:
        return self.rest[-1][1] if self.rest and self.kind != "text" else ""

    def refuse(self) -> NoReturn:
        """Raises what is wrong where the parser stands."""
        raise PromqlError(f"is refused at {self.rest[-1][1]!r}" if self.rest else "ends too early")

    def take(self, *wanted: str, kind: str = "") -> str:
        """The next token, which must be one of these or of that kind."""
        if not self.rest or not (self.next in wanted if wanted else self.kind == kind):
            self.refuse()
        return self.rest.pop()[1]

    def has(self, *wanted: str) -> bool:
        """Whether the next token is one of these; it is taken then."""
        if self.next and self.next.lower() in wanted:
            self.rest.pop()
            return True
        return False

    def expression(self, level: int) -> _Value:
        if level == len(_LEVELS):
            return self.signed()
        left = self.expression(level + 1)
        while self.next and self.next.lower() in _LEVELS[level].split():
            operator = self.rest.pop()[1].lower()
            is_bool = self.has("bool")
            if self.has("on", "ignoring"):
                self.labels()
                if self.has("group_left", "group_right") and self.next == "(":
                    self.labels()
            right = self.expression(level if operator == "^" else level + 1)
            left = _joined(left, operator, right, is_bool)
        return left

    def signed(self) -> _Value:
        if self.has("-", "+"):
            return self.expression(len(_LEVELS) - 1)._replace(number=None)
        found = self.primary()
        while self.next in ("[", "@") or self.next.lower() == "offset":
            found = self.range(found) if self.next == "[" else self.shifted(found)
        return found

    def range(self, found: _Value) -> _Value:
        self.take("[")
        self.duration()
        if self.has(":"):
            if self.next != "]":
                self.duration()
        elif not found.is_selector and found.type != "any":
            raise PromqlError("has a time behind what is no metric: write [1h:] for one of a result")
        self.take("]")
        return _Value("range")

    def shifted(self, found: _Value) -> _Value:
        if self.has("@"):
            if self.has("start", "end"):
                self.take("(")
                self.take(")")
            else:
                self.has("-", "+")
                self.take(kind="number")
        else:
            self.rest.pop()
            self.has("-", "+")
            self.duration()
        return found

    def duration(self) -> None:
        if self.kind not in ("duration", "variable", "number"):  # a number is of seconds
            self.refuse()
        self.rest.pop()

    def primary(self) -> _Value:
        if self.has("("):
            found = self.expression(0)
            self.take(")")
            return found._replace(is_selector=False)
        if self.next == "{":
            return self.selector("")
        kind = self.kind
        if kind not in ("text", "number", "duration", "variable", "name"):
            self.refuse()
        word = self.rest.pop()[1]
        if kind == "name" and word.lower() not in ("inf", "nan"):
            return self.named(word)
        if kind == "variable":
            return self.selector("")._replace(type="any")
        if kind == "text":
            return _Value("text")
        is_plain = re.fullmatch(r"[\d.]+", word)
        return _Value("scalar", float(word) if is_plain else None)

    def named(self, name: str) -> _Value:
        if name.lower() in _AGGREGATIONS and (self.next == "(" or self.next.lower() in ("by", "without")):
            return self.aggregation(name.lower())
        return self.call(name) if self.next == "(" else self.selector(name)

    def aggregation(self, name: str) -> _Value:
        grouped = self.grouping()
        values = self.arguments()
        grouped = grouped or self.grouping()
        if len(values) != _AGGREGATIONS[name]:
            raise PromqlError(f"gives {name} {len(values)} arguments, not {_AGGREGATIONS[name]}")
        _fits(name, values[-1], "vector")
        how, labels = grouped or ("by", [])
        return _Value("vector", without_le=("le" in labels) is (how == "without"))

    def grouping(self) -> tuple[str, list[str]] | None:
        how = self.next.lower()
        return (how, self.labels()) if self.has("by", "without") else None

    def labels(self) -> list[str]:
        self.take("(")
        found = []
        while self.next != ")":
            found.append(self.take(kind=self.kind if self.kind in ("text", "variable") else "name"))
            if not self.has(","):
                break
        self.take(")")
        return found

    def arguments(self) -> list[_Value]:
        self.take("(")
        found = []
        while self.next != ")":
            found.append(self.expression(0))
            if not self.has(","):
                break
        self.take(")")
        return found

    def call(self, name: str) -> _Value:
        before, values, wanted = len(self.metrics), self.arguments(), _FUNCTIONS.get(name)
        if wanted is None:
            if meant := name not in _OTHERS and closest(name, [*_FUNCTIONS, *_AGGREGATIONS]):
                raise PromqlError(f"calls {name}, which does not exist; did you mean {meant}?")
            return _Value("any")
        types = re.sub(r"\W", "", wanted)
        fewest, most = len(re.sub(r"\w[?*]|\W", "", wanted)), 99 if "*" in wanted else len(types)
        if not fewest <= len(values) <= most:
            raise PromqlError(f"gives {name} {len(values)} arguments")
        for value, letter in zip(values, types + types[-1:] * len(values), strict=False):
            _fits(name, value, _TYPES[letter])
        if name == "histogram_quantile":
            has_buckets = any(metric.endswith("_bucket") for metric in self.metrics[before:])
            _check_quantile(values[0], values[1], has_buckets)
        return _Value("scalar" if name in _SCALARS else "vector")

    def selector(self, name: str) -> _Value:
        if name:
            self.metrics.append(name)
        if self.has("{"):
            while self.next != "}":
                self.matcher(name)
                if not self.has(","):
                    break
            self.take("}")
        return _Value("vector", is_selector=True)

    def matcher(self, metric: str) -> None:
        if self.kind == "variable":  # which Grafana makes matchers of
            self.take(kind="variable")
            return
        is_quoted = self.kind == "text"
        label = self.take(kind="text" if is_quoted else "name")
        if is_quoted and self.next in (",", "}"):
            self.metrics.append(label[1:-1])
            return
        operator, value = self.take("=", "!=", "=~", "!~"), self.take(kind="text")[1:-1].replace("\\\\", "\\")
        self.matchers.append(Matcher(label, operator, value, metric))
        if operator.endswith("~") and "$" not in value and "(?" not in value:
            try:
                re.compile(value)
            except re.error:
                if "\\" not in value:  # RE2 knows other classes
                    raise PromqlError(f"has a pattern that is none: {value}") from None


def _joined(left: _Value, operator: str, right: _Value, is_bool: bool) -> _Value:
    types = {left.type, right.type}
    if types & {"range", "text"}:
        raise PromqlError(f"has a {min(types & {'range', 'text'})} beside {operator}")
    if operator in _SETS and "scalar" in types:
        raise PromqlError(f"has a number beside {operator}")
    if operator in _COMPARED and types == {"scalar"} and not is_bool:
        raise PromqlError(f"compares two numbers with {operator}: write {operator} bool")
    return _Value("scalar" if types == {"scalar"} else "any" if types == {"any"} else "vector")


def _fits(name: str, value: _Value, wanted: str) -> None:
    if value.type not in (wanted, "any"):
        missing = ": write a time such as [5m]" if (value.type, wanted) == ("vector", "range") else ""
        raise PromqlError(f"gives {name} a {value.type}, not a {wanted}{missing}")


def _check_quantile(quantile: _Value, buckets: _Value, has_buckets: bool) -> None:
    """A native histogram has no label le."""
    if quantile.number is not None and quantile.number > 1:
        raise PromqlError(f"asks for the quantile {quantile.number:g}, which is of 1")
    if buckets.without_le and has_buckets:
        raise PromqlError("asks for a quantile of buckets without their label le")
