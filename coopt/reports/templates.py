"""Jinja for every page: all text is escaped, and a name that a template lacks is an error."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """The page of ``coopt/reports/{template}.html.jinja``."""
    environment = Environment(
        loader=PackageLoader("coopt.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(f"{template}.html.jinja").render(values)
