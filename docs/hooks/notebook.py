"""A notebook as a page: its cells and the outputs that are kept in it; nothing is run."""

from __future__ import annotations

from typing import Any

import nbformat
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter


def on_files(files: Files, config: Any) -> Files:
    for file in [f for f in files if f.src_uri.endswith(".ipynb")]:
        notebook = nbformat.reads(file.content_string, as_version=4)
        text, parts = MarkdownExporter().from_notebook_node(notebook)
        folder = file.src_uri.rpartition("/")[0]
        files.remove(file)
        files.append(File.generated(config, file.src_uri.removesuffix(".ipynb") + ".md", content=text))
        for name, content in parts["outputs"].items():
            files.append(File.generated(config, f"{folder}/{name}", content=content))
    return files
