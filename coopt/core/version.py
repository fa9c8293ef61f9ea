"""The version of coopt: here alone, so that every package may name it, and a source tree that nobody installed too."""

from __future__ import annotations

__version__ = "0.1.0"
