"""Names and their values as they stand in settings, scripts and code: what is no YAML, or is no more."""

from __future__ import annotations

import re
from collections.abc import Iterator

from litellm_gitops.sealing.forms import problem

# a line that sets something in a text of any language, and a pair in JSON
LINE = re.compile(
    r"""^\s*(?:export\s+)?["']?([A-Za-z][\w.-]*)["']?[ \t]*(?:[:?]=|[:=])[ \t]*(?:\\\n\s*)?"""
    r"""["']?([^\s(){}$<>\[\],;"'`|\\]{4,})["']?,?\s*(?:\#.*)?$""",
    re.MULTILINE,
)
PAIR = re.compile(r'"([\w.-]+)"\s*:\s*"([^"\\\s]{4,})"')
_VALUE = r'"([^"\\\s]{4,})"'
_OF_SETTINGS = (
    LINE,
    PAIR,
    # before a command, and in a unit of systemd
    re.compile(
        r"""^\s*(?:Environment=["']?)?([A-Z][A-Z0-9_]*)=["']?([^\s(){}$<>\[\],;"'`|\\]{4,})["']?(?:[ \t]+\S|$)""",
        re.MULTILINE,
    ),
    # in a table of TOML in one line, as the default of a variable of Terraform, and beside its name there and in JSON
    re.compile(rf"[{{,][ \t]*([\w.-]+)[ \t]*=[ \t]*{_VALUE}"),
    re.compile(rf"""^variable\s+"([\w-]+)"\s*\{{[^{{}}]*?\bdefault\s*=\s*{_VALUE}""", re.MULTILINE),
    re.compile(rf"""["']?\b(?:name|key)["']?\s*[:=]\s*"([\w.-]+)",?\s*["']?value["']?\s*[:=]\s*{_VALUE}"""),
    re.compile(rf'"([\w.-]+)"\s*:\s*\{{\s*"value"\s*:\s*{_VALUE}'),  # parameters of Azure
    re.compile(r"<key>([\w.-]+)</key>\s*<string>([^<\s]{4,})</string>"),  # of Apple
)
# In quotes, and long enough or of so many signs that it is no word.
_OF_CODE = re.compile(
    # its type may stand between
    r"""\b([A-Za-z][\w-]*)(?:[\\"'\]]*[ \t]*(?::[ \t]*[&'\w]{1,12}[ \t]*)?(?::=|=>|[:=])|["'],"""
    r"""|[ \t]*(?:\|\||\?\?))[ \t]*\\?["'`]"""
    r"""((?=[^"'`]*\d)(?=[^"'`]*[A-Za-z])"""
    r"""(?:(?=[^"'`]*[a-z])(?=[^"'`]*[A-Z])[\w.~!@#%^&*+=-]{10,}|[0-9a-z]{24,}))\\?["'`]"""
)
# what no word has: small and capital letters, and digits
_MIXED = r"(?=\S*\d)(?=\S*[a-z])(?=\S*[A-Z])"
# what was taken out of force, and stands there still
_OF_A_COMMENT = re.compile(
    rf"""^[ \t]*(?:\#+|//+|;)[ \t]*(?:export[ ]|-[ ]|[A-Za-z]+[ ])?["']?([A-Za-z][\w.-]*)["']?[ \t]*[:=][ \t]*"""
    rf"""["']?({_MIXED}[\w.~!@#%^&*+=-]{{12,}})["']?[ \t]*$""",
    re.MULTILINE,
)
# Of which a text stands in each match: in fish, Windows and Logstash, and the default of a variable in a shell.
_HINTED = (
    ("set -", re.compile(r"""\bset (?:-\w*x\w*|(?:--?\w+ )*--export) (\w+) ["']?((?=\S*\d)[^\s"'$()~/]{8,})["']?""")),
    ("${", re.compile(rf"""\$\{{(\w+):?[-=]({_MIXED}[\w.~!@#%^&*+=-]{{12,}})\}}""")),
    ("setx", re.compile(r"""\bsetx[ \t]+([A-Z]\w*)[ \t]+"?((?=\S*\d)[^\s"%]{8,})"?""")),
    ("=>", re.compile(rf"\b([A-Za-z]\w{{2,40}})[ \t]*=>[ \t]*{_VALUE}")),
    ("#", _OF_A_COMMENT),
    ("//", _OF_A_COMMENT),
)
# The same of a variable, in a text of any kind.
_OF_A_VARIABLE = re.compile(
    r"""(?<![\w?&;.-])((?:[A-Za-z]\w*_)?(?:(?i:TOKEN|SECRET|PASSWORD|PASSWD|PASS)|(?:API|MASTER|SALT|SECRET)_KEY))=["']?((?=\S*\d)(?=\S*[a-z])"""
    r"""(?:(?=\S*[A-Z])[\w+/=.~-]{12,}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}))(?![\w+/.(\[{$),])"""
)
_SETTINGS = re.compile(
    r"(?!tests/|vendor/)(?:.*/)?(?:\.env(?:rc|\.[\w.-]+)?|kubeconfig|Jenkinsfile|Makefile|\.pypirc|\.s3cfg"
    r"|.+\.ya?ml\.(?:j2|jinja2?|tpl|tmpl|erb)|.+\.(?:env|properties|tf|tfvars|hcl|ini|cfg|cnf|conf|toml|json|sh|bash|mk|service"
    r"|xml|config|plist|fish|bat|cmd))"
)
_CODE = re.compile(
    r"(?:.*/)?Vagrantfile|.+\.(?:py|ipynb|[jt]sx?|mjs|go|rb|java|kts?|rs|php|cs|ps1|bicep(?:param)?|(?:j|lib)sonnet"
    r"|groovy|lua|cue|nix|scala|swift|dart)"
)
OF_TESTS = re.compile(r"(?:.*[/._-])?(?:tests?|specs?|mocks?|fixtures?|testdata|examples?)(?:[/._-].*)?")
# what is to be copied and filled in
_EXAMPLES = re.compile(r"(?:.*/)?\.?[\w-]*env(?:\.[\w-]+)*\.(?:example|sample|template|dist|tmpl)")
_YAML = (".yaml", ".yml")


def pairs_of(file: str, content: str, is_read: bool = True) -> Iterator[tuple[int, str, str]]:
    """(where, name, value) of all that a file sets. Of YAML only where it `is_read` by nobody: else it has places."""
    patterns = [*dict.fromkeys(pattern for hint, pattern in _HINTED if hint in content)]
    if not file.endswith(_YAML):
        patterns.append(_OF_A_VARIABLE)
    if _SETTINGS.fullmatch(file):
        patterns += _OF_SETTINGS
    elif file.endswith(_YAML) and not is_read:
        patterns.append(LINE)
    elif _CODE.fullmatch(file) and not OF_TESTS.fullmatch(file):
        patterns.append(_OF_CODE)
    for match in (match for pattern in patterns for match in pattern.finditer(content)):
        if not (_EXAMPLES.fullmatch(file) and (problem(match[2], "text") or not re.search(r"\d", match[2]))):
            yield match.start(2), match[1], match[2]
