"""``python -m coopt``."""

from coopt.cli.main import main

main()
