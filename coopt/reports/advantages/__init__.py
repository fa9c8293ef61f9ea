"""Where the teacher changes the student's mind: recorded per-token advantages, shown.

``coopt.methods.advantages`` writes them down, ``traces`` reads them, ``runs.measures.advantages`` has the indices,
``summary`` puts these together by arm; ``tables``, ``page``, ``terminal`` and ``plot`` show them.
"""
