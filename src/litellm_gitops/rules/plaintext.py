"""No credential stands in plaintext: by its form in any file, by its name in values, manifests and settings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from litellm_gitops import credentials
from litellm_gitops.documents import Document, NotYamlError, Place, dig, mapping, parse
from litellm_gitops.files import ignored
from litellm_gitops.findings import Finding, edit, restore
from litellm_gitops.policies import matrix
from litellm_gitops.repository import SEALED, Repository, Values
from litellm_gitops.rules import rule
from litellm_gitops.rules.pairs import LINE, OF_TESTS, PAIR, pairs_of
from litellm_gitops.rules.sealing import no_secret_stands_outside_of_the_sealed_files, secrets_of
from litellm_gitops.sealing.inputs import ENV_FILE, OWN, never_in_git

_CREDENTIAL = re.compile(
    r"(?:PASSWORD|PASSWD|(?<![A-Z])(?<!ON_)PASS|(?<![A-Z])(?:PWD|PSK)|PASSPHRASE|(?<!KUBE_)SECRET|CREDENTIALS?"
    # what a model or a list of pages calls so
    r"|(?<!(?:PER|PAD|BOS|EOS|UNK|CLS|SEP)_)(?<!(?:MASK|STOP|NEXT|PAGE)_)(?<!IMAGE_)(?<!PUBLIC_)(?<!PUBLIC)(?<!ServiceAccount)TOKEN"
    r"|AUTH_VALUE|(?:API|APP|MASTER|SALT)[_-]?KEY|(?:ACCESS|PRIVATE|SECRET|ACCOUNT|ENCRYPTION)_KEY)\Z",
    re.IGNORECASE,
)
# whether it is worth while to read a file
_MAY_TELL = re.compile(rf"""(?<!kind: ){_CREDENTIAL.pattern[:-2]}["']?\s*(?:[:=,}}]|$)""", re.IGNORECASE | re.MULTILINE)
# in values of charts and in manifests, where other keys end in the name of a Secret
_NAME_OF_SECRET = re.compile(r"(?<!client)(?<!(?:client|cookie)[_-])secret\Z|credentials?\Z", re.IGNORECASE)
_NO_NAME = re.compile(r"(?=.*\d)(?=.*[A-Z])[^\s/]{12,}")  # of a Secret, which has no capital letters
# Nothing, a path in the container, a switch, the right to have a token, a word that says that there is none, what
# another program puts in or decrypts, where it is kept, what code or Terraform reads from elsewhere, what PGP made for
# Renovate or Sealed Secrets encrypted, what a password was hashed to, and examples that their vendor publishes.
_REFERENCE = re.compile(
    r"|none|null|nil|true|false|yes|no|on|off|read|write|[0-9]{1,6}|str|string|dummy|empty|unused|skip|n/a|.*\*{3,}"
    r"|not-needed|not-used|noauth|placeholder|replace[-_]?me|your[-_](?:[a-z]+[-_])*(?:key|token|password)(?:[-_]here)?"
    r"|sk-no-key-required|__[A-Z0-9_]+__|(?-i:[A-Z][a-zA-Z]+Credential)"  # of Azure: a class
    r"|(?:(?:Bearer|Basic|token) |[\w-]+:)?(?:\$[({].*|\{\{.*\}\})|\$[a-z_][\w.:/-]*(?:[\"'].*)?"
    r"|\$__(?:file|env|vault)\{.*"
    r"|(?:~|\{\{[^{}]*\}\}|\$\w+)?/.*|(?-i:(?:\.[A-Za-z_]\w*)+)|.*(?-i:\\[bdsw][+*)\\{]).*"
    r"|[\w./-]+\.(?:md|ya?ml|json|pem|key|crt|txt)|@[\w.-]+@|%\(.*|<.*>|\{[A-Z_]+\}|\*+|x{3,}|.*\.{3}.*|\[\w+\(.*\]|os\.environ.*"
    r"|(?-i:os[./][A-Za-z]{5,10}[/.][A-Z][A-Z0-9_]*)"
    r"|(?:var|local|data|module|random_password)\.\S+"
    r"|[~^]?\d+(?:\.[\dx*]+){1,2}(?:-[\w.]+)?"  # of a package that is called so
    r"|ENC\[.*|(?:arn|env|vault|op|file|npm|workspace|https?|ref\+\w+|azurekeyvault|gcpsm|awssm|secretref):(?!.*:[^/]*@).*"
    r"|\$(?:2[abxy]?|[156y]|argon2\w+|pbkdf2[\w-]*|scrypt|apr1)\$.*"
    r"|(?-i:Ag[A-D][A-Za-z0-9+/]{200,}={0,2}|wcFMA.*|wV4D.*|[A-Z0-9]+_(?:[A-Z0-9_]*(?:PASSWORD|TOKEN|KEY|SECRET)(?:_[A-Z]+)?)|.*EXAMPLE(?:KEY)?)",
    re.IGNORECASE | re.DOTALL,
)
# what a client that must have some key sends to a server that asks for none
_NO_KEY = re.compile(
    r"fake|ollama|vllm|lm[-_]studio|llama[-_.]?cpp|local|(?:[a-z]+[-_])*(?:fake[-_]key|no[-_]key(?:[-_](?:required|needed))?)",
    re.IGNORECASE,
)
_API_KEY = re.compile(r"API[-_]?KEY\Z", re.IGNORECASE)
# what everybody knows, where nothing is deployed: a database of a test, the key in LiteLLM's documentation
_OF_NOBODY = re.compile(
    r"sk-1234|fake|(?:[a-z]+-)?(?:dummy|fake|invalid|mock|testing)(?:[-_][a-z]+)+|postgres|mysql|root|passw(?:or|0r)d|test(?:ing)?|secret"
    r"|change[-_]?me|changeit|invalid|admin|guest|example|minio(?:admin|123)?|prom-operator",
    re.IGNORECASE,
)
# https://www.postgresql.org/docs/current/libpq-pgpass.html
_PASSWORD_FILE = re.compile(r"^[^#:\s]+:(?:\d+|\*):[^:\s]+:[^:\s]+:(?![$<{])\S{6,}$", re.MULTILINE)
_OPTION = re.compile(r"--([a-z][\w-]*)")
_ITEM = re.compile(r"-{0,2}([A-Za-z][\w.-]*)=(.*)", re.DOTALL)
_A_SECRET = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*-secret")  # its name, such as eap-app-secret
_ATTRIBUTE = re.compile(r"[a-z_]+(?:\.[a-z_]+)+")  # such as self.token
# other rules speak of a Secret; a sealed one and a definition hold none
_OTHERS = ("Secret", "SealedSecret", "CustomResourceDefinition")
_DEPLOYED = ("clusters/", "litellm/", "secrets/", "docker-compose.yml")
_NO_SETTINGS = ("litellm/values", "litellm/checksums-", "policies/", "vendor/", "tests/")
_OF_THE_ENGINE = {"patches", "values", "valuesObject"}  # where the rules about methods look, too
_INJECTOR = "vault.hashicorp.com/"  # its annotations name a place
_BY_KUBESEAL = re.compile(r"\s*(?:A[gQ][A-Za-z0-9+/.]{2}|[A-Za-z0-9+/\s]{150,}={0,2}\s*\Z)")
_AWS_ID = "an AWS access key id"
_TAKE_OUT = edit("take it away, seal it, and revoke it: whoever has read the file knows it")


@lru_cache(maxsize=1024)
def credentials_of(file: str, content: str, is_read: bool = True) -> tuple[Finding, ...]:
    """The credentials that are known by their form, and by their name in what is no YAML, or `is_read` by nobody."""
    return (*_credentials_of(file, content, is_read),)


def _credentials_of(file: str, content: str, is_read: bool) -> Iterator[Finding]:
    content = content.removeprefix("\ufeff")  # an editor's mark
    # of a Secret in it another rule speaks
    lines = {line for flaw in secrets_of(file, content) for line in flaw.lines}
    found = credentials.find(content)
    # one key has two halves
    lines |= {line - 1 for line, kind in found if "AWS secret" in kind and (line - 1, _AWS_ID) in found}
    # what is known by its form says more than the name that it has
    for line, kind in sorted(found, key=lambda each: (each[0], "telling name" in each[1])):
        if line not in lines:
            lines.add(line)
            yield Finding(file, line, f"holds {kind} in plaintext", _TAKE_OUT)
    for match in _PASSWORD_FILE.finditer(content) if file.endswith(".pgpass") else ():
        line = content.count("\n", 0, match.start()) + 1
        yield Finding(file, line, "holds a password of PostgreSQL in plaintext", _TAKE_OUT)
    inside = ((line, *pair) for line, text in credentials.decoded(content) for pair in _inside(text))
    at = ((content.count("\n", 0, start) + 1, name, value) for start, name, value in pairs_of(file, content, is_read))
    for line, name, value in (*at, *inside):
        if line not in lines and _tells_in(file, name, value) and not _ATTRIBUTE.fullmatch(str(value)):
            lines.add(line)
            yield Finding(file, line, f"{name} has its value in plaintext", _TAKE_OUT)


@rule
def no_credential_stands_in_plaintext(repository: Repository) -> Iterator[Finding]:
    """Each once, where it stands."""
    found: list[Finding] = []
    for file in repository.files:
        is_read = file not in repository.yaml_files or bool(repository.documents(file))
        found += credentials_of(file, repository.characters(file), is_read)
    known = {(each.file, each.line) for each in found}
    reported = _of_other_rules(repository)
    named = [
        finding
        for document in _documents(repository)
        for finding in _named(document, repository.characters(document.file), reported)
    ]
    if named:  # of a Secret in plaintext another rule speaks
        known |= {(each.file, each.line) for each in no_secret_stands_outside_of_the_sealed_files(repository)}
    for file in {each.file for each in named}:
        told = (flaw.lines for flaw in secrets_of(file, repository.characters(file)))
        known |= {(file, line) for lines in told for line in lines}
    named += (finding for each in repository.values for finding in _of_values(repository, each))
    named += _unsealed(repository)
    yield from dict.fromkeys([*found, *(each for each in named if (each.file, each.line) not in known)])


def _unsealed(repository: Repository) -> Iterator[Finding]:
    """What stands among the values that Sealed Secrets encrypted, and is none: each begins with its key's length."""
    for file in (each for each in repository.yaml_files if "encryptedData" in repository.characters(each)):
        for document in repository.documents(file):
            place = ("spec", "encryptedData")
            values = mapping(dig(document.value, *place)) if dig(document.value, "kind") == "SealedSecret" else {}
            for key, value in values.items():
                if isinstance(value, str) and not (_BY_KUBESEAL.match(value) or is_reference(value)):
                    what = f"{key} is not encrypted in a SealedSecret"
                    yield Finding(file, document.line(*place, key), what, _TAKE_OUT)


def _documents(repository: Repository) -> Iterator[Document]:
    """Where a name tells. Of values, which say what a chart takes, see below."""
    for file in repository.yaml_files:
        passed = file.startswith(_NO_SETTINGS)
        if not passed and _may_tell(repository.characters(file)):
            yield from repository.documents(file)


@cache
def _may_tell(content: str) -> bool:
    return _MAY_TELL.search(content) is not None


def _named(document: Document, content: str, reported: set[str]) -> Iterator[Finding]:
    """What tells by its name, in manifests, patches, generators and settings of any program."""
    for place, name, value in _settings_of(document):
        elsewhere = name in reported and _OF_THE_ENGINE & set(place)
        if not elsewhere and not name.startswith("checksum/"):  # a digest
            line = _line_in(content, document.line(*place), dig(document.value, *place), (name, str(value)))
            yield Finding(document.file, line, f"{name} has its value in plaintext", _TAKE_OUT)


def _line_in(content: str, start: int, leaf: Any, parts: tuple[str, str]) -> int:
    """The line of what stands in a text of several lines; else that in which it begins."""
    text = leaf if isinstance(leaf, str) else ""
    lines = enumerate(content.split("\n")[start - 1 : start + text.count("\n") + 1] if "\n" in text else (), start)
    return next((number for number, line in lines if all(part in line for part in parts)), start)


@cache
def _settings_of(document: Document) -> list[tuple[Place, str, Any]]:
    """Those that tell that they are a credential."""
    sealed = SEALED.fullmatch(document.file)
    value = {"metadata": mapping(document.value).get("metadata")} if sealed else document.value
    found = ((place, *named) for place, *named in _settings(value) if not {"example", "examples"} & set(place))
    return [each for each in found if _tells_in(document.file, *each[1:])]


def _tells_in(file: str, name: str, value: Any) -> bool:
    """As `tells`, in a file: where nothing is deployed, without what everybody knows, and without words of tests."""
    if not tells(name, value):
        return False
    of_nobody = _OF_NOBODY.fullmatch(str(value)) or (OF_TESTS.fullmatch(file) and not re.search(r"\d", str(value)))
    return file.startswith(_DEPLOYED) or not of_nobody


def _of_other_rules(repository: Repository) -> set[str]:
    methods = repository.matrix.methods.values()
    return {name for method in methods for name in (*method.forbids, *method.variables)} | {"PROXY_MASTER_KEY"}


def tells(name: str, value: Any) -> bool:
    """Whether what stands under a name is a credential."""
    if isinstance(value, float) or not _CREDENTIAL.search(name) or name.startswith(_INJECTOR):
        return False
    if _NAME_OF_SECRET.search(name) and not (name.isupper() or _NO_NAME.fullmatch(str(value))):
        return False
    # `SECRET=litellm-masterkey` of a script
    bare, given = (re.sub("[-_]", "", each).lower() for each in (name, str(value)))
    named = given in (bare, bare.removesuffix("secret")) or (name.upper() == "SECRET" and value in matrix().secrets)
    named = named or (name.endswith("SECRET") and _A_SECRET.fullmatch(str(value)) is not None)
    named = named or (_API_KEY.search(name) is not None and _NO_KEY.fullmatch(str(value)) is not None)
    return not named and not is_reference(value) and not credentials.is_placeholder(str(value))


def _settings(value: Any) -> Iterator[tuple[Place, str, Any]]:
    """As `_leaves`, with what stands in texts: lists of NAME=value, other files, patches. Not what other rules read."""
    for place, name, leaf in _leaves(value):
        yield place, name, leaf
        if not isinstance(leaf, str):
            continue
        if place and isinstance(place[-1], int) and (item := _ITEM.fullmatch(leaf)):
            yield place, item[1], item[2]
        for inner, inside in _inside(leaf) if "\n" in leaf or '"' in leaf else ():
            yield place, inner, inside


def _inside(content: str) -> Iterator[tuple[str, Any]]:
    """(name, value) of a text that is a file of its own."""
    try:
        documents = [each.value for each in parse("", content) if isinstance(each.value, dict | list)]
    except NotYamlError:
        documents = []
    for each in documents:
        yield from ((name, leaf) for _, name, leaf in _settings(each))
    for pattern in (LINE, PAIR) if not documents else ():
        yield from ((match[1], match[2]) for match in pattern.finditer(content) if not _ATTRIBUTE.fullmatch(match[2]))


def _of_values(repository: Repository, values: Values) -> Iterator[Finding]:
    chart, methods = values.chart, values.cluster.methods.values()
    # these have rules of their own
    reported = {name for method in methods for name in method.forbids} | {"PROXY_MASTER_KEY"}
    logins = (*repository.matrix.methods.values(), *repository.matrix.database_logins.values())
    reported |= {name for login in logins for name in login.variables}
    chosen = values.cluster.logins.values()  # what a method writes is no secret under a misspelt name, either
    written = {values.cluster.filled(value) for login in chosen for value in login.variables.values()}
    for variable in values.pod.variables.values():
        credential = _CREDENTIAL.search(variable.name) and variable.name not in reported
        if credential and variable.value and not (variable.value in written or is_reference(variable.value)):
            yield values.finding(variable.place, f"{variable.name} has its value in plaintext", _TAKE_OUT)
    # the schema speaks of models, what is above of variables
    elsewhere = [place for place in (chart.variables, chart.variable_list, chart.model_list) if place]
    for place, name, value in _leaves(values.get()):
        # a name with / is that of an annotation
        if "/" in name or name in reported or not _CREDENTIAL.search(name) or is_reference(value):
            continue
        if any(place[: len(above)] == above for above in elsewhere):
            continue
        settings = place[: len(chart.config)] == chart.config or place[-1] == "value"
        if settings or not _NAME_OF_SECRET.search(name):
            yield values.finding(place, f"{name} has its value in plaintext", _TAKE_OUT)


def _leaves(value: Any, path: Place = ()) -> Iterator[tuple[Place, str, Any]]:
    """(path, name, value) of all that is no mapping and no list. A variable, `{name, value}`, has its own name."""
    if isinstance(value, dict):
        if value.get("kind") in _OTHERS:
            value = {"metadata": value.get("metadata")}
        named = next((value[key] for key in ("name", "key", "path") if isinstance(value.get(key), str)), "")
        for key, child in value.items():
            for inner, name, leaf in _leaves(child, (*path, str(key))):
                is_value = key == "value" and len(inner) == len(path) + 1
                above = named.rpartition("/")[2] or next((each for each in reversed(path) if isinstance(each, str)), "")
                yield inner, above if is_value else name, leaf
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from _leaves(child, (*path, number))
            option = _OPTION.fullmatch(value[number - 1]) if number and isinstance(value[number - 1], str) else None
            if option and isinstance(child, str) and not child.startswith("--"):
                yield (*path, number), option[1], child
    else:
        yield path, next((part for part in reversed(path) if isinstance(part, str)), ""), value


def is_known_by_its_form(repository: Repository, file: str, line: int | None) -> bool:
    """Whether a line holds a credential that needs no name to be one."""
    return line in {number for number, _ in credentials.find(repository.characters(file))}


def is_reference(value: Any) -> bool:
    """Whether a value under a telling name is no credential: nothing, or what says where one is."""
    return _REFERENCE.fullmatch(str(value).strip()) is not None


@rule
def git_ignores_inputs_and_keys(repository: Repository) -> Iterator[Finding]:
    """.gitignore names them, so that no `git add .` takes one; nor does git hold one already."""
    sources = {key.get("file") for secret in repository.matrix.secrets.values() for key in secret.keys.values()}
    files = sorted(filter(None, sources))
    wanted = [ENV_FILE, *files]
    for cluster in repository.clusters:
        wanted += [f"{name}__{cluster.name.upper().replace('-', '_')}" for name in files]
        # the second is where a run that dies leaves one
        wanted += [cluster.key_file, f".sealing/{cluster.key_file}"]
    lost: dict[str, list[str]] = {}
    for file in sorted(set(wanted) - ignored(repository.root, wanted)):
        lost.setdefault(_as_pattern(file), []).append(file)
    if lost:
        (first, *others), patterns = [file for found in lost.values() for file in found], [*lost]
        these = f"{first} and {len(others)} more, which hold" if others else f"{first}, which holds"
        what = f"git does not ignore {these} secrets"
        fix = edit(f"add the line {patterns[0]}") if not patterns[1:] else restore(f"add {', '.join(patterns)}")
        yield Finding(".gitignore", None, what, fix)
    for line, text in enumerate("" if lost else (repository.text(".gitignore") or "").splitlines(), 1):
        if match := _COMMENTED.fullmatch(text):
            what = f"git takes the comment for a part of the name, and does not ignore {match[1]}"
            yield Finding(".gitignore", line, what, edit("put the comment on a line of its own"))
    for file in sorted(repository.tracked.union(repository.files)):
        if OWN.fullmatch(file):
            what = "each clone has one of its own, which a pull would put this in the place of"
            yield Finding(file, None, what, edit(f"git rm --cached {shlex.quote(file)}, and make your own again"))
        elif file in repository.tracked and (file in wanted or never_in_git(file)):
            first = f"git rm --cached {file}, and take what it holds for known: make new keys, revoke credentials"
            yield Finding(file, None, "is a private key or an input of sealing, which never enters git", edit(first))
        elif never_in_git(file) and file not in wanted and not credentials.find(repository.characters(file)):
            fix = edit(f"move it out of the repository, or ignore it: add /{file} to .gitignore")
            yield Finding(file, None, "a private key is not ignored by git", fix)


_COMMENTED = re.compile(r"([^#\s]\S*)\s+#(?:\s.*)?")


def _as_pattern(file: str) -> str:
    """The line of .gitignore for an input, whose name may have that of a cluster behind it, or for a folder of keys."""
    if file.endswith(".agekey"):
        return f"/{file.rpartition('/')[0]}/"
    return f"/{file.partition('__')[0]}" + ("" if file == ENV_FILE else "*")
