"""Links that leave ``docs/`` work on a code host as they are; in the site the files that they name become pages.

``../coopt/x.py`` is shown as a listing, a folder as the list of what it holds, Markdown as a page, a picture as itself:
all under ``repository/``. What is linked from these is followed too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")
FENCE = re.compile(r"^ *(```|~~~)")
PICTURES = {".svg", ".png"}
LANGUAGES = {".py": "python", ".toml": "toml", ".json": "json", ".cff": "yaml"}

_from_the_repository: dict[str, str] = {}
"""Page of the site -> the file that it shows."""


def on_files(files: Files, config: Any) -> Files:
    """Add a page for everything outside of docs/ that a page links to."""
    _from_the_repository.clear()
    pages = [f for f in files if f.src_uri.endswith(".md")]
    waiting = [name for f in pages for name in linked(f.content_string, f"docs/{f.src_uri}")]
    while waiting:
        name = waiting.pop()
        page = page_of(name)
        if name.startswith("docs/") or page in _from_the_repository or not (ROOT / name).exists():
            continue
        _from_the_repository[page] = name
        if Path(name).suffix in PICTURES:
            files.append(File.generated(config, page, abs_src_path=str(ROOT / name)))
            continue
        text = shown(name)
        files.append(File.generated(config, page, content=text))
        waiting += linked(text, posixpath.join(name, "x") if (ROOT / name).is_dir() else name)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    here = page.file.src_uri
    name = _from_the_repository.get(here, f"docs/{here}")
    origin = posixpath.join(name, "x") if (ROOT / name).is_dir() else name

    def to_the_page(target: str) -> str:
        there = page_of(posixpath.normpath(posixpath.join(posixpath.dirname(origin), target)))
        return posixpath.relpath(there, posixpath.dirname(here) or ".")

    return rewritten(markdown, to_the_page)


def page_of(name: str) -> str:
    """Where a file of the repository is in the site; a link to what is not there stays wrong, and the build says so."""
    if name.startswith("docs/"):
        return re.sub(r"\.ipynb$", ".md", name.removeprefix("docs/"))  # as docs/hooks/notebook.py shows it
    path = ROOT / name
    if path.is_dir():
        return f"repository/{name}/index.md"
    return f"repository/{name}" + ("" if path.suffix in PICTURES | {".md"} else ".md")


def shown(name: str) -> str:
    """The page of a file or a folder."""
    path = ROOT / name
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if not p.name.startswith((".", "__pycache__")))
        rows = [f"- [{p.name}]({p.name})" if p.is_dir() or p.suffix == ".md" else f"- `{p.name}`" for p in inside]
        return "\n".join([f"# {name}", "", *rows, ""])
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    return f"---\nsearch:\n  exclude: true\n---\n\n# {name}\n\n````{LANGUAGES.get(path.suffix, 'text')}\n{text}\n````\n"


def linked(markdown: str, origin: str) -> Iterator[str]:
    """Files of the repository that the text of the file ``origin`` links to."""
    found: list[str] = []
    rewritten(markdown, lambda target: found.append(target) or target)  # type: ignore[func-returns-value]
    for target in found:
        yield posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))


def rewritten(markdown: str, change: Callable[[str], str]) -> str:
    """The text with every relative link outside of code changed."""
    lines, fenced = [], False
    for line in markdown.split("\n"):
        if FENCE.match(line):
            fenced = not fenced
        lines.append(line if fenced else LINK.sub(lambda m: m[1] + change(m[2]) + m[3], line))
    return "\n".join(lines)
