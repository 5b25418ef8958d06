"""The commands of a shell's script, as far as a reader without a shell can tell them.

Read are lists and pipelines, redirections, compound commands, functions, here-documents and substitutions; what stands
in a here-document or in a function that nobody calls is no command. Nothing is expanded or run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

_COMMENT = re.compile(r"(^|\s)#.*", re.MULTILINE)
_HERE = re.compile(r"<<(?P<dash>-?)\s*(?P<quote>['\"]?)(?P<end>\w+)(?P=quote)")
_FUNCTION = re.compile(r"(?:^|(?<=[;\n]))[ \t]*(?:function[ \t]+)?(?P<name>[\w-]+)[ \t]*\(\)\s*\{", re.MULTILINE)
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)  # GitHub fills it in, whatever quotes it stands in
_OPERATORS = re.compile(r"&>>?|[<>]+&?|&&|\|\||;;|\|&|[;&|()\n]")
_CLOSES = {"fi": "if", "done": "do", "esac": "case", "}": "{"}
_INNER = {"then": "if", "else": "if", "elif": "if", "do": "do"}
_OPENS = {"if": "if", "while": "do", "until": "do", "for": "do", "select": "do", "case": "case", "{": "{"}
CAPTURED = "\x02"  # in a word: what a command printed, with the number of that command's script between two of these
_LITERAL = "\x03"  # in a word: a dollar sign that is one


@dataclass
class Command:
    """A simple command: its words, where its output goes if not on, and what stands before and after it.

    `inside` are the compound commands around it, with the part of each that it stands in: ("if", "then").
    """

    words: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    before: str = ""
    after: str = ""
    inside: tuple[tuple[str, str], ...] = ()


@dataclass
class Script:
    """The commands in their order, and the scripts whose output is taken for a part of a word."""

    commands: list[Command]
    captured: list[Script]

    def all(self) -> Iterator[Command]:
        """Every command, also of what is captured."""
        yield from self.commands
        for inner in self.captured:
            yield from inner.all()


def read(text: str) -> Script | None:
    """The commands of a script; None where it is not one, as far as can be seen."""
    expressions = _EXPRESSION.findall(text)
    for number, expression in enumerate(expressions):
        text = text.replace(expression, f"\x04{number}\x04", 1)
    return _read(text, expressions)


def _read(text: str, expressions: list[str]) -> Script | None:
    """As `read`, where a number stands for each expression."""
    text = _without_functions(_without_documents(text.replace("\\\n", " ")))
    text, inner = _without_captured(_COMMENT.sub("", text))
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&\n")
        lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
        commands = _Reader([*lexer]).commands
    except ValueError:  # a quote that is not closed
        return None
    for command in commands:
        for words in (command.words, command.targets):
            words[:] = [re.sub("\x04(\\d+)\x04", lambda match: expressions[int(match[1])], word) for word in words]
    scripts = [_read(each, expressions) for each in inner]
    return Script(commands, [each or Script([], []) for each in scripts])


class _Reader:
    """Makes commands of words and operators."""

    def __init__(self, tokens: list[str]) -> None:
        self.commands: list[Command] = []
        self._frames: list[tuple[str, str, int]] = []  # opened by, part, number of the first command in it
        self._closed: int | None = None  # that number, until the operator after the end of a compound command
        self._now = Command()
        for token in tokens:
            if token and set(token) <= set("();<>|&\n"):
                for operator in _OPERATORS.findall(token):
                    self._operator(operator)
            else:
                self._word(token)
        self._operator("")

    def _word(self, word: str) -> None:
        if self._now.words[-1:] in (["<"], [">"]):
            self._now.targets += [word] if self._now.words.pop() == ">" else []
        elif self._now.words or not self._is_keyword(word):
            self._now.words.append(word)

    def _is_keyword(self, word: str) -> bool:
        """Whether a word that begins a command opens or closes a compound command, which is then noted."""
        kind, _, first = self._frames[-1] if self._frames else ("", "", 0)
        if _CLOSES.get(word, word) == kind and word in _CLOSES:
            self._frames.pop()
            self._closed = first
            return True
        if _INNER.get(word) == kind and kind:
            self._frames[-1] = (kind, word, first)
            return True
        if word in _OPENS:
            self._frames.append((_OPENS[word], word, len(self.commands)))
            return word not in ("for", "select", "case")
        return False

    def _operator(self, operator: str) -> None:
        if "<" in operator or ">" in operator:
            descriptor = self._now.words.pop() if self._now.words[-1:] in (["0"], ["1"], ["2"]) else ""
            self._now.words.append(">" if "<" not in operator and descriptor in ("", "1") else "<")
            return
        if operator == "(":
            self._frames.append(("(", "(", len(self.commands)))
            return
        if self._closed is not None:
            self._end(self._closed, operator)
        elif self._now.words:
            self._now.after, self._now.inside = operator, tuple(frame[:2] for frame in self._frames)
            self.commands.append(self._now)
        if operator == ")" and self._frames and self._frames[-1][0] == "(":
            self._closed = self._frames.pop()[2]
        elif operator != "\n" or self._now.words or self._closed is not None or not self.commands:
            self._closed = None
        self._now = Command(before=self.commands[-1].after if self.commands else "")

    def _end(self, first: int, operator: str) -> None:
        """What stands behind a compound command is for all commands in it."""
        for command in self.commands[first:]:
            command.targets += self._now.targets
        for command in self.commands[first:-1] if operator == "|" else ():
            command.targets.append("|")
        if self.commands[first:]:
            self.commands[-1].after = operator


def _without_documents(text: str) -> str:
    """The script without its here-documents, but for those that a shell runs."""
    kept: list[str] = []
    ends: list[tuple[str, bool]] = []
    for line in text.split("\n"):
        if ends:
            if line.strip() == ends[0][0]:
                ends.pop(0)
            elif ends[0][1]:
                kept.append(line)
            continue
        kept.append(_HERE.sub("", line))
        runs = bool(re.match(r"\s*(?:sudo )?(?:ba)?sh\b", line))
        ends = [(match["end"], runs) for match in _HERE.finditer(line)]
    return "\n".join(kept)


def _without_functions(text: str) -> str:
    """The script with the body of a function in its place, or without it where nobody calls it."""
    while match := _FUNCTION.search(text):
        end, depth = match.end(), 1
        while end < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        rest = text[: match.start()] + text[end:]
        is_called = re.search(rf"(?<![\w-]){re.escape(match['name'])}(?![\w-])", rest)
        body = f"{{ {text[match.end() : end]}" if is_called else ""
        text = text[: match.start()] + body + text[end:]
    return text


def _without_captured(text: str) -> tuple[str, list[str]]:
    """The script with a mark for each $(…) and `…`, and what stands in them; a literal $ is marked, too."""
    made, inner, quote, at = "", list[str](), "", 0
    while at < len(text):
        letter = text[at]
        if quote == "'":
            made += _LITERAL if letter == "$" else letter
            quote = "" if letter == "'" else quote
        elif letter == "\\":
            made += f"\\{text[at + 1]}".replace("\\$", _LITERAL) if at + 1 < len(text) else ""
            at += 1
        elif text.startswith("$(", at) or letter == "`":
            end = _end(text, at)
            inner.append(text[at + (1 if letter == "`" else 2) : end])
            made += f"{CAPTURED}{len(inner) - 1}{CAPTURED}"
            at = end
        else:
            made += letter
            quote = {quote: "", "": letter}.get(quote, quote) if letter in "'\"" and quote in ("", letter) else quote
        at += 1
    return made, inner


def _end(text: str, start: int) -> int:
    """Where what begins with $( or ` ends."""
    if text[start] == "`":
        return text.find("`", start + 1) if "`" in text[start + 1 :] else len(text)
    depth = 0
    for at in range(start + 1, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if not depth:
            return at
    return len(text)


_WITH_QUOTE = re.compile(r"<<-?[ \t]*\\?(['\"]?)(\w+)\1")


def unquoted(text: str) -> str:
    """What a shell fills in of a script: not what stands in single quotes, in comments, or in such documents."""
    made, at = "", 0
    inside, ends = [""], list[tuple[str, bool]]()  # the quotes and brackets around, and the documents that follow
    while at < len(text):
        letter, now = text[at], inside[-1]
        document = _WITH_QUOTE.match(text, at) if now != '"' and text[at - 1 : at] != "<" else None
        if letter == "\\":
            at += 2
            continue
        if document:
            ends.append((document[2], bool(document[1]) or "\\" in document[0]))
            at = document.end()
            continue
        if letter == "#" and now != '"' and not text[at - 1 : at].strip(" \t\n;"):
            at = _until(text, at, "\n")
            continue
        if letter == "\n" and ends and now != '"':
            body, at = _documents(text, at, ends)
            made += body
            continue
        if letter == "'" and now != '"':
            at = _until(text, at + 1, "'") + 1
            continue
        if letter == '"' and now == '"':
            inside.pop()
        elif letter == '"' or text.startswith("$(", at) or (letter == "(" and now == "("):
            inside.append('"' if letter == '"' else "(")
            letter, at = (" ", at + 1) if letter == "$" else (letter, at)
        elif letter == ")" and now == "(":
            inside.pop()
        made += letter
        at += 1
    return made


def _until(text: str, start: int, end: str) -> int:
    return found if (found := text.find(end, start)) >= 0 else len(text)


def _documents(text: str, at: int, ends: list[tuple[str, bool]]) -> tuple[str, int]:
    """(what a shell fills in of the documents that begin at the end of a line, where they end)."""
    made, lines = "", text[at + 1 :].split("\n")
    while ends and lines:
        end, as_it_is = ends[0]
        line = lines.pop(0)
        at += len(line) + 1
        if line.strip() == end:
            ends.pop(0)
        elif not as_it_is:
            made += f"\n{line}"
    ends.clear()
    return made, at + (0 if lines else 1)
