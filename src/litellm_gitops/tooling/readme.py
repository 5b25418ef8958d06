"""What a document in Markdown names by a slip: files of the repository in its commands, and headings in its links."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from litellm_gitops.spelling import closest

_CODE = re.compile(r"`([^`\n]+)`")
# a path with a slash, that no variable, placeholder or address is a part of
_PATH = re.compile(r"(?<![\w./$@:~{<>*%=,-])(?:\./)?([\w.-]+(?:/[\w.-]+)+)(?![\w/<{*:$%@…])")
_LINK = re.compile(r"\]\(#([\w-]+)\)")
_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*\s*")
_ANCHOR = re.compile(r"\b(?:id|name)=\"([^\"]+)\"")


def slips(text: str, exists: Callable[[str], bool], paths: Iterable[str]) -> Iterator[tuple[int, str, str]]:
    """(line, a path or an anchor, the one that was meant) for each that is not there, and nearly one that is."""
    known = {*paths}
    anchors, named = _read(text)
    for number, name in named:
        if name.startswith("#"):
            if name[1:] not in anchors and (meant := closest(name[1:], anchors)):
                yield number, name, f"#{meant}"
        elif not exists(name) and (meant := closest(name, known)) and not _is_another(name, meant):
            yield number, name, meant


@lru_cache(maxsize=16)
def _read(text: str) -> tuple[set[str], list[tuple[int, str]]]:
    """The anchors of a text, and (line, what it names): an anchor after `#`, or a path."""
    anchors, named = {*_ANCHOR.findall(text)}, list[tuple[int, str]]()
    for number, line, is_code in _lines(text):
        if not is_code and (match := _HEADING.fullmatch(line)):
            anchors.add(re.sub(r"[^\w -]", "", match[1].lower()).replace(" ", "-"))
        named += [(number, f"#{anchor}") for anchor in _LINK.findall(line) if not is_code]
        for part in [line] if is_code else _CODE.findall(line):
            named += [(number, path.rstrip("./")) for path in _PATH.findall(part)]
    return anchors, named


def _lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """(number, line, whether it stands in a block of code)."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        elif not mark or fence:
            yield number, line, bool(fence)


_CALL = re.compile(r"[a-z][\w.-]*(?: |/\S)")  # what between backticks may be one, and no flag or key alone
_SHELLS = ("bash", "console", "sh", "shell", "zsh")


@lru_cache(maxsize=16)
def commands(text: str) -> tuple[tuple[int, str], ...]:
    """(line, command) of each that a document shows: in blocks for a shell, and between backticks."""
    found, fence, language, block = list[tuple[int, str]](), "", "", list[tuple[int, str]]()
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*(```+|~~~+)\s*([\w-]*)", line)
        if mark and (not fence or mark[1].startswith(fence)):
            found += _joined(block) if language in _SHELLS else []
            fence, language = ("", "") if fence else (mark[1], mark[2])
            block = []
        elif fence:
            block.append((number, line))
        else:
            found += [(number, code) for code in _CODE.findall(line) if _CALL.match(code)]
    return (*found,)


def _joined(block: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """The commands of a block, each with the lines that a backslash continues; one where it holds a document."""
    lines = [line.strip().removeprefix("$ ") for _, line in block]
    if any("<<" in line for line in lines):
        return [(block[0][0], "\n".join(lines))]
    found, joined = list[tuple[int, str]](), ""
    for (number, _), line in zip(block, lines, strict=True):
        joined += line
        if line.endswith("\\"):
            joined = f"{joined[:-1]} "
            continue
        found.append((number, joined))
        joined = ""
    return found


def unended(text: str) -> Iterator[tuple[int, str]]:
    """(line, what is wrong) of a block of code without its end, or with half of a mark."""
    fence, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*(```+|~~~+)\s*([\w-]*)\s*(.*)", line)
        if mark and fence and mark[1].startswith(fence) and mark[2] in _SHELLS:
            yield start, "the block of code has no end, so that what follows is a part of it"
            return
        if mark and (not fence or (mark[1].startswith(fence) and not mark[2])):
            fence, start = ("", 0) if fence else (mark[1], number)
        elif not fence and re.fullmatch(r"\s*``(?:bash|console|sh|shell|yaml)?\s*", line):
            yield number, "a block of code begins with three backticks, and has two"
            return
    if fence:
        yield start, "the block of code has no end, so that what follows is a part of it"


def _is_another(name: str, other: str) -> bool:
    """Whether a name is one of its own, such as that of another cluster: no word of it is nearly one of the other."""
    words, others = (re.findall(r"[A-Za-z]+", each) for each in (name, other))
    if "".join(words) == "".join(others):
        return words == others  # then they differ in numbers
    unlike = [pair for pair in zip(words, others, strict=False) if pair[0] != pair[1]]
    is_one = len(words) == len(others) and len(unlike) == 1
    is_swapped = is_one and sorted(unlike[0][0]) == sorted(unlike[0][1])  # as of a short word
    return not is_one or not (is_swapped or closest(unlike[0][0], [unlike[0][1]]) or {*unlike[0]} == {"yaml", "yml"})
