"""Keep the libraries' own chatter out of coopt's output."""

from __future__ import annotations


def quiet_libraries() -> None:
    """No progress bars and no warnings from transformers; errors still show."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
