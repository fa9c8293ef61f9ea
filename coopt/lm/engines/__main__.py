"""``python -m coopt.lm.engines``: the process that holds vLLM (``coopt.lm.engines.process`` starts it)."""

from coopt.lm.engines.server import main

main()
