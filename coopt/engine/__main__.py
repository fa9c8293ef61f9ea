"""``python -m coopt.engine``: the process that holds vLLM (``coopt.engine.process`` starts it)."""

from coopt.engine.server import main

main()
