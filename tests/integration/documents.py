"""What stands in code blocks of the documents, and how much of it is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
MARK = re.compile(r"<!-- not run: (\S.*?) -->\s*$")
SAVED = re.compile(r"\b[Ss]ave this as `([\w.]+)`")
"""Gives the block behind its paragraph a file's name."""
PLACEHOLDERS = re.compile(r"[\[\]…]|\.\.\.")


class Block(NamedTuple):
    """A fenced block. ``reason``: why it is not run (the comment before it); ``file``: what it is to be saved as."""

    document: str
    line: int
    language: str
    text: str
    reason: str
    file: str

    @property
    def commands(self) -> Iterator[str]:
        """Its command lines, without comments."""
        for line in self.text.splitlines():
            for part in line.split("&&"):
                words = shlex.split(part, comments=True)
                if words:
                    yield shlex.join(words)


def blocks(document: str) -> list[Block]:
    """The fenced blocks of a document."""
    found: list[Block] = []
    reason = file = ""
    for token in MarkdownIt().parse((ROOT / document).read_text(encoding="utf-8")):
        if token.type == "html_block":
            mark = MARK.search(token.content)
            reason = mark[1] if mark else ""
        elif token.type == "inline":
            saved = SAVED.search(token.content)
            reason, file = "", saved[1] if saved else ""
        elif token.type == "fence":
            line = (token.map or [0])[0] + 1
            found.append(Block(document, line, token.info.strip(), token.content, reason, file))
            reason = file = ""
    return found


def commands_of_coopt(document: str) -> Iterator[tuple[str, bool]]:
    """Every ``coopt ...`` of a document, with whether it stands in a block (else in a sentence)."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for token in MarkdownIt().parse(text):
        if token.type in ("fence", "code_block") and token.info.strip() in ("", "bash"):
            for line in token.content.splitlines():
                yield from ((part.strip(), True) for part in line.split("&&"))
        for inner in token.children or ():
            if inner.type == "code_inline":
                yield inner.content, False


def words(command: str) -> list[str]:
    """The arguments of a ``coopt`` command as a reader would give them; empty if it is none."""
    if not re.match(r"(\.venv/bin/)?coopt\s+[a-z-]", command):
        return []
    parts: Sequence[str] = shlex.split(command.partition(" > ")[0], comments=True)[1:]
    return [p.split("|")[0] for p in parts if not PLACEHOLDERS.search(p)]
