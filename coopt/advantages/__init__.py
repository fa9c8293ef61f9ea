"""Where the teacher changes the student's mind: per-token advantages, recorded in training (``coopt advantages``).

``record`` writes them down, ``traces`` reads them, ``coopt.metrics.advantages`` has the indices, ``summary`` puts these
together by arm; ``tables``, ``page``, ``terminal`` and ``plot`` show them. Only ``record`` imports torch.
"""
