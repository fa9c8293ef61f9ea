"""``python -m coopt``."""

from coopt.cli.entry import main

main()
