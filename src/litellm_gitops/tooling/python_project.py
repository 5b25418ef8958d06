"""What of pyproject.toml uv, pip or pytest does not read as it is meant.

Sources: https://packaging.python.org/specifications/pyproject-toml/, https://docs.astral.sh/uv/reference/settings/,
https://docs.pytest.org/en/stable/reference/reference.html#configuration-options
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from litellm_gitops.documents import dig, mapping, text, texts
from litellm_gitops.spelling import closest
from litellm_gitops.tooling import suite_tests

Flaws = Iterator[tuple[str, str, str]]  # the word, what is wrong, what to do

# what the package itself needs, and the newest that there may be
_LEAST, _MOST = 11, 30
_CLAUSE = re.compile(r"\s*(~=|===|==|!=|<=|>=|<|>)\s*v?(\d+(?:\.\d+)*(?:(?:a|b|rc)\d+)?(?:\.\*)?)\s*")
_VERSION = re.compile(
    r"v?(?:\d+!)?\d+(?:\.\d+)*(?:[-_.]?(?:a|b|c|rc|alpha|beta|pre|preview)[-_.]?\d*)?"
    r"(?:[-_.]?post\d*|-\d+)?(?:[-_.]?dev\d*)?(?:\+[\w.-]+)?",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?")
_NEEDED = re.compile(
    r"\s*([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[([\w\s,.-]*)\])?\s*"
    r"(?:@\s*\S+|\(?((?:(?:~=|===|==|!=|<=|>=|<|>)\s*[^\s;,()<>=!~]+\s*(?:,\s*|(?=[;)]|\Z)))*)\)?)\s*(?:;.*)?"
)
_PROJECT = {
    *("name", "version", "description", "readme", "requires-python", "license", "license-files", "authors", "keywords"),
    *("maintainers", "classifiers", "urls", "scripts", "gui-scripts", "entry-points", "dependencies", "dynamic"),
    *("optional-dependencies", "import-names", "import-namespaces"),
}
_UV = {
    *("package", "index", "sources", "dev-dependencies", "default-groups", "workspace", "managed", "environments"),
    *(
        "constraint-dependencies",
        "override-dependencies",
        "index-url",
        "extra-index-url",
        "required-version",
        "cache-dir",
    ),
    *("python-preference", "python-downloads", "resolution", "prerelease", "link-mode", "exclude-newer", "pip"),
    *("find-links", "no-index", "native-tls", "offline", "conflicts", "dependency-groups", "required-environments"),
}
_TABLES, _BUILDS = (
    {"project", "build-system", "tool", "dependency-groups"},
    {"requires", "build-backend", "backend-path"},
)
_PROGRAMS = {
    *("black", "coverage", "hatch", "isort", "mypy", "pdm", "poetry", "pyright", "pytest", "ruff", "setuptools", "uv"),
}
_OF_PROGRAMS = {  # what the rendered file has of these, and others that look like it
    "ruff.lint": {"select", "ignore", "extend-select", "per-file-ignores", "fixable", "isort", "pydocstyle", "mccabe"},
    "setuptools": {"packages", "package-dir", "package-data", "py-modules", "include-package-data", "dynamic"},
    "ruff": {
        "line-length",
        "target-version",
        "extend-exclude",
        "extend-include",
        "exclude",
        "include",
        "extend",
        "lint",
    },
}
_PYTEST = {
    *(
        "addopts",
        "testpaths",
        "markers",
        "python_files",
        "python_classes",
        "python_functions",
        "norecursedirs",
        "filterwarnings",
    ),
    *(
        "minversion",
        "pythonpath",
        "xfail_strict",
        "log_cli",
        "log_level",
        "junit_family",
        "cache_dir",
        "required_plugins",
    ),
}
_FLAGS = {
    *(
        "--strict-markers",
        "--strict-config",
        "--verbose",
        "--quiet",
        "--tb",
        "--durations",
        "--color",
        "--maxfail",
        "--capture",
    ),
    *(
        "--exitfirst",
        "--import-mode",
        "--no-header",
        "--no-summary",
        "--show-capture",
        "--showlocals",
        "--strict",
        "--numprocesses",
    ),
}
_CHOSEN = r"(?<!\S)-m\s*(?:'([^']*)'|\"([^\"]*)\"|(\S+))"
_ACTIONS = ("all", "always", "default", "error", "ignore", "module", "once")
_BROUGHT = {  # backends by the package that each is of
    **{"setuptools": "setuptools", "hatchling": "hatchling", "flit_core": "flit_core", "poetry": "poetry-core"},
    **{"uv_build": "uv_build"},
}
_BACKENDS = ("setuptools.build_meta", "hatchling.build", "flit_core.buildapi", "poetry.core.masonry.api", "uv_build")


def unread(settings: dict[Any, Any], tests: list[str]) -> Flaws:
    """What is wrong, of the file as a whole; `tests` are the names of the files of the suite."""
    project, tool = mapping(settings.get("project")), mapping(settings.get("tool"))
    yield from _of_tables(settings, project, tool)
    yield from _misspelt("build-system", mapping(settings.get("build-system")), _BUILDS)
    yield from _misspelt("tool", tool, _PROGRAMS)
    for program, known in _OF_PROGRAMS.items():
        yield from _misspelt(f"tool.{program}", mapping(dig(tool, *program.split("."))), known)
    yield from _misspelt("project", project, _PROJECT)
    yield from _misspelt("tool.uv", mapping(tool.get("uv")), _UV)
    target = text(dig(tool, "ruff", "target-version"))
    if target and not re.fullmatch(r"py3\d+", target):
        yield "target-version", f"ruff knows no target-version {target}, and ends with an error", "write py311"
    if not isinstance(dig(tool, "uv", "package"), bool | None):
        yield "package", "tool.uv.package is neither true nor false, and uv ends with an error", "write false"
    if project:
        if not _NAME.fullmatch(text(project.get("name"))):
            yield "name", "project.name is no name of a package", "use letters, digits, - and _"
        if "version" in project and not _VERSION.fullmatch(text(project["version"])):
            yield "version", "project.version is no version of Python", "write one such as 0.0.0"
        yield from _of_python(project)
        yield from _of_dependencies(project)
        if not isinstance(project.get("dependencies", []), list):
            yield "dependencies", "project.dependencies is no list, so that nothing can be installed", "write it in [ ]"
    yield from _of_backend(settings, tool)
    pytest = mapping(tool.get("pytest"))
    for key in pytest:
        if "ini_options" not in pytest and closest(str(key), ("ini_options",)):
            yield f"[tool.pytest.{key}]", f"pytest reads no tool.pytest.{key}", "write tool.pytest.ini_options"
    yield from of_pytest(mapping(pytest.get("ini_options")), tests)
    yield from _of_plugins(settings, mapping(pytest.get("ini_options")))


def _of_backend(settings: dict[Any, Any], tool: dict[Any, Any]) -> Flaws:
    """Whether pip finds what builds the project, and that what it is to build."""
    backend = text(dig(settings, "build-system", "build-backend"))
    if meant := closest(backend, _BACKENDS):
        yield "build-backend", f"there is no {backend}", f"did you mean {meant}?"
    brought = [re.split(r"[^\w.-]", each)[0].lower() for each in texts(dig(settings, "build-system", "requires"))]
    package = _BROUGHT.get(backend.partition(".")[0], "")
    if package and "requires" in mapping(settings.get("build-system")) and package not in brought:
        yield "requires", f"requires lacks {package}, so that pip ends with an error", f"write {package} in requires"
    chosen = {"packages", "py-modules", "ext-modules"} & {*mapping(tool.get("setuptools"))}
    near = any(closest(str(key), ("packages", "setuptools")) for key in (*mapping(tool.get("setuptools")), *tool))
    if backend == "setuptools.build_meta" and not chosen and not near:
        what = "setuptools finds hooks, litellm, policies and more to install, and pip ends with an error"
        yield "build-backend", what, "write packages = [] under [tool.setuptools]"


def _of_tables(settings: dict[Any, Any], project: dict[Any, Any], tool: dict[Any, Any]) -> Flaws:
    """Tables that nothing reads, and what stands in another one than its own."""
    for key, value in settings.items():
        # a short name is told by what is in its table
        meant = closest(key, _TABLES) or ("tool" if _PROGRAMS & {*mapping(value)} else "")
        if key not in _TABLES and meant:
            yield f"[{key}", f"nothing reads {key}", f"did you mean {meant}?"
    is_given = any(key == "version" or closest(key, ["version"]) for key in (*project, *texts(project.get("dynamic"))))
    if project and not is_given:
        yield "project", "project has no version, and uv ends with an error", 'write version = "0.0.0"'
    if not project and not any(closest(key, ["project"]) for key in settings):
        yield "name", "there is no table project, so that nothing is installed", "write [project] above name"
    for place, table in (("project", project), ("tool.uv", mapping(tool.get("uv")))):
        if stray := next((key for key in table if key in ("addopts", "markers", "testpaths")), ""):
            yield stray, f"nothing reads {place}.{stray}", "write [tool.pytest.ini_options] above it"


def taken_in(addopts: str, tests: Iterable[str]) -> str:
    """A mark of tests that need more than this repository, and that pytest would run by itself; empty where none."""
    chosen = re.search(_CHOSEN, addopts)
    words = re.findall(r"\w+", " ".join(filter(None, chosen.groups()))) if chosen else []
    marks = (suite_tests.MARKS[name] for name in tests if name in suite_tests.MARKS)
    return next((mark for mark in marks if mark not in words or "not" not in words), "")


def _misspelt(above: str, given: dict[Any, Any], known: set[str]) -> Flaws:
    for key in map(str, given):
        if key not in known and (meant := closest(key, known)):
            yield key, f"nothing reads {above}.{key}", f"did you mean {meant}?"


def _of_python(project: dict[Any, Any]) -> Flaws:
    given, word = project.get("requires-python"), "requires-python"
    if given is None:
        return
    if not isinstance(given, str) or not is_specifier(given):
        yield word, f"{word} is no range of versions, so that nothing can be installed", 'write ">=3.11"'
    elif not any(allows(given, minor) for minor in range(_LEAST, _MOST)):
        yield word, f"{word} is {given}, for which there is no Python that the suite runs on", 'write ">=3.11"'
    elif any(allows(given, minor) for minor in range(_LEAST)):
        yield word, f"{word} takes in a Python older than 3.{_LEAST}, on which the suite does not run", 'write ">=3.11"'


def is_specifier(value: str) -> bool:
    """Whether it is a list of clauses such as `>=3.11,<4`."""
    return all(_CLAUSE.fullmatch(part) for part in value.rstrip(", ").split(","))


def allows(specifier: str, minor: int) -> bool:
    """Whether some release of Python 3.`minor` is in a range of versions."""
    return all(_is_in(match[1], match[2], minor) for match in map(_CLAUSE.fullmatch, specifier.split(",")) if match)


def _is_in(sign: str, version: str, minor: int) -> bool:
    parts = [int(part) for part in re.findall(r"\d+", version.partition("a")[0].partition("b")[0].partition("rc")[0])]
    bound, whole = [*parts, 0][:2], len(parts) < 3 or version.endswith("*")
    here = [3, minor]
    if sign in ("==", "==="):
        return here == bound or (version.endswith("*") and len(parts) == 1 and parts[0] == 3)
    if sign == "!=":
        return not (here == bound and whole)
    if sign == "~=":
        return here == bound if len(parts) > 2 else here >= bound and parts[0] == 3
    return {">=": here >= bound, ">": here > bound or not whole, "<=": here <= bound, "<": here < bound or not whole}[
        sign
    ]


def _of_dependencies(project: dict[Any, Any]) -> Flaws:
    names = set[str]()
    for line in texts(project.get("dependencies")):
        match = _NEEDED.fullmatch(line)
        if match is None:
            yield line, f"a dependency cannot be read: {line}", "write name>=1.2,<2"
            return
        names.add(match[1].lower())
        least, below = (re.search(sign + r"\s*(\d+(?:\.\d+)*)\s*(?:,|\Z)", line) for sign in (">=", "<(?!=)"))
        if least and below and _parts(below[1]) <= _parts(least[1]):
            yield line, f"no release of {match[1]} is in {line[match.end(1) :]}", "write a higher end"
        if match[1].lower() == "litellm-gitops":
            extras = [each.strip() for each in (match[2] or "").split(",")]
            if "suite" not in extras:
                what = "litellm-gitops is taken without its suite, so that no test can run"
                yield line.partition("@")[0], what, "write litellm-gitops[suite]"
    for name in names:
        if (meant := closest(name, ("copier", "litellm-gitops"))) and meant not in names:
            yield name, f"there is no {name}", f"did you mean {meant}?"


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


_IMPORTED = re.compile(r"^\s*(?:from|import) (\w+)|\bimported\(\"(\w+)", re.MULTILINE)
_CALLED = {"ruamel": "ruamel.yaml", "yaml": "pyyaml"}  # what is imported by another name than it is installed by


def missing(project: dict[Any, Any], sources: Iterable[str]) -> str:
    """A package that sources import, and no dependency brings; empty where there is none."""
    given = {
        re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", line.strip())[0]).lower()
        for line in texts(project.get("dependencies"))
    }
    named = {match[1] or match[2] for source in sources for match in _IMPORTED.finditer(source)}
    named -= {*sys.stdlib_module_names, "litellm_gitops", "copier"}
    wanted = {re.sub(r"[-_.]+", "-", _CALLED.get(name, name)) for name in named}
    return min(wanted - given, default="")


def options_of(options: dict[Any, Any]) -> str:
    """What pytest adds to its command line, which may be a text or a list."""
    given = options.get("addopts")
    return shlex.join(texts(given)) if isinstance(given, list) else text(given)


def of_pytest(options: dict[Any, Any], tests: list[str]) -> Flaws:
    """What is wrong with the settings of pytest: then it leaves tests out, or runs others."""
    yield from _misspelt("pytest", options, _PYTEST)
    words = options_of(options)
    for flag in re.findall(r"(?<!\S)(--[\w-]+)", words):
        if flag not in _FLAGS and (meant := closest(flag, _FLAGS)):
            yield "addopts", f"pytest knows no {flag}", f"did you mean {meant}?"
    if re.search(r"-p[ =]?no:litellm", words):
        yield "addopts", "addopts switches the rules themselves off", "take -p no: out"
    marks, chosen = suite_tests.MARKS.values(), re.search(_CHOSEN, words)
    for mark in re.findall(r"\w+", " ".join(filter(None, chosen.groups())) if chosen else ""):
        if mark not in (*marks, "not", "and", "or") and (meant := closest(mark, marks)):
            yield "addopts", f"no test has the mark {mark}", f"did you mean {meant}?"
    declared = {line.partition(":")[0].partition("(")[0].strip() for line in texts(options.get("markers"))}
    slip = any(closest(str(key), ("markers",)) for key in options)  # of which is told above
    missing = [mark for mark in marks if mark not in declared]
    if "--strict-markers" in words and not slip and missing:
        yield "markers", f"markers lacks {missing[0]}, so that pytest ends with an error", f"declare {missing[0]}"
    for line in texts(options.get("filterwarnings")):
        action = line.partition(":")[0].strip()
        if action not in _ACTIONS and (meant := closest(action, _ACTIONS)):
            yield "filterwarnings", f"Python knows no action {action} for a warning", f"did you mean {meant}?"
    for key, known, sample in (("python_files", "test_*.py", tests), ("python_functions", "test", ["test_own"])):
        patterns = options.get(key)
        listed = patterns.split() if isinstance(patterns, str) else texts(patterns)
        if listed and sample and not all(any(fnmatchcase(name, f"{each}*") for each in listed) for name in sample):
            yield key, f"{key} leaves tests of the suite out", f"add {known}"
    if "tests" in texts(options.get("norecursedirs")):
        yield "norecursedirs", "norecursedirs leaves tests/ out", "take it out"


# what brings a flag, where pytest itself does not have it
_PLUGINS = {
    "xdist": re.compile(r"(?<!\S)(?:-n(?:[ =]?(?:auto|logical|\d+))|--(?:numprocesses|dist|maxprocesses)\b)"),
    "cov": re.compile(r"(?<!\S)--cov(?:-[a-z-]+)?\b"),
    "timeout": re.compile(r"(?<!\S)--timeout(?:-method)?\b"),
    "rerunfailures": re.compile(r"(?<!\S)--reruns(?:-delay)?\b"),
    "html": re.compile(r"(?<!\S)--(?:html|self-contained-html)\b"),
}


_OF_PLUGINS = {  # settings that pytest itself does not have, and --strict-config refuses
    **{"asyncio_mode": "asyncio", "asyncio_default_fixture_loop_scope": "asyncio", "env": "env", "env_files": "dotenv"},
    **{
        "timeout": "timeout",
        "timeout_method": "timeout",
        "mock_traceback_monkeypatch": "mock",
        "randomly_seed": "randomly",
    },
    **{"reruns": "rerunfailures", "DJANGO_SETTINGS_MODULE": "django", "timeout_func_only": "timeout"},
}


def _of_plugins(settings: dict[Any, Any], options: dict[Any, Any]) -> Flaws:
    """Plugins that the settings of pytest ask for, and that nothing here installs."""
    installed = f"{settings.get('project')}{settings.get('dependency-groups')}{dig(settings, 'tool', 'uv')}".lower()
    for name, flag in _PLUGINS.items():
        if name not in installed and (match := flag.search(options_of(options))):
            what = f"pytest knows no {match[0].partition(' ')[0]} without pytest-{name}, and ends with an error"
            yield "addopts", what, f"add pytest-{name} to the dependencies"
    for key, name in _OF_PLUGINS.items():
        if key in options and "--strict" in options_of(options) and name not in installed:
            what = f"pytest knows no {key} without pytest-{name}, and ends with an error"
            yield key, what, f"add pytest-{name} to the dependencies"
    for line in texts(options.get("required_plugins")):
        name = re.split(r"[^\w.-]", line.strip())[0].lower()
        if name and name.removeprefix("pytest-").removeprefix("pytest_") not in installed:
            what = f"pytest asks for the plugin {name}, which nothing installs, and ends with an error"
            yield "required_plugins", what, f"add {name} to the dependencies"
