"""Jinja for every page: all text is escaped, nothing in it steers or hides, and a name that a template lacks is an
error."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from coopt.core.outside.files import read_text
from coopt.core.text import visible


def render(template: str, **values: Any) -> str:
    """The page of ``coopt/reports/{template}.html.jinja``."""
    environment = Environment(
        loader=PackageLoader("coopt.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(f"{template}.html.jinja").render(values)


def _visible(value: Any) -> Any:
    """Markup is the template's own."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def script_hash(template: str) -> str:
    """How the content security policy of a page names the one script that its template holds as it is."""
    source = read_text(Path(__file__).parent / f"{template}.html.jinja")
    (script,) = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    return hash_of(script)


def hash_of(script: str) -> str:
    """How a content security policy names a script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode()
