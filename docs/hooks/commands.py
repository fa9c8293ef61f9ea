"""The command line's reference, as typer writes it from the commands themselves."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from typing import Any

MARK = "<!-- commands -->"
EXAMPLES = re.compile(r"^Examples?:\n+((?: +\S.*\n)+)", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    return markdown.replace(MARK, reference()) if MARK in markdown else markdown


def reference() -> str:
    asked = [sys.executable, "-m", "typer", "coopt.cli.main", "utils", "docs", "--name", "coopt"]
    text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    text = text.partition("\n")[2]  # its title is the page's
    return EXAMPLES.sub(_as_code, text)


def _as_code(found: re.Match[str]) -> str:
    lines = [line.strip() for line in html.unescape(found[1]).splitlines()]
    return "\n".join(["Examples:", "", "```bash", *lines, "```", ""])
