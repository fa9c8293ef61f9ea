"""No page may load anything from a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\ssrc=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|<link\b(?![^>]*rel=["']?(?:canonical|next|prev))[^>]*?\shref=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|(?:url\(|@import )["']?(?:https?:)?//[^"')\s]+"""
)


def on_post_build(config: Any) -> None:
    site = Path(config["site_dir"])
    for path in sorted(p for p in site.rglob("*") if p.suffix in {".html", ".css"}):
        found = LOADED.search(path.read_text(encoding="utf-8"))
        if found:
            raise PluginError(f"{path.relative_to(site)} loads from a network: {found[0]}")
